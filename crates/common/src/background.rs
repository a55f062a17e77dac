//! Work after the response.
//!
//! Lasting work is a row in `jobs`. A transaction that adds one says so with [`work_is_due`]; when the
//! response has left, the scheduler is told over service chaining and starts at once. When that fails
//! nothing is lost: the next tick finds the row.
//!
//! One component does all the work, so one holds the right to talk to the outside, and the others stay
//! small. Calls to it are never queued up: while one is under way, a second is noted and made after it.

use crate::outbound::{self, Deadlines};
use crate::{Result, settings};
use std::cell::Cell;
use std::future::Future;
use std::time::Duration;

const WAKE_URL: &str = "http://scheduler.spin.internal/internal/wake";
/// The scheduler answers a wake-up at once and works afterwards.
const DEADLINES: Deadlines = Deadlines {
    connect: Duration::from_secs(2),
    first_byte: Duration::from_secs(5),
    total: Duration::from_secs(5),
};

thread_local! {
    static DUE: Cell<bool> = const { Cell::new(false) };
    static WAKING: Cell<bool> = const { Cell::new(false) };
}

/// Goes on after the response was sent, as long as the instance lives: the server waits for it, but a
/// killed one does not. Never rely on it for what must happen.
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    spin_sdk::wit_bindgen::spawn(future);
}

/// Says that a job was added, to be started when the response has left.
pub fn work_is_due() {
    DUE.set(true);
}

/// Starts what became due during a request.
pub(crate) async fn after_response() {
    if DUE.replace(false) && !WAKING.replace(true) {
        spawn(wake());
    }
}

async fn wake() {
    loop {
        DUE.set(false);
        if let Err(problem) = call_scheduler().await {
            crate::log!("scheduler not reached, the next tick does the work", problem = problem);
        }
        if !DUE.get() {
            break;
        }
    }
    WAKING.set(false);
}

async fn call_scheduler() -> Result<()> {
    if settings::get("wake").await.as_deref() == Some("off") {
        return Ok(());
    }
    let token = settings::required("tick_token").await?;
    let request = http::Request::post(WAKE_URL)
        .header("authorization", format!("Bearer {token}"))
        .body(Vec::new())
        .map_err(|error| crate::Problem::internal(error.to_string()))?;
    let answer = outbound::send(request, DEADLINES)
        .await
        .map_err(|error| crate::Problem::unavailable(error.to_string()))?;
    if answer.status().is_success() {
        Ok(())
    } else {
        Err(crate::Problem::unavailable(format!("the scheduler answered {}", answer.status())))
    }
}
