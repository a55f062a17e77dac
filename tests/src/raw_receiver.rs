//! Webhook receivers that no proper server is: they reset, stall, flood, or talk nonsense.
//!
//! Each is a server of its own. It reads a whole request, then does what its [`Conduct`] says, byte by byte; every
//! answer ends its connection.

use crate::receiver::Delivery;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Between two bytes of what is slow.
const BEAT: Duration = Duration::from_secs(1);
/// A gzip member of 1 MiB of zeros, about a thousandth of that on the wire.
const ZEROS: &[u8] = include_bytes!("../fixtures/zeros-1m.gz");
/// How many of them the bomb has: a gibibyte unpacked.
const BOMB: usize = 1024;
const CERTIFICATE: &[u8] = include_bytes!("../fixtures/self-signed.pem");
const KEY: &[u8] = include_bytes!("../fixtures/self-signed.key.pem");

/// What is done with a request once it has been read.
#[derive(Clone, Debug)]
pub enum Conduct {
    /// These bytes, whatever they are, and the end of the connection.
    Bytes(Vec<u8>),
    /// The connection ends (FIN) without an answer.
    Close,
    /// The connection is torn (RST) without an answer.
    Reset,
    /// 200 and half of the body; then the connection is torn (RST).
    ResetMidway,
    /// Nothing, for ever.
    Silence,
    /// The head of an answer, a byte a second, without end.
    SlowHead,
    /// The head of a 200 at once, then its body of this many bytes, one a second.
    SlowBody(usize),
    /// 200 and a body without end, as fast as it is taken.
    Endless,
    /// 200 and a `content-encoding: gzip` body of 1 MiB that unpacks to 1 GiB.
    GzipBomb,
}

impl Conduct {
    /// An answer as servers give it, with this status.
    pub fn status(status: u16) -> Self {
        Conduct::Bytes(format!("HTTP/1.1 {status} Status\r\ncontent-length: 0\r\n\r\n").into_bytes())
    }

    /// No HTTP at all.
    pub fn garbage() -> Self {
        Conduct::Bytes(b"220 mail.example.com ESMTP ready\r\n\0\x01\x02\xff".to_vec())
    }
}

type Conducting = Box<dyn FnMut(&Delivery, usize) -> Conduct + Send>;

#[derive(Default)]
struct Seen {
    deliveries: Mutex<Vec<Delivery>>,
    /// Connections that were made, TLS or not.
    connections: AtomicU64,
    /// Connections that wait for their end.
    open: AtomicU64,
    /// The most that were open at once.
    most_open: AtomicU64,
    /// Bytes of answers that the other side's machine took.
    written: AtomicU64,
}

struct Inner {
    seen: Seen,
    conducting: Mutex<Conducting>,
    tls: Option<TlsAcceptor>,
}

/// The server. It lives as long as the process.
#[derive(Clone)]
pub struct RawReceiver {
    pub url: String,
    inner: Arc<Inner>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    })
}

impl RawReceiver {
    /// Does the same with every request.
    pub fn always(conduct: Conduct) -> Self {
        Self::conducting(move |_, _| conduct.clone())
    }

    /// Does what `conducting` says of each request and its number from 0.
    pub fn conducting(conducting: impl FnMut(&Delivery, usize) -> Conduct + Send + 'static) -> Self {
        Self::start("http", None, Box::new(conducting))
    }

    /// An https server with a certificate of its own making, which answers 200 to who trusts it.
    pub fn self_signed() -> Self {
        let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
        let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
        let config =
            ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
        Self::start("https", Some(TlsAcceptor::from(Arc::new(config))), Box::new(|_, _| Conduct::status(200)))
    }

    /// An https address at which nobody speaks TLS: who tries is answered 400 in plain text.
    pub fn without_tls() -> Self {
        let mut receiver = Self::always(Conduct::status(200));
        receiver.url = receiver.url.replacen("http:", "https:", 1);
        receiver
    }

    /// An address at which nobody listens: connections are refused.
    pub fn nobody() -> String {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/hooks", listener.local_addr().unwrap())
    }

    fn start(scheme: &str, tls: Option<TlsAcceptor>, conducting: Conducting) -> Self {
        let listener = runtime().block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("{scheme}://{}/hooks", listener.local_addr().unwrap());
        let inner = Arc::new(Inner { seen: Seen::default(), conducting: Mutex::new(conducting), tls });
        let accepting = inner.clone();
        runtime().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(accepting.clone(), stream));
            }
        });
        RawReceiver { url, inner }
    }

    /// From now on, does the same with every request.
    pub fn change_to(&self, conduct: Conduct) {
        *lock(&self.inner.conducting) = Box::new(move |_, _| conduct.clone());
    }

    /// Everything so far, in the order of arrival.
    pub fn deliveries(&self) -> Vec<Delivery> {
        lock(&self.inner.seen.deliveries).clone()
    }

    /// The delivery of this number from 0; panics when it does not come in time.
    #[track_caller]
    pub fn wait_for(&self, nth: usize, deadline: Duration) -> Delivery {
        crate::wait_for("a delivery", deadline, || self.deliveries().into_iter().nth(nth))
    }

    /// How many connections were made so far.
    pub fn connections(&self) -> u64 {
        self.inner.seen.connections.load(Ordering::Relaxed)
    }

    /// How many connections are open now.
    pub fn open(&self) -> u64 {
        self.inner.seen.open.load(Ordering::Relaxed)
    }

    /// How many connections were open at once, at most.
    pub fn most_open(&self) -> u64 {
        self.inner.seen.most_open.load(Ordering::Relaxed)
    }

    /// How many bytes of answers went out: what the other side read, and what lies in the buffers between.
    pub fn written(&self) -> u64 {
        self.inner.seen.written.load(Ordering::Relaxed)
    }
}

