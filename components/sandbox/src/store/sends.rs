//! Messages that the sandbox accepted.

use crate::provider::Provider;
use common::db::{Db, Error, FromRow, Row};
use common::time::Timestamp;
use common::{Result, params};

/// A message that the sandbox accepted.
#[derive(Clone, Debug)]
pub struct Send {
    pub id: String,
    pub account: String,
    pub recipient: String,
    pub kind: String,
    /// The request's JSON, or a form's fields as JSON.
    pub body: String,
    pub reference: Option<String>,
    pub received_at: Timestamp,
    /// Twilio: the message's resource, JSON.
    pub resource: Option<String>,
}

impl FromRow for Send {
    fn from_row(row: &mut Row) -> Result<Self, Error> {
        Ok(Send {
            id: row.take()?,
            account: row.take()?,
            recipient: row.take()?,
            kind: row.take()?,
            body: row.take()?,
            reference: row.take()?,
            received_at: row.take()?,
            resource: row.take()?,
        })
    }
}

const COLUMNS: &str = "id, account, recipient, kind, body, reference, received_at, resource";

pub fn add(db: &Db<'_>, provider: Provider, send: &Send) -> Result<()> {
    Ok(db.run(
        "INSERT INTO sandbox_sends (id, provider, account, recipient, kind, body, reference, received_at, resource)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            send.id,
            provider.as_str(),
            send.account,
            send.recipient,
            send.kind,
            send.body,
            send.reference,
            send.received_at,
            send.resource
        ],
    )?)
}

/// What an account sent, newest first.
pub fn of_account(db: &Db<'_>, provider: Provider, account: &str, limit: u32) -> Result<Vec<Send>> {
    Ok(db.rows(
        &format!(
            "SELECT {COLUMNS} FROM sandbox_sends WHERE provider = ? AND account = ? ORDER BY seq DESC LIMIT ?"
        ),
        params![provider.as_str(), account, limit],
    )?)
}

/// One of them.
pub fn find(db: &Db<'_>, provider: Provider, id: &str) -> Result<Option<Send>> {
    Ok(db.row(
        &format!("SELECT {COLUMNS} FROM sandbox_sends WHERE provider = ? AND id = ?"),
        params![provider.as_str(), id],
    )?)
}

/// How many messages an account sent since a time, to one person or to all.
pub fn count_since(
    db: &Db<'_>,
    provider: Provider,
    account: &str,
    person: Option<&str>,
    since: Timestamp,
) -> Result<i64> {
    let found: Option<(i64,)> = match person {
        Some(person) => db.row(
            "SELECT count(*) FROM sandbox_sends
              WHERE provider = ? AND account = ? AND recipient = ? AND received_at > ? AND charged",
            params![provider.as_str(), account, person, since],
        )?,
        None => db.row(
            "SELECT count(*) FROM sandbox_sends
              WHERE provider = ? AND account = ? AND received_at > ? AND charged",
            params![provider.as_str(), account, since],
        )?,
    };
    Ok(found.map_or(0, |(count,)| count))
}

/// Twilio: a message's resource changed.
pub fn set_resource(db: &Db<'_>, id: &str, resource: &str) -> Result<()> {
    Ok(db.run("UPDATE sandbox_sends SET resource = ? WHERE id = ?", params![resource, id])?)
}

/// Forgets at most `limit` rows of each kind from before a time.
pub fn forget(db: &Db<'_>, before: Timestamp, now: Timestamp, limit: u32) -> Result<()> {
    db.run(
        "DELETE FROM sandbox_sends
          WHERE seq IN (SELECT seq FROM sandbox_sends WHERE received_at < ? ORDER BY received_at LIMIT ?)",
        params![before, limit],
    )?;
    db.run(
        "DELETE FROM sandbox_calls WHERE seq IN (SELECT seq FROM sandbox_calls WHERE at < ? ORDER BY at LIMIT ?)",
        params![before, limit],
    )?;
    db.run(
        "DELETE FROM sandbox_attempts
          WHERE seq IN (SELECT seq FROM sandbox_attempts WHERE at < ? ORDER BY at LIMIT ?)",
        params![before, limit],
    )?;
    db.run(
        "DELETE FROM sandbox_received WHERE (provider, id) IN
           (SELECT provider, id FROM sandbox_received WHERE received_at < ? ORDER BY received_at LIMIT ?)",
        params![before, limit],
    )?;
    super::media::forget(db, now)
}
