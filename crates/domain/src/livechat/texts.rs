//! Messages of a conversation, as the customer reads them.

use super::LiveChat;
use super::threads::Session;
use crate::content::{InteractiveChoice, InteractiveContent, MediaContent, MediaType, MessageContent};
use crate::media::links::Links;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::time::Timestamp;
use common::{Problem, Result, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;
use utoipa::ToSchema;

/// Messages of one call of the list (Chatwoot notes 5.12).
pub const PAGE: u32 = 20;
/// How long a link to a file is good.
const LINKS: Duration = Duration::from_secs(24 * 60 * 60);
/// What stands for a message that was taken back.
const DELETED: &str = "This message was deleted";

/// Makes links that customers read files by.
#[derive(Debug)]
pub struct Files {
    links: Links,
    expires: Timestamp,
}

impl Files {
    pub async fn from_settings() -> Result<Self> {
        Ok(Files { links: Links::from_settings().await?, expires: Timestamp::now().after(LINKS) })
    }
}

/// A message as the Client API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClientMessage {
    #[schema(example = 42)]
    pub id: i64,
    pub content: Option<String>,
    /// 0: the customer wrote it; 1: the other side did.
    #[schema(example = 0)]
    pub message_type: i64,
    /// `text`, or `input_select` for a question with answers to choose from.
    #[schema(example = "text")]
    pub content_type: &'static str,
    /// `items` and `submitted_values` of a question; `in_reply_to`; `deleted`.
    #[schema(value_type = std::collections::BTreeMap<String, serde_json::Value>)]
    pub content_attributes: Value,
    /// Seconds since 1970.
    pub created_at: i64,
    pub conversation_id: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<ClientAttachment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<std::collections::BTreeMap<String, serde_json::Value>>)]
    pub sender: Option<Value>,
    /// What the request gave along.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub echo_id: Option<String>,
}

/// A file of a message.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClientAttachment {
    /// Of the message it is in: a message of ours holds one file.
    pub id: i64,
    pub message_id: i64,
    /// `image`, `audio`, `video` or `file`.
    #[schema(example = "image")]
    pub file_type: &'static str,
    pub account_id: i64,
    pub extension: Option<String>,
    /// Good for a day; read the message again for a new one.
    pub data_url: String,
    pub thumb_url: String,
    /// In bytes.
    pub file_size: Option<i64>,
}

/// Of `GET …/messages`.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MessagesQuery {
    /// The id of a message: those before it.
    #[serde(default)]
    pub before: Option<i64>,
}

struct Stored {
    seq: i64,
    content: String,
    is_customers: bool,
    created_at: Timestamp,
    sender: Option<String>,
    submitted: Option<String>,
    reply_to: Option<i64>,
}

impl FromRow for Stored {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Stored {
            seq: row.take()?,
            content: row.take()?,
            is_customers: row.take()?,
            created_at: row.take()?,
            sender: row.take()?,
            submitted: row.take()?,
            reply_to: row.take()?,
        })
    }
}

/// Nothing of a person of ours but the name that customers see.
const COLUMNS: &str = "m.seq, m.content, m.direction = 'in' AS is_in, m.created_at,
    CASE substr(m.sender_id, 1, 4)
      WHEN 'usr_' THEN (SELECT json_object('id', u.seq, 'name', coalesce(u.display_name, u.name),
                               'available_name', coalesce(u.display_name, u.name), 'avatar_url', '', 'thumbnail', '',
                               'type', 'user') FROM users u WHERE u.id = m.sender_id)
      WHEN 'svc_' THEN (SELECT json_object('id', a.seq, 'name', a.name, 'avatar_url', '', 'type', 'agent_bot')
                          FROM service_accounts a WHERE a.id = m.sender_id AND a.tenant_id = m.tenant_id)
      WHEN 'con_' THEN (SELECT json_object('id', c.seq, 'type', 'contact')
                          FROM contacts c WHERE c.id = m.sender_id AND c.tenant_id = m.tenant_id)
    END AS sender,
    (SELECT a.submitted_values FROM livechat_answers a WHERE a.message_seq = m.seq) AS submitted, m.reply_to_seq";

/// Messages of one conversation that the customer sees: not what failed or waits for its time. ?1 identity,
/// ?2 session, ?3 tenant.
const VISIBLE: &str = "m.identity_seq = ?1 AND m.session_seq = ?2 AND m.tenant_id = ?3
    AND (m.direction = 'in' OR m.status > 0)";

