//! `POST /internal/webhooks/verify`: a signed test event, for the component that may not reach the outside.

use super::exchange::{self, Letter};
use axum::Json as Answer;
use common::auth::Internal;
use common::crypto::Sealer;
use common::input::Json;
use common::routes::{Operation, Routes};
use common::time::Timestamp;
use common::{Problem, Result, db, id, settings as variables};
use domain::webhooks::address::Guard;
use domain::webhooks::attempts::{self, Test};
use domain::webhooks::settings::{self, VerifyOutcome, Which};
use domain::webhooks::{TEST, keys};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

/// What to test.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TestWebhook {
    tenant_id: String,
    /// Absent: the main endpoint.
    endpoint_id: Option<String>,
    /// Absent: the saved one.
    url: Option<String>,
}

pub fn add(routes: Routes) -> Routes {
    routes.add(
        Operation::post("/internal/webhooks/verify", "testWebhook")
            .internal()
            .summary("Send a signed test event")
            .describe("Sends it to the URL given or the saved one, records the attempt, and answers what came of it.")
            .body::<TestWebhook>(r#"{"tenantId": "tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K", "url": "https://example.com/hook"}"#)
            .answers::<VerifyOutcome>(200, "What came of it.", r#"{"success": true, "responseStatus": 204, "durationMs": 84}"#)
            .problem(404, "webhook_endpoint_not_found", "There is no such endpoint.")
            .problem(422, "validation_failed", "There is no URL to test.")
            .example_elsewhere("e2e webhooks::verify"),
        verify,
    )
}

async fn verify(_: Internal, Json(body): Json<TestWebhook>) -> Result<Answer<VerifyOutcome>> {
    let tenant = body.tenant_id.as_str();
    let which = body.endpoint_id.as_deref().map_or(Which::Main, Which::Id);
    let sealer = Sealer::from_settings().await?;
    let local = variables::webhooks_local().await.is_some();
    let (saved, signer, guard) = db::write(|db| {
        let signer = keys::signer(db, &sealer, tenant, which)?;
        Ok((settings::get(db, tenant, which)?, signer, Guard::of(db, tenant, local)?))
    })
    .await?;
    let url = body.url.as_ref().or(saved.url.as_ref());
    let url = url.ok_or_else(|| Problem::invalid("url", "must be given: none is saved"))?;
    let (event, now) = (id::new(id::Kind::Event), Timestamp::now());
    let data = json!({"message": "This event tests your webhook.", "endpointId": saved.id});
    let text = json!({"id": event, "type": TEST, "timestamp": now, "data": data}).to_string();
    let letter = Letter { url, event: &event, body: &text, number: 1, signer: &signer, guard: &guard };
    let attempt = exchange::attempt(&letter).await;
    let own = saved.url.as_ref() == Some(url);
    let success = attempt.error.is_none();
    db::write(|db| {
        let endpoint_seq = if own { saved.seq() } else { 0 };
        attempts::record_test(
            db,
            tenant,
            &Test { endpoint_seq, event: &event, body: &text, attempt: &attempt },
        )?;
        match &saved.id {
            Some(id) if own && success => settings::mark_verified(db, tenant, id, url),
            _ => Ok(()),
        }
    })
    .await?;
    Ok(Answer(VerifyOutcome {
        success,
        response_status: attempt.response_status,
        duration_ms: attempt.duration_ms,
        error: attempt.error,
    }))
}
