//! Reactions: one emoji a sender and message; a new one replaces the old one (contract section 5).

use crate::content::can_react;
use crate::conversations::{self, Actor};
use crate::events::{self, Event};
use crate::inbound::consent::{self, Known};
use crate::jobs::{self, Kind};
use crate::messages::{self, DeliveryStatus};
use crate::outgoing;
use crate::visibility::viewer;
use common::auth::Principal;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::time::Timestamp;
use common::{Problem, Result, id, params};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An emoji that somebody put on a message.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reaction {
    #[schema(example = "rct_01HV8Z9C3X6E1W7R5D9F2G8H4J")]
    pub id: String,
    pub message_id: String,
    /// `customer` or `user`; API keys react as `user`.
    #[schema(example = "user")]
    pub sender_type: String,
    pub sender_id: String,
    #[schema(example = "👍")]
    pub emoji: String,
    pub created_at: Timestamp,
}

/// Longest emoji, in bytes: families of several people joined are long.
const EMOJI_BYTES: usize = 64;

/// An emoji to put on a message, or to take off.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SendReactionRequest {
    /// One emoji.
    #[schema(min_length = 1, example = "👍")]
    pub emoji: String,
    /// Takes the caller's reaction off.
    #[serde(default)]
    pub removed: bool,
}

/// A reaction as it is, or was before it was taken off.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReactionAnswer {
    pub reaction: Reaction,
}

/// Without the message's id, which the caller knows.
struct Found(Reaction);

impl FromRow for Found {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Found(Reaction {
            id: row.take()?,
            sender_type: row.take()?,
            sender_id: row.take()?,
            emoji: row.take()?,
            created_at: row.take()?,
            message_id: row.take()?,
        }))
    }
}

const RETURNING: &str = "RETURNING id, sender_type, sender_id, emoji, created_at,
    (SELECT m.id FROM messages m WHERE m.seq = message_seq)";

/// Puts an emoji on a message in place of the sender's last one, or takes it off with `None`: the reaction as
/// it is, or was. `None` when there was nothing to take off. The caller tells of `message.updated`.
pub fn put(
    db: &Db<'_>,
    tenant: &str,
    message_seq: i64,
    (sender_type, sender_id): (&str, &str),
    emoji: Option<&str>,
    at: Timestamp,
) -> Result<Option<Reaction>> {
    let found = match emoji {
        Some(emoji) => db.row::<Found>(
            &format!(
                "INSERT INTO reactions (id, tenant_id, message_seq, sender_type, sender_id, emoji, created_at)
                 VALUES (?, ?, ?, ?, ?, ?, ?)
                 ON CONFLICT (message_seq, sender_type, sender_id)
                 DO UPDATE SET emoji = excluded.emoji, created_at = excluded.created_at {RETURNING}"
            ),
            params![id::new(id::Kind::Reaction), tenant, message_seq, sender_type, sender_id, emoji, at],
        )?,
        None => db.row::<Found>(
            &format!(
                "DELETE FROM reactions WHERE message_seq = ? AND sender_type = ? AND sender_id = ? AND tenant_id = ?
                 {RETURNING}"
            ),
            params![message_seq, sender_type, sender_id, tenant],
        )?,
    };
    if found.is_some() {
        db.run(
            "UPDATE messages SET updated_at = ? WHERE seq = ? AND tenant_id = ?",
            params![Timestamp::now(), message_seq, tenant],
        )?;
    }
    Ok(found.map(|Found(reaction)| reaction))
}

/// What a reaction needs to know of its message.
struct Target {
    status: i64,
    channel_message_id: Option<String>,
    inbox_seq: i64,
    channel: String,
    last_inbound_at: Option<Timestamp>,
    session_is_open: bool,
    consent: Known,
}

impl FromRow for Target {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Target {
            status: row.take()?,
            channel_message_id: row.take()?,
            inbox_seq: row.take()?,
            channel: row.take()?,
            last_inbound_at: row.take()?,
            session_is_open: row.take()?,
            consent: Known { state: row.take()?, source: row.take()? },
        })
    }
}

