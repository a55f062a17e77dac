//! Control: posting what a provider would never send, or never so signed.

use crate::control::Delivery;
use crate::delivery;
use axum::Json as Answer;
use common::input::{Json, Patch};
use common::{Problem, Result, settings};
use serde::{Deserialize, Serialize};

pub const DESCRIPTION: &str = "\
Posts a body to the callback URL once, to see how the receiver treats what is not in order. Without `signature` the body \
is signed as it should be; with a text that text is the signature header; with `null` there is none. Local only: exists \
where the variable `sandbox` is `on`, and asks for no credential.";

pub const EXAMPLE: &str =
    r#"{"body": "{\"object\":\"whatsapp_business_account\",\"entry\":[]}", "signature": "sha256=00"}"#;

/// Any bytes, with any signature.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = SandboxRawCallback)]
pub struct RawCallback {
    /// The exact body, at most 4 MiB.
    pub body: String,
    /// Absent: signed as it should be. A text: that text. `null`: no header.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub signature: Patch<String>,
}

/// Delivers it once.
pub async fn raw_callback(Json(callback): Json<RawCallback>) -> Result<Answer<Delivered>> {
    let url = settings::required("sandbox_callback_url").await?;
    let body = callback.body.as_bytes();
    let signature = match callback.signature {
        Patch::Keep => Some(delivery::signature(&settings::required("whatsapp_app_secret").await?, body)),
        Patch::Clear => None,
        Patch::Set(text) => {
            let sendable = http::HeaderValue::from_str(&text).is_ok();
            if !sendable {
                return Err(Problem::invalid("signature", "cannot be the value of a header"));
            }
            Some(text)
        }
    };
    let tried = delivery::send(&url, body, signature.as_deref()).await;
    Ok(Answer(Delivered { deliveries: vec![tried.into()] }))
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
}
