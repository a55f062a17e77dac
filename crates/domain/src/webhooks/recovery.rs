//! Bringing back what an endpoint missed: events that it lists and did not accept go into its queue again.

use super::queue;
use super::settings::{self, WebhookSettings, Which};
use crate::jobs::{self, Job, Kind, Step};
use common::auth::Principal;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::time::Timestamp;
use common::{Problem, Result, id, params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// Events that a step looks at.
const BATCH: u32 = 500;
/// Events that a dry run looks at.
const COUNT_MAX: i64 = 20_000;

/// What to bring back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecoverRequest {
    /// Required. Events from then on, of at most the last seven days.
    #[schema(example = "2026-04-30T09:00:00Z")]
    pub since: Option<Timestamp>,
    /// The endpoint; where it is absent, the one of `/v1/webhooks`.
    #[schema(example = "whk_01HV8ZE2G9W4P6Q8T1A3C5E7G9")]
    pub endpoint_id: Option<String>,
    /// Only counts, and changes nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// A recovery under way or ended, or the count of a dry run.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebhookRecovery)]
pub struct Recovery {
    /// Absent from a dry run.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(example = "whr_01HV8ZE2G9W4P6Q8T1A3C5E7G9")]
    pub id: String,
    pub endpoint_id: String,
    pub since: Timestamp,
    /// `running`, `completed`, `cancelled` when the endpoint was removed or switched off meanwhile, or `counted` after
    /// a dry run.
    #[schema(example = "running")]
    pub status: String,
    /// Events looked at.
    #[schema(example = 500)]
    pub seen: i64,
    /// Events put into the queue.
    #[schema(example = 42)]
    pub recovered: i64,
    pub created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Of a dry run: events that the endpoint did not accept and that do not wait, of the first 20,000 since then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 42)]
    pub missed: Option<i64>,
    /// Of a dry run: there are more events than were looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub more: Option<bool>,
    #[serde(skip)]
    until: Timestamp,
}

impl FromRow for Recovery {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Recovery {
            id: row.take()?,
            endpoint_id: row.take()?,
            since: row.take()?,
            until: row.take()?,
            status: row.take()?,
            seen: row.take()?,
            recovered: row.take()?,
            created_at: row.take()?,
            finished_at: row.take()?,
            missed: None,
            more: None,
        })
    }
}

/// The endpoint of a request and since when, after its checks.
fn checked(
    db: &Db<'_>,
    caller: &Principal,
    request: &RecoverRequest,
) -> Result<(WebhookSettings, Timestamp)> {
    let (tenant, now) = (caller.tenant.as_str(), Timestamp::now());
    let since = request.since.ok_or_else(|| Problem::invalid("since", "must be given"))?;
    if since < now.before(super::KEEP) || since > now {
        return Err(Problem::invalid("since", "must be within the last seven days"));
    }
    let which = request.endpoint_id.as_deref().map_or(Which::Main, Which::Id);
    let endpoint = settings::get(db, tenant, which)?;
    if endpoint.id.is_none() {
        return Err(Problem::conflict("webhook_not_configured", "There is no webhook: configure one first."));
    }
    Ok((endpoint, since))
}

/// Of `webhook_events e`: those of tenant ?1 that endpoint ?2, which lists the types ?3, neither accepted nor is to
/// get, from ?4 and before ?5.
const MISSED: &str = "e.tenant_id = ?1 AND e.created_at >= ?4 AND e.created_at < ?5
    AND instr(?3, '\"' || e.kind || '\"') > 0
    AND NOT EXISTS (SELECT 1 FROM webhook_deliveries d
                     WHERE d.event_id = e.id AND d.endpoint_seq = ?2 AND d.status IN (0, 1))";

/// The number of the first event since a time. Times of a tenant's events never go back.
fn first_since(db: &Db<'_>, tenant: &str, since: Timestamp) -> Result<i64> {
    let found = db.row::<(i64,)>(
        "SELECT seq FROM webhook_events WHERE tenant_id = ? AND created_at >= ? ORDER BY created_at, seq LIMIT 1",
        params![tenant, since],
    )?;
    Ok(found.map_or(i64::MAX, |(seq,)| seq))
}

/// Counts what a recovery would bring back, and changes nothing.
pub fn count(db: &Db<'_>, caller: &Principal, request: &RecoverRequest) -> Result<Recovery> {
    let ((endpoint, since), now) = (checked(db, caller, request)?, Timestamp::now());
    let found = db.row::<(i64, i64)>(
        &format!(
            "SELECT count(*), coalesce(sum(x.missed), 0) FROM (
               SELECT {MISSED} AND e.expires_at > ?5 AS missed FROM webhook_events e
                WHERE e.tenant_id = ?1 AND e.seq >= ?6 ORDER BY e.seq LIMIT ?7) x"
        ),
        params![
            caller.tenant,
            endpoint.seq,
            endpoint.event_types.get(),
            since,
            now,
            first_since(db, &caller.tenant, since)?,
            COUNT_MAX.saturating_add(1)
        ],
    )?;
    let (looked, missed) = found.unwrap_or_default();
    Ok(Recovery {
        id: String::new(),
        endpoint_id: endpoint.id.unwrap_or_default(),
        since,
        status: "counted".into(),
        seen: 0,
        recovered: 0,
        created_at: now,
        finished_at: Some(now),
        missed: Some(missed),
        more: Some(looked > COUNT_MAX),
        until: now,
    })
}

