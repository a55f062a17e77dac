//! Echoes: a provider tells of what our side wrote. Whether it is a message that we have is asked here.

use super::person::{self, Sender};
use crate::inboxes::Address;
use crate::messages::MessageContent;
use common::db::Db;
use common::time::Timestamp;
use common::{Result, params};

/// Most messages on their way to one person that an echo is compared with.
const OPEN_MAX: u32 = 20;

/// A message of ours whose provider's id is not known.
#[derive(Clone, Debug)]
pub struct Open {
    /// `msg_…`
    pub message: String,
    pub content: MessageContent,
    /// Its answer was lost.
    pub is_unknown: bool,
}

/// The message of this inbox that an echo names by our own id.
pub fn by_reference(db: &Db<'_>, inbox: &Address, reference: Option<&str>) -> Result<Option<String>> {
    let Some(reference) = reference else { return Ok(None) };
    let found = db.row::<(String,)>(
        "SELECT id FROM messages WHERE id = ? AND tenant_id = ? AND inbox_seq = ? AND direction = 'out'",
        params![reference, inbox.tenant, inbox.seq],
    )?;
    Ok(found.map(|(id,)| id))
}

/// Messages to a person that are on their way, oldest first: an echo may be of one of them.
pub fn waiting(db: &Db<'_>, inbox: &Address, sender: &Sender) -> Result<Vec<Open>> {
    let Some(identity_seq) = person::find(db, inbox, sender)? else { return Ok(Vec::new()) };
    let rows = db.rows::<(String, String, bool)>(
        "SELECT id, content, outcome_unknown_at IS NOT NULL FROM messages
          WHERE identity_seq = ? AND tenant_id = ? AND inbox_seq = ? AND direction = 'out' AND status = 0
            AND channel_message_id IS NULL AND deleted_at IS NULL AND coalesce(send_at, 0) <= ?
          ORDER BY created_at DESC, seq DESC LIMIT ?",
        params![identity_seq, inbox.tenant, inbox.seq, Timestamp::now(), OPEN_MAX],
    )?;
    let open = rows.into_iter().rev().filter_map(|(message, content, is_unknown)| {
        let content = serde_json::from_str(&content).ok()?;
        Some(Open { message, content, is_unknown })
    });
    Ok(open.collect())
}
