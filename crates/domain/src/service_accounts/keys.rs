//! API keys of service accounts (contract section 12). Kept as SHA-256 only; the text is shown once.

use super::{find, role};
use crate::audit::{self, Action};
use common::auth::{Principal, Role, api_key, scopes};
use common::db::{Db, Error as DbError, FromRow, Row};
use common::problem::Violations;
use common::time::Timestamp;
use common::{Problem, Result, id, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Longest name, in characters.
pub const NAME_CHARS: usize = 200;
/// Most keys of a service account; revoked ones count, since lists show them.
pub const KEYS_MAX: u32 = 1000;

/// A key, without its text.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = APIKey)]
pub struct ApiKey {
    #[schema(example = "key_01HV8ZE9V3S5A7C9E1G3J5M7P9")]
    pub id: String,
    pub service_account_id: String,
    #[schema(example = "CRM sync, Frankfurt")]
    pub name: String,
    /// The first 12 characters of the key.
    #[schema(example = "fln_live_a1B")]
    pub prefix: String,
    /// Everything that the key may do now.
    pub scopes: Vec<String>,
    pub created_at: Timestamp,
    /// To the minute; absent on a key never used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

/// What a new key is made of.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CreateAPIKeyRequest)]
pub struct CreateApiKeyRequest {
    #[schema(min_length = 1, max_length = 200, example = "CRM sync, Frankfurt")]
    pub name: String,
    /// When the key stops working; in the future. Absent: never.
    pub expires_at: Option<Timestamp>,
    /// What the key is limited to. Absent: all that its service account's role allows and the caller has.
    #[schema(min_items = 1, example = json!(["contact:read", "contact:list"]))]
    pub scopes: Option<Vec<String>>,
}

/// A new key and its text, which is shown this once.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CreateAPIKeyResponse)]
pub struct CreatedApiKey {
    pub api_key: ApiKey,
    #[schema(example = "fln_live_…")]
    pub plaintext_key: String,
}

const KEY: &str = "k.id, k.service_account_id, k.name, k.prefix, k.created_at, k.last_used_at, k.expires_at,
    k.revoked_at, k.scopes, s.role";

impl FromRow for ApiKey {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        let mut key = ApiKey {
            id: row.take()?,
            service_account_id: row.take()?,
            name: row.take()?,
            prefix: row.take()?,
            created_at: row.take()?,
            last_used_at: row.take()?,
            expires_at: row.take()?,
            revoked_at: row.take()?,
            scopes: Vec::new(),
        };
        let limit: Option<String> = row.take()?;
        let limit: Option<Vec<String>> = limit
            .map(|json| serde_json::from_str(&json))
            .transpose()
            .map_err(|error| DbError::Other(format!("the scopes of a key: {error}")))?;
        key.scopes = effective(role(&row.take::<String>()?)?, limit.as_deref());
        Ok(key)
    }
}

/// What a key may do: its limit, where it has one, as far as the role allows it.
fn effective(role: Role, limit: Option<&[String]>) -> Vec<String> {
    match limit {
        None => scopes::of(role).map(str::to_string).collect(),
        Some(limit) => limit.iter().filter(|scope| scopes::allows(role, scope)).cloned().collect(),
    }
}

/// The keys of a service account, newest last; revoked and expired ones too.
pub fn list(db: &Db<'_>, tenant: &str, account: &str) -> Result<Vec<ApiKey>> {
    let sql = format!(
        "SELECT {KEY} FROM api_keys k JOIN service_accounts s ON s.id = k.service_account_id
          WHERE k.tenant_id = ? AND k.service_account_id = ? AND s.deleted_at IS NULL ORDER BY k.seq LIMIT ?"
    );
    let keys: Vec<ApiKey> = db.rows(&sql, params![tenant, account, KEYS_MAX])?;
    if keys.is_empty() {
        // No key, or no such service account?
        find(db, tenant, account)?;
    }
    Ok(keys)
}

/// Creates a key; the answer holds its text, which is kept nowhere.
pub fn create(
    db: &Db<'_>,
    caller: &Principal,
    account: &str,
    request: &CreateApiKeyRequest,
) -> Result<CreatedApiKey> {
    let now = Timestamp::now();
    let account = find(db, &caller.tenant, account)?;
    let limit = request.check(caller, account.role, now)?;
    let count = db.row::<(u32,)>(
        "SELECT count(*) FROM api_keys WHERE tenant_id = ? AND service_account_id = ?",
        params![caller.tenant, account.id],
    )?;
    if count.is_some_and(|(count,)| count >= KEYS_MAX) {
        return Err(Problem::conflict(
            "api_key_limit_reached",
            format!(
                "This service account has had {KEYS_MAX} keys, the most there can be. Create another one."
            ),
        ));
    }
    let key = api_key::generate();
    let api_key = ApiKey {
        id: id::new(id::Kind::ApiKey),
        service_account_id: account.id,
        name: request.name.clone(),
        prefix: key.prefix,
        scopes: effective(account.role, limit.as_deref()),
        created_at: now,
        last_used_at: None,
        expires_at: request.expires_at,
        revoked_at: None,
    };
    let limit = limit
        .map(|limit| serde_json::to_string(&limit))
        .transpose()
        .map_err(|error| Problem::internal(error.to_string()))?;
    db.run(
        "INSERT INTO api_keys (id, tenant_id, service_account_id, name, prefix, secret_hash, scopes, created_at, expires_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            api_key.id,
            caller.tenant,
            api_key.service_account_id,
            api_key.name,
            api_key.prefix,
            key.hash,
            limit,
            now,
            api_key.expires_at
        ],
    )?;
    let details = json!({
        "serviceAccountId": api_key.service_account_id, "name": api_key.name, "prefix": api_key.prefix,
        "scopes": api_key.scopes, "expiresAt": api_key.expires_at,
    });
    audit::record(db, &caller.tenant, caller, Action::ApiKeyCreated, &api_key.id, details)?;
    Ok(CreatedApiKey { api_key, plaintext_key: key.plaintext })
}

