//! Two identities that turn out to be one person become one: sessions, messages and windows move.

use crate::{jobs, outgoing};
use common::db::Db;
use common::time::Timestamp;
use common::{Result, params};

/// Moves everything of the identity `from` to `into`, and removes `from`; its conversation's id is gone with it.
///
/// The contact of `from`, when nothing is left of it, gives its name, tags and fields to the other and goes too.
pub(super) fn into(db: &Db<'_>, tenant: &str, from: i64, into: i64, now: Timestamp) -> Result<()> {
    // One open session a conversation: the one of `into` goes on.
    db.run(
        "UPDATE sessions SET closed_at = ?1 WHERE identity_seq = ?2 AND tenant_id = ?3 AND closed_at IS NULL
            AND EXISTS (SELECT 1 FROM sessions o WHERE o.identity_seq = ?4 AND o.closed_at IS NULL)",
        params![now, from, tenant, into],
    )?;
    db.run(
        "UPDATE sessions SET identity_seq = ?2 WHERE identity_seq = ?1 AND tenant_id = ?3",
        params![from, into, tenant],
    )?;
    // The contact that is there stays; one that was deleted takes nobody over.
    db.run(
        "UPDATE identities SET contact_seq = (SELECT f.contact_seq FROM identities f WHERE f.seq = ?1)
          WHERE seq = ?2 AND tenant_id = ?3
            AND (SELECT c.deleted_at FROM contacts c WHERE c.seq = identities.contact_seq) IS NOT NULL",
        params![from, into, tenant],
    )?;
    let contacts = db.row::<(i64, i64, String)>(
        "SELECT (SELECT contact_seq FROM identities WHERE seq = ?1), contact_seq,
                (SELECT c.id FROM contacts c WHERE c.seq = identities.contact_seq)
           FROM identities WHERE seq = ?2 AND tenant_id = ?3",
        params![from, into, tenant],
    )?;
    let Some((old_contact, contact, contact_id)) = contacts else { return Ok(()) };
    db.run(
        "UPDATE OR REPLACE reactions SET sender_id = ?1
          WHERE sender_type = 'customer' AND message_seq IN (SELECT seq FROM messages WHERE identity_seq = ?2)",
        params![contact_id, from],
    )?;
    db.run(
        "UPDATE messages SET identity_seq = ?1, sender_id = CASE sender_type WHEN 'customer' THEN ?2 ELSE sender_id END
          WHERE identity_seq = ?3 AND tenant_id = ?4",
        params![into, contact_id, from, tenant],
    )?;
    db.run("UPDATE media SET identity_seq = ? WHERE identity_seq = ?", params![into, from])?;
    db.run(
        "UPDATE OR IGNORE reaction_events SET identity_seq = ?1
          WHERE message_seq IN (SELECT seq FROM messages WHERE identity_seq = ?1) AND identity_seq = ?2",
        params![into, from],
    )?;
    db.run(
        "INSERT INTO contact_inboxes (identity_seq, inbox_seq, tenant_id, source_id, last_inbound_at, created_at)
         SELECT ?1, inbox_seq, tenant_id, (SELECT i.address FROM identities i WHERE i.seq = ?1), last_inbound_at, created_at
           FROM contact_inboxes WHERE identity_seq = ?2
         ON CONFLICT (identity_seq, inbox_seq) DO UPDATE
            SET last_inbound_at = nullif(max(coalesce(last_inbound_at, 0), coalesce(excluded.last_inbound_at, 0)), 0)",
        params![into, from],
    )?;
    move_jobs(db, tenant, from, into)?;
    db.run("DELETE FROM contact_inboxes WHERE identity_seq = ? AND tenant_id = ?", params![from, tenant])?;
    // The later word of both counts; what is shown of the thread is that of its latest message and session.
    db.run(
        "UPDATE identities
            SET consent = f.consent, consent_source = f.consent_source, consent_at = f.consent_at
           FROM (SELECT consent, consent_source, consent_at FROM identities WHERE seq = ?2) f
          WHERE identities.seq = ?1 AND coalesce(f.consent_at, 0) > coalesce(identities.consent_at, 0)",
        params![into, from],
    )?;
    db.run(
        "UPDATE identities
            SET username = coalesce(identities.username, f.username),
                started_at = coalesce(min(identities.started_at, f.started_at), identities.started_at, f.started_at),
                last_inbox_seq = CASE WHEN f.last_message_at > coalesce(identities.last_message_at, 0) THEN f.last_inbox_seq
                                      ELSE identities.last_inbox_seq END,
                last_message_text = CASE WHEN f.last_message_at > coalesce(identities.last_message_at, 0)
                                         THEN f.last_message_text ELSE identities.last_message_text END,
                last_message_sender = CASE WHEN f.last_message_at > coalesce(identities.last_message_at, 0)
                                           THEN f.last_message_sender ELSE identities.last_message_sender END,
                last_message_at = nullif(max(coalesce(identities.last_message_at, 0), coalesce(f.last_message_at, 0)), 0)
           FROM (SELECT username, started_at, last_inbox_seq, last_message_at, last_message_text, last_message_sender
                   FROM identities WHERE seq = ?2) f
          WHERE identities.seq = ?1",
        params![into, from],
    )?;
    move_reading(db, tenant, from, into)?;
    db.run("DELETE FROM identities WHERE seq = ? AND tenant_id = ?", params![from, tenant])?;
    db.run(
        "UPDATE identities
            SET is_open = EXISTS (SELECT 1 FROM sessions s WHERE s.identity_seq = ?1 AND s.closed_at IS NULL),
                team_id = (SELECT s.team_id FROM sessions s WHERE s.identity_seq = ?1 ORDER BY s.closed_at IS NULL DESC, s.seq DESC LIMIT 1),
                assignee_id = (SELECT s.assignee_id FROM sessions s WHERE s.identity_seq = ?1 ORDER BY s.closed_at IS NULL DESC, s.seq DESC LIMIT 1)
          WHERE seq = ?1",
        params![into],
    )?;
    if old_contact == contact {
        return Ok(());
    }
    let is_left = db.touches("SELECT 1 FROM identities WHERE contact_seq = ?", params![old_contact])?;
    if is_left {
        return Ok(());
    }
    db.run(
        "INSERT OR IGNORE INTO contact_tags (contact_seq, tag_id, created_at)
         SELECT ?, tag_id, created_at FROM contact_tags WHERE contact_seq = ?",
        params![contact, old_contact],
    )?;
    db.run(
        "INSERT OR IGNORE INTO contact_fields (contact_seq, field_id, tenant_id, value)
         SELECT ?, field_id, tenant_id, value FROM contact_fields WHERE contact_seq = ?",
        params![contact, old_contact],
    )?;
    db.run(
        "UPDATE contacts
            SET name = coalesce(contacts.name, o.name), email = coalesce(contacts.email, o.email),
                identifier = coalesce(contacts.identifier, o.identifier),
                phone_number = coalesce(contacts.phone_number, o.phone_number), updated_at = ?2
           FROM (SELECT c.name, c.email, c.identifier, c.phone_number FROM contacts c WHERE c.seq = ?1) o
          WHERE contacts.seq = ?3 AND contacts.tenant_id = ?4",
        params![old_contact, now, contact, tenant],
    )?;
    // Nothing of the person stays behind, where erasing them would not find it.
    db.run("DELETE FROM contact_tags WHERE contact_seq = ?", params![old_contact])?;
    db.run(
        "DELETE FROM contact_fields WHERE contact_seq = ? AND tenant_id = ?",
        params![old_contact, tenant],
    )?;
    Ok(db.run(
        "UPDATE contacts
            SET name = NULL, email = NULL, identifier = NULL, phone_number = NULL, custom_attributes = '{}',
                deleted_at = coalesce(deleted_at, ?1), updated_at = ?1
          WHERE seq = ?2 AND tenant_id = ?3",
        params![now, old_contact, tenant],
    )?)
}

