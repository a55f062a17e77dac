//! Delivering an event to the tenant's webhook, signed after Standard Webhooks (contract section 12).

use crate::run::{self, Turn};
use common::crypto::Sealer;
use common::outbound::{self, Deadlines};
use common::time::Timestamp;
use common::{Result, db, settings};
use domain::jobs::{self, Job};
use domain::webhooks::{self, Attempt, Target};
use std::time::Duration;

/// How long a receiver may take (contract section 12); never more than half a lease.
const TOTAL: Duration = Duration::from_secs(10);
const USER_AGENT: &str = "Flownally-Edge-Webhooks/1";

/// A delivery's turn.
pub async fn run(job: &Job) -> Result<Turn> {
    let body = job.payload.clone().unwrap_or_default();
    let Some(target) = target(&job.tenant).await? else {
        // Switched off meanwhile: nobody asks for it any more.
        return crate::send_message::end(job, |_| Ok(())).await;
    };
    let started = Timestamp::now();
    let outcome = post(job, &target, body.as_bytes(), started).await;
    let duration_ms = Timestamp::now().millis().saturating_sub(started.millis());
    record(job, &target, outcome, duration_ms).await
}

async fn target(tenant: &str) -> Result<Option<Target>> {
    let sealer = Sealer::from_settings().await?;
    let target = db::read(|db| webhooks::target(db, &sealer, tenant)).await?;
    match target {
        // The tenant's first delivery: its key does not exist yet.
        Some(target) if target.secrets.is_empty() => {
            db::write(|db| {
                webhooks::ensure_key(db, &sealer, tenant)?;
                webhooks::target(db, &sealer, tenant)
            })
            .await
        }
        target => Ok(target),
    }
}

/// The receiver's status, or why there is none.
async fn post(job: &Job, target: &Target, body: &[u8], now: Timestamp) -> Result<u16, String> {
    webhooks::check_url(&target.url, settings::sandbox().await).map_err(|why| format!("the URL {why}"))?;
    let total = TOTAL.min(run::half_lease().await);
    let deadlines = Deadlines { connect: total.min(Duration::from_secs(5)), first_byte: total, total };
    let request = http::Request::post(&target.url)
        .header("content-type", "application/json")
        .header("user-agent", USER_AGENT)
        .header("webhook-id", &job.subject)
        .header("webhook-timestamp", now.seconds())
        .header("webhook-signature", webhooks::signature(&target.secrets, &job.subject, now.seconds(), body))
        .body(body.to_vec())
        .map_err(|error| error.to_string())?;
    let answer = outbound::send(request, deadlines).await.map_err(|error| error.to_string())?;
    Ok(answer.status().as_u16())
}

async fn record(job: &Job, target: &Target, outcome: Result<u16, String>, duration_ms: i64) -> Result<Turn> {
    let (status, error) = match outcome {
        Ok(status) if (200..300).contains(&status) => (Some(status), None),
        Ok(status) => (Some(status), Some(format!("the receiver answered {status}"))),
        Err(why) => (None, Some(why)),
    };
    let kind = event_type(job);
    let next_at = error.as_ref().and_then(|_| next_attempt(job.number()));
    db::write(|db| {
        let (own, turn) = match (next_at, &error) {
            (Some(due), Some(error)) => (jobs::retry(db, job, due, error)?, Turn::Again),
            _ => (jobs::finish(db, job)?, Turn::Done),
        };
        if !own {
            return Ok(Turn::Lost);
        }
        let attempt = Attempt {
            event: &job.subject,
            kind: &kind,
            url: &target.url,
            number: job.number(),
            succeeded: error.is_none(),
            response_status: status,
            error: error.as_deref(),
            duration_ms,
            next_at,
        };
        webhooks::record(db, &job.tenant, &attempt)?;
        Ok(turn)
    })
    .await
}

/// When to try again after the attempt of this number; `None` after the last.
fn next_attempt(number: i64) -> Option<Timestamp> {
    let at = usize::try_from(number.saturating_sub(1)).ok()?;
    webhooks::RETRY_SECONDS.get(at).map(|seconds| Timestamp::now().after(Duration::from_secs(*seconds)))
}

fn event_type(job: &Job) -> String {
    #[derive(serde::Deserialize)]
    struct Typed {
        #[serde(rename = "type")]
        kind: String,
    }
    job.payload
        .as_deref()
        .and_then(|body| serde_json::from_str::<Typed>(body).ok())
        .map_or_else(String::new, |t| t.kind)
}
