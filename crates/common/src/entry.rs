//! The way in and out of a component: `wasi:http/handler` to the router and back.
//!
//! The body is written *before* the head is returned. With the SDK's own conversion head and body
//! leave in two packets, Spin does not set TCP_NODELAY, the client's delayed ACK waits, and every
//! keep-alive request costs 44 ms. With it they leave together: 0.15 ms.

use crate::{Problem, background, chatwoot, id, limits, time};
#[doc(hidden)]
pub use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::future::{Either, select};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use spin_sdk::wasip3::http::types;
use spin_sdk::wasip3::http_compat::IncomingRequestBody;
use spin_sdk::wasip3::{wit_future, wit_stream};
use spin_sdk::wit_bindgen::{StreamResult, StreamWriter};
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;
use tower::ServiceExt;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Exports a component's routes: `common::serve!(routes);`, `routes` being a `fn() -> Routes`.
#[macro_export]
macro_rules! serve {
    ($routes:path) => {
        #[cfg(target_family = "wasm")]
        mod entry {
            use $crate::spin_sdk::wasip3;
            use wasip3::http::types::{ErrorCode, Request, Response};

            ::std::thread_local! {
                // Once an instance: building it for each request costs a tenth of the throughput.
                static ROUTER: $crate::entry::Router = $routes().into_router();
            }

            struct Component;
            wasip3::http::service::export!(Component with_types_in wasip3);

            impl wasip3::exports::http::handler::Guest for Component {
                async fn handle(request: Request) -> Result<Response, ErrorCode> {
                    $crate::entry::handle(ROUTER.with(Clone::clone), request).await
                }
            }
        }
    };
}

/// What a problem document says of its request.
struct Context {
    path: String,
    trace_id: String,
    request_id: HeaderValue,
}

/// Serves one request.
pub async fn handle(router: Router, request: types::Request) -> Result<types::Response, types::ErrorCode> {
    let Some(request) = receive(request) else {
        let context = Context::new("/", &HeaderMap::new());
        let problem = Problem::malformed("The request line or a header cannot be read.");
        return send(finish(problem.into_response(), &context).await, false).await;
    };
    let context = Context::new(request.uri().path(), request.headers());
    let head_only = request.method() == http::Method::HEAD;
    let response = match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let finished = finish(response, &context).await;
    let sent = send(finished, head_only).await;
    background::after_response().await;
    sent
}

/// The request as the router takes it. Each getter is a host call: scheme and authority, which nothing here
/// looks at, and the body of methods that have none, are left where they are.
fn receive(request: types::Request) -> Option<http::Request<Body>> {
    let method = http::Method::try_from(request.get_method()).ok()?;
    let path = request.get_path_with_query().unwrap_or_else(|| "/".into());
    let mut received = http::Request::new(Body::empty());
    *received.uri_mut() = http::Uri::try_from(path).ok()?;
    for (name, value) in request.get_headers().copy_all() {
        let name = HeaderName::try_from(name).ok()?;
        received.headers_mut().append(name, HeaderValue::from_maybe_shared(Bytes::from(value)).ok()?);
    }
    if method != http::Method::GET && method != http::Method::HEAD {
        *received.body_mut() = Body::new(IncomingRequestBody::new(request).ok()?);
    }
    *received.method_mut() = method;
    Some(received)
}

impl Context {
    fn new(path: &str, headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let given = text("x-request-id").filter(|id| {
            !id.is_empty() && id.len() <= limits::REQUEST_ID_CHARS && id.bytes().all(|b| b.is_ascii_graphic())
        });
        let request_id = given.map_or_else(id::request, str::to_string);
        Context {
            path: path.to_string(),
            trace_id: text("traceparent")
                .filter(|t| is_traceparent(t))
                .map(str::to_string)
                .unwrap_or_default(),
            request_id: HeaderValue::from_str(&request_id).unwrap_or(HeaderValue::from_static("none")),
        }
    }

    /// The caller's trace, or one begun here: only problems need one.
    fn trace_id(&self) -> String {
        if !self.trace_id.is_empty() {
            return self.trace_id.clone();
        }
        let mut bytes = [0_u8; 24];
        id::fill_random(&mut bytes);
        let (trace, span) = bytes.split_at(16);
        format!("00-{}-{}-01", hex::encode(trace), hex::encode(span))
    }
}

