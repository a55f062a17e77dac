//! `/v1/service-accounts` and `/v1/api-keys`: credentials of software (contract section 12).

use axum::Json as Answer;
use axum::response::Response;
use common::auth::{Principal, Role};
use common::input::{Id, Post};
use common::routes::{Operation, Routes};
use common::{Result, db};
use domain::service_accounts::keys::{self, ApiKey, CreateApiKeyRequest, CreatedApiKey};
use domain::service_accounts::{self, CreateServiceAccountRequest, ServiceAccount};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

common::serve!(crate::routes);

/// The operations of this component.
pub fn routes() -> Routes {
    Routes::new("Service accounts")
        .add(
            Operation::get("/v1/service-accounts", "listServiceAccounts")
                .tenant(&["api_key:list"], Role::ADMINS)
                .summary("List the integration identities that can own API keys")
                .describe("Oldest first, all at once; there are at most 1000. Deleted ones are not shown.")
                .answers::<ServiceAccounts>(200, "The service accounts.", ACCOUNTS),
            list,
        )
        .add(
            Operation::post("/v1/service-accounts", "createServiceAccount")
                .tenant(&["api_key:create"], Role::ADMINS)
                .summary("Create an integration identity")
                .describe(
                    "Its keys act with its `role`, `admin` unless another is given. Nobody grants a role above \
                     their own. A tenant has at most 1000 service accounts.",
                )
                .body::<CreateServiceAccountRequest>(
                    r#"{"name":"Production CRM sync","description":"Keeps contacts, events, and messages in sync with the CRM."}"#,
                )
                .answers::<ServiceAccount>(200, "The service account created.", ACCOUNT)
                .problem(403, "auth_authz_user_assign_role_denied", "The role asked for is above the caller's own.")
                .problem(409, "service_account_limit_reached", "The tenant has 1000 service accounts."),
            create,
        )
        .add(
            Operation::delete("/v1/service-accounts/{id}", "deleteServiceAccount")
                .tenant(&["api_key:revoke"], Role::ADMINS)
                .summary("Delete a service account; its keys stop working")
                .describe(
                    "Ends all its keys at once, the calling one too if it is among them, and the pending invitations \
                     that they made. Cannot be undone.",
                )
                .path_param("id", "The service account, `svc_…`.")
                .answers_empty(204, "Deleted.")
                .problem(403, "auth_authz_user_assign_role_denied", "The service account's role is above the caller's own.")
                .problem(404, "service_account_not_found", NO_ACCOUNT),
            delete,
        )
        .add(
            Operation::get("/v1/service-accounts/{id}/api-keys", "listApiKeys")
                .tenant(&["api_key:list"], Role::ADMINS)
                .summary("List the API keys of a service account, without plaintext")
                .describe("Newest last, all at once; there are at most 1000. Revoked and expired keys are shown too.")
                .path_param("id", "The service account, `svc_…`.")
                .answers::<ApiKeys>(200, "The keys.", KEYS)
                .problem(404, "service_account_not_found", NO_ACCOUNT),
            list_keys,
        )
        .add(
            Operation::post("/v1/service-accounts/{id}/api-keys", "createApiKey")
                .tenant(&["api_key:create"], Role::ADMINS)
                .summary("Create an API key; its plaintext appears in this response only")
                .describe(
                    "The key acts with the role of its service account. `scopes` limits it further: each must be a \
                     scope that this role may have and that the caller has, for nobody hands out more than they \
                     have. Without `scopes` it may do all that both allow. A repeat with the same \
                     `Idempotency-Key` shows the plaintext again for 24 hours. A service account has at most 1000 \
                     keys, revoked ones included.",
                )
                .path_param("id", "The service account, `svc_…`.")
                .body::<CreateApiKeyRequest>(
                    r#"{"name":"CRM sync, Frankfurt","expiresAt":"2099-01-01T00:00:00Z","scopes":["contact:list","contact:read"]}"#,
                )
                .answers::<CreatedApiKey>(200, "The key with its plaintext, shown this once.", CREATED_KEY)
                .problem(403, "auth_authz_api_key_create_denied", "The caller lacks a scope asked for, or the service account's role is above the caller's.")
                .problem(404, "service_account_not_found", NO_ACCOUNT)
                .problem(409, "api_key_limit_reached", "The service account has had 1000 keys."),
            create_key,
        )
        .add(
            Operation::delete("/v1/api-keys/{id}", "revokeApiKey")
                .tenant(&["api_key:revoke"], Role::ADMINS)
                .summary("Revoke an API key")
                .describe(
                    "Takes effect with the next request. Revoking a key again answers 204 too. Invitations are made in \
                     the name of the service account, so those that the key made stay good: revoke them one by one, or \
                     delete the service account.",
                )
                .path_param("id", "The key, `key_…`.")
                .answers_empty(204, "Revoked.")
                .problem(404, "api_key_not_found", "There is no such key in this tenant."),
            revoke_key,
        )
}

