//! Merging two contacts that are one person, and undoing it.
//!
//! Identities move with their conversations; tags and fields that the other lacks are copied. What became a part of
//! another is deleted softly and keeps its own row, tags and fields, so that undoing gives back what was taken and
//! brings the row to life. What came in after the merge stays with the identity it came to.

use super::{Contact, by_seq, find, lifecycle, updated_event};
use crate::audit::{self, Action};
use crate::events;
use common::auth::Principal;
use common::db::{Db, FromRow, Row};
use common::time::Timestamp;
use common::{Problem, Result, id, params};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;
use utoipa::ToSchema;

/// How long a merge can be undone.
pub const UNDO: Duration = Duration::from_secs(30 * 24 * 60 * 60);

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MergeRequest {
    /// The contact that becomes a part of the other and is deleted.
    #[schema(example = "con_01HV8Y5R5RFMS0TFK6PKF9H2S9")]
    pub contact_id: String,
}

/// Two contacts made one.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Merge {
    #[schema(example = "mrg_01HV8ZM2S0R7M4E5P6Q8T1A2B3")]
    pub merge_id: String,
    /// Until then it can be undone.
    pub undo_before: Timestamp,
    /// The contact with what it took over.
    pub contact: Contact,
}

/// The two contacts after a merge was undone.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Undone {
    /// The one that had taken over.
    pub contact: Contact,
    /// The one that is back.
    pub restored: Contact,
}

/// What a merge moved; `before` and `after` are the columns of [`Marks`].
#[derive(Debug, Serialize, Deserialize)]
struct Moved {
    identities: Vec<i64>,
    /// Live-chat visitors who counted as the owner of the contact they were moved from.
    owners: Vec<i64>,
    tags: Vec<String>,
    fields: Vec<String>,
    before: Marks,
    after: Marks,
}

/// What a contact says of a person beside tags and fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Marks {
    name: Option<String>,
    email: Option<String>,
    identifier: Option<String>,
    phone_number: Option<String>,
}

impl FromRow for Marks {
    fn from_row(row: &mut Row) -> Result<Self, common::db::Error> {
        Ok(Marks {
            name: row.take()?,
            email: row.take()?,
            identifier: row.take()?,
            phone_number: row.take()?,
        })
    }
}

impl Marks {
    fn read(db: &Db<'_>, tenant: &str, seq: i64) -> Result<Self> {
        db.row(
            "SELECT name, email, identifier, phone_number FROM contacts WHERE seq = ? AND tenant_id = ?",
            params![seq, tenant],
        )?
        .ok_or_else(|| Problem::internal("a contact vanished in its transaction"))
    }

    fn write(&self, db: &Db<'_>, tenant: &str, seq: i64, now: Timestamp) -> Result<()> {
        Ok(db.run(
            "UPDATE contacts SET name = ?, email = ?, identifier = ?, phone_number = ?, updated_at = ?
              WHERE seq = ? AND tenant_id = ?",
            params![self.name, self.email, self.identifier, self.phone_number, now, seq, tenant],
        )?)
    }

    /// These, and what they lack of others.
    fn or(&self, other: &Marks) -> Marks {
        let pick = |own: &Option<String>, other: &Option<String>| own.clone().or_else(|| other.clone());
        Marks {
            name: pick(&self.name, &other.name),
            email: pick(&self.email, &other.email),
            identifier: pick(&self.identifier, &other.identifier),
            phone_number: pick(&self.phone_number, &other.phone_number),
        }
    }

    /// What they are now, but as before where nothing changed since the merge.
    fn back(&self, before: &Marks, after: &Marks) -> Marks {
        let pick = |now: &Option<String>, before: &Option<String>, after: &Option<String>| {
            if now == after { before.clone() } else { now.clone() }
        };
        Marks {
            name: pick(&self.name, &before.name, &after.name),
            email: pick(&self.email, &before.email, &after.email),
            identifier: pick(&self.identifier, &before.identifier, &after.identifier),
            phone_number: pick(&self.phone_number, &before.phone_number, &after.phone_number),
        }
    }
}