/// `00-<32 hex>-<16 hex>-<2 hex>` (W3C Trace Context).
fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [2, 32, 16, 2]
        && parts.iter().all(|part| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
}

/// Where a segment of a path is a credential: how the path begins, a segment, and how many behind that it is.
const SECRETS: &[(&str, &str, usize)] = &[
    ("/v1/auth/", "invitations", 1),
    ("/public/api/v1/inboxes/", "contacts", 1),
    ("/channels/sms/", "sms", 2),
];

/// A path as logs may show it.
fn without_secrets(path: &str) -> String {
    let Some((_, before, distance)) = SECRETS.iter().find(|(start, ..)| path.starts_with(start)) else {
        return path.to_string();
    };
    let segments: Vec<&str> = path.split('/').collect();
    let named = |at: usize| at.checked_sub(*distance).and_then(|at| segments.get(at)) == Some(before);
    let shown: Vec<&str> = segments
        .iter()
        .enumerate()
        .map(|(at, segment)| if named(at) && !segment.is_empty() { "***" } else { *segment })
        .collect();
    shown.join("/")
}

struct Finished {
    status: StatusCode,
    headers: HeaderMap,
    body: Payload,
}

enum Payload {
    Whole(Vec<u8>),
    /// Written piece by piece as it comes, each within this time.
    Stream(Body, Duration),
}

/// Marks a response whose body is written as it comes: events without end, large files. Without it the body is
/// collected first. `Content-Length` is the handler's own to set, where it knows it. An error of the body breaks
/// the connection: the caller must not take a part for the whole.
///
/// An empty piece goes nowhere, but finds out whether the client is still there: nothing else tells. When it is not,
/// the body is dropped.
#[derive(Clone, Copy, Debug)]
pub struct Streamed;

/// How long a client of a [`Streamed`] body may take nothing before it is cut off, where
/// [`limits::BODY_STALL`] does not fit. It holds one of its instance's places meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Stall(pub Duration);

/// Collects the body, writes a problem's document, sets the headers that every answer has.
async fn finish(response: Response, context: &Context) -> Finished {
    let (mut parts, body) = response.into_parts();
    let body = match parts.extensions.remove::<Problem>() {
        Some(problem) => {
            let trace_id = context.trace_id();
            if let Some(cause) = &problem.cause {
                crate::log!(
                    "request failed",
                    code = problem.code,
                    path = without_secrets(&context.path),
                    trace = trace_id,
                    cause = cause
                );
            }
            if let Some(seconds) = problem.retry_after {
                parts.headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            let (kind, body) = if parts.extensions.remove::<chatwoot::Dialect>().is_some() {
                let (status, error) = chatwoot::error(&problem, &context.path);
                parts.status = status;
                ("application/json", serde_json::to_vec(&error).unwrap_or_default())
            } else {
                if problem.status == StatusCode::UNAUTHORIZED {
                    parts.headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                }
                ("application/problem+json", problem.document(&context.path, &trace_id))
            };
            parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            Payload::Whole(body)
        }
        None if parts.extensions.remove::<Streamed>().is_some() => {
            let stall = parts.extensions.remove::<Stall>().map_or(limits::BODY_STALL, |Stall(stall)| stall);
            Payload::Stream(body, stall)
        }
        None => match body.collect().await {
            Ok(body) => Payload::Whole(body.to_bytes().into()),
            Err(error) => {
                crate::log!("answer body failed", path = without_secrets(&context.path), error = error);
                parts.status = StatusCode::INTERNAL_SERVER_ERROR;
                Payload::Whole(Vec::new())
            }
        },
    };
    parts.headers.insert(REQUEST_ID, context.request_id.clone());
    Finished { status: parts.status, headers: parts.headers, body }
}

/// Builds the response, its body's first write already under way.
async fn send(answer: Finished, head_only: bool) -> Result<types::Response, types::ErrorCode> {
    let no_body = answer.status == StatusCode::NO_CONTENT || answer.status == StatusCode::NOT_MODIFIED;
    let length = match &answer.body {
        Payload::Whole(bytes) => Some(bytes.len()),
        Payload::Stream(..) => None,
    };
    let mut list: Vec<(String, Vec<u8>)> = answer
        .headers
        .iter()
        .filter(|(name, _)| *name != header::CONTENT_LENGTH || head_only || length.is_none())
        .map(|(name, value)| (name.as_str().to_string(), value.as_bytes().to_vec()))
        .collect();
    if let (false, false, Some(length)) = (no_body, head_only, length) {
        list.push(("content-length".into(), length.to_string().into_bytes()));
    }
    let headers = types::Fields::from_list(&list)
        .map_err(|error| types::ErrorCode::InternalError(Some(format!("response headers: {error:?}"))))?;
    let (done, trailers) = wit_future::new::<Result<Option<types::Trailers>, types::ErrorCode>>(|| Ok(None));
    let status = answer.status.as_u16();
    if no_body || head_only || length == Some(0) {
        let (response, _) = types::Response::new(headers, None, trailers);
        let _ = response.set_status_code(status);
        background::spawn(async move {
            let _ = done.write(Ok(None)).await;
        });
        return Ok(response);
    }
    let (mut writer, reader) = wit_stream::new::<u8>();
    let (response, _) = types::Response::new(headers, Some(reader), trailers);
    let _ = response.set_status_code(status);
    let mut write: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async move {
        let mut end = Ok(None);
        match answer.body {
            Payload::Whole(bytes) => drop(writer.write_all(bytes).await),
            Payload::Stream(mut body, stall) => {
                while let Some(frame) = body.frame().await {
                    let bytes = match frame.map(|frame| frame.into_data()) {
                        Ok(Ok(bytes)) => bytes,
                        Ok(Err(_trailers)) => continue,
                        Err(error) => {
                            crate::log!("answer body broke off", error = error);
                            end = Err(types::ErrorCode::InternalError(None));
                            break;
                        }
                    };
                    if !write_piece(&mut writer, bytes.into(), stall).await {
                        break;
                    }
                }
            }
        }
        drop(writer);
        let _ = done.write(end).await;
    });
    let written = std::future::poll_fn(|context| Poll::Ready(write.as_mut().poll(context).is_ready())).await;
    if !written {
        background::spawn(write);
    }
    Ok(response)
}

