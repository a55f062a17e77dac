//! Files that customers send: the message is there at once, its file is fetched by a job of its own. A file that
//! cannot be had is the file's failure, and never the message's.

use crate::delivery::emit_updated;
use crate::inboxes::Address;
use crate::jobs;
use crate::media::{self, Media, NewMedia};
use crate::messages::{MediaContent, MediaType, MessageContent};
use common::db::Db;
use common::time::Timestamp;
use common::{Problem, Result, params};
use serde::{Deserialize, Serialize};

/// What stands for a type that nobody told, until the bytes tell it.
pub const UNKNOWN_MIME: &str = "application/octet-stream";

/// Where a file is to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    pub kind: MediaType,
    /// What the provider calls it, or its URL.
    pub source: String,
    pub mime: Option<String>,
    pub filename: Option<String>,
}

/// What a fetch job knows beside its file.
#[derive(Debug, Serialize, Deserialize)]
struct Payload {
    message: String,
}

/// Makes the row of a file that is to come, and the job that fetches it; answers the content with its id.
pub(super) fn expect(
    db: &Db<'_>,
    inbox: &Address,
    identity_seq: i64,
    created_by: &str,
    message: &str,
    file: &File,
    content: &MessageContent,
) -> Result<MessageContent> {
    let tenant = inbox.tenant.as_str();
    let id = media::create(
        db,
        tenant,
        &NewMedia {
            kind: file.kind,
            mime: file.mime.as_deref().unwrap_or(UNKNOWN_MIME),
            filename: file.filename.as_deref(),
            source: Some(&file.source),
            inbox_seq: Some(inbox.seq),
            identity_seq: Some(identity_seq),
            created_by,
        },
    )?;
    let payload = serde_json::to_string(&Payload { message: message.to_string() })
        .map_err(|error| Problem::internal(error.to_string()))?;
    jobs::add_with(db, tenant, jobs::Kind::FetchMedia, &id, &payload, Timestamp::now())?;
    let mut content = content.clone();
    if let MessageContent::Media { media } = &mut content {
        media.media_id = Some(id);
        media.media_type = Some(file.kind);
    }
    Ok(content)
}

/// The message that a fetch job's file belongs to.
pub fn message_of(payload: Option<&str>) -> Option<String> {
    serde_json::from_str::<Payload>(payload?).ok().map(|payload| payload.message)
}

/// The file has come: its message shows where to read it.
pub fn arrived(db: &Db<'_>, tenant: &str, message: &str, stored: &Media) -> Result<()> {
    change(db, tenant, message, &stored.id, |content| stored.describe(content))
}

/// The file will not come: its message is told of again, and reading the file says why.
pub fn given_up(db: &Db<'_>, tenant: &str, message: &str, failed: &Media) -> Result<()> {
    change(db, tenant, message, &failed.id, |_| {})
}

fn change(
    db: &Db<'_>,
    tenant: &str,
    message: &str,
    media: &str,
    change: impl FnOnce(&mut MediaContent),
) -> Result<()> {
    let found = db.row::<(String,)>(
        "SELECT content FROM messages WHERE id = ? AND tenant_id = ?",
        params![message, tenant],
    )?;
    let Some((content,)) = found else { return Ok(()) };
    let mut content: MessageContent =
        serde_json::from_str(&content).map_err(|error| Problem::internal(format!("{message}: {error}")))?;
    // It may have been taken back meanwhile.
    let MessageContent::Media { media: file } = &mut content else { return Ok(()) };
    if file.media_id.as_deref() != Some(media) {
        return Ok(());
    }
    change(file);
    let now = Timestamp::now();
    db.run(
        "UPDATE messages SET content = ?, updated_at = ? WHERE id = ? AND tenant_id = ?",
        params![content.to_json()?, now, message, tenant],
    )?;
    emit_updated(db, tenant, message, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_names_its_message() {
        assert_eq!(message_of(Some(r#"{"message":"msg_1"}"#)).as_deref(), Some("msg_1"));
        assert_eq!(message_of(Some("{}")), None);
        assert_eq!(message_of(None), None);
    }
}
