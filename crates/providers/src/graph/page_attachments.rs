//! What a message of Messenger or Instagram holds (channels sections 4.3 and 5.2).

use crate::json::{list, text};
use crate::{InboundContent, InboundMedia, MediaKind};
use serde_json::Value;

/// Reads the content of a message. What has no form of its own is kept whole.
pub(crate) fn content(message: &Value) -> InboundContent {
    let attachments = list(message, "attachments");
    let words = text(message, "text");
    if let Some(payload) = message.get("quick_reply").and_then(|reply| text(reply, "payload")) {
        return InboundContent::Reply { id: payload, title: words.unwrap_or_default(), description: None };
    }
    let files: Vec<InboundMedia> = attachments.iter().filter_map(file).collect();
    if !files.is_empty() {
        return InboundContent::Media { files, caption: words };
    }
    if let Some(body) = words {
        return InboundContent::Text { body };
    }
    if let Some(location) = attachments.iter().find_map(location) {
        return location;
    }
    let kind = attachments.iter().find_map(|attachment| text(attachment, "type"));
    let kind = match kind {
        Some(kind) => kind,
        None if message.get("is_unsupported").is_some() => "unsupported".into(),
        None => "unknown".into(),
    };
    InboundContent::Other { kind, raw: message.clone() }
}

/// A file that can be fetched. Stories and reels are pictures or films: what they are is known from their bytes.
fn file(attachment: &Value) -> Option<InboundMedia> {
    let payload = attachment.get("payload")?;
    let url = text(payload, "url")?;
    let (kind, sticker) = match text(attachment, "type")?.as_str() {
        "image" => (MediaKind::Image, payload.get("sticker_id").is_some()),
        "sticker" => (MediaKind::Image, true),
        "video" | "reel" | "ig_reel" => (MediaKind::Video, false),
        "audio" => (MediaKind::Audio, false),
        "file" => (MediaKind::Document, false),
        "story_mention" | "story" | "ig_story" | "media" => (MediaKind::Image, false),
        _ => return None,
    };
    let filename = text(payload, "title").or_else(|| text(attachment, "title"));
    let filename = filename.filter(|_| kind == MediaKind::Document);
    Some(InboundMedia { kind, id: None, url: Some(url), mime: None, filename, sticker, voice: false })
}

fn location(attachment: &Value) -> Option<InboundContent> {
    let coordinates = attachment.get("payload")?.get("coordinates")?;
    Some(InboundContent::Location {
        latitude: coordinates.get("lat")?.as_f64()?,
        longitude: coordinates.get("long")?.as_f64()?,
        name: text(attachment, "title"),
        address: None,
    })
}
