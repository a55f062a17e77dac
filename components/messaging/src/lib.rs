//! `/v1/messages` and `/v1/conversations`: sending and reading (contract section 5).

mod changes;
mod conversations;
mod metadata;
mod reactions;

use axum::Json as Answer;
use axum::extract::RawQuery;
use axum::response::Response;
use common::auth::{Principal, Role};
use common::input::{Id, Post, Query};
use common::routes::{Operation, Routes};
use common::{Problem, Result, db};
use domain::messages::{self, List, Message, MessageInConversation};
use domain::outgoing::{self, CreateMessageRequest, SendMessageRequest};
use domain::visibility::viewer;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

common::serve!(crate::routes);

/// The operations of this component.
pub fn routes() -> Routes {
    Routes::new("Messaging")
        .add(
            sending(Operation::post("/v1/messages", "sendMessage"))
                .summary("Send a message")
                .describe(
                    "Sends a message to a conversation, a contact or a channel address, and opens the conversation \
                     when there is none. 202 means accepted: the message is stored with the job that sends it, and \
                     `deliveryStatus` goes from `pending` to `sent`, `delivered` and `read`, or `failed` with \
                     `failureReason`. Poll GET /v1/messages/{id} or listen for `message.updated`. \
                     WhatsApp lets a business write freely for 24 hours after the customer's latest message; \
                     outside that window only a template goes out. An unknown channel address becomes a contact. \
                     Emits `message.created`, and `conversation.started` and `contact.created` where they happen.",
                )
                .body::<CreateMessageRequest>(
                    r#"{"inboxId":"ibx_01HV8Y4QH7C8H1K5K0C8A2B9E4","recipient":{"type":"channel","externalId":"+48123456789","channel":"whatsapp"},"content":{"type":"template","template":{"name":"order_ready","language":"en"}}}"#,
                )
                .problem(404, "contact_not_found", "The contact of the recipient is absent.")
                .problem(422, "unsupportedChannel", "The channel cannot carry this content."),
            send,
        )
        .add(
            Operation::get("/v1/messages/{id}", "getMessage")
                .tenant(&["conversation:read"], Role::ALL)
                .summary("Read one message with its delivery state")
                .describe("For polling after a send; webhooks tell of the same changes without it.")
                .path_param("id", "The message, `msg_…`.")
                .answers::<MessageInConversation>(200, "The message and its conversation.", MESSAGE)
                .problem(404, "message_not_found", "There is no such message in this tenant."),
            read,
        )
        .add(
            Operation::get("/v1/conversations/{id}/messages", "listConversationMessages")
                .tenant(&["conversation:read"], Role::ALL)
                .summary("Page through a conversation's messages")
                .describe(
                    "Newest first. Messages that arrive while a caller pages do not shift the pages. With `afterSeq` \
                     the messages that came after that `seq`, in the order of their coming: to catch up, give the \
                     last `seq` you have, and again the last one of the answer while `hasMore` is true. None is \
                     skipped, also when several are accepted at once. `metadata[key]=value` shows those with this \
                     metadata only.",
                )
                .path_param("id", "The conversation, `cnv_…`.")
                .query::<HistoryParameters>()
                .answers::<MessagePage>(200, "A page of messages. `nextPageToken` is absent on the last page.", MESSAGES)
                .problem(404, "conversation_not_found", "There is no such conversation in this tenant."),
            list,
        )
        .add(
            sending(Operation::post("/v1/conversations/{id}/messages", "sendConversationMessage"))
                .summary("Reply in a conversation")
                .describe(
                    "Like sending a message to the recipient type `conversation`. Without `inboxId` the inbox of the \
                     latest open session is the sender.",
                )
                .path_param("id", "The conversation, `cnv_…`.")
                .body::<SendMessageRequest>(
                    r#"{"content":{"type":"text","text":{"body":"Thanks for reaching out. I am checking this now."}}}"#,
                ),
            reply,
        )
        .merge(conversations::routes())
        .merge(changes::routes())
        .merge(reactions::routes())
        .merge(metadata::routes())
}

/// What both ways of sending have in common.
fn sending(operation: Operation) -> Operation {
    operation
        .tenant(&["message:create"], Role::ALL)
        .answers::<MessageInConversation>(202, "Accepted for delivery.", MESSAGE)
        .problem(
            422,
            "inboxRequired",
            "No inbox to send from is known, or it was disconnected: name one with `inboxId`.",
        )
        .problem(404, "conversation_not_found", "The conversation is absent.")
        .problem(409, "recipient_opted_out", "The recipient does not want messages on this channel.")
        .problem(
            409,
            "messagingWindowClosed",
            "The window is closed; `messagingWindow` says so. Send a template.",
        )
}

