//! What customers do: their messages come in once, whatever the provider repeats; their edits, deletions and
//! reactions reach the message they are about.
//!
//! One v1 message holds one file. A provider's message with several becomes one message a file: the first has
//! the provider's id, the others that id with `#2`, `#3` and so on.

pub mod changes;
pub mod consent;
pub mod echo;
pub mod files;
mod merge;
pub mod person;

use crate::contacts;
use crate::conversations::{self, LastMessage};
use crate::events::{self, Event};
use crate::inboxes::Address;
use crate::messages::{self, DeliveryStatus, MessageContent};
use crate::outgoing::{ConversationData, METADATA_KEY_CHARS, METADATA_MAX, METADATA_VALUE_CHARS};
use common::db::Db;
use common::time::Timestamp;
use common::{Result, id, params};
use files::File;
use person::{Person, Sender};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// A provider's clock may be this far ahead; a time beyond counts as now.
const CLOCK_AHEAD: Duration = Duration::from_secs(10 * 60);

/// A message as its provider tells of it.
#[derive(Clone, Debug)]
pub struct Incoming<'a> {
    /// The provider's id: the key that keeps it from entering twice.
    pub provider_id: &'a str,
    /// Who wrote; of an echo, to whom it went.
    pub person: Sender,
    /// At least one; several where the provider's message has several files.
    pub parts: Vec<Part>,
    /// The provider's id of the message that is quoted.
    pub reply_to: Option<&'a str>,
    /// Where the person came from, as the provider writes it: becomes metadata, `referral.…`.
    pub referral: Option<&'a Value>,
    /// By the provider's clock.
    pub sent_at: Timestamp,
    /// How exact that clock is, in milliseconds.
    pub precision_ms: i64,
    /// We wrote it, from somewhere else than here.
    pub is_echo: bool,
    /// The stored callback that brought it; live chat has none.
    pub callback_seq: Option<i64>,
}

/// A v1 message in the making.
#[derive(Clone, Debug)]
pub struct Part {
    pub content: MessageContent,
    /// With [`MessageContent::Media`]: where to fetch the file. The content's `mediaId` is set when it is stored.
    pub file: Option<File>,
}

/// Stores a message with its contact, conversation and session; `false` when it was there already.
pub fn take_in(db: &Db<'_>, inbox: &Address, incoming: &Incoming<'_>) -> Result<bool> {
    let tenant = inbox.tenant.as_str();
    if is_known(db, inbox, incoming.provider_id)? {
        return Ok(false);
    }
    let now = Timestamp::now();
    let sent_at = if incoming.sent_at > now.after(CLOCK_AHEAD) { now } else { incoming.sent_at };
    let person = person::find_or_create(db, inbox, &incoming.person, now)?;
    let (session_seq, _, session_is_new) =
        conversations::open_session(db, tenant, person.identity_seq, inbox.seq, now)?;
    // The window runs from the customer's latest message, whatever the order of arrival.
    db.run(
        "INSERT INTO contact_inboxes (identity_seq, inbox_seq, tenant_id, source_id, last_inbound_at, created_at)
         VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (identity_seq, inbox_seq) DO UPDATE SET last_inbound_at =
            nullif(max(coalesce(last_inbound_at, 0), coalesce(excluded.last_inbound_at, 0)), 0)",
        params![
            person.identity_seq,
            inbox.seq,
            tenant,
            incoming.person.source_id(),
            (!incoming.is_echo).then_some(sent_at),
            now
        ],
    )?;
    let place = Place {
        tenant,
        session_seq,
        created_at: best_time(sent_at, incoming.precision_ms, now),
        reply_to_seq: quoted(db, inbox, incoming.reply_to)?,
        metadata: metadata(incoming.referral),
        now,
    };
    let mut made = Vec::with_capacity(incoming.parts.len());
    for (number, part) in (1_usize..).zip(&incoming.parts) {
        made.push(insert(db, inbox, incoming, &person, &place, number, part)?);
    }

    let mut events = Vec::with_capacity(made.len().saturating_add(2));
    if person.contact_is_new {
        events.push(contacts::created_event(&contacts::by_seq(db, tenant, person.contact_seq)?)?);
    }
    for (at, message) in made.iter().enumerate() {
        let stored = messages::find(db, tenant, None, message)?;
        if at == 0 && session_is_new {
            let data = ConversationData { conversation: &stored.conversation };
            events.push(Event::new("conversation.started", &data)?);
        }
        events.push(Event::new("message.created", &stored)?);
    }
    if !incoming.is_echo {
        events.extend(contacts::lifecycle::revive(db, tenant, person.contact_seq, now)?);
        for part in &incoming.parts {
            note_wish(db, inbox, person.identity_seq, &part.content, place.created_at)?;
        }
    }
    events::emit(db, tenant, now, &events)?;
    Ok(true)
}

