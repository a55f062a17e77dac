//! What all jobs that talk to an inbox's provider have in common: waiting for their turn, and what a refusal
//! means for the job, its person and its inbox (channels section 8.3).

use crate::run::{self, Turn, again_in, backoff};
use common::outbound::Deadlines;
use common::time::Timestamp;
use common::{Result, db, settings};
use domain::inboxes::Connection;
use domain::jobs::{self, Job};
use domain::pace::{self, Gate};
use providers::{AlertReason, Failure, RetryClass};
use std::time::Duration;

/// Tries of a temporary failure (channels section 8.3).
pub const TRIES: i64 = 6;
/// How often an inbox that its provider refuses is tried, where `alert_probe_ms` does not say.
const PROBE_MS: u64 = 3 * 60 * 1000;
/// A pair limit's wait grows as 4^X seconds (channels section 2.8), to this X.
const PAIR_STEPS_MAX: i64 = 5;
/// The longest a provider may take; never more than half a lease.
const TOTAL: Duration = Duration::from_secs(15);

/// What to do after a refusal.
pub enum Refusal {
    /// It is refused for good.
    Final,
    /// The job is put back.
    Turn(Turn),
}

async fn probe() -> Duration {
    let millis = settings::get("alert_probe_ms").await.and_then(|text| text.parse().ok()).unwrap_or(PROBE_MS);
    Duration::from_millis(millis)
}

/// How long a provider may take.
pub async fn deadlines() -> Deadlines {
    let total = TOTAL.min(run::half_lease().await);
    Deadlines { connect: total.min(Duration::from_secs(5)), first_byte: total, total }
}

/// Lets a job pass, or puts it back until its inbox may send. No provider is contacted for that, and it is no
/// failure of the job.
pub async fn wait_for_turn(job: &Job, inbox: &Connection) -> Result<Option<Turn>> {
    let (probe, now) = (probe().await, Timestamp::now());
    let address = &inbox.address;
    db::write(|db| match pace::enter(db, (address.seq, &address.channel), job.slot_at, probe, now)? {
        Gate::Go => Ok(None),
        Gate::Wait { until, slot } => {
            let own = jobs::hold(db, job, until, slot)?;
            Ok(Some(if own { Turn::Again } else { Turn::Lost }))
        }
    })
    .await
}

/// What a refusal means. The provider's words go to the log, and nowhere else.
pub async fn refused(job: &Job, inbox: &Connection, failure: &Failure) -> Result<Refusal> {
    common::log!(
        "provider refused",
        subject = job.subject,
        kind = job.kind,
        code = failure.code,
        text = failure.provider_text
    );
    match failure.class {
        RetryClass::Never | RetryClass::OtherWay => Ok(Refusal::Final),
        RetryClass::Retry if job.number() >= failure.tries_max.unwrap_or(TRIES).min(TRIES) => {
            Ok(Refusal::Final)
        }
        RetryClass::Retry => {
            let wait = failure.retry_after.unwrap_or_else(|| backoff(job.number()));
            again_in(job, wait, &failure.code).await.map(Refusal::Turn)
        }
        RetryClass::Throttled if failure.pair_only => {
            let wait = failure.retry_after.unwrap_or_else(|| pair_wait(job.throttles));
            let due = Timestamp::now().after(wait);
            let own = db::write(|db| jobs::be_patient(db, job, due, &failure.code)).await?;
            Ok(Refusal::Turn(if own { Turn::Again } else { Turn::Lost }))
        }
        RetryClass::Throttled => {
            let address = &inbox.address;
            let own = db::write(|db| {
                let place = (address.seq, address.channel.as_str());
                let due = pace::throttled(db, place, failure.retry_after, Timestamp::now())?;
                jobs::be_patient(db, job, due, &failure.code)
            })
            .await?;
            Ok(Refusal::Turn(if own { Turn::Again } else { Turn::Lost }))
        }
        RetryClass::Alert(reason) => alert(job, inbox, reason, &failure.code).await.map(Refusal::Turn),
    }
}

/// The provider cannot be reached: tried again as after a temporary failure; `None` when the tries are used up.
pub async fn not_reached(job: &Job, why: &str) -> Result<Option<Turn>> {
    common::log!("provider not reached", subject = job.subject, why = why);
    if job.number() >= TRIES {
        return Ok(None);
    }
    again_in(job, backoff(job.number()), why).await.map(Some)
}

/// The account cannot send: its queue waits, and its people are told once, by the state of the inbox.
pub async fn alert(job: &Job, inbox: &Connection, reason: AlertReason, code: &str) -> Result<Turn> {
    let (probe, address) = (probe().await, &inbox.address);
    let now = Timestamp::now();
    let (news, own) = db::write(|db| {
        let news = pace::alert(db, &job.tenant, address.seq, reason.as_str(), probe, now)?;
        let own = jobs::hold(db, job, now.after(probe), false)?;
        Ok((news, own))
    })
    .await?;
    if news {
        common::log!(
            "ALERT: a provider refuses an inbox; its messages wait",
            tenant = job.tenant,
            inbox = address.id,
            reason = reason.as_str(),
            code = code
        );
    }
    Ok(if own { Turn::Again } else { Turn::Lost })
}

/// 4^X seconds, X = 0, 1, 2 …
pub fn pair_wait(throttles: i64) -> Duration {
    let step = u32::try_from(throttles.clamp(0, PAIR_STEPS_MAX)).unwrap_or_default();
    Duration::from_secs(4_u64.saturating_pow(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_waits_powers_of_four() {
        let waits: Vec<u64> = (0..4).map(|throttles| pair_wait(throttles).as_secs()).collect();
        assert_eq!(waits, [1, 4, 16, 64]);
        assert_eq!(pair_wait(1000).as_secs(), 1024);
    }
}
