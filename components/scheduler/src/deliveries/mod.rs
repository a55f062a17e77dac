//! Delivering events to the tenants' endpoints (contract section 12, Standard Webhooks 1.0).
//!
//! A worker has one endpoint to itself ([`worker`]) and one exchange with it is [`exchange`]. Endpoints whose last
//! attempt failed get a part of the places only: however many are dead, the healthy ones find room.

mod exchange;
pub mod verify;
mod worker;

use crate::run;
use common::time::Timestamp;
use common::{Result, background, db};
use domain::webhooks::queue::{self, Leased};
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;

/// Endpoints that one instance works on at the same time.
const PLACES: u32 = 512;
/// Of them those whose last attempt failed.
const FAILING_PLACES: u32 = 256;

thread_local! {
    static HEALTHY: Cell<u32> = const { Cell::new(0) };
    static FAILING: Cell<u32> = const { Cell::new(0) };
    static CLAIMING: Cell<bool> = const { Cell::new(false) };
    static AGAIN: Cell<bool> = const { Cell::new(false) };
}

/// One of the places; given back when dropped.
struct Place {
    failing: bool,
}

impl Place {
    fn take(failing: bool) -> Self {
        let taken = if failing { &FAILING } else { &HEALTHY };
        taken.set(taken.get().saturating_add(1));
        Place { failing }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let taken = if self.failing { &FAILING } else { &HEALTHY };
        taken.set(taken.get().saturating_sub(1));
    }
}

/// A claim under way; its end is told also when it is dropped in the middle.
struct Claiming;

impl Drop for Claiming {
    fn drop(&mut self) {
        CLAIMING.set(false);
    }
}

async fn claim() -> Result<Vec<Leased>> {
    let (healthy, failing) = (HEALTHY.get(), FAILING.get());
    let failing_free = FAILING_PLACES.saturating_sub(failing);
    let free = PLACES.saturating_sub(healthy).saturating_sub(failing).saturating_sub(failing_free);
    let now = Timestamp::now();
    if !db::read(|db| queue::any_due(db, now)).await? {
        return Ok(Vec::new());
    }
    let lease = run::lease().await;
    db::write(|db| queue::claim(db, now, lease, free, failing_free)).await
}

/// Starts a worker for each endpoint that has something due, without waiting for them. Each, when it ends, starts
/// what has become due meanwhile. One claim at a time, so that places are counted; for who comes meanwhile it is made
/// once more.
pub async fn pump() {
    AGAIN.set(true);
    if CLAIMING.replace(true) {
        return;
    }
    let claiming = Claiming;
    while AGAIN.replace(false) {
        start().await;
    }
    drop(claiming);
}

async fn start() {
    match claim().await {
        Ok(endpoints) => {
            for endpoint in endpoints {
                let place = Place::take(endpoint.failures > 0);
                let turn: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async move {
                    worker::run(endpoint).await;
                    drop(place);
                    pump().await;
                });
                background::spawn(turn);
            }
        }
        Err(problem) => common::log!("due webhooks not claimed, the next tick will", problem = problem),
    }
}
