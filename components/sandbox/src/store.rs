//! The sandbox's tables (migration 0002). Every function runs inside the caller's transaction.

use common::db::{Db, Error, FromRow, Row};
use common::time::Timestamp;
use common::{Problem, Result, params};
use serde::Serialize;

/// How a number's callbacks behave.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Modes {
    pub duplicate: bool,
    pub shuffle: bool,
    pub callback_before_response: bool,
}

/// What decides on a message from a number to a person.
#[derive(Clone, Debug)]
pub struct Context {
    /// The person's name, where they have written.
    pub name: Option<String>,
    pub last_inbound_at: Option<Timestamp>,
    /// How often this person's sends were refused in a row.
    pub refusals: i64,
    pub modes: Modes,
}

impl FromRow for Context {
    fn from_row(row: &mut Row) -> Result<Self, Error> {
        Ok(Context {
            name: row.take()?,
            last_inbound_at: row.take()?,
            refusals: row.take::<Option<i64>>()?.unwrap_or(0),
            modes: Modes {
                duplicate: row.take::<Option<bool>>()?.unwrap_or(false),
                shuffle: row.take::<Option<bool>>()?.unwrap_or(false),
                callback_before_response: row.take::<Option<bool>>()?.unwrap_or(false),
            },
        })
    }
}

/// Reads the context; numbers and persons never heard of have an empty one.
pub fn context(db: &Db<'_>, phone_number_id: &str, person: &str) -> Result<Context> {
    let found = db.row(
        "SELECT p.name, p.last_inbound_at, p.refusals, m.duplicate, m.shuffle, m.callback_before_response
           FROM (SELECT 1)
           LEFT JOIN sandbox_people p ON p.phone_number_id = ?1 AND p.person = ?2
           LEFT JOIN sandbox_modes m ON m.phone_number_id = ?1",
        params![phone_number_id, person],
    )?;
    found.ok_or_else(|| Problem::internal("a SELECT without a condition gave no row"))
}

/// Notes how often a person's sends were refused in a row.
pub fn set_refusals(db: &Db<'_>, phone_number_id: &str, person: &str, refusals: i64) -> Result<()> {
    Ok(db.run(
        "INSERT INTO sandbox_people (phone_number_id, person, refusals) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET refusals = ?3",
        params![phone_number_id, person, refusals],
    )?)
}

/// A customer wrote: opens the window and takes over the name. An older message closes nothing.
pub fn customer_wrote(
    db: &Db<'_>,
    phone_number_id: &str,
    person: &str,
    name: Option<&str>,
    at: Timestamp,
) -> Result<()> {
    Ok(db.run(
        "INSERT INTO sandbox_people (phone_number_id, person, name, last_inbound_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET name = coalesce(?3, name), last_inbound_at = max(coalesce(last_inbound_at, 0), ?4)",
        params![phone_number_id, person, name, at],
    )?)
}

/// Replaces a number's modes.
pub fn set_modes(db: &Db<'_>, phone_number_id: &str, modes: Modes) -> Result<()> {
    Ok(db.run(
        "INSERT OR REPLACE INTO sandbox_modes (phone_number_id, duplicate, shuffle, callback_before_response)
         VALUES (?, ?, ?, ?)",
        params![phone_number_id, modes.duplicate, modes.shuffle, modes.callback_before_response],
    )?)
}

/// A message that the sandbox accepted.
#[derive(Clone, Debug)]
pub struct Send {
    pub id: String,
    pub recipient: String,
    pub kind: String,
    /// The request's JSON.
    pub body: String,
    pub reference: Option<String>,
    pub received_at: Timestamp,
}

impl FromRow for Send {
    fn from_row(row: &mut Row) -> Result<Self, Error> {
        Ok(Send {
            id: row.take()?,
            recipient: row.take()?,
            kind: row.take()?,
            body: row.take()?,
            reference: row.take()?,
            received_at: row.take()?,
        })
    }
}

pub fn add_send(db: &Db<'_>, phone_number_id: &str, send: &Send) -> Result<()> {
    Ok(db.run(
        "INSERT INTO sandbox_sends (id, phone_number_id, recipient, kind, body, reference, received_at)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
        params![
            send.id,
            phone_number_id,
            send.recipient,
            send.kind,
            send.body,
            send.reference,
            send.received_at
        ],
    )?)
}

/// What a number sent, newest first.
pub fn sends(db: &Db<'_>, phone_number_id: &str, limit: u32) -> Result<Vec<Send>> {
    Ok(db.rows(
        "SELECT id, recipient, kind, body, reference, received_at FROM sandbox_sends
          WHERE phone_number_id = ? ORDER BY seq DESC LIMIT ?",
        params![phone_number_id, limit],
    )?)
}

/// Forgets at most `limit` of the messages accepted before a time.
pub fn forget_sends(db: &Db<'_>, before: Timestamp, limit: u32) -> Result<()> {
    Ok(db.run(
        "DELETE FROM sandbox_sends
          WHERE seq IN (SELECT seq FROM sandbox_sends WHERE received_at < ? ORDER BY received_at LIMIT ?)",
        params![before, limit],
    )?)
}

/// A callback to be sent.
#[derive(Clone, Debug, Serialize)]
pub struct Planned {
    /// Milliseconds since 1970.
    pub due_at: i64,
    pub body: String,
    pub signature: String,
}

/// A callback that its driver holds until its lease ends.
#[derive(Clone, Debug)]
pub struct Claimed {
    pub seq: i64,
    pub due_at: i64,
    pub body: String,
    pub signature: String,
    /// Claims so far, this one included.
    pub attempts: i64,
}

