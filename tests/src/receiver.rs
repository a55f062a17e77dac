//! A webhook receiver: a real HTTP server that keeps what it gets and answers as it is told.
//!
//! One server a process, on `FLOWNALLY_RECEIVER_PORT` or a free port; each [`Receiver`] is a path of it. What no proper
//! server does is in [`crate::raw_receiver`].

use crate::unique;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// How the receiver answers a delivery.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub after: Duration,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Reply { status, after: Duration::ZERO, headers: Vec::new(), body: Vec::new() }
    }

    /// 200, but only after a while.
    pub fn after(after: Duration) -> Self {
        Reply { after, ..Reply::status(200) }
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
}

/// One request that came in.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub at: Instant,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub event: Value,
}

impl Delivery {
    /// A request that has just come in.
    pub(crate) fn new(headers: HeaderMap, body: Vec<u8>) -> Self {
        let event = serde_json::from_slice(&body).unwrap_or_default();
        Delivery { at: Instant::now(), headers, body, event }
    }

    /// The `webhook-id`: the same on every repeat.
    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    pub fn kind(&self) -> &str {
        self.event["type"].as_str().unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Verifies with the Standard Webhooks project's own library.
    pub fn verify(&self, secret: &str) -> Result<(), standardwebhooks::WebhookError> {
        standardwebhooks::Webhook::new(secret)?.verify(&self.body, &self.headers)
    }
}

type Answering = Box<dyn FnMut(&Delivery, usize) -> Reply + Send>;

struct Inner {
    deliveries: Mutex<Vec<Delivery>>,
    answering: Mutex<Answering>,
}

/// A path of the server, and what came to it and to paths below it.
#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    inner: Arc<Inner>,
}

type Paths = Arc<Mutex<HashMap<String, Arc<Inner>>>>;

struct Server {
    address: SocketAddr,
    paths: Paths,
    _runtime: tokio::runtime::Runtime,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let port = std::env::var("FLOWNALLY_RECEIVER_PORT").map_or(0, |port| port.parse().expect("a port"));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let paths = Paths::default();
        let router =
            Router::new().route("/hooks/{*path}", axum::routing::any(receive)).with_state(paths.clone());
        let listener = runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", port))).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Server { address, paths, _runtime: runtime }
    })
}

async fn receive(
    State(paths): State<Paths>,
    Path(path): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let name = path.split('/').next().unwrap_or_default();
    let Some(inner) = lock(&paths).get(name).cloned() else { return StatusCode::GONE.into_response() };
    let delivery = Delivery::new(headers, body.to_vec());
    let reply = {
        let mut deliveries = lock(&inner.deliveries);
        let reply = (lock(&inner.answering))(&delivery, deliveries.len());
        deliveries.push(delivery);
        reply
    };
    tokio::time::sleep(reply.after).await;
    let mut response = (StatusCode::from_u16(reply.status).unwrap(), reply.body).into_response();
    for (name, value) in reply.headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

impl Receiver {
    /// A receiver that accepts everything.
    pub fn start() -> Self {
        Self::answering(|_, _| Reply::status(204))
    }

    /// A receiver that answers what `answering` says of each delivery and its number from 0.
    pub fn answering(answering: impl FnMut(&Delivery, usize) -> Reply + Send + 'static) -> Self {
        let server = server();
        let name = unique::word();
        let inner =
            Arc::new(Inner { deliveries: Mutex::default(), answering: Mutex::new(Box::new(answering)) });
        lock(&server.paths).insert(name.clone(), inner.clone());
        Receiver { url: format!("http://{}/hooks/{name}", server.address), inner }
    }

    /// A receiver that sends everybody elsewhere.
    pub fn redirecting(location: &str) -> Self {
        let location = location.to_string();
        Self::answering(move |_, _| Reply::status(307).with("location", location.clone()))
    }

    /// Everything so far, in the order of arrival.
    pub fn deliveries(&self) -> Vec<Delivery> {
        lock(&self.inner.deliveries).clone()
    }

    /// What `wanted` chooses of everything so far.
    pub fn matching(&self, wanted: impl Fn(&Delivery) -> bool) -> Vec<Delivery> {
        self.deliveries().into_iter().filter(|delivery| wanted(delivery)).collect()
    }

    /// The first delivery that `wanted` chooses; panics when none comes in time.
    #[track_caller]
    pub fn wait_until(&self, what: &str, deadline: Duration, wanted: impl Fn(&Delivery) -> bool) -> Delivery {
        crate::wait_for(what, deadline, || self.matching(&wanted).into_iter().next())
    }

    /// The first event of a type; panics when none comes in time.
    #[track_caller]
    pub fn wait_for(&self, kind: &str, deadline: Duration) -> Delivery {
        self.wait_until(&format!("the event {kind}"), deadline, |delivery| delivery.kind() == kind)
    }

    /// Waits until nothing has come for a while, or until the deadline.
    pub fn wait_until_quiet(&self, quiet: Duration, deadline: Duration) {
        let began = Instant::now();
        let mut before = (lock(&self.inner.deliveries).len(), Instant::now());
        while before.1.elapsed() < quiet && began.elapsed() < deadline {
            std::thread::sleep(quiet / 10);
            let count = lock(&self.inner.deliveries).len();
            if count != before.0 {
                before = (count, Instant::now());
            }
        }
    }
}