/// Notes the consent of a person who wrote STOP, START or the like.
fn note_wish(
    db: &Db<'_>,
    inbox: &Address,
    identity_seq: i64,
    content: &MessageContent,
    at: Timestamp,
) -> Result<()> {
    let MessageContent::Text { text } = content else { return Ok(()) };
    match consent::wish(&inbox.channel, &text.body) {
        Some(opted_in) => consent::set(db, &inbox.tenant, identity_seq, opted_in, consent::KEYWORD, at),
        None => Ok(()),
    }
}

/// What the parts of one provider's message have in common.
struct Place<'a> {
    tenant: &'a str,
    session_seq: i64,
    created_at: Timestamp,
    reply_to_seq: Option<i64>,
    metadata: BTreeMap<String, String>,
    now: Timestamp,
}

/// The row of one part; answers the message's id.
fn insert(
    db: &Db<'_>,
    inbox: &Address,
    incoming: &Incoming<'_>,
    person: &Person,
    place: &Place<'_>,
    number: usize,
    part: &Part,
) -> Result<String> {
    let message_id = id::new(id::Kind::Message);
    let provider_id = part_id(incoming.provider_id, number);
    let (direction, sender_type, sender_id, status) = if incoming.is_echo {
        // Who of our side wrote it elsewhere is not known: the inbox stands for them.
        ("out", "user", inbox.id.as_str(), DeliveryStatus::Sent)
    } else {
        ("in", "customer", person.contact_id.as_str(), DeliveryStatus::Delivered)
    };
    let content = match &part.file {
        Some(file) => {
            files::expect(db, inbox, person.identity_seq, sender_id, &message_id, file, &part.content)?
        }
        None => part.content.clone(),
    };
    let metadata = crate::outgoing::metadata_json(&place.metadata)?;
    let made = db.row::<(i64,)>(
        "INSERT INTO messages (id, tenant_id, identity_seq, session_seq, inbox_seq, direction, sender_type, sender_id,
                               content, status, channel_message_id, reply_to_seq, metadata, callback_seq, sent_at,
                               created_at, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING seq",
        params![
            message_id,
            place.tenant,
            person.identity_seq,
            place.session_seq,
            inbox.seq,
            direction,
            sender_type,
            sender_id,
            content.to_json()?,
            status.rank(),
            provider_id,
            place.reply_to_seq,
            metadata,
            incoming.callback_seq,
            incoming.is_echo.then_some(place.created_at),
            place.created_at,
            place.now
        ],
    )?;
    if let (Some((seq,)), Some(metadata)) = (made, &metadata) {
        db.run(
            "INSERT INTO message_metadata (tenant_id, key, value, message_seq) SELECT ?, key, value, ? FROM json_each(?)",
            params![place.tenant, seq, metadata],
        )?;
    }
    let last = LastMessage { at: place.created_at, preview: content.preview(), sender: sender_type };
    conversations::note_message(db, person.identity_seq, inbox.seq, &last)?;
    Ok(message_id)
}

