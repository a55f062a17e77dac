//! Files (contract section 5): those that callers upload and those that customers send.
//!
//! A file is a row in `media` and bytes in the key-value store. The row comes first and goes first: it is
//! `pending` while bytes are written, so bytes without a row are never of use, and whoever was killed in the
//! middle leaves a trace that [`forget_unfinished`] finds. A deleted row leaves a note in `media_garbage`
//! (a trigger), by which [`sweep`] deletes the bytes.
//!
//! | module | what |
//! |---|---|
//! | [`bytes`] | writing and reading the bytes, part by part |
//! | [`kinds`] | what a file is, by its first bytes |
//! | [`links`] | signed links that expire |
//! | [`names`] | harmless file names |
//! | [`uploads`] | what providers call our files |

pub mod bytes;
pub mod kinds;
pub mod limits;
pub mod links;
pub mod names;
pub mod uploads;

use crate::content::{MediaContent, MediaType};
use crate::visibility::visible;
use bytes::Stored;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::time::Timestamp;
use common::{Problem, Result, db, id, params};
use serde::Serialize;
use utoipa::ToSchema;

/// Where a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = MediaState)]
pub enum State {
    /// Its bytes are here.
    Stored,
    /// Its bytes are on their way.
    Pending,
    /// Its bytes could not be had.
    Failed,
}

impl State {
    fn from_text(text: &str) -> Self {
        match text {
            "stored" => State::Stored,
            "failed" => State::Failed,
            _ => State::Pending,
        }
    }
}

/// A file as it is kept.
#[derive(Clone, Debug)]
pub struct Media {
    pub seq: i64,
    /// `mda_…`
    pub id: String,
    pub tenant: String,
    pub kind: MediaType,
    pub mime: String,
    pub filename: Option<String>,
    /// In bytes; absent while they are not here.
    pub size: Option<i64>,
    pub sha256: Option<Vec<u8>>,
    /// How many values in the key-value store.
    pub parts: u32,
    pub state: State,
    /// Inbound: what the provider calls it, or its URL.
    pub source: Option<String>,
    /// Inbound: where it came in.
    pub inbox_seq: Option<i64>,
    /// Inbound: the conversation it came in by.
    pub identity_seq: Option<i64>,
    /// `usr_…`, `svc_…` or `con_…`
    pub created_by: String,
    pub created_at: Timestamp,
    /// Why it could not be stored, in words.
    pub failure: Option<String>,
}

/// A file as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MediaFile {
    /// For `content.media.mediaId`.
    #[schema(example = "mda_01HV8Z6K9D2R4S7T8P5N3Q1M0A")]
    pub media_id: String,
    pub media_type: MediaType,
    #[schema(example = "application/pdf")]
    pub mime_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "invoice-4827.pdf")]
    pub filename: Option<String>,
    /// In bytes; absent while they are not here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_size: Option<i64>,
    /// Relative to this server; read it with your token, or ask for a link.
    #[schema(example = "/media/tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K/uploads/mda_01HV8Z6K9D2R4S7T8P5N3Q1M0A")]
    pub url: String,
    /// `stored`; `pending` or `failed` for files that customers sent.
    pub state: State,
    /// Why it could not be stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    pub created_at: Timestamp,
    /// The user, service account or contact it comes from.
    pub created_by: String,
}

/// Where a file of a tenant is read, relative to this server; the reader needs a token of the tenant.
pub fn path(tenant: &str, id: &str) -> String {
    format!("/media/{tenant}/uploads/{id}")
}

impl Media {
    /// Where it is read, relative to this server.
    pub fn path(&self) -> String {
        path(&self.tenant, &self.id)
    }

    /// As the API shows it.
    pub fn shown(&self) -> MediaFile {
        MediaFile {
            media_id: self.id.clone(),
            media_type: self.kind,
            mime_type: self.mime.clone(),
            filename: self.filename.clone(),
            file_size: self.size,
            url: self.path(),
            state: self.state,
            failure_reason: self.failure.clone(),
            created_at: self.created_at,
            created_by: self.created_by.clone(),
        }
    }