/// Makes one contact a part of another.
pub fn merge(db: &Db<'_>, caller: &Principal, id: &str, request: &MergeRequest) -> Result<Merge> {
    let tenant = caller.tenant.as_str();
    let into = find(db, tenant, id)?;
    if request.contact_id == id {
        return Err(Problem::invalid("contactId", "must be another contact"));
    }
    let from = find(db, tenant, &request.contact_id).map_err(|problem| match problem.code.as_str() {
        "contact_not_found" => Problem::invalid("contactId", "is no contact of this tenant"),
        _ => problem,
    })?;
    let now = Timestamp::now();
    let before = Marks::read(db, tenant, into.seq)?;
    let after = before.or(&Marks::read(db, tenant, from.seq)?);
    let moved = Moved {
        identities: seqs(db.rows(
            "SELECT seq FROM identities WHERE contact_seq = ? AND tenant_id = ?",
            params![from.seq, tenant],
        )?),
        owners: seqs(db.rows(
            "SELECT v.identity_seq FROM livechat_visitors v WHERE v.tenant_id = ? AND v.is_owner = 1
                AND v.identity_seq IN (SELECT i.seq FROM identities i WHERE i.contact_seq = ?)",
            params![tenant, from.seq],
        )?),
        tags: copy_tags(db, from.seq, into.seq)?,
        fields: copy_fields(db, tenant, from.seq, into.seq)?,
        before,
        after,
    };
    move_identities(db, tenant, &moved.identities, into.seq)?;
    set_owners(db, tenant, &moved.owners, false)?;
    lifecycle::mark_deleted(db, tenant, from.seq, now)?;
    moved.after.write(db, tenant, into.seq, now)?;
    let merge_id = id::new(id::Kind::Merge);
    let journal = serde_json::to_string(&moved).map_err(|error| Problem::internal(error.to_string()))?;
    db.run(
        "INSERT INTO contact_merges (id, tenant_id, into_seq, from_seq, made_by, moved, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
        params![merge_id, tenant, into.seq, from.seq, caller.actor.id(), journal, now],
    )?;
    let details = json!({"mergeId": merge_id, "mergedContactId": from.id});
    audit::record(db, tenant, caller, Action::ContactMerged, &into.id, details)?;
    let contact = by_seq(db, tenant, into.seq)?;
    events::emit(db, tenant, now, &[updated_event(&contact)?])?;
    Ok(Merge { merge_id, undo_before: now.after(UNDO), contact })
}

/// A merge as it was noted.
struct Noted {
    seq: i64,
    into_seq: i64,
    from_seq: i64,
    moved: String,
    created_at: Timestamp,
    undone_at: Option<Timestamp>,
}

impl FromRow for Noted {
    fn from_row(row: &mut Row) -> Result<Self, common::db::Error> {
        Ok(Noted {
            seq: row.take()?,
            into_seq: row.take()?,
            from_seq: row.take()?,
            moved: row.take()?,
            created_at: row.take()?,
            undone_at: row.take()?,
        })
    }
}

/// Undoes a merge: identities that are still with the contact go back, what was copied is taken off, the other
/// contact is there again.
pub fn undo(db: &Db<'_>, caller: &Principal, merge: &str) -> Result<Undone> {
    let tenant = caller.tenant.as_str();
    let noted = db
        .row::<Noted>(
            "SELECT seq, into_seq, from_seq, moved, created_at, undone_at FROM contact_merges
              WHERE id = ? AND tenant_id = ?",
            params![merge, tenant],
        )?
        .ok_or_else(|| Problem::not_found("merge", merge))?;
    let now = Timestamp::now();
    if noted.undone_at.is_some() {
        return Err(Problem::conflict("merge_already_undone", format!("{merge} was undone already.")));
    }
    if now > noted.created_at.after(UNDO) {
        return Err(Problem::conflict("merge_undo_expired", format!("{merge} is older than 30 days.")));
    }
    let is_there = db.touches(
        "SELECT 1 FROM contacts WHERE seq = ? AND tenant_id = ? AND deleted_at IS NULL",
        params![noted.into_seq, tenant],
    )?;
    if !is_there {
        return Err(Problem::conflict(
            "merge_contact_gone",
            "The contact was deleted or merged further since. Undo that merge first.",
        ));
    }
    let moved: Moved = serde_json::from_str(&noted.moved)
        .map_err(|error| Problem::internal(format!("{merge} cannot be read: {error}")))?;
    let still: Vec<i64> = seqs(db.rows(
        "SELECT seq FROM identities WHERE contact_seq = ? AND seq IN (SELECT value FROM json_each(?))",
        params![noted.into_seq, listed(&moved.identities)],
    )?);
    Marks::read(db, tenant, noted.into_seq)?.back(&moved.before, &moved.after).write(
        db,
        tenant,
        noted.into_seq,
        now,
    )?;
    let event = lifecycle::undelete(db, tenant, noted.from_seq, now)?;
    move_identities(db, tenant, &still, noted.from_seq)?;
    set_owners(db, tenant, &moved.owners, true)?;
    db.run(
        "DELETE FROM contact_tags WHERE contact_seq = ? AND tag_id IN (SELECT value FROM json_each(?))",
        params![noted.into_seq, serde_json::to_string(&moved.tags).unwrap_or_default()],
    )?;
    // A field that was changed since stays.
    db.run(
        "DELETE FROM contact_fields WHERE contact_seq = ?1 AND tenant_id = ?2
            AND field_id IN (SELECT value FROM json_each(?3))
            AND value = (SELECT o.value FROM contact_fields o
                          WHERE o.contact_seq = ?4 AND o.field_id = contact_fields.field_id)",
        params![
            noted.into_seq,
            tenant,
            serde_json::to_string(&moved.fields).unwrap_or_default(),
            noted.from_seq
        ],
    )?;
    db.run(
        "UPDATE contact_merges SET undone_at = ? WHERE seq = ? AND tenant_id = ?",
        params![now, noted.seq, tenant],
    )?;
    let (contact, restored) = (by_seq(db, tenant, noted.into_seq)?, by_seq(db, tenant, noted.from_seq)?);
    let details = json!({"mergeId": merge, "restoredContactId": restored.id});
    audit::record(db, tenant, caller, Action::ContactMergeUndone, &contact.id, details)?;
    events::emit(db, tenant, now, &[updated_event(&contact)?, event])?;
    Ok(Undone { contact, restored })
}

