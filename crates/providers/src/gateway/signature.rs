//! Where callbacks come from, beside the secret in their path.

use super::settings::{Algorithm, CallbackAuth, Format, Settings};
use crate::hmac::{hmac_sha1, hmac_sha512};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use common::crypto;
use http::HeaderMap;

/// Whether a report or an inbound message comes from the gateway, as far as the settings ask for more than the secret
/// in the path. `raw` are the bytes as they arrived.
pub fn verify_signature(settings: &Settings, headers: &HeaderMap, raw: &[u8]) -> bool {
    let given = |name: &str| headers.get(name).map(http::HeaderValue::as_bytes);
    match &settings.callback_auth {
        CallbackAuth::Path => true,
        CallbackAuth::Header { name, value } => given(name).is_some_and(|given| {
            // Hashing first makes the comparison's time independent of the lengths too.
            !value.is_empty() && crypto::equal(&crypto::sha256(given), &crypto::sha256(value.as_bytes()))
        }),
        CallbackAuth::Hmac { name, secret, algorithm, format, prefix } => {
            let text = given(name).and_then(|given| std::str::from_utf8(given).ok());
            let Some(text) = text.and_then(|text| text.trim().strip_prefix(prefix.as_str())) else {
                return false;
            };
            let Some(given) = decode(*format, text.trim()) else { return false };
            let key = secret.as_bytes();
            let expected = match algorithm {
                Algorithm::Sha1 => hmac_sha1(key, &[raw]),
                Algorithm::Sha256 => crypto::hmac_sha256(key, &[raw]).to_vec(),
                Algorithm::Sha512 => hmac_sha512(key, &[raw]),
            };
            !secret.is_empty() && crypto::equal(&expected, &given)
        }
    }
}

fn decode(format: Format, text: &str) -> Option<Vec<u8>> {
    match format {
        Format::Hex => hex::decode(text).ok(),
        Format::Base64 => {
            STANDARD.decode(text).ok().or_else(|| STANDARD_NO_PAD.decode(text.trim_end_matches('=')).ok())
        }
    }
}
