//! `POST /{version}/{phone-number-id}/messages`: messages and read receipts (channels sections 2.1 to 2.5).

use super::envelope::{self, Customer};
use super::message::{self, Message};
use super::person::Person;
use super::states::{self, About};
use super::{media, templates};
use crate::credentials;
use crate::delivery;
use crate::graph::{self, Error, check_version};
use crate::ids;
use crate::provider::Provider::Whatsapp;
use crate::recipients::{self, Behaviour};
use crate::steps::{self, Step};
use crate::store::accounts::{self, Settings};
use crate::store::callbacks::Planned;
use crate::store::media as files;
use crate::store::people::{self, Known};
use crate::store::sends::{self, Send};
use crate::target::{self, Target};
use axum::Json as Answer;
use axum::extract::Path;
use common::input::Raw;
use common::time::Timestamp;
use common::{Problem, db};
use http::{HeaderMap, Uri};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;

/// How long a customer's message keeps the window open (channels section 2.5).
const WINDOW: Duration = Duration::from_secs(24 * 60 * 60);
/// What the limits count over (channels section 2.8).
const THROUGHPUT_SPAN: Duration = Duration::from_secs(1);
const PAIR_SPAN: Duration = Duration::from_secs(6);

pub const DESCRIPTION: &str = "\
The WhatsApp Cloud API's send call, for development: the adapter's base URL is `/sandbox/whatsapp`. Errors have the \
provider's shape, not this API's: `{\"error\": {\"code\": …}}`. Also takes read receipts, with or without a typing \
indicator: `{\"messaging_product\": \"whatsapp\", \"status\": \"read\", \"message_id\": …}` answers \
`{\"success\": true}`, and 131009 where no customer wrote that message through the sandbox.

Messages are checked as the provider does: required members, exactly one of `id` and `link`, lengths, numbers of \
buttons and rows, template name, language and values, known media ids. A message other than a template to somebody \
who has not written for 24 hours is accepted, and fails with 131047 (the mode `refuseOutsideWindow`: is refused).

Accepted messages become `sent` after 50 ms, `delivered` after 150 ms and `read` after 400 ms, by signed callbacks to \
the variable `sandbox_callback_url`. The last four digits of the recipient may ask for something else:

| ends with | what happens |
|---|---|
| 0001 | accepted, never any state |
| 0002 | sent, never delivered |
| 0003 | `read` first, then `sent`, never `delivered` |
| 0026 | fails with 131026: not on WhatsApp |
| 0047 | the window counts as closed: fails with 131047 unless it is a template |
| 0056 | refused twice with 131056 (pair limit), then accepted |
| 0429 | refused three times with 429 and 130429, then accepted |
| 0500 | refused twice with 500, then accepted |
| 0190 | refused with 190: the token is not valid |
| 0610 | fails with 131050: opted out |
| 0999 | accepted, but answered after 15 seconds, when no sender waits any more; the states come at once |

\
A component cannot close a connection without an answer: the late answer stands in for that.";

pub const MESSAGE: &str = r#"{
  "messaging_product": "whatsapp", "recipient_type": "individual", "to": "12025550147", "type": "text",
  "text": {"preview_url": false, "body": "Hi Anna, your order is ready."},
  "biz_opaque_callback_data": "msg_01HV8YG6KX3Y5A2DJ95C0GX8V1"
}"#;

pub const ACCEPTED: &str = r#"{
  "messaging_product": "whatsapp", "contacts": [{"input": "12025550147", "wa_id": "12025550147"}],
  "messages": [{"id": "wamid.HBgLMTIwMjU1NTAxNDcVAgARGBIzRkE4QzJGMDE5QjdFNUQxMjAA"}]
}"#;

/// A message as the provider takes it. Read leniently: members that are not listed are ignored.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SandboxWhatsappMessage)]
pub struct Request {
    /// Always `whatsapp`.
    pub messaging_product: String,
    /// `individual`.
    pub recipient_type: Option<String>,
    /// Phone number with country code.
    pub to: Option<String>,
    /// Business-scoped user id, instead of `to`.
    pub recipient: Option<String>,
    /// Names the member that holds the content; `text` where absent.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// `body` of at most 4096 characters, and `preview_url`. The other kinds have a member each too.
    pub text: Option<HashMap<String, Value>>,
    /// `name`, `language` and `components`.
    pub template: Option<HashMap<String, Value>>,
    /// `message_id` of the message that is quoted.
    pub context: Option<HashMap<String, Value>>,
    /// Comes back in every state of the message; at most 512 characters.
    pub biz_opaque_callback_data: Option<String>,
}

