//! Leasing endpoints, and what becomes of their deliveries.

use super::keys::{Owner, Signer};
use super::settings::DisabledReason;
use crate::audit::{self, Action, Actor};
use crate::events;
use crate::jobs::{self, Job, Kind, Step};
use common::crypto::Sealer;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::time::Timestamp;
use common::{Result, background, id, params};
use serde_json::json;
use std::time::Duration;

/// Failures in a row that open an endpoint's breaker.
const BREAKER_FAILURES: i64 = 10;
/// How long it stays open at first, and at most; then one delivery probes.
const BREAKER_OPEN: Duration = Duration::from_secs(30);
const BREAKER_OPEN_MAX: Duration = Duration::from_secs(300);
/// An endpoint whose every attempt failed for so long is switched off.
const FAILING_MAX: Duration = Duration::from_secs(5 * 24 * 60 * 60);

/// An endpoint that one worker has to itself.
#[derive(Clone, Debug)]
pub struct Leased {
    pub seq: i64,
    pub id: String,
    pub tenant: String,
    pub url: String,
    /// Failed attempts since the last success.
    pub failures: i64,
    main: bool,
    asymmetric: bool,
    /// The fence: whoever leases it next has another.
    lease: i64,
}

impl FromRow for Leased {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Leased {
            seq: row.take()?,
            id: row.take()?,
            tenant: row.take()?,
            url: row.take()?,
            failures: row.take()?,
            main: row.take()?,
            asymmetric: row.take()?,
            lease: row.take()?,
        })
    }
}

impl Leased {
    /// What signs its deliveries; inside a transaction.
    pub fn signer(&self, db: &Db<'_>, sealer: &Sealer) -> Result<Signer> {
        Signer::of(db, sealer, Owner::new(&self.tenant, self.seq, self.main), self.asymmetric)
    }
}

const DUE: &str =
    "enabled = 1 AND next_due_at <= ?1 AND leased_until <= ?1 AND coalesce(open_until, 0) <= ?1";

/// Whether any endpoint has something due that nobody works on: before a claim takes the write lock.
pub fn any_due(db: &Db<'_>, now: Timestamp) -> Result<bool> {
    let sql = format!("SELECT 1 FROM webhook_endpoints WHERE {DUE} LIMIT 1");
    Ok(db.touches(&sql, params![now])?)
}

/// How many endpoints have something due that nobody works on.
pub fn waiting(db: &Db<'_>, now: Timestamp) -> Result<i64> {
    let sql = format!("SELECT count(*) FROM webhook_endpoints WHERE {DUE}");
    Ok(db.row::<(i64,)>(&sql, params![now])?.map_or(0, |(count,)| count))
}

/// Leases endpoints that have something due: at most `healthy` of those whose last attempt succeeded, and `failing` of
/// the others, the longest due first.
pub fn claim(
    db: &Db<'_>,
    now: Timestamp,
    lease: Duration,
    healthy: u32,
    failing: u32,
) -> Result<Vec<Leased>> {
    let sql = format!(
        "UPDATE webhook_endpoints SET lease = lease + 1, leased_until = ?2
          WHERE seq IN (SELECT seq FROM webhook_endpoints WHERE {DUE} AND (failures > 0) = ?3 ORDER BY next_due_at LIMIT ?4)
         RETURNING seq, id, tenant_id, url, failures, main, asymmetric, lease"
    );
    let mut all: Vec<Leased> = db.rows(&sql, params![now, now.after(lease), false, healthy])?;
    all.extend(db.rows::<Leased>(&sql, params![now, now.after(lease), true, failing])?);
    Ok(all)
}

/// A delivery to make.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub seq: i64,
    event_seq: i64,
    /// `webhook-id`.
    pub event: String,
    pub kind: String,
    /// The number of the attempt, from 1.
    pub number: i64,
    lane: Option<String>,
    /// The bytes to sign and send.
    pub body: String,
}

