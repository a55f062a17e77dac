//! `/v1/webhooks/endpoints`: all endpoints of a tenant, the main one among them.

use crate::settings::{CHANGE, SETTINGS, rules};
use crate::{ABSENT, ID};
use axum::Json as Answer;
use axum::response::Response;
use common::auth::{Principal, Role};
use common::input::{Id, Json, Post};
use common::routes::{Operation, Routes};
use common::{Result, db, settings as variables};
use domain::webhooks::settings::{self, UpdateWebhookSettingsRequest, WebhookSettings, Which};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

pub fn add(routes: Routes) -> Routes {
    routes
        .add(
            Operation::get("/v1/webhooks/endpoints", "listWebhookEndpoints")
                .tenant(&["webhook:read"], Role::ADMINS)
                .summary("List the webhook endpoints")
                .describe(
                    "All endpoints, oldest first, the one of `/v1/webhooks` among them: at most 20, so there are no \
                     pages. An addition to the published API.",
                )
                .answers::<EndpointList>(200, "The endpoints.", LIST),
            list,
        )
        .add(
            Operation::post("/v1/webhooks/endpoints", "createWebhookEndpoint")
                .tenant(&["webhook:update"], Role::ADMINS)
                .summary("Add a webhook endpoint")
                .describe(concat!(
                    "Adds an endpoint with keys, types and an order of its own; `url` must be given. The first of a \
                     tenant is the one that `/v1/webhooks` speaks of. An addition to the published API. ",
                    rules!()
                ))
                .body::<UpdateWebhookSettingsRequest>(CHANGE)
                .answers::<WebhookSettings>(201, "The endpoint.", SETTINGS)
                .problem(409, "too_many_endpoints", "The tenant has 20 endpoints."),
            create,
        )
        .add(
            Operation::get("/v1/webhooks/endpoints/{id}", "getWebhookEndpoint")
                .tenant(&["webhook:read"], Role::ADMINS)
                .summary("Read a webhook endpoint")
                .describe("One endpoint. An addition to the published API.")
                .path_param("id", ID)
                .answers::<WebhookSettings>(200, "The endpoint.", SETTINGS)
                .problem(404, "webhook_endpoint_not_found", ABSENT),
            read,
        )
        .add(
            Operation::patch("/v1/webhooks/endpoints/{id}", "updateWebhookEndpoint")
                .tenant(&["webhook:update"], Role::ADMINS)
                .summary("Change a webhook endpoint")
                .describe("Changes what is present in the body; the rules are those of `/v1/webhooks`. An addition to the published API.")
                .path_param("id", ID)
                .body::<UpdateWebhookSettingsRequest>(CHANGE)
                .answers::<WebhookSettings>(200, "The endpoint after the change.", SETTINGS)
                .problem(404, "webhook_endpoint_not_found", ABSENT),
            update,
        )
        .add(
            Operation::delete("/v1/webhooks/endpoints/{id}", "deleteWebhookEndpoint")
                .tenant(&["webhook:delete"], Role::ADMINS)
                .summary("Remove a webhook endpoint")
                .describe(
                    "Removes it with its keys and what still waits; attempts stay readable for their week. The main \
                     one's keys stay for the next main one, which the next endpoint made here or at `/v1/webhooks` \
                     becomes. An addition to the published API.",
                )
                .path_param("id", ID)
                .answers_empty(204, "Removed.")
                .problem(404, "webhook_endpoint_not_found", ABSENT),
            delete,
        )
}

const LIST: &str = r#"{"endpoints": [{
  "id": "whk_01HV8ZE2G9W4P6Q8T1A3C5E7G9", "enabled": true, "verified": true, "url": "https://example.com/hooks/flownally",
  "description": "The CRM", "eventTypes": ["message.created"],
  "availableEventTypes": ["contact.created", "contact.updated", "contact.archived", "conversation.started",
                          "conversation.updated", "conversation.closed", "message.created", "message.updated"],
  "ordering": "conversation", "signatureSchemes": ["v1", "v1a"],
  "createdAt": "2026-04-30T09:45:00.000Z", "updatedAt": "2026-04-30T09:45:00.000Z"
}]}"#;

/// A tenant's endpoints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookEndpointList)]
pub struct EndpointList {
    endpoints: Vec<WebhookSettings>,
}

async fn list(caller: Principal) -> Result<Answer<EndpointList>> {
    let endpoints = db::read(|db| settings::list(db, &caller.tenant)).await?;
    Ok(Answer(EndpointList { endpoints }))
}

async fn create(
    caller: Principal,
    Post { body, once }: Post<UpdateWebhookSettingsRequest>,
) -> Result<Response> {
    let local = variables::webhooks_local().await.is_some();
    once.write(&caller.tenant, StatusCode::CREATED, |db| settings::create(db, &caller, &body, local)).await
}

async fn read(caller: Principal, Id(id): Id) -> Result<Answer<WebhookSettings>> {
    db::read(|db| settings::get(db, &caller.tenant, Which::Id(&id))).await.map(Answer)
}

async fn update(
    caller: Principal,
    Id(id): Id,
    Json(body): Json<UpdateWebhookSettingsRequest>,
) -> Result<Answer<WebhookSettings>> {
    let local = variables::webhooks_local().await.is_some();
    db::write(|db| settings::update(db, &caller, Which::Id(&id), &body, local)).await.map(Answer)
}

async fn delete(caller: Principal, Id(id): Id) -> Result<StatusCode> {
    db::write(|db| settings::delete(db, &caller, Which::Id(&id))).await?;
    Ok(StatusCode::NO_CONTENT)
}
