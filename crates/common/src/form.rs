//! A form that is read while it arrives (crate `multer`), with bounded memory and patience.
//!
//! multer takes in whatever its source has ready before it hands anything on, so a fast sender would fill the
//! memory. The source here pauses after each [`PAUSE_BYTES`]; and since one part of a form is handed on at once,
//! more than [`HEADER_BYTES`] without anything handed on can only be headers, which are no file.

use crate::outbound::before;
use crate::{Problem, Result};
use axum::body::Body;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::StatusCode;
use multer::Multipart;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

/// Bytes that may pile up before they are handed on.
const PAUSE_BYTES: usize = 128 * 1024;
/// Bytes that may come without a piece of a part among them.
const HEADER_BYTES: usize = 1024 * 1024;
/// The longest wait for the next bytes.
const PATIENCE: Duration = Duration::from_secs(30);
/// What of a refused body is still read, so that its sender reads the answer, and for how long.
const DRAIN: Duration = Duration::from_secs(2);

/// A part of a form: its name, file name and type, and its bytes by [`Form::bytes`].
pub type Part = multer::Field<'static>;

type Source = Pin<Box<dyn Stream<Item = Result<Bytes, axum::Error>> + Send>>;

struct Paced {
    source: Source,
    /// Since anything was handed on.
    waiting: Arc<AtomicUsize>,
    /// Since the last pause.
    taken: usize,
}

impl Stream for Paced {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.taken >= PAUSE_BYTES {
            self.taken = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.source.as_mut().poll_next(context).map(|item| {
            Some(match item? {
                Ok(bytes) => {
                    self.taken = self.taken.saturating_add(bytes.len());
                    let waiting = self.waiting.fetch_add(bytes.len(), Ordering::Relaxed);
                    if waiting > HEADER_BYTES {
                        return Some(Err(std::io::Error::other("the headers of a part have no end")));
                    }
                    Ok(bytes)
                }
                Err(error) => Err(std::io::Error::other(error)),
            })
        })
    }
}

/// The parts of a form, one after the other.
#[derive(Debug)]
pub struct Form {
    parts: Multipart<'static>,
    waiting: Arc<AtomicUsize>,
    limit: usize,
}

impl Form {
    /// Of a body of this `Content-Type`, at most `limit` bytes long; 415 where it is no form.
    pub fn new(content_type: Option<&str>, body: Body, limit: usize) -> Result<Self> {
        let boundary = content_type
            .and_then(|text| multer::parse_boundary(text).ok())
            .ok_or_else(|| Problem::unsupported_media_type("multipart/form-data; boundary=…"))?;
        let waiting = Arc::new(AtomicUsize::new(0));
        let source: Source = Box::pin(body.into_data_stream().map(|item| item));
        let paced = Paced { source, waiting: waiting.clone(), taken: 0 };
        let size = multer::SizeLimit::new().whole_stream(u64::try_from(limit).unwrap_or(u64::MAX));
        let constraints = multer::Constraints::new().size_limit(size);
        Ok(Form { parts: Multipart::with_constraints(paced, boundary, constraints), waiting, limit })
    }

    /// The next part; `None` after the last, when the form ended as it should.
    pub async fn part(&mut self) -> Result<Option<Part>> {
        let part = before(PATIENCE, self.parts.next_field()).await.ok_or_else(too_slow)?;
        self.waiting.store(0, Ordering::Relaxed);
        part.map_err(|error| problem(&error, self.limit))
    }

    /// The next bytes of a part; `None` at its end.
    pub async fn bytes(&self, part: &mut Part) -> Result<Option<Bytes>> {
        let bytes = before(PATIENCE, part.chunk()).await.ok_or_else(too_slow)?;
        self.waiting.store(0, Ordering::Relaxed);
        bytes.map_err(|error| problem(&error, self.limit))
    }

    /// Reads on a little for nothing: a server that closes while the sender still writes takes away the answer
    /// with it.
    pub async fn drain(mut self) {
        let _ = before(DRAIN, async { while let Ok(Some(_)) = self.parts.next_field().await {} }).await;
    }
}

fn too_slow() -> Problem {
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        "request_timeout",
        "No byte of the body came for 30 seconds. Nothing was stored; send it again.",
    )
}

fn problem(error: &multer::Error, limit: usize) -> Problem {
    match error {
        multer::Error::StreamSizeExceeded { .. } => Problem::too_large(limit),
        _ => Problem::malformed(format!("The form cannot be read: {error}.")),
    }
}
