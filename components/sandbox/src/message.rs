//! Reads a send request and refuses what the provider would refuse (channels sections 2.1 and 9.2).
//! A sandbox that accepts anything hides faults.

use crate::graph::Error;
use crate::templates;
use serde_json::Value;

/// Longest text, in characters (channels section 2.1).
pub const TEXT_CHARS: usize = 4096;
/// Longest correlation string, in characters (channels section 2.1).
const REFERENCE_CHARS: usize = 512;
/// Fewest and most digits of a phone number with its country code (E.164).
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;
/// Most characters after the country of a business-scoped user id (channels section 3.1).
const USER_ID_CHARS: usize = 128;

const MEDIA: &[&str] = &["image", "video", "audio", "document", "sticker"];
const OTHER_KINDS: &[&str] = &["location", "contacts", "reaction", "interactive"];

/// A message that the provider would accept.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The recipient as the request names it.
    pub input: String,
    /// The recipient as the provider knows them.
    pub person: Person,
    /// `text`, `template`, …
    pub kind: String,
    /// `biz_opaque_callback_data`.
    pub reference: Option<String>,
}

/// A customer's address.
#[derive(Clone, Debug, PartialEq)]
pub enum Person {
    /// Digits.
    Phone(String),
    /// `US.7K2Q9D4M1X8Z55`
    UserId(String),
}

impl Person {
    /// The id alone.
    pub fn id(&self) -> &str {
        match self {
            Person::Phone(id) | Person::UserId(id) => id,
        }
    }

    /// Reads a phone number: digits with country code, `+`, spaces and punctuation allowed.
    pub fn phone(text: &str) -> Option<Self> {
        let rest = text.trim().strip_prefix('+').unwrap_or(text.trim());
        if !rest.chars().all(|c| c.is_ascii_digit() || matches!(c, ' ' | '-' | '.' | '(' | ')')) {
            return None;
        }
        let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
        let fits = PHONE_DIGITS.contains(&digits.len()) && !digits.starts_with('0');
        fits.then_some(Person::Phone(digits))
    }

    /// Reads a business-scoped user id: a country, a dot, letters and digits; parent ids have one dot more.
    pub fn user_id(text: &str) -> Option<Self> {
        let (country, rest) = text.split_once('.')?;
        let fits = country.len() == 2
            && country.bytes().all(|b| b.is_ascii_uppercase())
            && (1..=USER_ID_CHARS).contains(&rest.len())
            && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
        fits.then(|| Person::UserId(text.to_string()))
    }
}

/// Reads and checks a request body.
pub fn parse(body: &[u8]) -> Result<Message, Error> {
    let json: Value =
        serde_json::from_slice(body).map_err(|_| Error::parameter("The request body is no valid JSON"))?;
    let text = |name: &str| json.get(name).and_then(Value::as_str);
    if text("messaging_product") != Some("whatsapp") {
        return Err(Error::parameter("The parameter messaging_product is required."));
    }
    if !matches!(text("recipient_type"), None | Some("individual")) {
        return Err(Error::invalid("recipient_type must be individual: groups are not in the sandbox"));
    }
    let (input, person) = recipient(&json)?;
    let kind = text("type").unwrap_or("text");
    check_content(kind, &json)?;
    if let Some(context) = json.get("context")
        && context.get("message_id").and_then(Value::as_str).is_none_or(str::is_empty)
    {
        return Err(Error::missing("context.message_id"));
    }
    let reference = match json.get("biz_opaque_callback_data") {
        None => None,
        Some(Value::String(text)) if text.chars().count() <= REFERENCE_CHARS => Some(text.clone()),
        Some(_) => {
            return Err(Error::invalid(format!(
                "biz_opaque_callback_data must be a text of at most {REFERENCE_CHARS} characters"
            )));
        }
    };
    Ok(Message { input, person, kind: kind.to_string(), reference })
}

/// `to` wins where both are given.
fn recipient(json: &Value) -> Result<(String, Person), Error> {
    let text = |name: &str| json.get(name).and_then(Value::as_str);
    if let Some(to) = text("to") {
        let person =
            Person::phone(to).ok_or_else(|| Error::invalid("to is no phone number with country code"))?;
        return Ok((to.to_string(), person));
    }
    let user = text("recipient").ok_or_else(|| Error::parameter("The parameter to is required."))?;
    let person =
        Person::user_id(user).ok_or_else(|| Error::invalid("recipient is no business-scoped user id"))?;
    Ok((user.to_string(), person))
}