/// Writes a piece of a body, or asks with an empty one whether anybody reads; `false` when the client is gone or
/// takes nothing for too long.
async fn write_piece(writer: &mut StreamWriter<u8>, piece: Vec<u8>, stall: Duration) -> bool {
    let mut write = writer.write(piece);
    loop {
        // The clock is asked only when the client does not take it at once.
        let written = match select(pin!(write), pin!(time::sleep(stall))).await {
            Either::Left((written, _)) => written,
            Either::Right(_) => return false,
        };
        match written {
            (StreamResult::Complete(_), rest) if rest.remaining() > 0 => write = writer.write_buf(rest),
            (StreamResult::Complete(_), _) => return true,
            (StreamResult::Dropped | StreamResult::Cancelled, _) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_paths_are_not_logged() {
        for (path, shown) in [
            ("/v1/auth/invitations/a1BcD2", "/v1/auth/invitations/***"),
            ("/v1/auth/invitations/", "/v1/auth/invitations/"),
            ("/v1/users/invitations/inv_1", "/v1/users/invitations/inv_1"),
            (
                "/public/api/v1/inboxes/web/contacts/s3cret/conversations/7",
                "/public/api/v1/inboxes/web/contacts/***/conversations/7",
            ),
            ("/channels/sms/inb_1/s3cret", "/channels/sms/inb_1/***"),
            ("/channels/sms/inb_1/s3cret/report", "/channels/sms/inb_1/***/report"),
            ("/channels/sms/inb_1", "/channels/sms/inb_1"),
            ("/v1/contacts/con_1", "/v1/contacts/con_1"),
        ] {
            assert_eq!(without_secrets(path), shown);
        }
    }

    #[test]
    fn takes_over_sane_request_ids_and_traces_only() {
        let with = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            Context::new("/v1/contacts", &headers)
        };
        assert_eq!(with("x-request-id", "abc-1").request_id, "abc-1");
        assert_eq!(with("x-request-id", "has space").request_id.len(), 26);
        assert_eq!(with("x-request-id", &"x".repeat(200)).request_id.len(), 26);
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(with("traceparent", trace).trace_id(), trace);
        assert_eq!(with("traceparent", "00-xyz").trace_id().len(), 55);
    }
}