/// What waits to be sent: it can be changed and cancelled as before, and what is sent later comes behind it.
fn move_jobs(db: &Db<'_>, tenant: &str, from: i64, into: i64) -> Result<()> {
    let inboxes = db.rows::<(i64,)>(
        "SELECT inbox_seq FROM contact_inboxes WHERE identity_seq = ? AND tenant_id = ?",
        params![from, tenant],
    )?;
    for (inbox,) in inboxes {
        jobs::move_lane(db, tenant, &outgoing::lane(inbox, from), &outgoing::lane(inbox, into))?;
    }
    Ok(())
}

/// What was read, and who wrote: whoever had read all of both has read all.
fn move_reading(db: &Db<'_>, tenant: &str, from: i64, into: i64) -> Result<()> {
    db.run(
        "UPDATE identities
            SET inbound_count = (SELECT count(*) FROM messages m WHERE m.identity_seq = ?1 AND m.direction = 'in'),
                inbound_before = (SELECT count(*) FROM messages m
                                   WHERE m.identity_seq = ?1 AND m.direction = 'in' AND m.session_seq <
                                         (SELECT max(s.seq) FROM sessions s WHERE s.identity_seq = ?1))
          WHERE seq = ?1 AND tenant_id = ?2",
        params![into, tenant],
    )?;
    db.run(
        "INSERT INTO read_markers (reader_id, identity_seq, tenant_id, read_count, updated_at)
         SELECT reader_id, ?1, tenant_id, read_count, updated_at FROM read_markers WHERE identity_seq = ?2
         ON CONFLICT (reader_id, identity_seq) DO UPDATE SET read_count = read_count + excluded.read_count",
        params![into, from],
    )?;
    db.run("DELETE FROM read_markers WHERE identity_seq = ?", params![from])?;
    db.run(
        "INSERT OR IGNORE INTO interactions (actor_id, identity_seq)
         SELECT actor_id, ? FROM interactions WHERE identity_seq = ?",
        params![into, from],
    )?;
    Ok(db.run("DELETE FROM interactions WHERE identity_seq = ?", params![from])?)
}
