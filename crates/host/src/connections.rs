//! Outbound connections: resolving, the blocked networks, TLS, and a pool of kept-alive HTTP/1.1
//! connections. An own pool, since a request brings its own limits for connecting and for the first
//! byte, which hyper-util's client can only treat as one.
use crate::allowed_hosts::without_brackets;
use crate::blocked_networks::BlockedNetworks;
use bytes::Bytes;
use http::uri::Scheme;
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::client::conn::http1::{self, SendRequest};
use rustls::pki_types::ServerName;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Sleep, timeout};
use tokio_rustls::TlsConnector;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::p3::bindings::http::types::{DnsErrorPayload, ErrorCode};

/// Idle connections kept for one address.
const MAX_IDLE_PER_ADDRESS: usize = 64;
/// How long an idle connection is kept. Servers commonly close theirs after 5 to 75 s.
const MAX_IDLE_AGE: Duration = Duration::from_secs(4);

/// A body on its way to or from a guest.
pub type Body = UnsyncBoxBody<Bytes, ErrorCode>;

/// How long the parts of one exchange may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Resolving, connecting and the TLS handshake together.
    pub connect: Duration,
    /// From sending the request to the head of the response.
    pub first_byte: Duration,
    /// Between two pieces of the response's body.
    pub between_bytes: Duration,
}

/// The pool. Shared by all components.
pub struct Connections {
    blocked: BlockedNetworks,
    tls: TlsConnector,
    idle: Mutex<HashMap<Address, Vec<Idle>>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Address {
    tls: bool,
    host: String,
    port: u16,
}

struct Idle {
    sender: SendRequest<Body>,
    since: Instant,
}

impl Connections {
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(blocked: BlockedNetworks) -> wasmtime::Result<Self> {
        let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { blocked, tls: Arc::new(config).into(), idle: Mutex::default() })
    }

    /// Sends a request over an idle or a new connection. The address comes from the request's URI.
    /// `trusted` skips the blocked networks, for the application's own address.
    pub async fn send(
        self: &Arc<Self>,
        mut request: Request<Body>,
        timeouts: Timeouts,
        trusted: bool,
    ) -> Result<Response<Body>, ErrorCode> {
        let address = Address::of(request.uri())?;
        let authority = request.uri().authority().ok_or(ErrorCode::HttpRequestUriInvalid)?;
        if !request.headers().contains_key(header::HOST) {
            let host =
                HeaderValue::from_str(authority.as_str()).map_err(|_| ErrorCode::HttpRequestUriInvalid)?;
            request.headers_mut().insert(header::HOST, host);
        }
        // On the wire stands only the path.
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = path.parse().map_err(|_| ErrorCode::HttpRequestUriInvalid)?;
        loop {
            let (mut sender, reused) = match self.take_idle(&address) {
                Some(sender) => (sender, true),
                None => {
                    let connect = self.connect(&address, trusted);
                    (
                        timeout(timeouts.connect, connect)
                            .await
                            .map_err(|_| ErrorCode::ConnectionTimeout)??,
                        false,
                    )
                }
            };
            let sending = timeout(timeouts.first_byte, sender.try_send_request(request)).await;
            let error = match sending.map_err(|_| ErrorCode::ConnectionReadTimeout)? {
                Ok(response) => {
                    self.clone().give_back(address, sender);
                    return Ok(response
                        .map(|body| BodyWithTimeout::new(body, timeouts.between_bytes).boxed_unsync()));
                }
                Err(error) => error,
            };
            // A kept connection may have been closed by the other side in the meantime. hyper hands
            // the request back if nothing of it was sent: then a new connection gets it.
            let mut error = error;
            match error.take_message().filter(|_| reused) {
                Some(unsent) => request = unsent,
                None => return Err(error_code(error.into_error())),
            }
        }
    }

