//! What came in and what was called back, for people and tests to look at; and calls that are to go wrong.

use crate::provider::Provider;
use crate::store::callbacks::Claimed;
use common::db::{Db, Error, FromRow, Row};
use common::time::Timestamp;
use common::{Result, params};

/// A call to a provider's path.
#[derive(Clone, Debug)]
pub struct Call {
    pub at: Timestamp,
    pub provider: String,
    /// Whose it is, where that is known.
    pub account: Option<String>,
    pub method: String,
    pub path: String,
    /// JSON object.
    pub headers: String,
    pub body: Vec<u8>,
    pub status: u16,
}

impl FromRow for Call {
    fn from_row(row: &mut Row) -> Result<Self, Error> {
        Ok(Call {
            at: row.take()?,
            provider: row.take()?,
            account: row.take()?,
            method: row.take()?,
            path: row.take()?,
            headers: row.take()?,
            body: row.take()?,
            status: row.take()?,
        })
    }
}

pub fn add_call(db: &Db<'_>, call: &Call) -> Result<()> {
    Ok(db.run(
        "INSERT INTO sandbox_calls (at, provider, account, method, path, headers, body, status)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            call.at,
            call.provider,
            call.account,
            call.method,
            call.path,
            call.headers,
            call.body,
            call.status
        ],
    )?)
}

/// Calls of an account, or of all, whose path contains a text, newest first.
pub fn calls(
    db: &Db<'_>,
    provider: Provider,
    account: Option<&str>,
    path: &str,
    limit: u32,
) -> Result<Vec<Call>> {
    Ok(db.rows(
        "SELECT at, provider, account, method, path, headers, body, status FROM sandbox_calls
          WHERE provider = ?1 AND instr(path, ?2) > 0 AND (?3 IS NULL OR account = ?3) ORDER BY seq DESC LIMIT ?4",
        params![provider.as_str(), path, account, limit],
    )?)
}

/// A try to deliver a callback.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub at: Timestamp,
    pub url: String,
    /// JSON object.
    pub headers: String,
    pub body: String,
    pub status: Option<u16>,
    pub error: Option<String>,
}

impl FromRow for Attempt {
    fn from_row(row: &mut Row) -> Result<Self, Error> {
        Ok(Attempt {
            at: row.take()?,
            url: row.take()?,
            headers: row.take()?,
            body: row.take()?,
            status: row.take()?,
            error: row.take()?,
        })
    }
}

pub fn add_attempt(
    db: &Db<'_>,
    callback: &Claimed,
    at: Timestamp,
    status: Option<u16>,
    error: Option<&str>,
) -> Result<()> {
    Ok(db.run(
        "INSERT INTO sandbox_attempts (at, provider, account, url, headers, body, status, error)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            at,
            callback.provider,
            callback.account,
            callback.url,
            callback.headers,
            callback.body,
            status,
            error
        ],
    )?)
}

/// Tries for an account, newest first.
pub fn attempts(db: &Db<'_>, provider: Provider, account: &str, limit: u32) -> Result<Vec<Attempt>> {
    Ok(db.rows(
        "SELECT at, url, headers, body, status, error FROM sandbox_attempts
          WHERE provider = ? AND account = ? ORDER BY seq DESC LIMIT ?",
        params![provider.as_str(), account, limit],
    )?)
}

/// Which calls a fault meets; all where everything is absent.
#[derive(Clone, Copy, Debug)]
pub struct Which<'a> {
    pub account: Option<&'a str>,
    /// A part of the path.
    pub path: Option<&'a str>,
    /// A part of the body.
    pub recipient: Option<&'a str>,
}

pub fn add_fault(db: &Db<'_>, provider: Provider, which: &Which<'_>, times: u32, fault: &str) -> Result<()> {
    Ok(db.run(
        "INSERT INTO sandbox_faults (provider, account, path, recipient, remaining, fault) VALUES (?, ?, ?, ?, ?, ?)",
        params![provider.as_str(), which.account, which.path, which.recipient, times, fault],
    )?)
}

/// Whether any call of a provider is to go wrong.
pub fn any_fault(db: &Db<'_>, provider: Provider) -> Result<bool> {
    Ok(db.touches("SELECT 1 FROM sandbox_faults WHERE provider = ? LIMIT 1", params![provider.as_str()])?)
}

/// Takes the oldest fault that a call of these accounts meets, counting it down: its JSON.
pub fn take_fault(
    db: &Db<'_>,
    provider: Provider,
    accounts: &[String],
    path: &str,
    body: &str,
) -> Result<Option<String>> {
    let found: Option<(i64, String)> = db.row(
        "SELECT seq, fault FROM sandbox_faults
          WHERE provider = ?1 AND (path IS NULL OR instr(?2, path) > 0)
            AND (recipient IS NULL OR instr(?3, recipient) > 0)
            AND (account IS NULL OR account IN (SELECT value FROM json_each(?4))) ORDER BY seq LIMIT 1",
        params![provider.as_str(), path, body, super::json(&accounts)?],
    )?;
    let Some((seq, fault)) = found else { return Ok(None) };
    db.run("UPDATE sandbox_faults SET remaining = remaining - 1 WHERE seq = ?", params![seq])?;
    db.run("DELETE FROM sandbox_faults WHERE seq = ? AND remaining <= 0", params![seq])?;
    Ok(Some(fault))
}

/// Forgets everything about one account, or about all of a provider's.
pub fn reset(db: &Db<'_>, provider: Provider, account: Option<&str>) -> Result<()> {
    for table in [
        "sandbox_people",
        "sandbox_accounts",
        "sandbox_sends",
        "sandbox_received",
        "sandbox_callbacks",
        "sandbox_attempts",
        "sandbox_media",
        "sandbox_seeds",
    ] {
        db.run(
            &format!("DELETE FROM {table} WHERE provider = ?1 AND (?2 IS NULL OR account = ?2)"),
            params![provider.as_str(), account],
        )?;
    }
    // Twilio's account is a sender: the calls of an account SID have it in their path.
    db.run(
        "DELETE FROM sandbox_calls
          WHERE provider = ?1 AND (?2 IS NULL OR account = ?2 OR instr(path, '/' || ?2 || '/') > 0)",
        params![provider.as_str(), account],
    )?;
    db.run(
        "DELETE FROM sandbox_faults
          WHERE provider = ?1 AND (?2 IS NULL OR account = ?2 OR instr(path, ?2) > 0)",
        params![provider.as_str(), account],
    )?;
    if account.is_none() && provider == Provider::Whatsapp {
        db.run("DELETE FROM sandbox_templates", &[])?;
    }
    db.run("DELETE FROM sandbox_media_parts WHERE media_id NOT IN (SELECT id FROM sandbox_media)", &[])?;
    Ok(())
}
