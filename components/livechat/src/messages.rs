//! `…/conversations/{conversation_id}/messages`

use crate::attachments;
use crate::conversations::{of_conversation, who};
use crate::path::{MESSAGE, OfConversation, OfMessage};
use axum::Json as Answer;
use axum::extract::{FromRequest, Request};
use common::input::{Json, Query};
use common::routes::{Operation, Routes};
use common::{Result, db, idempotency};
use domain::livechat::answers::{self, AnswerRequest};
use domain::livechat::texts::{self, ClientMessage, Files, MessagesQuery, PAGE};
use domain::livechat::threads;
use domain::livechat::writing::{self, ECHO_CHARS, MessageRequest};
use serde::Serialize;
use utoipa::ToSchema;

const LIST: &str = "/public/api/v1/inboxes/{inbox_identifier}/contacts/{contact_identifier}/conversations/{conversation_id}/messages";
const ONE: &str = "/public/api/v1/inboxes/{inbox_identifier}/contacts/{contact_identifier}/conversations/{conversation_id}/messages/{message_id}";

/// Largest body that is no form with files: the longest text there is, escaped.
const TEXT_BODY_BYTES: usize = 2 * 1024 * 1024;

pub fn add(routes: Routes) -> Routes {
    routes
        .add(
            of_conversation(Operation::post(LIST, "create-a-message"))
                .body_limit(TEXT_BODY_BYTES)
                .summary("Create a message")
                .describe(
                    "What the customer writes, as JSON or a form. With `multipart/form-data` up to 15 files go along in \
                     `attachments[]`; each file is a message of its own, the first one with the text. A resolved \
                     conversation opens again; where a later one is open, the message goes there, and \
                     `conversation_id` says so. The same `echo_id` (or `Idempotency-Key`) with the same content within \
                     a day is the same message. At most 200 messages a minute.",
                )
                .header("Idempotency-Key", "Tells a repeated request, where there is no `echo_id`.")
                .body::<MessageRequest>(r#"{"content": "Hello, how can I help you?", "echo_id": "1234567890"}"#)
                .answers::<ClientMessage>(200, "The message.", EXAMPLE)
                .problem(413, "request_too_large", "The files are too large.")
                .problem(415, "request_media_type_unsupported", "A file's type is not taken.")
                .problem(422, "request_validation_failed", "A field breaks a rule."),
            create,
        )
        .add(
            of_conversation(Operation::get(LIST, "list-all-converation-messages"))
                .summary("List all messages")
                .describe(
                    "Twenty a call, oldest first: the latest ones, or with `before` those before that message. What the \
                     other side scheduled or failed to send is not among them.",
                )
                .query::<MessagesQuery>()
                .answers::<MessageList>(200, "The messages.", "[]"),
            list,
        )
        .add(
            of_conversation(Operation::patch(ONE, "update-a-message"))
                .path_number("message_id", MESSAGE)
                .summary("Update a message")
                .describe(
                    "The customer's answer to a question of ours. `submitted_values` stand with the question from then on, \
                     and each choice comes in as a message that quotes it.",
                )
                .body::<AnswerRequest>(r#"{"submitted_values": [{"title": "Morning", "value": "slot:am"}]}"#)
                .answers::<ClientMessage>(200, "The question with its answer.", EXAMPLE)
                .problem(404, "message_not_found", "The conversation has no such message of the other side.")
                .problem(422, "request_validation_failed", "The message asks for no choice, or for another one."),
            answer,
        )
}

const EXAMPLE: &str = r#"{
  "id": 42, "content": "Hello, how can I help you?", "message_type": 0, "content_type": "text", "content_attributes": {},
  "created_at": 1777539600, "conversation_id": 1, "sender": {"id": 1, "type": "contact"}, "echo_id": "1234567890"
}"#;

/// Messages of a conversation.
#[derive(Debug, Serialize, ToSchema)]
#[serde(transparent)]
pub struct MessageList(Vec<ClientMessage>);

async fn create(at: OfConversation, request: Request) -> Result<Answer<ClientMessage>> {
    let key = request
        .headers()
        .get(idempotency::HEADER)
        .and_then(|value| value.to_str().ok())
        .filter(|key| !key.is_empty() && key.len() <= ECHO_CHARS)
        .map(str::to_string);
    let links = Files::from_settings().await?;
    let (body, files) = if attachments::is_multipart(&request) {
        attachments::receive(&at, request).await?
    } else {
        let Json(body) = Json::<MessageRequest>::from_request(request, &()).await?;
        (body, Vec::new())
    };
    let made = db::write(|db| {
        let (chat, visitor) = who(db, &at.inbox, &at.contact)?;
        let session = threads::find(db, &chat, &visitor, at.conversation)?;
        let media = files.iter().map(|file| file.content.clone()).collect();
        writing::create(db, &chat, &visitor, &session, &body, key.as_deref(), (&links, media))
    })
    .await;
    if !matches!(made, Ok((_, true))) {
        attachments::discard(&files).await;
    }
    made.map(|(message, _)| Answer(message))
}

async fn list(at: OfConversation, Query(query): Query<MessagesQuery>) -> Result<Answer<MessageList>> {
    let files = Files::from_settings().await?;
    db::read(|db| {
        let (chat, visitor) = who(db, &at.inbox, &at.contact)?;
        let session = threads::find(db, &chat, &visitor, at.conversation)?;
        let messages = texts::latest(db, &chat, &session, query.before, PAGE, &files)?;
        Ok(Answer(MessageList(messages)))
    })
    .await
}

async fn answer(at: OfMessage, Json(body): Json<AnswerRequest>) -> Result<Answer<ClientMessage>> {
    let files = Files::from_settings().await?;
    db::write(|db| {
        let (chat, visitor) = who(db, &at.inbox, &at.contact)?;
        let session = threads::find(db, &chat, &visitor, at.conversation)?;
        answers::answer(db, &chat, &session, at.message, &body, &files)
    })
    .await
    .map(Answer)
}
