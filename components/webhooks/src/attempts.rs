//! `/v1/webhooks/attempts`: what was sent, what came back, and sending it again.

use axum::Json as Answer;
use axum::response::Response;
use common::auth::{Principal, Role};
use common::input::{Id, Nothing, Post, Query};
use common::routes::{Operation, Routes};
use common::{Problem, Result, db};
use domain::events;
use domain::webhooks::TEST;
use domain::webhooks::attempts::{self, Filter, Status, WebhookAttempt, WebhookAttemptDetails};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

const ABSENT: &str = "There is no such attempt, or it is older than seven days.";

pub fn add(routes: Routes) -> Routes {
    routes
        .add(
            Operation::get("/v1/webhooks/attempts", "listWebhookAttempts")
                .tenant(&["webhook:read"], Role::ADMINS)
                .summary("Page through the delivery attempts")
                .describe(
                    "Attempts of the last seven days, newest first: what waits (`pending`), what was accepted and what \
                     failed. An attempt that failed and is repeated is followed by a pending one. Test events have the \
                     type `webhook.test`. Filters narrow together; `endpointId` and `eventId` are additions to the \
                     published API.",
                )
                .query::<AttemptParameters>()
                .answers::<AttemptPage>(200, "A page of attempts. `nextPageToken` is absent on the last page.", PAGE)
                .problem(404, "webhook_endpoint_not_found", crate::ABSENT),
            list,
        )
        .add(
            Operation::get("/v1/webhooks/attempts/{id}", "getWebhookAttempt")
                .tenant(&["webhook:read"], Role::ADMINS)
                .summary("Read an attempt")
                .describe(
                    "One attempt with the headers and body that were sent and the headers and the first 20 kB of the \
                     answer. An addition to the published API.",
                )
                .path_param("id", "The attempt.")
                .answers::<WebhookAttemptDetails>(200, "The attempt.", DETAILS)
                .problem(404, "webhook_attempt_not_found", ABSENT),
            read,
        )
        .add(
            Operation::post("/v1/webhooks/attempts/{id}/resend", "resendWebhookAttempt")
                .tenant(&["webhook:update"], Role::ADMINS)
                .summary("Deliver an attempt's event again")
                .describe(
                    "Puts the event into its endpoint's queue again, with the whole schedule before it and the same \
                     `webhook-id`; one that waits for its next try is tried at once instead. Answers the pending \
                     attempt. An addition to the published API.",
                )
                .path_param("id", "The attempt.")
                .answers::<WebhookAttempt>(202, "The pending attempt.", PENDING)
                .problem(404, "webhook_attempt_not_found", ABSENT)
                .problem(409, "webhook_endpoint_removed", "The endpoint of the attempt is gone.")
                .problem(409, "webhook_endpoint_disabled", "The endpoint of the attempt is switched off.")
                .problem(409, "webhook_event_expired", "The event is past its week.")
                .problem(409, "webhook_test_not_resendable", "It was a test event.")
                .example_elsewhere("e2e webhooks::log"),
            resend,
        )
}

