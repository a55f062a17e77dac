//! Messages: their record and reading them (contract section 5). What they say is in [`crate::content`]. Accepting one to send
//! is in [`crate::outgoing`], taking one in is in [`crate::inbound`].

use crate::conversations::{self, Conversation};
use crate::reactions::{self, Reaction};
use crate::visibility::visible;

pub use crate::content::*;
use common::db::{Db, Error as DbError, FromRow, Row, ToValue, Value};
use common::page::{Binding, Key, Page, Position};
use common::time::Timestamp;
use common::{Problem, Result, params};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

/// How far a message has come. Stored as a number, so that steps compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryStatus {
    Pending,
    Sent,
    Delivered,
    Read,
    Failed,
}

impl DeliveryStatus {
    /// Pending 0, sent 1, delivered 2, read 3; failed -1.
    pub const fn rank(self) -> i64 {
        match self {
            DeliveryStatus::Failed => -1,
            DeliveryStatus::Pending => 0,
            DeliveryStatus::Sent => 1,
            DeliveryStatus::Delivered => 2,
            DeliveryStatus::Read => 3,
        }
    }

    pub(crate) fn from_rank(rank: i64) -> Self {
        match rank {
            1 => DeliveryStatus::Sent,
            2 => DeliveryStatus::Delivered,
            3.. => DeliveryStatus::Read,
            0 => DeliveryStatus::Pending,
            _ => DeliveryStatus::Failed,
        }
    }

    /// Whether a message in this state takes over `next` (channels section 8.2): upwards only; a failure
    /// only from pending or sent; a later delivery or reading overrides a failure.
    pub const fn accepts(self, next: DeliveryStatus) -> bool {
        match (self, next) {
            (DeliveryStatus::Failed, DeliveryStatus::Delivered | DeliveryStatus::Read) => true,
            (DeliveryStatus::Failed, _) => false,
            (_, DeliveryStatus::Failed) => self.rank() <= DeliveryStatus::Sent.rank(),
            _ => next.rank() > self.rank(),
        }
    }
}

/// One message of a conversation.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    #[schema(example = "msg_01HV8Z2G8Z3H5M9K2S6A1N0P4K")]
    pub id: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub tenant_id: String,
    pub conversation_id: String,
    pub session_id: String,
    /// `customer`, `user`, `journey` or `bot`; API keys send as `user`.
    #[schema(example = "user")]
    pub sender_type: String,
    /// The contact, user or service account that wrote it.
    pub sender_id: String,
    #[schema(value_type = MessageContent)]
    pub content: Box<RawValue>,
    pub delivery_status: DeliveryStatus,
    /// The provider's id, once it has taken the message over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_message_id: Option<String>,
    /// Why it failed and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// Grows with every message of the server: what `afterSeq` goes by.
    #[schema(example = 4711)]
    pub seq: i64,
    /// The message that is quoted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "msg_01HV8Z2G8Z3H5M9K2S6A1N0P4K")]
    pub reply_to_message_id: Option<String>,
    /// What the sender gave along to find it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = BTreeMap<String, String>)]
    pub metadata: Option<Box<RawValue>>,
    /// Of a scheduled message: when it is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<Reaction>,
    #[serde(skip)]
    pub identity_seq: i64,
}

/// A message with the conversation it belongs to.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageInConversation {
    pub message: Message,
    pub conversation: Conversation,
}

/// Columns of a message, from `messages m`; subqueries as in [`conversations::COLUMNS`].
const COLUMNS: &str = "m.seq, m.identity_seq, m.id, m.created_at, m.updated_at, m.tenant_id,
    (SELECT i.id FROM identities i WHERE i.seq = m.identity_seq) AS identity,
    (SELECT s.id FROM sessions s WHERE s.seq = m.session_seq) AS session,
    m.sender_type, m.sender_id, m.content, m.status, m.channel_message_id, m.failure_reason, m.edited_at, m.deleted_at,
    (SELECT q.id FROM messages q WHERE q.seq = m.reply_to_seq) AS quoted, m.metadata, m.send_at,
    (SELECT json_group_array(json_array(r.seq, r.id, r.sender_type, r.sender_id, r.emoji, r.created_at))
       FROM reactions r WHERE r.message_seq = m.seq) AS reactions";

