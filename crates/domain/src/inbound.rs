//! Taking a customer's message in: once, whatever the provider repeats.

use crate::contacts;
use crate::conversations::{self, LastMessage};
use crate::events::{self, Event};
use crate::inboxes::Address;
use crate::messages::{self, MessageContent};
use crate::outgoing::ConversationData;
use common::db::{Db, Error as DbError};
use common::time::Timestamp;
use common::{Problem, Result, id, params};

/// Longest name taken over from a provider, in characters.
const NAME_CHARS: usize = 200;

/// A message as its provider tells of it.
#[derive(Clone, Debug)]
pub struct Incoming<'a> {
    /// The provider's id: the key that keeps it from entering twice.
    pub provider_id: &'a str,
    /// The person's address: digits for WhatsApp.
    pub address: &'a str,
    /// What they call themselves.
    pub name: Option<&'a str>,
    pub content: MessageContent,
    /// By the provider's clock.
    pub sent_at: Timestamp,
    /// How exact that clock is, in milliseconds.
    pub precision_ms: i64,
}

/// Stores a message with its contact, conversation and session; `false` when it was there already.
pub fn take_in(db: &Db<'_>, inbox: &Address, incoming: &Incoming<'_>) -> Result<bool> {
    let tenant = inbox.tenant.as_str();
    let known = db.touches(
        "SELECT 1 FROM messages WHERE inbox_seq = ? AND channel_message_id = ?",
        params![inbox.seq, incoming.provider_id],
    )?;
    if known {
        return Ok(false);
    }
    let now = Timestamp::now();
    let person = find_or_create(db, inbox, incoming, now)?;
    let (session_seq, _, session_is_new) =
        conversations::open_session(db, tenant, person.identity_seq, inbox.seq, now)?;
    // The window runs from the customer's latest message, whatever the order of arrival.
    db.run(
        "INSERT INTO contact_inboxes (identity_seq, inbox_seq, tenant_id, source_id, last_inbound_at, created_at)
         VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (identity_seq, inbox_seq) DO UPDATE
            SET last_inbound_at = max(coalesce(last_inbound_at, 0), excluded.last_inbound_at)",
        params![person.identity_seq, inbox.seq, tenant, incoming.address, incoming.sent_at, now],
    )?;
    let created_at = best_time(incoming, now);
    let message_id = id::new(id::Kind::Message);
    let stored = db.run(
        "INSERT INTO messages (id, tenant_id, identity_seq, session_seq, inbox_seq, direction, sender_type, sender_id,
                               content, status, channel_message_id, created_at, updated_at)
         VALUES (?, ?, ?, ?, ?, 'in', 'customer', ?, ?, 2, ?, ?, ?)",
        params![
            message_id,
            tenant,
            person.identity_seq,
            session_seq,
            inbox.seq,
            person.contact_id,
            incoming.content.to_json()?,
            incoming.provider_id,
            created_at,
            now
        ],
    );
    match stored {
        Err(DbError::Unique(_)) => {
            return Err(Problem::internal("a message entered twice in one transaction"));
        }
        other => other?,
    }
    let last = LastMessage { at: created_at, preview: incoming.content.preview(), sender: "customer" };
    conversations::note_message(db, person.identity_seq, inbox.seq, &last)?;

    let stored = messages::find(db, tenant, &message_id)?;
    let mut events = Vec::with_capacity(3);
    if person.contact_is_new {
        events.push(contacts::created_event(&contacts::by_seq(db, tenant, person.contact_seq)?)?);
    }
    if session_is_new {
        events.push(Event::new(
            "conversation.started",
            &ConversationData { conversation: &stored.conversation },
        )?);
    }
    events.push(Event::new("message.created", &stored)?);
    events::emit(db, tenant, now, &events)?;
    Ok(true)
}

/// Providers cut their times: WhatsApp to the second. The moment of arrival is the better guess while it
/// lies within what was cut off, so that an answer sorts after what it answers.
fn best_time(incoming: &Incoming<'_>, now: Timestamp) -> Timestamp {
    let end = incoming.sent_at.millis().saturating_add(incoming.precision_ms.saturating_sub(1));
    Timestamp(now.millis().clamp(incoming.sent_at.millis(), end.max(incoming.sent_at.millis())))
}

struct Person {
    identity_seq: i64,
    contact_seq: i64,
    contact_id: String,
    contact_is_new: bool,
}

fn find_or_create(db: &Db<'_>, inbox: &Address, incoming: &Incoming<'_>, now: Timestamp) -> Result<Person> {
    let tenant = inbox.tenant.as_str();
    let found = db.row::<(i64, i64, String, Option<String>, Option<Timestamp>)>(
        "SELECT i.seq, i.contact_seq, (SELECT c.id FROM contacts c WHERE c.seq = i.contact_seq),
                (SELECT c.name FROM contacts c WHERE c.seq = i.contact_seq),
                (SELECT c.deleted_at FROM contacts c WHERE c.seq = i.contact_seq)
           FROM identities i
          WHERE i.tenant_id = ? AND i.channel = ? AND i.address = ?",
        params![tenant, inbox.channel, incoming.address],
    )?;
    let name: Option<String> = incoming
        .name
        .map(|name| name.trim().chars().take(NAME_CHARS).collect())
        .filter(|name: &String| !name.is_empty());
    let (identity_seq, contact_seq, is_new) = match found {
        Some((identity_seq, contact_seq, contact_id, known_name, None)) => {
            if known_name.is_none() && name.is_some() {
                db.run(
                    "UPDATE contacts SET name = ?, updated_at = ? WHERE seq = ? AND tenant_id = ?",
                    params![name, now, contact_seq, tenant],
                )?;
            }
            return Ok(Person { identity_seq, contact_seq, contact_id, contact_is_new: false });
        }
        // A deleted contact who writes again is somebody new; the address moves to them.
        Some((identity_seq, ..)) => {
            let contact_seq = contacts::insert(db, tenant, name.as_deref(), now)?;
            db.run(
                "UPDATE identities SET contact_seq = ? WHERE seq = ? AND tenant_id = ?",
                params![contact_seq, identity_seq, tenant],
            )?;
            (identity_seq, contact_seq, true)
        }
        None => {
            let contact_seq = contacts::insert(db, tenant, name.as_deref(), now)?;
            let (identity_seq, _) =
                contacts::add_identity(db, tenant, contact_seq, &inbox.channel, incoming.address, now)?;
            (identity_seq, contact_seq, true)
        }
    };
    let contact_id = contacts::by_seq(db, tenant, contact_seq)?.id;
    Ok(Person { identity_seq, contact_seq, contact_id, contact_is_new: is_new })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::TextContent;

    #[test]
    fn an_answer_sorts_after_what_it_answers() {
        let incoming = |sent_at| Incoming {
            provider_id: "wamid.1",
            address: "48123456789",
            name: None,
            content: MessageContent::Text { text: TextContent { body: "x".into() } },
            sent_at: Timestamp(sent_at),
            precision_ms: 1000,
        };
        assert_eq!(best_time(&incoming(5000), Timestamp(5420)), Timestamp(5420));
        assert_eq!(best_time(&incoming(5000), Timestamp(9000)), Timestamp(5999));
        assert_eq!(best_time(&incoming(5000), Timestamp(4000)), Timestamp(5000));
    }
}
