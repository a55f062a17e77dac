//! Callbacks to be sent.

use crate::provider::Provider;
use common::db::{Db, Error, FromRow, Row};
use common::time::Timestamp;
use common::{Result, params};
use serde::Serialize;
use std::collections::BTreeMap;

/// A callback to be sent.
#[derive(Clone, Debug, Serialize)]
pub struct Planned {
    /// Milliseconds since 1970.
    pub due_at: i64,
    pub provider: Provider,
    pub account: String,
    pub url: String,
    /// Content type and signature.
    pub headers: BTreeMap<String, String>,
    pub body: String,
    /// Most tries.
    pub tries: i64,
    /// Twilio: the message whose resource takes on `state` when this is sent.
    pub message: Option<String>,
    pub state: Option<String>,
}

/// A callback that its driver holds until its lease ends.
#[derive(Clone, Debug)]
pub struct Claimed {
    pub seq: i64,
    pub due_at: i64,
    /// Claims so far, this one included.
    pub attempts: i64,
    pub tries: i64,
    pub provider: String,
    pub account: String,
    pub url: String,
    pub headers: String,
    pub body: String,
    pub message: Option<String>,
    pub state: Option<String>,
}

impl FromRow for Claimed {
    fn from_row(row: &mut Row) -> Result<Self, Error> {
        Ok(Claimed {
            seq: row.take()?,
            due_at: row.take()?,
            attempts: row.take()?,
            tries: row.take()?,
            provider: row.take()?,
            account: row.take()?,
            url: row.take()?,
            headers: row.take()?,
            body: row.take()?,
            message: row.take()?,
            state: row.take()?,
        })
    }
}

const SCHEDULE: &str = "
    INSERT INTO sandbox_callbacks (due_at, try_at, attempts, tries, provider, account, url, headers, body, message, state)
    SELECT value ->> 'due_at', coalesce(?2, value ->> 'due_at'), ?2 IS NOT NULL, value ->> 'tries',
           value ->> 'provider', value ->> 'account', value ->> 'url', value -> 'headers', value ->> 'body',
           value ->> 'message', value ->> 'state'
      FROM json_each(?1) WHERE true ORDER BY json_each.key
    RETURNING seq, due_at, attempts, tries, provider, account, url, headers, body, message, state";

/// Adds callbacks. With `lease_until` they are the caller's own, to be sent at once.
pub fn schedule(db: &Db<'_>, planned: &[Planned], lease_until: Option<Timestamp>) -> Result<Vec<Claimed>> {
    if planned.is_empty() {
        return Ok(Vec::new());
    }
    Ok(db.rows(SCHEDULE, params![super::json(&planned)?, lease_until])?)
}

/// Whether a callback is due: a look into the index before a claim takes the write lock.
pub fn any_due(db: &Db<'_>, now: Timestamp) -> Result<bool> {
    Ok(db.touches("SELECT 1 FROM sandbox_callbacks WHERE try_at <= ? LIMIT 1", params![now])?)
}

const CLAIM: &str = "
    UPDATE sandbox_callbacks SET try_at = ?2, attempts = attempts + 1
     WHERE seq IN (SELECT seq FROM sandbox_callbacks WHERE try_at <= ?1 ORDER BY try_at, due_at, seq LIMIT ?3)
    RETURNING seq, due_at, attempts, tries, provider, account, url, headers, body, message, state";

/// Claims callbacks that are due, in the order planned.
pub fn claim(db: &Db<'_>, now: Timestamp, lease_until: Timestamp, limit: u32) -> Result<Vec<Claimed>> {
    let mut claimed: Vec<Claimed> = db.rows(CLAIM, params![now, lease_until, limit])?;
    claimed.sort_by_key(|callback| (callback.due_at, callback.seq));
    Ok(claimed)
}

const DELETE: &str = "DELETE FROM sandbox_callbacks WHERE seq IN (SELECT value FROM json_each(?))";

/// Removes callbacks that were answered with 200, or that are given up.
pub fn done(db: &Db<'_>, callbacks: &[i64]) -> Result<()> {
    if callbacks.is_empty() { Ok(()) } else { Ok(db.run(DELETE, params![super::json(&callbacks)?])?) }
}

const POSTPONE: &str = "UPDATE sandbox_callbacks SET try_at = ? WHERE seq = ? AND attempts = ?";

/// Plans the next try, unless the lease ended and another driver has the callback now.
pub fn postpone(db: &Db<'_>, callback: &Claimed, try_at: Timestamp) -> Result<()> {
    Ok(db.run(POSTPONE, params![try_at, callback.seq, callback.attempts])?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{database, json};
    use rusqlite::{Connection, params as bind};

    fn claim(db: &Connection, now: i64, lease_until: i64) -> Vec<(i64, String, i64)> {
        let mut statement = db.prepare(CLAIM).unwrap();
        let rows = statement
            .query_map(bind![now, lease_until, 10], |row| Ok((row.get(0)?, row.get(8)?, row.get(2)?)));
        rows.unwrap().map(Result::unwrap).collect()
    }

    fn planned(body: &str) -> Planned {
        Planned {
            due_at: 100,
            provider: Provider::Whatsapp,
            account: "31".into(),
            url: "http://a".into(),
            headers: BTreeMap::new(),
            body: body.into(),
            tries: 20,
            message: None,
            state: None,
        }
    }

    #[test]
    fn a_callback_is_claimed_once_and_comes_back_when_the_lease_ends() {
        let db = database();
        let body = r#"{"t":"caf\u00e9 \ud83d\ude00 a\/b"}"#;
        let added: (i64, String, i64) = db
            .query_row(SCHEDULE, bind![json(&[planned(body)]).unwrap(), None::<i64>], |row| {
                Ok((row.get(0)?, row.get(8)?, row.get(2)?))
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
        let attempts: i64 =
            db.query_row(SCHEDULE, bind![json(&[planned("{}")]).unwrap(), 3100], |row| row.get(2)).unwrap();
        assert_eq!(attempts, 1);
        assert_eq!(claim(&db, 3099, 9000), []);
        assert_eq!(claim(&db, 3100, 9000).len(), 1);
    }
}
