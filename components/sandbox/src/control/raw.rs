//! Control: posting what a provider would never send, or never so signed.

use super::Delivery;
use crate::delivery;
use crate::inbound::{self, Inbound};
use crate::provider::Provider;
use axum::Json as Answer;
use axum::extract::Path;
use common::input::{Json, Patch};
use common::{Problem, Result};
use serde::{Deserialize, Serialize};

pub const DESCRIPTION: &str = "\
Posts a body to the callback URL once, to see how the receiver treats what is not in order. Give the `body` yourself, or \
name one by `kind`: `large` (3 MB, the largest that WhatsApp sends), `invalidJson`, `unknownField`, `unknownType`, `empty`. \
Without `signature` the body is signed as it should be; with a text that text is the signature header; with `null` \
there is none. `otherSecret` signs with a secret that the receiver does not have, `alter` changes the body after it was \
signed. For SMS, `to` says where it goes, as in `POST /sandbox/{provider}/inbound`. Local only: exists where the variable \
`sandbox` is `on`, and asks for no credential.";

pub const EXAMPLE: &str =
    r#"{"body": "{\"object\":\"whatsapp_business_account\",\"entry\":[]}", "signature": "sha256=00"}"#;

/// Bytes of the body `large`.
const LARGE_BYTES: usize = 3 * 1024 * 1024;
const UNKNOWN_SECRET: &str = "a secret that no receiver has";

/// Any bytes, with any signature.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SandboxRawCallback)]
pub struct RawCallback {
    /// The exact body, at most 4 MiB.
    pub body: Option<String>,
    /// Or a body by name.
    pub kind: Option<String>,
    /// Absent: signed as it should be. A text: that text. `null`: no header.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub signature: Patch<String>,
    /// Signed with another secret.
    #[serde(default)]
    pub other_secret: bool,
    /// Changed after it was signed.
    #[serde(default)]
    pub alter: bool,
    /// Where an SMS callback goes.
    pub to: Option<Inbound>,
}

/// Delivers it once.
pub async fn raw_callback(
    Path(provider): Path<String>,
    Json(callback): Json<RawCallback>,
) -> Result<Answer<Delivered>> {
    let provider = Provider::of_path(&provider)?;
    let mut target = inbound::receiver(provider, callback.to.as_ref().unwrap_or(&Inbound::default())).await?;
    if callback.other_secret {
        target = target.with_secret(UNKNOWN_SECRET);
    }
    let mut body = match (callback.body, callback.kind) {
        (Some(body), None) => body,
        (None, Some(kind)) => named(provider, &kind)?,
        _ => return Err(Problem::invalid("body", "give either body or kind")),
    };
    let mut headers = target.headers(&body);
    if let Some(name) = target.signature_header() {
        match callback.signature {
            Patch::Keep => {}
            Patch::Clear => drop(headers.remove(&name)),
            Patch::Set(text) => {
                if http::HeaderValue::from_str(&text).is_err() {
                    return Err(Problem::invalid("signature", "cannot be the value of a header"));
                }
                headers.insert(name, text);
            }
        }
    }
    if callback.alter {
        body.push(' ');
    }
    let tried = delivery::send(target.url, headers, body.into_bytes()).await;
    Ok(Answer(Delivered { deliveries: vec![tried.into()] }))
}

/// A body by its name.
fn named(provider: Provider, kind: &str) -> Result<String> {
    let object = match provider {
        Provider::Whatsapp => "whatsapp_business_account",
        Provider::Instagram => "instagram",
        _ => "page",
    };
    match (kind, provider) {
        ("empty", _) => Ok(String::new()),
        ("invalidJson", _) => Ok(format!("{{\"object\":\"{object}\",\"entry\":[")),
        ("unknownField", _) => Ok(format!(
            "{{\"object\":\"{object}\",\"entry\":[{{\"id\":\"1\",\"time\":1790000000,\"changes\":[{{\"field\":\"invented_field\",\"value\":{{\"a\":[1]}}}}]}}]}}"
        )),
        ("unknownType", Provider::Whatsapp) => Ok(format!(
            "{{\"object\":\"{object}\",\"entry\":[{{\"id\":\"1\",\"changes\":[{{\"field\":\"messages\",\"value\":{{\"messaging_product\":\"whatsapp\",\"metadata\":{{\"display_phone_number\":\"12025550100\",\"phone_number_id\":\"1\"}},\"messages\":[{{\"from\":\"12025550147\",\"id\":\"wamid.INVENTED\",\"timestamp\":\"1790000000\",\"type\":\"invented\",\"invented\":{{}}}}]}}}}]}}]}}"
        )),
        ("unknownType", _) => Ok(format!(
            "{{\"object\":\"{object}\",\"entry\":[{{\"id\":\"1\",\"time\":1790000000000,\"messaging\":[{{\"sender\":{{\"id\":\"2\"}},\"recipient\":{{\"id\":\"1\"}},\"timestamp\":1790000000000,\"invented\":{{}}}}]}}]}}"
        )),
        ("large", _) => {
            let head = format!("{{\"object\":\"{object}\",\"entry\":[],\"padding\":\"");
            let padding = LARGE_BYTES.saturating_sub(head.len()).saturating_sub(2);
            Ok(format!("{head}{}\"}}", "x".repeat(padding)))
        }
        _ => Err(Problem::invalid("kind", "must be large, invalidJson, unknownField, unknownType or empty")),
    }
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SandboxDelivered)]
pub struct Delivered {
    pub deliveries: Vec<Delivery>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_may_be_absent_null_or_a_text() {
        let signature = |json: &str| serde_json::from_str::<RawCallback>(json).unwrap().signature;
        assert_eq!(signature(r#"{"body": "x"}"#), Patch::Keep);
        assert_eq!(signature(r#"{"body": "x", "signature": null}"#), Patch::Clear);
        assert_eq!(signature(r#"{"body": "x", "signature": "a"}"#), Patch::Set("a".into()));
    }

    #[test]
    fn bodies_by_name_are_what_they_say() {
        for provider in [Provider::Whatsapp, Provider::Messenger, Provider::Instagram] {
            let json =
                |kind: &str| serde_json::from_str::<serde_json::Value>(&named(provider, kind).unwrap());
            assert!(json("invalidJson").is_err());
            assert!(json("unknownField").is_ok() && json("unknownType").is_ok() && json("large").is_ok());
        }
        assert_eq!(named(Provider::Whatsapp, "large").unwrap().len(), LARGE_BYTES);
        assert!(named(Provider::Whatsapp, "x").is_err());
    }
}