pub const MESSAGE: &str = r#"{
  "message": {
    "id": "msg_01HV8Z2G8Z3H5M9K2S6A1N0P4K", "createdAt": "2026-04-30T10:36:00.000Z", "updatedAt": "2026-04-30T10:36:00.000Z",
    "tenantId": "tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K", "conversationId": "cnv_01HV8Y7YF5J4Y7M9M7T3H3X2A1",
    "sessionId": "ses_01HV8Z1K2M3N4P5Q6R7S8T9V0W", "senderType": "user", "senderId": "svc_01HV8ZD2G9W4P6Q8T1A3C5E7G9",
    "content": {"type": "template", "template": {"name": "order_ready", "language": "en"}}, "deliveryStatus": "pending",
    "seq": 4711
  },
  "conversation": {
    "id": "cnv_01HV8Y7YF5J4Y7M9M7T3H3X2A1", "channel": "whatsapp", "externalId": "48123456789",
    "inboxId": "ibx_01HV8Y4QH7C8H1K5K0C8A2B9E4", "name": "Anna Kowalska", "contactId": "con_01HV8Y5R5RFMS0TFK6PKF9H2S8",
    "contactName": "Anna Kowalska", "lastMessageAt": "2026-04-30T10:36:00.000Z", "lastMessagePreview": "order_ready",
    "lastMessageSender": "user"
  }
}"#;

pub const MESSAGES: &str = r#"{"messages": [{
  "id": "msg_01HV8Z2G8Z3H5M9K2S6A1N0P4K", "createdAt": "2026-04-30T10:36:00.000Z", "updatedAt": "2026-04-30T10:36:02.000Z",
  "tenantId": "tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K", "conversationId": "cnv_01HV8Y7YF5J4Y7M9M7T3H3X2A1",
  "sessionId": "ses_01HV8Z1K2M3N4P5Q6R7S8T9V0W", "senderType": "user", "senderId": "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S",
  "content": {"type": "text", "text": {"body": "Hi Anna, your order is ready for pickup."}}, "deliveryStatus": "delivered",
  "channelMessageId": "wamid.HBgLMjQxMjM0NTY3ODkVAgARGBI", "seq": 4711, "metadata": {"orderId": "A-1021"}
}]}"#;

/// How a history is read.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(rename_all = "camelCase")]
struct HistoryParameters {
    /// Only messages that came after this `seq`, oldest first; not together with `pageToken`.
    #[param(example = 4711)]
    after_seq: Option<i64>,
    /// `metadata[key]=value`: only messages with this metadata; up to five.
    #[param(style = DeepObject, explode = true)]
    #[allow(dead_code, reason = "for the documentation: read by metadata::filter")]
    metadata: Option<BTreeMap<String, String>>,
    /// Messages on a page: 1 to 100, larger values count as 100.
    #[param(minimum = 1, maximum = 100, default = 50)]
    page_size: Option<u32>,
    /// The `nextPageToken` of the page before.
    page_token: Option<String>,
}

/// A page of messages.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessagePage {
    messages: Vec<Message>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
    /// With `afterSeq`: whether there are more after the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    has_more: Option<bool>,
}

async fn send(caller: Principal, Post { body, once }: Post<CreateMessageRequest>) -> Result<Response> {
    once.write(&caller.tenant, StatusCode::ACCEPTED, |db| outgoing::accept(db, &caller, &body)).await
}

async fn reply(
    caller: Principal,
    Id(conversation): Id,
    Post { body, once }: Post<SendMessageRequest>,
) -> Result<Response> {
    let request = body.into_conversation(conversation);
    once.write(&caller.tenant, StatusCode::ACCEPTED, |db| outgoing::accept(db, &caller, &request)).await
}

async fn read(caller: Principal, Id(id): Id) -> Result<Answer<MessageInConversation>> {
    db::read(|db| messages::find(db, &caller.tenant, viewer(&caller), &id)).await.map(Answer)
}

async fn list(
    caller: Principal,
    Id(conversation): Id,
    RawQuery(query): RawQuery,
    Query(page): Query<HistoryParameters>,
) -> Result<Answer<MessagePage>> {
    let metadata = metadata::filter(query.as_deref())?;
    let list = List {
        tenant: &caller.tenant,
        viewer: viewer(&caller),
        metadata: &metadata,
        size: page.page_size,
        token: page.page_token.as_deref(),
    };
    let Some(seq) = page.after_seq else {
        let (messages, next_page_token) =
            db::read(|db| messages::in_conversation(db, &list, &conversation)).await?;
        return Ok(Answer(MessagePage { messages, next_page_token, has_more: None }));
    };
    if page.page_token.is_some() {
        return Err(Problem::parameter("afterSeq", "cannot be given together with pageToken"));
    }
    let (messages, more) = db::read(|db| messages::after(db, &list, &conversation, seq)).await?;
    Ok(Answer(MessagePage { messages, next_page_token: None, has_more: Some(more) }))
}
