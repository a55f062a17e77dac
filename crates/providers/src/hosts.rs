//! Which hosts may get our credentials.

use url::Url;

/// Whether a URL is on one of the hosts (by https, on its own port) or origins (`http://host:port`).
pub fn is_allowed(url: &str, allowed: &[&str]) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    if !url.username().is_empty() || url.password().is_some() {
        return false;
    }
    allowed.iter().any(|allowed| {
        let origin = if allowed.contains("://") {
            Url::parse(allowed)
        } else {
            Url::parse(&format!("https://{allowed}"))
        };
        origin.is_ok_and(|origin| origin.has_host() && origin.origin() == url.origin())
    })
}
