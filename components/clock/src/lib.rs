//! The clock: on each event of the cron trigger it calls `POST /internal/tick` with the tick token.
//!
//! The cron trigger is a server of its own, built on an older Spin, synchronous and without service
//! chaining: so this is a small WASI 0.2 component without a database, and reaches the scheduler over
//! HTTP at `tick_authority`. Anything else that can call a URL can do its work.

#[allow(unsafe_code, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({ world: "spin-cron", path: "wit", generate_all });

    use super::Clock;
    export!(Clock);
}

use bindings::fermyon::spin::variables;
use bindings::{Error, Guest, Metadata};
use wasip2::http::outgoing_handler;
use wasip2::http::types::{Fields, Method, OutgoingRequest, RequestOptions, Scheme};

/// How long the scheduler may take, in nanoseconds: its time budget and some.
const DEADLINE_NANOS: u64 = 15_000_000_000;

struct Clock;

impl Guest for Clock {
    fn handle_cron_event(_: Metadata) -> Result<(), Error> {
        tick().map_err(Error::Other)
    }
}

fn tick() -> Result<(), String> {
    let authority = variable("tick_authority")?;
    let token = variable("tick_token")?;
    let headers = [("authorization".to_string(), format!("Bearer {token}").into_bytes())];
    let request = OutgoingRequest::new(Fields::from_list(&headers).map_err(|error| format!("{error:?}"))?);
    let refused = |()| "the request cannot be built".to_string();
    request.set_method(&Method::Post).map_err(refused)?;
    request.set_scheme(Some(&Scheme::Http)).map_err(refused)?;
    request.set_authority(Some(&authority)).map_err(refused)?;
    request.set_path_with_query(Some("/internal/tick")).map_err(refused)?;
    let options = RequestOptions::new();
    options.set_connect_timeout(Some(DEADLINE_NANOS)).map_err(refused)?;
    options.set_first_byte_timeout(Some(DEADLINE_NANOS)).map_err(refused)?;
    let answer = outgoing_handler::handle(request, Some(options)).map_err(|error| format!("{error:?}"))?;
    answer.subscribe().block();
    let response = answer
        .get()
        .ok_or("no answer")?
        .map_err(|()| "the answer was taken twice".to_string())?
        .map_err(|error| format!("the scheduler at {authority} was not reached: {error:?}"))?;
    match response.status() {
        200..=299 => Ok(()),
        status => Err(format!("the scheduler answered {status}")),
    }
}

fn variable(name: &str) -> Result<String, String> {
    variables::get(name).map_err(|error| format!("the variable {name}: {error:?}"))
}