/// The provider's answer to a message it accepted.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SandboxWhatsappAccepted)]
pub struct Accepted {
    pub messaging_product: String,
    pub contacts: Vec<Recipient>,
    pub messages: Vec<AcceptedMessage>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SandboxWhatsappRecipient)]
pub struct Recipient {
    /// As the request had it.
    pub input: String,
    /// The phone number in digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wa_id: Option<String>,
    /// The business-scoped user id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SandboxWhatsappAcceptedMessage)]
pub struct AcceptedMessage {
    /// `wamid.` and base64.
    pub id: String,
    /// `accepted`, with templates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_status: Option<String>,
}

/// Sends a message, or marks one as read.
pub async fn send(
    Path((version, number)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Raw, Problem>,
) -> Result<Answer<Value>, Error> {
    check_version(&version, &format!("/{version}/{number}/messages"))?;
    credentials::meta(Whatsapp, &headers, uri.query().unwrap_or_default()).await?;
    let Raw(body) = body?;
    let json = graph::json(&body)?;
    if json.get("messaging_product").and_then(Value::as_str) != Some("whatsapp") {
        return Err(Error::parameter("The parameter messaging_product is required."));
    }
    if json.get("status").is_some() {
        return read(&number, &json).await;
    }
    let message = message::parse(&json)?;
    let behaviour = recipients::behaviour(message.person.key());
    if behaviour == Behaviour::TokenError {
        return Err(Error::bad_token());
    }
    let send = Send {
        id: ids::wamid(message.person.key()),
        account: number.clone(),
        recipient: message.person.key().to_string(),
        kind: message.kind.clone(),
        body: String::from_utf8_lossy(&body).into_owned(),
        reference: message.reference.clone(),
        received_at: Timestamp::now(),
        resource: None,
    };
    // Without a URL nothing is called back; a message to nowhere is still accepted.
    let target = target::meta(Whatsapp, &number).await?;
    let moments = db::write(|db| accept(db, &message, &json, behaviour, &send, target.as_ref())).await??;
    delivery::follow(moments, send.received_at, behaviour).await?;
    let answer = answer(&message, send);
    serde_json::to_value(answer).map(Answer).map_err(|_| Error::server())
}

/// Records the message with all its callbacks, or refuses it; answers when the callbacks are due.
fn accept(
    db: &db::Db<'_>,
    message: &Message,
    json: &Value,
    behaviour: Behaviour,
    send: &Send,
    target: Option<&Target>,
) -> common::Result<Result<Vec<Timestamp>, Error>> {
    let settings = accounts::settings(db, Whatsapp, &send.account)?;
    if settings.number_status.as_deref().is_some_and(|status| status != "CONNECTED") {
        let details = "The number is not registered: its status is not CONNECTED.";
        return Ok(Err(Error::refused(
            131_045,
            "Message failed to send because of a certificate error",
            details,
        )));
    }
    if let Err(error) = limits(db, &settings, send)? {
        return Ok(Err(error));
    }
    let known = people::find(db, Whatsapp, &send.account, message.person.key())?.unwrap_or_default();
    if let Behaviour::RefusedFirst { times, refusal } = behaviour {
        let person = if known.person.is_empty() { message.person.key() } else { &known.person };
        if people::refuses(db, Whatsapp, &send.account, person, known.refusals, times)? {
            return Ok(Err(refusal.of(Whatsapp)));
        }
    }
    let free_form = send.kind != "template";
    if let Some(template) = json.get("template").filter(|_| !free_form)
        && let Err(error) = templates::check(&templates::all(db, envelope::ACCOUNT_ID)?, template)
    {
        return Ok(Err(error));
    }
    let mut failure = None;
    for (kind, id) in &message.media {
        let found = files::find(db, Whatsapp, id, send.received_at)?;
        match found.filter(|media| media.account == send.account) {
            None => {
                let text = format!(
                    "Param {kind}['id'] is not a valid whatsapp business account media attachment ID"
                );
                return Ok(Err(Error::invalid(text)));
            }
            Some(file) if !media::fits(kind, &file.mime) => failure = Some(states::MEDIA_ERROR),
            Some(_) => {}
        }
    }
    let open = known.last_inbound_at.is_some_and(|last| send.received_at < last.after(WINDOW));
    let closed = free_form && (behaviour == Behaviour::WindowClosed || !open);
    if closed && settings.refuse_outside_window {
        let details = "More than 24 hours have passed since the person last wrote to this number.";
        return Ok(Err(Error::refused(131_047, "Re-engagement message", details)));
    }
    sends::add(db, Whatsapp, send)?;
    let Some(target) = target else { return Ok(Ok(Vec::new())) };
    let mut steps = steps::plan(behaviour, closed, states::FAILURES, &settings);
    if send.kind == "reaction" {
        // Nobody is told that a reaction was delivered or read.
        steps.retain(|step| matches!(step.state, "sent" | "failed"));
    }
    if let (Some(error), Some(first)) = (failure, steps.first().copied()) {
        steps = vec![Step { state: "failed", error: Some(error), ..first }];
    }
    let customer = customer(&message.person, known);
    let about = About {
        id: &send.id,
        customer: &customer,
        reference: send.reference.as_deref(),
        free_form,
        legacy: settings.legacy_statuses,
    };
    let callbacks = callbacks_of(target, &settings, &about, &steps, send.received_at);
    delivery::schedule(db, callbacks, &settings).map(Ok)
}

/// The callbacks of a message's states.
fn callbacks_of(
    target: &Target,
    settings: &Settings,
    about: &About<'_>,
    steps: &[Step],
    from: Timestamp,
) -> Vec<Planned> {
    // The price comes with `sent`, and with one of `delivered` and `read`.
    let delivered = steps.iter().any(|step| step.state == "delivered");
    let changes = steps.iter().map(|step| {
        let at = from.after(step.after);
        let priced = match step.state {
            "sent" | "delivered" => true,
            "read" => !delivered,
            _ => false,
        };
        (at, ("messages", states::value(&target.account, about, *step, priced, at)))
    });
    let bodies = steps::bodies(changes, settings);
    bodies.into_iter().map(|(at, changes)| target.planned(envelope::body(changes, None), at)).collect()
}

/// Throughput of the number, and messages to one person (channels section 2.8), where they are set.
fn limits(db: &db::Db<'_>, settings: &Settings, send: &Send) -> common::Result<Result<(), Error>> {
    if let Some(most) = settings.throughput {
        let since = send.received_at.before(THROUGHPUT_SPAN);
        if sends::count_since(db, Whatsapp, &send.account, None, since)? >= i64::from(most) {
            return Ok(Err(Error::throttled()));
        }
    }
    if let Some(most) = settings.pair_limit {
        let since = send.received_at.before(PAIR_SPAN);
        if sends::count_since(db, Whatsapp, &send.account, Some(&send.recipient), since)? >= i64::from(most) {
            return Ok(Err(Error::pair_limit()));
        }
    }
    Ok(Ok(()))
}

/// The person as statuses show them: with all ids that the number knows.
fn customer(asked: &Person, known: Known) -> Customer {
    let phone = asked.phone.clone().or_else(|| Person::phone(&known.person).and_then(|person| person.phone));
    let user_id = asked.user_id.clone().or(known.user_id);
    Customer { person: Person { phone, user_id }, name: known.name, username: known.username }
}

fn answer(message: &Message, send: Send) -> Accepted {
    let Person { phone, user_id } = message.person.clone();
    let message_status = (send.kind == "template").then(|| "accepted".to_string());
    Accepted {
        messaging_product: "whatsapp".into(),
        contacts: vec![Recipient { input: message.input.clone(), wa_id: phone, user_id }],
        messages: vec![AcceptedMessage { id: send.id, message_status }],
    }
}

/// Marks a customer's message as read, with or without showing that somebody types (channels section 2.3).
async fn read(number: &str, json: &Value) -> Result<Answer<Value>, Error> {
    if json.get("status").and_then(Value::as_str) != Some("read") {
        return Err(Error::parameter("Param status must be one of READ"));
    }
    let id = json.get("message_id").and_then(Value::as_str).ok_or_else(|| Error::missing("message_id"))?;
    if let Some(typing) = json.get("typing_indicator")
        && typing.get("type").and_then(Value::as_str) != Some("text")
    {
        return Err(Error::invalid("typing_indicator.type must be text"));
    }
    if !db::read(|db| people::has_received(db, Whatsapp, number, id)).await? {
        return Err(Error::invalid("message_id is none of a message that this number received"));
    }
    Ok(Answer(json!({"success": true})))
}
