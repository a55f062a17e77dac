//! Callbacks: handshake, signature, events (channels sections 1.3, 1.4 and 3).

use super::errors;
use crate::{CallbackError, Failure, InboundContent, Person, State};
use common::crypto;
use serde_json::Value;

const SIGNATURE_PREFIX: &str = "sha256=";

/// One thing that a callback tells. A callback may hold up to a thousand.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A customer wrote.
    Inbound {
        /// Which of our numbers they wrote to.
        phone_number_id: String,
        sender: Person,
        /// Unique; the same message may come several times.
        id: String,
        /// Milliseconds since 1970; the provider gives whole seconds. `None` where it is unreadable.
        timestamp_ms: Option<i64>,
        content: InboundContent,
        /// The provider's id of the message that is quoted.
        reply_to: Option<String>,
    },
    /// A message of ours moved on. The same may come several times, and late ones after later ones.
    Status {
        phone_number_id: String,
        /// The provider's id of our message.
        id: String,
        /// Our own id, which the send request gave along.
        reference: Option<String>,
        state: State,
        /// Milliseconds since 1970; the provider gives whole seconds. `None` where it is unreadable.
        timestamp_ms: Option<i64>,
        recipient_id: Option<String>,
        /// With [`State::Failed`].
        failure: Option<Failure>,
    },
    /// Anything else: kept for people to look at, never an error.
    Other { kind: String, phone_number_id: Option<String>, raw: Value },
}

/// Answers the handshake: the challenge to send back as it is, or `None` for a 403.
///
/// `query` is the raw query string. Several tokens may be valid during a rotation.
pub fn handshake(query: &str, verify_tokens: &[&str]) -> Option<String> {
    let value = |name: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    let given = value("hub.verify_token")?;
    let known = any(verify_tokens, |token| {
        // Hashing first makes the comparison's time independent of the lengths too.
        crypto::equal(&crypto::sha256(given.as_bytes()), &crypto::sha256(token.as_bytes()))
    });
    (value("hub.mode")? == "subscribe" && known).then(|| value("hub.challenge")).flatten()
}

/// Whether the header `X-Hub-Signature-256` is that of one of our secrets over the raw body.
///
/// `raw` must be the bytes as they arrived: parsed and written again they are others.
pub fn verify_signature(app_secrets: &[&str], header: Option<&str>, raw: &[u8]) -> bool {
    let Some(given) = header.and_then(|header| header.trim().strip_prefix(SIGNATURE_PREFIX)) else {
        return false;
    };
    let Ok(given) = hex::decode(given) else { return false };
    any(app_secrets, |secret| crypto::equal(&crypto::hmac_sha256(secret.as_bytes(), &[raw]), &given))
}

/// Whether `matches` holds for a secret. Tries all of them, so that the time does not tell which fitted.
/// An empty secret is a setting that is missing, and must not let everybody in.
fn any(secrets: &[&str], matches: impl Fn(&str) -> bool) -> bool {
    secrets.iter().filter(|secret| !secret.is_empty()).fold(false, |found, secret| matches(secret) | found)
}

/// Reads a callback whose signature was checked.
///
/// # Errors
/// Only a body that is no JSON. What is not understood becomes [`Event::Other`].
pub fn read_callback(raw: &[u8]) -> Result<Vec<Event>, CallbackError> {
    let body: Value = serde_json::from_slice(raw).map_err(|error| CallbackError(error.to_string()))?;
    let mut events = Vec::new();
    for entry in list(&body, "entry") {
        for change in list(entry, "changes") {
            read_change(change, &mut events);
        }
    }
    if events.is_empty() {
        let kind = text(&body, "object").unwrap_or_else(|| "unknown".into());
        events.push(Event::Other { kind, phone_number_id: None, raw: body });
    }
    Ok(events)
}

