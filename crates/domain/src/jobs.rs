//! Jobs: work that outlives its request, as rows inserted in the transaction of their cause.
//!
//! A worker claims due rows with one statement, works outside any transaction, and ends with one that
//! records the result and removes the row. A claim moves `due_at` to the end of its lease, so the jobs of
//! a killed worker come back by themselves; `attempts` is the fence that keeps a worker which lost its
//! lease from recording anything, together with subject and time, since SQLite gives the number of a deleted
//! row to the next one. Claims go round the tenants, so that one with a long queue does not hold up the others.

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
    /// Fails a message whose outcome stayed unknown. Subject: the message.
    GiveUpOnOutcome,
    /// Puts a scheduled message into its lane. Subject: the message.
    ReleaseMessage,
    /// Brings our reaction on a message to its provider. Subject: the message.
    SendReaction,
    /// Tells a customer that their message was read. Subject: the message.
    MarkRead,
    /// Fetches a file that a customer sent. Subject: the file; payload: its message.
    FetchMedia,
    /// Deletes the values of a custom field, then its definition. Subject: its `seq`.
    ClearField,
    /// Writes the values of a custom field as its new type does. Subject: its `seq`; payload: the last one written.
    ConvertField,
    /// Takes a deleted tag off its contacts. Subject: the tag.
    ClearTag,
    /// Works off an import of contacts. Subject: the import.
    ImportContacts,
    /// Empties the messages of an erased contact, a piece a turn. Subject: the contact.
    EraseContact,
    /// Brings back what a webhook's endpoint missed. Subject: the recovery; payload: the last event looked at.
    RecoverWebhook,
    /// Removes deliveries of a removed endpoint, or takes those that wait out of their lanes. Subject: the endpoint's
    /// `seq`; payload: the last delivery of then.
    TidyWebhook,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::SendMessage => "send_message",
            Kind::ProcessCallback => "process_callback",
            Kind::GiveUpOnOutcome => "give_up_on_outcome",
            Kind::ReleaseMessage => "release_message",
            Kind::SendReaction => "send_reaction",
            Kind::MarkRead => "mark_read",
            Kind::FetchMedia => "fetch_media",
            Kind::ClearField => "clear_field",
            Kind::ConvertField => "convert_field",
            Kind::ClearTag => "clear_tag",
            Kind::ImportContacts => "import_contacts",
            Kind::EraseContact => "erase_contact",
            Kind::RecoverWebhook => "recover_webhook",
            Kind::TidyWebhook => "tidy_webhook",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        const ALL: [Kind; 14] = [
            Kind::SendMessage,
            Kind::ProcessCallback,
            Kind::GiveUpOnOutcome,
            Kind::ReleaseMessage,
            Kind::SendReaction,
            Kind::MarkRead,
            Kind::FetchMedia,
            Kind::ClearField,
            Kind::ConvertField,
            Kind::ClearTag,
            Kind::ImportContacts,
            Kind::EraseContact,
            Kind::RecoverWebhook,
            Kind::TidyWebhook,
        ];
        ALL.into_iter().find(|kind| kind.as_str() == text)
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
    /// The moment that it reserved at its inbox ([`crate::pace`]).
    pub slot_at: Option<Timestamp>,
    /// How often the provider asked for patience with its person.
    pub throttles: i64,
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
            slot_at: row.take()?,
            throttles: row.take()?,
        })
    }
}

impl Job {
    /// The number of the try under way, from 1.
    pub fn number(&self) -> i64 {
        self.failures.saturating_add(1)
    }
}

/// What a step of a long job leaves: each is a transaction that also notes how far the job is.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// There is more to do; with what the next step must know.
    More(Option<String>),
    /// It was the last.
    Done,
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

/// Adds a job outside any lane, with what it must know beside its subject.
pub fn add_with(
    db: &Db<'_>,
    tenant: &str,
    kind: Kind,
    subject: &str,
    payload: &str,
    due_at: Timestamp,
) -> Result<()> {
    db.run(
        "INSERT INTO jobs (tenant_id, kind, subject, payload, due_at, created_at) VALUES (?, ?, ?, ?, ?, ?)",
        params![tenant, kind.as_str(), subject, payload, due_at, Timestamp::now()],
    )?;
    background::work_is_due();
    Ok(())
}