impl FromRow for Delivery {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Delivery {
            seq: row.take()?,
            event_seq: row.take()?,
            event: row.take()?,
            kind: row.take()?,
            number: row.take()?,
            lane: row.take()?,
            body: row.take()?,
        })
    }
}

/// What is due at an endpoint, the longest due first, without those that its worker has.
pub fn due(
    db: &Db<'_>,
    endpoint: &Leased,
    now: Timestamp,
    except: &[i64],
    limit: u32,
) -> Result<Vec<Delivery>> {
    Ok(db.rows(
        "SELECT d.seq, d.event_seq, d.event_id, d.kind, d.number, d.lane,
                coalesce((SELECT e.body FROM webhook_events e WHERE e.seq = d.event_seq), '')
           FROM webhook_deliveries d
          WHERE d.endpoint_seq = ?1 AND d.status = 0 AND d.due_at IS NOT NULL AND d.due_at <= ?2
            AND d.expires_at > ?2 AND d.seq NOT IN (SELECT value FROM json_each(?3))
          ORDER BY d.due_at, d.seq LIMIT ?4",
        params![endpoint.seq, now, json!(except).to_string(), limit],
    )?)
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    Succeeded,
    /// It failed and is tried again then.
    Retry(Timestamp),
    /// It failed for good.
    Failed,
    /// The receiver asked not to repeat this event: no failure of the endpoint.
    Declined,
    /// It failed for good, and the endpoint wants no more: 410.
    Gone,
}

/// One attempt, as it is recorded.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub url: String,
    /// JSON objects.
    pub request_headers: String,
    pub response_headers: Option<String>,
    pub response_status: Option<u16>,
    /// The first 20 kB.
    pub response_body: Option<String>,
    /// In plain words.
    pub error: Option<String>,
    pub at: Timestamp,
    pub duration_ms: i64,
    pub verdict: Verdict,
}

/// How an endpoint stands after outcomes were recorded.
#[derive(Clone, Debug)]
pub struct Standing {
    pub enabled: bool,
    pub url: Option<String>,
    pub failures: i64,
    /// Nothing is sent before.
    pub open_until: Option<Timestamp>,
    failing_since: Option<Timestamp>,
    asymmetric: bool,
}

impl FromRow for Standing {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Standing {
            enabled: row.take()?,
            url: row.take()?,
            failures: row.take()?,
            open_until: row.take()?,
            failing_since: row.take()?,
            asymmetric: row.take()?,
        })
    }
}

impl Leased {
    /// Takes over what changed meanwhile.
    pub fn follow(&mut self, standing: &Standing) {
        if let Some(url) = &standing.url {
            self.url.clone_from(url);
        }
        self.failures = standing.failures;
        self.asymmetric = standing.asymmetric;
    }
}

