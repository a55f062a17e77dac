//! Reads a send request of Messenger or Instagram and refuses what they would refuse (channels sections 4.1, 4.5
//! and 5.1).

use crate::graph::Error;
use crate::provider::Provider;
use serde_json::Value;

const TEXT_CHARS: usize = 2000;
/// Instagram counts bytes, not characters.
const INSTAGRAM_TEXT_BYTES: usize = 1000;
const METADATA_CHARS: usize = 1000;
const QUICK_REPLIES: usize = 13;
const QUICK_REPLY_TITLE_CHARS: usize = 20;
const QUICK_REPLY_PAYLOAD_CHARS: usize = 1000;
const ATTACHMENTS: usize = 10;
const BUTTON_TEXT_CHARS: usize = 640;
const BUTTONS: usize = 3;
/// They fail since 27 April 2026.
const RETIRED_TAGS: &[&str] = &["ACCOUNT_UPDATE", "CONFIRMED_EVENT_UPDATE", "POST_PURCHASE_UPDATE"];

/// A request that is well formed.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub to: String,
    pub reach: Reach,
    pub action: Action,
}

/// How far after the person's last message it may go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reach {
    /// 24 hours.
    Window,
    /// 7 days: `HUMAN_AGENT`, `CUSTOMER_FEEDBACK`.
    Tag,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A message: its kind and the attachment ids that it names.
    Message { kind: String, attachment_ids: Vec<String> },
    /// Typing, seen, a reaction: nothing is called back.
    Sender,
}

fn bad(message: &str) -> Error {
    Error::with_subcode(100, None, message)
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// Reads and checks a request body.
///
/// # Errors
/// 100 with the subcodes of the contract's table.
pub fn parse(provider: Provider, json: &Value) -> Result<Message, Error> {
    let recipient = json.get("recipient").ok_or_else(|| bad("The parameter recipient is required"))?;
    let to = text(recipient, "id").ok_or_else(|| bad("Param recipient[id] must be a valid ID string"))?;
    if !to.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad("Param recipient[id] must be a valid ID string (e.g., \"123\")"));
    }
    let reach = reach(provider, json)?;
    let action = match (json.get("sender_action"), json.get("message")) {
        (Some(action), None) => sender_action(action, json)?,
        (None, Some(message)) => content(provider, message)?,
        _ => return Err(bad("Give either message or sender_action")),
    };
    if let Some(quoted) = json.get("reply_to")
        && text(quoted, "mid").is_none()
    {
        return Err(bad("Param reply_to[mid] is required"));
    }
    Ok(Message { to: to.to_string(), reach, action })
}

fn reach(provider: Provider, json: &Value) -> Result<Reach, Error> {
    match (text(json, "messaging_type"), text(json, "tag")) {
        (Some("MESSAGE_TAG"), Some("HUMAN_AGENT")) => Ok(Reach::Tag),
        (Some("MESSAGE_TAG"), Some("CUSTOMER_FEEDBACK")) if provider == Provider::Messenger => Ok(Reach::Tag),
        (Some("MESSAGE_TAG"), Some(tag)) if RETIRED_TAGS.contains(&tag) => {
            Err(bad("This message tag is no longer supported"))
        }
        (Some("MESSAGE_TAG"), _) => Err(bad("Param tag must be one of {HUMAN_AGENT}")),
        (_, Some(_)) => Err(bad("A tag needs messaging_type MESSAGE_TAG")),
        (Some("RESPONSE" | "UPDATE"), None) => Ok(Reach::Window),
        (Some(_), None) => Err(bad("Param messaging_type must be one of {RESPONSE, UPDATE, MESSAGE_TAG}")),
        (None, None) if provider == Provider::Instagram || json.get("sender_action").is_some() => {
            Ok(Reach::Window)
        }
        (None, None) => Err(bad("The parameter messaging_type is required")),
    }
}

fn sender_action(action: &Value, json: &Value) -> Result<Action, Error> {
    let target = || json.pointer("/payload/message_id").and_then(Value::as_str).is_some();
    match action.as_str() {
        Some("typing_on" | "typing_off" | "mark_seen") => Ok(Action::Sender),
        Some("unreact") if target() => Ok(Action::Sender),
        Some("react") if target() && json.pointer("/payload/reaction").is_some_and(Value::is_string) => {
            Ok(Action::Sender)
        }
        Some("react" | "unreact") => Err(bad("Param payload[message_id] is required")),
        _ => Err(bad("Param sender_action is none that is known")),
    }
}

