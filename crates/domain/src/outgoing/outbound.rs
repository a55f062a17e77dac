//! What a send job needs of its message.

use crate::content::MessageContent;
use crate::inbound::consent::{self, Known};
use crate::inboxes::{self, Connection};
use common::db::{Db, Error as DbError, FromRow, Row};
use common::time::Timestamp;
use common::{Problem, Result, params};

/// A message on its way to a provider.
#[derive(Debug)]
pub struct Outbound {
    pub message_seq: i64,
    pub identity_seq: i64,
    pub content: MessageContent,
    /// What the provider calls the person.
    pub to: String,
    /// The provider's id of the message that is quoted.
    pub reply_to: Option<String>,
    /// Of the customer's latest message to this inbox.
    pub last_inbound_at: Option<Timestamp>,
    pub inbox: Connection,
    /// Whether the person was deleted since.
    pub contact_is_gone: bool,
    /// Whether the person opted out of this since.
    pub is_unwanted: bool,
    /// Whether they opted out of everything, reactions included.
    pub wants_nothing: bool,
    /// Whether it still waits for the provider.
    pub pending: bool,
    /// What the provider calls this very message, once it has it.
    pub provider_id: Option<String>,
    /// When it could be sent first: accepted, due, or its inbox accepted again.
    pub fresh_since: Timestamp,
    /// Whether its inbox has a pace to keep ([`crate::pace`]).
    pub paced: bool,
    /// Whether the provider refuses its inbox now.
    pub alerted: bool,
    /// Whether a success is news for its inbox.
    pub success_is_news: bool,
}

struct Found {
    message_seq: i64,
    identity_seq: i64,
    inbox_seq: i64,
    content: String,
    to: Option<String>,
    reply_to: Option<String>,
    last_inbound_at: Option<Timestamp>,
    pending: bool,
    provider_id: Option<String>,
    fresh_since: Timestamp,
    paced: Option<bool>,
    alerted: Option<bool>,
    throttled: Option<bool>,
    is_active: bool,
    contact_is_gone: bool,
    consent: Known,
}

impl FromRow for Found {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Found {
            message_seq: row.take()?,
            identity_seq: row.take()?,
            inbox_seq: row.take()?,
            content: row.take()?,
            to: row.take()?,
            reply_to: row.take()?,
            last_inbound_at: row.take()?,
            pending: row.take()?,
            provider_id: row.take()?,
            fresh_since: row.take()?,
            paced: row.take()?,
            alerted: row.take()?,
            throttled: row.take()?,
            is_active: row.take()?,
            contact_is_gone: row.take()?,
            consent: Known { state: row.take()?, source: row.take()? },
        })
    }
}

/// Reads the message of a job; `None` when its inbox is gone.
pub fn load(db: &Db<'_>, tenant: &str, message: &str) -> Result<Option<Outbound>> {
    let found = db.row::<Found>(
        "SELECT m.seq, m.identity_seq, m.inbox_seq, m.content,
                (SELECT ci.source_id FROM contact_inboxes ci
                  WHERE ci.identity_seq = m.identity_seq AND ci.inbox_seq = m.inbox_seq),
                (SELECT q.channel_message_id FROM messages q WHERE q.seq = m.reply_to_seq),
                (SELECT ci.last_inbound_at FROM contact_inboxes ci
                  WHERE ci.identity_seq = m.identity_seq AND ci.inbox_seq = m.inbox_seq),
                m.status = 0 AND m.channel_message_id IS NULL AND m.deleted_at IS NULL, m.channel_message_id,
                max(m.created_at, coalesce(m.send_at, 0),
                    coalesce((SELECT p.cleared_at FROM inbox_pace p WHERE p.inbox_seq = m.inbox_seq), 0)),
                (SELECT p.alert IS NOT NULL OR p.paused_until > ?3 OR p.interval_us > 0
                   FROM inbox_pace p WHERE p.inbox_seq = m.inbox_seq),
                (SELECT p.alert IS NOT NULL FROM inbox_pace p WHERE p.inbox_seq = m.inbox_seq),
                (SELECT p.throttles > 0 FROM inbox_pace p WHERE p.inbox_seq = m.inbox_seq),
                (SELECT b.state = 'active' FROM inboxes b WHERE b.seq = m.inbox_seq),
                (SELECT c.deleted_at FROM contacts c WHERE c.seq =
                   (SELECT i.contact_seq FROM identities i WHERE i.seq = m.identity_seq)) IS NOT NULL,
                (SELECT i.consent FROM identities i WHERE i.seq = m.identity_seq),
                (SELECT i.consent_source FROM identities i WHERE i.seq = m.identity_seq)
           FROM messages m
          WHERE m.id = ?1 AND m.tenant_id = ?2",
        params![message, tenant, Timestamp::now()],
    )?;
    let Some(found) = found else { return Ok(None) };
    let Some(inbox) = inboxes::connection(db, tenant, found.inbox_seq)? else { return Ok(None) };
    let content: MessageContent = serde_json::from_str(&found.content)
        .map_err(|error| Problem::internal(format!("the content of {message} cannot be read: {error}")))?;
    let to = found.to.ok_or_else(|| Problem::internal(format!("nobody is known for {message}")))?;
    Ok(Some(Outbound {
        message_seq: found.message_seq,
        identity_seq: found.identity_seq,
        contact_is_gone: found.contact_is_gone,
        is_unwanted: consent::forbids(&found.consent, &content),
        wants_nothing: consent::forbids_all(&found.consent),
        content,
        to,
        reply_to: found.reply_to,
        last_inbound_at: found.last_inbound_at,
        inbox,
        pending: found.pending,
        provider_id: found.provider_id,
        fresh_since: found.fresh_since,
        paced: found.paced == Some(true),
        alerted: found.alerted == Some(true),
        success_is_news: found.throttled == Some(true) || !found.is_active,
    }))
}
