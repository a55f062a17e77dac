//! The people of an account: Chatwoot's account users (its notes, section 5.2), our memberships.
//!
//! An account keeps an owner once it has one. The first administrator becomes it, later ones are
//! admins; `owner` names it outright, an extension.

use crate::audit::{self, Action, Actor};
use common::auth::Role;
use common::chatwoot::Number;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::time::Timestamp;
use common::{Problem, Result, params};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// Most people of one account.
pub const MEMBERS_MAX: u32 = 10_000;

/// A person's place in an account.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountUser {
    /// Of the membership.
    #[schema(example = 1)]
    pub id: i64,
    #[schema(example = 1)]
    pub account_id: i64,
    #[schema(example = 1)]
    pub user_id: i64,
    /// `administrator` or `agent`.
    #[schema(example = "administrator")]
    pub role: &'static str,
    /// Always null: who invited somebody is in the audit log.
    pub inviter_id: Option<i64>,
    /// Always null: presence is not recorded.
    pub active_at: Option<Timestamp>,
    /// Always `online`.
    #[schema(example = "online")]
    pub availability: &'static str,
    /// Always true.
    pub auto_offline: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// The same account in the v1 API; an addition to Chatwoot's answer.
    #[schema(example = "tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K")]
    pub tenant_id: String,
    /// `owner`, `admin` or `agent`: the role in the v1 API; an addition to Chatwoot's answer.
    pub tenant_role: Role,
}

/// The people of an account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(transparent)]
pub struct AccountUsers(pub Vec<AccountUser>);

/// Who gets which role.
#[derive(Debug, Deserialize, ToSchema)]
pub struct AccountUserRequest {
    #[serde(default)]
    #[schema(value_type = i64, required, example = 1)]
    pub user_id: Option<Number>,
    /// `administrator`, `agent`, or as an extension `owner`.
    #[serde(default)]
    #[schema(value_type = String, required, example = "administrator")]
    pub role: Option<String>,
}

/// Who leaves; also taken from the query.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RemoveAccountUserRequest {
    #[serde(default)]
    #[schema(value_type = Option<i64>, example = 1)]
    pub user_id: Option<Number>,
}

/// Chatwoot's word for a role.
pub(crate) fn chatwoot_role(role: Role) -> &'static str {
    if role == Role::Agent { "agent" } else { "administrator" }
}

const COLUMNS: &str = "m.seq, t.seq, u.seq, m.role, m.created_at, m.updated_at, t.id";

impl FromRow for AccountUser {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        let (id, account_id, user_id) = (row.take()?, row.take()?, row.take()?);
        let role: String = row.take()?;
        let role = Role::parse(&role).ok_or_else(|| DbError::Other(format!("{role} is no role")))?;
        Ok(AccountUser {
            id,
            account_id,
            user_id,
            role: chatwoot_role(role),
            inviter_id: None,
            active_at: None,
            availability: "online",
            auto_offline: true,
            created_at: row.take()?,
            updated_at: row.take()?,
            tenant_id: row.take()?,
            tenant_role: role,
        })
    }
}

/// All people of an account, in the order they came.
pub fn list(db: &Db<'_>, account: i64) -> Result<AccountUsers> {
    let sql = format!(
        "SELECT {COLUMNS} FROM tenants t JOIN memberships m ON m.tenant_id = t.id JOIN users u ON u.id = m.user_id
          WHERE t.seq = ? AND t.deleted_at IS NULL ORDER BY m.seq LIMIT ?"
    );
    let members: Vec<AccountUser> = db.rows(&sql, params![account, MEMBERS_MAX])?;
    if members.is_empty() {
        // Nobody yet, or no such account?
        super::find(db, account)?;
    }
    Ok(AccountUsers(members))
}

/// What the rules ask about: an account and one person in it.
struct Place {
    tenant: String,
    /// `None`: there is no such person.
    user: Option<String>,
    role: Option<Role>,
    owners: u32,
    members: u32,
}

/// Whether the tenant has an owner besides this person who can act: one who is not disabled.
pub(crate) fn has_other_owner(db: &Db<'_>, tenant: &str, user: &str) -> Result<bool> {
    Ok(db.touches(
        "SELECT 1 FROM memberships o
          WHERE o.tenant_id = ? AND o.role = 'owner' AND o.user_id <> ?
            AND (SELECT u.disabled_at FROM users u WHERE u.id = o.user_id) IS NULL
          LIMIT 1",
        params![tenant, user],
    )?)
}

/// Whether a tenant has this person as its only owner who can act.
pub(crate) fn owned_alone(db: &Db<'_>, user: &str) -> Result<bool> {
    Ok(db.touches(
        "SELECT 1 FROM memberships m JOIN tenants t ON t.id = m.tenant_id AND t.deleted_at IS NULL
          WHERE m.user_id = ?1 AND m.role = 'owner'
            AND NOT EXISTS (SELECT 1 FROM memberships o JOIN users u ON u.id = o.user_id AND u.disabled_at IS NULL
                             WHERE o.tenant_id = m.tenant_id AND o.role = 'owner' AND o.user_id <> ?1)
          LIMIT 1",
        params![user],
    )?)
}

/// Notes a change of a person in every tenant they are in.
pub(crate) fn note_everywhere(db: &Db<'_>, user: &str, action: Action) -> Result<()> {
    let tenants = db.rows::<(String, String)>(
        "SELECT m.tenant_id, m.role FROM memberships m WHERE m.user_id = ? ORDER BY m.seq LIMIT ?",
        params![user, MEMBERS_MAX],
    )?;
    for (tenant, role) in tenants {
        audit::record(db, &tenant, Actor::Platform, action, user, json!({ "role": role }))?;
    }
    Ok(())
}

