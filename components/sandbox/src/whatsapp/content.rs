//! What a message may hold (channels sections 2.1 and 2.2).

use super::interactive;
use crate::graph::Error;
use serde_json::Value;

/// Longest text, in characters.
pub const TEXT_CHARS: usize = 4096;
const CAPTION_CHARS: usize = 1024;

pub const MEDIA: &[&str] = &["image", "video", "audio", "document", "sticker"];
const OTHER_KINDS: &[&str] = &["text", "template", "location", "contacts", "reaction", "interactive"];

/// Checks the member that holds a message's content; a template only for its form.
///
/// # Errors
/// 100, 131008 and 131009.
pub fn check(kind: &str, json: &Value) -> Result<(), Error> {
    if !MEDIA.contains(&kind) && !OTHER_KINDS.contains(&kind) {
        return Err(Error::parameter(
            "Param type must be one of AUDIO, CONTACTS, DOCUMENT, IMAGE, INTERACTIVE, LOCATION, REACTION, STICKER, TEMPLATE, TEXT, VIDEO",
        ));
    }
    let content = json.get(kind).ok_or_else(|| Error::missing(kind))?;
    if kind != "contacts" && !content.is_object() {
        return Err(if kind == "template" || kind == "text" {
            Error::missing(kind)
        } else {
            Error::invalid(format!("{kind} must be an object"))
        });
    }
    match kind {
        "text" => text(content),
        "contacts" => contacts(content),
        "location" => location(content),
        "reaction" => reaction(content),
        "interactive" => interactive::check(content),
        "template" => Ok(()),
        _ => media(kind, content),
    }
}

fn text(content: &Value) -> Result<(), Error> {
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

/// Exactly one of id and link; captions and names only where they may be.
pub fn media(kind: &str, content: &Value) -> Result<(), Error> {
    let given = |name: &str| content.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    match (given("id"), given("link")) {
        (Some(_), None) => {}
        (None, Some(link)) if link.starts_with("http://") || link.starts_with("https://") => {}
        (None, Some(_)) => return Err(Error::invalid(format!("{kind}.link is no URL"))),
        _ => return Err(Error::invalid(format!("{kind} needs exactly one of id and link"))),
    }
    if let Some(caption) = content.get("caption") {
        if matches!(kind, "audio" | "sticker") {
            return Err(Error::parameter(&format!("Unexpected key \"caption\" on param \"{kind}\".")));
        }
        length(&format!("{kind}.caption"), caption, CAPTION_CHARS)?;
    }
    if content.get("filename").is_some() && kind != "document" {
        return Err(Error::parameter(&format!("Unexpected key \"filename\" on param \"{kind}\".")));
    }
    Ok(())
}

fn location(content: &Value) -> Result<(), Error> {
    // Numbers, or texts that are numbers.
    let degrees = |name: &str, most: f64| {
        let value = content.get(name).ok_or_else(|| Error::missing(&format!("location.{name}")))?;
        let number = value.as_f64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
        match number {
            Some(number) if number.abs() <= most => Ok(()),
            _ => Err(Error::invalid(format!("location.{name} is no coordinate"))),
        }
    };
    degrees("latitude", 90.0)?;
    degrees("longitude", 180.0)
}

fn contacts(content: &Value) -> Result<(), Error> {
    let Some(cards) = content.as_array().filter(|cards| !cards.is_empty()) else {
        return Err(Error::invalid("contacts must be a list"));
    };
    for card in cards {
        let name = card.get("name").and_then(Value::as_object);
        let name = name.ok_or_else(|| Error::missing("contacts.name"))?;
        let given = |part: &str| name.get(part).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        if !given("formatted_name") {
            return Err(Error::missing("contacts.name.formatted_name"));
        }
        if !["first_name", "last_name", "middle_name", "suffix", "prefix"].iter().any(|part| given(part)) {
            return Err(Error::invalid("contacts.name needs one more part besides formatted_name"));
        }
    }
    Ok(())
}

fn reaction(content: &Value) -> Result<(), Error> {
    if content.get("message_id").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err(Error::missing("reaction.message_id"));
    }
    match content.get("emoji") {
        // An empty one takes the reaction off.
        Some(Value::String(emoji)) if emoji.is_empty() => Ok(()),
        Some(Value::String(emoji)) if emoji.chars().count() <= 16 && !emoji.is_ascii() => Ok(()),
        None => Err(Error::missing("reaction.emoji")),
        Some(_) => Err(Error::invalid("reaction.emoji must be one emoji")),
    }
}

