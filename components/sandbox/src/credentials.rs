//! Whether a caller may call. A sandbox that lets everybody in hides a forgotten token.
//!
//! Besides the token of the variable, every token that begins with `sandbox-` is taken, so that inboxes with
//! tokens of their own work; one that begins with `expired-` has expired.

use crate::graph::Error;
use crate::provider::Provider;
use crate::target;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{Result, crypto, settings};
use http::{HeaderMap, header};

/// Tokens that are always taken begin with this.
pub const OPEN: &str = "sandbox-";
/// Tokens that have expired begin with this.
pub const EXPIRED: &str = "expired-";

/// A query parameter.
pub fn parameter(query: &str, name: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// A Meta channel's token, as a bearer or as the parameter `access_token`, and `appsecret_proof` where it is given.
///
/// # Errors
/// 200 without a token, 190 with a wrong or expired one, 100 with a wrong proof.
pub async fn meta(provider: Provider, headers: &HeaderMap, query: &str) -> Result<(), Error> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| value.split_once(' ')).map(|(_, token)| token.trim().to_string());
    let token = bearer.or_else(|| parameter(query, "access_token")).ok_or_else(Error::no_token)?;
    if token.starts_with(EXPIRED) {
        return Err(Error::bad_token());
    }
    let of_variable = match provider {
        Provider::Messenger => settings::get("messenger_access_token").await,
        Provider::Instagram => settings::get("instagram_access_token").await,
        _ => settings::get("whatsapp_access_token").await,
    };
    let own = token.starts_with(OPEN);
    if !own && !of_variable.is_some_and(|expected| same(&token, &expected)) {
        return Err(Error::bad_token());
    }
    if let Some(proof) = parameter(query, "appsecret_proof") {
        let secret = target::app_secret(provider).await?;
        let expected = hex::encode(crypto::hmac_sha256(secret.as_bytes(), &[token.as_bytes()]));
        // An inbox with a token of its own may have an app secret of its own, which the sandbox cannot know.
        let formed = proof.len() == 64 && proof.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_right = crypto::equal(proof.as_bytes(), expected.as_bytes()) || (own && formed);
        if !is_right {
            return Err(Error::bad_proof());
        }
    }
    Ok(())
}

/// HTTP Basic: user and password.
pub fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let encoded = value.strip_prefix("Basic ").or_else(|| value.strip_prefix("basic "))?;
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    text.split_once(':').map(|(user, password)| (user.to_string(), password.to_string()))
}

/// Whether two secrets are equal, in constant time.
pub fn same(a: &str, b: &str) -> bool {
    crypto::equal(&crypto::sha256(a.as_bytes()), &crypto::sha256(b.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_read() {
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            basic(&headers)
        };
        assert_eq!(with("Basic QUMxOnNhbmRib3gteDp5"), Some(("AC1".into(), "sandbox-x:y".into())));
        assert_eq!(with("Bearer x"), None);
        assert_eq!(with("Basic !"), None);
    }
}
