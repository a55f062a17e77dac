//! What a customer sent (channels section 3.2).

use crate::json::{id, list, text};
use crate::{InboundContent, InboundMedia, MediaKind};
use serde_json::Value;

/// Reads the content of a message, or of the message inside an edit. What has no form of its own, or an unknown one,
/// is kept whole.
pub fn read(message: &Value) -> InboundContent {
    let kind = text(message, "type").unwrap_or_else(|| "unknown".into());
    known(&kind, message).unwrap_or_else(|| InboundContent::Other {
        kind: unsupported_kind(message).unwrap_or(kind),
        raw: message.clone(),
    })
}

/// What an unsupported message is, where WhatsApp says it: `poll_creation`.
fn unsupported_kind(message: &Value) -> Option<String> {
    text(message.get("unsupported")?, "type")
}

fn known(kind: &str, message: &Value) -> Option<InboundContent> {
    let content = message.get(kind)?;
    match kind {
        "text" => Some(InboundContent::Text { body: text(content, "body")? }),
        "image" | "sticker" => file(MediaKind::Image, kind == "sticker", content),
        "video" => file(MediaKind::Video, false, content),
        "audio" | "voice" => file(MediaKind::Audio, false, content),
        "document" => file(MediaKind::Document, false, content),
        "location" => Some(InboundContent::Location {
            latitude: content.get("latitude")?.as_f64()?,
            longitude: content.get("longitude")?.as_f64()?,
            name: text(content, "name"),
            address: text(content, "address"),
        }),
        "contacts" => {
            let cards = list(message, kind);
            (!cards.is_empty()).then(|| InboundContent::Contacts(cards.to_vec()))
        }
        // A quick reply of a template.
        "button" => Some(InboundContent::Reply {
            id: text(content, "payload").unwrap_or_default(),
            title: text(content, "text")?,
            description: None,
        }),
        "interactive" => interactive(content),
        _ => None,
    }
}

fn file(kind: MediaKind, sticker: bool, content: &Value) -> Option<InboundContent> {
    let file = InboundMedia {
        kind,
        id: id(content, "id"),
        url: text(content, "url"),
        mime: text(content, "mime_type"),
        filename: text(content, "filename"),
        sticker,
        voice: content.get("voice").and_then(Value::as_bool).unwrap_or(false),
    };
    (file.id.is_some() || file.url.is_some())
        .then(|| InboundContent::Media { files: vec![file], caption: text(content, "caption") })
}

fn interactive(content: &Value) -> Option<InboundContent> {
    let kind = text(content, "type")?;
    let reply = content.get(&kind)?;
    match kind.as_str() {
        "button_reply" | "list_reply" => Some(InboundContent::Reply {
            id: text(reply, "id")?,
            title: text(reply, "title").unwrap_or_default(),
            description: text(reply, "description"),
        }),
        // A filled form: its answers are JSON in a text.
        "nfm_reply" => Some(InboundContent::Reply {
            id: text(reply, "name").unwrap_or_else(|| "flow".into()),
            title: text(reply, "body").unwrap_or_default(),
            description: text(reply, "response_json"),
        }),
        _ => None,
    }
}