/// A text of at most so many characters.
pub fn length(name: &str, value: &Value, most: usize) -> Result<(), Error> {
    let text = value.as_str().ok_or_else(|| Error::invalid(format!("{name} must be a text")))?;
    if text.trim().is_empty() {
        return Err(Error::missing(name));
    }
    if text.chars().count() > most {
        return Err(Error::invalid(format!("{name} must be at most {most} characters long")));
    }
    Ok(())
}

/// The ids of uploaded files anywhere in a message's content, with the kinds they are used as.
pub fn media_ids(kind: &str, content: &Value, found: &mut Vec<(String, String)>) {
    if MEDIA.contains(&kind) {
        if let Some(id) = content.get("id").and_then(Value::as_str) {
            found.push((kind.to_string(), id.to_string()));
        }
        return;
    }
    match content {
        Value::Object(members) => members.iter().for_each(|(name, value)| media_ids(name, value, found)),
        Value::Array(values) => values.iter().for_each(|value| media_ids("", value, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn code(kind: &str, content: Value) -> u32 {
        check(kind, &json!({kind: content})).map_or_else(|error| error.code, |()| 0)
    }

    #[test]
    fn texts_and_files_are_checked() {
        assert_eq!(code("text", json!({"body": "é".repeat(4096)})), 0, "characters, not bytes");
        assert_eq!(code("text", json!({"body": "e".repeat(4097)})), 100);
        assert_eq!(code("text", json!({"body": " "})), 131_008);
        assert_eq!(code("text", json!(null)), 131_008);
        assert_eq!(code("text", json!({"body": "a", "preview_url": "yes"})), 131_009);
        assert_eq!(code("image", json!({"id": "1"})), 0);
        assert_eq!(code("image", json!({"link": "https://a.example/b.png", "caption": "c"})), 0);
        assert_eq!(code("image", json!({"link": "b.png"})), 131_009);
        assert_eq!(code("image", json!({"id": "1", "link": "https://a.example"})), 131_009);
        assert_eq!(code("image", json!({})), 131_009);
        assert_eq!(code("image", json!({"id": "1", "caption": "c".repeat(1025)})), 131_009);
        assert_eq!(code("audio", json!({"id": "1", "caption": "c"})), 100);
        assert_eq!(code("image", json!({"id": "1", "filename": "c"})), 100);
        assert_eq!(code("document", json!({"id": "1", "filename": "c"})), 0);
    }

    #[test]
    fn other_kinds_are_checked() {
        assert_eq!(code("contacts", json!([])), 131_009);
        assert_eq!(code("contacts", json!([{"name": {"formatted_name": "A"}}])), 131_009);
        assert_eq!(code("contacts", json!([{"name": {"formatted_name": "A", "first_name": "A"}}])), 0);
        assert_eq!(code("location", json!("there")), 131_009);
        assert_eq!(code("location", json!({"latitude": 91, "longitude": 0})), 131_009);
        assert_eq!(code("location", json!({"latitude": "51.5", "longitude": -0.1})), 0);
        assert_eq!(code("reaction", json!({"message_id": "wamid.A", "emoji": "👍"})), 0);
        assert_eq!(code("reaction", json!({"message_id": "wamid.A", "emoji": ""})), 0);
        assert_eq!(code("reaction", json!({"message_id": "wamid.A"})), 131_008);
        assert_eq!(code("reaction", json!({"message_id": "wamid.A", "emoji": "ok"})), 131_009);
        assert_eq!(code("carousel", json!({})), 100);
    }
}