/// A connection, from its beginning to its end.
async fn serve(inner: Arc<Inner>, stream: TcpStream) {
    let seen = &inner.seen;
    seen.connections.fetch_add(1, Ordering::Relaxed);
    let open = seen.open.fetch_add(1, Ordering::Relaxed) + 1;
    seen.most_open.fetch_max(open, Ordering::Relaxed);
    let _ = stream.set_nodelay(true);
    let torn = match &inner.tls {
        None => {
            let mut stream = stream;
            let torn = exchange(&inner, &mut stream).await;
            if matches!(torn, Ok(true)) {
                let _ = stream.set_zero_linger();
            }
            torn
        }
        Some(acceptor) => match acceptor.accept(stream).await {
            Ok(mut stream) => exchange(&inner, &mut stream).await,
            Err(error) => Err(error),
        },
    };
    // What goes wrong here is the other side's leaving, which is what many conducts wait for.
    drop(torn);
    inner.seen.open.fetch_sub(1, Ordering::Relaxed);
}

/// One request and what is done with it; whether the connection is to be torn.
async fn exchange(inner: &Inner, stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<bool> {
    let out = &mut Out { stream, written: &inner.seen.written };
    let delivery = match read_request(out.stream).await {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            out.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await?;
            return Ok(false);
        }
        read => read?,
    };
    let conduct = {
        let mut deliveries = lock(&inner.seen.deliveries);
        let conduct = (lock(&inner.conducting))(&delivery, deliveries.len());
        deliveries.push(delivery);
        conduct
    };
    match conduct {
        Conduct::Bytes(bytes) => out.write(&bytes).await?,
        Conduct::Close => {}
        Conduct::Reset => return Ok(true),
        Conduct::ResetMidway => {
            out.write(b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nhalf of it").await?;
            // What is still on its way when the connection is torn is lost.
            tokio::time::sleep(BEAT / 5).await;
            return Ok(true);
        }
        Conduct::Silence => return out.until_left().await,
        Conduct::SlowHead => {
            out.write(b"HTTP/1.1 200 OK\r\nx-slow: ").await?;
            loop {
                out.slowly(b"x").await?;
            }
        }
        Conduct::SlowBody(length) => {
            out.write(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n").as_bytes()).await?;
            for _ in 0..length {
                out.slowly(b"x").await?;
            }
        }
        Conduct::Endless => {
            out.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n").await?;
            loop {
                out.write(&[b'x'; 16 * 1024]).await?;
            }
        }
        Conduct::GzipBomb => {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-encoding: gzip\r\n";
            let length = ZEROS.len() * BOMB;
            out.write(format!("{head}content-length: {length}\r\n\r\n").as_bytes()).await?;
            for _ in 0..BOMB {
                out.write(ZEROS).await?;
            }
        }
    }
    out.stream.shutdown().await?;
    Ok(false)
}

/// Writes and counts.
struct Out<'a, S> {
    stream: &'a mut S,
    written: &'a AtomicU64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Out<'_, S> {
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await?;
        self.written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// After a second, unless the other side leaves before.
    async fn slowly(&mut self, bytes: &[u8]) -> io::Result<()> {
        match tokio::time::timeout(BEAT, self.until_left()).await {
            Ok(_) => Err(io::ErrorKind::ConnectionAborted.into()),
            Err(_) => self.write(bytes).await,
        }
    }

    /// Waits until the other side ends the connection.
    async fn until_left(&mut self) -> io::Result<bool> {
        let mut rest = [0; 1024];
        while self.stream.read(&mut rest).await? > 0 {}
        Ok(false)
    }
}

/// Reads a request whose length is said in its head.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Delivery> {
    let mut bytes: Vec<u8> = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        // A method begins with a letter.
        if bytes.first().is_some_and(|byte| !byte.is_ascii_uppercase()) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        read_more(stream, &mut bytes).await?;
    };
    let headers = headers(&String::from_utf8_lossy(&bytes[..head]));
    let length = headers.get("content-length").and_then(|value| value.to_str().ok()?.parse().ok());
    let mut body = bytes.split_off(head + 4);
    while body.len() < length.unwrap_or(0) {
        read_more(stream, &mut body).await?;
    }
    Ok(Delivery::new(headers, body))
}