    /// What a message's content says of it: caption, voice and sticker are the message's own.
    pub fn describe(&self, content: &mut MediaContent) {
        content.media_id = Some(self.id.clone());
        content.url = Some(self.path());
        content.media_type = Some(self.kind);
        content.mime_type = Some(self.mime.clone());
        content.file_size = self.size;
        if content.filename.is_none() {
            content.filename.clone_from(&self.filename);
        }
    }
}

const COLUMNS: &str = "seq, id, tenant_id, kind, mime, filename, size, sha256, parts, state, source,
    inbox_seq, identity_seq, created_by, created_at, failure";

impl FromRow for Media {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Media {
            seq: row.take()?,
            id: row.take()?,
            tenant: row.take()?,
            kind: MediaType::parse(&row.take::<String>()?).unwrap_or(MediaType::Document),
            mime: row.take()?,
            filename: row.take()?,
            size: row.take()?,
            sha256: row.take()?,
            parts: row.take()?,
            state: State::from_text(&row.take::<String>()?),
            source: row.take()?,
            inbox_seq: row.take()?,
            identity_seq: row.take()?,
            created_by: row.take()?,
            created_at: row.take()?,
            failure: row.take()?,
        })
    }
}

/// What is known of a file before its bytes are here.
#[derive(Clone, Copy, Debug)]
pub struct NewMedia<'a> {
    pub kind: MediaType,
    pub mime: &'a str,
    pub filename: Option<&'a str>,
    /// Inbound: what the provider calls it, or its URL. Absent for uploads.
    pub source: Option<&'a str>,
    pub inbox_seq: Option<i64>,
    /// Inbound: the conversation. Agents who cannot see it cannot see the file.
    pub identity_seq: Option<i64>,
    /// `usr_…`, `svc_…` or `con_…`
    pub created_by: &'a str,
}

/// Adds a file whose bytes are to come: `pending`. Answers its id.
pub fn create(db: &Db<'_>, tenant: &str, new: &NewMedia<'_>) -> Result<String> {
    let id = id::new(id::Kind::Media);
    db.run(
        "INSERT INTO media (id, tenant_id, kind, mime, filename, state, source, inbox_seq, identity_seq, created_by, created_at)
         VALUES (?, ?, ?, ?, ?, 'pending', ?, ?, ?, ?, ?)",
        params![
            id,
            tenant,
            new.kind.as_str(),
            new.mime,
            new.filename,
            new.source,
            new.inbox_seq,
            new.identity_seq,
            new.created_by,
            Timestamp::now()
        ],
    )?;
    Ok(id)
}

/// One file of a tenant, whatever its state; 404 where there is none.
pub fn find(db: &Db<'_>, tenant: &str, id: &str) -> Result<Media> {
    let sql = format!("SELECT {COLUMNS} FROM media m WHERE m.id = ?1 AND m.tenant_id = ?2");
    db.row(&sql, params![id, tenant])?.ok_or_else(|| Problem::not_found("media", id))
}

/// Like [`find`], for a caller: a file that came in by a conversation is seen by those who see the
/// conversation ([`crate::visibility::viewer`]). Uploads are everybody's in the tenant.
pub fn find_visible(db: &Db<'_>, tenant: &str, id: &str, viewer: Option<&str>) -> Result<Media> {
    let sql = format!(
        "SELECT {COLUMNS} FROM media m WHERE m.id = ?1 AND m.tenant_id = ?2
            AND (m.identity_seq IS NULL
                 OR m.identity_seq IN (SELECT i.seq FROM identities i WHERE i.seq = m.identity_seq AND {}))",
        visible(3)
    );
    db.row(&sql, params![id, tenant, viewer])?.ok_or_else(|| Problem::not_found("media", id))
}

/// Like [`find`], for who has a signed link: those of a deleted account are good no more.
pub fn find_linked(db: &Db<'_>, tenant: &str, id: &str) -> Result<Media> {
    let sql = format!(
        "SELECT {COLUMNS} FROM media m WHERE m.id = ?1 AND m.tenant_id = ?2
            AND (SELECT t.deleted_at FROM tenants t WHERE t.id = m.tenant_id) IS NULL"
    );
    db.row(&sql, params![id, tenant])?.ok_or_else(|| Problem::not_found("media", id))
}

