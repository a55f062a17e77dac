//! The `spin-*` headers by which a component learns how a request reached it. Those that a client
//! sent are removed: a component must be able to believe them.
use crate::allowed_hosts::service_chaining_target;
use crate::routes::{Captures, Route};
use http::{HeaderMap, HeaderName, HeaderValue, Request, header};

const PATH_INFO: HeaderName = HeaderName::from_static("spin-path-info");
const FULL_URL: HeaderName = HeaderName::from_static("spin-full-url");
const MATCHED_ROUTE: HeaderName = HeaderName::from_static("spin-matched-route");
const BASE_PATH: HeaderName = HeaderName::from_static("spin-base-path");
const RAW_COMPONENT_ROUTE: HeaderName = HeaderName::from_static("spin-raw-component-route");
const COMPONENT_ROUTE: HeaderName = HeaderName::from_static("spin-component-route");
const CLIENT_ADDR: HeaderName = HeaderName::from_static("spin-client-addr");
/// What the header of a `:name` segment starts with.
const PATH_MATCH_PREFIX: &str = "spin-path-match-";
/// What all of them start with.
const PREFIX: &str = "spin-";

/// The route that a component reached by service chaining sees: everything.
const CHAINED_ROUTE: HeaderValue = HeaderValue::from_static("/...");
/// The client that it sees.
const CHAINED_CLIENT: HeaderValue = HeaderValue::from_static("0.0.0.0:0");

/// Sets the headers for a request that came through a route. The URI must be complete.
pub fn set<B>(request: &mut Request<B>, route: &Route, captures: &Captures<'_>, client: HeaderValue) {
    let full_url = value(&request.uri().to_string());
    let headers = request.headers_mut();
    remove(headers);
    headers.insert(PATH_INFO, value(&captures.rest));
    headers.insert(FULL_URL, full_url);
    headers.insert(MATCHED_ROUTE, route.pattern.clone());
    headers.insert(BASE_PATH, HeaderValue::from_static("/"));
    headers.insert(RAW_COMPONENT_ROUTE, route.pattern.clone());
    headers.insert(COMPONENT_ROUTE, route.prefix.clone());
    headers.insert(CLIENT_ADDR, client);
    for (name, found) in &captures.parameters {
        let name = format!("{PATH_MATCH_PREFIX}{}", name.to_ascii_lowercase().replace('_', "-"));
        if let Ok(name) = HeaderName::try_from(name) {
            headers.insert(name, value(found));
        }
    }
}

/// Sets the headers for a request from another component.
pub fn set_for_chaining<B>(request: &mut Request<B>) {
    let full_url = value(&request.uri().to_string());
    let path = value(request.uri().path());
    let headers = request.headers_mut();
    remove(headers);
    headers.insert(PATH_INFO, path);
    headers.insert(FULL_URL, full_url);
    headers.insert(MATCHED_ROUTE, CHAINED_ROUTE);
    headers.insert(BASE_PATH, HeaderValue::from_static("/"));
    headers.insert(RAW_COMPONENT_ROUTE, CHAINED_ROUTE);
    headers.insert(COMPONENT_ROUTE, HeaderValue::from_static(""));
    headers.insert(CLIENT_ADDR, CHAINED_CLIENT);
}

/// The host that a client named. A name of service chaining is not for clients, as in Spin.
pub fn host_of(headers: &mut HeaderMap) -> String {
    let host =
        headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost").to_string();
    let name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
    if service_chaining_target(name).is_some() {
        headers.remove(header::HOST);
        return "localhost".to_string();
    }
    host
}

fn remove(headers: &mut HeaderMap) {
    if !headers.keys().any(|name| name.as_str().starts_with(PREFIX)) {
        return;
    }
    let sent: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with(PREFIX)).cloned().collect();
    for name in sent {
        headers.remove(name);
    }
}

/// Paths and URLs hold only characters that a header may hold.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::Router;

    #[test]
    fn what_a_client_sends_is_replaced() {
        let router = Router::new([("/users/:user_id/...", "users")]).unwrap();
        let mut request = Request::get("http://example.com/users/7/posts?x=1")
            .header("spin-client-addr", "1.2.3.4:5")
            .header("spin-path-match-admin", "yes")
            .header("spin-anything", "x")
            .header("other", "kept")
            .body(())
            .unwrap();
        let (route, captures) = router.find("/users/7/posts").unwrap();
        set(&mut request, route, &captures, HeaderValue::from_static("127.0.0.1:9"));
        let mut headers: Vec<_> = request
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        headers.sort();
        assert_eq!(
            headers,
            [
                "other: kept",
                "spin-base-path: /",
                "spin-client-addr: 127.0.0.1:9",
                "spin-component-route: /users/:user_id",
                "spin-full-url: http://example.com/users/7/posts?x=1",
                "spin-matched-route: /users/:user_id/...",
                "spin-path-info: /posts",
                "spin-path-match-user-id: 7",
                "spin-raw-component-route: /users/:user_id/...",
            ]
        );
    }
}