impl FromRow for Message {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        let (seq, identity_seq) = (row.take()?, row.take()?);
        let (id, created_at, updated_at, tenant_id) = (row.take()?, row.take()?, row.take()?, row.take()?);
        let identity: String = row.take()?;
        let mut message = Message {
            seq,
            identity_seq,
            id,
            created_at,
            updated_at,
            tenant_id,
            conversation_id: conversations::id_of(&identity),
            session_id: row.take()?,
            sender_type: row.take()?,
            sender_id: row.take()?,
            content: RawValue::from_string(row.take()?).map_err(|error| DbError::Other(error.to_string()))?,
            delivery_status: DeliveryStatus::from_rank(row.take()?),
            channel_message_id: row.take()?,
            failure_reason: row.take()?,
            edited_at: row.take()?,
            deleted_at: row.take()?,
            reply_to_message_id: row.take()?,
            metadata: raw(row.take()?)?,
            send_at: row.take()?,
            reactions: Vec::new(),
        };
        message.reactions = reactions::of_message(&message.id, &row.take::<String>()?)?;
        Ok(message)
    }
}

fn raw(json: Option<String>) -> Result<Option<Box<RawValue>>, DbError> {
    json.map(RawValue::from_string).transpose().map_err(|error| DbError::Other(error.to_string()))
}

/// One message with its conversation, where the viewer may see it ([`crate::visibility::viewer`]).
pub fn find(db: &Db<'_>, tenant: &str, viewer: Option<&str>, id: &str) -> Result<MessageInConversation> {
    let missing = || Problem::not_found("message", id);
    let sql = format!(
        "SELECT {COLUMNS} FROM messages m WHERE m.id = ?1 AND m.tenant_id = ?2
            AND (SELECT {} FROM identities i WHERE i.seq = m.identity_seq)",
        visible(3)
    );
    let message: Message = db.row(&sql, params![id, tenant, viewer])?.ok_or_else(missing)?;
    let conversation = conversations::by_seq(db, tenant, message.identity_seq)?.ok_or_else(missing)?;
    Ok(MessageInConversation { message, conversation })
}

/// Messages of all conversations of a contact, conversation by conversation, in the order of arrival, behind the one
/// with this conversation and number.
pub(crate) fn of_contact(
    db: &Db<'_>,
    tenant: &str,
    contact_seq: i64,
    after: (i64, i64),
    limit: u32,
) -> Result<Vec<Message>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM messages m
          WHERE m.identity_seq IN (SELECT i.seq FROM identities i WHERE i.contact_seq = ?1) AND m.tenant_id = ?2
            AND (m.identity_seq > ?3 OR (m.identity_seq = ?3 AND m.seq > ?4))
          ORDER BY m.identity_seq, m.seq LIMIT ?5"
    );
    Ok(db.rows(&sql, params![contact_seq, tenant, after.0, after.1, limit])?)
}

/// Pairs that a message's metadata must hold, all of them.
pub type MetadataFilter = BTreeMap<String, String>;

/// Which messages a list shows, and how far.
#[derive(Clone, Copy, Debug)]
pub struct List<'a> {
    pub tenant: &'a str,
    /// As of [`crate::visibility::viewer`].
    pub viewer: Option<&'a str>,
    pub metadata: &'a MetadataFilter,
    pub size: Option<u32>,
    pub token: Option<&'a str>,
}

impl List<'_> {
    /// Conditions on `messages m` for the metadata; `first` is the number of the first free parameter. The
    /// tenant is ?1.
    fn metadata_conditions(&self, first: usize, values: &mut Vec<Value>) -> String {
        let mut conditions = String::new();
        for (number, (key, value)) in self.metadata.iter().enumerate() {
            let at = first.saturating_add(number.saturating_mul(2));
            conditions.push_str(&format!(
                " AND m.seq IN (SELECT d.message_seq FROM message_metadata d
                                 WHERE d.tenant_id = ?1 AND d.key = ?{at} AND d.value = ?{})",
                at.saturating_add(1)
            ));
            values.push(key.to_value());
            values.push(value.to_value());
        }
        conditions
    }

    fn binding(&self, operation: &str, of: &str) -> Result<Binding> {
        let metadata = serde_json::to_string(self.metadata)
            .map_err(|error| Problem::internal(format!("a metadata filter: {error}")))?;
        Ok(Binding::new(&[operation, self.tenant, of, self.viewer.unwrap_or_default(), &metadata]))
    }
}

/// Several messages by their `seq`; those that are absent are left out.
pub(crate) fn by_seqs(db: &Db<'_>, tenant: &str, seqs: &BTreeSet<i64>) -> Result<BTreeMap<i64, Message>> {
    if seqs.is_empty() {
        return Ok(BTreeMap::new());
    }
    let wanted = serde_json::to_string(seqs).map_err(|error| Problem::internal(error.to_string()))?;
    let sql = format!(
        "SELECT {COLUMNS} FROM messages m WHERE m.seq IN (SELECT value FROM json_each(?)) AND m.tenant_id = ?"
    );
    let found: Vec<Message> = db.rows(&sql, params![wanted, tenant])?;
    Ok(found.into_iter().map(|message| (message.seq, message)).collect())
}

