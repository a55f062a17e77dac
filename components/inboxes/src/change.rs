//! `PATCH` and `DELETE /v1/inboxes/{id}`

use crate::answer::{ABSENT, Callbacks, ID, INBOX};
use crate::gateway;
use axum::Json as Answer;
use common::auth::{Principal, Role};
use common::crypto::Sealer;
use common::input::{Id, Json};
use common::routes::{Operation, Routes};
use common::{Result, db};
use domain::inboxes::{self, Inbox, UpdateInboxRequest};
use http::StatusCode;

pub fn add(routes: Routes) -> Routes {
    routes
        .add(
            Operation::patch("/v1/inboxes/{id}", "updateInbox")
                .tenant(&["inbox:update"], Role::ADMINS)
                .summary("Rename an inbox or renew its credentials")
                .describe(
                    "An addition to the published API. What is absent stays as it is. New credentials bring back an inbox \
                     that was `degraded`, and the messages that wait for it go out at once. Which credentials belong to an inbox depends on its channel; those of another are refused.",
                )
                .path_param("id", ID)
                .body::<UpdateInboxRequest>(r#"{"name":"Support WhatsApp","credentials":{"accessToken":"EAAJBexample"}}"#)
                .answers::<Inbox>(200, "The inbox after the change.", INBOX)
                .problem(404, "inbox_not_found", ABSENT),
            update,
        )
        .add(
            Operation::delete("/v1/inboxes/{id}", "deleteInbox")
                .tenant(&["inbox:delete"], Role::ADMINS)
                .summary("Disconnect an inbox")
                .describe(
                    "It can no longer receive or send, and its tokens are forgotten. Conversations and messages stay \
                     readable. Messages that wait to be sent fail with their reason; new ones are refused \
                     (`inboxRequired`) unless another inbox is named. The sender can be connected again, here or by \
                     another workspace, as a new inbox.",
                )
                .path_param("id", ID)
                .answers_empty(204, "Disconnected.")
                .problem(404, "inbox_not_found", ABSENT),
            delete,
        )
}

async fn update(
    caller: Principal,
    Id(id): Id,
    Json(body): Json<UpdateInboxRequest>,
) -> Result<Answer<Inbox>> {
    let sealer = Sealer::from_settings().await?;
    let changed = body.credentials.as_ref().and_then(|credentials| credentials.gateway.as_ref());
    gateway::check("credentials.gateway", changed).await?;
    let callbacks = Callbacks::for_caller(&caller).await?;
    db::write(|db| {
        let inbox = inboxes::update(db, &caller, &sealer, &id, &body)?;
        callbacks.show(db, &caller.tenant, inbox)
    })
    .await
    .map(Answer)
}

async fn delete(caller: Principal, Id(id): Id) -> Result<StatusCode> {
    db::write(|db| inboxes::delete(db, &caller, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
