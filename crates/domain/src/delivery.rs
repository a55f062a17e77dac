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
    if !DeliveryStatus::from_rank(rank).accepts(step.status) {
        return Ok(true);
    }
    let (code, reason) = step.failure.unzip();
    // The code of a failure stays in the row when a later delivery overrides it: it is history.
    db.run(
        "UPDATE messages SET status = ?, failure_code = coalesce(?, failure_code), failure_reason = ?, updated_at = ?
          WHERE id = ? AND tenant_id = ?",
        params![step.status.rank(), code, reason, now, message, tenant],
    )?;
    let updated = messages::find(db, tenant, message);
    match updated {
        Ok(updated) => events::emit(db, tenant, now, &[Event::new("message.updated", &updated)?])?,
        // Its contact was deleted meanwhile: there is nobody to tell of.
        Err(problem) if problem.status == 404 => {}
        Err(problem) => return Err(problem),
    }
    Ok(true)
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
