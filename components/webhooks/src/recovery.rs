//! `/v1/webhooks/recover`: bringing back what an endpoint missed.

use axum::Json as Answer;
use axum::response::Response;
use common::auth::{Principal, Role};
use common::input::{Id, Post};
use common::routes::{Operation, Routes};
use common::{Result, db};
use domain::webhooks::recovery::{self, RecoverRequest, Recovery};
use http::StatusCode;

pub fn add(routes: Routes) -> Routes {
    routes
        .add(
            Operation::post("/v1/webhooks/recover", "recoverWebhookEvents")
                .tenant(&["webhook:update"], Role::ADMINS)
                .summary("Deliver again what an endpoint missed")
                .describe(
                    "Puts every event since a time, which the endpoint lists, has not accepted and is not to get \
                     anyway, into its queue again, oldest first: in the background, and on after a restart. With \
                     `dryRun` they are only counted. An addition to the published API.",
                )
                .body::<RecoverRequest>(r#"{"since": "2026-04-30T09:00:00Z", "dryRun": true}"#)
                .answers::<Recovery>(200, "The recovery that has begun, or the count.", RECOVERY)
                .problem(404, "webhook_endpoint_not_found", crate::ABSENT)
                .problem(409, "webhook_not_configured", "There is no main endpoint.")
                .problem(409, "webhook_endpoint_disabled", "The endpoint is switched off.")
                .example_elsewhere("e2e webhooks::recovery"),
            recover,
        )
        .add(
            Operation::get("/v1/webhooks/recover/{id}", "getWebhookRecovery")
                .tenant(&["webhook:read"], Role::ADMINS)
                .summary("Read how far a recovery is")
                .describe("One recovery, for 30 days. An addition to the published API.")
                .path_param("id", "The recovery.")
                .answers::<Recovery>(200, "The recovery.", RECOVERY)
                .problem(404, "webhook_recovery_not_found", "There is no such recovery."),
            read,
        )
}

const RECOVERY: &str = r#"{
  "id": "whr_01HV8ZE2G9W4P6Q8T1A3C5E7G9", "endpointId": "whk_01HV8ZE2G9W4P6Q8T1A3C5E7G9", "since": "2026-04-30T09:00:00.000Z",
  "status": "running", "seen": 500, "recovered": 42, "createdAt": "2026-04-30T10:00:00.000Z"
}"#;

async fn recover(caller: Principal, Post { body, once }: Post<RecoverRequest>) -> Result<Response> {
    once.write(&caller.tenant, StatusCode::OK, |db| {
        if body.dry_run { recovery::count(db, &caller, &body) } else { recovery::begin(db, &caller, &body) }
    })
    .await
}

async fn read(caller: Principal, Id(id): Id) -> Result<Answer<Recovery>> {
    db::read(|db| recovery::get(db, &caller.tenant, &id)).await.map(Answer)
}
