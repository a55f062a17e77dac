//! A small HTTP client: one call sends, checks the answer against `openapi.json`, and gives it back.

use crate::document;
use http::{HeaderMap, Method};
use serde_json::Value;
use std::sync::OnceLock;
use std::time::Duration;

/// No request of a test takes longer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A caller with certain headers.
#[derive(Clone)]
pub struct Client {
    agent: ureq::Agent,
    pub(crate) base: String,
    pub(crate) headers: Vec<(String, String)>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// Method and path, for messages.
    pub of: String,
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(TIMEOUT))
        .max_idle_connections_per_host(64)
        .allow_non_standard_methods(true)
        .build()
        .into()
}

impl Client {
    /// A caller without a credential; all share one pool of connections.
    pub fn new(base: &str) -> Self {
        static SHARED: OnceLock<ureq::Agent> = OnceLock::new();
        let agent = SHARED.get_or_init(agent).clone();
        Client { agent, base: base.to_string(), headers: Vec::new() }
    }

    /// The same caller with connections of its own, for a server that is killed meanwhile.
    #[must_use]
    pub fn apart(mut self) -> Self {
        self.agent = agent();
        self
    }

    /// The same caller with one more header, or with another value of it.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut other = self.clone();
        other.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        other.headers.push((name.to_string(), value.to_string()));
        other
    }

    #[must_use]
    pub fn bearer(&self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    /// With an `Idempotency-Key`.
    #[must_use]
    pub fn once(&self, key: &str) -> Self {
        self.with("idempotency-key", key)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None)
    }

    pub fn post(&self, path: &str, body: impl Into<Value>) -> Answer {
        self.send(Method::POST, path, Some(body.into()))
    }

    pub fn put(&self, path: &str, body: impl Into<Value>) -> Answer {
        self.send(Method::PUT, path, Some(body.into()))
    }

    pub fn patch(&self, path: &str, body: impl Into<Value>) -> Answer {
        self.send(Method::PATCH, path, Some(body.into()))
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None)
    }

    /// Sends JSON, or nothing, and checks the answer against the document.
    pub fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let answer =
            self.try_send(&method, path, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        document::check(&method, path, &answer);
        answer
    }

    /// Like [`Client::send`], for servers that may die: the error of a connection is an answer too.
    pub fn try_send(&self, method: &Method, path: &str, body: Option<Value>) -> Result<Answer, ureq::Error> {
        let body = body.map(|body| body.to_string());
        let kind = body.as_ref().map(|_| "application/json");
        self.raw(method, path, kind, body.unwrap_or_default().as_bytes())
    }

    /// A connection with a request's head on it, for what is sent or read by hand. It closes after the answer.
    pub fn open(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> std::net::TcpStream {
        use std::io::Write;
        let host = self.base.trim_start_matches("http://");
        let mut stream = std::net::TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        stream.set_write_timeout(Some(TIMEOUT)).unwrap();
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.chain(headers.iter().copied()) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        stream
    }

    /// Sends these bytes as they are.
    pub fn raw(
        &self,
        method: &Method,
        path: &str,
        kind: Option<&str>,
        body: &[u8],
    ) -> Result<Answer, ureq::Error> {
        let mut request = http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        // An empty body and no body differ on the wire for methods that usually have one.
        let response = if matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
            self.agent.run(request.body(body).unwrap())
        } else if body.is_empty() {
            self.agent.run(request.body(()).unwrap())
        } else {
            assert_eq!(method, Method::DELETE, "this client sends a body with no other method");
            let mut request = self.agent.delete(format!("{}{path}", self.base));
            for (name, value) in &self.headers {
                request = request.header(name, value);
            }
            request.force_send_body().content_type(kind.unwrap_or_default()).send(body)
        }?;
        let (parts, mut body) = response.into_parts();
        Ok(Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.read_to_vec()?,
            of: format!("{method} {path}"),
        })
    }
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// The body as JSON, once the status is this one.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self}");
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// The problem document, once status and code are these.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.expect(status);
        assert_eq!(self.header("content-type"), "application/problem+json", "{self}");
        assert_eq!(problem["code"], code, "{self}");
        assert_eq!(problem["status"], status, "{self}");
        problem
    }

    /// The fields that a 422 or a 400 names.
    #[track_caller]
    pub fn wrong_fields(&self, status: u16) -> Vec<String> {
        let problem = self.expect(status);
        let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("names no fields: {self}"));
        errors.iter().map(|error| error["field"].as_str().unwrap().to_string()).collect()
    }

    /// A header's value; empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} answered {}: {}", self.of, self.status, String::from_utf8_lossy(&self.body))
    }
}

/// A text member of a JSON object; panics when it is something else.
#[track_caller]
pub fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no text {name} in {value}")).to_string()
}

/// How a body is framed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Framing {
    /// With its length said before.
    Length,
    /// In chunks, so that nobody knows its length before.
    Chunks,
}

/// Posts a JSON body by hand and gives the status, also when the server answers and closes before it
/// has read everything.
pub fn post_large(client: &Client, path: &str, body: &[u8], framing: Framing) -> u16 {
    use std::io::{Read, Write};
    let host = client.base.trim_start_matches("http://");
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    let mut head = format!("POST {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
    for (name, value) in &client.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("content-type: application/json\r\n");
    match framing {
        Framing::Length => head.push_str(&format!("content-length: {}\r\n\r\n", body.len())),
        Framing::Chunks => head.push_str("transfer-encoding: chunked\r\n\r\n"),
    }
    stream.write_all(head.as_bytes()).unwrap();
    for chunk in body.chunks(64 * 1024) {
        let size = format!("{:x}\r\n", chunk.len());
        let parts: &[&[u8]] = match framing {
            Framing::Length => &[chunk],
            Framing::Chunks => &[size.as_bytes(), chunk, b"\r\n"],
        };
        if parts.iter().any(|part| stream.write_all(part).is_err()) {
            break;
        }
    }
    if framing == Framing::Chunks {
        let _ = stream.write_all(b"0\r\n\r\n");
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let line = String::from_utf8_lossy(&answer);
    line.split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or_else(|| panic!("no answer: {line}"))
}
