//! Ids: a prefix that names the kind, then a ULID (contract section 1).

use crate::time::Timestamp;

/// The kinds of things that have an id of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Tenant,
    User,
    ServiceAccount,
    ApiKey,
    Inbox,
    Contact,
    Identity,
    Conversation,
    Session,
    Message,
    Webhook,
    WebhookAttempt,
    SigningKey,
    Event,
}

impl Kind {
    /// What ids of this kind begin with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Kind::Tenant => "tn_",
            Kind::User => "usr_",
            Kind::ServiceAccount => "svc_",
            Kind::ApiKey => "key_",
            Kind::Inbox => "ibx_",
            Kind::Contact => "con_",
            Kind::Identity => "idn_",
            Kind::Conversation => "cnv_",
            Kind::Session => "ses_",
            Kind::Message => "msg_",
            Kind::Webhook => "whk_",
            Kind::WebhookAttempt => "wha_",
            Kind::SigningKey => "whsk_",
            Kind::Event => "evt_",
        }
    }
}

/// A new id; ids made later sort after those made earlier, to the millisecond.
pub fn new(kind: Kind) -> String {
    format!("{}{}", kind.prefix(), ulid())
}

/// A ULID of now: 26 upper-case characters.
pub fn ulid() -> String {
    let mut random = [0_u8; 16];
    fill_random(&mut random);
    let millis = u64::try_from(Timestamp::now().millis()).unwrap_or_default();
    ulid::Ulid::from_parts(millis, u128::from_le_bytes(random)).to_string()
}

/// An id for a request: 26 characters, unique but no secret. Only the first of an instance asks the host for
/// random bits; each further one steps on from there.
pub fn request() -> String {
    /// An odd number far from any small fraction of 2^128: steps spread and do not meet for 2^128 ids.
    const STEP: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    thread_local! {
        static LAST: std::cell::Cell<u128> = const { std::cell::Cell::new(0) };
    }
    if LAST.get() == 0 {
        let mut random = [0_u8; 16];
        fill_random(&mut random);
        LAST.set(u128::from_le_bytes(random));
    }
    let next = LAST.get().wrapping_add(STEP);
    LAST.set(next);
    ulid::Ulid::from(next).to_string()
}

/// Random bytes from the host.
pub fn fill_random(bytes: &mut [u8]) {
    if getrandom::fill(bytes).is_err() {
        // WASI's random source cannot fail; a host without one must not hand out guessable secrets.
        std::process::abort();
    }
}

/// A secret of 43 URL-safe characters (256 bits).
pub fn secret() -> String {
    use base64::Engine as _;
    let mut bytes = [0_u8; 32];
    fill_random(&mut bytes);
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// A secret of 64 hexadecimal characters (256 bits), for links whose readers expect that form.
pub fn hex_secret() -> String {
    let mut bytes = [0_u8; 32];
    fill_random(&mut bytes);
    hex::encode(bytes)
}

/// The same ULID under another prefix: the conversation of an identity and back.
pub fn reprefix(id: &str, from: Kind, to: Kind) -> Option<String> {
    id.strip_prefix(from.prefix()).map(|ulid| format!("{}{ulid}", to.prefix()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_prefix_and_ulid() {
        let id = new(Kind::Contact);
        assert_eq!(id.len(), 30);
        assert!(id.starts_with("con_"));
        assert_ne!(id, new(Kind::Contact));
        assert_eq!(reprefix("idn_X", Kind::Identity, Kind::Conversation).as_deref(), Some("cnv_X"));
        assert_eq!(reprefix("con_X", Kind::Identity, Kind::Conversation), None);
    }
}