    fn take_idle(&self, address: &Address) -> Option<SendRequest<Body>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let list = idle.get_mut(address)?;
        list.retain(|idle| !idle.sender.is_closed() && idle.since.elapsed() < MAX_IDLE_AGE);
        list.pop().map(|idle| idle.sender)
    }

    /// Puts a connection back once the response is read, or lets it go when it closes.
    fn give_back(self: Arc<Self>, address: Address, mut sender: SendRequest<Body>) {
        tokio::spawn(async move {
            if sender.ready().await.is_err() {
                return;
            }
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let list = idle.entry(address).or_default();
            if list.len() < MAX_IDLE_PER_ADDRESS {
                list.push(Idle { sender, since: Instant::now() });
            }
        });
    }

    async fn connect(&self, address: &Address, trusted: bool) -> Result<SendRequest<Body>, ErrorCode> {
        let stream = self.connect_tcp(address, trusted).await?;
        stream.set_nodelay(true).map_err(|_| ErrorCode::ConnectionTerminated)?;
        if !address.tls {
            return handshake(stream).await;
        }
        let name = ServerName::try_from(address.host.clone()).map_err(|_| dns_error("invalid dns name"))?;
        let stream = self.tls.connect(name, stream).await.map_err(|error| {
            let certificate = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            match certificate {
                Some(rustls::Error::InvalidCertificate(_)) => ErrorCode::TlsCertificateError,
                _ => ErrorCode::TlsProtocolError,
            }
        })?;
        handshake(stream).await
    }

    async fn connect_tcp(&self, address: &Address, trusted: bool) -> Result<TcpStream, ErrorCode> {
        let found = tokio::net::lookup_host((address.host.as_str(), address.port)).await;
        let found: Vec<SocketAddr> = found.map_err(|_| dns_error("address not available"))?.collect();
        if found.is_empty() {
            return Err(dns_error("address not available"));
        }
        let allowed = found.into_iter().filter(|found| trusted || !self.blocked.contains(found.ip()));
        let mut result = Err(ErrorCode::DestinationIpProhibited);
        for socket in allowed {
            match TcpStream::connect(socket).await {
                Ok(stream) => return Ok(stream),
                Err(error) => result = Err(connect_error(&error)),
            }
        }
        result
    }
}

impl Address {
    fn of(uri: &Uri) -> Result<Self, ErrorCode> {
        let tls = uri.scheme() == Some(&Scheme::HTTPS);
        let authority = uri.authority().ok_or(ErrorCode::HttpRequestUriInvalid)?;
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { tls, host: without_brackets(authority.host()).to_string(), port })
    }
}

async fn handshake(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<SendRequest<Body>, ErrorCode> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(error_code)?;
    // Ends by itself when the sender is dropped or the other side closes; errors reach the request.
    tokio::spawn(connection);
    Ok(sender)
}

fn dns_error(reason: &str) -> ErrorCode {
    ErrorCode::DnsError(DnsErrorPayload { rcode: Some(reason.to_string()), info_code: Some(0) })
}

fn connect_error(error: &io::Error) -> ErrorCode {
    match error.kind() {
        io::ErrorKind::TimedOut => ErrorCode::ConnectionTimeout,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            ErrorCode::DestinationIpUnroutable
        }
        _ => ErrorCode::ConnectionRefused,
    }
}

/// The code for a failed exchange; one that the guest's own body reported passes through.
fn error_code(error: hyper::Error) -> ErrorCode {
    if error.is_incomplete_message() {
        return ErrorCode::HttpResponseIncomplete;
    }
    ErrorCode::from_hyper_request_error(error)
}

/// A response's body that fails when the next piece takes too long.
struct BodyWithTimeout {
    body: hyper::body::Incoming,
    limit: Duration,
    /// Runs only while a piece is awaited: a guest may take its time between two reads.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl BodyWithTimeout {
    fn new(body: hyper::body::Incoming, limit: Duration) -> Self {
        Self { body, limit, deadline: None }
    }
}

impl http_body::Body for BodyWithTimeout {
    type Data = Bytes;
    type Error = ErrorCode;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, ErrorCode>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.deadline = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(error_code)));
        }
        let limit = self.limit;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(Some(Err(ErrorCode::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
