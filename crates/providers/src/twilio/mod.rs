//! SMS through Twilio Programmable Messaging (channels section 6).
//!
//! | file | what |
//! |---|---|
//! | `send` | the send request, its answer, asking for a message |
//! | `errors` | the table of error codes |
//! | `callback` | inbound messages and status callbacks |
//! | `signature` | `X-Twilio-Signature` |
//! | `media` | files that customers sent |
//! | `segments` | how many parts a text takes |

mod callback;
mod errors;
mod media;
mod segments;
mod send;
mod signature;

pub use callback::read_callback;
pub use errors::OPTED_OUT;
pub use media::{media_download, media_redirect};
pub use segments::{Encoding, Segments, segments};
pub use send::{
    From, MEDIA_FILES, Sender, TEXT_CHARS, check, fetch_message, read_answer, read_message, send_request,
};
pub use signature::verify_signature;
