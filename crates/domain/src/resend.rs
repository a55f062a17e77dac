//! Sending again after a failure that a callback told of (channels sections 2.9, 6.6 and 8.3).
//!
//! The provider took the message over and said later that it could not deliver it, for a reason that passes.
//! Then the message is pending once more, with a job in its conversation's lane. Nothing is sent twice: the
//! provider itself said that the first send came to nothing. Its late statuses are told apart by its id.

use crate::delivery;
use crate::jobs::{self, Kind};
use crate::outgoing;
use common::db::Db;
use common::time::Timestamp;
use common::{Result, params};
use std::time::Duration;

/// A message older than this is not sent again (channels section 8.3).
const STALE: Duration = Duration::from_secs(60 * 60);

/// Whether a report of this state is about a send that failed before and was repeated since: nothing but a
/// delivery can still be news.
pub fn is_outdated(db: &Db<'_>, tenant: &str, message: &str, provider_id: &str) -> Result<bool> {
    Ok(db.touches(
        "SELECT 1 FROM messages WHERE id = ? AND tenant_id = ? AND failed_channel_id = ?",
        params![message, tenant, provider_id],
    )?)
}

/// How often a message was sent again so far, where one more time is allowed; `None` where it is not: unknown,
/// delivered, too old, or tried `tries_max` times.
pub fn allowed(
    db: &Db<'_>,
    tenant: &str,
    message: &str,
    tries_max: i64,
    now: Timestamp,
) -> Result<Option<i64>> {
    let found = db.row::<(i64, Timestamp)>(
        "SELECT resends, max(created_at, coalesce(send_at, 0)) FROM messages
          WHERE id = ? AND tenant_id = ? AND direction = 'out' AND status IN (0, 1) AND deleted_at IS NULL",
        params![message, tenant],
    )?;
    Ok(found
        .filter(|(resends, begun)| resends.saturating_add(1) < tries_max && now < begun.after(STALE))
        .map(|(resends, _)| resends))
}

/// Makes a message pending again, to be sent at `due`. `provider_id` is that of the send which failed.
pub fn plan(
    db: &Db<'_>,
    tenant: &str,
    message: &str,
    provider_id: &str,
    code: &str,
    due: Timestamp,
) -> Result<()> {
    let now = Timestamp::now();
    let found = db.row::<(i64, i64)>(
        "UPDATE messages
            SET status = 0, channel_message_id = NULL, failed_channel_id = ?1, resends = resends + 1, sent_at = NULL,
                failure_code = ?2, outcome_unknown_at = NULL, updated_at = ?3
          WHERE id = ?4 AND tenant_id = ?5 RETURNING inbox_seq, identity_seq",
        params![provider_id, code, now, message, tenant],
    )?;
    let Some((inbox_seq, identity_seq)) = found else { return Ok(()) };
    let lane = outgoing::lane(inbox_seq, identity_seq);
    jobs::add(db, tenant, Kind::SendMessage, Some(&lane), message, due)?;
    delivery::emit_updated(db, tenant, message, now)
}
