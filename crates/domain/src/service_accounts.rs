//! Service accounts (contract sections 2 and 12): how software calls the API. Their keys are in [`keys`].
//!
//! One rule runs through both: nobody hands out more than they have. A caller cannot create a service
//! account above their own role, a key for one above it, or a key with a scope they lack.

pub mod keys;

use crate::audit::{self, Action};
use crate::users::invitations;
use common::auth::{Principal, Role};
use common::db::{Db, Error as DbError, FromRow, Row};
use common::problem::Violations;
use common::time::Timestamp;
use common::{Problem, Result, id, params};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// Longest name, in characters.
pub const NAME_CHARS: usize = 200;
/// Longest description, in characters.
pub const DESCRIPTION_CHARS: usize = 1000;
/// Most service accounts of a tenant; deleted ones do not count.
pub const ACCOUNTS_MAX: u32 = 1000;

/// Software that calls the API.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAccount {
    #[schema(example = "svc_01HV8ZD2G9W4P6Q8T1A3C5E7G9")]
    pub id: String,
    pub tenant_id: String,
    #[schema(example = "Production CRM sync")]
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What its keys act as.
    pub role: Role,
    /// Always true: a deleted service account is not shown any more.
    pub is_active: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What a new service account is made of.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateServiceAccountRequest {
    #[schema(min_length = 1, max_length = 200, example = "Production CRM sync")]
    pub name: String,
    #[schema(max_length = 1000)]
    pub description: Option<String>,
    /// What its keys act as: at most the caller's own role. Default `admin`.
    pub role: Option<Role>,
}

const ACCOUNT: &str = "id, tenant_id, name, description, role, created_at, updated_at";

impl FromRow for ServiceAccount {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(ServiceAccount {
            id: row.take()?,
            tenant_id: row.take()?,
            name: row.take()?,
            description: row.take()?,
            role: role(&row.take::<String>()?)?,
            is_active: true,
            created_at: row.take()?,
            updated_at: row.take()?,
        })
    }
}

fn role(text: &str) -> Result<Role, DbError> {
    Role::parse(text).ok_or_else(|| DbError::Other(format!("{text} is no role")))
}

/// All service accounts of a tenant, oldest first.
pub fn list(db: &Db<'_>, tenant: &str) -> Result<Vec<ServiceAccount>> {
    let sql = format!(
        "SELECT {ACCOUNT} FROM service_accounts WHERE tenant_id = ? AND deleted_at IS NULL ORDER BY seq LIMIT ?"
    );
    Ok(db.rows(&sql, params![tenant, ACCOUNTS_MAX])?)
}

fn find(db: &Db<'_>, tenant: &str, id: &str) -> Result<ServiceAccount> {
    let sql = format!(
        "SELECT {ACCOUNT} FROM service_accounts WHERE id = ? AND tenant_id = ? AND deleted_at IS NULL"
    );
    db.row(&sql, params![id, tenant])?.ok_or_else(|| absent(id))
}

fn absent(id: &str) -> Problem {
    Problem::not_found("service account", id)
}

/// Creates a service account.
pub fn create(
    db: &Db<'_>,
    caller: &Principal,
    request: &CreateServiceAccountRequest,
) -> Result<ServiceAccount> {
    let mut violations = Violations::new();
    violations.text("name", &request.name, NAME_CHARS);
    if let Some(description) = &request.description {
        let fits = description.chars().count() <= DESCRIPTION_CHARS;
        violations.check(fits, "description", "must be at most 1000 characters");
    }
    violations.finish()?;
    let role = request.role.unwrap_or(Role::Admin);
    check_role(caller, role, "a service account of yours cannot be")?;
    let count = db.row::<(u32,)>(
        "SELECT count(*) FROM service_accounts WHERE tenant_id = ? AND deleted_at IS NULL",
        params![caller.tenant],
    )?;
    if count.is_some_and(|(count,)| count >= ACCOUNTS_MAX) {
        return Err(Problem::conflict(
            "service_account_limit_reached",
            format!(
                "This tenant has {ACCOUNTS_MAX} service accounts, the most there can be. Delete one first."
            ),
        ));
    }
    let now = Timestamp::now();
    let sql = format!(
        "INSERT INTO service_accounts (id, tenant_id, name, description, role, created_at, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING {ACCOUNT}"
    );
    let new_id = id::new(id::Kind::ServiceAccount);
    let values = params![new_id, caller.tenant, request.name, request.description, role.as_str(), now, now];
    let made: Option<ServiceAccount> = db.row(&sql, values)?;
    let made = made.ok_or_else(|| Problem::internal("an insert returned no row"))?;
    let details = json!({"name": made.name, "role": role.as_str()});
    audit::record(db, &caller.tenant, caller, Action::ServiceAccountCreated, &made.id, details)?;
    Ok(made)
}

/// 403 unless the caller may hand out the role; `what` says in the problem what they cannot do with it.
fn check_role(caller: &Principal, role: Role, what: &str) -> Result<()> {
    if caller.role.may_grant(role) {
        return Ok(());
    }
    Err(Problem::forbidden(
        "auth_authz_user_assign_role_denied",
        format!("Your role is {}: {what} {}.", caller.role.as_str(), role.as_str()),
    ))
}

/// Deletes a service account, revokes its keys and ends the invitations that it made: it never comes back, so neither
/// would their links. Nobody deletes one whose role they could not give it.
pub fn delete(db: &Db<'_>, caller: &Principal, id: &str) -> Result<()> {
    let (tenant, now) = (&caller.tenant, Timestamp::now());
    let account = find(db, tenant, id)?;
    check_role(caller, account.role, "you cannot delete a service account that is")?;
    db.run(
        "UPDATE service_accounts SET deleted_at = ?, updated_at = ?
          WHERE id = ? AND tenant_id = ? AND deleted_at IS NULL",
        params![now, now, id, tenant],
    )?;
    let details = json!({"name": account.name, "role": account.role.as_str()});
    audit::record(db, tenant, caller, Action::ServiceAccountDeleted, id, details)?;
    keys::revoke_all(db, caller, id, now)?;
    invitations::close_all_of(db, caller, id, now)
}
