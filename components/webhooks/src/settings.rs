//! `GET`, `PATCH` and `DELETE /v1/webhooks`: the main endpoint.

use axum::Json as Answer;
use common::auth::{Principal, Role};
use common::input::Json;
use common::routes::{Operation, Routes};
use common::{Result, db, settings as variables};
use domain::webhooks::settings::{self, UpdateWebhookSettingsRequest, WebhookSettings, Which};
use http::StatusCode;

/// What all ways of changing an endpoint say.
macro_rules! rules {
    () => {
        "Enabling needs a URL; the URL must be https and public: no user name, no private or local \
         address in any spelling, no `localhost`, `.internal` or `.local`, unless the operator of this server allows \
         the tenant the network (or, for local use, this machine). Deliveries are POSTs signed after the Standard Webhooks specification: verify `webhook-id`, \
         `webhook-timestamp` and `webhook-signature` over the raw body. Any 2xx within 15 seconds accepts; a redirection is \
         a failure. Otherwise it is tried again after about 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h with the \
         same `webhook-id`, which is your key against duplicates. After a 429 and after a time-out the wait is at least a \
         minute; `Retry-After`, in seconds or as a date, can make it longer, to ten hours. A 410 switches the endpoint off, \
         and so do five days of nothing but failures: `disabledReason` says which. The response header \
         `webhook-delivery: abort-message` ends the tries of that event. With `ordering` an event waits until the one before \
         of its conversation or contact was accepted or given up. At most four deliveries are in flight at a time; after ten \
         failures in a row one delivery tries every half to five minutes until one succeeds."
    };
}
pub(crate) use rules;

pub fn add(routes: Routes) -> Routes {
    routes
        .add(
            Operation::get("/v1/webhooks", "getWebhookSettings")
                .tenant(&["webhook:read"], Role::ADMINS)
                .summary("Read the webhook settings")
                .describe(
                    "The tenant's main endpoint and the event types on offer. A tenant that configured none gets \
                     `enabled: false` and no `id`. Others are at `/v1/webhooks/endpoints`.",
                )
                .answers::<WebhookSettings>(200, "The settings.", SETTINGS),
            read,
        )
        .add(
            Operation::patch("/v1/webhooks", "updateWebhookSettings")
                .tenant(&["webhook:update"], Role::ADMINS)
                .summary("Change the webhook settings")
                .describe(concat!(
                    "Changes what is present in the body; the first change creates the main endpoint. ",
                    rules!()
                ))
                .body::<UpdateWebhookSettingsRequest>(CHANGE)
                .answers::<WebhookSettings>(200, "The settings after the change.", SETTINGS)
                .problem(409, "too_many_endpoints", "The tenant has 20 endpoints."),
            update,
        )
        .add(
            Operation::delete("/v1/webhooks", "deleteWebhookSettings")
                .tenant(&["webhook:delete"], Role::ADMINS)
                .summary("Remove the webhook")
                .describe(
                    "Disables and removes the main endpoint; deliveries that still wait are dropped. Its signing keys \
                     stay, and attempts stay readable for their week. Removing what is not there answers 204 too.",
                )
                .answers_empty(204, "Removed."),
            delete,
        )
}

pub const CHANGE: &str = r#"{"enabled": true, "url": "https://example.com/hooks/flownally", "eventTypes": ["message.created", "message.updated"]}"#;

pub const SETTINGS: &str = r#"{
  "id": "whk_01HV8ZE2G9W4P6Q8T1A3C5E7G9", "enabled": true, "verified": false, "url": "https://example.com/hooks/flownally",
  "eventTypes": ["message.created", "message.updated"],
  "availableEventTypes": ["contact.created", "contact.updated", "contact.archived", "conversation.started",
                          "conversation.updated", "conversation.closed", "message.created", "message.updated"],
  "ordering": "none", "signatureSchemes": ["v1"],
  "createdAt": "2026-04-30T09:45:00.000Z", "updatedAt": "2026-04-30T09:45:00.000Z"
}"#;

async fn read(caller: Principal) -> Result<Answer<WebhookSettings>> {
    db::read(|db| settings::get(db, &caller.tenant, Which::Main)).await.map(Answer)
}

async fn update(
    caller: Principal,
    Json(body): Json<UpdateWebhookSettingsRequest>,
) -> Result<Answer<WebhookSettings>> {
    let local = variables::webhooks_local().await.is_some();
    db::write(|db| settings::update(db, &caller, Which::Main, &body, local)).await.map(Answer)
}

async fn delete(caller: Principal) -> Result<StatusCode> {
    db::write(|db| settings::delete(db, &caller, Which::Main)).await?;
    Ok(StatusCode::NO_CONTENT)
}
