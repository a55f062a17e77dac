//! Jobs: work that outlives its request, as rows inserted in the transaction of their cause.
//!
//! A worker claims due rows with one statement, works outside any transaction, and ends with one that
//! records the result and removes the row. A claim moves `due_at` to the end of its lease, so the jobs of
//! a killed worker come back by themselves; `attempts` is the fence that keeps a worker which lost its
//! lease from recording anything. Claims go round the tenants, so that one with a long queue does not
//! hold up the others.

use common::db::{Db, Error, FromRow, Row};
use common::time::Timestamp;
use common::{Result, background, params};
use std::time::Duration;

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Sends a message to its provider. Subject: the message.
    SendMessage,
    /// Works off a stored callback. Subject: its `seq`.
    ProcessCallback,
    /// Delivers an event to the tenant's webhook. Subject: the event; payload: the body.
    DeliverWebhook,
    /// Fails a message whose outcome stayed unknown. Subject: the message.
    GiveUpOnOutcome,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::SendMessage => "send_message",
            Kind::ProcessCallback => "process_callback",
            Kind::DeliverWebhook => "deliver_webhook",
            Kind::GiveUpOnOutcome => "give_up_on_outcome",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Kind::SendMessage, Kind::ProcessCallback, Kind::DeliverWebhook, Kind::GiveUpOnOutcome]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// A claimed job.
#[derive(Clone, Debug)]
pub struct Job {
    pub seq: i64,
    pub tenant: String,
    pub kind: String,
    pub lane: Option<String>,
    pub subject: String,
    pub payload: Option<String>,
    /// Claims so far, this one included, and those of killed workers: the fence of the lease, and nothing
    /// to count tries by.
    pub attempts: i64,
    /// Tries that were recorded as failed.
    pub failures: i64,
    /// A worker before this one began the effect and never recorded its end: it may have happened.
    pub broken_off: bool,
    pub created_at: Timestamp,
}

impl FromRow for Job {
    fn from_row(row: &mut Row) -> Result<Self, Error> {
        Ok(Job {
            seq: row.take()?,
            tenant: row.take()?,
            kind: row.take()?,
            lane: row.take()?,
            subject: row.take()?,
            payload: row.take()?,
            attempts: row.take()?,
            failures: row.take()?,
            broken_off: row.take()?,
            created_at: row.take()?,
        })
    }
}

impl Job {
    /// The number of the try under way, from 1.
    pub fn number(&self) -> i64 {
        self.failures.saturating_add(1)
    }
}

/// Adds a job. In a lane it waits for those before it.
pub fn add(
    db: &Db<'_>,
    tenant: &str,
    kind: Kind,
    lane: Option<&str>,
    subject: &str,
    due_at: Timestamp,
) -> Result<()> {
    db.run(
        "INSERT INTO jobs (tenant_id, kind, lane, subject, due_at, created_at)
         SELECT ?1, ?2, ?3, ?4, CASE WHEN EXISTS (SELECT 1 FROM jobs WHERE lane = ?3) THEN NULL ELSE ?5 END, ?6",
        params![tenant, kind.as_str(), lane, subject, due_at, Timestamp::now()],
    )?;
    background::work_is_due();
    Ok(())
}

/// Whether anything is due: one look into an index, before a claim takes the write lock.
pub fn any_due(db: &Db<'_>, now: Timestamp) -> Result<bool> {
    Ok(db.touches("SELECT 1 FROM jobs WHERE due_at <= ? LIMIT 1", params![now])?)
}

/// How much is waiting: due now, and later (in a lane or by time).
pub fn waiting(db: &Db<'_>, now: Timestamp) -> Result<Vec<(String, i64, i64)>> {
    Ok(db.rows(
        "SELECT kind, coalesce(sum(due_at <= ?1), 0), coalesce(sum(due_at IS NULL OR due_at > ?1), 0)
           FROM jobs GROUP BY kind ORDER BY kind",
        params![now],
    )?)
}

const CLAIM: &str = "
    UPDATE jobs SET due_at = ?1, attempts = attempts + 1, broken_off = running
     WHERE seq IN (
       WITH RECURSIVE tenant (id) AS (
         SELECT min(tenant_id) FROM jobs WHERE due_at IS NOT NULL
         UNION ALL
         SELECT (SELECT min(tenant_id) FROM jobs WHERE due_at IS NOT NULL AND tenant_id > tenant.id)
           FROM tenant WHERE tenant.id IS NOT NULL)
       SELECT job.seq FROM tenant JOIN jobs job ON job.seq IN (
           SELECT seq FROM jobs WHERE tenant_id = tenant.id AND due_at <= ?2 ORDER BY due_at LIMIT ?3)
        ORDER BY job.due_at LIMIT ?4)
    RETURNING seq, tenant_id, kind, lane, subject, payload, attempts, failures, broken_off, created_at";

/// Claims at most `limit` due jobs for `lease`, at most `per_tenant` of one tenant.
pub fn claim(db: &Db<'_>, now: Timestamp, lease: Duration, limit: u32, per_tenant: u32) -> Result<Vec<Job>> {
    Ok(db.rows(CLAIM, params![now.after(lease), now, per_tenant, limit])?)
}

/// Notes that an effect which must not happen twice begins now; `false` when the lease was lost. A worker that
/// dies before this has done nothing, and the job is simply claimed again.
pub fn begin(db: &Db<'_>, job: &Job) -> Result<bool> {
    Ok(db.touches(
        "UPDATE jobs SET running = 1 WHERE seq = ? AND attempts = ? RETURNING 1",
        params![job.seq, job.attempts],
    )?)
}

/// Ends a job: `false` when the lease was lost, and then nothing may be recorded.
pub fn finish(db: &Db<'_>, job: &Job) -> Result<bool> {
    let own = db.touches(
        "DELETE FROM jobs WHERE seq = ? AND attempts = ? RETURNING 1",
        params![job.seq, job.attempts],
    )?;
    if let (true, Some(lane)) = (own, &job.lane) {
        let next = db.touches(
            "UPDATE jobs SET due_at = ? WHERE due_at IS NULL AND seq = (SELECT min(seq) FROM jobs WHERE lane = ?)
             RETURNING 1",
            params![Timestamp::now(), lane],
        )?;
        if next {
            background::work_is_due();
        }
    }
    Ok(own)
}

/// Puts a job back after an error of our own, which may have come after its effect: what was begun stays
/// marked as begun, so that an effect which must not happen twice does not.
pub fn put_back(db: &Db<'_>, job: &Job, due_at: Timestamp, error: &str) -> Result<bool> {
    let error: String = error.chars().take(500).collect();
    Ok(db.touches(
        "UPDATE jobs SET due_at = ?, failures = failures + 1, last_error = ? WHERE seq = ? AND attempts = ? RETURNING 1",
        params![due_at, error, job.seq, job.attempts],
    )?)
}

/// Puts a job back for a later try after an effect that is known not to have happened; `error` is for operators.
pub fn retry(db: &Db<'_>, job: &Job, due_at: Timestamp, error: &str) -> Result<bool> {
    let error: String = error.chars().take(500).collect();
    Ok(db.touches(
        "UPDATE jobs SET due_at = ?, running = 0, failures = failures + 1, last_error = ? WHERE seq = ? AND attempts = ? RETURNING 1",
        params![due_at, error, job.seq, job.attempts],
    )?)
}
