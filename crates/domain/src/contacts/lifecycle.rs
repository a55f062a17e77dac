//! Archiving, deleting and erasing contacts.
//!
//! An archived contact is out of the active list and nothing else: it can be written to, and when the person writes
//! it is active again. A deleted one is gone from everything that is read, nothing is sent to it any more, and the
//! person who writes again is somebody new. An erased one is deleted, and what it said of the person goes as well:
//! what is one row at once, its messages and files by a job.

use super::{by_seq, created_event, find, updated_event};
use crate::audit::{self, Action};
use crate::events::{self, Event};
use crate::jobs::{self, Job, Kind, Step};
use crate::messages::MessageContent;
use crate::{callbacks, media};
use common::auth::{Principal, Role};
use common::db::Db;
use common::time::Timestamp;
use common::{Problem, Result, params};
use serde_json::json;

/// Messages that one step of an erasure empties.
const STEP: u32 = 200;

/// Takes a contact out of the active list, or puts it back; a 409 when it is there already.
pub fn set_archived(db: &Db<'_>, caller: &Principal, id: &str, archived: bool) -> Result<()> {
    let tenant = caller.tenant.as_str();
    let before = find(db, tenant, id)?;
    match (before.archived_at.is_some(), archived) {
        (true, true) => {
            return Err(Problem::conflict("contact_already_archived", format!("{id} is archived already.")));
        }
        (false, false) => {
            return Err(Problem::conflict("contact_not_archived", format!("{id} is not archived.")));
        }
        _ => {}
    }
    let now = Timestamp::now();
    let kind = if archived { "contact.archived" } else { "contact.updated" };
    write_archived(db, tenant, before.seq, archived.then_some(now), now)?;
    events::emit(
        db,
        tenant,
        now,
        &[Event::new(kind, &super::ContactData { contact: &by_seq(db, tenant, before.seq)? })?],
    )
}

/// The person has written: an archived contact is active again. Answers the event to tell of it.
pub(crate) fn revive(db: &Db<'_>, tenant: &str, contact_seq: i64, now: Timestamp) -> Result<Option<Event>> {
    let is_archived = db.touches(
        "SELECT 1 FROM contacts WHERE seq = ? AND tenant_id = ? AND archived_at IS NOT NULL",
        params![contact_seq, tenant],
    )?;
    if !is_archived {
        return Ok(None);
    }
    write_archived(db, tenant, contact_seq, None, now)?;
    updated_event(&by_seq(db, tenant, contact_seq)?).map(Some)
}

fn write_archived(db: &Db<'_>, tenant: &str, seq: i64, at: Option<Timestamp>, now: Timestamp) -> Result<()> {
    Ok(db.run(
        "UPDATE contacts SET archived_at = ?, updated_at = ? WHERE seq = ? AND tenant_id = ?",
        params![at, now, seq, tenant],
    )?)
}

/// Deletes a contact softly. Its open sessions close by a trigger; what was not sent yet fails when its turn comes.
pub fn delete(db: &Db<'_>, caller: &Principal, id: &str) -> Result<()> {
    let contact = find(db, &caller.tenant, id)?;
    mark_deleted(db, &caller.tenant, contact.seq, Timestamp::now())
}

pub(super) fn mark_deleted(db: &Db<'_>, tenant: &str, seq: i64, now: Timestamp) -> Result<()> {
    Ok(db.run(
        "UPDATE contacts SET deleted_at = ?1, updated_at = ?1 WHERE seq = ?2 AND tenant_id = ?3",
        params![now, seq, tenant],
    )?)
}

/// Erases a person, for owners and admins: also a contact that was deleted before. What was merged into the contact
/// goes with it. Names, fields and addresses are gone with this transaction, the rest by a job.
pub fn erase(db: &Db<'_>, caller: &Principal, id: &str) -> Result<()> {
    if !matches!(caller.role, Role::Owner | Role::Admin) {
        return Err(Problem::forbidden(
            "auth_authz_contact_erase_denied",
            "Erasing a person for good is for owners and admins. Agents may delete contacts.",
        ));
    }
    let tenant = caller.tenant.as_str();
    let found = db.row::<(i64,)>(
        "SELECT seq FROM contacts WHERE id = ? AND tenant_id = ? AND erased_at IS NULL",
        params![id, tenant],
    )?;
    let (seq,) = found.ok_or_else(|| Problem::not_found("contact", id))?;
    let is_part = db.touches(
        "SELECT 1 FROM contact_merges WHERE from_seq = ? AND tenant_id = ? AND undone_at IS NULL",
        params![seq, tenant],
    )?;
    if is_part {
        return Err(Problem::conflict(
            "contact_merged",
            "The contact is a part of another one: erase that one, or undo the merge first.",
        ));
    }
    let now = Timestamp::now();
    let persons = db.rows::<(i64, String)>(
        "WITH RECURSIVE persons (seq) AS (
           SELECT ?1 UNION
           SELECT m.from_seq FROM contact_merges m, persons p WHERE m.into_seq = p.seq AND m.undone_at IS NULL)
         SELECT c.seq, c.id FROM persons p, contacts c WHERE c.seq = p.seq AND c.tenant_id = ?2",
        params![seq, tenant],
    )?;
    for (seq, contact) in &persons {
        erase_row(db, tenant, *seq, now)?;
        jobs::add(db, tenant, Kind::EraseContact, Some(&format!("erase:{contact}")), contact, now)?;
    }
    audit::record(db, tenant, caller, Action::ContactErased, id, json!({"contacts": persons.len()}))
}