fn content(provider: Provider, message: &Value) -> Result<Action, Error> {
    let instagram = provider == Provider::Instagram;
    if let Some(metadata) = text(message, "metadata")
        && metadata.chars().count() >= METADATA_CHARS
    {
        return Err(bad("Length of param message[metadata] must be less than 1000"));
    }
    let body = message.get("text");
    let single = message.get("attachment");
    let several = message.get("attachments").filter(|_| instagram);
    match (body, single, several) {
        (Some(body), None, None) => {
            let body = body.as_str().filter(|body| !body.is_empty());
            let body = body.ok_or_else(|| bad("Param message[text] must be a non-empty string"))?;
            if instagram && body.len() > INSTAGRAM_TEXT_BYTES {
                return Err(Error::with_subcode(
                    100,
                    Some(2_018_109),
                    "Length of param message[text] must be at most 1000 bytes",
                ));
            }
            if body.chars().count() >= TEXT_CHARS {
                return Err(Error::with_subcode(
                    100,
                    Some(2_018_109),
                    "Length of param message[text] must be less than 2000",
                ));
            }
            quick_replies(message)?;
            Ok(Action::Message { kind: "text".into(), attachment_ids: Vec::new() })
        }
        (None, Some(one), None) => {
            let mut ids = Vec::new();
            let kind = attachment(provider, one, &mut ids)?;
            quick_replies(message)?;
            Ok(Action::Message { kind, attachment_ids: ids })
        }
        (None, None, Some(all)) => {
            let all = all.as_array().filter(|all| (1..=ATTACHMENTS).contains(&all.len()));
            let all = all.ok_or_else(|| bad("Param message[attachments] must hold 1 to 10"))?;
            let mut ids = Vec::new();
            for one in all {
                if attachment(provider, one, &mut ids)? != "image" {
                    return Err(bad("Only images can be sent several at a time"));
                }
            }
            Ok(Action::Message { kind: "image".into(), attachment_ids: ids })
        }
        _ => Err(Error::with_subcode(100, Some(2_018_047), "Give exactly one of text and attachment")),
    }
}

fn quick_replies(message: &Value) -> Result<(), Error> {
    let Some(replies) = message.get("quick_replies") else { return Ok(()) };
    let replies = replies.as_array().filter(|replies| (1..=QUICK_REPLIES).contains(&replies.len()));
    for reply in replies.ok_or_else(|| bad("Param message[quick_replies] must hold 1 to 13"))? {
        if text(reply, "content_type") != Some("text") {
            continue;
        }
        let fits =
            |name: &str, most: usize| text(reply, name).is_some_and(|text| text.chars().count() <= most);
        if !fits("title", QUICK_REPLY_TITLE_CHARS) || !fits("payload", QUICK_REPLY_PAYLOAD_CHARS) {
            return Err(bad(
                "A quick reply needs a title of at most 20 and a payload of at most 1000 characters",
            ));
        }
    }
    Ok(())
}

/// Checks one attachment; gives its kind.
pub fn attachment(provider: Provider, one: &Value, ids: &mut Vec<String>) -> Result<String, Error> {
    let kind = text(one, "type").ok_or_else(|| bad("Param message[attachment][type] is required"))?;
    let instagram = provider == Provider::Instagram;
    let payload = one.get("payload");
    match kind {
        "like_heart" if instagram => {}
        "MEDIA_SHARE" if instagram => {
            payload
                .and_then(|payload| text(payload, "id"))
                .ok_or_else(|| bad("Param payload[id] is required"))?;
        }
        "image" | "audio" | "video" | "file" => {
            let payload = payload.ok_or_else(|| bad("Param message[attachment][payload] is required"))?;
            match (text(payload, "url"), text(payload, "attachment_id")) {
                (Some(url), None) if url.starts_with("http://") || url.starts_with("https://") => {}
                (None, Some(id)) => ids.push(id.to_string()),
                _ => {
                    return Err(Error::with_subcode(
                        100,
                        Some(2_018_074),
                        "Give exactly one of url and attachment_id",
                    ));
                }
            }
        }
        "template" => template(payload.unwrap_or(&Value::Null))?,
        _ => return Err(bad("Param message[attachment][type] is none that is known")),
    }
    Ok(kind.to_string())
}

