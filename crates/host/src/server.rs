//! The HTTP/1.1 server: accepts connections, finds the component for a path, hands the request over.
use crate::endless::{self, Endless};
use crate::instances::Handler;
use crate::request_headers;
use crate::routes::Router;
use crate::shutdown::{Count, Shutdown};
use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use wasmtime_wasi_http::handler::ErrorCode;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode as P3ErrorCode;

/// Requests from outside that wait for their response's head at once; more queue here. The handler
/// itself has no limit, and the engine's pool must have room for an instance for each of them.
const MAX_REQUESTS: usize = 1000;
/// How long to wait after a connection could not be accepted, as when file descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Answered by Spin itself.
const HEALTH_PATH: &str = "/.well-known/spin/health";

type ResponseBody = UnsyncBoxBody<Bytes, wasmtime::Error>;

/// Everything a request needs.
pub struct Server {
    router: Router,
    handlers: HashMap<String, Handler>,
    permits: Semaphore,
}

impl Server {
    /// The handlers are those of all components that routes name.
    pub fn new(router: Router, handlers: HashMap<String, Handler>) -> Self {
        Self { router, handlers, permits: Semaphore::new(MAX_REQUESTS) }
    }

    /// Accepts connections until the server shall stop. Each counts as running until it is closed.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, shutdown: Shutdown, running: Count) {
        let mut stop = pin!(shutdown.clone().requested());
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = &mut stop => return,
            };
            match accepted {
                Ok((stream, client)) => {
                    let (server, shutdown, running) = (self.clone(), shutdown.clone(), running.enter());
                    tokio::spawn(async move {
                        server.connection(stream, client, shutdown).await;
                        drop(running);
                    });
                }
                Err(error) => {
                    eprintln!("a connection could not be accepted: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Answers one connection's requests. When the server stops, the request in flight is finished.
    async fn connection(self: Arc<Self>, stream: TcpStream, client: SocketAddr, shutdown: Shutdown) {
        // Without it a small response leaves in two packets 40 ms apart.
        let _ = stream.set_nodelay(true);
        let Ok(client) = HeaderValue::from_str(&client.to_string()) else { return };
        let service = hyper::service::service_fn(|request| {
            let (server, client, shutdown) = (self.clone(), client.clone(), shutdown.clone());
            async move { Ok::<_, Infallible>(server.answer(request, client, shutdown).await) }
        });
        let connection =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        // An error is a client that went away or does not speak HTTP: neither is worth a line.
        tokio::select! {
            _ = &mut connection => {}
            () = shutdown.clone().requested() => {
                connection.as_mut().graceful_shutdown();
                let _ = connection.await;
            }
        }
    }

    async fn answer(
        &self,
        mut request: Request<hyper::body::Incoming>,
        client: HeaderValue,
        shutdown: Shutdown,
    ) -> Response<ResponseBody> {
        if request.uri().path() == HEALTH_PATH {
            return plain(StatusCode::OK, "OK");
        }
        complete_uri(&mut request);
        let path = request.uri().path().to_string();
        let Some((route, captures)) = self.router.find(&path) else {
            return plain(StatusCode::NOT_FOUND, "");
        };
        let Some(handler) = self.handlers.get(&route.component) else {
            return plain(StatusCode::INTERNAL_SERVER_ERROR, "");
        };
        request_headers::set(&mut request, route, &captures, client);
        let request = request
            .map(|body| body.map_err(|_| ErrorCode::from(P3ErrorCode::ConnectionTerminated)).boxed_unsync());
        // Only fails when the semaphore is closed, which it never is.
        let _permit = self.permits.acquire().await;
        let response = handler.handle((), request).await.unwrap_or_else(|error| {
            eprintln!("[{}] {path} failed: {error:#}", route.component);
            plain(StatusCode::INTERNAL_SERVER_ERROR, "")
        });
        if endless::is_endless(response.headers()) {
            return response.map(|body| Endless::new(body, shutdown).boxed_unsync());
        }
        response
    }
}

/// hyper gives the path only; a guest wants scheme and host as well.
fn complete_uri<B>(request: &mut Request<B>) {
    if request.uri().authority().is_some() {
        return;
    }
    let host = request_headers::host_of(request.headers_mut());
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(Authority::try_from(host).unwrap_or_else(|_| Authority::from_static("localhost")));
    parts.path_and_query =
        Some(request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")));
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<ResponseBody> {
    let mut response =
        Response::new(Full::from(text).map_err(|never: Infallible| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response
}
