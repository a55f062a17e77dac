//! Files that customers sent (channels section 6.3).

use super::Sender;
use crate::BuildError;
use http::{Request, header};
use url::Url;

/// Builds the download of a file that a customer sent. Its URL comes from outside and gets our credentials: its host
/// must be allowed, by name (https) or as a whole origin. The answer may redirect to another host: follow it with
/// [`media_redirect`].
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

/// Builds the request for where a download was redirected to, without credentials. `url` is the address that
/// redirected, `location` the header of its answer.
///
/// # Errors
/// The location is no http address.
pub fn media_redirect(url: &str, location: &str) -> Result<Request<Vec<u8>>, BuildError> {
    let refused = || BuildError::Setting("address of the file");
    let target = Url::parse(url).and_then(|url| url.join(location)).map_err(|_| refused())?;
    if !matches!(target.scheme(), "https" | "http") || !target.username().is_empty() {
        return Err(refused());
    }
    Request::get(target.as_str()).body(Vec::new()).map_err(|_| refused())
}
