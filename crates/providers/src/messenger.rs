//! Messenger Platform (channels section 4). Its error table, answers and events are those of
//! [`crate::graph`]'s pages, which Instagram shares.

use crate::graph::Sender;
use crate::graph::page_send::{self, Dialect};
use crate::{BuildError, Envelope};
use http::Request;

pub use crate::graph::page_events::read as read_callback;
pub use crate::graph::page_send::{read_action_answer, read_answer};

/// Longest text, in characters: under 2000.
const TEXT_CHARS: usize = 1999;

const DIALECT: Dialect = Dialect {
    always_typed: true,
    is_messenger: true,
    fits: |text| text.chars().count() <= TEXT_CHARS,
    too_long: "a text of 2000 characters or more",
};

/// Builds the send request; for [`crate::Outgoing::Reaction`] a sender action, read by [`read_action_answer`].
///
/// # Errors
/// A setting of the sender cannot stand in a URL or a header, or Messenger cannot carry the content.
pub fn send_request(sender: &Sender, envelope: &Envelope<'_>) -> Result<Request<Vec<u8>>, BuildError> {
    page_send::send_request(DIALECT, sender, envelope)
}
