//! Tags of contacts (contract section 7). Triggers keep `labeledCount`, so no code path can forget it.

pub mod bulk;

use crate::contacts;
use crate::jobs::{self, Job, Kind, Step};
use common::auth::Principal;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::problem::Violations;
use common::time::Timestamp;
use common::{Problem, Result, id, params};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longest name, in characters.
pub const NAME_CHARS: usize = 100;
/// Most tags of a tenant: their list is not paged.
pub const TAGS_MAX: i64 = 1000;
/// Most tags of a contact.
pub const TAGS_OF_CONTACT_MAX: i64 = 200;
/// Contacts that a deleted tag is taken off in one transaction.
const BATCH: u32 = 500;

/// A label for contacts.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tag {
    #[schema(example = "tag_01HV8Y8B5MZ1N6Q3R7T9W2X4C6")]
    pub id: String,
    #[schema(example = "VIP")]
    pub name: String,
    pub created_at: Timestamp,
    /// `usr_…` or `svc_…`
    pub created_by: String,
    /// Contacts that have it, archived ones included.
    pub labeled_count: i64,
}

/// A new tag.
#[derive(Debug, Deserialize, ToSchema)]
pub struct CreateTagRequest {
    /// At most 100 characters; unique in the tenant, without regard to case.
    #[schema(max_length = 100, example = "VIP")]
    pub name: String,
}

const COLUMNS: &str = "t.id, t.name, t.created_at, t.created_by, t.labeled_count";

impl FromRow for Tag {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Tag {
            id: row.take()?,
            name: row.take()?,
            created_at: row.take()?,
            created_by: row.take()?,
            labeled_count: row.take()?,
        })
    }
}

/// All tags of the tenant, oldest first.
pub fn list(db: &Db<'_>, tenant: &str) -> Result<Vec<Tag>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM tags t WHERE t.tenant_id = ? AND t.deleted_at IS NULL ORDER BY t.seq LIMIT ?"
    );
    Ok(db.rows(&sql, params![tenant, TAGS_MAX])?)
}

fn find(db: &Db<'_>, tenant: &str, id: &str) -> Result<Tag> {
    let sql =
        format!("SELECT {COLUMNS} FROM tags t WHERE t.id = ? AND t.tenant_id = ? AND t.deleted_at IS NULL");
    db.row(&sql, params![id, tenant])?.ok_or_else(|| Problem::not_found("tag", id))
}

/// What names are compared by.
pub fn name_key(name: &str) -> String {
    name.trim().to_lowercase()
}

/// How many more tags the tenant can have.
pub fn room(db: &Db<'_>, tenant: &str) -> Result<i64> {
    let count = db.row::<(i64,)>(
        "SELECT count(*) FROM tags WHERE tenant_id = ? AND deleted_at IS NULL",
        params![tenant],
    )?;
    Ok(TAGS_MAX.saturating_sub(count.map_or(0, |(count,)| count)))
}

/// Creates a tag that no contact has.
pub fn create(db: &Db<'_>, caller: &Principal, request: &CreateTagRequest) -> Result<Tag> {
    let mut violations = Violations::new();
    violations.text("name", &request.name, NAME_CHARS);
    violations.finish()?;
    if room(db, &caller.tenant)? <= 0 {
        return Err(Problem::conflict(
            "tag_limit_reached",
            format!("A tenant can have {TAGS_MAX} tags: delete those you do not need."),
        ));
    }
    let id = insert(db, &caller.tenant, caller.actor.id(), &request.name).map_err(|error| match error {
        DbError::Unique(_) => Problem::conflict(
            "tag_name_taken",
            format!("There is a tag with the name {} already.", request.name.trim()),
        ),
        other => other.into(),
    })?;
    find(db, &caller.tenant, &id)
}

/// The row of a new tag; answers its id.
pub(crate) fn insert(db: &Db<'_>, tenant: &str, created_by: &str, name: &str) -> Result<String, DbError> {
    let id = id::new(id::Kind::Tag);
    db.run(
        "INSERT INTO tags (id, tenant_id, name, name_key, created_by, created_at) VALUES (?, ?, ?, ?, ?, ?)",
        params![id, tenant, name.trim(), name_key(name), created_by, Timestamp::now()],
    )?;
    Ok(id)
}

/// Deletes a tag and takes it off its contacts: some at once, many by a job.
pub fn delete(db: &Db<'_>, tenant: &str, id: &str) -> Result<()> {
    find(db, tenant, id)?;
    // Its name is free from now on: another may have it while contacts lose this one.
    db.run(
        "UPDATE tags SET deleted_at = ?, name = id, name_key = id WHERE id = ? AND tenant_id = ?",
        params![Timestamp::now(), id, tenant],
    )?;
    if take_off(db, tenant, id)? {
        return Ok(());
    }
    jobs::add(db, tenant, Kind::ClearTag, None, id, Timestamp::now())
}

/// Takes a deleted tag off some contacts; `true` when it was on no more, and is gone.
fn take_off(db: &Db<'_>, tenant: &str, id: &str) -> Result<bool> {
    let off = db.rows::<(i64,)>(
        "DELETE FROM contact_tags WHERE (contact_seq, tag_id) IN (
           SELECT contact_seq, tag_id FROM contact_tags WHERE tag_id = ? LIMIT ?) RETURNING 1",
        params![id, BATCH],
    )?;
    if off.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX) {
        return Ok(false);
    }
    db.run(
        "DELETE FROM tags WHERE id = ? AND tenant_id = ? AND deleted_at IS NOT NULL",
        params![id, tenant],
    )?;
    Ok(true)
}

/// A step of taking a deleted tag off its contacts.
pub fn clear(db: &Db<'_>, job: &Job) -> Result<Step> {
    Ok(if take_off(db, &job.tenant, &job.subject)? { Step::Done } else { Step::More(None) })
}

/// Puts a tag on a contact; one that it has already changes nothing.
pub fn add(db: &Db<'_>, caller: &Principal, contact: &str, tag: &str) -> Result<()> {
    let contact = contacts::find(db, &caller.tenant, contact)?;
    find(db, &caller.tenant, tag)?;
    let added = db.touches(
        "INSERT OR IGNORE INTO contact_tags (contact_seq, tag_id, created_at) VALUES (?, ?, ?) RETURNING 1",
        params![contact.seq, tag, Timestamp::now()],
    )?;
    if !added {
        return Ok(());
    }
    let count =
        db.row::<(i64,)>("SELECT count(*) FROM contact_tags WHERE contact_seq = ?", params![contact.seq])?;
    if count.is_some_and(|(count,)| count > TAGS_OF_CONTACT_MAX) {
        return Err(Problem::conflict(
            "contact_tag_limit_reached",
            format!("A contact can have {TAGS_OF_CONTACT_MAX} tags: take one off first."),
        ));
    }
    contacts::changed(db, &caller.tenant, &[contact.seq])
}

/// Takes a tag off a contact; one that it does not have changes nothing.
pub fn remove(db: &Db<'_>, caller: &Principal, contact: &str, tag: &str) -> Result<()> {
    let contact = contacts::find(db, &caller.tenant, contact)?;
    find(db, &caller.tenant, tag)?;
    let removed = db.touches(
        "DELETE FROM contact_tags WHERE contact_seq = ? AND tag_id = ? RETURNING 1",
        params![contact.seq, tag],
    )?;
    if removed { contacts::changed(db, &caller.tenant, &[contact.seq]) } else { Ok(()) }
}
