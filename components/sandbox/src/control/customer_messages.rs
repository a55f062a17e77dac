//! The short form of playing a WhatsApp customer who writes a text.

use super::Delivery;
use crate::inbound::{self, Event, Inbound};
use crate::provider::Provider;
use axum::Json as Answer;
use common::input::{Id, Json};
use common::time::Timestamp;
use common::{Problem, Result};
use serde::{Deserialize, Serialize};

pub const DESCRIPTION: &str = "\
The short form of `POST /sandbox/whatsapp/inbound` for a text: opens the 24-hour window, and delivers the signed \
callback before it answers. A callback that is not answered with 200 is delivered again later. `id` and `times` show how \
repeated deliveries are dealt with. Local only: exists where the variable `sandbox` is `on`, and asks for no credential.";

pub const EXAMPLE: &str =
    r#"{"from": "+12025550147", "name": "Mira Okafor", "text": "Hello, is the blue one in stock?"}"#;

pub const PLAYED: &str = r#"{
  "messageId": "wamid.HRgLMTIwMjU1NTAxNDcVAgARGBIzRkE4QzJGMDE5QjdFNUQxMjAA", "deliveries": [{"status": 200}]
}"#;

/// A text that a customer writes.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SandboxCustomerMessage)]
pub struct CustomerMessage {
    /// The customer: a phone number with country code, or a business-scoped user id such as `US.7K2Q9D4M1X8Z55`.
    pub from: String,
    /// The customer's profile name.
    pub name: Option<String>,
    /// 1 to 4096 characters.
    pub text: String,
    /// The provider's id of the message; a new one where absent.
    pub id: Option<String>,
    /// When it was written; now where absent. The provider gives whole seconds.
    pub timestamp: Option<Timestamp>,
    /// How often the same callback is delivered, side by side: 1 to 100, 1 where absent.
    pub times: Option<u32>,
}

/// What became of a customer's message.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SandboxPlayed)]
pub struct Played {
    pub message_id: String,
    pub deliveries: Vec<Delivery>,
}

/// Plays the customer.
pub async fn play(Id(number): Id, Json(body): Json<CustomerMessage>) -> Result<Answer<Played>> {
    let request = Inbound {
        account: number,
        from: body.from,
        name: body.name,
        times: body.times,
        event: Event { id: body.id, timestamp: body.timestamp, text: Some(body.text), ..Event::default() },
        ..Inbound::default()
    };
    let played = inbound::play(Provider::Whatsapp, request).await?;
    let message_id = played.message_ids.into_iter().next();
    let message_id = message_id.ok_or_else(|| Problem::internal("a played message has no id"))?;
    Ok(Answer(Played { message_id, deliveries: played.deliveries }))
}
