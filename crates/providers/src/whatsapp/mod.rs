//! WhatsApp Cloud API (channels sections 1 to 3).
//!
//! | file | what |
//! |---|---|
//! | `send` | the send request and its answer |
//! | `errors` | the table of error codes: class and public reason |
//! | `callback` | the handshake, the signature, events |

mod callback;
mod errors;
mod send;

pub use callback::{Event, handshake, read_callback, verify_signature};
pub use errors::PAIR_LIMIT;
pub use send::{Sender, read_answer, send_request};

#[cfg(test)]
pub(crate) mod fixtures {
    //! The bodies of `tests/fixtures/whatsapp`, as they are on the wire: compact.

    /// Removes the white space between tokens.
    pub fn compact(indented: &str) -> String {
        let (mut out, mut in_text, mut escaped) = (String::new(), false, false);
        for c in indented.chars() {
            if in_text || !c.is_ascii_whitespace() {
                out.push(c);
            }
            match c {
                _ if escaped => escaped = false,
                '\\' if in_text => escaped = true,
                '"' => in_text = !in_text,
                _ => {}
            }
        }
        out
    }

    /// A fixture by its name without `.json`.
    pub fn read(name: &str) -> String {
        let path = format!("{}/tests/fixtures/whatsapp/{name}.json", env!("CARGO_MANIFEST_DIR"));
        compact(&std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}")))
    }
}