const NO_ACCOUNT: &str = "There is no such service account in this tenant.";
const ACCOUNT: &str = r#"{
  "id": "svc_01HV8ZD2G9W4P6Q8T1A3C5E7G9", "tenantId": "tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K", "name": "Production CRM sync",
  "description": "Keeps contacts, events, and messages in sync with the CRM.", "role": "admin", "isActive": true,
  "createdAt": "2026-04-30T09:45:00.000Z", "updatedAt": "2026-04-30T09:45:00.000Z"
}"#;
const ACCOUNTS: &str = r#"{"serviceAccounts": [{
  "id": "svc_01HV8ZD2G9W4P6Q8T1A3C5E7G9", "tenantId": "tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K", "name": "Production CRM sync",
  "role": "admin", "isActive": true, "createdAt": "2026-04-30T09:45:00.000Z", "updatedAt": "2026-04-30T09:45:00.000Z"
}]}"#;
const KEYS: &str = r#"{"apiKeys": [{
  "id": "key_01HV8ZE9V3S5A7C9E1G3J5M7P9", "serviceAccountId": "svc_01HV8ZD2G9W4P6Q8T1A3C5E7G9",
  "name": "CRM sync, Frankfurt", "prefix": "fln_live_a1B", "scopes": ["contact:list", "contact:read"],
  "createdAt": "2026-04-30T09:46:00.000Z", "lastUsedAt": "2026-05-02T11:20:00.000Z", "expiresAt": "2099-01-01T00:00:00.000Z"
}]}"#;
const CREATED_KEY: &str = r#"{
  "apiKey": {
    "id": "key_01HV8ZE9V3S5A7C9E1G3J5M7P9", "serviceAccountId": "svc_01HV8ZD2G9W4P6Q8T1A3C5E7G9",
    "name": "CRM sync, Frankfurt", "prefix": "fln_live_a1B", "scopes": ["contact:list", "contact:read"],
    "createdAt": "2026-04-30T09:46:00.000Z", "expiresAt": "2099-01-01T00:00:00.000Z"
  },
  "plaintextKey": "fln_live_a1BcD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX2yZ3aB4c"
}"#;

/// All service accounts of a tenant.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ListServiceAccountsResponse)]
pub struct ServiceAccounts {
    service_accounts: Vec<ServiceAccount>,
}

/// All keys of a service account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ListAPIKeysResponse)]
pub struct ApiKeys {
    api_keys: Vec<ApiKey>,
}

async fn list(caller: Principal) -> Result<Answer<ServiceAccounts>> {
    let service_accounts = db::read(|db| service_accounts::list(db, &caller.tenant)).await?;
    Ok(Answer(ServiceAccounts { service_accounts }))
}

async fn create(
    caller: Principal,
    Post { body, once }: Post<CreateServiceAccountRequest>,
) -> Result<Response> {
    once.write(&caller.tenant, StatusCode::OK, |db| service_accounts::create(db, &caller, &body)).await
}

async fn delete(caller: Principal, Id(id): Id) -> Result<StatusCode> {
    db::write(|db| service_accounts::delete(db, &caller, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn list_keys(caller: Principal, Id(id): Id) -> Result<Answer<ApiKeys>> {
    let api_keys = db::read(|db| keys::list(db, &caller.tenant, &id)).await?;
    Ok(Answer(ApiKeys { api_keys }))
}

async fn create_key(
    caller: Principal,
    Id(id): Id,
    Post { body, once }: Post<CreateApiKeyRequest>,
) -> Result<Response> {
    once.secret().write(&caller.own_scope(), StatusCode::OK, |db| keys::create(db, &caller, &id, &body)).await
}

async fn revoke_key(caller: Principal, Id(id): Id) -> Result<StatusCode> {
    db::write(|db| keys::revoke(db, &caller, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