fn check_content(kind: &str, json: &Value) -> Result<(), Error> {
    let known = kind == "text" || kind == "template" || MEDIA.contains(&kind) || OTHER_KINDS.contains(&kind);
    if !known {
        return Err(Error::parameter(
            "Param type must be one of AUDIO, CONTACTS, DOCUMENT, IMAGE, INTERACTIVE, LOCATION, REACTION, STICKER, TEMPLATE, TEXT, VIDEO",
        ));
    }
    let content = json.get(kind).ok_or_else(|| Error::missing(kind))?;
    match kind {
        "text" => check_text(content),
        "template" => templates::check(content),
        "contacts" if content.as_array().is_none_or(Vec::is_empty) => {
            Err(Error::invalid("contacts must be a list"))
        }
        "contacts" => Ok(()),
        _ if !content.is_object() => Err(Error::invalid(format!("{kind} must be an object"))),
        _ if MEDIA.contains(&kind) => {
            let given =
                |name: &str| content.get(name).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
            if given("id") == given("link") {
                Err(Error::invalid(format!("{kind} needs exactly one of id and link")))
            } else {
                Ok(())
            }
        }
        _ => Ok(()),
    }
}

fn check_text(content: &Value) -> Result<(), Error> {
    let body = content.get("body").and_then(Value::as_str).ok_or_else(|| Error::missing("text.body"))?;
    if body.trim().is_empty() {
        return Err(Error::missing("text.body"));
    }
    if body.chars().count() > TEXT_CHARS {
        let message = format!("Param text['body'] must be at most {TEXT_CHARS} characters long.");
        return Err(Error::parameter(&message));
    }
    match content.get("preview_url") {
        None | Some(Value::Bool(_)) => Ok(()),
        Some(_) => Err(Error::invalid("text.preview_url must be a boolean")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(body: &str) -> Value {
        json!({"messaging_product": "whatsapp", "to": "+1 202-555-0147", "type": "text", "text": {"body": body}})
    }

    fn with(name: &str, value: Value) -> Value {
        let mut message = text("Hello");
        message[name] = value;
        message
    }

    fn without(name: &str) -> Value {
        let mut message = text("Hello");
        message.as_object_mut().unwrap().remove(name);
        message
    }

    fn code(message: &Value) -> u32 {
        parse(message.to_string().as_bytes()).map_or_else(|error| error.code, |_| 0)
    }

    #[test]
    fn a_text_is_read() {
        let message = parse(with("biz_opaque_callback_data", json!("msg_1")).to_string().as_bytes()).unwrap();
        assert_eq!(
            message,
            Message {
                input: "+1 202-555-0147".into(),
                person: Person::Phone("12025550147".into()),
                kind: "text".into(),
                reference: Some("msg_1".into()),
            }
        );
        assert_eq!(code(&without("type")), 0, "text is the default");
        let mut message = without("to");
        message["recipient"] = json!("US.7K2Q9D4M1X8Z55");
        let message = parse(message.to_string().as_bytes()).unwrap();
        assert_eq!(message.person, Person::UserId("US.7K2Q9D4M1X8Z55".into()));
    }

    #[test]
    fn common_members_are_checked() {
        assert_eq!(parse(b"{").unwrap_err().code, 100);
        assert_eq!(parse(b"\xff").unwrap_err().code, 100);
        assert_eq!(code(&json!([])), 100);
        assert_eq!(code(&without("messaging_product")), 100);
        assert_eq!(code(&with("messaging_product", json!("sms"))), 100);
        assert_eq!(code(&without("to")), 100);
        for to in ["", "12", "0202555014", "1234567890123456", "anna", "+1202555O147"] {
            assert_eq!(code(&with("to", json!(to))), 131_009, "{to}");
        }
        assert_eq!(code(&with("recipient_type", json!("group"))), 131_009);
        assert_eq!(code(&with("type", json!("carousel"))), 100);
        assert_eq!(code(&with("context", json!({}))), 131_008);
        assert_eq!(code(&with("context", json!({"message_id": "wamid.A"}))), 0);
        assert_eq!(code(&with("biz_opaque_callback_data", json!("x".repeat(513)))), 131_009);
        assert_eq!(code(&with("biz_opaque_callback_data", json!(5))), 131_009);
    }

    #[test]
    fn content_is_checked() {
        assert_eq!(code(&text(&"é".repeat(4096))), 0, "characters, not bytes");
        assert_eq!(code(&text(&"e".repeat(4097))), 100);
        assert_eq!(code(&text(" ")), 131_008);
        assert_eq!(code(&without("text")), 131_008);
        assert_eq!(code(&with("text", json!({"body": "a", "preview_url": "yes"}))), 131_009);
        let of = |kind: &str, content: Value| {
            code(&json!({"messaging_product": "whatsapp", "to": "12025550147", "type": kind, kind: content}))
        };
        assert_eq!(of("image", json!({"id": "1"})), 0);
        assert_eq!(of("image", json!({"link": "https://a.example/b.png", "caption": "c"})), 0);
        assert_eq!(of("image", json!({"id": "1", "link": "https://a.example"})), 131_009);
        assert_eq!(of("image", json!({})), 131_009);
        assert_eq!(of("contacts", json!([])), 131_009);
        assert_eq!(of("location", json!("there")), 131_009);
        assert_eq!(of("template", json!({"name": "order_ready", "language": {"code": "en"}})), 0);
        assert_eq!(of("template", json!({"name": "nope", "language": {"code": "en"}})), 132_001);
    }
}
