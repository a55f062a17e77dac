//! What people do with a conversation beyond writing: hand it over, close it, read it.

use super::details::{self, ConversationState};
use super::identity_id;
use crate::events::{self, Event};
use crate::jobs::{self, Kind};
use crate::users::profile;
use crate::visibility;
use common::auth::{Actor, Principal};
use common::db::{Db, Error as DbError, FromRow, Row};
use common::time::Timestamp;
use common::{Problem, Result, params};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whose the conversation is from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReassignConversationRequest {
    /// A member of the tenant; `null` takes the assignment away, an addition to the published contract.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required, example = "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S")]
    pub user_id: Option<String>,
}

/// How far the caller has read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MarkConversationReadRequest {
    /// The newest message that was seen.
    #[schema(example = "msg_01HV8Z2G8Z3H5M9K2S6A1N0P4K")]
    pub last_message_id: String,
}

/// A conversation in the caller's sight, as changes need it.
struct Subject {
    seq: i64,
    inbound_count: i64,
    /// The open session and whose it is.
    session: Option<i64>,
    assignee: Option<String>,
}

impl FromRow for Subject {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Subject {
            seq: row.take()?,
            inbound_count: row.take()?,
            session: row.take()?,
            assignee: row.take()?,
        })
    }
}

fn subject(db: &Db<'_>, caller: &Principal, id: &str) -> Result<Subject> {
    let sql = format!(
        "SELECT i.seq, i.inbound_count,
                (SELECT s.seq FROM sessions s WHERE s.identity_seq = i.seq AND s.closed_at IS NULL) AS session,
                i.assignee_id
           FROM identities i
          WHERE i.id = ?1 AND i.tenant_id = ?2 AND i.started_at IS NOT NULL
            AND (SELECT c.deleted_at FROM contacts c WHERE c.seq = i.contact_seq) IS NULL AND {}",
        visibility::visible(3)
    );
    db.row(&sql, params![identity_id(id)?, caller.tenant, visibility::viewer(caller)])?
        .ok_or_else(|| Problem::not_found("conversation", id))
}

impl Subject {
    /// The open session.
    fn session(&self, id: &str) -> Result<i64> {
        self.session.ok_or_else(|| {
            Problem::conflict(
                "conversation_not_open",
                format!("The conversation {id} is closed: it opens again with the next message."),
            )
        })
    }
}

/// `data` of the conversation events.
#[derive(Serialize)]
struct Data<'a> {
    conversation: &'a ConversationState,
}

/// Tells of a change of a conversation.
pub(crate) fn tell(db: &Db<'_>, tenant: &str, kind: &'static str, seq: i64, now: Timestamp) -> Result<()> {
    let conversation = details::state(db, tenant, seq, None)?;
    events::emit(db, tenant, now, &[Event::new(kind, &Data { conversation: &conversation })?])
}

/// Hands the open session to somebody, or to nobody. The same assignee again changes nothing.
pub fn reassign(
    db: &Db<'_>,
    caller: &Principal,
    id: &str,
    request: &ReassignConversationRequest,
) -> Result<()> {
    let subject = subject(db, caller, id)?;
    if let Some(user) = &request.user_id
        && !profile::is_member(db, &caller.tenant, user)?
    {
        return Err(Problem::invalid("userId", "must be the id of a user of this tenant"));
    }
    let session = subject.session(id)?;
    if subject.assignee == request.user_id {
        return Ok(());
    }
    db.run(
        "UPDATE sessions SET assignee_id = ? WHERE seq = ? AND tenant_id = ?",
        params![request.user_id, session, caller.tenant],
    )?;
    tell(db, &caller.tenant, "conversation.updated", subject.seq, Timestamp::now())
}

/// Closes the open session. A message that arrives later opens the next one.
pub fn close(db: &Db<'_>, caller: &Principal, id: &str) -> Result<ConversationState> {
    let subject = subject(db, caller, id)?;
    let session = subject.session(id)?;
    let now = Timestamp::now();
    db.run(
        "UPDATE sessions SET closed_at = ? WHERE seq = ? AND tenant_id = ?",
        params![now, session, caller.tenant],
    )?;
    tell(db, &caller.tenant, "conversation.closed", subject.seq, now)?;
    details::state(db, &caller.tenant, subject.seq, Some(caller.actor.id()))
}