/// Records attempts in their order and extends the lease. `None`: the lease was lost or the endpoint removed, and
/// nothing is recorded: whoever has it makes the deliveries again.
pub fn record(
    db: &Db<'_>,
    endpoint: &Leased,
    outcomes: &[(Delivery, Attempt)],
    now: Timestamp,
    lease: Duration,
) -> Result<Option<Standing>> {
    // What another URL answered says nothing of this one.
    let counted: Vec<Verdict> = outcomes
        .iter()
        .filter(|(_, attempt)| attempt.url == endpoint.url && attempt.verdict != Verdict::Declined)
        .map(|(_, attempt)| attempt.verdict)
        .collect();
    let any = counted.contains(&Verdict::Succeeded);
    let trailing = counted.iter().rev().take_while(|verdict| **verdict != Verdict::Succeeded).count();
    let trailing = i64::try_from(trailing).unwrap_or(i64::MAX);
    let standing = db.row::<Standing>(
        "UPDATE webhook_endpoints
            SET leased_until = ?1,
                failures = CASE WHEN url IS NOT ?8 THEN failures ELSE CASE WHEN ?2 THEN 0 ELSE failures END + ?3 END,
                failing_since = CASE WHEN url IS NOT ?8 THEN failing_since
                                     WHEN ?3 = 0 AND ?2 THEN NULL WHEN ?3 = 0 THEN failing_since
                                     WHEN ?2 THEN ?4 ELSE coalesce(failing_since, ?4) END,
                open_until = CASE WHEN url IS ?8 AND ?2 THEN NULL ELSE open_until END
          WHERE seq = ?5 AND lease = ?6 AND tenant_id = ?7
         RETURNING enabled, url, failures, open_until, failing_since, asymmetric",
        params![
            now.after(lease),
            any,
            trailing,
            now,
            endpoint.seq,
            endpoint.lease,
            endpoint.tenant,
            endpoint.url
        ],
    )?;
    let Some(mut standing) = standing else { return Ok(None) };
    for (delivery, attempt) in outcomes {
        write(db, endpoint, delivery, attempt, now)?;
    }
    if standing.url.as_ref() != Some(&endpoint.url) {
        return Ok(Some(standing));
    }
    if counted.contains(&Verdict::Gone) {
        disable(db, endpoint, &mut standing, DisabledReason::Gone, now)?;
    } else if trailing > 0 {
        judge(db, endpoint, &mut standing, now)?;
    }
    Ok(Some(standing))
}

/// One attempt's row, the row of the next, and who is next in its lane.
fn write(
    db: &Db<'_>,
    endpoint: &Leased,
    delivery: &Delivery,
    attempt: &Attempt,
    now: Timestamp,
) -> Result<()> {
    let next = match attempt.verdict {
        Verdict::Retry(due) if add(db, endpoint, delivery, due, now)? => Some(due),
        _ => None,
    };
    let status = if attempt.verdict == Verdict::Succeeded { 1_i64 } else { 2 };
    db.run(
        "UPDATE webhook_deliveries
            SET status = ?1, url = ?2, request_headers = ?3, response_status = ?4, response_headers = ?5,
                response_body = ?6, error = ?7, duration_ms = ?8, attempted_at = ?9, next_attempt_at = ?10, due_at = NULL
          WHERE seq = ?11 AND tenant_id = ?12 AND status = 0",
        params![
            status,
            attempt.url,
            attempt.request_headers,
            attempt.response_status,
            attempt.response_headers,
            attempt.response_body,
            attempt.error,
            attempt.duration_ms,
            attempt.at,
            next,
            delivery.seq,
            endpoint.tenant
        ],
    )?;
    match (next, &delivery.lane) {
        (None, Some(lane)) => start_next(db, endpoint.seq, lane, now),
        _ => Ok(()),
    }
}

/// The next attempt, in its lane before all that came later; `false` when the event is past its week by then, or its
/// delivery was removed meanwhile.
fn add(db: &Db<'_>, endpoint: &Leased, delivery: &Delivery, due: Timestamp, now: Timestamp) -> Result<bool> {
    Ok(db.touches(
        "INSERT INTO webhook_deliveries
           (id, tenant_id, endpoint_seq, event_seq, event_id, kind, number, lane, due_at, created_at, expires_at)
         SELECT ?1, ?2, ?3, e.seq, e.id, e.kind, ?4, ?5, ?6, ?7, e.expires_at FROM webhook_events e
          WHERE e.seq = ?8 AND e.expires_at > ?6
            AND EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.seq = ?9 AND d.status = 0)
         RETURNING 1",
        params![
            id::new(id::Kind::WebhookAttempt),
            endpoint.tenant,
            endpoint.seq,
            delivery.number.saturating_add(1),
            delivery.lane,
            due,
            now,
            delivery.event_seq,
            delivery.seq
        ],
    )?)
}