/// The provider's id of a part of a message, from 1.
fn part_id(provider_id: &str, number: usize) -> String {
    if number <= 1 { provider_id.to_string() } else { format!("{provider_id}#{number}") }
}

/// Whether a message of the inbox has this provider id.
fn is_known(db: &Db<'_>, inbox: &Address, provider_id: &str) -> Result<bool> {
    Ok(db.touches(
        "SELECT 1 FROM messages WHERE inbox_seq = ? AND channel_message_id = ?",
        params![inbox.seq, provider_id],
    )?)
}

/// The message that is quoted, where we have it.
fn quoted(db: &Db<'_>, inbox: &Address, provider_id: Option<&str>) -> Result<Option<i64>> {
    let Some(provider_id) = provider_id else { return Ok(None) };
    let found = db.row::<(i64,)>(
        "SELECT seq FROM messages WHERE inbox_seq = ? AND channel_message_id = ? AND tenant_id = ?",
        params![inbox.seq, provider_id, inbox.tenant],
    )?;
    Ok(found.map(|(seq,)| seq))
}

/// A referral as metadata, to be searched like a caller's: `referral.source_id`, `referral.ref` and so on, with the
/// provider's own names. Texts and numbers only, within the limits of metadata.
fn metadata(referral: Option<&Value>) -> BTreeMap<String, String> {
    let mut pairs = BTreeMap::new();
    if let Some(referral) = referral {
        flatten("referral", referral, &mut pairs);
    }
    pairs
}

fn flatten(name: &str, value: &Value, pairs: &mut BTreeMap<String, String>) {
    let text = match value {
        Value::Object(members) => {
            for (member, value) in members {
                flatten(&format!("{name}.{member}"), value, pairs);
            }
            return;
        }
        Value::String(text) => text.chars().take(METADATA_VALUE_CHARS).collect(),
        Value::Number(number) => number.to_string(),
        Value::Bool(yes) => yes.to_string(),
        Value::Null | Value::Array(_) => return,
    };
    let is_key = name.len() <= METADATA_KEY_CHARS
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    if is_key && pairs.len() < METADATA_MAX {
        pairs.insert(name.to_string(), text);
    }
}

/// Providers cut their times: WhatsApp to the second. The moment of arrival is the better guess while it
/// lies within what was cut off, so that an answer sorts after what it answers.
fn best_time(sent_at: Timestamp, precision_ms: i64, now: Timestamp) -> Timestamp {
    let end = sent_at.millis().saturating_add(precision_ms.saturating_sub(1));
    Timestamp(now.millis().clamp(sent_at.millis(), end.max(sent_at.millis())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_answer_sorts_after_what_it_answers() {
        let time = |sent_at, now| best_time(Timestamp(sent_at), 1000, Timestamp(now));
        assert_eq!(time(5000, 5420), Timestamp(5420));
        assert_eq!(time(5000, 9000), Timestamp(5999));
        assert_eq!(time(5000, 4000), Timestamp(5000));
    }

    #[test]
    fn parts_have_ids_of_their_own() {
        assert_eq!(part_id("m_1", 1), "m_1");
        assert_eq!(part_id("m_1", 2), "m_1#2");
    }

    #[test]
    fn a_referral_becomes_pairs_to_search_by() {
        let referral = json!({"source_id": "55", "story": {"id": 7, "url": "https://x"}, "list": [1], "none": null,
                              "long": "x".repeat(600), "odd name": "y"});
        let pairs = metadata(Some(&referral));
        let keys: Vec<&str> = pairs.keys().map(String::as_str).collect();
        assert_eq!(keys, ["referral.long", "referral.source_id", "referral.story.id", "referral.story.url"]);
        assert_eq!(pairs["referral.source_id"], "55");
        assert_eq!(pairs["referral.story.id"], "7");
        assert_eq!(pairs["referral.long"].len(), METADATA_VALUE_CHARS);
        assert!(metadata(None).is_empty());
    }
}
