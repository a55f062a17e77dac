//! Answers that never end by themselves: Server-Sent Events. They end when the server stops, as if the guest
//! had ended them, so that clients connect again, elsewhere or later, and nobody waits for them.
use crate::shutdown::Shutdown;
use http::{HeaderMap, header};
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Whether an answer with these headers has no end of its own.
pub fn is_endless(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().to_ascii_lowercase().starts_with(b"text/event-stream"))
}

/// A body that also ends when the server stops.
pub struct Endless<B> {
    body: Pin<Box<B>>,
    stop: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<B> Endless<B> {
    /// The body of an endless answer.
    pub fn new(body: B, shutdown: Shutdown) -> Self {
        Self { body: Box::pin(body), stop: Box::pin(shutdown.requested()) }
    }
}

impl<B: Body> Body for Endless<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        if let Poll::Ready(frame) = self.body.as_mut().poll_frame(context) {
            return Poll::Ready(frame);
        }
        self.stop.as_mut().poll(context).map(|()| None)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shutdown;
    use bytes::Bytes;
    use http_body_util::BodyExt as _;
    use std::convert::Infallible;

    /// A frame, and then nothing for ever.
    struct OneFrame(Option<Bytes>);

    impl Body for OneFrame {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.0.take().map_or(Poll::Pending, |bytes| Poll::Ready(Some(Ok(Frame::data(bytes)))))
        }
    }

    #[test]
    fn only_event_streams_are_endless() {
        let with =
            |kind: &str| is_endless(&HeaderMap::from_iter([(header::CONTENT_TYPE, kind.parse().unwrap())]));
        assert!(with("text/event-stream") && with("Text/Event-Stream; charset=utf-8"));
        assert!(!with("text/plain"));
        assert!(!is_endless(&HeaderMap::new()));
    }

    #[tokio::test]
    async fn what_is_there_is_sent_before_the_end() {
        let (stop, shutdown) = shutdown::channel();
        let mut body = Endless::new(OneFrame(Some(Bytes::from("a"))), shutdown);
        stop.now();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "a");
        assert!(body.frame().await.is_none());
    }
}
