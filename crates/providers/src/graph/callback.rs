//! Callbacks of Meta: handshake and signature (channels sections 1.3 and 1.4).

use common::crypto;

const SIGNATURE_PREFIX: &str = "sha256=";

/// Answers the handshake: the challenge to send back as it is, or `None` for a 403.
///
/// `query` is the raw query string. Several tokens may be valid during a rotation.
pub fn handshake(query: &str, verify_tokens: &[&str]) -> Option<String> {
    let value = |name: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    let given = value("hub.verify_token")?;
    let known = any(verify_tokens, |token| {
        // Hashing first makes the comparison's time independent of the lengths too.
        crypto::equal(&crypto::sha256(given.as_bytes()), &crypto::sha256(token.as_bytes()))
    });
    (value("hub.mode")? == "subscribe" && known).then(|| value("hub.challenge")).flatten()
}

/// Whether the header `X-Hub-Signature-256` is that of one of our secrets over the raw body.
///
/// `raw` must be the bytes as they arrived: parsed and written again they are others.
pub fn verify_signature(app_secrets: &[&str], header: Option<&str>, raw: &[u8]) -> bool {
    let Some(given) = header.and_then(|header| header.trim().strip_prefix(SIGNATURE_PREFIX)) else {
        return false;
    };
    let Ok(given) = hex::decode(given) else { return false };
    any(app_secrets, |secret| crypto::equal(&crypto::hmac_sha256(secret.as_bytes(), &[raw]), &given))
}

/// Whether `matches` holds for a secret. Tries all of them, so that the time does not tell which fitted.
/// An empty secret is a setting that is missing, and must not let everybody in.
pub(crate) fn any(secrets: &[&str], matches: impl Fn(&str) -> bool) -> bool {
    secrets.iter().filter(|secret| !secret.is_empty()).fold(false, |found, secret| matches(secret) | found)
}
