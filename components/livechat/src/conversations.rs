//! `…/contacts/{contact_identifier}/conversations`

use crate::path::{CONTACT, CONVERSATION, INBOX, OfContact, OfConversation};
use axum::Json as Answer;
use common::db::Db;
use common::input::{Json, Query};
use common::routes::{Operation, Routes};
use common::{Problem, Result, db};
use domain::livechat::texts::Files;
use domain::livechat::threads::{self, ClientConversation, ConversationRequest};
use domain::livechat::{self, LiveChat, Visitor};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const LIST: &str = "/public/api/v1/inboxes/{inbox_identifier}/contacts/{contact_identifier}/conversations";
const ONE: &str =
    "/public/api/v1/inboxes/{inbox_identifier}/contacts/{contact_identifier}/conversations/{conversation_id}";
const TOGGLE_STATUS: &str = "/public/api/v1/inboxes/{inbox_identifier}/contacts/{contact_identifier}/conversations/{conversation_id}/toggle_status";
const TOGGLE_TYPING: &str = "/public/api/v1/inboxes/{inbox_identifier}/contacts/{contact_identifier}/conversations/{conversation_id}/toggle_typing";
const UPDATE_LAST_SEEN: &str = "/public/api/v1/inboxes/{inbox_identifier}/contacts/{contact_identifier}/conversations/{conversation_id}/update_last_seen";

/// What all operations below a contact have in common.
pub fn of_contact(operation: Operation) -> Operation {
    operation
        .path_param("inbox_identifier", INBOX)
        .path_param("contact_identifier", CONTACT)
        .problem(401, "auth_identity_not_proven", "The inbox asks for proof, and the visitor never gave it.")
        .problem(404, "contact_not_found", "There is no such visitor.")
        .example_elsewhere("e2e livechat")
}

/// What all operations on a conversation have in common.
pub fn of_conversation(operation: Operation) -> Operation {
    of_contact(operation).path_number("conversation_id", CONVERSATION).problem(
        404,
        "conversation_not_found",
        "The visitor has no such conversation.",
    )
}

pub fn add(routes: Routes) -> Routes {
    routes
        .add(
            of_contact(Operation::post(LIST, "create-a-conversation"))
                .summary("Create a conversation")
                .describe(
                    "A visitor has at most one open conversation: while there is one, it is answered, with \
                     `custom_attributes` merged into it. It opens for the agents at once, before anybody writes.",
                )
                .body::<ConversationRequest>(r#"{"custom_attributes": {"page": "/pricing"}}"#)
                .answers::<ClientConversation>(200, "The conversation.", EXAMPLE)
                .problem(422, "request_validation_failed", "A field breaks a rule."),
            create,
        )
        .add(
            of_contact(Operation::get(LIST, "list-all-contact-conversations"))
                .summary("List all conversations")
                .describe(
                    "The latest 50, newest first: those of this visitor, and for who proved an identifier those of other \
                     visitors with the same proof.",
                )
                .answers::<ConversationList>(200, "The conversations.", "[]"),
            list,
        )
        .add(
            of_conversation(Operation::get(ONE, "get-single-conversation"))
                .summary("Get a single conversation")
                .describe("With its latest 20 messages.")
                .answers::<ClientConversation>(200, "The conversation.", EXAMPLE),
            read,
        )
        .add(
            of_conversation(Operation::post(TOGGLE_STATUS, "resolve-conversation"))
                .summary("Resolve a conversation")
                .describe("One that is resolved stays so. The customer's next message opens it again.")
                .answers::<ClientConversation>(200, "The conversation.", EXAMPLE),
            toggle_status,
        )
        .add(
            of_conversation(Operation::post(TOGGLE_TYPING, "toggle-typing-status"))
                .summary("Toggle typing status")
                .describe("`typing_status` comes in the query or in the body. Without `off` it ends after 30 seconds.")
                .query::<TypingQuery>()
                .body::<TypingRequest>(r#"{"typing_status": "on"}"#)
                .answers_empty(200, "Noted.")
                .problem(422, "request_validation_failed", "`typing_status` is neither `on` nor `off`."),
            toggle_typing,
        )
        .add(
            of_conversation(Operation::post(UPDATE_LAST_SEEN, "update-last-seen"))
                .summary("Update last seen")
                .describe("The customer has seen everything: messages of the other side count as read.")
                .answers_empty(200, "Noted."),
            update_last_seen,
        )
}

const EXAMPLE: &str = r#"{
  "id": 1, "uuid": "018f2e60-5b2e-7c3a-9d4f-1a2b3c4d5e6f", "inbox_id": 1, "contact_last_seen_at": 0, "status": "open",
  "agent_last_seen_at": 0, "custom_attributes": {}, "messages": [],
  "contact": {
    "id": 1, "account_id": 1, "name": "Alice", "email": "alice@acme.inc", "phone_number": null, "identifier": null,
    "custom_attributes": {}, "additional_attributes": {}, "created_at": "2026-04-30T09:00:00.000Z",
    "updated_at": "2026-04-30T09:00:00.000Z"
  }
}"#;

/// Conversations of a visitor.
#[derive(Debug, Serialize, ToSchema)]
#[serde(transparent)]
pub struct ConversationList(Vec<ClientConversation>);

/// Whether the customer is typing.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct TypingRequest {
    /// `on` or `off`.
    #[serde(default)]
    #[schema(example = "on")]
    typing_status: Option<String>,
}