async fn read_more(stream: &mut (impl AsyncRead + Unpin), into: &mut Vec<u8>) -> io::Result<()> {
    match stream.read_buf(into).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// The lines behind the request line.
fn headers(head: &str) -> HeaderMap {
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    fields
        .filter_map(|(name, value)| {
            Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value.trim()).ok()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    const BODY: &str = r#"{"type":"webhook.test"}"#;

    /// Posts to the receiver: status and body, or the error's words. Reads for two seconds at most.
    fn post(url: &str) -> Result<(u16, Vec<u8>), String> {
        let config =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(BEAT * 2)).build();
        let request = http::Request::post(url).header("webhook-id", "evt_1").body(BODY).unwrap();
        let answer = ureq::Agent::from(config).run(request).map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let mut body = answer.into_body();
        Ok((status, body.read_to_vec().map_err(|error| error.to_string())?))
    }

    #[test]
    fn requests_are_kept_and_answered_in_turn() {
        let receiver = RawReceiver::conducting(|_, nth| Conduct::status(if nth == 0 { 500 } else { 204 }));
        assert_eq!(post(&receiver.url).unwrap().0, 500);
        assert_eq!(post(&receiver.url).unwrap().0, 204);
        receiver.change_to(Conduct::status(410));
        assert_eq!(post(&receiver.url).unwrap().0, 410);
        let deliveries = receiver.deliveries();
        assert_eq!(
            (deliveries.len(), deliveries[2].id(), deliveries[2].kind()),
            (3, "evt_1", "webhook.test")
        );
    }

    #[test]
    fn what_breaks_off_is_an_error() {
        for conduct in [Conduct::Close, Conduct::Reset, Conduct::ResetMidway, Conduct::garbage()] {
            let receiver = RawReceiver::always(conduct.clone());
            let answer = post(&receiver.url);
            assert!(answer.is_err(), "{conduct:?}: {answer:?}");
            assert_eq!(receiver.deliveries().len(), 1, "{conduct:?}");
        }
        assert!(post(&RawReceiver::without_tls().url).is_err());
        assert!(post(&RawReceiver::nobody()).is_err());
    }

    #[test]
    fn what_is_slow_outlasts_the_client_and_sees_it_leave() {
        for conduct in [Conduct::Silence, Conduct::SlowHead, Conduct::SlowBody(60), Conduct::Endless] {
            let receiver = RawReceiver::always(conduct.clone());
            let began = Instant::now();
            assert!(post(&receiver.url).is_err(), "{conduct:?}");
            assert!(
                began.elapsed() >= BEAT || matches!(conduct, Conduct::Endless),
                "{conduct:?} ended after {:?}",
                began.elapsed()
            );
            crate::wait_for("the client's leaving", BEAT * 3, || (receiver.open() == 0).then_some(()));
            assert_eq!(receiver.most_open(), 1);
        }
    }

    #[test]
    fn a_slow_body_comes_a_byte_a_second() {
        let receiver = RawReceiver::always(Conduct::SlowBody(1));
        let began = Instant::now();
        assert_eq!(post(&receiver.url).unwrap(), (200, b"x".to_vec()));
        assert!(began.elapsed() >= BEAT);
    }

    #[test]
    fn the_bomb_is_a_thousandth_of_what_it_unpacks_to() {
        let receiver = RawReceiver::always(Conduct::GzipBomb);
        let (status, body) = post(&receiver.url).unwrap();
        assert_eq!((status, body.len()), (200, ZEROS.len() * BOMB));
        assert!(body.starts_with(&[0x1f, 0x8b, 8]) && body.len() * 900 < BOMB * 1024 * 1024);
        assert!(receiver.written() > body.len() as u64);
    }

    #[test]
    fn nobody_who_checks_certificates_delivers_to_the_self_signed() {
        let receiver = RawReceiver::self_signed();
        let address = receiver.url.trim_start_matches("https://").trim_end_matches("/hooks");
        let mut roots = tokio_rustls::rustls::RootCertStore::empty();
        let handshake = |roots: &tokio_rustls::rustls::RootCertStore| {
            let config = tokio_rustls::rustls::ClientConfig::builder()
                .with_root_certificates(roots.clone())
                .with_no_client_auth();
            let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
            runtime().block_on(async {
                let stream = TcpStream::connect(address).await.unwrap();
                connector.connect("127.0.0.1".try_into().unwrap(), stream).await.map(|_| ())
            })
        };
        assert!(handshake(&roots).unwrap_err().to_string().contains("UnknownIssuer"));
        // Nothing is wrong with it but that nobody vouches for it.
        roots.add(CertificateDer::from_pem_slice(CERTIFICATE).unwrap()).unwrap();
        handshake(&roots).unwrap();
        assert_eq!(receiver.connections(), 2);
    }
}
