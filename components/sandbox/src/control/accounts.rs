//! One account: what it sent, and how the sandbox treats it.

use crate::provider::Provider;
use crate::store::accounts::{self, Settings};
use crate::store::sends;
use axum::Json as Answer;
use axum::extract::Path;
use common::input::{Id, Json, Query};
use common::problem::Violations;
use common::time::Timestamp;
use common::{Problem, Result, db};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

const ACCOUNT_CHARS: usize = 64;
const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 10_000;

pub const MODES_DESCRIPTION: &str = "\
Replaces all modes of an account; absent ones are as the provider does it. `account` is the phone number id, Page id, \
Instagram account id, the SMS sender or service, or the gateway's sender. Besides disorder (`duplicate`, `shuffle`, \
`merge`, `dropStates`, `callbackBeforeResponse`) there are the providers' own limits in small numbers (`throughput`, \
`pairLimit`) and shapes (`legacyStatuses`, `watermarkOnly`, `standby`). `authToken` is set for a Twilio account SID. \
Local only.";

pub const MODES: &str = r#"{"duplicate": true, "shuffle": false, "callbackBeforeResponse": false, "merge": false,
  "dropStates": ["read"], "refuseOutsideWindow": false, "legacyStatuses": false, "watermarkOnly": false, "standby": false}"#;

pub const SENDS: &str = r#"{"sends": [{
  "id": "wamid.HRgLMTIwMjU1NTAxNDcVAgARGBIzRkE4QzJGMDE5QjdFNUQxMjAA", "to": "12025550147", "type": "text",
  "body": {"messaging_product": "whatsapp", "to": "12025550147", "type": "text", "text": {"body": "Hi Anna"}},
  "reference": "msg_01HV8YG6KX3Y5A2DJ95C0GX8V1", "receivedAt": "2026-04-30T10:36:00.000Z"
}]}"#;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub struct LimitQuery {
    /// Most rows to list: 1 to 10,000, 50 where absent.
    pub limit: Option<u32>,
}

impl LimitQuery {
    pub fn checked(&self) -> Result<u32> {
        let limit = self.limit.unwrap_or(LIMIT_DEFAULT);
        if (1..=LIMIT_MAX).contains(&limit) {
            Ok(limit)
        } else {
            Err(Problem::parameter("limit", format!("must be between 1 and {LIMIT_MAX}")))
        }
    }
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SandboxSends)]
pub struct Sends {
    pub sends: Vec<Sent>,
}

/// A message that the sandbox accepted.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SandboxSend)]
pub struct Sent {
    /// The provider's id.
    pub id: String,
    /// The recipient: digits, a business-scoped user id, PSID or IGSID.
    pub to: String,
    /// `text`, `template`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// The request's body; a form as an object of its fields.
    pub body: HashMap<String, serde_json::Value>,
    /// The sender's own id of the message, where the provider carries one.
    pub reference: Option<String>,
    pub received_at: Timestamp,
}

/// Lists what a WhatsApp number sent.
pub async fn whatsapp_sends(Id(number): Id, Query(query): Query<LimitQuery>) -> Result<Answer<Sends>> {
    list(Provider::Whatsapp, &number, query.checked()?).await
}

/// Lists what an account sent.
pub async fn sends(
    Path((provider, account)): Path<(String, String)>,
    Query(query): Query<LimitQuery>,
) -> Result<Answer<Sends>> {
    list(Provider::of_path(&provider)?, &account, query.checked()?).await
}

async fn list(provider: Provider, account: &str, limit: u32) -> Result<Answer<Sends>> {
    let found = db::read(|db| sends::of_account(db, provider, account, limit)).await?;
    let sends = found
        .into_iter()
        .map(|send| Sent {
            id: send.id,
            to: send.recipient,
            kind: send.kind,
            body: serde_json::from_str(&send.body).unwrap_or_default(),
            reference: send.reference,
            received_at: send.received_at,
        })
        .collect();
    Ok(Answer(Sends { sends }))
}

/// Replaces the modes.
pub async fn modes(
    Path((provider, account)): Path<(String, String)>,
    Json(body): Json<Settings>,
) -> Result<Answer<Settings>> {
    let provider = Provider::of_path(&provider)?;
    let mut violations = Violations::new();
    violations.text("account", &account, ACCOUNT_CHARS);
    if let Some(signature) = &body.signature {
        let name = http::HeaderName::from_bytes(signature.header.as_bytes()).is_ok();
        violations.check(name, "signature.header", "must be the name of a header");
        let value = http::HeaderValue::from_str(&signature.secret).is_ok();
        violations.check(value, "signature.secret", "must be able to stand in a header");
    }
    violations.finish()?;
    db::write(|db| accounts::set_settings(db, provider, &account, &body)).await?;
    Ok(Answer(body))
}
