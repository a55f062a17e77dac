//! Control: playing the customer, looking at what was sent, changing behaviour. Not the provider's paths.

use crate::delivery::{self, Answer as Tried};
use crate::message::{Person, TEXT_CHARS};
use crate::{callbacks, provider, store};
use axum::Json as Answer;
use common::auth::Internal;
use common::input::{Id, Json, Query};
use common::problem::Violations;
use common::time::Timestamp;
use common::{Problem, Result, db, settings};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::time::Duration;

/// Longest message id, in characters (channels section 1.6).
const ID_CHARS: usize = 128;
const NAME_CHARS: usize = 255;
const PHONE_NUMBER_ID_CHARS: usize = 64;
/// Most deliveries of one customer message.
const TIMES_MAX: u32 = 100;
const SENDS_DEFAULT: u32 = 50;
const SENDS_MAX: u32 = 10_000;
/// How long accepted messages are kept.
const KEEP_SENDS: Duration = Duration::from_secs(24 * 60 * 60);
/// How many of them a tick forgets at most.
const FORGET_SENDS: u32 = 1000;
/// Batches of callbacks that a tick sends at most.
const TICK_BATCHES: u32 = 16;

pub const CUSTOMER_MESSAGE_DESCRIPTION: &str = "\
Plays a customer who writes a text to one of the business's numbers: opens the 24-hour window, and delivers the signed \
callback before it answers. A callback that is not answered with 200 is delivered again later. `id` and `times` show how \
repeated deliveries are dealt with. Local only: exists where the variable `sandbox` is `on`, and asks for no credential.";

pub const CUSTOMER_MESSAGE: &str =
    r#"{"from": "+12025550147", "name": "Mira Okafor", "text": "Hello, is the blue one in stock?"}"#;

pub const PLAYED: &str = r#"{
  "messageId": "wamid.HRgLMTIwMjU1NTAxNDcVAgARGBIzRkE4QzJGMDE5QjdFNUQxMjAA", "deliveries": [{"status": 200}]
}"#;

pub const SENDS: &str = r#"{"sends": [{
  "id": "wamid.HRgLMTIwMjU1NTAxNDcVAgARGBIzRkE4QzJGMDE5QjdFNUQxMjAA", "to": "12025550147", "type": "text",
  "body": {"messaging_product": "whatsapp", "to": "12025550147", "type": "text", "text": {"body": "Hi Anna"}},
  "reference": "msg_01HV8YG6KX3Y5A2DJ95C0GX8V1", "receivedAt": "2026-04-30T10:36:00.000Z"
}]}"#;

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

/// One try to deliver a callback.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SandboxDelivery)]
pub struct Delivery {
    /// The HTTP status of the answer; `null` where there was none.
    pub status: Option<u16>,
    /// Why there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl From<Tried> for Delivery {
    fn from(tried: Tried) -> Self {
        Delivery { status: tried.status, error: tried.error }
    }
}

/// Plays the customer.
pub async fn customer_message(Id(number): Id, Json(body): Json<CustomerMessage>) -> Result<Answer<Played>> {
    let person = check(&number, &body)?;
    let app_secret = settings::required("whatsapp_app_secret").await?;
    let now = Timestamp::now();
    let id = body.id.unwrap_or_else(|| provider::message_id(person.id()));
    let at = body.timestamp.unwrap_or(now);
    let name = body.name.as_deref();
    let callback = callbacks::customer_text(&number, &person, name, &id, at, &body.text);
    let planned = delivery::planned(&app_secret, callback, now);
    let claimed = db::write(|db| {
        store::customer_wrote(db, &number, person.id(), name, at)?;
        let twice = store::context(db, &number, person.id())?.modes.duplicate;
        let times = body.times.unwrap_or(1).saturating_mul(if twice { 2 } else { 1 });
        let copies = vec![planned; usize::try_from(times).unwrap_or(1)];
        delivery::schedule_own(db, &copies, now)
    })
    .await?;
    let (answers, done) = delivery::send_claimed(claimed).await?;
    delivery::drive(done.next_try.into_iter().collect());
    Ok(Answer(Played { message_id: id, deliveries: answers.into_iter().map(Delivery::from).collect() }))
}

