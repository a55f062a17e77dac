//! What becomes of a sent message: taken over, sent, delivered, read, failed, or unknown
//! (channels section 8).

use crate::events::{self, Event};
use crate::messages::{self, DeliveryStatus};
use common::db::{Db, Error as DbError};
use common::time::Timestamp;
use common::{Result, params};

/// The provider took the message over. Its state stays pending: sent comes by callback.
pub fn taken_over(db: &Db<'_>, tenant: &str, message: &str, provider_id: &str) -> Result<()> {
    let noted = db.run(
        "UPDATE messages SET channel_message_id = ?, outcome_unknown_at = NULL
          WHERE id = ? AND tenant_id = ? AND channel_message_id IS NULL",
        params![provider_id, message, tenant],
    );
    match noted {
        // The provider gave the same id twice: keep the first, the message itself is fine.
        Err(DbError::Unique(_)) => {
            common::log!("provider id given twice", message = message, provider_id = provider_id);
            Ok(())
        }
        other => Ok(other?),
    }
}

/// A step that the provider reports.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    pub status: DeliveryStatus,
    /// When, by the provider's clock.
    pub at: Timestamp,
    /// The provider's id, in case the callback came before the answer.
    pub provider_id: Option<&'a str>,
    /// Of a failure: the provider's code and the public reason.
    pub failure: Option<(&'a str, &'a str)>,
}

/// Applies a step to a message, never backwards; `false` when there is no such message.
pub fn apply(db: &Db<'_>, tenant: &str, message: &str, step: &Step<'_>) -> Result<bool> {
    let found = db.row::<(i64, Option<String>)>(
        "SELECT status, channel_message_id FROM messages WHERE id = ? AND tenant_id = ? AND direction = 'out'",
        params![message, tenant],
    )?;
    let Some((rank, known_id)) = found else { return Ok(false) };
    if let (None, Some(provider_id)) = (&known_id, step.provider_id) {
        taken_over(db, tenant, message, provider_id)?;
    }
    let now = Timestamp::now();
    // A step's own time is kept, also when it comes after a later step.
    let column = match step.status {
        DeliveryStatus::Sent => Some("sent_at"),
        DeliveryStatus::Delivered => Some("delivered_at"),
        DeliveryStatus::Read => Some("read_at"),
        DeliveryStatus::Pending | DeliveryStatus::Failed => None,
    };
    if let Some(column) = column {
        let sql = format!(
            "UPDATE messages SET {column} = coalesce({column}, ?), outcome_unknown_at = NULL WHERE id = ? AND tenant_id = ?"
        );
        db.run(&sql, params![step.at, message, tenant])?;
    }
    let (code, reason) = step.failure.unzip();
    if !DeliveryStatus::from_rank(rank).accepts(step.status) {
        // The code of a failure is history, also when a delivery was known before it.
        if code.is_some() {
            db.run(
                "UPDATE messages SET failure_code = coalesce(failure_code, ?) WHERE id = ? AND tenant_id = ?",
                params![code, message, tenant],
            )?;
        }
        return Ok(true);
    }
    // The code of a failure stays in the row when a later delivery overrides it.
    db.run(
        "UPDATE messages SET status = ?, failure_code = coalesce(?, failure_code), failure_reason = ?, updated_at = ?
          WHERE id = ? AND tenant_id = ?",
        params![step.status.rank(), code, reason, now, message, tenant],
    )?;
    emit_updated(db, tenant, message, now)?;
    Ok(true)
}

/// Our clock notes a sending when the provider's answer is here: a little later than the provider's does.
pub const CLOCK_SLACK_MS: i64 = 2000;
/// Most messages that one watermark tells the webhook of; those beyond change all the same.
const WATERMARK_EVENTS: usize = 200;

/// All that was sent to a person from an inbox up to a moment.
#[derive(Clone, Copy, Debug)]
pub struct Watermark {
    pub inbox_seq: i64,
    pub identity_seq: i64,
    /// Delivered or read.
    pub status: DeliveryStatus,
    /// By the provider's clock.
    pub up_to: Timestamp,
    /// How much later our note of a sending may be: [`CLOCK_SLACK_MS`] where `up_to` is the provider's time.
    pub slack_ms: i64,
    pub at: Timestamp,
}

