//! Callbacks of providers: stored as they came, answered, then worked off by a job.

use crate::jobs;
use common::db::Db;
use common::time::Timestamp;
use common::{Result, params};

/// The jobs of callbacks belong to no tenant until they are read.
pub const OWNER: &str = "callbacks";

/// Stores a body whose signature was checked, with the job that works it off.
pub fn store(db: &Db<'_>, channel: &str, body: &[u8]) -> Result<()> {
    let now = Timestamp::now();
    let made = db.row::<(i64,)>(
        "INSERT INTO callbacks (channel, body, received_at) VALUES (?, ?, ?) RETURNING seq",
        params![channel, body, now],
    )?;
    let subject = made.map(|(seq,)| seq.to_string()).unwrap_or_default();
    jobs::add(db, OWNER, jobs::Kind::ProcessCallback, None, &subject, now)
}

/// A stored callback: its channel, its bytes, when it came.
pub fn load(db: &Db<'_>, subject: &str) -> Result<Option<(String, Vec<u8>, Timestamp)>> {
    let seq: i64 = subject.parse().unwrap_or_default();
    Ok(db.row("SELECT channel, body, received_at FROM callbacks WHERE seq = ?", params![seq])?)
}

/// Notes that a callback was worked off, and what of it was left aside.
pub fn processed(db: &Db<'_>, subject: &str, note: Option<&str>) -> Result<()> {
    let seq: i64 = subject.parse().unwrap_or_default();
    Ok(db.run(
        "UPDATE callbacks SET processed_at = ?, note = ? WHERE seq = ?",
        params![Timestamp::now(), note, seq],
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
