//! Claiming jobs and handing them to their workers.

use crate::{
    deliveries, erase_contact, fetch_media, import_contacts, long_work, mark_read, process_callback,
    send_message, send_reaction,
};
use common::time::Timestamp;
use common::{Result, background, db, settings};
use domain::jobs::{self, Job, Kind};
use domain::{fields, tags, webhooks};
use futures::future::join_all;
use serde::Serialize;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use utoipa::ToSchema;

/// Jobs that one instance works on at the same time.
const IN_FLIGHT_MAX: u32 = 32;
/// Jobs of one tenant in one claim, so that others get their turn.
const PER_TENANT: u32 = 8;
/// How long a tick works before it answers.
const TICK_BUDGET: Duration = Duration::from_secs(10);
/// How long a worker has a job before others may take it, where `job_lease_ms` does not say.
const LEASE_MS: u64 = 60_000;

/// What became of a job's turn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Turn {
    /// Its end is recorded and the job is gone.
    Done,
    /// It is put back for later.
    Again,
    /// Somebody else has it by now; nothing was recorded.
    Lost,
}

/// What a tick did.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Finished jobs by kind.
    done: Vec<DoneJobs>,
    /// Jobs put back for a later try.
    retried: u32,
    /// Jobs that are left, by kind.
    waiting: Vec<WaitingJobs>,
    /// Webhook endpoints with something due that nobody works on.
    webhook_endpoints_due: i64,
    duration_ms: i64,
}

/// How many jobs of a kind were finished.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DoneJobs {
    #[schema(example = "send_message")]
    kind: String,
    count: u32,
}

/// How many jobs of a kind are left.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaitingJobs {
    #[schema(example = "release_message")]
    kind: String,
    /// Due now.
    due: i64,
    /// Due later, or behind another job of their lane.
    later: i64,
}

thread_local! {
    static IN_FLIGHT: Cell<u32> = const { Cell::new(0) };
}

/// One place among those in flight; given back when dropped.
struct Place;

impl Place {
    fn take() -> Self {
        IN_FLIGHT.set(IN_FLIGHT.get().saturating_add(1));
        Place
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        IN_FLIGHT.set(IN_FLIGHT.get().saturating_sub(1));
    }
}

/// How long a claimed job stays this worker's.
pub async fn lease() -> Duration {
    let millis = settings::get("job_lease_ms").await.and_then(|text| text.parse().ok()).unwrap_or(LEASE_MS);
    Duration::from_millis(millis)
}

/// What a request to the outside may take: after it there must be time left to record its outcome.
pub async fn half_lease() -> Duration {
    lease().await.checked_div(2).unwrap_or_default()
}

async fn claim(limit: u32) -> Result<Vec<Job>> {
    let lease = lease().await;
    let now = Timestamp::now();
    if !db::read(|db| jobs::any_due(db, now)).await? {
        return Ok(Vec::new());
    }
    db::write(|db| jobs::claim(db, now, lease, limit, PER_TENANT)).await
}

/// Starts as much due work as there are places, without waiting for it. Each job, when it ends, starts
/// what has become due meanwhile: a slow receiver holds a place, and nothing else.
pub async fn pump() {
    let free = IN_FLIGHT_MAX.saturating_sub(IN_FLIGHT.get());
    if free == 0 {
        return;
    }
    match claim(free).await {
        Ok(claimed) => {
            for job in claimed {
                let place = Place::take();
                let turn: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async move {
                    work(&job).await;
                    drop(place);
                    // What it told the webhooks goes out at once.
                    deliveries::pump().await;
                    pump().await;
                });
                background::spawn(turn);
            }
        }
        Err(problem) => common::log!("due jobs not claimed, the next tick will", problem = problem),
    }
}

