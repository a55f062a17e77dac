//! Files that customers sent (channels section 6.3).

use super::Sender;
use crate::BuildError;
use http::{Request, header};

/// Builds the download of a file that a customer sent. Its URL comes from outside and gets our credentials: its host
/// must be allowed, by name (https) or as a whole origin. The answer may redirect to another host, which must not
/// get them.
///
/// # Errors
/// The URL is none, or of another host.
pub fn media_download(sender: &Sender, url: &str, allowed: &[&str]) -> Result<Request<Vec<u8>>, BuildError> {
    if !crate::hosts::is_allowed(url, allowed) {
        return Err(BuildError::Setting("address of the file"));
    }
    Request::get(url)
        .header(header::AUTHORIZATION, sender.basic()?)
        .body(Vec::new())
        .map_err(|_| BuildError::Setting("address of the file"))
}
