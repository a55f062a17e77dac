//! Changing and cancelling a message that no worker has begun to send.
//!
//! A worker marks its job right before the request leaves ([`jobs::begin`]), under the write lock that these
//! functions hold: whoever comes first wins. A worker that has claimed the job and read the old content finds
//! its fence gone and starts again.

use crate::content::MessageContent;
use crate::delivery;
use crate::events::{self, Event};
use crate::jobs::{self, Kind};
use crate::messages::{self, MessageInConversation};
use crate::outgoing::{self, Metadata, Place};
use crate::visibility::viewer;
use common::auth::Principal;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::input::Patch;
use common::problem::Violations;
use common::time::Timestamp;
use common::{Problem, Result, background, params};
use serde::Deserialize;
use utoipa::ToSchema;

/// What changes; absent members stay as they are.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateMessageRequest {
    #[serde(default)]
    pub content: Option<MessageContent>,
    /// Replaces all pairs; `null` takes them away.
    #[serde(default)]
    #[schema(value_type = Option<std::collections::BTreeMap<String, String>>)]
    pub metadata: Patch<Metadata>,
    /// Another time; `null`: at once.
    #[serde(default)]
    #[schema(value_type = Option<Timestamp>)]
    pub send_at: Patch<Timestamp>,
}

/// A message that waits to be sent, with its job.
struct Waiting {
    seq: i64,
    identity_seq: i64,
    inbox_seq: i64,
    channel: String,
    metadata: Option<String>,
    send_at: Option<Timestamp>,
    last_inbound_at: Option<Timestamp>,
    session_is_open: bool,
}

impl FromRow for Waiting {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Waiting {
            seq: row.take()?,
            identity_seq: row.take()?,
            inbox_seq: row.take()?,
            channel: row.take()?,
            metadata: row.take()?,
            send_at: row.take()?,
            last_inbound_at: row.take()?,
            session_is_open: row.take()?,
        })
    }
}

fn already_sent() -> Problem {
    Problem::conflict(
        "message_already_sent",
        "Only a message that is still waiting can be changed: this one was sent, or is being sent now.",
    )
}

/// The message, if the caller may see it and no worker has begun on it.
fn waiting(db: &Db<'_>, caller: &Principal, id: &str) -> Result<Waiting> {
    let tenant = caller.tenant.as_str();
    let message = messages::find(db, tenant, viewer(caller), id)?.message;
    let waiting = db.row::<Waiting>(
        "SELECT m.seq, m.identity_seq, m.inbox_seq,
                (SELECT i.channel FROM identities i WHERE i.seq = m.identity_seq), m.metadata, m.send_at,
                (SELECT ci.last_inbound_at FROM contact_inboxes ci
                  WHERE ci.identity_seq = m.identity_seq AND ci.inbox_seq = m.inbox_seq),
                (SELECT count(*) FROM sessions s WHERE s.identity_seq = m.identity_seq AND s.closed_at IS NULL)
           FROM messages m
          WHERE m.seq = ? AND m.tenant_id = ? AND m.direction = 'out' AND m.status = 0
            AND m.channel_message_id IS NULL AND m.outcome_unknown_at IS NULL AND m.deleted_at IS NULL",
        params![message.seq, tenant],
    )?;
    waiting.ok_or_else(already_sent)
}

/// Where a message's job may be: waiting for its time, or among the conversation's.
fn lanes(id: &str, waiting: &Waiting) -> [String; 2] {
    [outgoing::release_lane(id), outgoing::lane(waiting.inbox_seq, waiting.identity_seq)]
}

/// Takes the message's job away, and sets the next of its lane going. A job that was begun stays, and the
/// message with it.
fn take_job(db: &Db<'_>, tenant: &str, id: &str, waiting: &Waiting) -> Result<()> {
    for lane in lanes(id, waiting) {
        if jobs::withdraw(db, tenant, &lane, id)? {
            return Ok(());
        }
    }
    Err(already_sent())
}

fn restart_job(db: &Db<'_>, tenant: &str, id: &str, waiting: &Waiting, due: Timestamp) -> Result<()> {
    for lane in lanes(id, waiting) {
        if jobs::restart(db, tenant, &lane, id, due)? {
            return Ok(());
        }
    }
    Err(already_sent())
}