fn check(number: &str, body: &CustomerMessage) -> Result<Person> {
    let mut violations = Violations::new();
    check_number(&mut violations, number);
    let person = Person::phone(&body.from).or_else(|| Person::user_id(&body.from));
    violations.check(
        person.is_some(),
        "from",
        "must be a phone number with country code, or a business-scoped user id",
    );
    violations.text("text", &body.text, TEXT_CHARS);
    if let Some(name) = &body.name {
        violations.text("name", name, NAME_CHARS);
    }
    if let Some(id) = &body.id {
        violations.text("id", id, ID_CHARS);
    }
    if let Some(times) = body.times {
        violations.check((1..=TIMES_MAX).contains(&times), "times", "must be between 1 and 100");
    }
    if let Some(at) = body.timestamp {
        violations.check(at.seconds() > 0, "timestamp", "must be after 1970");
    }
    violations.finish()?;
    person.ok_or_else(|| Problem::internal("a checked sender is missing"))
}

fn check_number(violations: &mut Violations, number: &str) {
    violations.text("phone_number_id", number, PHONE_NUMBER_ID_CHARS);
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub struct SendsQuery {
    /// Most messages to list: 1 to 10,000, 50 where absent.
    pub limit: Option<u32>,
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
    /// The recipient: digits, or a business-scoped user id.
    pub to: String,
    /// `text`, `template`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// The request's body.
    pub body: HashMap<String, serde_json::Value>,
    /// `biz_opaque_callback_data`: the sender's own id of the message.
    pub reference: Option<String>,
    pub received_at: Timestamp,
}

/// Lists what was accepted.
pub async fn sends(Id(number): Id, Query(query): Query<SendsQuery>) -> Result<Answer<Sends>> {
    let limit = query.limit.unwrap_or(SENDS_DEFAULT);
    if !(1..=SENDS_MAX).contains(&limit) {
        return Err(Problem::parameter("limit", format!("must be between 1 and {SENDS_MAX}")));
    }
    let found = db::read(|db| store::sends(db, &number, limit)).await?;
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

/// How a number's callbacks behave.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default)]
#[schema(as = SandboxModes)]
pub struct Modes {
    /// Every callback is delivered twice.
    pub duplicate: bool,
    /// Later states come first: `read`, `delivered`, `sent`.
    pub shuffle: bool,
    /// The states of a message are delivered before its send request is answered.
    pub callback_before_response: bool,
}

/// Replaces the modes.
pub async fn modes(Id(number): Id, Json(body): Json<Modes>) -> Result<Answer<Modes>> {
    let mut violations = Violations::new();
    check_number(&mut violations, &number);
    violations.finish()?;
    let Modes { duplicate, shuffle, callback_before_response } = body;
    let modes = store::Modes { duplicate, shuffle, callback_before_response };
    db::write(|db| store::set_modes(db, &number, modes)).await?;
    Ok(Answer(body))
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SandboxTicked)]
pub struct Ticked {
    /// Callbacks answered with 200.
    pub delivered: u32,
    /// Callbacks that will be tried again.
    pub postponed: u32,
}

/// Sends what is due.
pub async fn tick(_: Internal) -> Result<Answer<Ticked>> {
    let done = delivery::deliver_due(TICK_BATCHES).await?;
    let before = Timestamp::now().before(KEEP_SENDS);
    db::write(|db| store::forget_sends(db, before, FORGET_SENDS)).await?;
    Ok(Answer(Ticked { delivered: done.delivered, postponed: done.postponed }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(json: &str) -> Vec<String> {
        let body: CustomerMessage = serde_json::from_str(json).unwrap();
        match check("31", &body) {
            Ok(_) => Vec::new(),
            Err(problem) => problem.errors.into_iter().map(|error| error.field).collect(),
        }
    }

    #[test]
    fn customer_messages_are_checked_field_by_field() {
        assert_eq!(violations(CUSTOMER_MESSAGE), Vec::<String>::new());
        assert_eq!(
            violations(r#"{"from": "US.7K2Q9D4M1X8Z55", "text": "a", "times": 100}"#),
            Vec::<String>::new()
        );
        assert_eq!(
            violations(
                r#"{"from": "anna", "text": " ", "name": "", "id": "", "times": 0, "timestamp": "1960-01-01T00:00:00Z"}"#
            ),
            ["from", "text", "name", "id", "times", "timestamp"]
        );
        assert_eq!(violations(r#"{"from": "12025550147", "text": "a", "times": 101}"#), ["times"]);
    }
}
