//! What a tick does besides jobs: it deletes what has had its time, a bounded piece a minute, and passes
//! the tick on to the sandbox while that is on.

use common::outbound::{self, Deadlines};
use common::time::Timestamp;
use common::{Result, db, idempotency, settings};
use domain::{callbacks, imports, media, streams, updates, webhooks};
use std::cell::Cell;
use std::time::Duration;

/// How often an instance cleans up.
const EVERY: Duration = Duration::from_secs(60);
/// Rows of each kind deleted at a time.
const BATCH: u32 = 500;
/// Webhook events and attempts deleted at a time: each event leaves some.
const EVENT_BATCH: u32 = 1_000;
/// Pieces of them deleted in a row.
const EVENT_PIECES: u32 = 50;
/// How long a recovery of webhook events can be looked at.
const RECOVERIES_KEEP: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Rows of the feed deleted at a time: every message leaves some.
const FEED_BATCH: u32 = 5_000;
/// Pieces of the feed deleted in a row.
const FEED_PIECES: u32 = 10;
/// How long callbacks are kept for people to look at.
const CALLBACKS_KEEP: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How long an upload may take before it counts as broken off.
const UPLOADS_KEEP: Duration = Duration::from_secs(60 * 60);
/// How long an import and its errors can be looked at after its end.
const IMPORTS_KEEP: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Deleted files whose bytes are deleted at a time: each is up to 69 deletions in the store.
const SWEEP: u32 = 50;
const SANDBOX_TICK: &str = "http://sandbox.spin.internal/sandbox/tick";
const SANDBOX_DEADLINES: Deadlines = Deadlines {
    connect: Duration::from_secs(1),
    first_byte: Duration::from_secs(5),
    total: Duration::from_secs(5),
};

thread_local! {
    static LAST: Cell<Option<Timestamp>> = const { Cell::new(None) };
}

/// Never fails a tick: what was not deleted is deleted next time.
pub async fn run() {
    if settings::sandbox().await
        && let Err(error) = tick_sandbox().await
    {
        common::log!("sandbox not ticked", error = error);
    }
    let now = Timestamp::now();
    if LAST.get().is_some_and(|last| now < last.after(EVERY)) {
        return;
    }
    LAST.set(Some(now));
    match clean(now).await {
        Ok(0) => {}
        Ok(rows) => common::log!("expired rows deleted", rows = rows),
        Err(problem) => common::log!("clean-up failed", problem = problem),
    }
}

async fn clean(now: Timestamp) -> Result<usize> {
    // Short transactions instead of a long one: writers need not wait.
    let keys = db::write(|db| idempotency::forget_expired(db, BATCH)).await?;
    let callbacks = db::write(|db| callbacks::forget(db, now.before(CALLBACKS_KEEP), BATCH)).await?;
    let mut attempts =
        db::write(|db| webhooks::recovery::forget(db, now.before(RECOVERIES_KEEP), BATCH)).await?;
    for _ in 0..EVENT_PIECES {
        let gone = db::write(|db| webhooks::history::forget(db, now, EVENT_BATCH)).await?;
        attempts = attempts.saturating_add(gone);
        if gone == 0 {
            break;
        }
    }
    let uploads = db::write(|db| media::forget_unfinished(db, now.before(UPLOADS_KEEP), BATCH)).await?;
    let imports =
        db::write(|db| imports::forget(db, now.before(UPLOADS_KEEP), now.before(IMPORTS_KEEP), BATCH))
            .await?;
    let files = media::sweep(SWEEP).await?;
    let mut feed = db::write(|db| streams::forget(db, now, BATCH)).await?;
    for _ in 0..FEED_PIECES {
        let gone = db::write(|db| updates::forget(db, now.before(updates::KEEP), FEED_BATCH)).await?;
        feed = feed.saturating_add(gone);
        if gone == 0 {
            break;
        }
    }
    Ok([callbacks, attempts, uploads, imports, files, feed].into_iter().fold(keys, usize::saturating_add))
}

async fn tick_sandbox() -> Result<(), String> {
    let token = settings::get("tick_token").await.unwrap_or_default();
    let request = http::Request::post(SANDBOX_TICK)
        .header("authorization", format!("Bearer {token}"))
        .body(Vec::new())
        .map_err(|error| error.to_string())?;
    outbound::send(request, SANDBOX_DEADLINES).await.map(drop).map_err(|error| error.to_string())
}
