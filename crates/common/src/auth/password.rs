//! Passwords: argon2id in PHC form, with OWASP's smallest parameters (19 MiB, 2 passes, 1 lane).

use crate::{Problem, Result};
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// A hash of no password anybody has: verifying against it takes the time of a real one, so that an
/// unknown address answers as slowly as a wrong password.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$ZkcoDTnfMtFpYdvLXC8vDVbZaKvXRFZkO1s6dkbpRNE";

fn argon2() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .map_err(|error| Problem::internal(format!("argon2 parameters: {error}")))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Hashes a new password.
pub fn hash(password: &str) -> Result<String> {
    let mut salt = [0_u8; 16];
    crate::id::fill_random(&mut salt);
    let hash = argon2()?
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map_err(|error| Problem::internal(format!("argon2: {error}")))?;
    Ok(hash.to_string())
}

/// Whether `password` has this hash. Without a hash it takes the same time and answers no.
pub fn verify(password: &str, hash: Option<&str>) -> Result<bool> {
    let parsed = PasswordHash::new(hash.unwrap_or(NOBODY))
        .map_err(|error| Problem::internal(format!("a password hash cannot be read: {error}")))?;
    let fits = argon2()?.verify_password(password.as_bytes(), &parsed).is_ok();
    Ok(fits && hash.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verifies_only_the_right_password() {
        let hash = hash("Password2!").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(verify("Password2!", Some(&hash)).unwrap());
        assert!(!verify("password2!", Some(&hash)).unwrap());
        assert!(!verify("Password2!", None).unwrap());
    }
}
