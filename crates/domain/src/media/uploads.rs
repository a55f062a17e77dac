//! What a provider calls a file of ours (channels section 2.6): remembered from its first upload until the
//! provider forgets it.

use super::Media;
use common::db::Db;
use common::time::Timestamp;
use common::{Result, params};

/// The provider's id of a file for this inbox, if it is still good at `at`.
pub fn known(db: &Db<'_>, media: &Media, inbox_seq: i64, at: Timestamp) -> Result<Option<String>> {
    let found = db.row::<(String,)>(
        "SELECT provider_id FROM media_uploads WHERE media_seq = ? AND inbox_seq = ? AND expires_at > ?",
        params![media.seq, inbox_seq, at],
    )?;
    Ok(found.map(|(id,)| id))
}

/// Remembers it, in place of an older one. A file that was deleted meanwhile is no error.
pub fn remember(
    db: &Db<'_>,
    media: &Media,
    inbox_seq: i64,
    provider_id: &str,
    expires_at: Timestamp,
) -> Result<()> {
    Ok(db.run(
        "INSERT OR REPLACE INTO media_uploads (media_seq, inbox_seq, provider_id, expires_at)
         SELECT seq, ?2, ?3, ?4 FROM media WHERE seq = ?1",
        params![media.seq, inbox_seq, provider_id, expires_at],
    )?)
}

/// The provider knows its id no more.
pub fn forget(db: &Db<'_>, media: &Media, inbox_seq: i64) -> Result<()> {
    Ok(db.run(
        "DELETE FROM media_uploads WHERE media_seq = ? AND inbox_seq = ?",
        params![media.seq, inbox_seq],
    )?)
}
