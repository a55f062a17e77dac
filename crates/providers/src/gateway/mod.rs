//! Any other SMS gateway, driven by settings (channels section 7).
//!
//! | file | what |
//! |---|---|
//! | `settings` | what can be set, and its defaults: the canonical shape |
//! | `validate` | what is wrong with settings |
//! | `send` | the send request |
//! | `answer` | its answer |
//! | `callback` | delivery reports and inbound messages |
//! | `signature` | where callbacks come from |
//! | `path` | finding and putting values in JSON |

mod answer;
mod callback;
mod path;
mod send;
mod settings;
mod signature;
mod validate;

pub use answer::read_answer;
pub use callback::{read_inbound, read_report};
pub use send::{Sender, send_request};
pub use settings::{
    Algorithm, Answer, Auth, CallbackAuth, Encoding, ErrorRule, Format, InboundFields, Method, Numbers,
    ReportFields, ReportState, SendFields, Settings,
};
pub use signature::verify_signature;