impl CreateApiKeyRequest {
    /// Checks every field and answers the scopes to limit the key to, or none for all of the role.
    fn check(&self, caller: &Principal, role: Role, now: Timestamp) -> Result<Option<Vec<String>>> {
        let mut violations = Violations::new();
        violations.text("name", &self.name, NAME_CHARS);
        violations.check(self.expires_at.is_none_or(|end| end > now), "expiresAt", "must be in the future");
        let wanted = self.scopes.as_deref();
        violations.check(
            wanted.is_none_or(|list| !list.is_empty()),
            "scopes",
            "must name at least one scope",
        );
        // Longer lists repeat themselves or name what does not exist; the first bad one is enough then.
        let most = scopes::of(Role::Owner).count();
        violations.check(
            wanted.is_none_or(|list| list.len() <= most),
            "scopes",
            "has more values than there are scopes",
        );
        for (at, scope) in wanted.unwrap_or_default().iter().take(most).enumerate() {
            if !scopes::is_known(scope) {
                violations.add(format!("scopes[{at}]"), "is no scope of this API");
            } else if !scopes::allows(role, scope) {
                violations.add(format!("scopes[{at}]"), format!("is not open to the role {}", role.as_str()));
            }
        }
        violations.finish()?;
        if !caller.role.may_grant(role) {
            return Err(denied(format!(
                "The service account is {} and you are {}: you cannot make keys for it.",
                role.as_str(),
                caller.role.as_str()
            )));
        }
        if let Some(lacked) = wanted.unwrap_or_default().iter().find(|scope| !caller.has_scope(scope)) {
            return Err(denied(format!("You cannot hand out the scope {lacked}: your credential lacks it.")));
        }
        let limit = wanted.map(<[String]>::to_vec).or_else(|| {
            // A limited caller makes limited keys.
            caller
                .scopes
                .as_ref()
                .map(|own| own.iter().filter(|scope| scopes::allows(role, scope)).cloned().collect())
        });
        Ok(limit.map(|mut limit: Vec<String>| {
            limit.sort();
            limit.dedup();
            limit
        }))
    }
}

fn denied(detail: String) -> Problem {
    Problem::forbidden("auth_authz_api_key_create_denied", detail)
}

/// Ends a key; ending it again changes nothing.
pub fn revoke(db: &Db<'_>, caller: &Principal, id: &str) -> Result<()> {
    let found = db.row::<(String, String, String, Option<Timestamp>)>(
        "SELECT k.service_account_id, k.name, k.prefix, k.revoked_at FROM api_keys k WHERE k.id = ? AND k.tenant_id = ?",
        params![id, caller.tenant],
    )?;
    let (account, name, prefix, revoked_at) = found.ok_or_else(|| Problem::not_found("api key", id))?;
    if revoked_at.is_some() {
        return Ok(());
    }
    db.run(
        "UPDATE api_keys SET revoked_at = ? WHERE id = ? AND tenant_id = ?",
        params![Timestamp::now(), id, caller.tenant],
    )?;
    audit::record(db, &caller.tenant, caller, Action::ApiKeyRevoked, id, revoked(&account, &name, &prefix))
}

