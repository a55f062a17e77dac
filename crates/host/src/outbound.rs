//! Requests that guests send: one way out for WASI 0.2 and 0.3. It checks the manifest's list, then
//! calls another component of the application directly (service chaining), or the application's own
//! address, or goes to the network.
use crate::allowed_hosts::{service_chaining_target, without_brackets};
use crate::app::Component;
use crate::connections::{Body, Connections, Timeouts};
use crate::instances::Handler;
use crate::request_headers;
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri, header};
use http_body_util::BodyExt as _;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::timeout;
use wasmtime_wasi::TrappableError;
use wasmtime_wasi_http::handler;
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, IncomingResponse, OutgoingRequestConfig};
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::{p2, p3};

/// The limit for each part of an exchange when the guest gives none.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(600);
/// The host by which a guest calls the application itself where an SDK insists on a host.
const OWN_HOST: &str = "self.alt";

/// The way out of an application.
pub struct Outbound {
    connections: Arc<Connections>,
    /// Components by name, for service chaining; and the own address. Both are known only once
    /// everything else is built.
    inside: OnceLock<Inside>,
}

struct Inside {
    handlers: HashMap<String, Handler>,
    own_address: SocketAddr,
}

impl Outbound {
    /// A way out that does not know the inside yet.
    pub fn new(connections: Connections) -> Self {
        Self { connections: Arc::new(connections), inside: OnceLock::new() }
    }

    /// Tells which components can be called, and where this server listens. Only the first call counts.
    pub fn connect_inside(&self, handlers: HashMap<String, Handler>, own_address: SocketAddr) {
        let _ = self.inside.set(Inside { handlers, own_address });
    }

    async fn send(
        &self,
        caller: &Component,
        mut request: Request<Body>,
        timeouts: Timeouts,
    ) -> Result<Response<Body>, ErrorCode> {
        // Wasmtime makes `https://:443/path` of a request without an authority.
        let host = request.uri().host().map(without_brackets).unwrap_or_default().to_ascii_lowercase();
        if host.is_empty() || host == OWN_HOST {
            if !caller.allowed_hosts.allows_itself() {
                return Err(denied(caller, "http://self"));
            }
            let own_address = self.inside.get().ok_or(ErrorCode::DestinationUnavailable)?.own_address;
            let path = request.uri().path_and_query().cloned();
            *request.uri_mut() = uri_of(own_address, path).ok_or(ErrorCode::HttpRequestUriInvalid)?;
            request.headers_mut().remove(header::HOST);
            return self.connections.send(request, timeouts, true).await;
        }
        let scheme = request.uri().scheme_str().unwrap_or("https");
        let port = request.uri().port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
        if !caller.allowed_hosts.allows(scheme, &host, port) {
            return Err(denied(caller, &format!("{scheme}://{host}:{port}")));
        }
        match service_chaining_target(&host) {
            Some(component) => self.call(component, request, timeouts).await,
            None => self.connections.send(request, timeouts, false).await,
        }
    }

    /// Hands a request to another component of the application.
    async fn call(
        &self,
        component: &str,
        mut request: Request<Body>,
        timeouts: Timeouts,
    ) -> Result<Response<Body>, ErrorCode> {
        let handlers = self.inside.get().map(|inside| &inside.handlers);
        let handler =
            handlers.and_then(|handlers| handlers.get(component)).ok_or(ErrorCode::DestinationNotFound)?;
        request_headers::set_for_chaining(&mut request);
        let request = request.map(|body| body.map_err(handler::ErrorCode::from).boxed_unsync());
        let answer = timeout(timeouts.first_byte, handler.handle((), request)).await;
        let internal = |error: wasmtime::Error| ErrorCode::InternalError(Some(format!("{error:#}")));
        let response = answer.map_err(|_| ErrorCode::HttpResponseTimeout)?.map_err(internal)?;
        Ok(response.map(|body| body.map_err(internal).boxed_unsync()))
    }
}

fn denied(caller: &Component, address: &str) -> ErrorCode {
    eprintln!(
        "[{}] a request to {address} was refused: allowed_outbound_hosts in the manifest does not list it",
        caller.name
    );
    ErrorCode::HttpRequestDenied
}

fn uri_of(address: SocketAddr, path: Option<http::uri::PathAndQuery>) -> Option<Uri> {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(Authority::try_from(address.to_string()).ok()?);
    parts.path_and_query = Some(path.unwrap_or_else(|| http::uri::PathAndQuery::from_static("/")));
    Uri::from_parts(parts).ok()
}

/// What an instance sends its requests through. A type of its own, since a store's data cannot lend
/// itself and a part of itself at once.
pub struct Hooks {
    outbound: Arc<Outbound>,
    component: Arc<Component>,
}

impl Hooks {
    /// For an instance of this component.
    pub fn new(outbound: Arc<Outbound>, component: Arc<Component>) -> Self {
        Self { outbound, component }
    }

    fn send(
        &self,
        request: Request<Body>,
        timeouts: Timeouts,
    ) -> impl Future<Output = Result<Response<Body>, ErrorCode>> + Send + 'static {
        let (outbound, component) = (self.outbound.clone(), self.component.clone());
        async move { outbound.send(&component, request, timeouts).await }
    }
}

type Transmission = Box<dyn Future<Output = Result<(), ErrorCode>> + Send>;
type Sent = Result<(Response<Body>, Transmission), TrappableError<ErrorCode>>;

impl p3::WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: Request<Body>,
        options: Option<p3::RequestOptions>,
        _response_result: Transmission,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let limit = |pick: fn(&p3::RequestOptions) -> Option<Duration>| {
            options.as_ref().and_then(pick).unwrap_or(DEFAULT_TIMEOUT)
        };
        let timeouts = Timeouts {
            connect: limit(|options| options.connect_timeout),
            first_byte: limit(|options| options.first_byte_timeout),
            between_bytes: limit(|options| options.between_bytes_timeout),
        };
        let sending = self.send(request, timeouts);
        Box::new(async move {
            // The connection is driven elsewhere: nothing is left to do for the caller.
            let transmission: Transmission = Box::new(std::future::ready(Ok(())));
            Ok((sending.await?, transmission))
        })
    }
}

impl p2::WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: Request<p2::body::HyperOutgoingBody>,
        config: OutgoingRequestConfig,
    ) -> p2::HttpResult<HostFutureIncomingResponse> {
        let timeouts = Timeouts {
            connect: config.connect_timeout,
            first_byte: config.first_byte_timeout,
            between_bytes: config.between_bytes_timeout,
        };
        let request = request.map(|body| body.map_err(ErrorCode::from).boxed_unsync());
        let sending = self.send(request, timeouts);
        Ok(HostFutureIncomingResponse::pending(wasmtime_wasi::runtime::spawn(async move {
            Ok(match sending.await {
                Ok(response) => Ok(IncomingResponse {
                    resp: response
                        .map(|body| body.map_err(p2::bindings::http::types::ErrorCode::from).boxed_unsync()),
                    worker: None,
                    between_bytes_timeout: config.between_bytes_timeout,
                }),
                Err(error) => Err(error.into()),
            })
        })))
    }
}
