//! `/v1/webhooks/signing-keys`: the keys that sign deliveries, of the main endpoint and of each.

use crate::{ABSENT, ID};
use axum::Json as Answer;
use axum::response::Response;
use common::auth::{Principal, Role};
use common::crypto::Sealer;
use common::input::{Id, Nothing, Post};
use common::routes::{Operation, Routes};
use common::{Result, db};
use domain::webhooks::keys::{self, WebhookSigningKey};
use domain::webhooks::settings::Which;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

pub fn add(routes: Routes) -> Routes {
    routes
        .add(
            Operation::get("/v1/webhooks/signing-keys", "listWebhookSigningKeys")
                .tenant(&["webhook:read"], Role::ADMINS)
                .summary("List the signing keys")
                .describe(
                    "The active key and, for 24 hours after a rotation, the expiring one. The tenant's first call \
                     creates the key and is the only one that shows its plaintext: keep it. A lost one cannot be \
                     shown again, only rotated. `publicKey` verifies the signatures of the scheme `v1a`.",
                )
                .answers::<SigningKeyList>(200, "The keys, newest first.", KEYS),
            list,
        )
        .add(
            Operation::post("/v1/webhooks/signing-keys/rotate", "rotateWebhookSigningKey")
                .tenant(&["webhook:update"], Role::ADMINS)
                .summary("Rotate the signing key")
                .describe(
                    "Creates a new active key and shows its plaintext once. The former key signs beside it for 24 \
                     hours; rotating again within them ends the older one at once, so at most two keys sign.",
                )
                .answers::<RotatedKey>(200, "The new key.", KEY),
            rotate,
        )
        .add(
            Operation::get("/v1/webhooks/endpoints/{id}/signing-keys", "listWebhookEndpointSigningKeys")
                .tenant(&["webhook:read"], Role::ADMINS)
                .summary("List an endpoint's signing keys")
                .describe(
                    "Each endpoint has keys of its own; the rules are those of the main one's. An addition to the \
                     published API.",
                )
                .path_param("id", ID)
                .answers::<SigningKeyList>(200, "The keys, newest first.", KEYS)
                .problem(404, "webhook_endpoint_not_found", ABSENT),
            list_of,
        )
        .add(
            Operation::post(
                "/v1/webhooks/endpoints/{id}/signing-keys/rotate",
                "rotateWebhookEndpointSigningKey",
            )
            .tenant(&["webhook:update"], Role::ADMINS)
            .summary("Rotate an endpoint's signing key")
            .describe(
                "As for the main endpoint: both keys sign for 24 hours. An addition to the published API.",
            )
            .path_param("id", ID)
            .answers::<RotatedKey>(200, "The new key.", KEY)
            .problem(404, "webhook_endpoint_not_found", ABSENT),
            rotate_of,
        )
}

const KEYS: &str = r#"{"signingKeys": [{"id": "whsk_01HV8ZE2G9W4P6Q8T1A3C5E7G9", "version": 1, "status": "active",
    "createdAt": "2026-04-30T09:45:00.000Z", "last4": "aLaS", "publicKey": "whpk_1d0KsLXNPc6QyF0kF6XxYSx5zGbNf1mCv6Pq3vZ7c1Q=",
    "plaintextKey": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}]}"#;
const KEY: &str = r#"{"signingKey": {"id": "whsk_01HV8ZE2G9W4P6Q8T1A3C5E7G9", "version": 2, "status": "active",
    "createdAt": "2026-04-30T09:45:00.000Z", "last4": "aLaS", "publicKey": "whpk_1d0KsLXNPc6QyF0kF6XxYSx5zGbNf1mCv6Pq3vZ7c1Q=",
    "plaintextKey": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}"#;

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

async fn list(caller: Principal) -> Result<Answer<SigningKeyList>> {
    keys_of(&caller, Which::Main).await
}

async fn list_of(caller: Principal, Id(id): Id) -> Result<Answer<SigningKeyList>> {
    keys_of(&caller, Which::Id(&id)).await
}

async fn keys_of(caller: &Principal, which: Which<'_>) -> Result<Answer<SigningKeyList>> {
    let sealer = Sealer::from_settings().await?;
    let signing_keys = db::write(|db| keys::list(db, &sealer, caller, which)).await?;
    Ok(Answer(SigningKeyList { signing_keys }))
}

async fn rotate(caller: Principal, post: Post<Nothing>) -> Result<Response> {
    rotated(&caller, Which::Main, post).await
}

async fn rotate_of(caller: Principal, Id(id): Id, post: Post<Nothing>) -> Result<Response> {
    rotated(&caller, Which::Id(&id), post).await
}

async fn rotated(caller: &Principal, which: Which<'_>, post: Post<Nothing>) -> Result<Response> {
    let sealer = Sealer::from_settings().await?;
    post.once
        .secret()
        .write(&caller.tenant, StatusCode::OK, |db| {
            Ok(RotatedKey { signing_key: keys::rotate(db, &sealer, caller, which)? })
        })
        .await
}
