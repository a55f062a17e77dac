//! Files: uploaded by the business, or sent by customers.

use crate::provider::Provider;
use common::db::{Db, Error, FromRow, Row};
use common::time::Timestamp;
use common::{Result, params};

/// A file.
#[derive(Clone, Debug)]
pub struct Media {
    pub id: String,
    pub account: String,
    pub mime: String,
    pub size: i64,
    /// Hex.
    pub sha256: String,
    /// The id is known until then.
    pub expires_at: Timestamp,
    /// The last part of its URL.
    pub url_key: String,
    /// The URL works until then.
    pub url_expires_at: Timestamp,
}

impl FromRow for Media {
    fn from_row(row: &mut Row) -> Result<Self, Error> {
        Ok(Media {
            id: row.take()?,
            account: row.take()?,
            mime: row.take()?,
            size: row.take()?,
            sha256: row.take()?,
            expires_at: row.take()?,
            url_key: row.take()?,
            url_expires_at: row.take()?,
        })
    }
}

const COLUMNS: &str = "id, account, mime, size, sha256, expires_at, url_key, url_expires_at";

/// Adds one part of a file's bytes, before the file itself.
pub fn add_part(db: &Db<'_>, id: &str, n: u32, bytes: &[u8]) -> Result<()> {
    Ok(db.run(
        "INSERT INTO sandbox_media_parts (media_id, n, bytes) VALUES (?, ?, ?)",
        params![id, n, bytes],
    )?)
}

pub fn add(db: &Db<'_>, provider: Provider, media: &Media) -> Result<()> {
    Ok(db.run(
        "INSERT INTO sandbox_media (id, provider, account, mime, size, sha256, expires_at, url_key, url_expires_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            media.id,
            provider.as_str(),
            media.account,
            media.mime,
            media.size,
            media.sha256,
            media.expires_at,
            media.url_key,
            media.url_expires_at
        ],
    )?)
}

/// A file whose id has not expired.
pub fn find(db: &Db<'_>, provider: Provider, id: &str, now: Timestamp) -> Result<Option<Media>> {
    Ok(db.row(
        &format!("SELECT {COLUMNS} FROM sandbox_media WHERE id = ? AND provider = ? AND expires_at > ?"),
        params![id, provider.as_str(), now],
    )?)
}

/// A file whose URL works.
pub fn by_url(db: &Db<'_>, provider: Provider, url_key: &str, now: Timestamp) -> Result<Option<Media>> {
    Ok(db.row(
        &format!(
            "SELECT {COLUMNS} FROM sandbox_media WHERE url_key = ? AND provider = ? AND url_expires_at > ?"
        ),
        params![url_key, provider.as_str(), now],
    )?)
}

/// Gives a file a new URL.
pub fn set_url(db: &Db<'_>, id: &str, url_key: &str, expires_at: Timestamp) -> Result<()> {
    Ok(db.run(
        "UPDATE sandbox_media SET url_key = ?, url_expires_at = ? WHERE id = ?",
        params![url_key, expires_at, id],
    )?)
}

/// One part of the bytes.
pub fn part(db: &Db<'_>, id: &str, n: u32) -> Result<Option<Vec<u8>>> {
    let found: Option<(Vec<u8>,)> =
        db.row("SELECT bytes FROM sandbox_media_parts WHERE media_id = ? AND n = ?", params![id, n])?;
    Ok(found.map(|(bytes,)| bytes))
}

/// Removes a file; whether there was one.
pub fn remove(db: &Db<'_>, provider: Provider, id: &str) -> Result<bool> {
    let was = db.touches(
        "DELETE FROM sandbox_media WHERE id = ? AND provider = ? RETURNING 1",
        params![id, provider.as_str()],
    )?;
    db.run("DELETE FROM sandbox_media_parts WHERE media_id = ?", params![id])?;
    Ok(was)
}

/// Forgets a few files whose ids and URLs have expired.
pub fn forget(db: &Db<'_>, now: Timestamp) -> Result<()> {
    let gone: Vec<(String,)> = db.rows(
        "DELETE FROM sandbox_media WHERE id IN
           (SELECT id FROM sandbox_media WHERE expires_at < ?1 AND url_expires_at < ?1 LIMIT 4) RETURNING id",
        params![now],
    )?;
    for (id,) in gone {
        db.run("DELETE FROM sandbox_media_parts WHERE media_id = ?", params![id])?;
    }
    Ok(())
}
