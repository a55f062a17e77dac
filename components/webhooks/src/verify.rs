//! `POST /v1/webhooks/verify`: a signed test event, sent by the scheduler, which alone reaches the outside.

use crate::{ABSENT, ID};
use axum::Json as Answer;
use common::auth::{Principal, Role};
use common::input::{Id, Raw, parse};
use common::outbound::Deadlines;
use common::routes::{Operation, Routes};
use common::{Problem, Result, db, internal, settings as variables};
use domain::webhooks::address::Guard;
use domain::webhooks::settings::{self, VerifyOutcome, Which};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use utoipa::ToSchema;

/// A little longer than a receiver may take.
const DEADLINES: Deadlines = Deadlines {
    connect: Duration::from_secs(2),
    first_byte: Duration::from_secs(25),
    total: Duration::from_secs(25),
};

/// What to test; the body may be left out.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerifyWebhookRequest {
    /// Another URL than the saved one.
    #[schema(example = "https://example.com/hooks/flownally")]
    url: Option<String>,
}

pub fn add(routes: Routes) -> Routes {
    routes
        .add(
            Operation::post("/v1/webhooks/verify", "verifyWebhook")
                .tenant(&["webhook:update"], Role::ADMINS)
                .summary("Send a test event")
                .describe(
                    "Sends a signed event of the type `webhook.test` to the URL given, or to the saved one, and says \
                     what came of it: the answer is 200 also when the receiver failed. A success at the saved URL \
                     sets `verified`. The event is signed with the main endpoint's keys, is not repeated, and is \
                     logged as an attempt. The body may be left out.",
                )
                .body::<VerifyWebhookRequest>(r#"{"url": "https://example.com/hooks/flownally"}"#)
                .answers::<VerifyOutcome>(200, "What came of it.", OUTCOME),
            verify,
        )
        .add(
            Operation::post("/v1/webhooks/endpoints/{id}/verify", "verifyWebhookEndpoint")
                .tenant(&["webhook:update"], Role::ADMINS)
                .summary("Send a test event to an endpoint")
                .describe("As for the main endpoint, signed with this one's keys. An addition to the published API.")
                .path_param("id", ID)
                .body::<VerifyWebhookRequest>(r#"{"url": "https://example.com/hooks/flownally"}"#)
                .answers::<VerifyOutcome>(200, "What came of it.", OUTCOME)
                .problem(404, "webhook_endpoint_not_found", ABSENT),
            verify_endpoint,
        )
}

const OUTCOME: &str = r#"{"success": true, "responseStatus": 204, "durationMs": 84}"#;

async fn verify(caller: Principal, Raw(body): Raw) -> Result<Answer<VerifyOutcome>> {
    test(&caller, None, &body).await
}

async fn verify_endpoint(caller: Principal, Id(id): Id, Raw(body): Raw) -> Result<Answer<VerifyOutcome>> {
    test(&caller, Some(&id), &body).await
}

async fn test(caller: &Principal, id: Option<&str>, body: &[u8]) -> Result<Answer<VerifyOutcome>> {
    let request: VerifyWebhookRequest =
        if body.trim_ascii().is_empty() { VerifyWebhookRequest::default() } else { parse(body)? };
    let local = variables::webhooks_local().await.is_some();
    let which = id.map_or(Which::Main, Which::Id);
    let saved = db::read(|db| settings::get(db, &caller.tenant, which)).await?;
    let guard = db::read(|db| Guard::of(db, &caller.tenant, local)).await?;
    match (&request.url, &saved.url) {
        (Some(url), _) => guard.check(url).map_err(|why| Problem::invalid("url", why))?,
        (None, None) => return Err(Problem::invalid("url", "must be given: none is saved")),
        (None, Some(_)) => {}
    }
    let question = json!({"tenantId": caller.tenant, "endpointId": id, "url": request.url});
    let answer = internal::ask("/internal/webhooks/verify", &question, DEADLINES).await?;
    serde_json::from_slice(&answer)
        .map(Answer)
        .map_err(|error| Problem::internal(format!("the scheduler's answer: {error}")))
}
