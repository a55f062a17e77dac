//! Conversations: the thread of one identity, with its sessions and its messaging window
//! (contract section 5). The row is the identity's; the public id is `cnv_` + the ULID of `idn_`.
//!
//! Lists are in [`list`], one conversation with its context in [`details`], what people do with one in [`changes`],
//! whether one may write in [`sendability`].

pub mod changes;
pub mod details;
pub mod list;
pub mod sendability;

pub use sendability::{Actor, WINDOW, needs_human_agent_tag, window};

use common::db::{Db, Error as DbError, FromRow, Row};
use common::id::{self, Kind};
use common::time::Timestamp;
use common::{Problem, Result, params};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

/// Longest preview of the last message, in characters.
const PREVIEW_CHARS: usize = 120;

/// The thread with one customer on one channel.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Conversation {
    #[schema(example = "cnv_01HV8Y7YF5J4Y7M9M7T3H3X2A1")]
    pub id: String,
    #[schema(example = "whatsapp")]
    pub channel: String,
    /// WhatsApp: the phone number as digits.
    #[schema(example = "48123456789")]
    pub external_id: String,
    /// The inbox of the latest session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inbox_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub contact_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_name: Option<String>,
    pub last_message_at: Timestamp,
    pub last_message_preview: String,
    /// `customer`, `user`, `journey` or `bot`.
    #[schema(example = "user")]
    pub last_message_sender: String,
}

/// Columns of a conversation, from `identities i`. Subqueries instead of joins: SQLite prepares a join anew
/// for each binding.
pub(crate) const COLUMNS: &str = "i.id, i.channel, i.address,
    (SELECT b.id FROM inboxes b WHERE b.seq = i.last_inbox_seq) AS inbox,
    (SELECT c.id FROM contacts c WHERE c.seq = i.contact_seq) AS contact,
    (SELECT c.name FROM contacts c WHERE c.seq = i.contact_seq) AS name,
    coalesce(i.last_message_at, i.created_at) AS last_at, coalesce(i.last_message_text, '') AS preview,
    coalesce(i.last_message_sender, 'user') AS sender";

impl FromRow for Conversation {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        let identity: String = row.take()?;
        let (channel, external_id, inbox_id, contact_id) =
            (row.take()?, row.take()?, row.take()?, row.take()?);
        let name: Option<String> = row.take()?;
        Ok(Conversation {
            id: id_of(&identity),
            channel,
            external_id,
            inbox_id,
            contact_id,
            contact_name: name.clone(),
            name,
            last_message_at: row.take()?,
            last_message_preview: row.take()?,
            last_message_sender: row.take()?,
        })
    }
}

/// The public id of an identity's conversation.
pub(crate) fn id_of(identity: &str) -> String {
    id::reprefix(identity, Kind::Identity, Kind::Conversation).unwrap_or_else(|| identity.to_string())
}

/// What a list of conversations shows of a message.
pub(crate) fn preview(text: &str) -> String {
    text.chars().take(PREVIEW_CHARS).collect()
}

/// The identity's id behind a conversation's id; the latter alone is known outside.
pub(crate) fn identity_id(conversation: &str) -> Result<String> {
    id::reprefix(conversation, Kind::Conversation, Kind::Identity)
        .ok_or_else(|| Problem::not_found("conversation", conversation))
}

/// The `seq` of a conversation that has begun.
pub fn seq(db: &Db<'_>, tenant: &str, conversation: &str) -> Result<i64> {
    let found = db.row::<(i64,)>(
        "SELECT i.seq FROM identities i WHERE i.id = ? AND i.tenant_id = ? AND i.started_at IS NOT NULL
            AND (SELECT c.deleted_at FROM contacts c WHERE c.seq = i.contact_seq) IS NULL",
        params![identity_id(conversation)?, tenant],
    )?;
    found.map(|(seq,)| seq).ok_or_else(|| Problem::not_found("conversation", conversation))
}

/// `None` when its contact was deleted.
pub(crate) fn by_seq(db: &Db<'_>, tenant: &str, seq: i64) -> Result<Option<Conversation>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM identities i WHERE i.seq = ? AND i.tenant_id = ?
            AND (SELECT c.deleted_at FROM contacts c WHERE c.seq = i.contact_seq) IS NULL"
    );
    Ok(db.row(&sql, params![seq, tenant])?)
}

/// Several conversations by their `seq`; those that are absent or whose contact was deleted are left out.
pub(crate) fn by_seqs(
    db: &Db<'_>,
    tenant: &str,
    seqs: &BTreeSet<i64>,
) -> Result<BTreeMap<i64, Conversation>> {
    if seqs.is_empty() {
        return Ok(BTreeMap::new());
    }
    let wanted = serde_json::to_string(seqs).map_err(|error| Problem::internal(error.to_string()))?;
    let sql = format!(
        "SELECT i.seq, {COLUMNS} FROM identities i
          WHERE i.seq IN (SELECT value FROM json_each(?)) AND i.tenant_id = ?
            AND (SELECT c.deleted_at FROM contacts c WHERE c.seq = i.contact_seq) IS NULL"
    );
    let found: Vec<Numbered> = db.rows(&sql, params![wanted, tenant])?;
    Ok(found.into_iter().map(|found| (found.seq, found.conversation)).collect())
}

struct Numbered {
    seq: i64,
    conversation: Conversation,
}

impl FromRow for Numbered {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Numbered { seq: row.take()?, conversation: Conversation::from_row(row)? })
    }
}

/// An open session, or a new one with the tenant's next number; `true` when it is new.
pub(crate) fn open_session(
    db: &Db<'_>,
    tenant: &str,
    identity_seq: i64,
    inbox_seq: i64,
    now: Timestamp,
) -> Result<(i64, String, bool)> {
    let open = db.row::<(i64, String)>(
        "SELECT seq, id FROM sessions WHERE identity_seq = ? AND tenant_id = ? AND closed_at IS NULL",
        params![identity_seq, tenant],
    )?;
    if let Some((seq, id)) = open {
        return Ok((seq, id, false));
    }
    let number = db.row::<(i64,)>(
        "UPDATE tenants SET last_session = last_session + 1 WHERE id = ? RETURNING last_session",
        params![tenant],
    )?;
    let id = id::new(Kind::Session);
    let made = db.row::<(i64,)>(
        "INSERT INTO sessions (id, tenant_id, number, identity_seq, inbox_seq, team_id, opened_at)
         SELECT ?, ?, ?, ?, seq, team_id, ? FROM inboxes WHERE seq = ? RETURNING seq",
        params![id, tenant, number.map(|(number,)| number), identity_seq, now, inbox_seq],
    )?;
    let (seq,) = made.ok_or_else(|| Problem::internal("a session's inbox is missing"))?;
    Ok((seq, id, true))
}

/// What a message looks like in a list of conversations.
#[derive(Debug)]
pub(crate) struct LastMessage<'a> {
    pub at: Timestamp,
    pub preview: &'a str,
    pub sender: &'static str,
}

/// Notes the latest message; an older one that arrives late changes nothing but the start.
pub(crate) fn note_message(
    db: &Db<'_>,
    identity_seq: i64,
    inbox_seq: i64,
    last: &LastMessage<'_>,
) -> Result<()> {
    Ok(db.run(
        "UPDATE identities SET started_at = coalesce(started_at, ?1), last_inbox_seq = ?2,
                last_message_at = ?1, last_message_text = ?3, last_message_sender = ?4
          WHERE seq = ?5 AND coalesce(last_message_at, 0) <= ?1",
        params![last.at, inbox_seq, preview(last.preview), last.sender, identity_seq],
    )?)
}