/// Gives the first of a lane its time, if it has none yet.
pub(super) fn start_next(db: &Db<'_>, endpoint: i64, lane: &str, now: Timestamp) -> Result<()> {
    let started = db.touches(
        "UPDATE webhook_deliveries SET due_at = ?1
          WHERE due_at IS NULL AND status = 0 AND seq = (
            SELECT d.seq FROM webhook_deliveries d
             WHERE d.endpoint_seq = ?2 AND d.lane = ?3 AND d.status = 0 ORDER BY d.event_seq, d.seq LIMIT 1)
         RETURNING 1",
        params![now, endpoint, lane],
    )?;
    if started { hurry(db, endpoint, now) } else { Ok(()) }
}

/// Whether one of a lane has its time.
pub(super) fn is_busy(db: &Db<'_>, endpoint: i64, lane: &str) -> Result<bool> {
    Ok(db.touches(
        "SELECT 1 FROM webhook_deliveries
          WHERE endpoint_seq = ? AND lane = ? AND status = 0 AND due_at IS NOT NULL LIMIT 1",
        params![endpoint, lane],
    )?)
}

/// Has an endpoint looked at.
pub(super) fn hurry(db: &Db<'_>, endpoint: i64, now: Timestamp) -> Result<()> {
    background::work_is_due();
    Ok(db.run(
        "UPDATE webhook_endpoints SET next_due_at = ?1 WHERE seq = ?2 AND (next_due_at IS NULL OR next_due_at > ?1)",
        params![now, endpoint],
    )?)
}

/// After failures: opens the breaker, or switches the endpoint off.
fn judge(db: &Db<'_>, endpoint: &Leased, standing: &mut Standing, now: Timestamp) -> Result<()> {
    // Few failures in five days are a quiet endpoint, not a dead one.
    let failing = standing.failing_since.is_some_and(|since| since.after(FAILING_MAX) <= now);
    if failing && standing.failures >= BREAKER_FAILURES {
        return disable(db, endpoint, standing, DisabledReason::Failing, now);
    }
    // Open already: what fails now was in flight.
    if standing.failures < BREAKER_FAILURES || standing.open_until.is_some_and(|until| until > now) {
        return Ok(());
    }
    // A success closes it: where it was open before, its probe has failed.
    let probes = standing.open_until.map_or(0, |_| standing.failures.saturating_sub(BREAKER_FAILURES));
    let open_until = now.after(breaker_wait(probes));
    standing.open_until = Some(open_until);
    Ok(db.run(
        "UPDATE webhook_endpoints SET open_until = ? WHERE seq = ? AND tenant_id = ?",
        params![open_until, endpoint.seq, endpoint.tenant],
    )?)
}

/// How long the breaker stays open after so many failed probes.
fn breaker_wait(probes: i64) -> Duration {
    let doublings = u32::try_from(probes.clamp(0, 10)).unwrap_or_default();
    BREAKER_OPEN.saturating_mul(2_u32.saturating_pow(doublings)).min(BREAKER_OPEN_MAX)
}

fn disable(
    db: &Db<'_>,
    endpoint: &Leased,
    standing: &mut Standing,
    reason: DisabledReason,
    now: Timestamp,
) -> Result<()> {
    let was_on = db.touches(
        "UPDATE webhook_endpoints SET enabled = 0, disabled_reason = ?1, disabled_at = ?2, updated_at = ?2
          WHERE seq = ?3 AND tenant_id = ?4 AND enabled = 1 RETURNING 1",
        params![reason.as_str(), now, endpoint.seq, endpoint.tenant],
    )?;
    standing.enabled = false;
    if was_on {
        let details = json!({"reason": reason.as_str()});
        audit::record(db, &endpoint.tenant, Actor::System, Action::WebhookDisabled, &endpoint.id, details)?;
    }
    Ok(())
}

/// Gives an endpoint back. What came while its worker ended is seen: its time is that of the earliest delivery.
pub fn release(db: &Db<'_>, endpoint: &Leased, now: Timestamp) -> Result<()> {
    Ok(db.run(
        "UPDATE webhook_endpoints
            SET leased_until = 0,
                next_due_at = (SELECT min(d.due_at) FROM webhook_deliveries d
                                WHERE d.endpoint_seq = webhook_endpoints.seq AND d.status = 0 AND d.due_at IS NOT NULL
                                  AND d.expires_at > ?4)
          WHERE seq = ?1 AND lease = ?2 AND tenant_id = ?3",
        params![endpoint.seq, endpoint.lease, endpoint.tenant, now],
    )?)
}

