//! The members of a message, in the order of the documentation (channels section 2.1).

use super::limits;
use crate::ordered::InOrder;
use crate::{
    BuildError, Choice, Choices, Envelope, Interactive, Media, MediaKind, MediaSource, Outgoing, Section,
};
use serde::Serialize;
use serde_json::Value;

#[derive(Serialize)]
pub struct Message<'a> {
    messaging_product: &'static str,
    recipient_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient: Option<&'a str>,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Context<'a>>,
    #[serde(flatten)]
    content: Content<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    biz_opaque_callback_data: &'a str,
}

#[derive(Serialize)]
struct Context<'a> {
    message_id: &'a str,
}

/// The member that carries the content has the name of the type.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Content<'a> {
    Text { preview_url: bool, body: &'a str },
    Template(Template<'a>),
    Image(File<'a>),
    Video(File<'a>),
    Audio(File<'a>),
    Document(File<'a>),
    Sticker(File<'a>),
    Reaction { message_id: &'a str, emoji: &'a str },
    Interactive(InteractiveBody<'a>),
    Location(Location<'a>),
    Contacts(Vec<InOrder<'a>>),
}

impl Content<'_> {
    const fn kind(&self) -> &'static str {
        match self {
            Content::Text { .. } => "text",
            Content::Template(_) => "template",
            Content::Image(_) => "image",
            Content::Video(_) => "video",
            Content::Audio(_) => "audio",
            Content::Document(_) => "document",
            Content::Sticker(_) => "sticker",
            Content::Reaction { .. } => "reaction",
            Content::Interactive(_) => "interactive",
            Content::Location(_) => "location",
            Content::Contacts(_) => "contacts",
        }
    }
}

#[derive(Serialize)]
struct Template<'a> {
    name: &'a str,
    language: Language<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    components: Vec<InOrder<'a>>,
}

#[derive(Serialize)]
struct Language<'a> {
    code: &'a str,
}

#[derive(Serialize)]
struct File<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caption: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    voice: bool,
}

#[derive(Serialize)]
struct Location<'a> {
    latitude: f64,
    longitude: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
}

#[derive(Serialize)]
struct InteractiveBody<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<Header<'a>>,
    body: Words<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    footer: Option<Words<'a>>,
    action: Action<'a>,
}

#[derive(Serialize)]
struct Header<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    text: &'a str,
}

#[derive(Serialize)]
struct Words<'a> {
    text: &'a str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Action<'a> {
    Buttons { buttons: Vec<Button<'a>> },
    List { button: &'a str, sections: Vec<Rows<'a>> },
}

#[derive(Serialize)]
struct Button<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    reply: Reply<'a>,
}

#[derive(Serialize)]
struct Reply<'a> {
    id: &'a str,
    title: &'a str,
}

#[derive(Serialize)]
struct Rows<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    rows: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
}

/// The body of a send request.
pub fn message<'a>(envelope: &Envelope<'a>) -> Result<Message<'a>, BuildError> {
    let Envelope { to, reference, reply_to, content, .. } = *envelope;
    limits::check(content)?;
    let is_user_id = is_business_scoped_user_id(to);
    let content = self::content(content);
    Ok(Message {
        messaging_product: "whatsapp",
        recipient_type: "individual",
        to: (!is_user_id).then_some(to),
        recipient: is_user_id.then_some(to),
        kind: content.kind(),
        context: reply_to.map(|message_id| Context { message_id }),
        content,
        biz_opaque_callback_data: reference,
    })
}

/// `US.7K2Q9D4M1X8Z55`: two letters, a dot, the rest (channels section 3.1).
fn is_business_scoped_user_id(text: &str) -> bool {
    text.split_once('.')
        .is_some_and(|(country, _)| country.len() == 2 && country.bytes().all(|b| b.is_ascii_alphabetic()))
}

fn content(content: &Outgoing) -> Content<'_> {
    match content {
        Outgoing::Text { body, preview_url } => Content::Text { preview_url: *preview_url, body },
        Outgoing::Template { name, language, components } => Content::Template(Template {
            name,
            language: Language { code: language },
            components: in_order(components),
        }),
        Outgoing::Media(media) => file(media),
        Outgoing::Reaction { message_id, emoji } => {
            Content::Reaction { message_id, emoji: emoji.as_deref().unwrap_or_default() }
        }
        Outgoing::Interactive(interactive) => Content::Interactive(self::interactive(interactive)),
        Outgoing::Location { latitude, longitude, name, address } => Content::Location(Location {
            latitude: *latitude,
            longitude: *longitude,
            name: name.as_deref(),
            address: address.as_deref(),
        }),
        Outgoing::Contacts(cards) => Content::Contacts(in_order(cards)),
    }
}

fn in_order(values: &[Value]) -> Vec<InOrder<'_>> {
    values.iter().map(InOrder).collect()
}

fn file(media: &Media) -> Content<'_> {
    let (id, link) = match &media.source {
        MediaSource::Id(id) => (Some(id.as_str()), None),
        MediaSource::Link(link) => (None, Some(link.as_str())),
    };
    let is_document = media.kind == MediaKind::Document;
    let file = File {
        id,
        link,
        filename: media.filename.as_deref().filter(|_| is_document),
        caption: media.caption.as_deref(),
        voice: media.voice && media.kind == MediaKind::Audio,
    };
    match media.kind {
        _ if media.sticker => Content::Sticker(file),
        MediaKind::Image => Content::Image(file),
        MediaKind::Video => Content::Video(file),
        MediaKind::Audio => Content::Audio(file),
        MediaKind::Document => Content::Document(file),
    }
}

fn interactive(interactive: &Interactive) -> InteractiveBody<'_> {
    let (kind, action) = match &interactive.choices {
        Choices::Buttons(buttons) => {
            ("button", Action::Buttons { buttons: buttons.iter().map(button).collect() })
        }
        Choices::List { button, sections } => {
            ("list", Action::List { button, sections: sections.iter().map(rows).collect() })
        }
    };
    InteractiveBody {
        kind,
        header: interactive.header.as_deref().map(|text| Header { kind: "text", text }),
        body: Words { text: &interactive.body },
        footer: interactive.footer.as_deref().map(|text| Words { text }),
        action,
    }
}

fn button(choice: &Choice) -> Button<'_> {
    Button { kind: "reply", reply: Reply { id: &choice.id, title: &choice.title } }
}

fn rows(section: &Section) -> Rows<'_> {
    Rows { title: section.title.as_deref(), rows: section.rows.iter().map(row).collect() }
}

fn row(Choice { id, title, description }: &Choice) -> Row<'_> {
    Row { id, title, description: description.as_deref() }
}