/// What a contact's own rows hold of the person.
fn erase_row(db: &Db<'_>, tenant: &str, seq: i64, now: Timestamp) -> Result<()> {
    db.run("DELETE FROM contact_fields WHERE contact_seq = ? AND tenant_id = ?", params![seq, tenant])?;
    db.run("DELETE FROM contact_tags WHERE contact_seq = ?", params![seq])?;
    db.run(
        "UPDATE contacts
            SET name = NULL, email = NULL, identifier = NULL, phone_number = NULL, custom_attributes = '{}',
                deleted_at = coalesce(deleted_at, ?1), updated_at = ?1, erased_at = ?1
          WHERE seq = ?2 AND tenant_id = ?3",
        params![now, seq, tenant],
    )?;
    db.run(
        "DELETE FROM contact_merges WHERE tenant_id = ? AND ? IN (into_seq, from_seq)",
        params![tenant, seq],
    )?;
    db.run(
        "DELETE FROM livechat_visitors WHERE tenant_id = ? AND identity_seq IN (
           SELECT i.seq FROM identities i WHERE i.contact_seq = ?)",
        params![tenant, seq],
    )?;
    db.run(
        "UPDATE contact_inboxes SET source_id = '' WHERE tenant_id = ? AND identity_seq IN (
           SELECT i.seq FROM identities i WHERE i.contact_seq = ?)",
        params![tenant, seq],
    )?;
    db.run(
        "UPDATE sessions SET custom_attributes = '{}' WHERE tenant_id = ? AND identity_seq IN (
           SELECT i.seq FROM identities i WHERE i.contact_seq = ?)",
        params![tenant, seq],
    )?;
    // The address is free for whoever writes from it next.
    Ok(db.run(
        "UPDATE identities SET address = 'erased:' || id, user_id = NULL, username = NULL, last_message_text = NULL,
                consent = NULL, consent_source = NULL, consent_at = NULL
          WHERE tenant_id = ? AND contact_seq = ?",
        params![tenant, seq],
    )?)
}

/// Messages of an erased contact that were not emptied yet, from behind the message `?5` of the identity `?4` on. A file
/// of ours may have gone to others too: only what the person sent goes. Public for its test, which needs no server.
#[doc(hidden)]
pub const TO_ERASE: &str = "
    SELECT m.seq, i.seq, coalesce((SELECT f.id FROM media f WHERE f.id = m.content ->> '$.media.mediaId'
                                      AND f.identity_seq IS NOT NULL), ''), m.callback_seq
      FROM contacts c CROSS JOIN identities i ON i.contact_seq = c.seq
           CROSS JOIN messages m ON m.identity_seq = i.seq
     WHERE c.id = ?1 AND c.tenant_id = ?2 AND c.erased_at IS NOT NULL AND m.content <> ?3
       AND i.seq >= ?4 AND m.seq > CASE i.seq WHEN ?4 THEN ?5 ELSE 0 END
     ORDER BY i.seq, m.seq LIMIT ?6";

/// One step of an erasure: empties the messages behind the last one of the step before, an identity and a message.
pub fn erase_step(db: &Db<'_>, job: &Job, last: Option<&str>) -> Result<Step> {
    let tenant = job.tenant.as_str();
    let (identity, message): (i64, i64) =
        last.and_then(|last| serde_json::from_str(last).ok()).unwrap_or_default();
    let messages = db.rows::<(i64, i64, String, Option<i64>)>(
        TO_ERASE,
        params![job.subject, tenant, MessageContent::Deleted {}.to_json()?, identity, message, STEP],
    )?;
    let Some((message, identity, ..)) = messages.last() else { return Ok(Step::Done) };
    let last = serde_json::to_string(&(identity, message)).ok();
    for (_, _, file, callback) in &messages {
        if !file.is_empty() {
            media::remove(db, tenant, file)?;
        }
        if let Some(callback) = callback {
            callbacks::clear(db, *callback)?;
        }
    }
    let seqs: Vec<i64> = messages.iter().map(|(seq, ..)| *seq).collect();
    let seqs = serde_json::to_string(&seqs).unwrap_or_default();
    for sql in [
        "DELETE FROM message_metadata WHERE message_seq IN (SELECT value FROM json_each(?1)) AND tenant_id = ?2",
        "DELETE FROM livechat_answers WHERE message_seq IN (SELECT value FROM json_each(?1)) AND tenant_id = ?2",
        "DELETE FROM reactions WHERE message_seq IN (SELECT value FROM json_each(?1)) AND tenant_id = ?2",
    ] {
        db.run(sql, params![seqs, tenant])?;
    }
    db.run(
        "DELETE FROM reaction_events WHERE message_seq IN (SELECT value FROM json_each(?))",
        params![seqs],
    )?;
    let now = Timestamp::now();
    db.run(
        "UPDATE messages SET content = ?1, metadata = NULL, deleted_at = coalesce(deleted_at, ?2), updated_at = ?2
          WHERE seq IN (SELECT value FROM json_each(?3)) AND tenant_id = ?4",
        params![MessageContent::Deleted {}.to_json()?, now, seqs, tenant],
    )?;
    Ok(Step::More(last))
}

/// A contact that was deleted comes back: with a merge that is undone. An external id that another contact has got
/// meanwhile stays that contact's.
pub(super) fn undelete(db: &Db<'_>, tenant: &str, seq: i64, now: Timestamp) -> Result<Event> {
    db.run(
        "UPDATE contacts SET deleted_at = NULL, updated_at = ?1,
                identifier = CASE WHEN EXISTS (
                  SELECT 1 FROM contacts o WHERE o.tenant_id = ?3 AND o.identifier = contacts.identifier
                                             AND o.deleted_at IS NULL) THEN NULL ELSE identifier END
          WHERE seq = ?2 AND tenant_id = ?3",
        params![now, seq, tenant],
    )?;
    created_event(&by_seq(db, tenant, seq)?)
}
