//! Callbacks of providers: stored as they came, answered, then worked off by a job.

use crate::jobs;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::time::Timestamp;
use common::{Result, params};

/// The jobs of callbacks belong to no tenant until they are read.
pub const OWNER: &str = "callbacks";
/// Longest note on what was left aside, in characters.
const NOTE_CHARS: usize = 2000;

/// A request of a provider whose signature was checked.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// `whatsapp`, `messenger`, `instagram`, `twilio` or `gateway`.
    pub channel: &'a str,
    pub body: &'a [u8],
    /// The inbox that the URL named: `ibx_…`.
    pub inbox_id: Option<&'a str>,
    pub purpose: Purpose,
    pub query: Option<&'a str>,
    pub content_type: Option<&'a str>,
}

/// What a callback is about, where its URL says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Anything: the body says what.
    Events,
    /// Messages of customers.
    Inbound,
    /// How far messages of ours have come.
    Status,
}

impl Purpose {
    pub const fn as_str(self) -> &'static str {
        match self {
            Purpose::Events => "events",
            Purpose::Inbound => "inbound",
            Purpose::Status => "status",
        }
    }
}

/// A stored callback.
#[derive(Clone, Debug)]
pub struct Callback {
    pub channel: String,
    pub body: Vec<u8>,
    pub received_at: Timestamp,
    pub inbox_id: Option<String>,
    pub purpose: Purpose,
    pub query: Option<String>,
    pub content_type: Option<String>,
}

impl FromRow for Callback {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Callback {
            channel: row.take()?,
            body: row.take()?,
            received_at: row.take()?,
            inbox_id: row.take()?,
            purpose: match row.take::<String>()?.as_str() {
                "inbound" => Purpose::Inbound,
                "status" => Purpose::Status,
                _ => Purpose::Events,
            },
            query: row.take()?,
            content_type: row.take()?,
        })
    }
}

/// Stores a callback with the job that works it off.
pub fn store(db: &Db<'_>, received: &Received<'_>) -> Result<()> {
    let now = Timestamp::now();
    let made = db.row::<(i64,)>(
        "INSERT INTO callbacks (channel, body, received_at, inbox_id, purpose, query, content_type)
         VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING seq",
        params![
            received.channel,
            received.body,
            now,
            received.inbox_id,
            received.purpose.as_str(),
            received.query,
            received.content_type
        ],
    )?;
    let subject = made.map(|(seq,)| seq.to_string()).unwrap_or_default();
    jobs::add(db, OWNER, jobs::Kind::ProcessCallback, None, &subject, now)
}

/// The row behind a job's subject.
pub fn seq(subject: &str) -> i64 {
    subject.parse().unwrap_or_default()
}

/// A stored callback.
pub fn load(db: &Db<'_>, subject: &str) -> Result<Option<Callback>> {
    Ok(db.row(
        "SELECT channel, body, received_at, inbox_id, purpose, query, content_type FROM callbacks WHERE seq = ?",
        params![seq(subject)],
    )?)
}

/// Notes that a callback was worked off, and what of it was left aside.
pub fn processed(db: &Db<'_>, subject: &str, note: Option<&str>) -> Result<()> {
    let note: Option<String> = note.map(|note| note.chars().take(NOTE_CHARS).collect());
    Ok(db.run(
        "UPDATE callbacks SET processed_at = ?, note = ? WHERE seq = ?",
        params![Timestamp::now(), note, seq(subject)],
    )?)
}

/// Forgets the bytes of a callback that was worked off: a message in it was taken back.
pub fn clear(db: &Db<'_>, seq: i64) -> Result<()> {
    Ok(db.run(
        "UPDATE callbacks SET body = x'', note = 'cleared: a message in it was taken back'
          WHERE seq = ? AND processed_at IS NOT NULL",
        params![seq],
    )?)
}

/// Deletes callbacks received before `before`, at most `limit`; answers how many.
pub fn forget(db: &Db<'_>, before: Timestamp, limit: u32) -> Result<usize> {
    let gone = db.rows::<(i64,)>(
        "DELETE FROM callbacks WHERE seq IN
           (SELECT seq FROM callbacks WHERE received_at < ? AND processed_at IS NOT NULL LIMIT ?) RETURNING 1",
        params![before, limit],
    )?;
    Ok(gone.len())
}