/// A page of a conversation's messages, newest first, and the token of the next.
pub fn in_conversation(
    db: &Db<'_>,
    list: &List<'_>,
    conversation: &str,
) -> Result<(Vec<Message>, Option<String>)> {
    let identity_seq = visible_conversation(db, list, conversation)?;
    let page = Page::new(list.size, list.token, list.binding("listConversationMessages", conversation)?)?;
    let after = page.after.clone().unwrap_or(Position { key: Key::Number(i64::MAX), seq: i64::MAX });
    let mut values = params![list.tenant, identity_seq, after.key, after.seq, page.limit()].to_vec();
    let metadata = list.metadata_conditions(6, &mut values);
    let sql = format!(
        "SELECT {COLUMNS} FROM messages m
          WHERE m.identity_seq = ?2 AND m.tenant_id = ?1 AND (m.created_at, m.seq) < (?3, ?4){metadata}
          ORDER BY m.created_at DESC, m.seq DESC LIMIT ?5"
    );
    let mut messages = db.rows::<Message>(&sql, &values)?;
    let next = page
        .cut(&mut messages, |last| Position { key: Key::Number(last.created_at.millis()), seq: last.seq });
    Ok((messages, next))
}

/// The messages of a conversation that came after `seq`, in the order of their coming, at most a page. No row
/// is skipped: numbers are given out under the write lock, so none appears below one that was seen.
pub fn after(db: &Db<'_>, list: &List<'_>, conversation: &str, seq: i64) -> Result<(Vec<Message>, bool)> {
    let identity_seq = visible_conversation(db, list, conversation)?;
    let page = Page::new(list.size, None, list.binding("", "")?)?;
    let mut values = params![list.tenant, identity_seq, seq, page.limit()].to_vec();
    let metadata = list.metadata_conditions(5, &mut values);
    let sql = format!(
        "SELECT {COLUMNS} FROM messages m
          WHERE m.identity_seq = ?2 AND m.tenant_id = ?1 AND m.seq > ?3{metadata} ORDER BY m.seq LIMIT ?4"
    );
    let mut messages = db.rows::<Message>(&sql, &values)?;
    let more = page.cut(&mut messages, |last| Position { key: Key::Number(0), seq: last.seq }).is_some();
    Ok((messages, more))
}

/// A page of the messages with this metadata in all conversations that the viewer may see, newest first.
pub fn with_metadata(db: &Db<'_>, list: &List<'_>) -> Result<(Vec<Message>, Option<String>)> {
    let page = Page::new(list.size, list.token, list.binding("listMessages", "")?)?;
    let below = page.after.as_ref().map_or(i64::MAX, |position| position.seq);
    let mut values = params![list.tenant, list.viewer, below, page.limit()].to_vec();
    let metadata = list.metadata_conditions(5, &mut values);
    let sql = format!(
        "SELECT {COLUMNS} FROM messages m
          WHERE m.tenant_id = ?1 AND m.seq < ?3{metadata}
            AND (SELECT {} AND (SELECT c.deleted_at FROM contacts c WHERE c.seq = i.contact_seq) IS NULL
                   FROM identities i WHERE i.seq = m.identity_seq)
          ORDER BY m.seq DESC LIMIT ?4",
        visible(2)
    );
    let mut messages = db.rows::<Message>(&sql, &values)?;
    let next = page.cut(&mut messages, |last| Position { key: Key::Number(0), seq: last.seq });
    Ok((messages, next))
}

fn visible_conversation(db: &Db<'_>, list: &List<'_>, conversation: &str) -> Result<i64> {
    let seq = conversations::seq(db, list.tenant, conversation)?;
    let sql = format!("SELECT 1 FROM identities i WHERE i.seq = ?1 AND {}", visible(2));
    if list.viewer.is_some() && !db.touches(&sql, params![seq, list.viewer])? {
        return Err(Problem::not_found("conversation", conversation));
    }
    Ok(seq)
}

#[cfg(test)]
mod tests {
    use super::DeliveryStatus::{Delivered, Failed, Pending, Read, Sent};
    use super::*;

    #[test]
    fn statuses_go_up_only() {
        let taken = |from: DeliveryStatus| {
            [Pending, Sent, Delivered, Read, Failed]
                .into_iter()
                .filter(|to| from.accepts(*to))
                .collect::<Vec<_>>()
        };
        assert_eq!(taken(Pending), [Sent, Delivered, Read, Failed]);
        assert_eq!(taken(Sent), [Delivered, Read, Failed]);
        assert_eq!(taken(Delivered), [Read]);
        assert_eq!(taken(Read), []);
        assert_eq!(taken(Failed), [Delivered, Read]);
        for status in [Pending, Sent, Delivered, Read, Failed] {
            assert_eq!(DeliveryStatus::from_rank(status.rank()), status);
        }
    }
}