/// Changes a message that still waits. A new content is checked like that of a new message.
pub fn update(
    db: &Db<'_>,
    caller: &Principal,
    id: &str,
    request: &UpdateMessageRequest,
) -> Result<MessageInConversation> {
    let (tenant, now) = (caller.tenant.as_str(), Timestamp::now());
    let mut violations = Violations::new();
    if let Patch::Set(metadata) = &request.metadata {
        outgoing::check_metadata(&mut violations, metadata);
    }
    if let Patch::Set(send_at) = &request.send_at {
        outgoing::check_send_at(&mut violations, Some(*send_at), now);
    }
    violations.finish()?;
    if let Some(content) = &request.content {
        content.validate()?;
    }
    let waiting = waiting(db, caller, id)?;
    if let Some(content) = &request.content {
        let place = Place {
            channel: &waiting.channel,
            inbox_seq: waiting.inbox_seq,
            last_inbound_at: waiting.last_inbound_at,
            session_is_open: waiting.session_is_open,
        };
        let content = outgoing::prepare(db, caller, &place, content)?;
        outgoing::check_window(&place, content.as_ref(), now)?;
        db.run(
            "UPDATE messages SET content = ?, edited_at = ? WHERE seq = ? AND tenant_id = ?",
            params![content.to_json()?, now, waiting.seq, tenant],
        )?;
    }
    match &request.metadata {
        Patch::Keep => {}
        Patch::Clear => set_metadata(db, tenant, &waiting, &Metadata::new())?,
        Patch::Set(metadata) => set_metadata(db, tenant, &waiting, metadata)?,
    }
    let send_at = match request.send_at {
        Patch::Keep => waiting.send_at,
        Patch::Clear => None,
        Patch::Set(at) => Some(at),
    };
    let due = send_at.map_or(now, |at| at.max(now));
    if send_at == waiting.send_at {
        // Its place in the lane stays; a worker that read the old content loses it.
        restart_job(db, tenant, id, &waiting, due)?;
    } else {
        take_job(db, tenant, id, &waiting)?;
        let lane = outgoing::release_lane(id);
        jobs::add(db, tenant, Kind::ReleaseMessage, Some(&lane), id, due)?;
    }
    db.run(
        "UPDATE messages SET send_at = ?, updated_at = ? WHERE seq = ? AND tenant_id = ?",
        params![send_at, now, waiting.seq, tenant],
    )?;
    background::work_is_due();
    let updated = messages::find(db, tenant, None, id)?;
    events::emit(db, tenant, now, &[Event::new("message.updated", &updated)?])?;
    Ok(updated)
}

fn set_metadata(db: &Db<'_>, tenant: &str, waiting: &Waiting, metadata: &Metadata) -> Result<()> {
    if let Some(old) = &waiting.metadata {
        db.run(
            "DELETE FROM message_metadata WHERE tenant_id = ?1 AND message_seq = ?2
                AND (key, value) IN (SELECT pair.key, pair.value FROM json_each(?3) pair)",
            params![tenant, waiting.seq, old],
        )?;
    }
    let json = outgoing::metadata_json(metadata)?;
    db.run(
        "UPDATE messages SET metadata = ? WHERE seq = ? AND tenant_id = ?",
        params![json, waiting.seq, tenant],
    )?;
    Ok(db.run(
        "INSERT INTO message_metadata (tenant_id, key, value, message_seq)
         SELECT ?, pair.key, pair.value, ? FROM json_each(?) pair",
        params![tenant, waiting.seq, json],
    )?)
}

/// Cancels a message that still waits: it stays in the history as failed, with the reason.
pub fn cancel(db: &Db<'_>, caller: &Principal, id: &str) -> Result<()> {
    let tenant = caller.tenant.as_str();
    let waiting = waiting(db, caller, id)?;
    take_job(db, tenant, id, &waiting)?;
    db.run(
        "UPDATE messages SET deleted_at = ? WHERE seq = ? AND tenant_id = ?",
        params![Timestamp::now(), waiting.seq, tenant],
    )?;
    delivery::fail(db, tenant, id, "cancelled", "Cancelled before it was sent.")
}
