//! Callbacks: events (channels section 3).
//!
//! Keys against duplicates: a message has its id; a status (id, status); a template's status (id, event, time). Reactions,
//! edits and deletions are idempotent by nature, told apart by their time.

use super::{content, errors, people};
use crate::json::{id, list, number, text};
use crate::{CallbackError, Event, Inbound, Person, State};
use serde_json::Value;

/// Reads a callback whose signature was checked.
///
/// # Errors
/// Only a body that is no JSON. What is not understood becomes [`Event::Other`].
pub fn read_callback(raw: &[u8]) -> Result<Vec<Event>, CallbackError> {
    let body: Value = serde_json::from_slice(raw).map_err(|error| CallbackError(error.to_string()))?;
    let mut events = Vec::new();
    for entry in list(&body, "entry") {
        for change in list(entry, "changes") {
            read_change(entry, change, &mut events);
        }
    }
    if events.is_empty() {
        let kind = text(&body, "object").unwrap_or_else(|| "unknown".into());
        events.push(Event::Other { kind, account: None, raw: body });
    }
    Ok(events)
}

fn read_change(entry: &Value, change: &Value, events: &mut Vec<Event>) {
    let value = change.get("value").unwrap_or(&Value::Null);
    let field = text(change, "field").unwrap_or_else(|| "unknown".into());
    let number = value.get("metadata").and_then(|metadata| id(metadata, "phone_number_id"));
    let other = |kind: &str, raw: &Value| Event::Other {
        kind: kind.to_string(),
        account: number.clone(),
        raw: raw.clone(),
    };
    let before = events.len();
    match (&number, field.as_str()) {
        (Some(number), "messages") => read_messages(number, value, events),
        (Some(number), "user_preferences") => {
            for preference in list(value, "user_preferences") {
                events.push(consent(number, value, preference).unwrap_or_else(|| other(&field, preference)));
            }
        }
        (Some(number), "user_id_update") => {
            for update in list(value, "user_id_update") {
                events.push(people::user_id_update(number, update).unwrap_or_else(|| other(&field, update)));
            }
        }
        (Some(number), "smb_message_echoes") => {
            for message in list(value, "message_echoes") {
                events.push(echo(number, message).unwrap_or_else(|| other(&field, message)));
            }
        }
        (_, "message_template_status_update") => events.extend(template_status(entry, value)),
        _ => {}
    }
    if events.len() == before {
        events.push(other(&field, value));
    }
}

fn read_messages(number: &str, value: &Value, events: &mut Vec<Event>) {
    let other = |kind: &str, raw: &Value| Event::Other {
        kind: kind.to_string(),
        account: Some(number.to_string()),
        raw: raw.clone(),
    };
    let people = list(value, "contacts");
    let (messages, statuses) = (list(value, "messages"), list(value, "statuses"));
    for message in messages {
        events.push(message_event(number, people, message).unwrap_or_else(|| other("message", message)));
    }
    for one in statuses {
        match status(number, one) {
            Some(event) => {
                events.extend(opt_out(&event, one));
                events.push(event);
            }
            None => events.push(other("status", one)),
        }
    }
    for error in list(value, "errors") {
        // Beside messages they tell why one has no content; alone they are about the number or the account.
        events.push(if messages.is_empty() && statuses.is_empty() && error.get("code").is_some() {
            Event::Fault { account: number.to_string(), failure: errors::failure(error, None) }
        } else {
            other("error", error)
        });
    }
}

fn message_event(number: &str, people: &[Value], message: &Value) -> Option<Event> {
    if message.get("group_id").is_some() {
        return None;
    }
    let account = number.to_string();
    let person = people::sender(people, message)?;
    let at_ms = timestamp_ms(message);
    let kind = text(message, "type").unwrap_or_default();
    let own = message.get(&kind).unwrap_or(&Value::Null);
    match kind.as_str() {
        "reaction" => Some(Event::Reaction {
            account,
            sender: person,
            message_id: text(own, "message_id")?,
            emoji: text(own, "emoji"),
            at_ms,
        }),
        "edit" => Some(Event::Edit {
            account,
            message_id: text(own, "original_message_id")?,
            content: content::read(own.get("message")?),
            at_ms,
        }),
        "revoke" => Some(Event::Delete { account, message_id: text(own, "original_message_id")?, at_ms }),
        "system" => people::changed(number, person, own),
        _ => Some(Event::Message(inbound(number, person, message)?)),
    }
}

fn inbound(number: &str, person: Person, message: &Value) -> Option<Inbound> {
    Some(Inbound {
        account: number.to_string(),
        person,
        id: text(message, "id")?,
        at_ms: timestamp_ms(message),
        content: content::read(message),
        reply_to: message.get("context").and_then(|context| text(context, "id")),
        referral: message.get("referral").cloned(),
    })
}

/// Sent from the phone app on a number that is used there too.
fn echo(number: &str, message: &Value) -> Option<Event> {
    let person =
        Person { address: text(message, "to"), user_id: text(message, "to_user_id"), ..Person::default() };
    let known = person.address.is_some() || person.user_id.is_some();
    Some(Event::Echo { message: inbound(number, person, message)?, reference: None }).filter(|_| known)
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
        account: number.to_string(),
        id: text(status, "id")?,
        reference: text(status, "biz_opaque_callback_data"),
        state,
        at_ms: timestamp_ms(status),
        failure,
    })
}

/// A failure that says that the person stopped our messages.
fn opt_out(event: &Event, status: &Value) -> Option<Event> {
    let Event::Status { account, at_ms, failure: Some(failure), .. } = event else { return None };
    let person = Person {
        address: text(status, "recipient_id"),
        user_id: text(status, "recipient_user_id"),
        ..Person::default()
    };
    let known = person.address.is_some() || person.user_id.is_some();
    (failure.is_opt_out() && known).then(|| Event::Consent {
        account: account.clone(),
        person,
        opted_in: false,
        at_ms: *at_ms,
    })
}

/// A choice about marketing messages, made in WhatsApp.
fn consent(number: &str, value: &Value, preference: &Value) -> Option<Event> {
    let opted_in = match text(preference, "value")?.as_str() {
        "stop" => false,
        "resume" => true,
        _ => return None,
    };
    Some(Event::Consent {
        account: number.to_string(),
        person: people::of_preference(list(value, "contacts"), preference)?,
        opted_in,
        at_ms: timestamp_ms(preference),
    })
}

fn template_status(entry: &Value, value: &Value) -> Option<Event> {
    Some(Event::TemplateStatus {
        account: id(entry, "id")?,
        name: text(value, "message_template_name")?,
        // Here it may have a hyphen where the list of templates has an underscore.
        language: text(value, "message_template_language")?.replace('-', "_"),
        event: text(value, "event")?,
        reason: text(value, "reason").filter(|reason| reason != "NONE"),
    })
}

/// Seconds, as a text by the documentation; a number is taken as well.
fn timestamp_ms(value: &Value) -> Option<i64> {
    number(value, "timestamp")?.checked_mul(1000).filter(|millis| *millis > 0)
}
