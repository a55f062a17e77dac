//! Callbacks of Messenger and Instagram, which have one shape (channels sections 4.3 and 5.2).
//!
//! Keys against duplicates: `mid` for messages, echoes and postbacks (a postback without one gets an id made of its
//! sender and time); (`mid`, sender, action, time) for reactions. Edits, deletions, deliveries and reads are idempotent.

use super::page_attachments as attachments;
use crate::json::{id, list, number, text};
use crate::{CallbackError, Event, Inbound, InboundContent, Person, State};
use serde_json::Value;

/// Times before this, in milliseconds, are seconds: test events of the dashboard have them.
const SECONDS_BELOW: i64 = 100_000_000_000;

/// Reads a callback whose signature was checked.
///
/// # Errors
/// Only a body that is no JSON. What is not understood becomes [`Event::Other`].
pub fn read(raw: &[u8]) -> Result<Vec<Event>, CallbackError> {
    let body: Value = serde_json::from_slice(raw).map_err(|error| CallbackError(error.to_string()))?;
    let mut events = Vec::new();
    for entry in list(&body, "entry") {
        read_entry(entry, &mut events);
    }
    if events.is_empty() {
        let kind = text(&body, "object").unwrap_or_else(|| "unknown".into());
        events.push(Event::Other { kind, account: None, raw: body });
    }
    Ok(events)
}

fn read_entry(entry: &Value, events: &mut Vec<Event>) {
    let account = id(entry, "id");
    // `standby`: another app has the thread. It is read for the history.
    for item in list(entry, "messaging").iter().chain(list(entry, "standby")) {
        read_item(account.as_deref(), item, events);
    }
    // Comments, mentions and the like; test events of the dashboard have the shape of a message inside.
    let field_of_entry = entry.get("field").is_some().then_some(entry);
    for change in list(entry, "changes").iter().chain(field_of_entry) {
        let value = change.get("value").unwrap_or(&Value::Null);
        if value.get("sender").is_some() && value.get("recipient").is_some() {
            read_item(account.as_deref(), value, events);
        } else {
            let kind = text(change, "field").unwrap_or_else(|| "unknown".into());
            events.push(Event::Other { kind, account: account.clone(), raw: value.clone() });
        }
    }
}

fn read_item(entry_account: Option<&str>, item: &Value, events: &mut Vec<Event>) {
    let before = events.len();
    let party = |name: &str| item.get(name).and_then(|party| id(party, "id"));
    if let (Some(sender), Some(recipient)) = (party("sender"), party("recipient")) {
        let is_echo = flag(item.get("message"), "is_echo") || entry_account == Some(sender.as_str());
        let (account, person) = if is_echo { (sender, recipient) } else { (recipient, sender) };
        let thread = Thread { account, person, is_echo, at_ms: time(item, "timestamp") };
        thread.read(item, events);
    }
    if events.len() == before {
        let known =
            ["message", "postback", "reaction", "delivery", "read", "message_edit", "referral", "optin"];
        let others = ["pass_thread_control", "take_thread_control", "policy_enforcement", "account_linking"];
        let kind = known.into_iter().chain(others).find(|name| item.get(name).is_some());
        events.push(Event::Other {
            kind: kind.unwrap_or("unknown").to_string(),
            account: entry_account.map(str::to_string).or_else(|| party("recipient")),
            raw: item.clone(),
        });
    }
}

fn flag(value: Option<&Value>, name: &str) -> bool {
    value.and_then(|value| value.get(name)).and_then(Value::as_bool).unwrap_or(false)
}

fn time(value: &Value, name: &str) -> Option<i64> {
    let at = number(value, name).filter(|at| *at > 0)?;
    if at < SECONDS_BELOW { at.checked_mul(1000) } else { Some(at) }
}

/// Between which two something happened.
struct Thread {
    account: String,
    person: String,
    /// We wrote, not they.
    is_echo: bool,
    at_ms: Option<i64>,
}

impl Thread {
    fn person(&self) -> Person {
        Person { address: Some(self.person.clone()), ..Person::default() }
    }