const PAGE: &str = r#"{"attempts": [{
  "id": "wha_01HV8ZE2G9W4P6Q8T1A3C5E7G9", "eventId": "evt_01HV8ZE2G9W4P6Q8T1A3C5E7G9", "eventType": "message.created",
  "endpointId": "whk_01HV8ZE2G9W4P6Q8T1A3C5E7G9", "url": "https://example.com/hooks/flownally", "status": "failed",
  "attemptNumber": 1, "responseStatus": 503, "error": "the receiver answered 503", "durationMs": 84,
  "createdAt": "2026-04-30T09:45:00.000Z", "attemptedAt": "2026-04-30T09:45:00.020Z", "nextAttemptAt": "2026-04-30T09:45:05.300Z"
}]}"#;
const PENDING: &str = r#"{
  "id": "wha_01HV8ZE2G9W4P6Q8T1A3C5E7G9", "eventId": "evt_01HV8ZE2G9W4P6Q8T1A3C5E7G9", "eventType": "message.created",
  "endpointId": "whk_01HV8ZE2G9W4P6Q8T1A3C5E7G9", "url": "https://example.com/hooks/flownally", "status": "pending",
  "attemptNumber": 1, "createdAt": "2026-04-30T09:45:00.000Z", "nextAttemptAt": "2026-04-30T09:45:00.000Z"
}"#;
const DETAILS: &str = r#"{
  "id": "wha_01HV8ZE2G9W4P6Q8T1A3C5E7G9", "eventId": "evt_01HV8ZE2G9W4P6Q8T1A3C5E7G9", "eventType": "contact.created",
  "endpointId": "whk_01HV8ZE2G9W4P6Q8T1A3C5E7G9", "url": "https://example.com/hooks/flownally", "status": "failed",
  "attemptNumber": 1, "responseStatus": 503, "error": "the receiver answered 503", "durationMs": 84,
  "createdAt": "2026-04-30T09:45:00.000Z", "attemptedAt": "2026-04-30T09:45:00.020Z", "nextAttemptAt": "2026-04-30T09:45:05.300Z",
  "requestBody": "{\"id\":\"evt_01HV8ZE2G9W4P6Q8T1A3C5E7G9\",\"type\":\"contact.created\"}",
  "requestHeaders": {"content-type": "application/json", "webhook-id": "evt_01HV8ZE2G9W4P6Q8T1A3C5E7G9"},
  "responseHeaders": {"content-type": "text/plain"}, "responseBody": "try later"
}"#;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(rename_all = "camelCase")]
struct AttemptParameters {
    /// One of the published types, or `webhook.test`.
    #[param(example = "message.created")]
    event_type: Option<String>,
    /// `pending`, `succeeded` or `failed`.
    #[param(example = "failed")]
    status: Option<String>,
    /// Of this endpoint.
    endpoint_id: Option<String>,
    /// Of this event.
    event_id: Option<String>,
    /// Attempts on a page: 1 to 100, larger values count as 100.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<u32>,
    /// The `nextPageToken` of the page before.
    page_token: Option<String>,
}

/// A page of attempts.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebhookAttemptPage)]
pub struct AttemptPage {
    attempts: Vec<WebhookAttempt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

async fn list(caller: Principal, Query(query): Query<AttemptParameters>) -> Result<Answer<AttemptPage>> {
    if query.limit == Some(0) {
        return Err(Problem::parameter("limit", "must be at least 1"));
    }
    let filter = Filter {
        kind: query.event_type.as_deref().map(kind).transpose()?,
        status: query.status.as_deref().map(status).transpose()?,
        endpoint: query.endpoint_id.as_deref(),
        event: query.event_id.as_deref(),
    };
    let (attempts, next_page_token) =
        db::read(|db| attempts::list(db, &caller.tenant, &filter, query.limit, query.page_token.as_deref()))
            .await?;
    Ok(Answer(AttemptPage { attempts, next_page_token }))
}

fn kind(text: &str) -> Result<&str> {
    if text == TEST || events::TYPES.contains(&text) {
        return Ok(text);
    }
    Err(Problem::parameter("eventType", format!("is not one of {}, {TEST}", events::TYPES.join(", "))))
}

fn status(text: &str) -> Result<Status> {
    Status::parse(text)
        .ok_or_else(|| Problem::parameter("status", "is not one of pending, succeeded, failed"))
}

async fn read(caller: Principal, Id(id): Id) -> Result<Answer<WebhookAttemptDetails>> {
    db::read(|db| attempts::get(db, &caller.tenant, &id)).await.map(Answer)
}

async fn resend(caller: Principal, Id(id): Id, Post { once, .. }: Post<Nothing>) -> Result<Response> {
    once.write(&caller.tenant, StatusCode::ACCEPTED, |db| attempts::resend(db, &caller, &id)).await
}
