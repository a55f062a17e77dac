//! The way in and out of a component: `wasi:http/handler` to the router and back.
//!
//! The body is written *before* the head is returned. With the SDK's own conversion head and body
//! leave in two packets, Spin does not set TCP_NODELAY, the client's delayed ACK waits, and every
//! keep-alive request costs 44 ms. With it they leave together: 0.15 ms.

use crate::{Problem, background, chatwoot, id, limits};
#[doc(hidden)]
pub use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use spin_sdk::wasip3::http::types;
use spin_sdk::wasip3::http_compat::IncomingRequestBody;
use spin_sdk::wasip3::{wit_future, wit_stream};
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
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

struct Finished {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

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
                    path = context.path,
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
            body
        }
        None => match body.collect().await {
            Ok(body) => body.to_bytes().into(),
            Err(error) => {
                crate::log!("answer body failed", path = context.path, error = error);
                parts.status = StatusCode::INTERNAL_SERVER_ERROR;
                Vec::new()
            }
        },
    };
    parts.headers.insert(REQUEST_ID, context.request_id.clone());
    Finished { status: parts.status, headers: parts.headers, body }
}

/// Builds the response, its body's first write already under way.
async fn send(answer: Finished, head_only: bool) -> Result<types::Response, types::ErrorCode> {
    let no_body = answer.status == StatusCode::NO_CONTENT || answer.status == StatusCode::NOT_MODIFIED;
    let mut list: Vec<(String, Vec<u8>)> = answer
        .headers
        .iter()
        .filter(|(name, _)| *name != header::CONTENT_LENGTH || head_only)
        .map(|(name, value)| (name.as_str().to_string(), value.as_bytes().to_vec()))
        .collect();
    if !no_body && !head_only {
        list.push(("content-length".into(), answer.body.len().to_string().into_bytes()));
    }
    let headers = types::Fields::from_list(&list)
        .map_err(|error| types::ErrorCode::InternalError(Some(format!("response headers: {error:?}"))))?;
    let (done, trailers) = wit_future::new::<Result<Option<types::Trailers>, types::ErrorCode>>(|| Ok(None));
    let status = answer.status.as_u16();
    if no_body || head_only || answer.body.is_empty() {
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
        let _ = writer.write_all(answer.body).await;
        drop(writer);
        let _ = done.write(Ok(None)).await;
    });
    std::future::poll_fn(|context| {
        let _ = write.as_mut().poll(context);
        Poll::Ready(())
    })
    .await;
    background::spawn(write);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

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