    fn read(&self, item: &Value, events: &mut Vec<Event>) {
        let member = |name: &str| item.get(name).filter(|value| value.is_object());
        let account = || self.account.clone();
        if let Some(message) = member("message") {
            events.extend(self.message(message));
        }
        if let Some(postback) = member("postback") {
            events.extend(self.postback(postback));
        }
        if let Some(reaction) = member("reaction") {
            events.extend(self.reaction(reaction));
        }
        if let Some(edit) = member("message_edit") {
            events.extend(text(edit, "mid").map(|message_id| Event::Edit {
                account: account(),
                message_id,
                content: InboundContent::Text { body: text(edit, "text").unwrap_or_default() },
                at_ms: self.at_ms,
            }));
        }
        if let Some(delivery) = member("delivery") {
            for mid in list(delivery, "mids").iter().filter_map(Value::as_str) {
                events.push(Event::Status {
                    account: account(),
                    id: mid.to_string(),
                    reference: None,
                    state: State::Delivered,
                    at_ms: self.at_ms.or_else(|| time(delivery, "watermark")),
                    failure: None,
                });
            }
            events.extend(self.watermark(delivery, State::Delivered));
        }
        if let Some(read) = member("read") {
            // Instagram names the message, Messenger a time.
            match text(read, "mid") {
                Some(message_id) => events.push(Event::SeenUpTo {
                    account: account(),
                    person: self.person.clone(),
                    message_id,
                    at_ms: self.at_ms,
                }),
                None => events.extend(self.watermark(read, State::Read)),
            }
        }
    }

    fn watermark(&self, value: &Value, state: State) -> Option<Event> {
        let up_to_ms = time(value, "watermark")?;
        let (account, person) = (self.account.clone(), self.person.clone());
        Some(Event::Watermark { account, person, state, up_to_ms, at_ms: self.at_ms })
    }

    fn message(&self, message: &Value) -> Option<Event> {
        let id = text(message, "mid")?;
        if flag(Some(message), "is_deleted") {
            return Some(Event::Delete { account: self.account.clone(), message_id: id, at_ms: self.at_ms });
        }
        if flag(Some(message), "is_self") {
            return None;
        }
        let reply = message.get("reply_to");
        let story = reply.filter(|reply| reply.get("story").is_some());
        let inbound = Inbound {
            account: self.account.clone(),
            person: self.person(),
            id,
            at_ms: self.at_ms,
            content: attachments::content(message),
            reply_to: reply.and_then(|reply| text(reply, "mid")),
            referral: message.get("referral").or(story).cloned(),
        };
        Some(if self.is_echo {
            Event::Echo { message: inbound, reference: text(message, "metadata") }
        } else {
            Event::Message(inbound)
        })
    }

    /// A tap on a button of a template or on "Get started".
    fn postback(&self, postback: &Value) -> Option<Event> {
        let made_up = || Some(format!("postback:{}:{}", self.person, self.at_ms?));
        let payload = text(postback, "payload");
        Some(Event::Message(Inbound {
            account: self.account.clone(),
            person: self.person(),
            id: text(postback, "mid").or_else(made_up)?,
            at_ms: self.at_ms,
            content: InboundContent::Reply {
                title: text(postback, "title").or_else(|| payload.clone())?,
                id: payload.unwrap_or_default(),
                description: None,
            },
            reply_to: None,
            referral: postback.get("referral").cloned(),
        }))
    }

    fn reaction(&self, reaction: &Value) -> Option<Event> {
        let emoji = match text(reaction, "action")?.as_str() {
            "react" => Some(text(reaction, "emoji").or_else(|| emoji_of(&text(reaction, "reaction")?))?),
            "unreact" => None,
            _ => return None,
        };
        // Reactions of ours come back as echoes do; we know them.
        (!self.is_echo).then_some(Event::Reaction {
            account: self.account.clone(),
            sender: self.person(),
            message_id: text(reaction, "mid")?,
            emoji,
            at_ms: self.at_ms,
        })
    }
}

/// Older events name a reaction without its emoji.
fn emoji_of(name: &str) -> Option<String> {
    let emoji = match name {
        "smile" => "😆",
        "angry" => "😠",
        "sad" => "😢",
        "wow" => "😮",
        "love" => "❤️",
        "like" => "👍",
        "dislike" => "👎",
        _ => return None,
    };
    Some(emoji.to_string())
}
