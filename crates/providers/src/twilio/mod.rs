//! SMS through Twilio Programmable Messaging (channels section 6).
//!
//! | file | what |
//! |---|---|
//! | `send` | the send request and its answer |
//! | `errors` | the table of error codes |
//! | `callback` | inbound messages and status callbacks |
//! | `signature` | `X-Twilio-Signature` |
//! | `media` | files that customers sent |

mod callback;
mod errors;
mod media;
mod send;
mod signature;

pub use callback::read_callback;
pub use errors::OPTED_OUT;
pub use media::media_download;
pub use send::{From, Sender, read_answer, send_request};
pub use signature::verify_signature;