/// Works for a while and reports.
pub async fn tick() -> Result<Report> {
    let started = Timestamp::now();
    let (mut done, mut retried) = (BTreeMap::<String, u32>::new(), 0_u32);
    while Timestamp::now() < started.after(TICK_BUDGET) {
        let claimed = claim(IN_FLIGHT_MAX).await?;
        if claimed.is_empty() {
            break;
        }
        let turns = join_all(claimed.iter().map(work)).await;
        deliveries::pump().await;
        for (job, turn) in claimed.iter().zip(turns) {
            match turn {
                Turn::Done => {
                    let count = done.entry(job.kind.clone()).or_default();
                    *count = count.saturating_add(1);
                }
                Turn::Again => retried = retried.saturating_add(1),
                Turn::Lost => {}
            }
        }
    }
    let now = Timestamp::now();
    let waiting = db::read(|db| jobs::waiting(db, now)).await?;
    let webhook_endpoints_due = db::read(|db| webhooks::queue::waiting(db, now)).await?;
    Ok(Report {
        done: done.into_iter().map(|(kind, count)| DoneJobs { kind, count }).collect(),
        retried,
        waiting: waiting.into_iter().map(|(kind, due, later)| WaitingJobs { kind, due, later }).collect(),
        webhook_endpoints_due,
        duration_ms: now.millis().saturating_sub(started.millis()),
    })
}

/// A claimed job's turn. An error of ours puts it back: its lease brings it again when even that fails.
async fn work(job: &Job) -> Turn {
    let worked = match Kind::parse(&job.kind) {
        Some(Kind::SendMessage) => send_message::run(job).await,
        Some(Kind::GiveUpOnOutcome) => send_message::give_up(job).await,
        Some(Kind::ReleaseMessage) => send_message::release(job).await,
        Some(Kind::SendReaction) => send_reaction::run(job).await,
        Some(Kind::MarkRead) => mark_read::run(job).await,
        Some(Kind::ProcessCallback) => process_callback::run(job).await,
        Some(Kind::FetchMedia) => fetch_media::run(job).await,
        Some(Kind::ClearField) => long_work::run(job, |db, job, _| fields::work::clear(db, job)).await,
        Some(Kind::ConvertField) => long_work::run(job, fields::work::convert).await,
        Some(Kind::ClearTag) => long_work::run(job, |db, job, _| tags::clear(db, job)).await,
        Some(Kind::ImportContacts) => import_contacts::run(job).await,
        Some(Kind::EraseContact) => erase_contact::run(job).await,
        Some(Kind::TidyWebhook) => long_work::run(job, webhooks::queue::tidy_step).await,
        Some(Kind::RecoverWebhook) => long_work::run(job, webhooks::recovery::step).await,
        // A newer version's job, seen during an update: leave it to that version.
        None => again_in(job, Duration::from_secs(60), "the kind is not known to this version").await,
    };
    match worked {
        Ok(turn) => {
            if turn == Turn::Lost {
                common::log!("job lost to another worker", job = job.seq, kind = job.kind);
            }
            turn
        }
        Err(problem) => {
            common::log!(
                "job failed",
                job = job.seq,
                kind = job.kind,
                tenant = job.tenant,
                problem = problem
            );
            let due = Timestamp::now().after(backoff(job.number()));
            match db::write(|db| jobs::put_back(db, job, due, &problem.to_string())).await {
                Ok(true) => Turn::Again,
                Ok(false) | Err(_) => Turn::Lost,
            }
        }
    }
}

/// Puts a job back for later.
pub async fn again_in(job: &Job, wait: Duration, why: &str) -> Result<Turn> {
    let due = Timestamp::now().after(wait);
    let own = db::write(|db| jobs::retry(db, job, due, why)).await?;
    Ok(if own { Turn::Again } else { Turn::Lost })
}

/// The wait after the try of this number: exponential with full jitter, base 2 s, at most 5 min (channels
/// section 8.3).
pub fn backoff(number: i64) -> Duration {
    let doublings = u32::try_from(number.clamp(1, 9)).unwrap_or(9);
    let ceiling = 1000_u64.saturating_mul(2_u64.saturating_pow(doublings)).min(300_000);
    let mut random = [0_u8; 8];
    common::id::fill_random(&mut random);
    let jittered = u64::from_le_bytes(random).checked_rem(ceiling).unwrap_or_default();
    Duration::from_millis(jittered.max(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_and_stays_within_five_minutes() {
        for number in 0_i64..20 {
            let wait = backoff(number);
            let ceiling = 1000 * 2_u64.pow(u32::try_from(number.clamp(1, 9)).unwrap());
            assert!(
                wait >= Duration::from_millis(100) && wait <= Duration::from_millis(ceiling.min(300_000))
            );
        }
    }
}
