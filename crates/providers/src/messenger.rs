//! Messenger Platform (channels section 4). Its error table, answers and events are those of
//! [`crate::graph`]'s pages, which Instagram shares.

use crate::graph::page_send::{self, Dialect};
use crate::graph::{Sender, page_events};
use crate::{
    BuildError, CallbackError, Envelope, Event, Failure, MediaKind, MediaSource, Outgoing, SendResult,
};
use http::{HeaderMap, Request};

pub use crate::graph::{handshake, verify_signature};

/// Longest text, in characters: under 2000.
pub const TEXT_CHARS: usize = 1999;
/// Most buttons of an interactive message: they become quick replies.
pub const BUTTONS: usize = page_send::BUTTONS;
/// Longest title of a button, in characters.
pub const BUTTON_TITLE_CHARS: usize = page_send::BUTTON_TITLE_CHARS;
/// Longest id of a button, in characters.
pub const BUTTON_ID_CHARS: usize = page_send::BUTTON_ID_CHARS;
/// Largest file, in bytes.
pub const FILE_BYTES: u64 = 25_000_000;

const DIALECT: Dialect = Dialect {
    always_typed: true,
    is_messenger: true,
    fits: |text| text.chars().count() <= TEXT_CHARS,
    too_long: "a text of 2000 characters or more",
};

/// Whether Messenger can carry this content.
///
/// # Errors
/// [`BuildError::Unsupported`] names what it cannot carry.
pub fn check(content: &Outgoing) -> Result<(), BuildError> {
    page_send::check(DIALECT, content)
}

/// Builds the send request; for [`Outgoing::Reaction`] a sender action, read by [`read_action_answer`].
///
/// # Errors
/// A setting of the sender cannot stand in a URL or a header, or Messenger cannot carry the content.
pub fn send_request(sender: &Sender, envelope: &Envelope<'_>) -> Result<Request<Vec<u8>>, BuildError> {
    sender.post(sender.edge("messages")?, &page_send::body(DIALECT, envelope)?)
}

/// Reads the answer to a message.
pub fn read_answer(status: u16, headers: &HeaderMap, body: &[u8]) -> SendResult {
    page_send::read_answer(status, headers, body)
}

/// Reads the answer to a sender action, such as a reaction: it has no message id.
///
/// # Errors
/// Why it was refused.
pub fn read_action_answer(status: u16, headers: &HeaderMap, body: &[u8]) -> Result<(), Failure> {
    page_send::read_action_answer(status, headers, body)
}

/// Builds the upload of a file that Messenger fetches from `link`, to send by id later.
///
/// # Errors
/// A setting of the sender cannot stand in a URL or a header.
pub fn upload_attachment(
    sender: &Sender,
    kind: MediaKind,
    link: &str,
) -> Result<Request<Vec<u8>>, BuildError> {
    let source = MediaSource::Link(link.into());
    sender.post(sender.edge("message_attachments")?, &page_send::upload(kind, &source, DIALECT))
}

/// The attachment id in the answer to an upload, or to a message with a file by link.
///
/// # Errors
/// Why there is none.
pub fn read_attachment(status: u16, headers: &HeaderMap, body: &[u8]) -> Result<String, Failure> {
    page_send::read_attachment(status, headers, body)
}

/// Reads a callback whose signature was checked.
///
/// # Errors
/// Only a body that is no JSON. What is not understood becomes [`Event::Other`].
pub fn read_callback(raw: &[u8]) -> Result<Vec<Event>, CallbackError> {
    page_events::read(raw)
}
