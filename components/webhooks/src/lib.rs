//! `/v1/webhooks`: where a tenant hears of what happens, and the keys that sign it (contract section 12).

use axum::Json as Answer;
use axum::response::Response;
use common::auth::{Principal, Role};
use common::crypto::Sealer;
use common::input::{Json, Nothing, Post};
use common::routes::{Operation, Routes};
use common::{Result, db, settings};
use domain::webhooks::{self, UpdateWebhookSettingsRequest, WebhookSettings, WebhookSigningKey};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

common::serve!(crate::routes);

/// The operations of this component.
pub fn routes() -> Routes {
    Routes::new("Webhooks")
        .add(
            Operation::get("/v1/webhooks", "getWebhookSettings")
                .tenant(&["webhook:read"], Role::ADMINS)
                .summary("Read the webhook settings")
                .describe(
                    "The tenant's one webhook and the event types on offer. A tenant that configured none gets \
                     `enabled: false` and no `id`.",
                )
                .answers::<WebhookSettings>(200, "The settings.", SETTINGS),
            read,
        )
        .add(
            Operation::patch("/v1/webhooks", "updateWebhookSettings")
                .tenant(&["webhook:update"], Role::ADMINS)
                .summary("Change the webhook settings")
                .describe(
                    "Changes what is present in the body; the first change creates the configuration. Enabling needs \
                     a URL; the URL must be https and public (http to this machine is allowed while the sandbox is \
                     on). Deliveries are POSTs signed after the Standard Webhooks specification: verify \
                     `webhook-id`, `webhook-timestamp` and `webhook-signature` over the raw body. Any 2xx accepts; \
                     otherwise it is tried again after 5 s, 5 min, 30 min, 2 h, 5 h and 10 h with the same \
                     `webhook-id`, which is your key against duplicates.",
                )
                .body::<UpdateWebhookSettingsRequest>(
                    r#"{"enabled":true,"url":"https://example.com/hooks/flownally","eventTypes":["message.created","message.updated"]}"#,
                )
                .answers::<WebhookSettings>(200, "The settings after the change.", SETTINGS),
            update,
        )
        .add(
            Operation::delete("/v1/webhooks", "deleteWebhookSettings")
                .tenant(&["webhook:delete"], Role::ADMINS)
                .summary("Remove the webhook")
                .describe(
                    "Disables and removes the configuration; deliveries that still wait are dropped. Signing keys \
                     stay. Removing what is not there answers 204 too.",
                )
                .answers_empty(204, "Removed."),
            delete,
        )
        .add(
            Operation::get("/v1/webhooks/signing-keys", "listWebhookSigningKeys")
                .tenant(&["webhook:read"], Role::ADMINS)
                .summary("List the signing keys")
                .describe(
                    "The active key and, for 24 hours after a rotation, the expiring one. The tenant's first call \
                     creates the key and is the only one that shows its plaintext: keep it. A lost one cannot be \
                     shown again, only rotated.",
                )
                .answers::<SigningKeyList>(
                    200,
                    "The keys, newest first.",
                    r#"{"signingKeys": [{"id": "whsk_01HV8ZE2G9W4P6Q8T1A3C5E7G9", "version": 1, "status": "active",
                        "createdAt": "2026-04-30T09:45:00.000Z", "last4": "aLaS",
                        "plaintextKey": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}]}"#,
                ),
            list_keys,
        )
        .add(
            Operation::post("/v1/webhooks/signing-keys/rotate", "rotateWebhookSigningKey")
                .tenant(&["webhook:update"], Role::ADMINS)
                .summary("Rotate the signing key")
                .describe(
                    "Creates a new active key and shows its plaintext once. The former key signs beside it for 24 \
                     hours; rotating again within them ends the older one at once, so at most two keys sign.",
                )
                .answers::<RotatedKey>(
                    200,
                    "The new key.",
                    r#"{"signingKey": {"id": "whsk_01HV8ZE2G9W4P6Q8T1A3C5E7G9", "version": 2, "status": "active",
                        "createdAt": "2026-04-30T09:45:00.000Z", "last4": "aLaS",
                        "plaintextKey": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}"#,
                ),
            rotate,
        )
}

const SETTINGS: &str = r#"{
  "id": "whk_01HV8ZE2G9W4P6Q8T1A3C5E7G9", "enabled": true, "verified": false, "url": "https://example.com/hooks/flownally",
  "eventTypes": ["message.created", "message.updated"],
  "availableEventTypes": ["contact.created", "contact.updated", "contact.archived", "conversation.started",
                          "conversation.updated", "conversation.closed", "message.created", "message.updated"],
  "createdAt": "2026-04-30T09:45:00.000Z", "updatedAt": "2026-04-30T09:45:00.000Z"
}"#;

/// The keys that sign now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SigningKeyList {
    signing_keys: Vec<WebhookSigningKey>,
}

/// The key of a rotation.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RotatedKey {
    signing_key: WebhookSigningKey,
}

async fn read(caller: Principal) -> Result<Answer<WebhookSettings>> {
    db::read(|db| webhooks::settings(db, &caller.tenant)).await.map(Answer)
}

async fn update(
    caller: Principal,
    Json(body): Json<UpdateWebhookSettingsRequest>,
) -> Result<Answer<WebhookSettings>> {
    let local = settings::sandbox().await;
    db::write(|db| webhooks::update(db, &caller, &body, local)).await.map(Answer)
}

async fn delete(caller: Principal) -> Result<StatusCode> {
    db::write(|db| webhooks::delete(db, &caller)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn list_keys(caller: Principal) -> Result<Answer<SigningKeyList>> {
    let sealer = Sealer::from_settings().await?;
    let signing_keys = db::write(|db| webhooks::signing_keys(db, &sealer, &caller)).await?;
    Ok(Answer(SigningKeyList { signing_keys }))
}

async fn rotate(caller: Principal, Post { once, .. }: Post<Nothing>) -> Result<Response> {
    let sealer = Sealer::from_settings().await?;
    once.secret()
        .write(&caller.tenant, StatusCode::OK, |db| {
            Ok(RotatedKey { signing_key: webhooks::rotate(db, &sealer, &caller)? })
        })
        .await
}
