//! Customers, as one account of a provider knows them.

use crate::provider::Provider;
use common::db::{Db, Error, FromRow, Row};
use common::time::Timestamp;
use common::{Result, params};

/// What an account knows of a person.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The key of the person: the number where it is known, else the id.
    pub person: String,
    pub user_id: Option<String>,
    pub username: Option<String>,
    pub name: Option<String>,
    pub last_inbound_at: Option<Timestamp>,
    /// How often this person's sends were refused in a row.
    pub refusals: i64,
    pub opted_out: bool,
}

impl FromRow for Known {
    fn from_row(row: &mut Row) -> Result<Self, Error> {
        Ok(Known {
            person: row.take()?,
            user_id: row.take()?,
            username: row.take()?,
            name: row.take()?,
            last_inbound_at: row.take()?,
            refusals: row.take()?,
            opted_out: row.take()?,
        })
    }
}

const FIND: &str = "
    SELECT person, user_id, username, name, last_inbound_at, refusals, opted_out FROM sandbox_people
     WHERE provider = ?1 AND account = ?2 AND (person = ?3 OR user_id = ?3) ORDER BY user_id IS ?3 DESC LIMIT 1";

/// Looks a person up by number or id.
pub fn find(db: &Db<'_>, provider: Provider, account: &str, person: &str) -> Result<Option<Known>> {
    Ok(db.row(FIND, params![provider.as_str(), account, person])?)
}

/// Whether a send is among the first `times` to a person, which are refused; counts it. After `times` refusals in
/// a row the count begins anew.
pub fn refuses(
    db: &Db<'_>,
    provider: Provider,
    account: &str,
    person: &str,
    before: i64,
    times: i64,
) -> Result<bool> {
    let refuses = before < times;
    let refusals = if refuses { before.saturating_add(1) } else { 0 };
    db.run(
        "INSERT INTO sandbox_people (provider, account, person, refusals) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET refusals = ?4",
        params![provider.as_str(), account, person, refusals],
    )?;
    Ok(refuses)
}

/// A customer wrote: opens the window and takes over what is new of them. An older message closes nothing.
pub fn wrote(
    db: &Db<'_>,
    provider: Provider,
    account: &str,
    who: &Known,
    at: Option<Timestamp>,
) -> Result<()> {
    Ok(db.run(
        "INSERT INTO sandbox_people (provider, account, person, user_id, username, name, last_inbound_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT DO UPDATE SET user_id = coalesce(?4, user_id), username = coalesce(?5, username),
           name = coalesce(?6, name),
           last_inbound_at = CASE WHEN ?7 IS NULL THEN last_inbound_at ELSE max(coalesce(last_inbound_at, 0), ?7) END",
        params![provider.as_str(), account, who.person, who.user_id, who.username, who.name, at],
    )?)
}

/// SMS: the person wrote STOP, or START.
pub fn set_opted_out(db: &Db<'_>, provider: Provider, account: &str, person: &str, out: bool) -> Result<()> {
    Ok(db.run(
        "INSERT INTO sandbox_people (provider, account, person, opted_out) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET opted_out = ?4",
        params![provider.as_str(), account, person, out],
    )?)
}

/// Notes that a customer's message is known.
pub fn received(
    db: &Db<'_>,
    provider: Provider,
    account: &str,
    person: &str,
    id: &str,
    at: Timestamp,
) -> Result<()> {
    Ok(db.run(
        "INSERT OR IGNORE INTO sandbox_received (id, provider, account, person, received_at) VALUES (?, ?, ?, ?, ?)",
        params![id, provider.as_str(), account, person, at],
    )?)
}

/// Whether a customer's message came to the account.
pub fn has_received(db: &Db<'_>, provider: Provider, account: &str, id: &str) -> Result<bool> {
    Ok(db.touches(
        "SELECT 1 FROM sandbox_received WHERE provider = ? AND id = ? AND account = ?",
        params![provider.as_str(), id, account],
    )?)
}
