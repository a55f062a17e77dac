//! Scheduled messages: what happens when their time has come.

use crate::conversations::{self, LastMessage};
use crate::delivery::{self, Step};
use crate::inbound::consent::{self, Known};
use crate::jobs::{self, Kind};
use crate::messages::{DeliveryStatus, MessageContent};
use crate::outgoing::{self, Place};
use crate::updates;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::time::Timestamp;
use common::{Problem, Result, params};

/// A scheduled message, and what decides whether it can go now.
struct Due {
    seq: i64,
    identity_seq: i64,
    inbox_seq: i64,
    content: String,
    channel: String,
    inbox_is_gone: bool,
    contact_is_gone: bool,
    session_is_open: bool,
    last_inbound_at: Option<Timestamp>,
    consent: Known,
}

impl FromRow for Due {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Due {
            seq: row.take()?,
            identity_seq: row.take()?,
            inbox_seq: row.take()?,
            content: row.take()?,
            channel: row.take()?,
            inbox_is_gone: row.take()?,
            contact_is_gone: row.take()?,
            session_is_open: row.take()?,
            last_inbound_at: row.take()?,
            consent: Known { state: row.take()?, source: row.take()? },
        })
    }
}

/// Puts a message whose time has come into its conversation's lane, behind what waits there, or fails it with
/// a reason when it cannot go any more. A message that was cancelled meanwhile is left alone.
pub fn release(db: &Db<'_>, tenant: &str, message: &str, now: Timestamp) -> Result<()> {
    let due = db.row::<Due>(
        "SELECT m.seq, m.identity_seq, m.inbox_seq, m.content,
                (SELECT i.channel FROM identities i WHERE i.seq = m.identity_seq),
                (SELECT b.deleted_at FROM inboxes b WHERE b.seq = m.inbox_seq) IS NOT NULL,
                (SELECT c.deleted_at FROM contacts c WHERE c.seq =
                   (SELECT i.contact_seq FROM identities i WHERE i.seq = m.identity_seq)) IS NOT NULL,
                (SELECT count(*) FROM sessions s WHERE s.identity_seq = m.identity_seq AND s.closed_at IS NULL),
                (SELECT ci.last_inbound_at FROM contact_inboxes ci
                  WHERE ci.identity_seq = m.identity_seq AND ci.inbox_seq = m.inbox_seq),
                (SELECT i.consent FROM identities i WHERE i.seq = m.identity_seq),
                (SELECT i.consent_source FROM identities i WHERE i.seq = m.identity_seq)
           FROM messages m WHERE m.id = ? AND m.tenant_id = ? AND m.status = 0 AND m.deleted_at IS NULL",
        params![message, tenant],
    )?;
    let Some(due) = due else { return Ok(()) };
    let fail = |code, reason| delivery::fail(db, tenant, message, code, reason);
    if due.inbox_is_gone {
        return fail("inbox_gone", "The inbox was disconnected before the message was due.");
    }
    if due.contact_is_gone {
        return fail("contact_gone", "The contact was deleted before the message was due.");
    }
    let content: MessageContent = serde_json::from_str(&due.content)
        .map_err(|error| Problem::internal(format!("the content of {message} cannot be read: {error}")))?;
    if consent::forbids(&due.consent, &content) {
        return fail("recipient_opted_out", "The recipient does not want messages on this channel.");
    }
    let place = Place {
        channel: &due.channel,
        inbox_seq: due.inbox_seq,
        last_inbound_at: due.last_inbound_at,
        session_is_open: due.session_is_open,
    };
    if outgoing::check_window(&place, &content, now).is_err() {
        return fail(
            "window_closed",
            "The messaging window was closed when the message was due: the customer has not written lately.",
        );
    }
    let (session_seq, ..) = conversations::open_session(db, tenant, due.identity_seq, due.inbox_seq, now)?;
    db.run(
        "UPDATE messages SET session_seq = ? WHERE seq = ? AND tenant_id = ?",
        params![session_seq, due.seq, tenant],
    )?;
    let last = LastMessage { at: now, preview: content.preview(), sender: "user" };
    conversations::note_message(db, due.identity_seq, due.inbox_seq, &last)?;
    if due.channel == "text" {
        let step = Step { status: DeliveryStatus::Sent, at: now, provider_id: None, failure: None };
        delivery::apply(db, tenant, message, &step)?;
        return updates::released(db, tenant, due.identity_seq, due.seq);
    }
    let lane = outgoing::lane(due.inbox_seq, due.identity_seq);
    jobs::add(db, tenant, Kind::SendMessage, Some(&lane), message, now)
}
