//! A provider that answers as it is told: for what our sandbox never does, such as garbage and endless pages.
//! A real server, to be named by a base URL variable of a server of the test's own.

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, Uri};
use http_body::Frame;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// What was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub at: Instant,
    pub method: Method,
    /// Path and query.
    pub path: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Asked {
    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// How to answer.
#[derive(Clone, Debug)]
pub struct Told {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// Not before.
    pub after: Duration,
    /// The body has no end.
    pub endless: bool,
}

impl Told {
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Told {
            status,
            headers: Vec::new(),
            body: body.to_string().into_bytes(),
            after: Duration::ZERO,
            endless: false,
        }
    }

    pub fn text(status: u16, body: &str) -> Self {
        Told { status, headers: Vec::new(), body: body.into(), after: Duration::ZERO, endless: false }
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The head and the beginning of a body, and never its end.
    #[must_use]
    pub fn endless(mut self) -> Self {
        self.endless = true;
        self
    }

    #[must_use]
    pub fn after(mut self, after: Duration) -> Self {
        self.after = after;
        self
    }
}

type Answering = Box<dyn FnMut(&Asked, usize) -> Told + Send>;

struct Inner {
    asked: Mutex<Vec<Asked>>,
    answering: Mutex<Answering>,
}

/// The server. It ends with the test.
pub struct Provider {
    pub url: String,
    inner: Arc<Inner>,
    _runtime: tokio::runtime::Runtime,
}

impl Provider {
    /// Answers what `answering` says of each request and its number from 0.
    pub fn answering(answering: impl FnMut(&Asked, usize) -> Told + Send + 'static) -> Self {
        let inner = Arc::new(Inner { asked: Mutex::default(), answering: Mutex::new(Box::new(answering)) });
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let router = Router::new().fallback(answer).with_state(inner.clone());
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Provider { url, inner, _runtime: runtime }
    }

    /// Everything that was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.inner.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Some bytes, and then nothing for ever.
struct Endless(Option<Bytes>);

impl HttpBody for Endless {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.0.take() {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            None => Poll::Pending,
        }
    }
}

async fn answer(
    State(inner): State<Arc<Inner>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let asked = Asked { at: Instant::now(), method, path: uri.to_string(), headers, body: body.to_vec() };
    let told = {
        let mut all = inner.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let told = (inner.answering.lock().unwrap_or_else(PoisonError::into_inner))(&asked, all.len());
        all.push(asked);
        told
    };
    tokio::time::sleep(told.after).await;
    let body = if told.endless { Body::new(Endless(Some(told.body.into()))) } else { Body::from(told.body) };
    let mut response = (StatusCode::from_u16(told.status).unwrap(), body).into_response();
    for (name, value) in told.headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}
