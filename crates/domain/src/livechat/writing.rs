//! What customers write. It goes the way of every inbound message: [`crate::inbound::take_in`].

use super::texts::{self, ClientMessage, Files};
use super::threads::{self, Session};
use super::{LiveChat, Visitor, people};
use crate::content::{MediaContent, MessageContent, TextContent};
use crate::conversations::changes;
use crate::inbound::person::Sender;
use crate::inbound::{self, Incoming, Part};
use crate::inboxes::{self, Address};
use common::crypto;
use common::db::Db;
use common::time::Timestamp;
use common::{Problem, Result, id, params};
use serde::Deserialize;
use std::time::Duration;
use utoipa::ToSchema;

/// Longest text of a customer, in characters (Chatwoot notes 1.10).
pub const CONTENT_CHARS: usize = 150_000;
/// Longest `echo_id`, in characters.
pub const ECHO_CHARS: usize = 255;
/// Most messages of a customer in a conversation within a minute (Chatwoot notes 1.10).
const MESSAGES_A_MINUTE: i64 = 200;
/// The same `echo_id` with the same content within this time is the same message.
const ECHO_KEEP: Duration = Duration::from_secs(24 * 60 * 60);

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
    let contact = people::details(db, chat.tenant(), visitor.contact_seq)?;
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
    let address = address_of(db, tenant, session)?;
    for (number, content) in (1_usize..).zip(contents) {
        let id = if number == 1 { provider_id.clone() } else { format!("{provider_id}#{number}") };
        take_in(db, &inbox, &address, &id, content, None, now)?;
    }
    let seq = by_provider_id(db, &inbox, &provider_id)?
        .ok_or_else(|| Problem::internal("a message was not taken in"))?;
    Ok((entered(db, chat, seq, request, links)?, true))
}

/// Takes in one message; `reply_to` is the message that it quotes.
pub(super) fn take_in(
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
pub(super) fn inbox_of(db: &Db<'_>, chat: &LiveChat, session: &Session) -> Result<Address> {
    if session.inbox_seq == chat.address().seq {
        return Ok(chat.address().clone());
    }
    inboxes::connection(db, chat.tenant(), session.inbox_seq)?
        .map(|connection| connection.address)
        .ok_or_else(|| Problem::not_found("conversation", &session.number.to_string()))
}

/// What the customer is known by on the channel.
pub(super) fn address_of(db: &Db<'_>, tenant: &str, session: &Session) -> Result<String> {
    let address = db.row::<(String,)>(
        "SELECT address FROM identities WHERE seq = ? AND tenant_id = ?",
        params![session.identity_seq, tenant],
    )?;
    address.map(|(address,)| address).ok_or_else(|| Problem::internal("a session without an identity"))
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
    let provider_id = format!("lc:{}", hex::encode(hash.get(..16).unwrap_or_default()));
    // Later ones of the same key have a ULID behind it, so the greatest is the latest; further files of one message,
    // which have their number behind a #, are not its beginning.
    let found = db.row::<(i64, String, Timestamp)>(
        "SELECT seq, content, created_at FROM messages
          WHERE inbox_seq = ?1 AND instr(channel_message_id, '#') = 0 AND (channel_message_id = ?2 OR (channel_message_id > ?2 || ':' AND channel_message_id < ?2 || ';'))
          ORDER BY seq DESC LIMIT 1",
        params![inbox.seq, provider_id],
    )?;
    let Some((seq, before, created_at)) = found else { return Ok(Claim::Free(provider_id)) };
    let is_recent = created_at.after(ECHO_KEEP) > Timestamp::now();
    if is_recent && says_the_same(&texts::parse(&before)?, content) {
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
pub(super) fn reopen(db: &Db<'_>, chat: &LiveChat, session: &Session, now: Timestamp) -> Result<()> {
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
    let session = threads::by_seq(db, chat, session)?;
    let mut message = texts::one(db, chat, &session, seq, files)?.ok_or_else(missing)?;
    message.echo_id.clone_from(&request.echo_id);
    Ok(message)
}
