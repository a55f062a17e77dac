//! Accepting a message to send: everything that a 202 promises is in one transaction, the job that
//! sends it included.

mod files;
mod outbound;

pub use outbound::{Outbound, load};

use crate::content::{Carried, MediaContent, can_quote, check_media_kind};
use crate::conversations::{self, Actor, Conversation};
use crate::events::{self, Event};
use crate::inbound::consent;
use crate::jobs::Kind;
use crate::messages::{DeliveryStatus, Message, MessageContent, MessageInConversation};
use crate::recipients::{self, LastMessage, MessageRecipient, Route};
use crate::visibility::viewer;
use crate::{contacts, media};
use common::auth::Principal;
use common::db::Db;
use common::problem::{Violations, Window};
use common::time::Timestamp;
use common::{Problem, Result, background, id, params};
use files::check_whatsapp_file;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;
use utoipa::ToSchema;

/// Most pairs of metadata.
pub(crate) const METADATA_MAX: usize = 20;
pub(crate) const METADATA_KEY_CHARS: usize = 40;
pub(crate) const METADATA_VALUE_CHARS: usize = 500;
/// A message can be scheduled this far ahead.
const SEND_AT_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A message to send, and to whom.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateMessageRequest {
    pub recipient: MessageRecipient,
    pub content: MessageContent,
    /// The sender; needed for the first message to a channel address.
    #[serde(default)]
    #[schema(example = "ibx_01HV8Y4QH7C8H1K5K0C8A2B9E4")]
    pub inbox_id: Option<String>,
    /// A message of the same conversation to quote (WhatsApp, Messenger, live chat).
    #[serde(default)]
    #[schema(example = "msg_01HV8Z2G8Z3H5M9K2S6A1N0P4K")]
    pub reply_to_message_id: Option<String>,
    /// Up to 20 texts of at most 500 characters, to find the message again by. Keys: at most 40 of
    /// `A-Z a-z 0-9 _ . -`. Customers never see them.
    #[serde(default)]
    pub metadata: Metadata,
    /// Not before this moment, at most 365 days ahead. Until then PATCH changes the message and DELETE cancels it.
    #[serde(default)]
    pub send_at: Option<Timestamp>,
}

/// A message to send into a conversation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SendMessageRequest {
    pub content: MessageContent,
    /// Absent: the inbox of the latest open session.
    #[serde(default)]
    pub inbox_id: Option<String>,
    /// A message of the same conversation to quote (WhatsApp, Messenger, live chat).
    #[serde(default)]
    #[schema(example = "msg_01HV8Z2G8Z3H5M9K2S6A1N0P4K")]
    pub reply_to_message_id: Option<String>,
    /// As in sending a message.
    #[serde(default)]
    pub metadata: Metadata,
    /// As in sending a message.
    #[serde(default)]
    pub send_at: Option<Timestamp>,
}

/// What a caller gives along with a message.
pub type Metadata = BTreeMap<String, String>;

impl SendMessageRequest {
    /// The same as a message addressed by the conversation.
    pub fn into_conversation(self, conversation_id: String) -> CreateMessageRequest {
        CreateMessageRequest {
            recipient: MessageRecipient::Conversation { conversation_id },
            content: self.content,
            inbox_id: self.inbox_id,
            reply_to_message_id: self.reply_to_message_id,
            metadata: self.metadata,
            send_at: self.send_at,
        }
    }
}

pub(crate) fn check_metadata(violations: &mut Violations, metadata: &Metadata) {
    violations.check(metadata.len() <= METADATA_MAX, "metadata", "must have at most 20 pairs");
    for (key, value) in metadata.iter().take(METADATA_MAX) {
        let shown: String = key.chars().take(METADATA_KEY_CHARS).collect();
        let field = format!("metadata.{shown}");
        violations.check(
            (1..=METADATA_KEY_CHARS).contains(&key.len())
                && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-')),
            &field,
            "must be named by at most 40 of the characters A-Z a-z 0-9 _ . -",
        );
        violations.check(
            value.chars().count() <= METADATA_VALUE_CHARS,
            &field,
            "must be at most 500 characters",
        );
    }
}

