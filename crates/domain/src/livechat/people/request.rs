//! What customers say of themselves, and how they prove it.

use super::Given;
use crate::contacts::NAME_CHARS;
use crate::inboxes::Credentials;
use crate::livechat::LiveChat;
use crate::phone;
use common::chatwoot::Attributes;
use common::crypto::{self, Sealer};
use common::problem::Violations;
use common::{Problem, Result};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// Longest identifier, email address or source id, in characters.
const TEXT_CHARS: usize = 255;
/// Largest custom attributes of a contact or a conversation, in bytes of JSON.
const ATTRIBUTES_BYTES: usize = 16 * 1024;

/// What a customer says of themselves. Unknown fields are ignored.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct ContactRequest {
    /// At creation: a name for this visitor; absent: a random one. It is the visitor's only credential.
    #[serde(default)]
    pub source_id: Option<String>,
    /// What your system calls the customer.
    #[serde(default)]
    #[schema(example = "1234567890")]
    pub identifier: Option<String>,
    /// Hex HMAC-SHA256 of `identifier` with the inbox's HMAC token.
    #[serde(default)]
    pub identifier_hash: Option<String>,
    #[serde(default)]
    #[schema(example = "alice@acme.inc")]
    pub email: Option<String>,
    #[serde(default)]
    #[schema(example = "Alice")]
    pub name: Option<String>,
    /// E.164 with `+`.
    #[serde(default)]
    #[schema(example = "+48123456789")]
    pub phone_number: Option<String>,
    /// Merged into what is there.
    #[serde(default)]
    #[schema(value_type = Option<std::collections::BTreeMap<String, serde_json::Value>>)]
    pub custom_attributes: Option<Attributes>,
}

/// The proof that may come with reading a contact.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Proof {
    /// What your system calls the customer.
    #[serde(default)]
    pub identifier: Option<String>,
    /// Hex HMAC-SHA256 of `identifier` with the inbox's HMAC token.
    #[serde(default)]
    pub identifier_hash: Option<String>,
}

/// 401 in Chatwoot's words: the proof is wrong or missing.
pub(in crate::livechat) fn not_proven() -> Problem {
    Problem::forbidden("auth_identity_not_proven", "HMAC failed: Invalid Identifier Hash Provided")
}

/// The identifier that a request proves; `None` where it proves nothing and need not.
pub fn prove(
    chat: &LiveChat,
    sealer: &Sealer,
    identifier: Option<&str>,
    hash: Option<&str>,
) -> Result<Option<String>> {
    let hash = hash.filter(|hash| !hash.is_empty());
    if hash.is_none() && !chat.connection.config.hmac_mandatory {
        return Ok(None);
    }
    let Credentials::Text { hmac_token } = chat.connection.credentials(sealer)? else {
        return Err(Problem::internal("a live chat without an HMAC token"));
    };
    let (Some(identifier), Some(hash)) = (identifier.filter(|text| !text.is_empty()), hash) else {
        return Err(not_proven());
    };
    let right = hex::encode(crypto::hmac_sha256(hmac_token.as_bytes(), &[identifier.as_bytes()]));
    if !crypto::equal(right.as_bytes(), hash.as_bytes()) {
        return Err(not_proven());
    }
    Ok(Some(identifier.to_string()))
}

/// What a request says, cleaned and checked.
pub(super) struct Wanted {
    pub given: Given,
    pub identifier: Option<String>,
    pub custom_attributes: Option<Map<String, Value>>,
}

impl ContactRequest {
    pub(super) fn wanted(&self) -> Result<Wanted> {
        let mut violations = Violations::new();
        let text = |text: &Option<String>| {
            text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_string)
        };
        let short = |text: &Option<String>, limit| text.as_ref().is_none_or(|t| t.chars().count() <= limit);
        let (name, identifier) = (text(&self.name), text(&self.identifier));
        violations.check(short(&name, NAME_CHARS), "name", "is too long (maximum is 200 characters)");
        violations.check(
            short(&identifier, TEXT_CHARS),
            "identifier",
            "is too long (maximum is 255 characters)",
        );
        let email = text(&self.email).map(|email| email.to_lowercase());
        let email_is_fine = email.as_deref().is_none_or(is_email);
        violations.check(email_is_fine, "email", "is invalid");
        let phone_number = text(&self.phone_number);
        let digits = phone_number.as_deref().map(phone::e164_digits);
        violations.check(digits != Some(None), "phone_number", "should be in e164 format");
        let attributes = self.custom_attributes.as_ref().map(|attributes| attributes.0.clone());
        check_attributes(&mut violations, attributes.as_ref());
        if let Some(source_id) = &self.source_id {
            let fine = (1..=TEXT_CHARS).contains(&source_id.len())
                && source_id.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#%".contains(&byte));
            violations.check(fine, "source_id", "must be 1 to 255 visible ASCII characters without / ? # %");
        }
        violations.finish()?;
        let phone_number = digits.flatten().map(|digits| format!("+{digits}"));
        Ok(Wanted { given: Given { name, email, phone_number }, identifier, custom_attributes: attributes })
    }
}

pub(in crate::livechat) fn check_attributes(
    violations: &mut Violations,
    attributes: Option<&Map<String, Value>>,
) {
    let bytes = attributes.map_or(0, |attributes| json!(attributes).to_string().len());
    violations.check(bytes <= ATTRIBUTES_BYTES, "custom_attributes", "is too large (maximum is 16384 bytes)");
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    text.chars().count() <= TEXT_CHARS
        && !local.is_empty()
        && !domain.is_empty()
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}
