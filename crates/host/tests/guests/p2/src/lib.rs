//! A WASI 0.2 component with what guests of Spin 2 import. `/fetch?URL` sends a request, everything
//! else runs through the interfaces once and says how often this instance was asked.
use std::cell::Cell;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingRequest, OutgoingResponse, ResponseOutparam, Scheme,
};

wit_bindgen::generate!({ world: "probe", path: "wit", generate_all });

use fermyon::spin::{key_value::Store, sqlite::Connection, sqlite::Value, variables};

thread_local! {
    static SEEN: Cell<u32> = const { Cell::new(0) };
}

struct Probe;
wasip2::http::proxy::export!(Probe);

impl Guest for Probe {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        SEEN.set(SEEN.get() + 1);
        let target = request.path_with_query().unwrap_or_default();
        let answer = match target.split_once('?') {
            Some((_, url)) => fetch(url),
            None => interfaces().unwrap_or_else(|error| error),
        };
        let response = OutgoingResponse::new(Fields::new());
        let body = response.body().unwrap();
        ResponseOutparam::set(out, Ok(response));
        let stream = body.write().unwrap();
        stream.blocking_write_and_flush(answer.as_bytes()).unwrap();
        drop(stream);
        OutgoingBody::finish(body, None).unwrap();
    }
}

fn interfaces() -> Result<String, String> {
    let store = Store::open("default").map_err(|error| format!("{error:?}"))?;
    let steps = || -> Result<String, fermyon::spin::key_value::Error> {
        store.set("p2", b"value")?;
        let got = store.get("p2")?.map(|value| String::from_utf8_lossy(&value).into_owned());
        let (there, keys) = (store.exists("p2")?, store.get_keys()?);
        store.delete("p2")?;
        Ok(format!("{got:?} {there} {} {}", keys.contains(&"p2".to_string()), store.exists("p2")?))
    };
    let key_value = steps().map_err(|error| format!("{error:?}"))?;
    let database = Connection::open("default").map_err(|error| format!("{error:?}"))?;
    let rows = database
        .execute("SELECT ? + 1, 'text', NULL", &[Value::Integer(41)])
        .map_err(|error| format!("{error:?}"))?
        .rows;
    let name = variables::get("name").map_err(|error| format!("{error:?}"))?;
    Ok(format!("{name} | seen {} | {key_value} | {:?}", SEEN.get(), rows[0].values))
}

fn fetch(url: &str) -> String {
    let (authority, path) = match url.trim_start_matches("http://").split_once('/') {
        Some((authority, path)) => (authority, format!("/{path}")),
        None => (url, "/".to_string()),
    };
    let request = OutgoingRequest::new(Fields::new());
    request.set_scheme(Some(&Scheme::Http)).unwrap();
    request.set_authority(Some(authority)).unwrap();
    request.set_path_with_query(Some(&path)).unwrap();
    let future = match outgoing_handler::handle(request, None) {
        Ok(future) => future,
        Err(error) => return format!("error: {error:?}"),
    };
    future.subscribe().block();
    let response = match future.get().unwrap().unwrap() {
        Ok(response) => response,
        Err(error) => return format!("error: {error:?}"),
    };
    let body = response.consume().unwrap();
    let stream = body.stream().unwrap();
    let mut bytes = Vec::new();
    while let Ok(more) = stream.blocking_read(65536) {
        bytes.extend(more);
    }
    format!("{} {}", response.status(), String::from_utf8_lossy(&bytes))
}
