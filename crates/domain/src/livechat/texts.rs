//! Messages of a conversation, as the customer reads and writes them. What they write goes the way of every
//! inbound message: [`crate::inbound::take_in`].

use super::threads::Session;
use super::{LiveChat, Visitor};
use crate::content::{
    InteractiveContent, MediaContent, MediaType, MessageContent, ReplyContent, TextContent,
};
use crate::conversations::changes;
use crate::inbound::person::Sender;
use crate::inbound::{self, Incoming, Part};
use crate::inboxes::{self, Address};
use crate::media::links::Links;
use common::crypto;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::time::Timestamp;
use common::{Problem, Result, id, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;
use utoipa::ToSchema;

/// Messages of one call of the list (Chatwoot notes 5.12).
pub const PAGE: u32 = 20;
/// Longest text of a customer, in characters (Chatwoot notes 1.10).
pub const CONTENT_CHARS: usize = 150_000;
/// Longest `echo_id`, in characters.
pub const ECHO_CHARS: usize = 255;
/// Most messages of a customer in a conversation within a minute (Chatwoot notes 1.10).
const MESSAGES_A_MINUTE: i64 = 200;
/// The same `echo_id` with the same content within this time is the same message.
const ECHO_KEEP: Duration = Duration::from_secs(24 * 60 * 60);
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

/// What a customer writes.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct MessageRequest {
    #[serde(default)]
    #[schema(max_length = 150000, example = "Hello, how can I help you?")]
    pub content: Option<String>,
    /// Comes back with the message. Sent again with the same content within a day, it is the same message.
    #[serde(default)]
    #[schema(max_length = 255, example = "1234567890")]
    pub echo_id: Option<String>,
}

/// A customer's answer to a question.
#[derive(Debug, Deserialize, ToSchema)]
pub struct AnswerRequest {
    /// What was chosen; one alone may also come without the list.
    #[schema(value_type = Vec<SubmittedValue>)]
    pub submitted_values: Value,
}

/// One thing that was chosen.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct SubmittedValue {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "Morning")]
    pub title: Option<String>,
    #[schema(example = "slot:am")]
    pub value: String,
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

