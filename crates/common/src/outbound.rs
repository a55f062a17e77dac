//! HTTP requests to others, every one with deadlines: Spin's own default is ten minutes.
//!
//! What matters to callers of a failed request is whether the other side may have acted on it.
//! [`SendError::NotSent`] is safe to repeat; after [`SendError::Unknown`] the request may have been
//! carried out, and a repeat could double its effect (channels section 8.3).

use crate::{limits, time};
use http_body_util::{BodyExt, Full, Limited};
use spin_sdk::http::IntoRequest;
use spin_sdk::wasip3::http::types::{ErrorCode, RequestOptions};
use spin_sdk::wasip3::http_compat::{IncomingResponseBody, RequestOptionsExtension};
use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// How long a request may take.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    pub connect: Duration,
    pub first_byte: Duration,
    /// Everything, to the last byte of the answer.
    pub total: Duration,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq)]
pub enum SendError {
    /// It never left: not allowed, no such host, no connection.
    NotSent(String),
    /// It may have arrived; the answer did not.
    Unknown(String),
}

impl SendError {
    /// Whether the runtime's blocked networks kept the request from leaving.
    pub fn is_prohibited(&self) -> bool {
        self.is_of(&ErrorCode::DestinationIpProhibited)
    }

    /// Whether the request did not leave since the manifest lists no such host: no network was looked at.
    pub fn is_denied(&self) -> bool {
        self.is_of(&ErrorCode::HttpRequestDenied)
    }

    fn is_of(&self, code: &ErrorCode) -> bool {
        matches!(self, SendError::NotSent(text) if *text == format!("{code:?}"))
    }
}

impl std::fmt::Display for SendError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SendError::NotSent(text) | SendError::Unknown(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for SendError {}

/// The body of a request, whole or piece by piece.
pub trait Body:
    axum::body::HttpBody<Data: Into<Vec<u8>>, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
    + std::any::Any
{
}

impl<B> Body for B where
    B: axum::body::HttpBody<Data: Into<Vec<u8>>, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + std::any::Any
{
}

/// Sends a request and reads the whole answer, up to [`limits::OUTBOUND_ANSWER_BYTES`].
pub async fn send(
    request: http::Request<Vec<u8>>,
    deadlines: Deadlines,
) -> Result<http::Response<Vec<u8>>, SendError> {
    send_streamed(with_length(request), deadlines).await
}

/// The request with its `Content-Length`.
fn with_length(request: http::Request<Vec<u8>>) -> http::Request<Full<bytes::Bytes>> {
    let (mut parts, body) = request.into_parts();
    parts.headers.insert(http::header::CONTENT_LENGTH, body.len().into());
    http::Request::from_parts(parts, Full::new(bytes::Bytes::from(body)))
}

/// Sends a request whose body comes piece by piece, for what should not be in memory as a whole. Its
/// `Content-Length` is the caller's.
pub async fn send_streamed(
    request: http::Request<impl Body>,
    deadlines: Deadlines,
) -> Result<http::Response<Vec<u8>>, SendError> {
    let exchange = exchange(request, deadlines);
    match before(deadlines.total, exchange).await {
        Some(result) => result,
        None => {
            Err(SendError::Unknown(format!("no complete answer within {} ms", deadlines.total.as_millis())))
        }
    }
}

async fn exchange(
    request: http::Request<impl Body>,
    deadlines: Deadlines,
) -> Result<http::Response<Vec<u8>>, SendError> {
    let (parts, body) = begin(request, deadlines).await?.into_parts();
    let body = Limited::new(body, limits::OUTBOUND_ANSWER_BYTES)
        .collect()
        .await
        .map_err(|error| SendError::Unknown(format!("the answer broke off or is too large: {error}")))?;
    Ok(http::Response::from_parts(parts, body.to_bytes().into()))
}

/// Sends a request; answers with the head of the answer.
async fn begin(
    request: http::Request<impl Body>,
    deadlines: Deadlines,
) -> Result<http::Response<IncomingResponseBody>, SendError> {
    let options = RequestOptions::new();
    let nanos = |duration: Duration| Some(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    let refused = |_| SendError::NotSent("this host takes no deadlines".into());
    options.set_connect_timeout(nanos(deadlines.connect)).map_err(refused)?;
    options.set_first_byte_timeout(nanos(deadlines.first_byte)).map_err(refused)?;
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(RequestOptionsExtension(options));
    let request = http::Request::from_parts(parts, body)
        .into_request()
        .map_err(|error| SendError::NotSent(format!("{error:?}")))?;
    let response = spin_sdk::wasip3::http::client::send(request).await.map_err(classify)?;
    spin_sdk::wasip3::http_compat::http_from_wasi_response(response)
        .map_err(|error| SendError::Unknown(format!("{error:?}")))
}

/// An answer whose body is read piece by piece: for bodies that are too large for memory.
pub struct Download {
    pub status: u16,
    pub headers: http::HeaderMap,
    body: IncomingResponseBody,
    /// The longest wait for the next piece.
    idle: Duration,
}

impl std::fmt::Debug for Download {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Download").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Sends a request and reads the head of its answer. `deadlines.total` is for that head; the body may take
/// longer, as long as its next piece comes within `deadlines.first_byte`: the caller bounds size and time.
pub async fn download(request: http::Request<Vec<u8>>, deadlines: Deadlines) -> Result<Download, SendError> {
    let Some(response) = before(deadlines.total, begin(with_length(request), deadlines)).await else {
        return Err(SendError::Unknown(format!("no answer within {} ms", deadlines.total.as_millis())));
    };
    let (parts, body) = response?.into_parts();
    Ok(Download { status: parts.status.as_u16(), headers: parts.headers, body, idle: deadlines.first_byte })
}

impl Download {
    /// The next bytes of the body; `None` at its end.
    pub async fn next(&mut self) -> Result<Option<bytes::Bytes>, SendError> {
        loop {
            let Some(frame) = before(self.idle, self.body.frame()).await else {
                return Err(SendError::Unknown(format!("no more bytes within {} ms", self.idle.as_millis())));
            };
            match frame {
                None => return Ok(None),
                Some(Err(error)) => {
                    return Err(SendError::Unknown(format!("the answer broke off: {error:?}")));
                }
                // Trailers say nothing to us.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => return Ok(Some(data)),
                    _ => {}
                },
            }
        }
    }
}

/// Errors that can only come before the first byte of the request has left.
fn classify(error: ErrorCode) -> SendError {
    let text = format!("{error:?}");
    match error {
        ErrorCode::DnsTimeout
        | ErrorCode::DnsError(_)
        | ErrorCode::DestinationNotFound
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpProhibited
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionLimitReached
        | ErrorCode::TlsProtocolError
        | ErrorCode::TlsCertificateError
        | ErrorCode::TlsAlertReceived(_)
        | ErrorCode::HttpRequestDenied
        | ErrorCode::HttpRequestUriInvalid
        | ErrorCode::HttpRequestMethodInvalid => SendError::NotSent(text),
        _ => SendError::Unknown(text),
    }
}

/// The future's result, or `None` when `duration` is over first.
pub async fn before<T>(duration: Duration, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut end = pin!(time::sleep(duration));
    std::future::poll_fn(|context| {
        if let Poll::Ready(value) = future.as_mut().poll(context) {
            return Poll::Ready(Some(value));
        }
        end.as_mut().poll(context).map(|()| None)
    })
    .await
}