/// Whether the customer is typing.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TypingQuery {
    /// `on` or `off`.
    #[serde(default)]
    typing_status: Option<String>,
}

/// The inbox and the visitor that a path names.
pub fn who(db: &Db<'_>, inbox: &str, contact: &str) -> Result<(LiveChat, Visitor)> {
    let chat = livechat::inbox(db, inbox)?;
    let visitor = livechat::writer(db, &chat, contact)?;
    Ok((chat, visitor))
}

async fn create(at: OfContact, Json(body): Json<ConversationRequest>) -> Result<Answer<ClientConversation>> {
    let files = Files::from_settings().await?;
    db::write(|db| {
        let (chat, visitor) = who(db, &at.inbox, &at.contact)?;
        let session = threads::open(db, &chat, &visitor, &body)?;
        threads::shown(db, &chat, &visitor, &session, &files)
    })
    .await
    .map(Answer)
}

async fn list(at: OfContact) -> Result<Answer<ConversationList>> {
    let files = Files::from_settings().await?;
    db::read(|db| {
        let (chat, visitor) = who(db, &at.inbox, &at.contact)?;
        let sessions = threads::list(db, &chat, &visitor)?;
        let shown = sessions.iter().map(|session| threads::shown(db, &chat, &visitor, session, &files));
        Ok(Answer(ConversationList(shown.collect::<Result<_>>()?)))
    })
    .await
}

async fn read(at: OfConversation) -> Result<Answer<ClientConversation>> {
    let files = Files::from_settings().await?;
    db::read(|db| {
        let (chat, visitor) = who(db, &at.inbox, &at.contact)?;
        let session = threads::find(db, &chat, &visitor, at.conversation)?;
        threads::shown(db, &chat, &visitor, &session, &files)
    })
    .await
    .map(Answer)
}

async fn toggle_status(at: OfConversation) -> Result<Answer<ClientConversation>> {
    let files = Files::from_settings().await?;
    db::write(|db| {
        let (chat, visitor) = who(db, &at.inbox, &at.contact)?;
        let session = threads::resolve(db, &chat, &visitor, at.conversation)?;
        threads::shown(db, &chat, &visitor, &session, &files)
    })
    .await
    .map(Answer)
}

async fn toggle_typing(
    at: OfConversation,
    Query(query): Query<TypingQuery>,
    Json(body): Json<TypingRequest>,
) -> Result<StatusCode> {
    let on = match query.typing_status.or(body.typing_status).as_deref() {
        Some("on") => true,
        Some("off") => false,
        _ => return Err(Problem::invalid("typing_status", "must be on or off")),
    };
    db::write(|db| {
        let (chat, visitor) = who(db, &at.inbox, &at.contact)?;
        threads::typing(db, &chat, &visitor, at.conversation, on)
    })
    .await?;
    Ok(StatusCode::OK)
}

async fn update_last_seen(at: OfConversation) -> Result<StatusCode> {
    db::write(|db| {
        let (chat, visitor) = who(db, &at.inbox, &at.contact)?;
        threads::seen(db, &chat, &visitor, at.conversation)
    })
    .await?;
    Ok(StatusCode::OK)
}