fn read_change(change: &Value, events: &mut Vec<Event>) {
    let value = change.get("value").unwrap_or(&Value::Null);
    let field = text(change, "field").unwrap_or_else(|| "unknown".into());
    let number = value.get("metadata").and_then(|metadata| text(metadata, "phone_number_id"));
    let other = |kind: &str, raw: &Value| Event::Other {
        kind: kind.to_string(),
        phone_number_id: number.clone(),
        raw: raw.clone(),
    };
    let (Some(number), "messages") = (&number, field.as_str()) else {
        events.push(other(&field, value));
        return;
    };
    let before = events.len();
    let people = list(value, "contacts");
    for message in list(value, "messages") {
        events.push(inbound(number, people, message).unwrap_or_else(|| other("message", message)));
    }
    for one in list(value, "statuses") {
        events.push(status(number, one).unwrap_or_else(|| other("status", one)));
    }
    // Faults of the number or the account, without a message that they belong to.
    for error in list(value, "errors") {
        events.push(other("error", error));
    }
    if events.len() == before {
        events.push(other(&field, value));
    }
}

fn inbound(number: &str, people: &[Value], message: &Value) -> Option<Event> {
    if message.get("group_id").is_some() {
        return None;
    }
    let kind = text(message, "type").unwrap_or_else(|| "unknown".into());
    let body = message.get("text").and_then(|content| content.get("body")).and_then(Value::as_str);
    let content = match (kind.as_str(), body) {
        ("text", Some(body)) => InboundContent::Text { body: body.to_string() },
        _ => InboundContent::Other { kind, raw: message.clone() },
    };
    Some(Event::Inbound {
        phone_number_id: number.to_string(),
        sender: sender(people, message)?,
        id: text(message, "id")?,
        timestamp_ms: timestamp_ms(message),
        content,
        reply_to: message.get("context").and_then(|context| text(context, "id")),
    })
}

/// Who wrote: the message's own ids, completed by the entry of `contacts` that shares one with it.
/// Either id may be missing (channels section 3.1), not both.
fn sender(people: &[Value], message: &Value) -> Option<Person> {
    let (wa_id, user_id) = (text(message, "from"), text(message, "from_user_id"));
    let same = |own: &Option<String>, person: &Value, name: &str| own.is_some() && text(person, name) == *own;
    let person =
        people.iter().find(|person| same(&wa_id, person, "wa_id") || same(&user_id, person, "user_id"));
    let of_person = |name: &str| person.and_then(|person| text(person, name));
    let name = person.and_then(|person| person.get("profile")).and_then(|profile| text(profile, "name"));
    let found = Person {
        wa_id: wa_id.clone().or_else(|| of_person("wa_id")),
        user_id: user_id.clone().or_else(|| of_person("user_id")),
        name,
    };
    (found.wa_id.is_some() || found.user_id.is_some()).then_some(found)
}

fn status(number: &str, status: &Value) -> Option<Event> {
    if text(status, "recipient_type").as_deref() == Some("group") {
        return None;
    }
    let state = match text(status, "status")?.as_str() {
        "sent" => State::Sent,
        "delivered" => State::Delivered,
        "read" | "played" => State::Read,
        "failed" => State::Failed,
        other => State::Other(other.to_string()),
    };
    let failure = (state == State::Failed)
        .then(|| errors::failure(list(status, "errors").first().unwrap_or(&Value::Null), None));
    Some(Event::Status {
        phone_number_id: number.to_string(),
        id: text(status, "id")?,
        reference: text(status, "biz_opaque_callback_data"),
        state,
        timestamp_ms: timestamp_ms(status),
        recipient_id: text(status, "recipient_id").or_else(|| text(status, "recipient_user_id")),
        failure,
    })
}

/// Seconds, as a text by the documentation; a number is taken as well.
fn timestamp_ms(value: &Value) -> Option<i64> {
    let seconds = match value.get("timestamp")? {
        Value::String(text) => text.trim().parse::<i64>().ok()?,
        other => other.as_i64()?,
    };
    seconds.checked_mul(1000).filter(|millis| *millis > 0)
}

/// A member that is a text with something in it.
fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_string)
}

/// A member that is a list; anything else counts as an empty one.
fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
