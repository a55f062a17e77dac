//! What a customer does to messages that are there: edits, deletions, reactions.
//!
//! All of them can come before the message they are about, since callbacks overtake each other: then the answer
//! is [`Change::Unknown`], and the caller tries again later.

use crate::callbacks;
use crate::delivery::emit_updated;
use crate::inboxes::Address;
use crate::media;
use crate::messages::MessageContent;
use crate::reactions;
use common::db::Db;
use common::time::Timestamp;
use common::{Problem, Result, params};

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Applied,
    /// It was applied before, or a later one was.
    Late,
    /// The message is not there, at least not yet.
    Unknown,
}

/// Replaces what a message says; a later edit wins over an earlier one. Words for a file change its caption.
pub fn edit(
    db: &Db<'_>,
    inbox: &Address,
    provider_id: &str,
    content: &MessageContent,
    at: Timestamp,
) -> Result<Change> {
    let tenant = inbox.tenant.as_str();
    let found = db.row::<(i64, String, String, Option<Timestamp>, bool)>(
        "SELECT seq, id, content, edited_at, deleted_at IS NOT NULL FROM messages
          WHERE inbox_seq = ? AND channel_message_id = ? AND tenant_id = ?",
        params![inbox.seq, provider_id, tenant],
    )?;
    let Some((seq, message, before, edited_at, deleted)) = found else { return Ok(Change::Unknown) };
    if deleted || edited_at.is_some_and(|last| last >= at) {
        return Ok(Change::Late);
    }
    let before: MessageContent =
        serde_json::from_str(&before).map_err(|error| Problem::internal(format!("{message}: {error}")))?;
    let content = edited(before, content);
    let now = Timestamp::now();
    db.run(
        "UPDATE messages SET content = ?, edited_at = ?, updated_at = ? WHERE seq = ? AND tenant_id = ?",
        params![content.to_json()?, at, now, seq, tenant],
    )?;
    set_preview(db, tenant, seq, content.preview())?;
    emit_updated(db, tenant, &message, now)?;
    Ok(Change::Applied)
}

/// A file stays the file it is: what an edit can change of it is its caption.
fn edited(before: MessageContent, edit: &MessageContent) -> MessageContent {
    match (before, edit) {
        (MessageContent::Media { mut media }, MessageContent::Text { text }) => {
            media.caption = Some(text.body.clone());
            MessageContent::Media { media }
        }
        (MessageContent::Media { mut media }, MessageContent::Media { media: edit }) => {
            media.caption.clone_from(&edit.caption);
            MessageContent::Media { media }
        }
        (_, edit) => edit.clone(),
    }
}

/// Forgets what a message said, its files and the stored bytes it came in: its sender took it back.
pub fn delete(db: &Db<'_>, inbox: &Address, provider_id: &str, at: Timestamp) -> Result<Change> {
    let tenant = inbox.tenant.as_str();
    // `#` comes right before `$`: the range holds the other parts of a message with several files.
    let parts = db.rows::<(i64, String, String, bool, Option<i64>)>(
        "SELECT seq, id, coalesce(content ->> '$.media.mediaId', ''), deleted_at IS NOT NULL, callback_seq FROM messages
          WHERE inbox_seq = ?1 AND tenant_id = ?3
            AND (channel_message_id = ?2 OR (channel_message_id > ?2 || '#' AND channel_message_id < ?2 || '$'))",
        params![inbox.seq, provider_id, tenant],
    )?;
    if parts.is_empty() {
        return Ok(Change::Unknown);
    }
    let mut change = Change::Late;
    for (seq, message, file, was_deleted, callback_seq) in parts {
        if was_deleted {
            continue;
        }
        change = Change::Applied;
        let now = Timestamp::now();
        let content = MessageContent::Deleted {};
        db.run(
            "UPDATE messages SET content = ?, deleted_at = ?, updated_at = ?, metadata = NULL
              WHERE seq = ? AND tenant_id = ?",
            params![content.to_json()?, at, now, seq, tenant],
        )?;
        db.run("DELETE FROM message_metadata WHERE message_seq = ? AND tenant_id = ?", params![seq, tenant])?;
        if !file.is_empty() {
            // The bytes follow their row.
            media::remove(db, tenant, &file)?;
        }
        if let Some(callback_seq) = callback_seq {
            callbacks::clear(db, callback_seq)?;
        }
        set_preview(db, tenant, seq, content.preview())?;
        emit_updated(db, tenant, &message, now)?;
    }
    Ok(change)
}

