//! What a customer hears of live: the public side of the feed ([`crate::updates`]), of their own conversation only.

use super::texts::{self, Files};
use super::{LiveChat, Visitor, threads};
use crate::updates::{self, Kind};
use common::db::Db;
use common::{Problem, Result, params};
use serde::Serialize;

/// Rows looked through at a time.
const WINDOW: i64 = 5_000;

/// What happened to a visitor's conversation. What happened to a message while it was scheduled is left out, however
/// much later it went out.
const ROWS: &str = "SELECT u.seq, u.kind, u.message_seq FROM updates u
     WHERE u.seq > ?1 AND u.seq <= ?2 AND u.tenant_id = ?3 AND u.identity_seq = ?4
       AND NOT EXISTS (SELECT 1 FROM updates r
                        WHERE r.message_seq = u.message_seq AND r.kind = 'message.released' AND r.seq > u.seq)
       AND u.kind IN ('message.created', 'message.updated', 'message.released', 'conversation.started', 'conversation.closed')
     ORDER BY u.seq LIMIT ?5";

/// One event, ready to be told.
#[derive(Debug)]
pub struct Told {
    /// Of the feed's row.
    pub seq: i64,
    /// `message.created`, `message.updated`, `conversation.started` or `conversation.closed`.
    pub name: String,
    /// One line of JSON.
    pub data: String,
}

/// A piece of the feed.
#[derive(Debug)]
pub struct Piece {
    pub told: Vec<Told>,
    /// Everything up to here has been read.
    pub upto: i64,
    /// Whether that was all there is.
    pub complete: bool,
}

/// A conversation, as short as a customer needs it to follow its state.
#[derive(Serialize)]
struct State {
    id: i64,
    status: &'static str,
}

/// What happened to a visitor's conversation after a row, at most `limit` rows. Drafts, schedules, failures and
/// assignments are ours and are not told.
pub fn after(
    db: &Db<'_>,
    chat: &LiveChat,
    visitor: &Visitor,
    files: &Files,
    after: i64,
    limit: u32,
) -> Result<Piece> {
    let newest = updates::newest(db)?;
    let end = newest.min(after.saturating_add(WINDOW));
    let rows = db.rows::<(i64, String, Option<i64>)>(
        ROWS,
        params![after, end, chat.tenant(), visitor.identity_seq, limit],
    )?;
    let is_full = rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    let upto = if is_full { rows.last().map_or(end, |(seq, ..)| *seq) } else { end.max(after) };
    let mut told = Vec::with_capacity(rows.len());
    for (seq, name, message) in rows {
        let is_release = name == Kind::MessageReleased.name();
        let name = if is_release { Kind::MessageCreated.name().to_string() } else { name };
        let data = match message {
            Some(message) => message_line(db, chat, visitor, message, files)?,
            None => state_line(db, chat, visitor)?,
        };
        told.extend(data.map(|data| Told { seq, name, data }));
    }
    Ok(Piece { told, upto, complete: upto >= newest })
}

fn message_line(
    db: &Db<'_>,
    chat: &LiveChat,
    visitor: &Visitor,
    message: i64,
    files: &Files,
) -> Result<Option<String>> {
    let session = db.row::<(i64,)>(
        "SELECT session_seq FROM messages WHERE seq = ? AND identity_seq = ? AND tenant_id = ?",
        params![message, visitor.identity_seq, chat.tenant()],
    )?;
    let Some((session,)) = session else { return Ok(None) };
    let session = threads::by_seq(db, chat, session)?;
    let shown = texts::one(db, chat, &session, message, files)?;
    shown.map(|message| line(&message)).transpose()
}

fn state_line(db: &Db<'_>, chat: &LiveChat, visitor: &Visitor) -> Result<Option<String>> {
    let latest = db.row::<(i64, bool)>(
        "SELECT number, closed_at IS NULL AS is_open FROM sessions
          WHERE identity_seq = ? AND tenant_id = ? ORDER BY seq DESC LIMIT 1",
        params![visitor.identity_seq, chat.tenant()],
    )?;
    latest
        .map(|(id, is_open)| line(&State { id, status: if is_open { "open" } else { "resolved" } }))
        .transpose()
}

fn line(value: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string(value).map_err(|error| Problem::internal(format!("update: {error}")))?;
    Ok(text.replace(['\n', '\r'], " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_to_a_scheduled_message_is_left_out_also_across_pieces() {
        let db = crate::tests::schema();
        let rows = |after: i64, limit: i64| -> Vec<(i64, String)> {
            let mut statement = db.prepare(ROWS).unwrap();
            let found = statement
                .query_map((after, 100, "tn_1", 1, limit), |row| Ok((row.get(0)?, row.get(1)?)))
                .unwrap();
            found.collect::<rusqlite::Result<_>>().unwrap()
        };
        for (kind, message) in [
            ("message.created", 1),
            ("message.created", 2),
            ("message.updated", 1),
            ("message.updated", 2),
            ("message.released", 1),
            ("message.updated", 1),
        ] {
            db.execute(
                "INSERT INTO updates (tenant_id, kind, identity_seq, message_seq) VALUES ('tn_1', ?, 1, ?)",
                (kind, message),
            )
            .unwrap();
        }
        let told =
            [(2, "message.created"), (4, "message.updated"), (5, "message.released"), (6, "message.updated")];
        let told = told.map(|(seq, kind)| (seq, kind.to_string()));
        assert_eq!(rows(0, 100), told);
        let mut piecewise = Vec::new();
        while let [row] = rows(piecewise.last().map_or(0, |(seq, _)| *seq), 1).as_slice() {
            piecewise.push(row.clone());
        }
        assert_eq!(piecewise, told);
    }
}
