//! WhatsApp Cloud API (channels sections 1 to 3).
//!
//! | file | what |
//! |---|---|
//! | `send` | the send request and its answer |
//! | `body` | the members of a message, in order |
//! | `limits` | what can be sent |
//! | `errors` | the table of error codes: class and public reason |
//! | `media` | upload, information, download |
//! | `account` | templates and phone numbers of a business account |
//! | `callback` | events |
//! | `content` | what a customer sent |
//! | `people` | who wrote |
//! | `read` | marks of reading |

mod account;
mod body;
mod callback;
mod content;
mod errors;
mod limits;
mod media;
mod people;
mod read;
mod send;

pub use crate::graph::{Page, Sender};
pub use account::{
    PhoneNumber, Template, phone_numbers_page, read_phone_numbers_page, read_templates_page, templates_page,
};
pub use callback::read_callback;
pub use errors::OPTED_OUT;
pub use media::{
    MEDIA_HOSTS, MediaInfo, media_download, media_info, read_media_info, read_upload, upload_media,
};
pub use read::{mark_read, read_mark_answer};
pub use send::{read_answer, send_request};
