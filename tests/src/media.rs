//! Files: forms as clients write them, and small files of each kind.

use crate::client::{Answer, Client, text};
use http::Method;

/// Ends no file of a test.
pub const BOUNDARY: &str = "----flownally-tests-7MA4YWxkTrZu0gW";

/// What a client sends as `Content-Type` of the whole form.
pub fn form_type() -> String {
    format!("multipart/form-data; boundary={BOUNDARY}")
}

/// The beginning of a form with one part: what comes before the file's bytes.
pub fn form_head(field: &str, filename: &str, kind: &str) -> String {
    let kind = if kind.is_empty() { String::new() } else { format!("Content-Type: {kind}\r\n") };
    format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{filename}\"\r\n{kind}\r\n"
    )
}

/// The end of a form.
pub fn form_tail() -> String {
    format!("\r\n--{BOUNDARY}--\r\n")
}

/// A form with one file in the field `file`; an empty `kind` sends no `Content-Type` for it.
pub fn form(filename: &str, kind: &str, bytes: &[u8]) -> Vec<u8> {
    [form_head("file", filename, kind).as_bytes(), bytes, form_tail().as_bytes()].concat()
}

/// Uploads a file and gives the answer, checked against the document.
pub fn try_upload(client: &Client, filename: &str, kind: &str, bytes: &[u8]) -> Answer {
    send_form(client, &form(filename, kind, bytes))
}

/// Sends a form as it is.
pub fn send_form(client: &Client, body: &[u8]) -> Answer {
    let path = "/v1/media/uploads";
    let answer = client
        .raw(&Method::POST, path, Some(&form_type()), body)
        .unwrap_or_else(|error| panic!("the upload of {} bytes: {error}", body.len()));
    crate::document::check(&Method::POST, path, &answer);
    answer
}

/// Uploads a file: its id.
#[track_caller]
pub fn upload(client: &Client, filename: &str, kind: &str, bytes: &[u8]) -> String {
    text(&try_upload(client, filename, kind, bytes).expect(201), "mediaId")
}

/// A PNG of one pixel.
pub const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\0\x05\0\x01\xff\x89\x99=\x1d\0\0\0\0IEND\xaeB`\x82";
/// The head of a JPEG.
pub const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xd9";
/// A PDF without pages.
pub const PDF: &[u8] = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n";
/// The head of a film.
pub const MP4: &[u8] = b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2\0\0\0\x08free\0\0\0\x08mdat";
/// The head of a voice note.
pub const OGG: &[u8] =
    b"OggS\0\x02\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x01\x13OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0";