/// Starts an endpoint anew, after it was switched on or given another URL.
pub(super) fn forgive(db: &Db<'_>, tenant: &str, id: &str) -> Result<()> {
    background::work_is_due();
    Ok(db.run(
        "UPDATE webhook_endpoints
            SET failures = 0, failing_since = NULL, open_until = NULL, disabled_reason = NULL, disabled_at = NULL
          WHERE id = ? AND tenant_id = ?",
        params![id, tenant],
    )?)
}

/// Deliveries that a step of tidying touches.
const TIDY_BATCH: u32 = 500;

/// After an endpoint was removed its deliveries go; after its order was changed those that wait go on without one: a
/// piece at once, the rest as a job.
pub(super) fn tidy(db: &Db<'_>, tenant: &str, endpoint: i64) -> Result<()> {
    let last = db.row::<(Option<i64>,)>("SELECT max(seq) FROM webhook_deliveries", &[])?;
    let last = last.and_then(|(last,)| last).unwrap_or_default();
    if tidy_some(db, tenant, endpoint, last)? {
        let subject = endpoint.to_string();
        jobs::add_with(db, tenant, Kind::TidyWebhook, &subject, &last.to_string(), Timestamp::now())?;
    }
    Ok(())
}

/// A step of the job.
pub fn tidy_step(db: &Db<'_>, job: &Job, left: Option<&str>) -> Result<Step> {
    let last: i64 = left.and_then(|text| text.parse().ok()).unwrap_or_default();
    let endpoint: i64 = job.subject.parse().unwrap_or_default();
    let more = tidy_some(db, &job.tenant, endpoint, last)?;
    Ok(if more { Step::More(Some(last.to_string())) } else { Step::Done })
}

/// Whether there may be more.
fn tidy_some(db: &Db<'_>, tenant: &str, endpoint: i64, last: i64) -> Result<bool> {
    let now = Timestamp::now();
    let there = db.touches(
        "SELECT 1 FROM webhook_endpoints WHERE seq = ? AND tenant_id = ?",
        params![endpoint, tenant],
    )?;
    let touched: Vec<(i64,)> = if there {
        hurry(db, endpoint, now)?;
        db.rows(
            "UPDATE webhook_deliveries SET lane = NULL, due_at = coalesce(due_at, ?1)
              WHERE seq IN (SELECT d.seq FROM webhook_deliveries d INDEXED BY webhook_deliveries_lanes
                             WHERE d.endpoint_seq = ?2 AND d.status = 0 AND d.lane IS NOT NULL AND d.seq <= ?3 LIMIT ?4)
                AND tenant_id = ?5
             RETURNING 1",
            params![now, endpoint, last, TIDY_BATCH, tenant],
        )?
    } else {
        db.rows(
            "DELETE FROM webhook_deliveries
              WHERE seq IN (SELECT d.seq FROM json_each(?1) k CROSS JOIN webhook_deliveries d
                              INDEXED BY webhook_deliveries_by_endpoint
                             WHERE d.endpoint_seq = ?2 AND d.kind = k.value AND d.status = 0 LIMIT ?3)
                AND tenant_id = ?4
             RETURNING 1",
            params![json!(events::TYPES).to_string(), endpoint, TIDY_BATCH, tenant],
        )?
    };
    Ok(u32::try_from(touched.len()).unwrap_or(u32::MAX) >= TIDY_BATCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_breaker_stays_open_longer_and_not_for_ever() {
        let waits: Vec<u64> = [0, 1, 2, 3, 4, 1000].map(|n| breaker_wait(n).as_secs()).to_vec();
        assert_eq!(waits, [30, 60, 120, 240, 300, 300]);
    }
}
