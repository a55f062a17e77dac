//! HMAC with the algorithms that providers use beside SHA-256.

use hmac::{Hmac, KeyInit, Mac};

/// HMAC-SHA1; any key length.
pub fn hmac_sha1(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    mac(Hmac::<sha1::Sha1>::new_from_slice(key), parts)
}

/// HMAC-SHA512; any key length.
pub fn hmac_sha512(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    mac(Hmac::<sha2::Sha512>::new_from_slice(key), parts)
}

/// HMAC takes keys of any length: there is always one. Nothing would match no signature that somebody makes.
fn mac<M: Mac, E>(mac: Result<M, E>, parts: &[&[u8]]) -> Vec<u8> {
    let Ok(mut mac) = mac else { return Vec::new() };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}