/// For a message that is to carry the file: 422 naming `field` where there is no such file or its bytes are
/// not here.
pub fn sendable(db: &Db<'_>, tenant: &str, id: &str, viewer: Option<&str>, field: &str) -> Result<Media> {
    let media = find_visible(db, tenant, id, viewer)
        .map_err(|_| Problem::invalid(field, "names no file of this tenant: upload it first"))?;
    match media.state {
        State::Stored => Ok(media),
        State::Pending => Err(Problem::invalid(field, "names a file that is not here yet: try again later")),
        State::Failed => Err(Problem::invalid(field, "names a file that could not be stored")),
    }
}

/// The bytes are here: `kind` and `mime` are what they turned out to be. `None`: the row is gone meanwhile, and
/// the caller must delete the bytes it wrote ([`bytes::delete`]).
pub fn stored(
    db: &Db<'_>,
    tenant: &str,
    id: &str,
    kind: MediaType,
    mime: &str,
    stored: &Stored,
) -> Result<Option<Media>> {
    let sql = format!(
        "UPDATE media SET kind = ?3, mime = ?4, size = ?5, sha256 = ?6, parts = ?7, state = 'stored', failure = NULL
          WHERE id = ?1 AND tenant_id = ?2 RETURNING {COLUMNS}"
    );
    Ok(db.row(&sql, params![id, tenant, kind.as_str(), mime, stored.size, stored.sha256, stored.parts])?)
}

/// The bytes cannot be had; `why` is for people who see the message. What was written of them is to be
/// deleted by the caller ([`bytes::delete`]).
pub fn failed(db: &Db<'_>, tenant: &str, id: &str, why: &str) -> Result<Option<Media>> {
    let sql = format!(
        "UPDATE media SET state = 'failed', failure = ?3
          WHERE id = ?1 AND tenant_id = ?2 AND state = 'pending' RETURNING {COLUMNS}"
    );
    Ok(db.row(&sql, params![id, tenant, why])?)
}

/// Takes a file away, whoever uses it: for content that a customer took back, and for clean-up. Its bytes go with
/// the next [`sweep`]. Whether there was one.
pub fn remove(db: &Db<'_>, tenant: &str, id: &str) -> Result<bool> {
    db.run(
        "DELETE FROM media_uploads WHERE media_seq = (SELECT seq FROM media WHERE id = ?1 AND tenant_id = ?2)",
        params![id, tenant],
    )?;
    Ok(db.touches("DELETE FROM media WHERE id = ?1 AND tenant_id = ?2 RETURNING 1", params![id, tenant])?)
}

/// Whether a message that is still to be sent, now or at its time, names the file.
pub fn is_needed(db: &Db<'_>, tenant: &str, id: &str) -> Result<bool> {
    // Ids are unique texts: looking for one in the whole content finds it wherever a form of content has it.
    Ok(db.touches(
        "SELECT 1 FROM jobs j WHERE j.tenant_id = ?1 AND j.kind = 'send_message'
            AND instr((SELECT m.content FROM messages m WHERE m.id = j.subject), ?2) > 0 LIMIT 1",
        params![tenant, id],
    )?)
}

/// Deletes rows of uploads that were begun before `before` and never finished; answers how many.
pub fn forget_unfinished(db: &Db<'_>, before: Timestamp, limit: u32) -> Result<usize> {
    let gone = db.rows::<(i64,)>(
        "DELETE FROM media WHERE seq IN (
           SELECT seq FROM media WHERE state = 'pending' AND source IS NULL AND created_at < ? LIMIT ?) RETURNING 1",
        params![before, limit],
    )?;
    Ok(gone.len())
}

/// Deletes the bytes of at most `limit` files whose rows are gone; answers how many. Several may sweep at once.
pub async fn sweep(limit: u32) -> Result<usize> {
    let gone = db::read(|db| {
        Ok(db.rows::<(String,)>(
            "SELECT media_id FROM media_garbage ORDER BY media_id LIMIT ?",
            params![limit],
        )?)
    })
    .await?;
    for (id,) in &gone {
        sweep_one(id).await?;
    }
    Ok(gone.len())
}

/// Deletes the bytes of one file whose row is gone, without waiting for the next [`sweep`].
pub async fn sweep_one(id: &str) -> Result<()> {
    bytes::delete(id).await?;
    db::write(|db| Ok(db.run("DELETE FROM media_garbage WHERE media_id = ?", params![id])?)).await
}