/// Puts the caller's emoji on a message or takes it off, with the job that tells the provider. The job is in
/// the conversation's lane, behind the message itself.
pub fn react(
    db: &Db<'_>,
    caller: &Principal,
    message: &str,
    request: &SendReactionRequest,
) -> Result<ReactionAnswer> {
    let emoji = request.emoji.trim();
    if !is_emoji(emoji) {
        return Err(Problem::invalid("emoji", "must be one emoji"));
    }
    let (tenant, now) = (caller.tenant.as_str(), Timestamp::now());
    let found = messages::find(db, tenant, viewer(caller), message)?.message;
    let target = db.row::<Target>(
        "SELECT m.status, m.channel_message_id, m.inbox_seq,
                (SELECT i.channel FROM identities i WHERE i.seq = m.identity_seq),
                (SELECT ci.last_inbound_at FROM contact_inboxes ci
                  WHERE ci.identity_seq = m.identity_seq AND ci.inbox_seq = m.inbox_seq),
                (SELECT count(*) FROM sessions s WHERE s.identity_seq = m.identity_seq AND s.closed_at IS NULL),
                (SELECT i.consent FROM identities i WHERE i.seq = m.identity_seq),
                (SELECT i.consent_source FROM identities i WHERE i.seq = m.identity_seq)
           FROM messages m WHERE m.seq = ? AND m.tenant_id = ?",
        params![found.seq, tenant],
    )?;
    let target = target.ok_or_else(|| Problem::not_found("message", message))?;
    let Target { channel, last_inbound_at, session_is_open, .. } = &target;
    let mut window = conversations::window(channel, Actor::Agent, *last_inbound_at, *session_is_open, now);
    if !can_react(channel) {
        window.failure_code = Some("unsupportedChannel");
        return Err(Problem::invalid("emoji", format!("reactions are not known on {channel}"))
            .with_code("unsupportedChannel")
            .with_window(window));
    }
    if found.deleted_at.is_some()
        || (target.status == DeliveryStatus::Failed.rank() && target.channel_message_id.is_none())
    {
        return Err(Problem::conflict(
            "message_not_delivered",
            "The customer does not have this message: there is nothing to react to.",
        ));
    }
    let is_unwanted = consent::forbids_all(&target.consent);
    if is_unwanted && !request.removed {
        return Err(consent::unwanted());
    }
    if window.failure_code.is_some() {
        return Err(Problem::conflict(
            "messagingWindowClosed",
            "The customer has not written lately: wait for their message.",
        )
        .with_window(window));
    }
    let emoji = (!request.removed).then_some(emoji);
    let reaction = put(db, tenant, found.seq, ("user", caller.actor.id()), emoji, now)?;
    let reaction = reaction.ok_or_else(|| Problem {
        detail: "You have no reaction on this message to take off.".into(),
        ..Problem::not_found("reaction", message)
    })?;
    // Who opted out is not even told that a reaction is gone.
    if channel != "text" && !is_unwanted {
        let lane = outgoing::lane(target.inbox_seq, found.identity_seq);
        jobs::add(db, tenant, Kind::SendReaction, Some(&lane), message, now)?;
    }
    tell(db, tenant, message)?;
    Ok(ReactionAnswer { reaction })
}

/// Emits `message.updated`.
fn tell(db: &Db<'_>, tenant: &str, message: &str) -> Result<()> {
    match messages::find(db, tenant, None, message) {
        Ok(updated) => {
            events::emit(db, tenant, Timestamp::now(), &[Event::new("message.updated", &updated)?])
        }
        // Its contact was deleted meanwhile: there is nobody to tell of.
        Err(problem) if problem.status == 404 => Ok(()),
        Err(problem) => Err(problem),
    }
}

/// The emoji that the business shows on a message: the latest of its people's. The provider knows one only.
pub fn shown(db: &Db<'_>, tenant: &str, message_seq: i64) -> Result<Option<String>> {
    let found = db.row::<(String,)>(
        "SELECT emoji FROM reactions WHERE message_seq = ? AND tenant_id = ? AND sender_type <> 'customer'
          ORDER BY created_at DESC, seq DESC LIMIT 1",
        params![message_seq, tenant],
    )?;
    Ok(found.map(|(emoji,)| emoji))
}

/// Takes an emoji off again that the provider refused.
pub fn refused(db: &Db<'_>, tenant: &str, message: &str, message_seq: i64, emoji: &str) -> Result<()> {
    let gone = db.touches(
        "DELETE FROM reactions WHERE message_seq = ? AND tenant_id = ? AND sender_type <> 'customer' AND emoji = ?
         RETURNING 1",
        params![message_seq, tenant, emoji],
    )?;
    if gone { tell(db, tenant, message) } else { Ok(()) }
}

/// One emoji, roughly: not a word. What exactly an emoji is changes every year; the provider decides.
fn is_emoji(text: &str) -> bool {
    let keycap = text.ends_with('\u{20e3}');
    !text.is_empty()
        && text.len() <= EMOJI_BYTES
        && !text.chars().any(char::is_whitespace)
        && (keycap || text.chars().all(|c| !c.is_ascii() && !c.is_alphanumeric()))
}

/// Reads the JSON array of arrays that lists of messages select.
pub(crate) fn of_message(message: &str, json: &str) -> Result<Vec<Reaction>, DbError> {
    if json == "[]" {
        return Ok(Vec::new());
    }
    type Columns = (i64, String, String, String, String, i64);
    let mut rows: Vec<Columns> =
        serde_json::from_str(json).map_err(|error| DbError::Other(format!("reactions: {error}")))?;
    rows.sort_unstable_by_key(|(seq, ..)| *seq);
    let reactions = rows.into_iter().map(|(_, id, sender_type, sender_id, emoji, created_at)| Reaction {
        id,
        message_id: message.to_string(),
        sender_type,
        sender_id,
        emoji,
        created_at: Timestamp(created_at),
    });
    Ok(reactions.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_emoji_from_words() {
        for emoji in ["👍", "❤️", "👨‍👩‍👧‍👦", "🇵🇱", "1️⃣", "👍🏽"] {
            assert!(is_emoji(emoji), "{emoji}");
        }
        for other in ["", "ok", "👍 👍", "a👍", "dziękuję", "1"] {
            assert!(!is_emoji(other), "{other}");
        }
    }
}