fn parse(content: &str) -> Result<MessageContent> {
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
    let rows = interactive.list.iter().flat_map(|list| &list.sections).flat_map(|section| &section.rows);
    interactive
        .buttons
        .iter()
        .chain(rows)
        .map(|choice| json!({"title": choice.title, "value": choice.id}))
        .collect()
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

/// Whose files come along with a message.
#[derive(Clone, Debug)]
pub struct Uploader {
    pub tenant: String,
    pub inbox_seq: i64,
    pub identity_seq: i64,
    /// `con_…`
    pub contact: String,
}

/// Who uploads into a conversation.
pub fn uploader(db: &Db<'_>, chat: &LiveChat, visitor: &Visitor, session: &Session) -> Result<Uploader> {
    let contact = super::people::details(db, chat.tenant(), visitor.contact_seq)?;
    Ok(Uploader {
        tenant: chat.tenant().to_string(),
        inbox_seq: session.inbox_seq,
        identity_seq: session.identity_seq,
        contact: contact.id,
    })
}

/// What a customer writes, checked: a text, or files of which the first carries the text.
fn contents(request: &MessageRequest, files: Vec<MediaContent>) -> Result<Vec<MessageContent>> {
    let text = request.content.as_deref().filter(|text| !text.trim().is_empty());
    if text.is_some_and(|text| text.chars().count() > CONTENT_CHARS) {
        return Err(Problem::invalid("content", "is too long (maximum is 150000 characters)"));
    }
    let echo = request.echo_id.as_deref().unwrap_or_default();
    if echo.chars().count() > ECHO_CHARS {
        return Err(Problem::invalid("echo_id", "is too long (maximum is 255 characters)"));
    }
    if files.is_empty() {
        let body = text.ok_or_else(|| Problem::invalid("content", "can't be blank"))?;
        return Ok(vec![MessageContent::Text { text: TextContent { body: body.into() } }]);
    }
    let contents = files.into_iter().enumerate().map(|(at, mut media)| {
        media.caption = text.filter(|_| at == 0).map(str::to_string);
        MessageContent::Media { media }
    });
    Ok(contents.collect())
}

/// Takes a customer's message in. A conversation that was resolved opens again; where a later one is open, the
/// message goes there. `key` is what tells a repeated request: its `echo_id`, or the header `Idempotency-Key`. `false`
/// with the message that such a request finds: its files are not needed.
pub fn create(
    db: &Db<'_>,
    chat: &LiveChat,
    visitor: &Visitor,
    session: &Session,
    request: &MessageRequest,
    key: Option<&str>,
    files: (&Files, Vec<MediaContent>),
) -> Result<(ClientMessage, bool)> {
    let (links, media) = files;
    let contents = contents(request, media)?;
    let inbox = inbox_of(db, chat, session)?;
    let tenant = chat.tenant();
    let key = request.echo_id.as_deref().filter(|echo| !echo.is_empty()).or(key);
    let first = contents.first().ok_or_else(|| Problem::internal("a message of nothing"))?;
    let provider_id = match claim(db, &inbox, visitor, key, first)? {
        Claim::Known(seq) => return Ok((entered(db, chat, seq, request, links)?, false)),
        Claim::Free(provider_id) => provider_id,
    };
    let now = Timestamp::now();
    let recent = db.row::<(i64,)>(
        "SELECT count(*) FROM messages WHERE identity_seq = ? AND created_at > ? AND tenant_id = ? AND direction = 'in'",
        params![session.identity_seq, now.before(Duration::from_secs(60)), tenant],
    )?;
    if recent.is_some_and(|(count,)| count >= MESSAGES_A_MINUTE) {
        return Err(Problem::invalid("base", "Too many messages in a minute"));
    }
    reopen(db, chat, session, now)?;
    let address = db.row::<(String,)>(
        "SELECT address FROM identities WHERE seq = ? AND tenant_id = ?",
        params![session.identity_seq, tenant],
    )?;
    let (address,) = address.ok_or_else(|| Problem::internal("a session without an identity"))?;
    for (number, content) in (1_usize..).zip(contents) {
        let id = if number == 1 { provider_id.clone() } else { format!("{provider_id}#{number}") };
        take_in(db, &inbox, &address, &id, content, None, now)?;
    }
    let seq = by_provider_id(db, &inbox, &provider_id)?
        .ok_or_else(|| Problem::internal("a message was not taken in"))?;
    Ok((entered(db, chat, seq, request, links)?, true))
}

fn take_in(
    db: &Db<'_>,
    inbox: &Address,
    address: &str,
    provider_id: &str,
    content: MessageContent,
    reply_to: Option<i64>,
    now: Timestamp,
) -> Result<()> {
    let incoming = Incoming {
        provider_id,
        person: Sender { address: Some(address.into()), ..Sender::default() },
        // Its file, if it has one, is stored already.
        parts: vec![Part { content, file: None }],
        reply_to: None,
        referral: None,
        sent_at: now,
        precision_ms: 1,
        is_echo: false,
        callback_seq: None,
    };
    inbound::take_in(db, inbox, &incoming)?;
    if let Some(reply_to) = reply_to {
        db.run(
            "UPDATE messages SET reply_to_seq = ? WHERE inbox_seq = ? AND channel_message_id = ? AND tenant_id = ?",
            params![reply_to, inbox.seq, provider_id, inbox.tenant],
        )?;
    }
    Ok(())
}

/// The inbox of a conversation: who proved an identifier may go on with one that began on another inbox.
fn inbox_of(db: &Db<'_>, chat: &LiveChat, session: &Session) -> Result<Address> {
    if session.inbox_seq == chat.address().seq {
        return Ok(chat.address().clone());
    }
    inboxes::connection(db, chat.tenant(), session.inbox_seq)?
        .map(|connection| connection.address)
        .ok_or_else(|| Problem::not_found("conversation", &session.number.to_string()))
}

/// Whether a repeated request was taken in before.
enum Claim {
    /// It was: the message.
    Known(i64),
    /// Not yet: what it is to be known by.
    Free(String),
}

fn claim(
    db: &Db<'_>,
    inbox: &Address,
    visitor: &Visitor,
    key: Option<&str>,
    content: &MessageContent,
) -> Result<Claim> {
    let Some(key) = key else { return Ok(Claim::Free(format!("lc:{}", id::ulid()))) };
    // Hashed: a source id is a secret, and agents see the ids of messages.
    let hash = crypto::sha256(format!("{}\n{key}", visitor.source_id).as_bytes());
    let provider_id = hash.iter().take(16).fold("lc:".to_string(), |text, byte| format!("{text}{byte:02x}"));
    // Later ones of the same key have a ULID behind it, so the greatest is the latest.
    let found = db.row::<(i64, String, Timestamp)>(
        "SELECT seq, content, created_at FROM messages
          WHERE inbox_seq = ?1 AND (channel_message_id = ?2 OR (channel_message_id > ?2 || ':' AND channel_message_id < ?2 || ';'))
          ORDER BY seq DESC LIMIT 1",
        params![inbox.seq, provider_id],
    )?;
    let Some((seq, before, created_at)) = found else { return Ok(Claim::Free(provider_id)) };
    let is_recent = created_at.after(ECHO_KEEP) > Timestamp::now();
    if is_recent && says_the_same(&parse(&before)?, content) {
        return Ok(Claim::Known(seq));
    }
    // Some clients give every message the same echo.
    Ok(Claim::Free(format!("{provider_id}:{}", id::ulid())))
}

fn says_the_same(before: &MessageContent, now: &MessageContent) -> bool {
    match (before, now) {
        (MessageContent::Media { media: before }, MessageContent::Media { media: now }) => {
            // The same file, stored a second time under another id.
            (&before.caption, &before.filename, before.file_size, &before.mime_type)
                == (&now.caption, &now.filename, now.file_size, &now.mime_type)
        }
        (before, now) => before == now,
    }
}

/// The latest conversation opens again with its customer's message, as in Chatwoot; an earlier one stays closed.
fn reopen(db: &Db<'_>, chat: &LiveChat, session: &Session, now: Timestamp) -> Result<()> {
    if session.closed_at.is_none() {
        return Ok(());
    }
    let tenant = chat.tenant();
    let reopened = db.touches(
        "UPDATE sessions SET closed_at = NULL
          WHERE seq = ?1 AND tenant_id = ?2 AND seq = (SELECT max(s.seq) FROM sessions s WHERE s.identity_seq = ?3)
         RETURNING 1",
        params![session.seq, tenant, session.identity_seq],
    )?;
    if reopened {
        changes::tell(db, tenant, "conversation.updated", session.identity_seq, now)?;
    }
    Ok(())
}

fn by_provider_id(db: &Db<'_>, inbox: &Address, provider_id: &str) -> Result<Option<i64>> {
    let found = db.row::<(i64,)>(
        "SELECT seq FROM messages WHERE inbox_seq = ? AND channel_message_id = ? AND tenant_id = ?",
        params![inbox.seq, provider_id, inbox.tenant],
    )?;
    Ok(found.map(|(seq,)| seq))
}

/// A message that was taken in, with the conversation it went to.
fn entered(
    db: &Db<'_>,
    chat: &LiveChat,
    seq: i64,
    request: &MessageRequest,
    files: &Files,
) -> Result<ClientMessage> {
    let missing = || Problem::internal("a message that was taken in is missing");
    let session = db.row::<(i64,)>(
        "SELECT session_seq FROM messages WHERE seq = ? AND tenant_id = ?",
        params![seq, chat.tenant()],
    )?;
    let (session,) = session.ok_or_else(missing)?;
    let session = super::threads::by_seq(db, chat, session)?;
    let mut message = one(db, chat, &session, seq, files)?.ok_or_else(missing)?;
    message.echo_id.clone_from(&request.echo_id);
    Ok(message)
}

/// Takes a customer's answer to a question in: it stands with the question, and comes in as a message that quotes
/// it, once for each choice.
pub fn answer(
    db: &Db<'_>,
    chat: &LiveChat,
    session: &Session,
    message: i64,
    request: &AnswerRequest,
    files: &Files,
) -> Result<ClientMessage> {
    let values = submitted(&request.submitted_values)?;
    let sql =
        format!("SELECT {COLUMNS} FROM messages m WHERE {VISIBLE} AND m.seq = ?4 AND m.direction = 'out'");
    let (tenant, now) = (chat.tenant(), Timestamp::now());
    let found: Option<Stored> = db.row(&sql, params![session.identity_seq, session.seq, tenant, message])?;
    let stored = found.ok_or_else(|| Problem::not_found("message", &message.to_string()))?;
    let MessageContent::Interactive { interactive } = parse(&stored.content)? else {
        return Err(Problem::invalid("submitted_values", "cannot be given: the message asks for no choice"));
    };
    let inbox = inbox_of(db, chat, session)?;
    let address = db.row::<(String,)>(
        "SELECT address FROM identities WHERE seq = ? AND tenant_id = ?",
        params![session.identity_seq, tenant],
    )?;
    let (address,) = address.ok_or_else(|| Problem::internal("a session without an identity"))?;
    let rows = interactive.list.iter().flat_map(|list| &list.sections).flat_map(|section| &section.rows);
    let choices: Vec<_> = interactive.buttons.iter().chain(rows).collect();
    let mut chosen = Vec::with_capacity(values.len());
    for value in &values {
        let choice = choices.iter().find(|choice| choice.id == value.value);
        let choice =
            choice.ok_or_else(|| Problem::invalid("submitted_values", "names no choice of the message"))?;
        chosen.push(*choice);
    }
    let json = serde_json::to_string(&values).map_err(|error| Problem::internal(error.to_string()))?;
    db.run(
        "INSERT OR REPLACE INTO livechat_answers (message_seq, tenant_id, submitted_values) VALUES (?, ?, ?)",
        params![message, tenant, json],
    )?;
    reopen(db, chat, session, now)?;
    for choice in chosen {
        let hash = crypto::sha256(choice.id.as_bytes());
        let id =
            hash.iter().take(8).fold(format!("lc:a{message}:"), |text, byte| format!("{text}{byte:02x}"));
        let reply = ReplyContent {
            id: choice.id.clone(),
            title: choice.title.clone(),
            description: choice.description.clone(),
        };
        take_in(db, &inbox, &address, &id, MessageContent::Reply { reply }, Some(message), now)?;
    }
    one(db, chat, session, message, files)?.ok_or_else(|| Problem::not_found("message", &message.to_string()))
}

/// Most choices of one answer.
const CHOICES_MAX: usize = 10;

fn submitted(value: &Value) -> Result<Vec<SubmittedValue>> {
    let wrong = || Problem::invalid("submitted_values", "must be a list of {name, title, value}");
    if value.get("csat_survey_response").is_some() {
        return Err(Problem::invalid("submitted_values", "cannot be given: no survey was asked"));
    }
    let values: Vec<SubmittedValue> = match value {
        Value::Array(_) => serde_json::from_value(value.clone()).map_err(|_| wrong())?,
        Value::Object(_) => vec![serde_json::from_value(value.clone()).map_err(|_| wrong())?],
        _ => return Err(wrong()),
    };
    if values.is_empty() || values.len() > CHOICES_MAX { Err(wrong()) } else { Ok(values) }
}
