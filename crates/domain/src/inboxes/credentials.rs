//! What an inbox proves itself with at its provider: a sealed JSON text beside the inbox. It is opened only
//! where a request is signed or a callback checked; no answer and no log line ever shows it.
//!
//! Sealed for the purpose `inbox:<id>`: the text of one inbox cannot be moved to another. What was sealed with
//! the previous encryption key opens too, and is sealed with the current one when it is next changed.

use common::crypto::Sealer;
use common::problem::Violations;
use common::{Problem, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// Longest token or secret, in characters.
pub const SECRET_CHARS: usize = 2048;

/// The secrets of an inbox, by the kind of its provider.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Credentials {
    /// WhatsApp, Messenger, Instagram. What is absent is taken from the deployment's variables.
    Meta {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        access_token: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        app_secret: Option<String>,
    },
    /// The auth token checks callbacks; an API key, where given, signs requests.
    Twilio {
        account_sid: String,
        auth_token: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        api_key_sid: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        api_key_secret: Option<String>,
    },
    /// A generic SMS gateway (channels section 7).
    Gateway {
        /// The whole settings object: URLs and headers hold secrets too.
        settings: Value,
        /// The unguessable part of its callback URL.
        callback_secret: String,
    },
    /// Live chat.
    Text {
        /// The key of the customers' `identifier_hash`.
        hmac_token: String,
    },
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Credentials::Meta { .. } => "Credentials::Meta",
            Credentials::Twilio { .. } => "Credentials::Twilio",
            Credentials::Gateway { .. } => "Credentials::Gateway",
            Credentials::Text { .. } => "Credentials::Text",
        })
    }
}

fn purpose(inbox_id: &str) -> String {
    format!("inbox:{inbox_id}")
}

impl Credentials {
    /// Nothing of its own: the deployment's variables say everything.
    pub const fn of_deployment() -> Self {
        Credentials::Meta { access_token: None, app_secret: None }
    }

    /// Encrypts for an inbox.
    pub fn seal(&self, sealer: &Sealer, inbox_id: &str) -> Result<String> {
        let plain = serde_json::to_vec(self)
            .map_err(|_| Problem::internal(format!("the credentials of {inbox_id} are no JSON")))?;
        sealer.seal(&purpose(inbox_id), &plain)
    }

    /// Decrypts; an inbox without a sealed text has none of its own.
    pub fn open(sealer: &Sealer, inbox_id: &str, sealed: Option<&str>) -> Result<Self> {
        let Some(sealed) = sealed else { return Ok(Self::of_deployment()) };
        let plain = sealer.open(&purpose(inbox_id), sealed)?;
        // serde's words could quote a secret.
        serde_json::from_slice(&plain)
            .map_err(|_| Problem::internal(format!("the credentials of {inbox_id} cannot be read")))
    }

    /// The deployment's token or secret stands in where the inbox has none.
    pub fn access_token(&self) -> Option<&str> {
        match self {
            Credentials::Meta { access_token, .. } => access_token.as_deref(),
            _ => None,
        }
    }

    pub fn app_secret(&self) -> Option<&str> {
        match self {
            Credentials::Meta { app_secret, .. } => app_secret.as_deref(),
            _ => None,
        }
    }
}

/// A secret that goes into a header or a password: visible ASCII.
pub(super) fn check_secret(violations: &mut Violations, field: &str, secret: &str) {
    let fine =
        (1..=SECRET_CHARS).contains(&secret.len()) && secret.bytes().all(|byte| byte.is_ascii_graphic());
    violations.check(fine, field, "must be 1 to 2048 visible ASCII characters without spaces");
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    fn key(byte: u8) -> String {
        STANDARD.encode([byte; 32])
    }

    fn twilio() -> Credentials {
        Credentials::Twilio {
            account_sid: "AC1".into(),
            auth_token: "very-secret".into(),
            api_key_sid: None,
            api_key_secret: None,
        }
    }

    #[test]
    fn opens_for_its_inbox_also_after_a_rotation_of_the_key() {
        let old = Sealer::new(&[key(1)]).unwrap();
        let sealed = twilio().seal(&old, "ibx_1").unwrap();
        assert!(!sealed.contains("secret"));
        let rotated = Sealer::new(&[key(2), key(1)]).unwrap();
        assert_eq!(Credentials::open(&rotated, "ibx_1", Some(&sealed)).unwrap(), twilio());
        assert!(Credentials::open(&rotated, "ibx_2", Some(&sealed)).is_err(), "another inbox's");
        let gone = Sealer::new(&[key(3)]).unwrap();
        assert!(Credentials::open(&gone, "ibx_1", Some(&sealed)).is_err());
        assert_eq!(Credentials::open(&gone, "ibx_1", None).unwrap(), Credentials::of_deployment());
    }

    #[test]
    fn neither_debug_nor_errors_show_a_secret() {
        assert_eq!(format!("{:?}", twilio()), "Credentials::Twilio");
        let sealer = Sealer::new(&[key(1)]).unwrap();
        let sealed = sealer.seal("inbox:ibx_1", br#"{"kind":"very-secret"}"#).unwrap();
        let error = Credentials::open(&sealer, "ibx_1", Some(&sealed)).unwrap_err();
        assert!(!format!("{error:?}").contains("very-secret"));
    }
}