fn place(db: &Db<'_>, account: i64, user: i64) -> Result<Place> {
    let found = db.row::<(String, Option<String>, Option<String>, u32, u32)>(
        "SELECT t.id, u.id, m.role,
                (SELECT count(*) FROM memberships o WHERE o.tenant_id = t.id AND o.role = 'owner'),
                (SELECT count(*) FROM memberships o WHERE o.tenant_id = t.id)
           FROM tenants t
           LEFT JOIN users u ON u.seq = ? AND u.deleted_at IS NULL
           LEFT JOIN memberships m ON m.tenant_id = t.id AND m.user_id = u.id
          WHERE t.seq = ? AND t.deleted_at IS NULL",
        params![user, account],
    )?;
    let (tenant, user, role, owners, members) = found.ok_or_else(|| super::absent(account))?;
    Ok(Place { tenant, user, role: role.as_deref().and_then(Role::parse), owners, members })
}

/// The role that a person gets.
fn decide(wanted: &str, now: Option<Role>, owners: u32) -> Result<Role> {
    match wanted {
        "owner" => Ok(Role::Owner),
        "administrator" if now == Some(Role::Owner) || owners == 0 => Ok(Role::Owner),
        "administrator" => Ok(Role::Admin),
        "agent" => Ok(Role::Agent),
        _ => Err(Problem::invalid("role", "must be administrator, agent or owner")),
    }
}

pub(crate) fn last_owner(field: &str) -> Problem {
    Problem::invalid(
        field,
        "names the last owner of the account, who cannot be demoted or removed: make somebody else its owner first",
    )
}

/// Puts a person into an account, or changes their role there.
pub fn put(db: &Db<'_>, account: i64, request: &AccountUserRequest) -> Result<AccountUser> {
    let Number(user) = request.user_id.ok_or_else(|| Problem::invalid("user_id", "can't be blank"))?;
    let wanted = request.role.as_deref().ok_or_else(|| Problem::invalid("role", "can't be blank"))?;
    let place = place(db, account, user)?;
    let id = place.user.ok_or_else(|| Problem::invalid("user_id", "must be the id of a user"))?;
    let role = decide(wanted, place.role, place.owners)?;
    let is_demoted = place.role == Some(Role::Owner) && role != Role::Owner;
    if is_demoted && !has_other_owner(db, &place.tenant, &id)? {
        return Err(last_owner("user_id"));
    }
    if place.role.is_none() && place.members >= MEMBERS_MAX {
        return Err(Problem::invalid("account_id", "has 10000 users, the most there can be"));
    }
    let now = Timestamp::now();
    db.run(
        "INSERT INTO memberships (tenant_id, user_id, role, created_at, updated_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (tenant_id, user_id) DO UPDATE SET role = excluded.role, updated_at = excluded.updated_at",
        params![place.tenant, id, role.as_str(), now, now],
    )?;
    note_change(db, &place.tenant, &id, place.role, role)?;
    let sql = format!(
        "SELECT {COLUMNS} FROM memberships m JOIN tenants t ON t.id = m.tenant_id JOIN users u ON u.id = m.user_id
          WHERE m.tenant_id = ? AND m.user_id = ?"
    );
    db.row(&sql, params![place.tenant, id])?.ok_or_else(|| Problem::internal("a membership vanished"))
}

fn note_change(db: &Db<'_>, tenant: &str, user: &str, before: Option<Role>, role: Role) -> Result<()> {
    let role = role.as_str();
    match before.map(Role::as_str) {
        None => audit::record(db, tenant, Actor::Platform, Action::UserAdded, user, json!({ "role": role })),
        Some(before) if before != role => {
            let details = json!({ "from": before, "to": role });
            audit::record(db, tenant, Actor::Platform, Action::UserRoleChanged, user, details)
        }
        Some(_) => Ok(()),
    }
}

/// Takes a person out of an account. Who was not in it is fine.
pub fn remove(db: &Db<'_>, account: i64, user: i64) -> Result<()> {
    let place = place(db, account, user)?;
    let (Some(user), Some(role)) = (place.user, place.role) else { return Ok(()) };
    if role == Role::Owner && !has_other_owner(db, &place.tenant, &user)? {
        return Err(last_owner("user_id"));
    }
    db.run("DELETE FROM memberships WHERE tenant_id = ? AND user_id = ?", params![place.tenant, user])?;
    let details = json!({ "role": role.as_str() });
    audit::record(db, &place.tenant, Actor::Platform, Action::UserRemoved, &user, details)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_administrator_becomes_owner() {
        assert_eq!(decide("administrator", None, 0).unwrap(), Role::Owner);
        assert_eq!(decide("administrator", None, 1).unwrap(), Role::Admin);
        assert_eq!(decide("administrator", Some(Role::Owner), 2).unwrap(), Role::Owner);
        assert_eq!(decide("administrator", Some(Role::Agent), 0).unwrap(), Role::Owner);
        assert_eq!(decide("agent", None, 0).unwrap(), Role::Agent);
        assert_eq!(decide("owner", Some(Role::Admin), 1).unwrap(), Role::Owner);
        assert_eq!(decide("boss", None, 0).unwrap_err().errors[0].field, "role");
    }
}