/// The latest messages before another one, oldest first.
pub fn latest(
    db: &Db<'_>,
    chat: &LiveChat,
    session: &Session,
    before: Option<i64>,
    limit: u32,
    files: &Files,
) -> Result<Vec<ClientMessage>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM messages m WHERE {VISIBLE} AND m.seq < ?4 ORDER BY m.seq DESC LIMIT ?5"
    );
    let before = before.unwrap_or(i64::MAX);
    let values = params![session.identity_seq, session.seq, chat.tenant(), before, limit];
    let found = db.rows::<Stored>(&sql, values)?;
    found.into_iter().rev().map(|stored| shown(chat, session, stored, files)).collect()
}

pub(super) fn one(
    db: &Db<'_>,
    chat: &LiveChat,
    session: &Session,
    seq: i64,
    files: &Files,
) -> Result<Option<ClientMessage>> {
    let sql = format!("SELECT {COLUMNS} FROM messages m WHERE {VISIBLE} AND m.seq = ?4");
    let found: Option<Stored> =
        db.row(&sql, params![session.identity_seq, session.seq, chat.tenant(), seq])?;
    found.map(|stored| shown(chat, session, stored, files)).transpose()
}

/// The content of a message of the other side.
pub(super) fn of_other_side(
    db: &Db<'_>,
    chat: &LiveChat,
    session: &Session,
    seq: i64,
) -> Result<Option<MessageContent>> {
    let sql =
        format!("SELECT m.content FROM messages m WHERE {VISIBLE} AND m.seq = ?4 AND m.direction = 'out'");
    let found: Option<(String,)> =
        db.row(&sql, params![session.identity_seq, session.seq, chat.tenant(), seq])?;
    found.map(|(content,)| parse(&content)).transpose()
}

pub(super) fn parse(content: &str) -> Result<MessageContent> {
    serde_json::from_str(content)
        .map_err(|error| Problem::internal(format!("a message's content cannot be read: {error}")))
}

fn shown(chat: &LiveChat, session: &Session, stored: Stored, files: &Files) -> Result<ClientMessage> {
    let content = parse(&stored.content)?;
    let mut attributes = serde_json::Map::new();
    let mut attachments = Vec::new();
    let mut content_type = "text";
    let text = match &content {
        MessageContent::Media { media } => {
            attachments.extend(attachment(chat, stored.seq, media, files));
            media.caption.clone()
        }
        MessageContent::Interactive { interactive } => {
            content_type = "input_select";
            attributes.insert("items".into(), items(interactive));
            if let Some(submitted) = &stored.submitted {
                let values = serde_json::from_str(submitted).unwrap_or_default();
                attributes.insert("submitted_values".into(), values);
            }
            Some(interactive.body.clone())
        }
        MessageContent::Deleted {} => {
            attributes.insert("deleted".into(), true.into());
            Some(DELETED.to_string())
        }
        other => Some(other.preview().to_string()),
    };
    if let Some(reply_to) = stored.reply_to {
        attributes.insert("in_reply_to".into(), reply_to.into());
    }
    Ok(ClientMessage {
        id: stored.seq,
        content: text,
        message_type: i64::from(!stored.is_customers),
        content_type,
        content_attributes: Value::Object(attributes),
        created_at: stored.created_at.seconds(),
        conversation_id: session.number,
        attachments,
        sender: stored.sender.as_deref().and_then(|sender| serde_json::from_str(sender).ok()),
        echo_id: None,
    })
}

fn items(interactive: &InteractiveContent) -> Value {
    choices(interactive).map(|choice| json!({"title": choice.title, "value": choice.id})).collect()
}

/// What a customer may choose from.
pub(super) fn choices(interactive: &InteractiveContent) -> impl Iterator<Item = &InteractiveChoice> {
    let rows = interactive.list.iter().flat_map(|list| &list.sections).flat_map(|section| &section.rows);
    interactive.buttons.iter().chain(rows)
}

fn attachment(
    chat: &LiveChat,
    message: i64,
    media: &MediaContent,
    files: &Files,
) -> Option<ClientAttachment> {
    let file_type = match media.media_type {
        Some(MediaType::Image) => "image",
        Some(MediaType::Audio) => "audio",
        Some(MediaType::Video) => "video",
        Some(MediaType::Document) | None => "file",
    };
    let data_url = match &media.media_id {
        Some(id) => files.links.url(chat.tenant(), id, files.expires),
        None => media.url.clone()?,
    };
    let extension = media.filename.as_deref().and_then(|name| name.rsplit_once('.'));
    Some(ClientAttachment {
        id: message,
        message_id: message,
        file_type,
        account_id: chat.account,
        extension: extension.map(|(_, extension)| extension.chars().take(16).collect()),
        thumb_url: if file_type == "image" { data_url.clone() } else { String::new() },
        data_url,
        file_size: media.file_size,
    })
}