fn template(payload: &Value) -> Result<(), Error> {
    let buttons = |of: &Value| match of.get("buttons").and_then(Value::as_array) {
        Some(buttons) if buttons.is_empty() || buttons.len() > BUTTONS => {
            Err(bad("A template has 1 to 3 buttons"))
        }
        Some(buttons) if buttons.iter().any(|button| text(button, "type").is_none()) => {
            Err(bad("A button needs a type"))
        }
        Some(_) => Ok(true),
        None => Ok(false),
    };
    match text(payload, "template_type") {
        Some("button") => {
            let fits = text(payload, "text").is_some_and(|text| text.chars().count() <= BUTTON_TEXT_CHARS);
            if fits && buttons(payload)? {
                Ok(())
            } else {
                Err(bad("A button template needs text and buttons"))
            }
        }
        Some("generic") => {
            let elements = payload.get("elements").and_then(Value::as_array).filter(|all| !all.is_empty());
            for element in elements.ok_or_else(|| bad("A generic template needs elements"))? {
                buttons(element)?;
                text(element, "title").ok_or_else(|| bad("An element needs a title"))?;
            }
            Ok(())
        }
        Some(_) => Ok(()),
        None => Err(bad("Param payload[template_type] is required")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn code(provider: Provider, message: Value, rest: Value) -> u32 {
        let mut json = json!({"recipient": {"id": "7301"}, "message": message});
        for (name, value) in rest.as_object().unwrap() {
            json[name] = value.clone();
        }
        parse(provider, &json).map_or_else(|error| error.subcode.unwrap_or(error.code), |_| 0)
    }

    #[test]
    fn lengths_are_characters_there_and_bytes_here() {
        let response = || json!({"messaging_type": "RESPONSE"});
        let text = |text: String| json!({ "text": text });
        assert_eq!(code(Provider::Messenger, text("é".repeat(1999)), response()), 0);
        assert_eq!(code(Provider::Messenger, text("é".repeat(2000)), response()), 2_018_109);
        assert_eq!(code(Provider::Instagram, text("é".repeat(500)), json!({})), 0);
        assert_eq!(code(Provider::Instagram, text("é".repeat(501)), json!({})), 2_018_109);
        assert_eq!(code(Provider::Messenger, text("a".into()), json!({})), 100, "messaging_type is required");
    }

    #[test]
    fn tags_files_and_replies_are_checked() {
        let hi = || json!({"text": "hi"});
        let tag =
            |tag: &str| code(Provider::Messenger, hi(), json!({"messaging_type": "MESSAGE_TAG", "tag": tag}));
        assert_eq!(tag("HUMAN_AGENT"), 0);
        assert_eq!(tag("CUSTOMER_FEEDBACK"), 0);
        assert_eq!(tag("ACCOUNT_UPDATE"), 100);
        let file = |payload: Value| {
            let message = json!({"attachment": {"type": "image", "payload": payload}});
            code(Provider::Instagram, message, json!({}))
        };
        assert_eq!(file(json!({"url": "https://a.example/b.png"})), 0);
        assert_eq!(file(json!({"url": "https://a.example/b.png", "attachment_id": "1"})), 2_018_074);
        assert_eq!(file(json!({})), 2_018_074);
        let both =
            json!({"text": "hi", "attachment": {"type": "image", "payload": {"url": "https://a.example"}}});
        assert_eq!(code(Provider::Instagram, both, json!({})), 2_018_047);
        let reply = json!({"content_type": "text", "title": "t", "payload": "p"});
        let replies = |count: usize| json!({"text": "?", "quick_replies": vec![reply.clone(); count]});
        assert_eq!(code(Provider::Instagram, replies(13), json!({})), 0);
        assert_eq!(code(Provider::Instagram, replies(14), json!({})), 100);
    }

    #[test]
    fn every_fixture_is_accepted() {
        for (provider, fixture) in [
            (
                Provider::Messenger,
                include_str!(
                    "../../../../crates/providers/tests/fixtures/messenger/out-text-human-agent.json"
                ),
            ),
            (
                Provider::Messenger,
                include_str!("../../../../crates/providers/tests/fixtures/messenger/out-quick-replies.json"),
            ),
            (
                Provider::Messenger,
                include_str!("../../../../crates/providers/tests/fixtures/messenger/out-image-url.json"),
            ),
            (
                Provider::Instagram,
                include_str!("../../../../crates/providers/tests/fixtures/instagram/out-text.json"),
            ),
            (
                Provider::Instagram,
                include_str!("../../../../crates/providers/tests/fixtures/instagram/out-image.json"),
            ),
        ] {
            parse(provider, &serde_json::from_str(fixture).unwrap())
                .unwrap_or_else(|e| panic!("{e:?}: {fixture}"));
        }
    }
}
