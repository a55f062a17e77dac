//! `GET /v1/webhooks/stats`: how endpoints are doing.

use axum::Json as Answer;
use common::auth::{Principal, Role};
use common::routes::{Operation, Routes};
use common::{Result, db};
use domain::webhooks::stats::{self, WebhookStats};
use serde::Serialize;
use utoipa::ToSchema;

pub fn add(routes: Routes) -> Routes {
    routes.add(
        Operation::get("/v1/webhooks/stats", "getWebhookStats")
            .tenant(&["webhook:read"], Role::ADMINS)
            .summary("Read how the endpoints are doing")
            .describe(
                "For each endpoint: how many of its latest attempts succeeded, how long they took, and what waits. \
                 Looked at are the latest 1,000 attempts of the last 24 hours, test events not among them. An addition \
                 to the published API.",
            )
            .answers::<StatsList>(200, "The endpoints, oldest first.", STATS),
        read,
    )
}

const STATS: &str = r#"{"endpoints": [{
  "endpointId": "whk_01HV8ZE2G9W4P6Q8T1A3C5E7G9", "url": "https://example.com/hooks/flownally", "enabled": true,
  "attempts": 1000, "successRate": 0.998, "p50Ms": 45, "p99Ms": 310, "backlog": 3,
  "oldestWaitingAt": "2026-04-30T09:45:00.000Z", "failuresInARow": 0
}]}"#;

/// How a tenant's endpoints are doing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookStatsList)]
pub struct StatsList {
    endpoints: Vec<WebhookStats>,
}

async fn read(caller: Principal) -> Result<Answer<StatsList>> {
    let endpoints = db::read(|db| stats::list(db, &caller.tenant)).await?;
    Ok(Answer(StatsList { endpoints }))
}
