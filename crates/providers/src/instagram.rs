//! Instagram messaging (channels section 5), through a linked Page or with Instagram Login: the base URL and the
//! sender's node tell them apart, the bodies are the same. Its error table, answers and events are those of
//! [`crate::graph`]'s pages, which Messenger shares.

use crate::graph::Sender;
use crate::graph::page_send::{self, Dialect};
use crate::{BuildError, Envelope};
use http::Request;

pub use crate::graph::page_events::read as read_callback;
pub use crate::graph::page_send::{read_action_answer, read_answer};

/// Longest text, in bytes of UTF-8, not characters.
const TEXT_BYTES: usize = 1000;

const DIALECT: Dialect = Dialect {
    always_typed: false,
    is_messenger: false,
    fits: |text| text.len() <= TEXT_BYTES,
    too_long: "a text of more than 1000 bytes",
};

/// Builds the send request. Instagram quotes nothing: `reply_to` is left out. For [`crate::Outgoing::Reaction`]
/// it is a sender action, read by [`read_action_answer`].
///
/// # Errors
/// A setting of the sender cannot stand in a URL or a header, or Instagram cannot carry the content.
pub fn send_request(sender: &Sender, envelope: &Envelope<'_>) -> Result<Request<Vec<u8>>, BuildError> {
    page_send::send_request(DIALECT, sender, envelope)
}