/// What is told of a key that was revoked.
fn revoked(account: &str, name: &str, prefix: &str) -> Value {
    json!({"serviceAccountId": account, "name": name, "prefix": prefix})
}

/// Ends all keys of a service account.
pub(super) fn revoke_all(db: &Db<'_>, caller: &Principal, account: &str, now: Timestamp) -> Result<()> {
    let ended = db.rows::<(String, String, String)>(
        "UPDATE api_keys SET revoked_at = ?
          WHERE tenant_id = ? AND service_account_id = ? AND revoked_at IS NULL RETURNING id, name, prefix",
        params![now, caller.tenant, account],
    )?;
    let told = ended.into_iter().map(|(id, name, prefix)| (id, revoked(account, &name, &prefix)));
    audit::record_all(db, &caller.tenant, caller, Action::ApiKeyRevoked, told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::auth::Actor;

    fn caller(role: Role, scopes: Option<&[&str]>) -> Principal {
        Principal {
            tenant: "tn_1".into(),
            actor: Actor::ServiceAccount("svc_1".into()),
            role,
            scopes: scopes.map(|scopes| scopes.iter().map(|scope| (*scope).to_string()).collect()),
        }
    }

    fn check(
        by: &Principal,
        role: Role,
        scopes: Option<&[&str]>,
    ) -> Result<Option<Vec<String>>, (u16, Vec<String>)> {
        let request = CreateApiKeyRequest {
            name: "key".into(),
            expires_at: None,
            scopes: scopes.map(|scopes| scopes.iter().map(|scope| (*scope).to_string()).collect()),
        };
        request.check(by, role, Timestamp::now()).map_err(|problem| {
            (problem.status.as_u16(), problem.errors.into_iter().map(|e| e.field).collect())
        })
    }

    #[test]
    fn keys_are_limited_to_known_and_allowed_scopes() {
        let owner = caller(Role::Owner, None);
        assert_eq!(check(&owner, Role::Agent, None), Ok(None));
        assert_eq!(
            check(&owner, Role::Agent, Some(&["tag:list", "contact:read", "tag:list"])),
            Ok(Some(vec!["contact:read".into(), "tag:list".into()]))
        );
        let wrong = ["contact:read", "contact:burn", "api_key:list"];
        assert_eq!(
            check(&owner, Role::Agent, Some(&wrong)),
            Err((422, vec!["scopes[1]".into(), "scopes[2]".into()]))
        );
        assert_eq!(check(&owner, Role::Agent, Some(&[])), Err((422, vec!["scopes".into()])));
        assert_eq!(check(&owner, Role::Admin, Some(&["tag:list"; 60])), Err((422, vec!["scopes".into()])));
    }

    #[test]
    fn nobody_hands_out_more_than_they_have() {
        let admin = caller(Role::Admin, None);
        assert_eq!(check(&admin, Role::Owner, None), Err((403, vec![])));
        let limited = caller(Role::Admin, Some(&["api_key:create", "contact:read"]));
        assert_eq!(check(&limited, Role::Admin, Some(&["contact:list"])), Err((403, vec![])));
        // Without scopes the new key is limited as its maker is.
        assert_eq!(check(&limited, Role::Agent, None), Ok(Some(vec!["contact:read".into()])));
    }

    #[test]
    fn the_role_bounds_what_a_key_may_do() {
        let limit = ["contact:read".to_string(), "api_key:list".to_string()];
        assert_eq!(effective(Role::Agent, Some(&limit)), ["contact:read"]);
        assert_eq!(effective(Role::Agent, None).len(), 40);
        assert_eq!(effective(Role::Owner, None).len(), 59);
    }

    #[test]
    fn a_key_ends_in_the_future() {
        let now = Timestamp::now();
        let request = CreateApiKeyRequest { name: " ".into(), expires_at: Some(now), scopes: None };
        let problem = request.check(&caller(Role::Owner, None), Role::Admin, now).unwrap_err();
        let fields: Vec<&str> = problem.errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(fields, ["name", "expiresAt"]);
    }
}
