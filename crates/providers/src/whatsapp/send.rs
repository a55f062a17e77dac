//! Sending: `POST /{phone-number-id}/messages` (channels sections 2.1, 2.2 and 2.4).

use super::{body, errors};
use crate::graph::{Sender, answer};
use crate::json::text;
use crate::{BuildError, Envelope, SendResult};
use http::{HeaderMap, Request};
use serde_json::Value;

/// Builds the send request.
///
/// `to` is a phone number (digits, `+` allowed) or a business-scoped user id.
///
/// # Errors
/// A setting of the sender cannot stand in a URL or a header, or WhatsApp cannot carry the content.
pub fn send_request(sender: &Sender, envelope: &Envelope<'_>) -> Result<Request<Vec<u8>>, BuildError> {
    sender.post(sender.edge("messages")?, &body::message(envelope)?)
}

/// Reads the answer to a send request.
pub fn read_answer(status: u16, headers: &HeaderMap, body: &[u8]) -> SendResult {
    answer::read_send(errors::TABLE, (status, headers, body), accepted)
}

fn accepted(json: &Value) -> Option<SendResult> {
    let provider_id = text(json.pointer("/messages/0")?, "id")?;
    let contact = json.pointer("/contacts/0");
    let recipient_id =
        contact.and_then(|contact| text(contact, "wa_id").or_else(|| text(contact, "user_id")));
    Some(SendResult::Accepted { provider_id, recipient_id, state: None })
}