/// Applies a watermark with one update, never backwards; answers how many messages moved.
///
/// A message counts by its sending, and one that was never taken over cannot have been delivered.
pub fn watermark(db: &Db<'_>, tenant: &str, mark: &Watermark) -> Result<usize> {
    let now = Timestamp::now();
    let column = if mark.status == DeliveryStatus::Read { "read_at" } else { "delivered_at" };
    let sql = format!(
        "UPDATE messages SET status = ?1, {column} = coalesce({column}, ?2), outcome_unknown_at = NULL, updated_at = ?3
          WHERE identity_seq = ?4 AND created_at <= ?5 AND tenant_id = ?6 AND inbox_seq = ?7 AND direction = 'out'
            AND channel_message_id IS NOT NULL AND status BETWEEN 0 AND ?1 - 1
            AND coalesce(send_at, 0) <= ?5 AND coalesce(sent_at, 0) <= ?8
         RETURNING id"
    );
    let sent_before = mark.up_to.millis().saturating_add(mark.slack_ms);
    let moved = db.rows::<(String,)>(
        &sql,
        params![
            mark.status.rank(),
            mark.at,
            now,
            mark.identity_seq,
            mark.up_to,
            tenant,
            mark.inbox_seq,
            sent_before
        ],
    )?;
    for (message,) in moved.iter().take(WATERMARK_EVENTS) {
        emit_updated(db, tenant, message, now)?;
    }
    Ok(moved.len())
}

/// The moment of a message of ours, as watermarks count it; `None` when it is not known.
pub fn moment(db: &Db<'_>, tenant: &str, message: &str) -> Result<Option<Timestamp>> {
    let found = db.row::<(Timestamp,)>(
        "SELECT max(created_at, coalesce(sent_at, 0)) FROM messages WHERE id = ? AND tenant_id = ?",
        params![message, tenant],
    )?;
    Ok(found.map(|(at,)| at))
}

/// Notes when the provider says that it sent a message, in place of when we heard of it: its watermarks
/// count by its own clock.
pub fn sent_at(db: &Db<'_>, tenant: &str, message: &str, at: Timestamp) -> Result<()> {
    Ok(db.run(
        "UPDATE messages SET sent_at = ? WHERE id = ? AND tenant_id = ? AND direction = 'out'",
        params![at, message, tenant],
    )?)
}

/// Tells of a change; a message whose contact was deleted meanwhile has nobody to tell of it.
pub(crate) fn emit_updated(db: &Db<'_>, tenant: &str, message: &str, now: Timestamp) -> Result<()> {
    match messages::find(db, tenant, None, message) {
        Ok(updated) => events::emit(db, tenant, now, &[Event::new("message.updated", &updated)?]),
        Err(problem) if problem.status == 404 => Ok(()),
        Err(problem) => Err(problem),
    }
}

/// Fails a message for good, with a reason its sender can act on.
pub fn fail(db: &Db<'_>, tenant: &str, message: &str, code: &str, reason: &str) -> Result<()> {
    let step = Step {
        status: DeliveryStatus::Failed,
        at: Timestamp::now(),
        provider_id: None,
        failure: Some((code, reason)),
    };
    apply(db, tenant, message, &step).map(drop)
}

/// Notes that nobody knows whether the provider took the message over. It is not sent again by itself.
pub fn outcome_unknown(db: &Db<'_>, tenant: &str, message: &str) -> Result<()> {
    Ok(db.run(
        "UPDATE messages SET outcome_unknown_at = ? WHERE id = ? AND tenant_id = ? AND status = 0",
        params![Timestamp::now(), message, tenant],
    )?)
}

/// Whether a message still waits for word of its outcome.
pub fn is_unknown(db: &Db<'_>, tenant: &str, message: &str) -> Result<bool> {
    Ok(db.touches(
        "SELECT 1 FROM messages WHERE id = ? AND tenant_id = ? AND status = 0
            AND channel_message_id IS NULL AND outcome_unknown_at IS NOT NULL",
        params![message, tenant],
    )?)
}

/// The message that a provider's id belongs to.
pub fn by_provider_id(
    db: &Db<'_>,
    tenant: &str,
    inbox_seq: i64,
    provider_id: &str,
) -> Result<Option<String>> {
    let found = db.row::<(String,)>(
        "SELECT id FROM messages WHERE inbox_seq = ? AND channel_message_id = ? AND tenant_id = ?",
        params![inbox_seq, provider_id, tenant],
    )?;
    Ok(found.map(|(id,)| id))
}
