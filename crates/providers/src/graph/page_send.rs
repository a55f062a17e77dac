//! Requests and answers of Messenger and Instagram, which differ in details only (channels sections 4.1 and 5.1).

use super::answer::{self, read_send};
use super::{Sender, page_errors};
use crate::json::{id, text};
use crate::{
    BuildError, Choice, Choices, Envelope, Failure, Interactive, Media, MediaKind, MediaSource, Outgoing,
    SendResult, State,
};
use http::{HeaderMap, Request};
use serde::Serialize;

/// How the two differ.
#[derive(Clone, Copy)]
pub(crate) struct Dialect {
    /// Messenger names the kind of message also inside the window.
    pub always_typed: bool,
    /// Gives our id back in echoes, quotes messages and keeps files that were sent by link.
    pub is_messenger: bool,
    /// Whether a text is short enough.
    pub fits: fn(&str) -> bool,
    /// What a longer one is.
    pub too_long: &'static str,
}

/// Most quick replies.
const BUTTONS: usize = 13;
/// Longest title of a quick reply, in characters.
const BUTTON_TITLE_CHARS: usize = 20;
/// Longest id of a quick reply, in characters.
const BUTTON_ID_CHARS: usize = 1000;

/// A request about a message or with one.
#[derive(Serialize)]
#[serde(untagged)]
enum Body<'a> {
    Message(Box<Message<'a>>),
    Action(Action<'a>),
}

#[derive(Serialize)]
struct Message<'a> {
    recipient: Recipient<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    messaging_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<&'static str>,
    message: Content<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<ReplyTo<'a>>,
}

#[derive(Serialize)]
struct Action<'a> {
    recipient: Recipient<'a>,
    sender_action: &'static str,
    payload: ReactionOn<'a>,
}

#[derive(Serialize)]
struct ReactionOn<'a> {
    message_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reaction: Option<&'a str>,
}

#[derive(Serialize)]
struct Recipient<'a> {
    id: &'a str,
}

#[derive(Serialize)]
struct ReplyTo<'a> {
    mid: &'a str,
}

#[derive(Serialize)]
struct Content<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attachment: Option<Attachment<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    quick_replies: Vec<QuickReply<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    metadata: &'a str,
}

#[derive(Serialize)]
struct Attachment<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    payload: Payload<'a>,
}

#[derive(Serialize)]
struct Payload<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_reusable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    attachment_id: Option<&'a str>,
}

#[derive(Serialize)]
struct QuickReply<'a> {
    content_type: &'static str,
    title: &'a str,
    payload: &'a str,
}

/// Whether the channel can carry this content.
fn check(dialect: Dialect, content: &Outgoing) -> Result<(), BuildError> {
    let unsupported = |what| Err(BuildError::Unsupported(what));
    match content {
        Outgoing::Text { body, .. } if (dialect.fits)(body) => Ok(()),
        Outgoing::Text { .. } => unsupported(dialect.too_long),
        Outgoing::Media(Media { caption: Some(_), .. }) => {
            unsupported("a file with a caption: send the text as a message of its own")
        }
        Outgoing::Media(Media { sticker: true, .. }) => unsupported("stickers"),
        Outgoing::Media(_) | Outgoing::Reaction { .. } => Ok(()),
        Outgoing::Interactive(interactive) => {
            let Choices::Buttons(buttons) = &interactive.choices else { return unsupported("lists") };
            if !(dialect.fits)(&question(interactive)) {
                return unsupported(dialect.too_long);
            }
            if !(1..=BUTTONS).contains(&buttons.len()) {
                return unsupported("other than one to 13 buttons");
            }
            let fits = |Choice { id, title, .. }: &Choice| {
                title.chars().count() <= BUTTON_TITLE_CHARS && id.chars().count() <= BUTTON_ID_CHARS
            };
            if buttons.iter().all(fits) {
                return Ok(());
            }
            unsupported("a button with more than 20 characters, or an id of more than 1000")
        }
        Outgoing::Template { .. } => unsupported("templates"),
        Outgoing::Location { .. } => unsupported("locations"),
        Outgoing::Contacts(_) => unsupported("address cards"),
    }
}

