//! The least that a component can do: the ceiling of the runtime, which `scripts/bench` compares
//! every endpoint with. No router, no database; the answer is written as the kit writes it, before
//! the head is returned.

use spin_sdk::wasip3::http::types::{ErrorCode, Fields, Request, Response, Trailers};
use spin_sdk::wasip3::{self, wit_future, wit_stream};
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

const BODY: &[u8] = b"Hello, world";

struct Hello;
wasip3::http::service::export!(Hello with_types_in wasip3);

impl wasip3::exports::http::handler::Guest for Hello {
    async fn handle(_: Request) -> Result<Response, ErrorCode> {
        let headers = Fields::from_list(&[
            ("content-type".to_string(), b"text/plain".to_vec()),
            ("content-length".to_string(), BODY.len().to_string().into_bytes()),
        ])
        .map_err(|error| ErrorCode::InternalError(Some(format!("{error:?}"))))?;
        let (mut writer, reader) = wit_stream::new::<u8>();
        let (done, trailers) = wit_future::new::<Result<Option<Trailers>, ErrorCode>>(|| Ok(None));
        let (response, _) = Response::new(headers, Some(reader), trailers);
        let mut write: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async move {
            let _ = writer.write_all(BODY.to_vec()).await;
            drop(writer);
            let _ = done.write(Ok(None)).await;
        });
        std::future::poll_fn(|context| {
            let _ = write.as_mut().poll(context);
            Poll::Ready(())
        })
        .await;
        spin_sdk::wit_bindgen::spawn(write);
        Ok(response)
    }
}
