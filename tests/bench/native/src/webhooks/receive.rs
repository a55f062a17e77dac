//! The receiver: accepts everything at once and notes when what came.
//!
//! `POST /hooks` takes a delivery. `GET /report` answers one line: how many different deliveries came, how many a
//! second, and p50 and p99 of the milliseconds from the event's `timestamp` to its arrival. `GET /sample` answers the
//! body of one of them; `POST /reset` forgets all but that.

use super::micros;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use serde::Deserialize;
use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Clone, Copy)]
struct Arrival {
    at: i64,
    /// Since the event's `timestamp`, in microseconds.
    delay: i64,
}

#[derive(Default)]
struct Seen {
    /// The first arrival of each `webhook-id`.
    arrivals: HashMap<String, Arrival>,
    sample: Bytes,
}

type Shared = Arc<Mutex<Seen>>;

fn lock(seen: &Shared) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Deserialize)]
struct Event {
    timestamp: jiff::Timestamp,
}

async fn receive(State(seen): State<Shared>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let at = micros();
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok());
    let (Some(id), Ok(event)) = (id, serde_json::from_slice::<Event>(&body)) else {
        return StatusCode::BAD_REQUEST;
    };
    let delay = at - event.timestamp.as_microsecond();
    let mut seen = lock(&seen);
    seen.arrivals.entry(id.to_string()).or_insert(Arrival { at, delay });
    seen.sample = body;
    StatusCode::NO_CONTENT
}

async fn report(State(seen): State<Shared>) -> String {
    let mut arrivals: Vec<Arrival> = lock(&seen).arrivals.values().copied().collect();
    let count = arrivals.len();
    let first = arrivals.iter().map(|arrival| arrival.at).min().unwrap_or(0);
    let last = arrivals.iter().map(|arrival| arrival.at).max().unwrap_or(0);
    let rate = count.saturating_sub(1) as f64 / ((last - first).max(1) as f64 / 1e6);
    arrivals.sort_by_key(|arrival| arrival.delay);
    let percentile = |of: usize| {
        let at = (count * of / 100).min(count.saturating_sub(1));
        arrivals.get(at).map_or(0.0, |arrival| arrival.delay as f64 / 1e3)
    };
    format!("{count} {rate:.0} {:.1} {:.1}\n", percentile(50), percentile(99))
}

pub fn run(address: &str) -> Result<(), Box<dyn Error>> {
    let router = Router::new()
        .route("/hooks", post(receive))
        .route("/report", get(report))
        .route("/sample", get(async |State(seen): State<Shared>| lock(&seen).sample.clone()))
        .route("/reset", post(async |State(seen): State<Shared>| lock(&seen).arrivals.clear()))
        .with_state(Shared::default());
    super::run(async {
        let listener = tokio::net::TcpListener::bind(address).await?;
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
            let _ = stream.set_nodelay(true);
        });
        Ok(axum::serve(listener, router).await?)
    })
}
