//! Messages: their record, their content, and reading them (contract section 5). Accepting one to send
//! is in [`crate::outgoing`], taking one in is in [`crate::inbound`].

use crate::conversations::{self, Conversation};
use common::db::{Db, Error as DbError, FromRow, Row};
use common::page::{Binding, Key, Page, Position};
use common::problem::Violations;
use common::time::Timestamp;
use common::{Problem, Result, params};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// Longest text, in characters (channels section 2.1).
pub const TEXT_CHARS: usize = 4096;
/// Longest template name, in characters.
pub const TEMPLATE_NAME_CHARS: usize = 512;
/// Most components of a template.
pub const TEMPLATE_COMPONENTS: usize = 20;

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
    #[serde(skip)]
    pub seq: i64,
    #[serde(skip)]
    pub identity_seq: i64,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum MessageContent {
    Text {
        text: TextContent,
    },
    Template {
        template: TemplateContent,
    },
    /// Inbound only: a kind that has no form of its own yet.
    Unsupported {
        unsupported: UnsupportedContent,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TextContent {
    /// 1 to 4096 characters.
    #[schema(min_length = 1, max_length = 4096, example = "Hi Anna, your order is ready for pickup.")]
    pub body: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateContent {
    #[schema(min_length = 1, max_length = 512, example = "order_ready")]
    pub name: String,
    /// Exactly as approved: `en` is not `en_GB`.
    #[schema(example = "en")]
    pub language: String,
    /// Values for the template's variables, in WhatsApp's form.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<TemplateComponent>,
}

/// Values of one part of a template (channels section 2.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TemplateComponent {
    /// `header`, `body` or `button`.
    #[serde(rename = "type")]
    #[schema(example = "body")]
    pub kind: String,
    /// Buttons: `quick_reply`, `url`, `copy_code` or `flow`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_type: Option<String>,
    /// Buttons: the place from 0, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    /// In WhatsApp's form, such as `{"type": "text", "text": "Anna"}`.
    #[serde(default)]
    #[schema(value_type = Vec<TemplateParameter>)]
    pub parameters: Vec<serde_json::Value>,
}

/// One value; which of the fields belong to which `type` is WhatsApp's rule.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "for the documentation: parameters pass through as they came")]
pub struct TemplateParameter {
    #[schema(example = "text", rename = "type")]
    kind: String,
    #[schema(example = "Anna")]
    text: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnsupportedContent {
    /// What the provider calls it.
    #[schema(example = "sticker")]
    pub kind: String,
}

impl MessageContent {
    /// Checks what a caller wants to send.
    pub fn validate(&self) -> Result<()> {
        let mut violations = Violations::new();
        match self {
            MessageContent::Text { text } => violations.text("content.text.body", &text.body, TEXT_CHARS),
            MessageContent::Template { template } => {
                violations.text("content.template.name", &template.name, TEMPLATE_NAME_CHARS);
                let language = &template.language;
                violations.check(
                    (2..=16).contains(&language.len())
                        && language.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'),
                    "content.template.language",
                    "must be a language code such as en or pt_BR",
                );
                violations.check(
                    template.components.len() <= TEMPLATE_COMPONENTS,
                    "content.template.components",
                    "must have at most 20 components",
                );
            }
            MessageContent::Unsupported { .. } => {
                violations
                    .add("content.type", "must be text or template: unsupported content cannot be sent");
            }
        }
        violations.finish()
    }

    /// What lists of conversations show (contract section 5).
    pub fn preview(&self) -> &str {
        match self {
            MessageContent::Text { text } => &text.body,
            MessageContent::Template { template } => &template.name,
            MessageContent::Unsupported { unsupported } => &unsupported.kind,
        }
    }

    pub(crate) fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| Problem::internal(format!("content: {error}")))
    }
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
    m.sender_type, m.sender_id, m.content, m.status, m.channel_message_id, m.failure_reason, m.edited_at, m.deleted_at";

impl FromRow for Message {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        let (seq, identity_seq) = (row.take()?, row.take()?);
        let (id, created_at, updated_at, tenant_id) = (row.take()?, row.take()?, row.take()?, row.take()?);
        let identity: String = row.take()?;
        Ok(Message {
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
        })
    }
}

/// One message with its conversation.
pub fn find(db: &Db<'_>, tenant: &str, id: &str) -> Result<MessageInConversation> {
    let missing = || Problem::not_found("message", id);
    let sql = format!("SELECT {COLUMNS} FROM messages m WHERE m.id = ? AND m.tenant_id = ?");
    let message: Message = db.row(&sql, params![id, tenant])?.ok_or_else(missing)?;
    let conversation = conversations::by_seq(db, tenant, message.identity_seq)?.ok_or_else(missing)?;
    Ok(MessageInConversation { message, conversation })
}

/// A page of a conversation's messages, newest first, and the token of the next.
pub fn list(
    db: &Db<'_>,
    tenant: &str,
    conversation: &str,
    size: Option<u32>,
    token: Option<&str>,
) -> Result<(Vec<Message>, Option<String>)> {
    let identity_seq = conversations::seq(db, tenant, conversation)?;
    let binding = Binding::new(&["listConversationMessages", tenant, conversation]);
    let page = Page::new(size, token, binding)?;
    let after = page.after.clone().unwrap_or(Position { key: Key::Number(i64::MAX), seq: i64::MAX });
    let sql = format!(
        "SELECT {COLUMNS} FROM messages m
          WHERE m.identity_seq = ? AND m.tenant_id = ? AND (m.created_at, m.seq) < (?, ?)
          ORDER BY m.created_at DESC, m.seq DESC LIMIT ?"
    );
    let values = params![identity_seq, tenant, after.key, after.seq, page.limit()];
    let mut messages = db.rows::<Message>(&sql, values)?;
    let next = page
        .cut(&mut messages, |last| Position { key: Key::Number(last.created_at.millis()), seq: last.seq });
    Ok((messages, next))
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

    #[test]
    fn content_keeps_the_published_form() {
        let json = r#"{"type":"template","template":{"name":"order_ready","language":"en"}}"#;
        let content: MessageContent = serde_json::from_str(json).unwrap();
        assert_eq!(content.to_json().unwrap(), json);
        assert_eq!(content.preview(), "order_ready");
        assert!(content.validate().is_ok());
        let empty: MessageContent = serde_json::from_str(r#"{"type":"text","text":{"body":"  "}}"#).unwrap();
        assert_eq!(empty.validate().unwrap_err().errors[0].field, "content.text.body");
        assert!(serde_json::from_str::<MessageContent>(r#"{"type":"fax"}"#).is_err());
    }
}
