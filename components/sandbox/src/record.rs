//! Around the providers' paths: every call is noted, and some go wrong because a test asked for it.

use crate::graph::Error as Graph;
use crate::provider::{self, Provider};
use crate::store::log::{self, Call};
use crate::twilio::error::Error as Twilio;
use crate::{owner, seed};
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use common::entry::Streamed;
use common::time::{self, Timestamp};
use common::{Problem, Result, db};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// What is kept of a body, in bytes; no provider takes a longer one but for files.
const BODY_BYTES: usize = 4 * 1024 * 1024;
const SLOW: Duration = Duration::from_secs(15);
/// An endless answer ends after this many bytes, one each fifth of a second.
const ENDLESS_BYTES: u32 = 600;
const ENDLESS_STEP: Duration = Duration::from_millis(200);
/// Headers that are not noted.
const SECRET: &[&str] = &["authorization", "cookie", "x-api-key"];
/// Query parameters whose values are not noted.
const SECRET_PARAMETERS: &[&str] = &["access_token", "appsecret_proof", "api_key"];

/// What happens to a call instead of, or besides, its answer.
#[derive(Clone, Debug, Default, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SandboxFaultAnswer)]
pub struct Fault {
    /// `throttled`, `serverError`, `unavailable` (503 with HTML), `garbage` (200 that is no JSON), `empty` (200
    /// without a body), `status` (the status and body given), `slow` (the real answer, late), `lateRefusal` (nothing
    /// is done, and the answer is late), `endless` (an answer that does not end).
    pub kind: String,
    /// Seconds in `Retry-After`, with `throttled` and `unavailable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
    /// How late the answer is, with `slow` and `lateRefusal`; 15,000 where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u32>,
    /// With `status`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// With `status`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

pub const KINDS: &[&str] = &[
    "throttled",
    "serverError",
    "unavailable",
    "garbage",
    "empty",
    "status",
    "slow",
    "lateRefusal",
    "endless",
];

/// Notes a call, and lets it go wrong where that was asked for.
pub async fn call(request: Request, next: Next) -> Response {
    let Some(provider) = provider::of_call(request.uri().path()) else { return next.run(request).await };
    match answered(provider, request, next).await {
        Ok(response) => response,
        Err(problem) => Graph::from(problem).into_response(),
    }
}

async fn answered(provider: Provider, request: Request, next: Next) -> Result<Response> {
    let (parts, body) = request.into_parts();
    // A file is not kept: it goes through in pieces.
    let is_file = parts
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.starts_with("multipart/"));
    let (bytes, body) = if is_file {
        (Bytes::new(), body)
    } else {
        let bytes = Limited::new(body, BODY_BYTES).collect().await;
        let bytes = bytes.map_err(|_| Problem::too_large(BODY_BYTES))?.to_bytes();
        (bytes.clone(), Body::from(bytes))
    };
    let path = parts.uri.path().to_string();
    let query = parts.uri.query().unwrap_or_default();
    let accounts = owner::of(provider, &path, query, &parts.headers, &bytes);
    let account = accounts.first().cloned();
    let mut call = Call {
        at: Timestamp::now(),
        provider: provider.as_str().to_string(),
        account: account.clone(),
        method: parts.method.to_string(),
        path: noted_path(&path, parts.uri.query()),
        headers: noted_headers(&parts.headers),
        body: bytes.to_vec(),
        status: 0,
    };
    let fault = take(provider, &accounts, &path, &bytes).await?;
    let request = Request::from_parts(parts, body);
    let response = seed::run(provider, account.as_deref(), respond(provider, fault, request, next)).await?;
    call.status = response.status().as_u16();
    db::write(|db| log::add_call(db, &call)).await?;
    Ok(response)
}

/// The answer, or what a fault makes of it.
async fn respond(provider: Provider, fault: Option<Fault>, request: Request, next: Next) -> Response {
    let delay = |fault: &Fault| fault.delay_ms.map_or(SLOW, |millis| Duration::from_millis(millis.into()));
    match fault {
        None => next.run(request).await,
        Some(fault) if fault.kind == "slow" => {
            let response = next.run(request).await;
            time::sleep(delay(&fault)).await;
            response
        }
        Some(fault) => {
            if fault.kind == "lateRefusal" {
                time::sleep(delay(&fault)).await;
            }
            wrong(provider, &fault)
        }
    }
}

async fn take(provider: Provider, accounts: &[String], path: &str, body: &[u8]) -> Result<Option<Fault>> {
    if !db::read(|db| log::any_fault(db, provider)).await? {
        return Ok(None);
    }
    // A form's plus and percent signs are for the wire only.
    let text = String::from_utf8_lossy(body).replace("%2B", "+");
    let found = db::write(|db| log::take_fault(db, provider, accounts, path, &text)).await?;
    Ok(found.and_then(|fault| serde_json::from_str(&fault).ok()))
}

/// The answer of a call that goes wrong.
fn wrong(provider: Provider, fault: &Fault) -> Response {
    let html = "<!DOCTYPE html><html><body><h1>503 Service Unavailable</h1></body></html>";
    let mut response = match (fault.kind.as_str(), provider) {
        ("throttled", Provider::Whatsapp) => Graph::throttled().into_response(),
        ("throttled", Provider::Messenger | Provider::Instagram) => Graph::page_throttled().into_response(),
        ("throttled", _) => Twilio::throttled().into_response(),
        ("unavailable", _) => {
            (StatusCode::SERVICE_UNAVAILABLE, [(header::CONTENT_TYPE, "text/html")], html).into_response()
        }
        ("garbage", _) => (StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], "{\"messages\": [{")
            .into_response(),
        ("empty", _) => StatusCode::OK.into_response(),
        ("endless", _) => endless(),
        ("status", _) => {
            let status = fault.status.and_then(|status| StatusCode::from_u16(status).ok());
            let body = fault.body.clone().unwrap_or_default();
            let kind = [(header::CONTENT_TYPE, "application/json")];
            (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), kind, body).into_response()
        }
        (_, Provider::Twilio | Provider::Gateway) => Twilio::server().into_response(),
        _ => Graph::server().into_response(),
    };
    if let Some(seconds) = fault.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// A success whose body goes on and on.
fn endless() -> Response {
    let body = futures::stream::unfold(0_u32, |sent| async move {
        if sent >= ENDLESS_BYTES {
            return None;
        }
        time::sleep(ENDLESS_STEP).await;
        Some((Ok::<_, std::io::Error>(Bytes::from_static(b" ")), sent.saturating_add(1)))
    });
    let mut response = Response::new(Body::from_stream(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.extensions_mut().insert(Streamed);
    response
}

fn noted_path(path: &str, query: Option<&str>) -> String {
    let Some(query) = query else { return path.to_string() };
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let secret = SECRET_PARAMETERS.contains(&name.as_ref());
        pairs.append_pair(&name, if secret { "-" } else { &value });
    }
    format!("{path}?{}", pairs.finish())
}

fn noted_headers(headers: &HeaderMap) -> String {
    let noted: BTreeMap<&str, String> = headers
        .iter()
        .filter(|(name, _)| !SECRET.contains(&name.as_str()))
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    serde_json::to_string(&noted).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_credential_is_noted() {
        assert_eq!(
            noted_path("/a", Some("access_token=s&appsecret_proof=p&limit=2")),
            "/a?access_token=-&appsecret_proof=-&limit=2"
        );
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer s"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        assert_eq!(noted_headers(&headers), r#"{"accept":"*/*"}"#);
    }
}