/// Puts an emoji of the customer on a message of either side, or takes it off (`None`).
pub fn react(
    db: &Db<'_>,
    inbox: &Address,
    provider_id: &str,
    emoji: Option<&str>,
    at: Timestamp,
) -> Result<Change> {
    let tenant = inbox.tenant.as_str();
    // Whoever reacts in a thread of two is the customer of it.
    let found = db.row::<(i64, String, i64, String)>(
        "SELECT m.seq, m.id, m.identity_seq,
                (SELECT c.id FROM contacts c
                  WHERE c.seq = (SELECT i.contact_seq FROM identities i WHERE i.seq = m.identity_seq))
           FROM messages m WHERE m.inbox_seq = ? AND m.channel_message_id = ? AND m.tenant_id = ?",
        params![inbox.seq, provider_id, tenant],
    )?;
    let Some((seq, message, identity_seq, contact)) = found else { return Ok(Change::Unknown) };
    let is_new = db.touches(
        "INSERT OR IGNORE INTO reaction_events (message_seq, identity_seq, at, emoji) VALUES (?, ?, ?, ?) RETURNING 1",
        params![seq, identity_seq, at, emoji.unwrap_or_default()],
    )?;
    let is_late = db.touches(
        "SELECT 1 FROM reaction_events WHERE message_seq = ? AND identity_seq = ? AND at > ? LIMIT 1",
        params![seq, identity_seq, at],
    )?;
    if !is_new || is_late {
        return Ok(Change::Late);
    }
    reactions::put(db, tenant, seq, ("customer", &contact), emoji, at)?;
    emit_updated(db, tenant, &message, Timestamp::now())?;
    Ok(Change::Applied)
}

/// Lists of conversations show the new words, if the message is the last one.
fn set_preview(db: &Db<'_>, tenant: &str, message_seq: i64, preview: &str) -> Result<()> {
    Ok(db.run(
        "UPDATE identities SET last_message_text = ?1
          WHERE tenant_id = ?2 AND seq = (SELECT identity_seq FROM messages WHERE seq = ?3)
            AND last_message_at = (SELECT created_at FROM messages WHERE seq = ?3)
            AND ?3 = (SELECT max(m.seq) FROM messages m
                       WHERE m.identity_seq = identities.seq AND m.created_at = identities.last_message_at)",
        params![crate::conversations::preview(preview), tenant, message_seq],
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{MediaContent, TextContent};

    #[test]
    fn an_edit_of_a_file_changes_its_caption_only() {
        let file = |caption: Option<&str>, id: Option<&str>| MessageContent::Media {
            media: MediaContent {
                caption: caption.map(str::to_string),
                media_id: id.map(str::to_string),
                ..MediaContent::default()
            },
        };
        let text = |body: &str| MessageContent::Text { text: TextContent { body: body.into() } };
        let before = file(Some("old"), Some("mda_1"));
        assert_eq!(edited(before.clone(), &text("new")), file(Some("new"), Some("mda_1")));
        assert_eq!(edited(before.clone(), &file(Some("new"), None)), file(Some("new"), Some("mda_1")));
        assert_eq!(edited(before, &file(None, None)), file(None, Some("mda_1")));
        assert_eq!(edited(text("old"), &text("new")), text("new"));
    }
}