/// Moves identities to a contact, and the messages that their people wrote are that contact's.
fn move_identities(db: &Db<'_>, tenant: &str, identities: &[i64], contact_seq: i64) -> Result<()> {
    let identities = listed(identities);
    db.run(
        "UPDATE identities SET contact_seq = ? WHERE tenant_id = ? AND seq IN (SELECT value FROM json_each(?))",
        params![contact_seq, tenant, identities],
    )?;
    db.run(
        "UPDATE messages SET sender_id = (SELECT c.id FROM contacts c WHERE c.seq = ?)
          WHERE identity_seq IN (SELECT value FROM json_each(?)) AND tenant_id = ? AND sender_type = 'customer'",
        params![contact_seq, identities, tenant],
    )?;
    Ok(db.run(
        "UPDATE reactions SET sender_id = (SELECT c.id FROM contacts c WHERE c.seq = ?)
          WHERE sender_type = 'customer' AND tenant_id = ? AND message_seq IN (
            SELECT m.seq FROM messages m WHERE m.identity_seq IN (SELECT value FROM json_each(?)))",
        params![contact_seq, tenant, identities],
    )?)
}

/// A visitor who was moved does not own the contact they came to: they do not see what it says of others.
fn set_owners(db: &Db<'_>, tenant: &str, identities: &[i64], is_owner: bool) -> Result<()> {
    Ok(db.run(
        "UPDATE livechat_visitors SET is_owner = ?
          WHERE tenant_id = ? AND identity_seq IN (SELECT value FROM json_each(?))",
        params![is_owner, tenant, listed(identities)],
    )?)
}

/// Copies tags that the other has not; answers which.
fn copy_tags(db: &Db<'_>, from: i64, into: i64) -> Result<Vec<String>> {
    let copied = db.rows::<(String,)>(
        "INSERT INTO contact_tags (contact_seq, tag_id, created_at)
         SELECT ?1, t.tag_id, t.created_at FROM contact_tags t
          WHERE t.contact_seq = ?2
            AND NOT EXISTS (SELECT 1 FROM contact_tags o WHERE o.contact_seq = ?1 AND o.tag_id = t.tag_id)
         RETURNING tag_id",
        params![into, from],
    )?;
    Ok(copied.into_iter().map(|(tag,)| tag).collect())
}

/// Copies values of fields that the other has not; answers which.
fn copy_fields(db: &Db<'_>, tenant: &str, from: i64, into: i64) -> Result<Vec<String>> {
    let copied = db.rows::<(String,)>(
        "INSERT INTO contact_fields (contact_seq, field_id, tenant_id, value)
         SELECT ?1, f.field_id, f.tenant_id, f.value FROM contact_fields f
          WHERE f.contact_seq = ?2 AND f.tenant_id = ?3
            AND NOT EXISTS (SELECT 1 FROM contact_fields o WHERE o.contact_seq = ?1 AND o.field_id = f.field_id)
         RETURNING field_id",
        params![into, from, tenant],
    )?;
    Ok(copied.into_iter().map(|(field,)| field).collect())
}

fn seqs(rows: Vec<(i64,)>) -> Vec<i64> {
    rows.into_iter().map(|(seq,)| seq).collect()
}

fn listed(seqs: &[i64]) -> String {
    serde_json::to_string(seqs).unwrap_or_default()
}