/// Begins a recovery, as a job.
pub fn begin(db: &Db<'_>, caller: &Principal, request: &RecoverRequest) -> Result<Recovery> {
    let tenant = caller.tenant.as_str();
    let (endpoint, since) = checked(db, caller, request)?;
    if !endpoint.enabled {
        return Err(Problem::conflict(
            "webhook_endpoint_disabled",
            "The endpoint is switched off: enable it first.",
        ));
    }
    let (id, now) = (id::new(id::Kind::WebhookRecovery), Timestamp::now());
    db.run(
        "INSERT INTO webhook_recoveries (id, tenant_id, endpoint_id, since, until, status, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, 'running', ?5)",
        params![id, tenant, endpoint.id, since, now],
    )?;
    jobs::add(db, tenant, Kind::RecoverWebhook, None, &id, now)?;
    get(db, tenant, &id)
}

/// How far a recovery is.
pub fn get(db: &Db<'_>, tenant: &str, id: &str) -> Result<Recovery> {
    find(db, tenant, id)?.ok_or_else(|| Problem::not_found("webhook recovery", id))
}

fn find(db: &Db<'_>, tenant: &str, id: &str) -> Result<Option<Recovery>> {
    Ok(db.row(
        "SELECT id, endpoint_id, since, until, status, seen, recovered, created_at, finished_at
           FROM webhook_recoveries WHERE id = ? AND tenant_id = ?",
        params![id, tenant],
    )?)
}

/// A step of the job: `left` is the last event looked at.
pub fn step(db: &Db<'_>, job: &Job, left: Option<&str>) -> Result<Step> {
    let tenant = job.tenant.as_str();
    let Some(recovery) = find(db, tenant, &job.subject)? else { return Ok(Step::Done) };
    let endpoint = match settings::get(db, tenant, Which::Id(&recovery.endpoint_id)) {
        Ok(endpoint) if endpoint.enabled => endpoint,
        Ok(_) => return end(db, tenant, &recovery.id, "cancelled"),
        Err(problem) if problem.status == 404 => return end(db, tenant, &recovery.id, "cancelled"),
        Err(problem) => return Err(problem),
    };
    let after: i64 = match left.and_then(|text| text.parse().ok()) {
        Some(after) => after,
        None => first_since(db, tenant, recovery.since)?.saturating_sub(1),
    };
    let looked = db.row::<(i64, Option<i64>)>(
        "SELECT count(*), max(seq) FROM (
           SELECT seq FROM webhook_events WHERE tenant_id = ? AND seq > ? ORDER BY seq LIMIT ?)",
        params![tenant, after, BATCH],
    )?;
    let Some((seen, Some(last))) = looked else { return end(db, tenant, &recovery.id, "completed") };
    let now = Timestamp::now();
    let recovered: Vec<(Option<String>,)> = db.rows(
        &format!(
            "INSERT INTO webhook_deliveries
               (id, tenant_id, endpoint_seq, event_seq, event_id, kind, lane, due_at, created_at, expires_at)
             SELECT 'wha_0' || substr(hex(randomblob(13)), 2), ?1, ?2, e.seq, e.id, e.kind, l.lane,
                    CASE WHEN l.lane IS NULL THEN ?6 END, ?6, e.expires_at
               FROM webhook_events e JOIN webhook_lanes l ON l.event_seq = e.seq AND l.endpoint_seq = ?2
              WHERE {MISSED} AND e.seq > ?7 AND e.seq <= ?8 AND e.expires_at > ?6 ORDER BY e.seq
             RETURNING lane"
        ),
        params![
            tenant,
            endpoint.seq,
            endpoint.event_types.get(),
            recovery.since,
            recovery.until,
            now,
            after,
            last
        ],
    )?;
    // In a lane they wait for each other, and for what is on its way.
    let lanes: BTreeSet<String> = recovered.iter().filter_map(|(lane,)| lane.clone()).collect();
    for lane in &lanes {
        if !queue::is_busy(db, endpoint.seq, lane)? {
            queue::start_next(db, endpoint.seq, lane, now)?;
        }
    }
    let recovered = i64::try_from(recovered.len()).unwrap_or_default();
    db.run(
        "UPDATE webhook_recoveries SET seen = seen + ?, recovered = recovered + ? WHERE id = ? AND tenant_id = ?",
        params![seen, recovered, recovery.id, tenant],
    )?;
    if recovered > 0 {
        common::background::work_is_due();
    }
    Ok(Step::More(Some(last.to_string())))
}

fn end(db: &Db<'_>, tenant: &str, id: &str, status: &str) -> Result<Step> {
    db.run(
        "UPDATE webhook_recoveries SET status = ?, finished_at = ? WHERE id = ? AND tenant_id = ?",
        params![status, Timestamp::now(), id, tenant],
    )?;
    Ok(Step::Done)
}

/// Deletes recoveries that began before `before`; answers how many.
pub fn forget(db: &Db<'_>, before: Timestamp, limit: u32) -> Result<usize> {
    let gone = db.rows::<(i64,)>(
        "DELETE FROM webhook_recoveries WHERE id IN
           (SELECT id FROM webhook_recoveries WHERE created_at < ? ORDER BY created_at LIMIT ?) RETURNING 1",
        params![before, limit],
    )?;
    Ok(gone.len())
}