pub(crate) fn check_send_at(violations: &mut Violations, send_at: Option<Timestamp>, now: Timestamp) {
    if let Some(send_at) = send_at {
        violations.check(send_at > now, "sendAt", "must be in the future");
        violations.check(send_at <= now.after(SEND_AT_MAX), "sendAt", "must be within 365 days");
    }
}

/// Jobs of one lane run one after the other: messages reach a person in the order they were accepted.
pub(crate) fn lane(inbox_seq: i64, identity_seq: i64) -> String {
    format!("send:{inbox_seq}:{identity_seq}")
}

/// The lane of the job that waits for a scheduled message's time: its own, so that the message can be found
/// by it and holds up no other.
pub(crate) fn release_lane(message: &str) -> String {
    format!("release:{message}")
}

/// Accepts a message: `pending`, with its job and its events, or refused with nothing changed.
pub fn accept(
    db: &Db<'_>,
    caller: &Principal,
    request: &CreateMessageRequest,
) -> Result<MessageInConversation> {
    let now = Timestamp::now();
    request.content.validate()?;
    let mut violations = Violations::new();
    check_metadata(&mut violations, &request.metadata);
    check_send_at(&mut violations, request.send_at, now);
    violations.finish()?;
    let tenant = caller.tenant.as_str();
    let route = recipients::resolve(db, caller, &request.recipient, request.inbox_id.as_deref(), now)?;
    let content = prepare(db, caller, &route.place(), &request.content)?;
    consent::check(&route.consent, content.as_ref())?;
    check_window(&route.place(), content.as_ref(), now)?;
    let reply_to = quoted(db, tenant, &route, request.reply_to_message_id.as_deref())?;

    let (session_seq, session_id, session_is_new) = match &route.session {
        Some((seq, id)) => (*seq, id.clone(), false),
        None => conversations::open_session(db, tenant, route.identity_seq, route.inbox_seq, now)?,
    };
    if !route.is_known_to_inbox {
        db.run(
            "INSERT INTO contact_inboxes (identity_seq, inbox_seq, tenant_id, source_id, created_at)
             VALUES (?, ?, ?, ?, ?)",
            params![route.identity_seq, route.inbox_seq, tenant, route.address, now],
        )?;
    }
    // Live chat has no provider: what is stored is sent.
    let (status, job, lane) = match (request.send_at, route.channel.as_str()) {
        (Some(_), _) => (DeliveryStatus::Pending, Some(Kind::ReleaseMessage), None),
        (None, "text") => (DeliveryStatus::Sent, None, None),
        (None, _) => {
            let lane = lane(route.inbox_seq, route.identity_seq);
            (DeliveryStatus::Pending, Some(Kind::SendMessage), Some(lane))
        }
    };
    let message_id = id::new(id::Kind::Message);
    let lane = lane.or_else(|| job.map(|_| release_lane(&message_id)));
    let metadata = metadata_json(&request.metadata)?;
    let preview = conversations::preview(content.preview());
    let content = content.to_json()?;
    // A procedure of the migrations: the message, its place in the conversation and its job at once.
    db.run(
        "INSERT INTO accept_message
           (seq, id, tenant_id, identity_seq, session_seq, inbox_seq, sender_type, sender_id, content, status,
            reply_to_seq, metadata, send_at, preview, job, lane, now)
         VALUES (?, ?, ?, ?, ?, ?, 'user', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            route.next_message_seq,
            message_id,
            tenant,
            route.identity_seq,
            session_seq,
            route.inbox_seq,
            caller.actor.id(),
            content,
            status.rank(),
            reply_to,
            metadata,
            request.send_at,
            preview,
            job.map(Kind::as_str),
            lane,
            now
        ],
    )?;
    if job == Some(Kind::SendMessage) {
        background::work_is_due();
    }
    let written = Written { id: message_id, session_id, status, content, metadata, preview, now };
    let accepted = accepted(caller, &route, request, written)?;
    if route.has_webhook {
        let mut events = Vec::with_capacity(3);
        if route.contact_is_new {
            events.push(contacts::created_event(&contacts::by_seq(db, tenant, route.contact_seq)?)?);
        }
        if session_is_new {
            let data = ConversationData { conversation: &accepted.conversation };
            events.push(Event::new("conversation.started", &data)?);
        }
        events.push(Event::new("message.created", &accepted)?);
        events::emit(db, tenant, now, &events)?;
    }
    Ok(accepted)
}

