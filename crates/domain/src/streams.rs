//! Places of open streams: how many a tenant and a person may hold. A stream renews its place while it lives;
//! the place of one that died with its server expires by itself.

use common::db::Db;
use common::time::Timestamp;
use common::{Problem, Result, params};

/// A stream that was left is noticed within this many seconds.
const RETRY_SECONDS: u64 = 10;

/// How many streams may be open at once.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub per_tenant: i64,
    pub per_person: i64,
}

/// Takes a place until `expires_at`: its number, or a 429 that says which limit is reached.
pub fn open(
    db: &Db<'_>,
    tenant: &str,
    person: &str,
    limits: Limits,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<i64> {
    db.run("DELETE FROM streams WHERE tenant_id = ? AND expires_at < ?", params![tenant, now])?;
    let counted = db.row::<(i64, i64)>(
        "SELECT (SELECT count(*) FROM streams WHERE tenant_id = ?1),
                (SELECT count(*) FROM streams WHERE tenant_id = ?1 AND person_id = ?2)",
        params![tenant, person],
    )?;
    let (of_tenant, of_person) = counted.unwrap_or_default();
    if of_tenant >= limits.per_tenant {
        return Err(too_many(format!(
            "This workspace has {of_tenant} open streams, as many as it may have."
        )));
    }
    if of_person >= limits.per_person {
        return Err(too_many(format!("You have {of_person} open streams, as many as you may have.")));
    }
    let made = db.row::<(i64,)>(
        "INSERT INTO streams (tenant_id, person_id, expires_at) VALUES (?, ?, ?) RETURNING seq",
        params![tenant, person, expires_at],
    )?;
    made.map(|(seq,)| seq).ok_or_else(|| Problem::internal("a stream got no place"))
}

fn too_many(detail: String) -> Problem {
    Problem::rate_limited(
        format!("{detail} Close some, or wait until those that were left are noticed."),
        RETRY_SECONDS,
    )
    .with_code("stream_limit_reached")
}

/// Keeps places of live streams.
pub fn renew(db: &Db<'_>, places: &[i64], expires_at: Timestamp) -> Result<()> {
    let places = serde_json::to_string(places).map_err(|error| Problem::internal(error.to_string()))?;
    Ok(db.run(
        "UPDATE streams SET expires_at = ? WHERE seq IN (SELECT value FROM json_each(?))",
        params![expires_at, places],
    )?)
}

/// Gives a place back.
pub fn close(db: &Db<'_>, tenant: &str, place: i64) -> Result<()> {
    Ok(db.run("DELETE FROM streams WHERE seq = ? AND tenant_id = ?", params![place, tenant])?)
}

/// Deletes places that expired before `before`, of tenants where nobody opens streams any more.
pub fn forget(db: &Db<'_>, before: Timestamp, limit: u32) -> Result<usize> {
    let gone = db.rows::<(i64,)>(
        "DELETE FROM streams WHERE seq IN (SELECT seq FROM streams WHERE expires_at < ? LIMIT ?) RETURNING 1",
        params![before, limit],
    )?;
    Ok(gone.len())
}
