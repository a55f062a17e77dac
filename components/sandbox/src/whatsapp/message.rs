//! Reads a send request and refuses what the provider would refuse (channels sections 2.1 and 9.2).
//! A sandbox that accepts anything hides faults.

use super::content;
use super::person::Person;
use crate::graph::Error;
use serde_json::Value;

/// Longest correlation string, in characters (channels section 2.1).
const REFERENCE_CHARS: usize = 512;

/// A message that the provider would accept, as far as its form goes.
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
    /// The ids of uploaded files that it names, each with the kind it is used as.
    pub media: Vec<(String, String)>,
}

/// Reads and checks a request body.
///
/// # Errors
/// 100, 131008 and 131009 for what is missing or wrong.
pub fn parse(json: &Value) -> Result<Message, Error> {
    let text = |name: &str| json.get(name).and_then(Value::as_str);
    if !matches!(text("recipient_type"), None | Some("individual")) {
        return Err(Error::invalid("recipient_type must be individual: groups are not in the sandbox"));
    }
    let (input, person) = recipient(json)?;
    let kind = text("type").unwrap_or("text");
    content::check(kind, json)?;
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
    let mut media = Vec::new();
    if let Some(content) = json.get(kind) {
        content::media_ids(kind, content, &mut media);
    }
    Ok(Message { input, person, kind: kind.to_string(), reference, media })
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
        parse(message).map_or_else(|error| error.code, |_| 0)
    }

    #[test]
    fn a_text_is_read() {
        let message = parse(&with("biz_opaque_callback_data", json!("msg_1"))).unwrap();
        assert_eq!(
            message,
            Message {
                input: "+1 202-555-0147".into(),
                person: Person::phone("12025550147").unwrap(),
                kind: "text".into(),
                reference: Some("msg_1".into()),
                media: Vec::new(),
            }
        );
        assert_eq!(code(&without("type")), 0, "text is the default");
        let mut message = without("to");
        message["recipient"] = json!("US.7K2Q9D4M1X8Z55");
        let message = parse(&message).unwrap();
        assert_eq!(message.person, Person::user_id("US.7K2Q9D4M1X8Z55").unwrap());
    }

    #[test]
    fn common_members_are_checked() {
        assert_eq!(code(&json!([])), 100);
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
    fn every_fixture_is_accepted() {
        let fixtures = [
            include_str!("../../../../crates/providers/tests/fixtures/whatsapp/out-text-reply.json"),
            include_str!("../../../../crates/providers/tests/fixtures/whatsapp/out-template.json"),
            include_str!("../../../../crates/providers/tests/fixtures/whatsapp/out-template-named.json"),
            include_str!("../../../../crates/providers/tests/fixtures/whatsapp/out-image-id.json"),
            include_str!("../../../../crates/providers/tests/fixtures/whatsapp/out-document-link.json"),
            include_str!("../../../../crates/providers/tests/fixtures/whatsapp/out-interactive-buttons.json"),
            include_str!("../../../../crates/providers/tests/fixtures/whatsapp/out-interactive-list.json"),
            include_str!("../../../../crates/providers/tests/fixtures/whatsapp/out-reaction.json"),
            include_str!("../../../../crates/providers/tests/fixtures/whatsapp/out-location.json"),
            include_str!("../../../../crates/providers/tests/fixtures/whatsapp/out-contacts.json"),
        ];
        for fixture in fixtures {
            let json: Value = serde_json::from_str(fixture).unwrap();
            let message = parse(&json).unwrap_or_else(|error| panic!("{error:?}: {fixture}"));
            assert_eq!(json["type"], message.kind);
        }
        let image = serde_json::from_str(fixtures[3]).unwrap();
        assert_eq!(parse(&image).unwrap().media, [("image".into(), "740022110099887".into())]);
    }
}
