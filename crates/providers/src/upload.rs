//! `multipart/form-data` bodies for uploads (RFC 7578), written so that the file need not be in memory as a whole.

use crate::BuildError;
use http::{HeaderValue, Request, header};

/// A file to upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File<'a> {
    /// `image/jpeg`.
    pub mime: &'a str,
    pub filename: &'a str,
    /// In bytes.
    pub size: u64,
}

/// An upload: the body is `head`, the file's bytes and `tail`.
#[derive(Debug)]
pub struct Upload {
    /// With its `Content-Length` and without a body.
    pub request: Request<()>,
    pub head: Vec<u8>,
    pub tail: Vec<u8>,
}

impl Upload {
    /// The request with its whole body, for files that are in memory.
    pub fn with(self, bytes: &[u8]) -> Request<Vec<u8>> {
        let Upload { request, head, tail } = self;
        request.map(|()| [head.as_slice(), bytes, tail.as_slice()].concat())
    }

    /// A POST to `url` with text fields before the file.
    pub(crate) fn new(
        url: &str,
        authorization: HeaderValue,
        fields: &[(&str, &str)],
        (name, file): (&str, File<'_>),
    ) -> Result<Self, BuildError> {
        let mut random = [0_u8; 16];
        common::id::fill_random(&mut random);
        // Unguessable: a file cannot hold it and so cannot add fields.
        let boundary = hex::encode(random);
        if !is_mime(file.mime) {
            return Err(BuildError::Setting("type of the file"));
        }
        let mut head = String::new();
        for (name, value) in fields {
            head.push_str(&format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            ));
        }
        head.push_str(&format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{}\"\r\nContent-Type: {}\r\n\r\n",
            quoted(file.filename),
            file.mime,
        ));
        let tail = format!("\r\n--{boundary}--\r\n");
        let length = file.size.saturating_add(head.len() as u64).saturating_add(tail.len() as u64);
        let request = Request::post(url)
            .header(header::AUTHORIZATION, authorization)
            .header(header::CONTENT_TYPE, format!("multipart/form-data; boundary={boundary}"))
            .header(header::CONTENT_LENGTH, length)
            .body(())
            .map_err(|_| BuildError::Setting("base URL"))?;
        Ok(Upload { request, head: head.into_bytes(), tail: tail.into_bytes() })
    }
}

fn is_mime(text: &str) -> bool {
    text.contains('/') && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
}

/// A file name inside quotes, as browsers write it.
fn quoted(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '"' => out.push_str("%22"),
            '\r' => out.push_str("%0D"),
            '\n' => out.push_str("%0A"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    if out.is_empty() { "file".into() } else { out }
}
