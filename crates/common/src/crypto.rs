//! Small cryptography: SHA-256, HMAC, sealing of secrets that the database must keep readable, and signing of
//! links that we check ourselves.
//!
//! A sealed text is `v1.` + base64 of nonce and ciphertext of XChaCha20-Poly1305. The key is the
//! variable `encryption_key` (base64 of 32 bytes); during a rotation texts sealed with
//! `encryption_key_previous` stay readable.

use crate::{Problem, Result, id, settings};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const NONCE_BYTES: usize = 24;
const VERSION: &str = "v1.";

pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// SHA-256 of what comes in pieces.
#[derive(Clone, Debug, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// HMAC-SHA256; any key length.
pub fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let Ok(mut mac) = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key) else {
        // HMAC takes keys of any length: this cannot happen, and zeros match no signature we make.
        return [0; 32];
    };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Compares without telling by its time where two texts differ.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// The keys of this deployment.
#[derive(Clone)]
pub struct Sealer {
    keys: Vec<XChaCha20Poly1305>,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    /// From the variables `encryption_key` and, where set, `encryption_key_previous`.
    pub async fn from_settings() -> Result<Self> {
        let current = settings::required("encryption_key").await?;
        let mut keys = vec![current];
        keys.extend(settings::get("encryption_key_previous").await);
        Self::new(&keys)
    }

    /// From base64 keys, the current one first.
    pub fn new(keys: &[String]) -> Result<Self> {
        let keys = keys
            .iter()
            .map(|key| {
                let bytes = STANDARD.decode(key.trim()).ok().filter(|bytes| bytes.len() == 32);
                let bytes =
                    bytes.ok_or_else(|| Problem::internal("encryption_key is not base64 of 32 bytes"))?;
                XChaCha20Poly1305::new_from_slice(&bytes)
                    .map_err(|_| Problem::internal("encryption_key is not 32 bytes"))
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Sealer { keys })
    }

    /// Encrypts with the current key. `purpose` must be given again to open it: a text sealed for
    /// one column cannot be moved to another.
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Result<String> {
        let mut nonce = [0_u8; NONCE_BYTES];
        id::fill_random(&mut nonce);
        let key = self.keys.first().ok_or_else(|| Problem::internal("no encryption key"))?;
        let payload = Payload { msg: plain, aad: purpose.as_bytes() };
        let sealed = key
            .encrypt(XNonce::from_slice(&nonce), payload)
            .map_err(|_| Problem::internal("sealing failed"))?;
        let mut bytes = nonce.to_vec();
        bytes.extend(sealed);
        Ok(format!("{VERSION}{}", STANDARD_NO_PAD.encode(bytes)))
    }

    /// Decrypts with whichever key fits.
    pub fn open(&self, purpose: &str, sealed: &str) -> Result<Vec<u8>> {
        let unreadable =
            || Problem::internal(format!("a sealed {purpose} cannot be opened: was the key changed?"));
        let bytes = sealed.strip_prefix(VERSION).and_then(|text| STANDARD_NO_PAD.decode(text).ok());
        let bytes = bytes.ok_or_else(unreadable)?;
        let (nonce, body) = bytes.split_at_checked(NONCE_BYTES).ok_or_else(unreadable)?;
        let payload = || Payload { msg: body, aad: purpose.as_bytes() };
        self.keys
            .iter()
            .find_map(|key| key.decrypt(XNonce::from_slice(nonce), payload()).ok())
            .ok_or_else(unreadable)
    }
}

/// Signs texts for ourselves, such as links that expire. Each purpose has a key of its own, derived from
/// `encryption_key`; what was signed with `encryption_key_previous` is still accepted.
#[derive(Clone)]
pub struct Signer {
    /// The current one first.
    keys: Vec<[u8; 32]>,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer")
    }
}

impl Signer {
    /// From the variables `encryption_key` and, where set, `encryption_key_previous`.
    pub async fn from_settings(purpose: &str) -> Result<Self> {
        let mut keys = vec![settings::required("encryption_key").await?];
        keys.extend(settings::get("encryption_key_previous").await);
        Ok(Self::new(purpose, &keys))
    }

    /// From the keys as they are set, the current one first.
    pub fn new(purpose: &str, keys: &[String]) -> Self {
        let derive =
            |key: &String| hmac_sha256(key.trim().as_bytes(), &[b"signing key: ", purpose.as_bytes()]);
        Signer { keys: keys.iter().map(derive).collect() }
    }

    /// 43 URL-safe characters.
    pub fn sign(&self, text: &str) -> String {
        let key = self.keys.first().copied().unwrap_or_default();
        URL_SAFE_NO_PAD.encode(hmac_sha256(&key, &[text.as_bytes()]))
    }

    /// Whether the signature is of this text, by whichever key.
    pub fn verify(&self, text: &str, signature: &str) -> bool {
        let Ok(given) = URL_SAFE_NO_PAD.decode(signature) else { return false };
        self.keys.iter().any(|key| equal(&hmac_sha256(key, &[text.as_bytes()]), &given))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> String {
        STANDARD.encode([byte; 32])
    }

    #[test]
    fn seals_and_opens_also_after_a_rotation() {
        let old = Sealer::new(&[key(1)]).unwrap();
        let sealed = old.seal("token", b"secret").unwrap();
        assert!(!sealed.contains("secret"));
        let new = Sealer::new(&[key(2), key(1)]).unwrap();
        assert_eq!(new.open("token", &sealed).unwrap(), b"secret");
        assert!(new.open("other", &sealed).is_err());
        assert!(Sealer::new(&[key(3)]).unwrap().open("token", &sealed).is_err());
        assert!(new.open("token", "v1.AAAA").is_err());
        assert!(Sealer::new(&["short".into()]).is_err());
    }

    #[test]
    fn signatures_hold_for_one_text_and_purpose_and_over_a_rotation() {
        let old = Signer::new("links", &[key(1)]);
        let signature = old.sign("a/b/1");
        assert_eq!(signature.len(), 43);
        let new = Signer::new("links", &[key(2), key(1)]);
        assert!(new.verify("a/b/1", &signature) && !new.verify("a/b/2", &signature));
        assert!(new.verify("a/b/1", &new.sign("a/b/1")) && !old.verify("a/b/1", &new.sign("a/b/1")));
        assert!(!Signer::new("other", &[key(1)]).verify("a/b/1", &signature));
        assert!(!new.verify("a/b/1", "") && !new.verify("a/b/1", "not base64!"));
    }

    #[test]
    fn pieces_hash_like_the_whole() {
        let mut hasher = Hasher::default();
        hasher.update(b"ab");
        hasher.update(b"c");
        assert_eq!(hasher.finish(), sha256(b"abc"));
    }

    #[test]
    fn hmac_matches_the_vector_of_the_contract() {
        let mac = hmac_sha256(b"fixture-app-secret", &[br#"{"object":"page","#, br#""entry":[]}"#]);
        assert_eq!(hex::encode(mac), "272e312bd4b544c76823dd751325f22f47833073b9e4564fb01eb252f56de8c1");
    }
}
