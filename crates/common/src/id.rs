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
    WebhookRecovery,
    SigningKey,
    Event,
    Reaction,
    Media,
    Team,
    Tag,
    Import,
    Invitation,
    AuditEntry,
    Merge,
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
            Kind::WebhookRecovery => "whr_",
            Kind::SigningKey => "whsk_",
            Kind::Event => "evt_",
            Kind::Reaction => "rct_",
            Kind::Media => "mda_",
            Kind::Team => "team_",
            Kind::Tag => "tag_",
            Kind::Import => "import_",
            Kind::Invitation => "inv_",
            Kind::AuditEntry => "aud_",
            Kind::Merge => "mrg_",
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

/// A new ULID in the form of a UUID: for APIs whose ids look so.
pub fn ulid_uuid() -> String {
    uuid_of(&ulid())
}

/// The ULID of an id, in the form of a UUID; the id itself where it has none.
pub fn uuid_of(id: &str) -> String {
    let text = id.rsplit('_').next().unwrap_or_default();
    let Ok(ulid) = ulid::Ulid::from_string(text) else { return id.to_string() };
    let hex = format!("{:032x}", u128::from(ulid));
    let part = |from, to| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
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
        let uuid = uuid_of("ses_01HV8Y7YF5J4Y7M9M7T3H3X2A1");
        assert_eq!(uuid, "018ed1e3-f9e5-913c-7a26-87d0e23e8941");
        assert_eq!(ulid_uuid().len(), 36);
        assert_eq!(reprefix("con_X", Kind::Identity, Kind::Conversation), None);
    }
}
