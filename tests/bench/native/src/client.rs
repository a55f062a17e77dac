//! An HTTP client that does nothing but send: one connection, kept alive, one request at a time.

use axum::body::Bytes;
use axum::http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::error::Error;
use tokio::net::TcpStream;

/// What goes wrong, from a thread's point of view.
pub type Failed = Box<dyn Error + Send + Sync>;

/// A connection to `HOST:PORT`.
pub struct Connection {
    address: String,
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    pub async fn open(address: &str) -> Result<Self, Failed> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Connection { address: address.to_string(), sender })
    }

    /// Sends JSON and reads the whole answer: its status and body.
    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<(u16, Bytes), Failed> {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, &self.address);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request =
            request.header(header::CONTENT_TYPE, "application/json").body(Full::new(body.into()))?;
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status().as_u16();
        Ok((status, answer.into_body().collect().await?.to_bytes()))
    }
}