/// Quick replies have a text only: header and footer go above and below it.
fn question(Interactive { header, body, footer, .. }: &Interactive) -> String {
    let parts = [header.as_deref(), Some(body.as_str()), footer.as_deref()];
    parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// Builds the send request.
///
/// # Errors
/// A setting of the sender cannot stand in a URL or a header, or the channel cannot carry the content.
pub(crate) fn send_request(
    dialect: Dialect,
    sender: &Sender,
    envelope: &Envelope<'_>,
) -> Result<Request<Vec<u8>>, BuildError> {
    sender.post(sender.edge("messages")?, &body(dialect, envelope)?)
}

fn body<'a>(dialect: Dialect, envelope: &Envelope<'a>) -> Result<Body<'a>, BuildError> {
    let Envelope { to, reference, reply_to, human_agent, content } = *envelope;
    check(dialect, content)?;
    let recipient = Recipient { id: to };
    let (text, attachment, quick_replies) = match content {
        Outgoing::Text { body, .. } => (Some(body.clone()), None, Vec::new()),
        Outgoing::Media(media) => (None, Some(attachment(dialect, media.kind, &media.source)), Vec::new()),
        Outgoing::Interactive(interactive) => {
            (Some(question(interactive)), None, quick_replies(&interactive.choices))
        }
        Outgoing::Reaction { message_id, emoji } => {
            let sender_action = if emoji.is_some() { "react" } else { "unreact" };
            let payload = ReactionOn { message_id, reaction: emoji.as_deref() };
            return Ok(Body::Action(Action { recipient, sender_action, payload }));
        }
        _ => return Err(BuildError::Unsupported("this content")),
    };
    let metadata = if dialect.is_messenger { reference } else { "" };
    let (messaging_type, tag) = match (human_agent, dialect.always_typed) {
        (true, _) => (Some("MESSAGE_TAG"), Some("HUMAN_AGENT")),
        (false, true) => (Some("RESPONSE"), None),
        (false, false) => (None, None),
    };
    Ok(Body::Message(Box::new(Message {
        recipient,
        messaging_type,
        tag,
        message: Content { text, attachment, quick_replies, metadata },
        reply_to: reply_to.filter(|_| dialect.is_messenger).map(|mid| ReplyTo { mid }),
    })))
}

fn attachment(dialect: Dialect, kind: MediaKind, source: &MediaSource) -> Attachment<'_> {
    let kind = match kind {
        MediaKind::Image => "image",
        MediaKind::Video => "video",
        MediaKind::Audio => "audio",
        MediaKind::Document => "file",
    };
    let payload = match source {
        MediaSource::Link(url) => {
            Payload { url: Some(url), is_reusable: dialect.is_messenger, attachment_id: None }
        }
        MediaSource::Id(id) => Payload { url: None, is_reusable: false, attachment_id: Some(id) },
    };
    Attachment { kind, payload }
}

fn quick_replies(choices: &Choices) -> Vec<QuickReply<'_>> {
    let Choices::Buttons(buttons) = choices else { return Vec::new() };
    buttons.iter().map(quick_reply).collect()
}

fn quick_reply(Choice { id, title, .. }: &Choice) -> QuickReply<'_> {
    QuickReply { content_type: "text", title, payload: id }
}

/// Reads the answer to a message: it has been sent (channels section 8.1).
pub fn read_answer(status: u16, headers: &HeaderMap, body: &[u8]) -> SendResult {
    read_send(page_errors::TABLE, (status, headers, body), |json| {
        Some(SendResult::Accepted {
            provider_id: text(json, "message_id")?,
            recipient_id: id(json, "recipient_id"),
            state: Some(State::Sent),
        })
    })
}

/// Reads the answer to a sender action, such as a reaction: it has no message id.
///
/// # Errors
/// Why it was refused.
pub fn read_action_answer(status: u16, headers: &HeaderMap, body: &[u8]) -> Result<(), Failure> {
    answer::read(page_errors::TABLE, status, headers, body).map(drop)
}
