//! A visitor's conversations: our sessions, under the number of the tenant that Chatwoot shows. A visitor has at
//! most one that is open: asking for a new one meanwhile gives that one.

use super::people::{self, check_attributes};
use super::texts::{self, ClientMessage};
use super::{LiveChat, Visitor};
use crate::conversations::{self, changes};
use crate::events::{self, Event};
use crate::messages::{self, DeliveryStatus};
use crate::outgoing::ConversationData;
use common::chatwoot::Attributes;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::problem::Violations;
use common::time::Timestamp;
use common::{Problem, Result, id, params};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::time::Duration;
use utoipa::ToSchema;

/// Most conversations in a list: the latest.
const LIST_MAX: u32 = 50;
/// Most messages within a conversation: the latest.
const MESSAGES_MAX: u32 = 20;
/// How long a customer counts as typing, unless they say that they stopped.
const TYPING: Duration = Duration::from_secs(30);
/// Most messages that one reading tells the webhook of; those beyond change all the same.
const READ_EVENTS: usize = 200;

/// What a new conversation may carry.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct ConversationRequest {
    #[serde(default)]
    #[schema(value_type = Option<std::collections::BTreeMap<String, serde_json::Value>>)]
    pub custom_attributes: Option<Attributes>,
}

/// A conversation as the Client API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClientConversation {
    /// Counts per account from 1.
    #[schema(example = 1)]
    pub id: i64,
    pub uuid: String,
    pub inbox_id: i64,
    /// Seconds since 1970; 0 when unset.
    pub contact_last_seen_at: i64,
    /// `open` or `resolved`.
    #[schema(example = "open")]
    pub status: &'static str,
    /// Seconds since 1970; 0 when unset.
    pub agent_last_seen_at: i64,
    #[schema(value_type = std::collections::BTreeMap<String, serde_json::Value>)]
    pub custom_attributes: Box<RawValue>,
    /// The latest 20, oldest first.
    pub messages: Vec<ClientMessage>,
    pub contact: ContactRow,
}

/// The contact of a conversation, as far as the visitor may see it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContactRow {
    pub id: i64,
    pub account_id: i64,
    pub name: Option<String>,
    pub email: Option<String>,
    pub phone_number: Option<String>,
    pub identifier: Option<String>,
    #[schema(value_type = std::collections::BTreeMap<String, serde_json::Value>)]
    pub custom_attributes: Box<RawValue>,
    #[schema(value_type = std::collections::BTreeMap<String, serde_json::Value>)]
    pub additional_attributes: Box<RawValue>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// One stretch of a visitor's thread.
#[derive(Clone, Debug)]
pub struct Session {
    pub seq: i64,
    pub id: String,
    pub number: i64,
    pub identity_seq: i64,
    pub inbox_seq: i64,
    pub closed_at: Option<Timestamp>,
    custom_attributes: String,
    contact_last_seen_at: Option<Timestamp>,
    agent_last_seen_at: Option<Timestamp>,
}

impl FromRow for Session {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Session {
            seq: row.take()?,
            id: row.take()?,
            number: row.take()?,
            identity_seq: row.take()?,
            inbox_seq: row.take()?,
            closed_at: row.take()?,
            custom_attributes: row.take()?,
            contact_last_seen_at: row.take()?,
            agent_last_seen_at: row.take()?,
        })
    }
}

const COLUMNS: &str = "s.seq, s.id, s.number, s.identity_seq, s.inbox_seq, s.closed_at, s.custom_attributes,
    s.contact_last_seen_at,
    (SELECT max(r.updated_at) FROM read_markers r WHERE r.identity_seq = s.identity_seq) AS agent_seen";

/// A condition on `sessions s`: those of the visitor, ?2, and of visitors with the same proof, ?3, whose contact is
/// the same. ?1 is the tenant.
const OWN: &str = "s.tenant_id = ?1 AND s.identity_seq IN (
    SELECT v.identity_seq FROM livechat_visitors v
     WHERE v.tenant_id = ?1 AND (v.identity_seq = ?2 OR (v.identifier = ?3
       AND (SELECT i.contact_seq FROM identities i WHERE i.seq = v.identity_seq)
         = (SELECT i.contact_seq FROM identities i WHERE i.seq = ?2))))";

/// The latest conversations of a visitor, newest first.
pub fn list(db: &Db<'_>, chat: &LiveChat, visitor: &Visitor) -> Result<Vec<Session>> {
    let sql = format!("SELECT {COLUMNS} FROM sessions s WHERE {OWN} ORDER BY s.seq DESC LIMIT {LIST_MAX}");
    Ok(db.rows(&sql, params![chat.tenant(), visitor.identity_seq, visitor.identifier])?)
}

/// One conversation of a visitor; 404 for everybody else's.
pub fn find(db: &Db<'_>, chat: &LiveChat, visitor: &Visitor, number: i64) -> Result<Session> {
    let sql = format!("SELECT {COLUMNS} FROM sessions s WHERE {OWN} AND s.number = ?4");
    db.row(&sql, params![chat.tenant(), visitor.identity_seq, visitor.identifier, number])?
        .ok_or_else(|| Problem::not_found("conversation", &number.to_string()))
}

pub(super) fn by_seq(db: &Db<'_>, chat: &LiveChat, seq: i64) -> Result<Session> {
    let sql = format!("SELECT {COLUMNS} FROM sessions s WHERE s.seq = ? AND s.tenant_id = ?");
    db.row(&sql, params![seq, chat.tenant()])?.ok_or_else(|| Problem::internal("a session is missing"))
}