/// Most messages after the one that was read which are looked at for the first arrival among them.
const LOOK_AHEAD: u32 = 500;

/// Marks everything up to a message as read for the caller. The marker never goes back. On WhatsApp the customer
/// sees it when a person was the reader.
pub fn mark_read(
    db: &Db<'_>,
    caller: &Principal,
    id: &str,
    request: &MarkConversationReadRequest,
) -> Result<ConversationState> {
    let subject = subject(db, caller, id)?;
    let read = read_count(db, caller, &subject, &request.last_message_id)?;
    let now = Timestamp::now();
    let moved = db.touches(
        "INSERT INTO read_markers (reader_id, identity_seq, tenant_id, read_count, updated_at) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (reader_id, identity_seq) DO UPDATE
                SET read_count = excluded.read_count, updated_at = excluded.updated_at
              WHERE excluded.read_count > read_count
         RETURNING 1",
        params![caller.actor.id(), subject.seq, caller.tenant, read, now],
    )?;
    if moved {
        tell(db, &caller.tenant, "conversation.updated", subject.seq, now)?;
        if matches!(caller.actor, Actor::User(_)) {
            tell_customer(db, &caller.tenant, subject.seq, &request.last_message_id, now)?;
        }
    }
    details::state(db, &caller.tenant, subject.seq, Some(caller.actor.id()))
}

/// Plans to tell a customer on WhatsApp that the latest of their messages up to this one was read.
fn tell_customer(db: &Db<'_>, tenant: &str, identity_seq: i64, message: &str, now: Timestamp) -> Result<()> {
    let latest = db.row::<(String,)>(
        "SELECT m.id FROM messages m
          WHERE m.identity_seq = ?1 AND m.tenant_id = ?2 AND m.direction = 'in' AND m.channel_message_id IS NOT NULL
            AND (m.created_at, m.seq) <= (SELECT n.created_at, n.seq FROM messages n WHERE n.id = ?3)
            AND (SELECT i.channel FROM identities i WHERE i.seq = m.identity_seq) = 'whatsapp'
          ORDER BY m.created_at DESC, m.seq DESC LIMIT 1",
        params![identity_seq, tenant, message],
    )?;
    match latest {
        Some((message,)) => jobs::add(db, tenant, Kind::MarkRead, None, &message, now),
        None => Ok(()),
    }
}

/// How many of the customer's messages, in the order of arrival, are read with this one. People read in the order
/// of the history, which sorts by the provider's times: all that arrived before the first message that is shown
/// after this one is read, and no message shown after it is.
fn read_count(db: &Db<'_>, caller: &Principal, subject: &Subject, message: &str) -> Result<i64> {
    let found = db.row::<(i64, i64)>(
        "SELECT m.created_at, m.seq FROM messages m WHERE m.id = ? AND m.tenant_id = ? AND m.identity_seq = ?",
        params![message, caller.tenant, subject.seq],
    )?;
    let (created_at, seq) =
        found.ok_or_else(|| Problem::invalid("lastMessageId", "must be a message of this conversation"))?;
    let unread = db.row::<(i64,)>(
        "SELECT count(*) FROM messages m
          WHERE m.identity_seq = ?1 AND m.direction = 'in' AND m.seq >= (
            SELECT min(n.seq) FROM (
              SELECT n.seq FROM messages n
               WHERE n.identity_seq = ?1 AND n.direction = 'in' AND (n.created_at, n.seq) > (?2, ?3)
               ORDER BY n.created_at, n.seq LIMIT ?4) n)",
        params![subject.seq, created_at, seq, LOOK_AHEAD],
    )?;
    Ok(subject.inbound_count.saturating_sub(unread.map_or(0, |(count,)| count)))
}