impl FromRow for Claimed {
    fn from_row(row: &mut Row) -> Result<Self, Error> {
        Ok(Claimed {
            seq: row.take()?,
            due_at: row.take()?,
            body: row.take()?,
            signature: row.take()?,
            attempts: row.take()?,
        })
    }
}

const SCHEDULE: &str = "
    INSERT INTO sandbox_callbacks (due_at, try_at, attempts, body, signature)
    SELECT value ->> 'due_at', coalesce(?2, value ->> 'due_at'), ?2 IS NOT NULL, value ->> 'body', value ->> 'signature'
      FROM json_each(?1)
    RETURNING seq, due_at, body, signature, attempts";

/// Adds callbacks. With `lease_until` they are the caller's own, to be sent at once.
pub fn schedule(db: &Db<'_>, planned: &[Planned], lease_until: Option<Timestamp>) -> Result<Vec<Claimed>> {
    if planned.is_empty() {
        return Ok(Vec::new());
    }
    Ok(db.rows(SCHEDULE, params![json(&planned)?, lease_until])?)
}

/// Whether a callback is due: a look into the index before a claim takes the write lock.
pub fn any_due(db: &Db<'_>, now: Timestamp) -> Result<bool> {
    Ok(db.touches("SELECT 1 FROM sandbox_callbacks WHERE try_at <= ? LIMIT 1", params![now])?)
}

const CLAIM: &str = "
    UPDATE sandbox_callbacks SET try_at = ?2, attempts = attempts + 1
     WHERE seq IN (SELECT seq FROM sandbox_callbacks WHERE try_at <= ?1 ORDER BY try_at, due_at, seq LIMIT ?3)
    RETURNING seq, due_at, body, signature, attempts";

/// Claims callbacks that are due, in the order planned.
pub fn claim(db: &Db<'_>, now: Timestamp, lease_until: Timestamp, limit: u32) -> Result<Vec<Claimed>> {
    let mut claimed: Vec<Claimed> = db.rows(CLAIM, params![now, lease_until, limit])?;
    claimed.sort_by_key(|callback| (callback.due_at, callback.seq));
    Ok(claimed)
}

const DELETE: &str = "DELETE FROM sandbox_callbacks WHERE seq IN (SELECT value FROM json_each(?))";

/// Removes callbacks that were answered with 200, or that are given up.
pub fn done(db: &Db<'_>, callbacks: &[i64]) -> Result<()> {
    if callbacks.is_empty() { Ok(()) } else { Ok(db.run(DELETE, params![json(&callbacks)?])?) }
}

const POSTPONE: &str = "UPDATE sandbox_callbacks SET try_at = ? WHERE seq = ? AND attempts = ?";

/// Plans the next try, unless the lease ended and another driver has the callback now.
pub fn postpone(db: &Db<'_>, callback: &Claimed, try_at: Timestamp) -> Result<()> {
    Ok(db.run(POSTPONE, params![try_at, callback.seq, callback.attempts])?)
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Problem::internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::{Connection, params as bind};

    fn database() -> Connection {
        let db = Connection::open_in_memory().unwrap();
        for statement in common::migrations::statements(include_str!("../../../migrations/0002_sandbox.sql"))
        {
            db.execute_batch(&statement).unwrap();
        }
        db
    }

    fn claim(db: &Connection, now: i64, lease_until: i64) -> Vec<(i64, String, i64)> {
        let mut statement = db.prepare(CLAIM).unwrap();
        let rows = statement
            .query_map(bind![now, lease_until, 10], |row| Ok((row.get(0)?, row.get(2)?, row.get(4)?)));
        rows.unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn a_callback_is_claimed_once_and_comes_back_when_the_lease_ends() {
        let db = database();
        let body = r#"{"t":"caf\u00e9 \ud83d\ude00 a\/b"}"#;
        let planned = [Planned { due_at: 100, body: body.into(), signature: "sha256=00".into() }];
        let added: (i64, String, i64) = db
            .query_row(SCHEDULE, bind![json(&planned).unwrap(), None::<i64>], |row| {
                Ok((row.get(0)?, row.get(2)?, row.get(4)?))
            })
            .unwrap();
        assert_eq!(added.1, body, "the bytes are those that were signed");
        assert_eq!(claim(&db, 99, 1099), []);
        assert_eq!(claim(&db, 100, 1100), [(added.0, body.to_string(), 1)]);
        assert_eq!(claim(&db, 100, 1100), [], "another driver has it");
        assert_eq!(claim(&db, 1100, 2100)[0].2, 2, "its driver died");
        // The first driver was only slow: it may not plan the second one's callback.
        assert_eq!(db.execute(POSTPONE, bind![5, added.0, 1]).unwrap(), 0);
        assert_eq!(db.execute(POSTPONE, bind![5, added.0, 2]).unwrap(), 1);
        assert_eq!(claim(&db, 5, 1005).len(), 1);
        assert_eq!(db.execute(DELETE, bind![format!("[{}]", added.0)]).unwrap(), 1);
    }

    #[test]
    fn a_callback_that_is_sent_at_once_belongs_to_who_added_it() {
        let db = database();
        let planned = [Planned { due_at: 100, body: "{}".into(), signature: String::new() }];
        let attempts: i64 =
            db.query_row(SCHEDULE, bind![json(&planned).unwrap(), 3100], |row| row.get(4)).unwrap();
        assert_eq!(attempts, 1);
        assert_eq!(claim(&db, 3099, 9000), []);
        assert_eq!(claim(&db, 3100, 9000).len(), 1);
    }
}
