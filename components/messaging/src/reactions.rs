//! `POST /v1/messages/{id}/reactions`.

use axum::response::Response;
use common::Result;
use common::auth::{Principal, Role};
use common::input::{Id, Post};
use common::routes::{Operation, Routes};
use domain::reactions::{self, ReactionAnswer, SendReactionRequest};
use http::StatusCode;

pub fn routes() -> Routes {
    Routes::new("Messaging").add(
        Operation::post("/v1/messages/{id}/reactions", "sendReaction")
            .tenant(&["message:create"], Role::ALL)
            .summary("Put an emoji on a message, or take it off")
            .describe(
                "One reaction a sender and message: a new emoji replaces the last one, `removed` takes it off. The \
                 customer sees one for the business, the latest of its people's. WhatsApp, Messenger, Instagram and \
                 live chat know reactions, within the messaging window. Emits `message.updated`.",
            )
            .path_param("id", "The message, `msg_…`: the customer's or one of the business.")
            .body::<SendReactionRequest>(r#"{"emoji":"👍"}"#)
            .answers::<ReactionAnswer>(200, "The reaction; with `removed` as it was.", REACTION)
            .problem(404, "message_not_found", "There is no such message in this tenant.")
            .problem(404, "reaction_not_found", "There is no reaction of the caller to take off.")
            .problem(409, "message_not_delivered", "The message failed or was taken back.")
            .problem(409, "recipient_opted_out", "The recipient does not want messages on this channel.")
            .problem(409, "messagingWindowClosed", "The window is closed; `messagingWindow` says so.")
            .problem(422, "unsupportedChannel", "The channel knows no reactions."),
        react,
    )
}

const REACTION: &str = r#"{"reaction": {
  "id": "rct_01HV8Z9C3X6E1W7R5D9F2G8H4J", "messageId": "msg_01HV8Z2G8Z3H5M9K2S6A1N0P4K", "senderType": "user",
  "senderId": "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S", "emoji": "👍", "createdAt": "2026-04-30T10:37:00.000Z"
}}"#;

async fn react(
    caller: Principal,
    Id(id): Id,
    Post { body, once }: Post<SendReactionRequest>,
) -> Result<Response> {
    once.write(&caller.tenant, StatusCode::OK, |db| reactions::react(db, &caller, &id, &body)).await
}
