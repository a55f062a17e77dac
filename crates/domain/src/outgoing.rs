//! Accepting a message to send: everything that a 202 promises is in one transaction, the job that
//! sends it included.

use crate::conversations::{self, Conversation};
use crate::events::{self, Event};
use crate::messages::{DeliveryStatus, Message, MessageContent, MessageInConversation};
use crate::recipients::{self, MessageRecipient, Route};
use crate::{contacts, inboxes};
use common::auth::Principal;
use common::db::Db;
use common::time::Timestamp;
use common::{Problem, Result, background, id, params};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

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
}

/// A message to send into a conversation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SendMessageRequest {
    pub content: MessageContent,
    /// Absent: the inbox of the latest open session.
    #[serde(default)]
    pub inbox_id: Option<String>,
}

impl SendMessageRequest {
    /// The same as a message addressed by the conversation.
    pub fn into_conversation(self, conversation_id: String) -> CreateMessageRequest {
        CreateMessageRequest {
            recipient: MessageRecipient::Conversation { conversation_id },
            content: self.content,
            inbox_id: self.inbox_id,
        }
    }
}

/// Jobs of one lane run one after the other: messages reach a person in the order they were accepted.
fn lane(route: &Route) -> String {
    format!("send:{}:{}", route.inbox_seq, route.identity_seq)
}

/// Accepts a message: `pending`, with its job and its events, or refused with nothing changed.
pub fn accept(
    db: &Db<'_>,
    caller: &Principal,
    request: &CreateMessageRequest,
) -> Result<MessageInConversation> {
    request.content.validate()?;
    let tenant = caller.tenant.as_str();
    let now = Timestamp::now();
    let route = recipients::resolve(db, tenant, &request.recipient, request.inbox_id.as_deref(), now)?;
    check_window(&route, &request.content, now)?;

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
    let content = request.content.to_json()?;
    let preview = conversations::preview(request.content.preview());
    let message_id = id::new(id::Kind::Message);
    let lane = lane(&route);
    // A procedure of the migrations: the message, its place in the conversation and its job at once.
    db.run(
        "INSERT INTO accept_message
           (id, tenant_id, identity_seq, session_seq, inbox_seq, sender_id, content, preview, lane, now)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            message_id,
            tenant,
            route.identity_seq,
            session_seq,
            route.inbox_seq,
            caller.actor.id(),
            content,
            preview,
            lane,
            now
        ],
    )?;
    background::work_is_due();
    let accepted = accepted(caller, &route, message_id, session_id, content, preview, now)?;
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

/// What was just written, as reading it would show it.
fn accepted(
    caller: &Principal,
    route: &Route,
    id: String,
    session_id: String,
    content: String,
    preview: String,
    now: Timestamp,
) -> Result<MessageInConversation> {
    let conversation_id = conversations::id_of(&route.identity_id);
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
            content: RawValue::from_string(content).map_err(|error| Problem::internal(error.to_string()))?,
            delivery_status: DeliveryStatus::Pending,
            channel_message_id: None,
            failure_reason: None,
            edited_at: None,
            deleted_at: None,
            seq: 0,
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
            last_message_at: now,
            last_message_preview: preview,
            last_message_sender: "user".into(),
        },
    })
}

/// `data` of the conversation events.
#[derive(serde::Serialize)]
pub(crate) struct ConversationData<'a> {
    pub conversation: &'a conversations::Conversation,
}

/// Outside the window only a template goes out, and only on WhatsApp (contract section 5).
fn check_window(route: &Route, content: &MessageContent, now: Timestamp) -> Result<()> {
    let is_template = matches!(content, MessageContent::Template { .. });
    if is_template && route.channel != "whatsapp" {
        let mut window = conversations::window(route.last_inbound_at, now);
        window.failure_code = Some("unsupportedChannel");
        return Err(Problem::invalid("content.type", format!("template is not known on {}", route.channel))
            .with_code("unsupportedChannel")
            .with_window(window));
    }
    let window = conversations::window(route.last_inbound_at, now);
    if is_template || window.failure_code.is_none() {
        return Ok(());
    }
    Err(Problem::conflict(
        "messagingWindowClosed",
        "The customer has not written within the last 24 hours: send a template, or wait for their message.",
    )
    .with_window(window))
}

/// Everything a send job needs of its message.
#[derive(Debug)]
pub struct Outbound {
    pub message_seq: i64,
    pub content: MessageContent,
    /// What the provider calls the person.
    pub to: String,
    pub inbox: inboxes::Address,
    /// Whether it still waits for the provider.
    pub pending: bool,
    pub accepted_at: Timestamp,
}

/// Reads the message of a send job; `None` when its inbox is gone.
pub fn load(db: &Db<'_>, tenant: &str, message: &str) -> Result<Option<Outbound>> {
    type Found = (i64, String, String, bool, Timestamp, i64);
    let found = db.row::<Found>(
        "SELECT m.seq, m.content,
                (SELECT ci.source_id FROM contact_inboxes ci
                  WHERE ci.identity_seq = m.identity_seq AND ci.inbox_seq = m.inbox_seq),
                m.status = 0 AND m.channel_message_id IS NULL, m.created_at, m.inbox_seq
           FROM messages m
          WHERE m.id = ? AND m.tenant_id = ?",
        params![message, tenant],
    )?;
    let Some((message_seq, content, to, pending, accepted_at, inbox_seq)) = found else { return Ok(None) };
    let inbox = db.row::<inboxes::Address>(
        "SELECT seq, id, tenant_id, channel, external_id FROM inboxes
          WHERE seq = ? AND tenant_id = ? AND deleted_at IS NULL",
        params![inbox_seq, tenant],
    )?;
    let content = serde_json::from_str(&content)
        .map_err(|error| Problem::internal(format!("the content of {message} cannot be read: {error}")))?;
    Ok(inbox.map(|inbox| Outbound { message_seq, content, to, inbox, pending, accepted_at }))
}