/// Notes how far a job of several steps has come, and leases it until `due_at`; `false` when the lease was lost.
pub fn advance(db: &Db<'_>, job: &Job, payload: &str, due_at: Timestamp) -> Result<bool> {
    Ok(db.touches(
        "UPDATE jobs SET payload = ?, due_at = ? WHERE seq = ? AND attempts = ? AND subject = ? AND created_at = ? RETURNING 1",
        params![payload, due_at, job.seq, job.attempts, job.subject, job.created_at],
    )?)
}

/// Leases a job for longer while it is worked on; `false` when the lease was lost.
pub fn extend(db: &Db<'_>, job: &Job, due_at: Timestamp) -> Result<bool> {
    Ok(db.touches(
        "UPDATE jobs SET due_at = ? WHERE seq = ? AND attempts = ? AND subject = ? AND created_at = ? RETURNING 1",
        params![due_at, job.seq, job.attempts, job.subject, job.created_at],
    )?)
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
    UPDATE jobs SET due_at = ?1, attempts = attempts + 1, broken_off = running, held = 0
     WHERE seq IN (
       WITH RECURSIVE tenant (id) AS (
         SELECT min(tenant_id) FROM jobs WHERE due_at IS NOT NULL
         UNION ALL
         SELECT (SELECT min(tenant_id) FROM jobs WHERE due_at IS NOT NULL AND tenant_id > tenant.id)
           FROM tenant WHERE tenant.id IS NOT NULL)
       SELECT job.seq FROM tenant JOIN jobs job ON job.seq IN (
           SELECT seq FROM jobs WHERE tenant_id = tenant.id AND due_at <= ?2 ORDER BY due_at LIMIT ?3)
        ORDER BY job.due_at LIMIT ?4)
    RETURNING seq, tenant_id, kind, lane, subject, payload, attempts, failures, broken_off, created_at, slot_at,
              throttles";

/// Claims at most `limit` due jobs for `lease`, at most `per_tenant` of one tenant.
pub fn claim(db: &Db<'_>, now: Timestamp, lease: Duration, limit: u32, per_tenant: u32) -> Result<Vec<Job>> {
    Ok(db.rows(CLAIM, params![now.after(lease), now, per_tenant, limit])?)
}

/// Notes that an effect which must not happen twice begins now; `false` when the lease was lost. A worker that
/// dies before this has done nothing, and the job is simply claimed again.
pub fn begin(db: &Db<'_>, job: &Job) -> Result<bool> {
    Ok(db.touches(
        "UPDATE jobs SET running = 1 WHERE seq = ? AND attempts = ? AND subject = ? AND created_at = ? RETURNING 1",
        params![job.seq, job.attempts, job.subject, job.created_at],
    )?)
}

/// Ends a job: `false` when the lease was lost, and then nothing may be recorded.
pub fn finish(db: &Db<'_>, job: &Job) -> Result<bool> {
    let own = db.row::<(Option<String>,)>(
        "DELETE FROM jobs WHERE seq = ? AND attempts = ? AND subject = ? AND created_at = ? RETURNING lane",
        params![job.seq, job.attempts, job.subject, job.created_at],
    )?;
    // The lane that it is in now: it may have been moved while it was worked on.
    if let Some((Some(lane),)) = &own {
        start_next(db, lane)?;
    }
    Ok(own.is_some())
}

/// Puts the jobs of a lane into another one, by their age. Until the first of either is done, both go on.
pub fn move_lane(db: &Db<'_>, tenant: &str, from: &str, into: &str) -> Result<()> {
    Ok(db.run("UPDATE jobs SET lane = ? WHERE lane = ? AND tenant_id = ?", params![into, from, tenant])?)
}

/// Takes a job out of its lane before it was begun: `false` when it is not there, or was begun. A worker that
/// has it loses its lease.
pub fn withdraw(db: &Db<'_>, tenant: &str, lane: &str, subject: &str) -> Result<bool> {
    let gone = db.row::<(i64,)>(
        "DELETE FROM jobs WHERE seq = (SELECT min(seq) FROM jobs WHERE lane = ? AND subject = ? AND kind <> 'send_reaction')
            AND running = 0 AND tenant_id = ? RETURNING seq",
        params![lane, subject, tenant],
    )?;
    if gone.is_some() {
        start_next(db, lane)?;
    }
    Ok(gone.is_some())
}

/// Sets a job that was not begun back to its start, in its place: due again, unless it waits behind others.
/// `false` when it is not there, or was begun. A worker that has it loses its lease.
pub fn restart(db: &Db<'_>, tenant: &str, lane: &str, subject: &str, due_at: Timestamp) -> Result<bool> {
    Ok(db.touches(
        "UPDATE jobs SET attempts = attempts + 1, due_at = CASE WHEN due_at IS NOT NULL THEN ? END
          WHERE seq = (SELECT min(seq) FROM jobs WHERE lane = ? AND subject = ? AND kind <> 'send_reaction') AND running = 0 AND tenant_id = ?
         RETURNING 1",
        params![due_at, lane, subject, tenant],
    )?)
}

/// Gives the first of a lane its time, if it has none yet.
fn start_next(db: &Db<'_>, lane: &str) -> Result<()> {
    let next = db.touches(
        "UPDATE jobs SET due_at = ? WHERE due_at IS NULL AND seq = (SELECT min(seq) FROM jobs WHERE lane = ?)
         RETURNING 1",
        params![Timestamp::now(), lane],
    )?;
    if next {
        background::work_is_due();
    }
    Ok(())
}

/// Puts a job back after an error of our own, which may have come after its effect: what was begun stays
/// marked as begun, so that an effect which must not happen twice does not.
pub fn put_back(db: &Db<'_>, job: &Job, due_at: Timestamp, error: &str) -> Result<bool> {
    let error: String = error.chars().take(500).collect();
    Ok(db.touches(
        "UPDATE jobs SET due_at = ?, failures = failures + 1, last_error = ? WHERE seq = ? AND attempts = ? AND subject = ? AND created_at = ? RETURNING 1",
        params![due_at, error, job.seq, job.attempts, job.subject, job.created_at],
    )?)
}

/// Puts a job back for a later try after an effect that is known not to have happened; `error` is for operators.
pub fn retry(db: &Db<'_>, job: &Job, due_at: Timestamp, error: &str) -> Result<bool> {
    let error: String = error.chars().take(500).collect();
    Ok(db.touches(
        "UPDATE jobs SET due_at = ?, running = 0, failures = failures + 1, slot_at = NULL, last_error = ?
          WHERE seq = ? AND attempts = ? AND subject = ? AND created_at = ? RETURNING 1",
        params![due_at, error, job.seq, job.attempts, job.subject, job.created_at],
    )?)
}

/// Puts a job back that did nothing because its inbox waits: no try of its own. Until `due_at` it may be woken
/// early; with `slot` that moment is reserved for it.
pub fn hold(db: &Db<'_>, job: &Job, due_at: Timestamp, slot: bool) -> Result<bool> {
    Ok(db.touches(
        "UPDATE jobs SET due_at = ?1, running = 0, held = 1, slot_at = CASE WHEN ?2 THEN ?1 END
          WHERE seq = ?3 AND attempts = ?4 AND subject = ?5 AND created_at = ?6 RETURNING 1",
        params![due_at, slot, job.seq, job.attempts, job.subject, job.created_at],
    )?)
}

/// Puts a job back that the provider asked to be patient with: no failure.
pub fn be_patient(db: &Db<'_>, job: &Job, due_at: Timestamp, why: &str) -> Result<bool> {
    let why: String = why.chars().take(500).collect();
    Ok(db.touches(
        "UPDATE jobs SET due_at = ?, running = 0, throttles = throttles + 1, slot_at = NULL, last_error = ?
          WHERE seq = ? AND attempts = ? AND subject = ? AND created_at = ? RETURNING 1",
        params![due_at, why, job.seq, job.attempts, job.subject, job.created_at],
    )?)
}