pub(crate) fn metadata_json(metadata: &Metadata) -> Result<Option<String>> {
    if metadata.is_empty() {
        return Ok(None);
    }
    serde_json::to_string(metadata).map(Some).map_err(|error| Problem::internal(format!("metadata: {error}")))
}

/// The number of the message to quote: one of the same conversation.
fn quoted(db: &Db<'_>, tenant: &str, route: &Route, message: Option<&str>) -> Result<Option<i64>> {
    let Some(message) = message else { return Ok(None) };
    let field = "replyToMessageId";
    if !can_quote(&route.channel) {
        return Err(unsupported(field, format!("is not known on {}", route.channel), &route.place()));
    }
    let found = db.row::<(i64,)>(
        "SELECT seq FROM messages WHERE id = ? AND tenant_id = ? AND identity_seq = ? AND deleted_at IS NULL",
        params![message, tenant, route.identity_seq],
    )?;
    let (seq,) = found.ok_or_else(|| Problem::invalid(field, "is no message of this conversation"))?;
    Ok(Some(seq))
}

struct Written {
    id: String,
    session_id: String,
    status: DeliveryStatus,
    content: String,
    metadata: Option<String>,
    preview: String,
    now: Timestamp,
}

/// What was just written, as reading it would show it.
fn accepted(
    caller: &Principal,
    route: &Route,
    request: &CreateMessageRequest,
    written: Written,
) -> Result<MessageInConversation> {
    let conversation_id = conversations::id_of(&route.identity_id);
    let Written { id, session_id, status, content, metadata, preview, now } = written;
    let raw = |json| RawValue::from_string(json).map_err(|error| Problem::internal(error.to_string()));
    // A scheduled message is not the conversation's last one yet.
    let last = match (&request.send_at, &route.last_message) {
        (None, _) => LastMessage { at: now, text: preview, sender: "user".into() },
        (Some(_), Some(last)) => last.clone(),
        (Some(_), None) => LastMessage { at: now, text: String::new(), sender: "user".into() },
    };
    Ok(MessageInConversation {
        message: Message {
            id,
            created_at: now,
            updated_at: now,
            tenant_id: caller.tenant.clone(),
            conversation_id: conversation_id.clone(),
            session_id,
            sender_type: "user".into(),
            sender_id: caller.actor.id().into(),
            content: raw(content)?,
            delivery_status: status,
            channel_message_id: None,
            failure_reason: None,
            edited_at: None,
            deleted_at: None,
            seq: route.next_message_seq,
            reply_to_message_id: request.reply_to_message_id.clone(),
            metadata: metadata.map(raw).transpose()?,
            send_at: request.send_at,
            reactions: Vec::new(),
            identity_seq: route.identity_seq,
        },
        conversation: Conversation {
            id: conversation_id,
            channel: route.channel.clone(),
            external_id: route.address.clone(),
            inbox_id: Some(route.inbox_id.clone()),
            name: route.contact_name.clone(),
            contact_id: route.contact_id.clone(),
            contact_name: route.contact_name.clone(),
            last_message_at: last.at,
            last_message_preview: last.text,
            last_message_sender: last.sender,
        },
    })
}

/// `data` of the conversation events.
#[derive(serde::Serialize)]
pub(crate) struct ConversationData<'a> {
    pub conversation: &'a conversations::Conversation,
}

