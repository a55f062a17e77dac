//! What a message says (contract section 5): the forms that v1 shows and takes.
//!
//! The contract names `text`, `template` and `media`; the others are additions in the same style. What a
//! channel cannot carry is refused when the message is accepted (`unsupportedChannel`), by `content::rules`.

mod rules;

use common::{Problem, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(crate) use rules::check_media_kind;
pub use rules::{Carried, TEXT_CHARS, can_quote, can_react};

/// Address cards as they came.
pub type ContactCards = Vec<serde_json::Value>;

/// What a message says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum MessageContent {
    Text {
        text: TextContent,
    },
    Template {
        template: TemplateContent,
    },
    /// A picture, film, sound or document.
    Media {
        media: MediaContent,
    },
    /// A question with answers to tap on.
    Interactive {
        interactive: InteractiveContent,
    },
    Location {
        location: LocationContent,
    },
    /// Address cards, in WhatsApp's form.
    Contacts {
        #[schema(value_type = Vec<ContactCard>)]
        contacts: Vec<serde_json::Value>,
    },
    /// Inbound only: a tap on a button, a row or a quick reply.
    Reply {
        reply: ReplyContent,
    },
    /// Inbound only: a kind that has no form of its own.
    Unsupported {
        unsupported: UnsupportedContent,
    },
    /// Was taken back by its sender; `deletedAt` says when.
    Deleted {},
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TextContent {
    /// 1 to 4096 characters.
    #[schema(min_length = 1, max_length = 4096, example = "Hi Anna, your order is ready for pickup.")]
    pub body: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateContent {
    #[schema(min_length = 1, max_length = 512, example = "order_ready")]
    pub name: String,
    /// Exactly as approved: `en` is not `en_GB`.
    #[schema(example = "en")]
    pub language: String,
    /// Values for the template's variables, in WhatsApp's form.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<TemplateComponent>,
}

/// Values of one part of a template (channels section 2.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TemplateComponent {
    /// `header`, `body` or `button`.
    #[serde(rename = "type")]
    #[schema(example = "body")]
    pub kind: String,
    /// Buttons: `quick_reply`, `url`, `copy_code` or `flow`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_type: Option<String>,
    /// Buttons: the place from 0, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    /// In WhatsApp's form, such as `{"type": "text", "text": "Anna"}`.
    #[serde(default)]
    #[schema(value_type = Vec<TemplateParameter>)]
    pub parameters: Vec<serde_json::Value>,
}

/// One value; which of the fields belong to which `type` is WhatsApp's rule.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "for the documentation: parameters pass through as they came")]
pub struct TemplateParameter {
    #[schema(example = "text", rename = "type")]
    kind: String,
    #[schema(example = "Anna")]
    text: Option<String>,
}

/// A file. To send one, give `mediaId` (preferred) or `url`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MediaContent {
    /// Of an upload, or of a file that a customer sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "mda_01HV8Z6K9D2R4S7T8P5N3Q1M0A")]
    pub media_id: Option<String>,
    /// A public https URL that the provider fetches; shown: where to read the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// In bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_size: Option<i64>,
    /// Inbound only: what the provider calls the file. Ignored on send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_id: Option<String>,
    /// `image`, `document`, `video` or `audio`; needed with `url` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// WhatsApp: a sticker, not a picture.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sticker: bool,
    /// A voice note, not a sound file.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub voice: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MediaType {
    Image,
    Document,
    Video,
    Audio,
}

impl MediaType {
    pub const fn as_str(self) -> &'static str {
        match self {
            MediaType::Image => "image",
            MediaType::Document => "document",
            MediaType::Video => "video",
            MediaType::Audio => "audio",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [MediaType::Image, MediaType::Document, MediaType::Video, MediaType::Audio]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// Reply buttons or a list (WhatsApp); buttons become quick replies on Messenger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InteractiveContent {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    #[schema(example = "Which slot suits you?")]
    pub body: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footer: Option<String>,
    /// One to three; instead of `list`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<InteractiveChoice>,
    /// Instead of `buttons`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<InteractiveList>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InteractiveChoice {
    /// Comes back with the customer's reply.
    #[schema(example = "slot:am")]
    pub id: String,
    #[schema(example = "Morning")]
    pub title: String,
    /// Rows of a list only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InteractiveList {
    /// What the button that opens the list says.
    #[schema(example = "Topics")]
    pub button: String,
    pub sections: Vec<InteractiveSection>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InteractiveSection {
    /// Needed where there are several sections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    pub rows: Vec<InteractiveChoice>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocationContent {
    /// In degrees, -90 to 90.
    pub latitude: f64,
    /// In degrees, -180 to 180.
    pub longitude: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// An address card; which fields there are is WhatsApp's rule (channels section 2.1).
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "for the documentation: cards pass through as they came")]
pub struct ContactCard {
    /// `formatted_name` and one more part of the name.
    #[schema(value_type = std::collections::HashMap<String, String>)]
    name: serde_json::Value,
    /// `{"phone", "type", "wa_id"}` each.
    #[schema(value_type = Vec<std::collections::HashMap<String, String>>)]
    phones: Option<serde_json::Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplyContent {
    /// The `id` of the choice.
    pub id: String,
    /// What the customer saw on it.
    pub title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnsupportedContent {
    /// What the provider calls it.
    #[schema(example = "poll_creation")]
    pub kind: String,
}

impl MessageContent {
    /// What lists of conversations show (contract section 5): of a template its name, of a file its caption
    /// or its type.
    pub fn preview(&self) -> &str {
        match self {
            MessageContent::Text { text } => &text.body,
            MessageContent::Template { template } => &template.name,
            MessageContent::Media { media } => media
                .caption
                .as_deref()
                .or(media.filename.as_deref())
                .unwrap_or(media.media_type.map_or("media", MediaType::as_str)),
            MessageContent::Interactive { interactive } => &interactive.body,
            MessageContent::Location { location } => location.name.as_deref().unwrap_or("location"),
            MessageContent::Contacts { contacts } => contacts
                .first()
                .and_then(|card| card.pointer("/name/formatted_name")?.as_str())
                .unwrap_or("contacts"),
            MessageContent::Reply { reply } => &reply.title,
            MessageContent::Unsupported { unsupported } => &unsupported.kind,
            MessageContent::Deleted {} => "",
        }
    }

    pub(crate) fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| Problem::internal(format!("content: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_keeps_the_published_form() {
        let json = r#"{"type":"template","template":{"name":"order_ready","language":"en"}}"#;
        let content: MessageContent = serde_json::from_str(json).unwrap();
        assert_eq!(content.to_json().unwrap(), json);
        assert_eq!(content.preview(), "order_ready");
        assert!(content.validate().is_ok());
        let empty: MessageContent = serde_json::from_str(r#"{"type":"text","text":{"body":"  "}}"#).unwrap();
        assert_eq!(empty.validate().unwrap_err().errors[0].field, "content.text.body");
        assert!(serde_json::from_str::<MessageContent>(r#"{"type":"fax"}"#).is_err());
        let deleted: MessageContent = serde_json::from_str(r#"{"type":"deleted"}"#).unwrap();
        assert_eq!(deleted.to_json().unwrap(), r#"{"type":"deleted"}"#);
    }
}
