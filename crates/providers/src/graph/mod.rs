//! What WhatsApp, Messenger and Instagram share: Meta's Graph API (channels section 1).
//!
//! | file | what |
//! |---|---|
//! | `request` | who sends, URLs, `appsecret_proof`, GET and POST |
//! | `answer` | error objects, waiting times, pages |
//! | `callback` | the handshake and the signature |
//! | `page_send` | messages of Messenger and Instagram |
//! | `page_errors` | their error table |
//! | `page_events` | their callbacks |
//! | `page_attachments` | what a callback's message holds |

pub(crate) mod answer;
mod callback;
mod page_attachments;
pub(crate) mod page_errors;
pub(crate) mod page_events;
pub(crate) mod page_send;
pub(crate) mod request;

pub use answer::Page;
pub use callback::{handshake, verify_signature};
pub use request::Sender;
