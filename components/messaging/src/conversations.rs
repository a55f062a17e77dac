//! `/v1/conversations`: which there are, and what is done with them beyond writing (contract section 5).

mod list;

use axum::Json as Answer;
use axum::response::Response;
use common::auth::{Principal, Role};
use common::input::{Id, Nothing, Post};
use common::routes::{Operation, Routes};
use common::{Result, db};
use domain::conversations::changes::{self, MarkConversationReadRequest, ReassignConversationRequest};
use domain::conversations::details::{self, ConversationDetails, ConversationState};
use http::StatusCode;

/// The operations on conversations; those on their messages are beside the messages'.
pub fn routes() -> Routes {
    Routes::new("Messaging")
        .add(list::operation(), list::list)
        .add(
            Operation::get("/v1/conversations/{id}", "getConversation")
                .tenant(&["conversation:read"], Role::ALL)
                .summary("Read one conversation with its sendability window")
                .describe(
                    "`messagingWindow` says whether an agent, or software in the name of one, may write freely now: \
                     WhatsApp for 24 hours after the customer's latest message, Messenger and Instagram for seven days \
                     (bots for 24 hours), SMS always, live chat while the conversation is open. `expiresAt` is absent \
                     where a window does not close by itself. `failureCode` is `inboxRequired` when no inbox is left to \
                     send from: name one with `inboxId`. `messagingWindows` holds the same for agents and bots. \
                     `unreadCount` is the caller's own.",
                )
                .path_param("id", "The conversation, `cnv_…`.")
                .answers::<ConversationDetails>(200, "The conversation with its context.", DETAILS)
                .problem(404, "conversation_not_found", NO_CONVERSATION),
            read,
        )
        .add(
            Operation::post("/v1/conversations/{id}/reassign", "reassignConversation")
                .tenant(&["conversation:assign"], Role::ALL)
                .summary("Hand a conversation over to another user")
                .describe(
                    "Who it is assigned to sees it from then on, whatever team it belongs to; who hands it over may lose \
                     sight of it. Any member of the tenant can be named, by anybody who sees the conversation; \
                     `\"userId\": null` takes the assignment away. The assignment belongs to the open session and ends \
                     with it. Emits `conversation.updated` unless the user had it already.",
                )
                .path_param("id", "The conversation, `cnv_…`.")
                .body::<ReassignConversationRequest>(r#"{"userId":"usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S"}"#)
                .answers_empty(204, "Reassigned.")
                .problem(404, "conversation_not_found", NO_CONVERSATION)
                .problem(409, "conversation_not_open", NOT_OPEN)
                .problem(422, "request_validation_failed", "The user is no member of this tenant, or is disabled."),
            reassign,
        )
        .add(
            Operation::post("/v1/conversations/{id}/read", "markConversationRead")
                .tenant(&["conversation:read"], Role::ALL)
                .summary("Mark messages up to one as read")
                .describe(
                    "For the caller alone. Everything that the history shows up to and including `lastMessageId` is \
                     read; naming an older message than before changes nothing. A message that arrives meanwhile stays \
                     unread. Emits `conversation.updated` when the caller has read further than before. On WhatsApp the \
                     customer sees that a person has read; what software reads, they do not see.",
                )
                .path_param("id", "The conversation, `cnv_…`.")
                .body::<MarkConversationReadRequest>(r#"{"lastMessageId":"msg_01HV8Z2G8Z3H5M9K2S6A1N0P4K"}"#)
                .answers::<ConversationState>(200, "The conversation.", STATE)
                .problem(404, "conversation_not_found", NO_CONVERSATION)
                .problem(422, "request_validation_failed", "`lastMessageId` is no message of this conversation."),
            mark_read,
        )
        .add(
            Operation::post("/v1/conversations/{id}/close", "closeConversation")
                .tenant(&["conversation:close"], Role::ALL)
                .summary("Close the session that is active in the conversation")
                .describe(
                    "The history stays readable, nothing of it is unread any more, and messages that still wait to be \
                     sent are sent. The next message, from either side, opens a new session without an assignee. A \
                     customer's message that arrives at the same moment is either in the session that closes or opens \
                     the next one. Takes no body. Emits `conversation.closed`.",
                )
                .path_param("id", "The conversation, `cnv_…`.")
                .answers::<ConversationState>(200, "The conversation, closed.", CLOSED)
                .problem(404, "conversation_not_found", NO_CONVERSATION)
                .problem(409, "conversation_not_open", NOT_OPEN),
            close,
        )
}

const NO_CONVERSATION: &str = "There is no such conversation in the caller's sight.";
const NOT_OPEN: &str = "No session of the conversation is open.";
pub(crate) const STATE: &str = r#"{
  "id": "cnv_01HV8Y7YF5J4Y7M9M7T3H3X2A1", "channel": "whatsapp", "externalId": "48123456789",
  "inboxId": "ibx_01HV8Y4QH7C8H1K5K0C8A2B9E4", "name": "Anna Kowalska", "contactId": "con_01HV8Y5R5RFMS0TFK6PKF9H2S8",
  "contactName": "Anna Kowalska", "lastMessageAt": "2026-04-30T10:35:00.000Z",
  "lastMessagePreview": "Thanks, I will check it now.", "lastMessageSender": "customer", "status": "open",
  "sessionId": "ses_01HV8Z1K2M3N4P5Q6R7S8T9V0W", "assignedUserId": "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S",
  "teamId": "team_01HV8Y6W0W4T5A8S9V7Q2P1M3K", "unreadCount": 0
}"#;
const CLOSED: &str = r#"{
  "id": "cnv_01HV8Y7YF5J4Y7M9M7T3H3X2A1", "channel": "whatsapp", "externalId": "48123456789",
  "inboxId": "ibx_01HV8Y4QH7C8H1K5K0C8A2B9E4", "name": "Anna Kowalska", "contactId": "con_01HV8Y5R5RFMS0TFK6PKF9H2S8",
  "contactName": "Anna Kowalska", "lastMessageAt": "2026-04-30T10:35:00.000Z",
  "lastMessagePreview": "Thanks, I will check it now.", "lastMessageSender": "customer", "status": "closed",
  "sessionId": "ses_01HV8Z1K2M3N4P5Q6R7S8T9V0W", "unreadCount": 0
}"#;
const DETAILS: &str = r#"{
  "id": "cnv_01HV8Y7YF5J4Y7M9M7T3H3X2A1", "channel": "whatsapp", "externalId": "48123456789",
  "inboxId": "ibx_01HV8Y4QH7C8H1K5K0C8A2B9E4", "name": "Anna Kowalska", "contactId": "con_01HV8Y5R5RFMS0TFK6PKF9H2S8",
  "contactName": "Anna Kowalska", "lastMessageAt": "2026-04-30T10:35:00.000Z",
  "lastMessagePreview": "Thanks, I will check it now.", "lastMessageSender": "customer", "status": "open",
  "sessionId": "ses_01HV8Z1K2M3N4P5Q6R7S8T9V0W", "assignedUserId": "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S", "unreadCount": 1,
  "messagingWindow": {"state": "OPEN", "forActor": "AGENT", "expiresAt": "2026-05-01T10:35:00.000Z"},
  "messagingWindows": [
    {"state": "OPEN", "forActor": "AGENT", "expiresAt": "2026-05-01T10:35:00.000Z"},
    {"state": "OPEN", "forActor": "BOT", "expiresAt": "2026-05-01T10:35:00.000Z"}
  ]
}"#;

async fn read(caller: Principal, Id(id): Id) -> Result<Answer<ConversationDetails>> {
    db::read(|db| details::find(db, &caller, &id)).await.map(Answer)
}

async fn reassign(
    caller: Principal,
    Id(id): Id,
    Post { body, once }: Post<ReassignConversationRequest>,
) -> Result<Response> {
    once.write(&caller.tenant, StatusCode::NO_CONTENT, |db| changes::reassign(db, &caller, &id, &body)).await
}

async fn mark_read(
    caller: Principal,
    Id(id): Id,
    Post { body, once }: Post<MarkConversationReadRequest>,
) -> Result<Response> {
    once.write(&caller.tenant, StatusCode::OK, |db| changes::mark_read(db, &caller, &id, &body)).await
}

async fn close(
    caller: Principal,
    Id(id): Id,
    Post { body: Nothing, once }: Post<Nothing>,
) -> Result<Response> {
    once.write(&caller.tenant, StatusCode::OK, |db| changes::close(db, &caller, &id)).await
}
