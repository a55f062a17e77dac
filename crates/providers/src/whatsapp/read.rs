//! Telling a customer that their message was read, and that somebody writes (channels section 2.3).

use super::errors;
use crate::graph::{Sender, answer};
use crate::{BuildError, Failure};
use http::{HeaderMap, Request};
use serde::Serialize;

#[derive(Serialize)]
struct Read<'a> {
    messaging_product: &'static str,
    status: &'static str,
    message_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    typing_indicator: Option<Typing>,
}

#[derive(Serialize)]
struct Typing {
    #[serde(rename = "type")]
    kind: &'static str,
}

/// Marks a customer's message, and those before it, as read; with `typing` shows that we write, until our next
/// message or for 25 seconds.
///
/// # Errors
/// A setting of the sender cannot stand in a URL or a header.
pub fn mark_read(sender: &Sender, message_id: &str, typing: bool) -> Result<Request<Vec<u8>>, BuildError> {
    let typing_indicator = typing.then_some(Typing { kind: "text" });
    let read = Read { messaging_product: "whatsapp", status: "read", message_id, typing_indicator };
    sender.post(sender.edge("messages")?, &read)
}

/// Reads the answer to [`mark_read`].
///
/// # Errors
/// Why it was refused.
pub fn read_mark_answer(status: u16, headers: &HeaderMap, body: &[u8]) -> Result<(), Failure> {
    answer::read(errors::TABLE, status, headers, body).map(drop)
}