/// What decides whether a content can go to a person.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub channel: &'a str,
    pub inbox_seq: i64,
    /// Of the customer's latest message to this inbox.
    pub last_inbound_at: Option<Timestamp>,
    pub session_is_open: bool,
}

impl Place<'_> {
    fn window(&self, now: Timestamp) -> Window {
        conversations::window(self.channel, Actor::Agent, self.last_inbound_at, self.session_is_open, now)
    }
}

impl Route {
    pub(crate) fn place(&self) -> Place<'_> {
        Place {
            channel: &self.channel,
            inbox_seq: self.inbox_seq,
            last_inbound_at: self.last_inbound_at,
            session_is_open: self.session.is_some(),
        }
    }
}

/// The content as it is stored, once it is known that the channel can carry it.
pub(crate) fn prepare<'a>(
    db: &Db<'_>,
    caller: &Principal,
    place: &Place<'_>,
    content: &'a MessageContent,
) -> Result<Cow<'a, MessageContent>> {
    let tenant = caller.tenant.as_str();
    let content = match content {
        MessageContent::Media { media } => {
            Cow::Owned(MessageContent::Media { media: file(db, caller, place.channel, media)? })
        }
        other => Cow::Borrowed(other),
    };
    let provider = match place.channel {
        "sms" => db
            .row::<(Option<String>,)>(
                "SELECT config ->> 'provider' FROM inboxes WHERE seq = ? AND tenant_id = ?",
                params![place.inbox_seq, tenant],
            )?
            .and_then(|(provider,)| provider),
        _ => None,
    };
    match content.carried_by(place.channel, provider.as_deref()) {
        Carried::Yes => Ok(content),
        Carried::Not(violations) => {
            violations.finish()?;
            Ok(content)
        }
        Carried::Unsupported(field, why) => Err(unsupported(field, why, place)),
    }
}

/// A file with what its upload knows of it.
fn file(db: &Db<'_>, caller: &Principal, channel: &str, content: &MediaContent) -> Result<MediaContent> {
    let mut content = MediaContent { source_id: None, file_size: None, ..content.clone() };
    let Some(id) = &content.media_id else { return Ok(content) };
    let field = "content.media.mediaId";
    let media = media::sendable(db, &caller.tenant, id, viewer(caller), field)?;
    let mut violations = Violations::new();
    if content.media_type.is_some_and(|named| named != media.kind) {
        let uploaded = media.kind.as_str();
        violations.add("content.media.mediaType", format!("must be {uploaded}: it is what was uploaded"));
    }
    check_media_kind(&mut violations, &content, media.kind);
    if channel == "whatsapp" {
        check_whatsapp_file(&mut violations, &content, media.kind, &media.mime, media.size);
    }
    violations.finish()?;
    media.describe(&mut content);
    Ok(content)
}

pub(crate) fn unsupported(field: &str, why: impl Into<String>, place: &Place<'_>) -> Problem {
    let mut window = place.window(Timestamp::now());
    window.failure_code = Some("unsupportedChannel");
    Problem::invalid(field, why).with_code("unsupportedChannel").with_window(window)
}

/// Outside the window only a template goes out, and only on WhatsApp (contract section 5).
pub(crate) fn check_window(place: &Place<'_>, content: &MessageContent, now: Timestamp) -> Result<()> {
    let window = place.window(now);
    if matches!(content, MessageContent::Template { .. }) || window.failure_code.is_none() {
        return Ok(());
    }
    Err(Problem::conflict("messagingWindowClosed", closed(place.channel)).with_window(window))
}

fn closed(channel: &str) -> &'static str {
    match channel {
        "whatsapp" => {
            "The customer has not written within the last 24 hours: send a template, or wait for their message."
        }
        "messenger" | "instagram" => {
            "The customer has not written within the last seven days: wait for their message."
        }
        _ => "The customer's conversation is closed: wait for their message.",
    }
}