/// The open conversation of a visitor, or a new one.
pub fn open(
    db: &Db<'_>,
    chat: &LiveChat,
    visitor: &Visitor,
    request: &ConversationRequest,
) -> Result<Session> {
    let attributes = request.custom_attributes.as_ref().map(|attributes| &attributes.0);
    let mut violations = Violations::new();
    check_attributes(&mut violations, attributes);
    violations.finish()?;
    let (tenant, inbox, now) = (chat.tenant(), chat.address(), Timestamp::now());
    let (seq, _, is_new) = conversations::open_session(db, tenant, visitor.identity_seq, inbox.seq, now)?;
    if let Some(attributes) = attributes {
        let attributes = serde_json::to_string(attributes).unwrap_or_else(|_| "{}".into());
        db.run(
            "UPDATE sessions SET custom_attributes = json_patch(custom_attributes, ?) WHERE seq = ? AND tenant_id = ?",
            params![attributes, seq, tenant],
        )?;
    }
    if is_new {
        // It is there for both sides before anybody writes.
        db.run(
            "UPDATE identities SET started_at = coalesce(started_at, ?1), last_inbox_seq = ?2,
                    last_message_at = coalesce(last_message_at, ?1)
              WHERE seq = ?3 AND tenant_id = ?4",
            params![now, inbox.seq, visitor.identity_seq, tenant],
        )?;
        if let Some(conversation) = conversations::by_seq(db, tenant, visitor.identity_seq)? {
            let data = ConversationData { conversation: &conversation };
            events::emit(db, tenant, now, &[Event::new("conversation.started", &data)?])?;
        }
    }
    by_seq(db, chat, seq)
}

/// Resolves a conversation; one that is resolved stays so.
pub fn resolve(db: &Db<'_>, chat: &LiveChat, visitor: &Visitor, number: i64) -> Result<Session> {
    let session = find(db, chat, visitor, number)?;
    let now = Timestamp::now();
    let closed = db.touches(
        "UPDATE sessions SET closed_at = ? WHERE seq = ? AND tenant_id = ? AND closed_at IS NULL RETURNING 1",
        params![now, session.seq, chat.tenant()],
    )?;
    if closed {
        changes::tell(db, chat.tenant(), "conversation.closed", session.identity_seq, now)?;
    }
    by_seq(db, chat, session.seq)
}

/// Notes whether the customer is typing.
pub fn typing(db: &Db<'_>, chat: &LiveChat, visitor: &Visitor, number: i64, on: bool) -> Result<()> {
    let session = find(db, chat, visitor, number)?;
    let until = on.then(|| Timestamp::now().after(TYPING));
    Ok(db.run(
        "UPDATE sessions SET contact_typing_until = ? WHERE seq = ? AND tenant_id = ?",
        params![until, session.seq, chat.tenant()],
    )?)
}

/// The customer has seen everything: our messages count as read.
pub fn seen(db: &Db<'_>, chat: &LiveChat, visitor: &Visitor, number: i64) -> Result<()> {
    let session = find(db, chat, visitor, number)?;
    let (tenant, now) = (chat.tenant(), Timestamp::now());
    db.run(
        "UPDATE sessions SET contact_last_seen_at = ? WHERE seq = ? AND tenant_id = ?",
        params![now, session.seq, tenant],
    )?;
    let read = db.rows::<(String,)>(
        "UPDATE messages SET status = ?1, delivered_at = coalesce(delivered_at, ?2), read_at = ?2, updated_at = ?2
          WHERE identity_seq = ?3 AND session_seq = ?4 AND tenant_id = ?5 AND direction = 'out' AND status IN (1, 2)
         RETURNING id",
        params![DeliveryStatus::Read.rank(), now, session.identity_seq, session.seq, tenant],
    )?;
    for (message,) in read.iter().take(READ_EVENTS) {
        let stored = messages::find(db, tenant, None, message)?;
        events::emit(db, tenant, now, &[Event::new("message.updated", &stored)?])?;
    }
    Ok(())
}

/// A conversation as the customer sees it.
pub fn shown(
    db: &Db<'_>,
    chat: &LiveChat,
    visitor: &Visitor,
    session: &Session,
    files: &texts::Files,
) -> Result<ClientConversation> {
    let contact = people::details(db, chat.tenant(), visitor.contact_seq)?;
    let trusted = visitor.is_trusted(&contact);
    let given = visitor.given();
    let raw = |json: String| {
        RawValue::from_string(json).map_err(|error| Problem::internal(format!("custom attributes: {error}")))
    };
    let seconds = |time: Option<Timestamp>| time.map_or(0, Timestamp::seconds);
    Ok(ClientConversation {
        id: session.number,
        uuid: id::uuid_of(&session.id),
        inbox_id: session.inbox_seq,
        contact_last_seen_at: seconds(session.contact_last_seen_at),
        status: if session.closed_at.is_none() { "open" } else { "resolved" },
        agent_last_seen_at: seconds(session.agent_last_seen_at),
        custom_attributes: raw(session.custom_attributes.clone())?,
        messages: texts::latest(db, chat, session, None, MESSAGES_MAX, files)?,
        contact: ContactRow {
            id: visitor.contact_seq,
            account_id: chat.account,
            name: if trusted { contact.name } else { given.name },
            email: if trusted { contact.email } else { given.email },
            phone_number: if trusted { contact.phone_number } else { given.phone_number },
            identifier: if trusted { contact.identifier } else { visitor.identifier.clone() },
            custom_attributes: raw(if trusted { contact.custom_attributes } else { "{}".into() })?,
            additional_attributes: raw("{}".into())?,
            created_at: contact.created_at,
            updated_at: contact.updated_at,
        },
    })
}
