//! Files: upload, information, download (channels section 2.6).

use super::errors;
use crate::graph::Sender;
use crate::graph::answer;
use crate::json::{id, text};
use crate::{BuildError, Failure, File, Upload};
use http::{HeaderMap, Request};
use serde_json::Value;

/// Where WhatsApp serves files from.
pub const MEDIA_HOSTS: &[&str] = &["lookaside.fbsbx.com"];

/// Builds the upload of a file. Its id lives 30 days.
///
/// # Errors
/// A setting of the sender, or the file's type, cannot stand in a request.
pub fn upload_media(sender: &Sender, file: File<'_>) -> Result<Upload, BuildError> {
    Upload::new(
        &sender.edge("media")?,
        sender.bearer()?,
        &[("messaging_product", "whatsapp"), ("type", file.mime)],
        ("file", file),
    )
}

/// The media id in the answer to an upload.
///
/// # Errors
/// Why there is none.
pub fn read_upload(status: u16, headers: &HeaderMap, body: &[u8]) -> Result<String, Failure> {
    answer::read_as(errors::TABLE, (status, headers, body), |json| id(json, "id"))
}

/// Asks where a file is. The id must belong to the sender's number.
///
/// # Errors
/// A setting of the sender, or the id, cannot stand in a URL.
pub fn media_info(sender: &Sender, media_id: &str) -> Result<Request<Vec<u8>>, BuildError> {
    sender.get(sender.url(media_id, "", &[("phone_number_id", &sender.node)])?)
}

/// Where a file is and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaInfo {
    /// Lives five minutes, and needs the access token: [`media_download`].
    pub url: String,
    pub mime: Option<String>,
    /// Lowercase hex, where the provider says it.
    pub sha256: Option<String>,
    /// In bytes.
    pub size: Option<u64>,
}

/// Reads the answer to [`media_info`].
///
/// # Errors
/// Why there is none.
pub fn read_media_info(status: u16, headers: &HeaderMap, body: &[u8]) -> Result<MediaInfo, Failure> {
    answer::read_as(errors::TABLE, (status, headers, body), |json: &Value| {
        Some(MediaInfo {
            url: text(json, "url")?,
            mime: text(json, "mime_type"),
            sha256: text(json, "sha256"),
            size: crate::json::number(json, "file_size").and_then(|size| size.try_into().ok()),
        })
    })
}

/// Builds the download of a file. The URL comes from outside and gets the access token: its host must be allowed.
///
/// `allowed` are host names, to be called by https ([`MEDIA_HOSTS`]), or whole origins such as
/// `http://sandbox.spin.internal`. On a 404 ask for a new URL once.
///
/// # Errors
/// The URL is none, or of another host.
pub fn media_download(sender: &Sender, url: &str, allowed: &[&str]) -> Result<Request<Vec<u8>>, BuildError> {
    if !crate::hosts::is_allowed(url, allowed) {
        return Err(BuildError::Setting("address of the file"));
    }
    sender.get(url.to_string())
}
