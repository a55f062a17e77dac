//! `PATCH` and `DELETE /v1/messages/{id}`: as long as a message waits.

use crate::MESSAGE;
use axum::Json as Answer;
use common::auth::{Principal, Role};
use common::input::{Id, Json};
use common::routes::{Operation, Routes};
use common::{Result, db};
use domain::messages::MessageInConversation;
use domain::pending::{self, UpdateMessageRequest};
use http::StatusCode;

pub fn routes() -> Routes {
    Routes::new("Messaging")
        .add(
            Operation::patch("/v1/messages/{id}", "updateMessage")
                .tenant(&["message:create"], Role::ALL)
                .summary("Change a message that was not sent yet")
                .describe(
                    "Changes content, metadata or time of a message that still waits: scheduled, behind others of its \
                     conversation, or to be tried again. It keeps its place, unless its time changes. Fields that are \
                     absent stay. Emits `message.updated`.",
                )
                .path_param("id", "The message, `msg_…`.")
                .body::<UpdateMessageRequest>(r#"{"metadata":{"orderId":"A-1021"}}"#)
                .answers::<MessageInConversation>(200, "The changed message.", MESSAGE)
                .problem(404, "message_not_found", "There is no such message in this tenant.")
                .problem(409, "message_already_sent", "It was sent, or is being sent now.")
                .problem(409, "messagingWindowClosed", "The window is closed for the new content.")
                .problem(422, "unsupportedChannel", "The channel cannot carry the new content.")
                .example_elsewhere("e2e messages::pending::a_waiting_message_is_changed"),
            update,
        )
        .add(
            Operation::delete("/v1/messages/{id}", "cancelMessage")
                .tenant(&["message:create"], Role::ALL)
                .summary("Cancel a message that was not sent yet")
                .describe(
                    "The customer never gets it. It stays in the history, `failed` and with `deletedAt`. \
                     Emits `message.updated`.",
                )
                .path_param("id", "The message, `msg_…`.")
                .answers_empty(204, "Cancelled.")
                .problem(404, "message_not_found", "There is no such message in this tenant.")
                .problem(409, "message_already_sent", "It was sent, or is being sent now.")
                .example_elsewhere("e2e messages::pending::a_waiting_message_is_cancelled"),
            cancel,
        )
}

async fn update(
    caller: Principal,
    Id(id): Id,
    Json(request): Json<UpdateMessageRequest>,
) -> Result<Answer<MessageInConversation>> {
    db::write(|db| pending::update(db, &caller, &id, &request)).await.map(Answer)
}

async fn cancel(caller: Principal, Id(id): Id) -> Result<StatusCode> {
    db::write(|db| pending::cancel(db, &caller, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
