//! The people of an account: Chatwoot's account users (its notes, section 5.2), our memberships.
//!
//! An account keeps an owner once it has one. The first administrator becomes it, later ones are
//! admins; `owner` names it outright, an extension.

use common::auth::Role;
use common::chatwoot::Number;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::time::Timestamp;
use common::{Problem, Result, params};
use serde::{Deserialize, Serialize};
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
    /// Always null: memberships come from the platform.
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

fn place(db: &Db<'_>, account: i64, user: i64) -> Result<Place> {
    let found = db.row::<(String, Option<String>, Option<String>, u32, u32)>(
        "SELECT t.id, u.id, m.role,
                (SELECT count(*) FROM memberships o WHERE o.tenant_id = t.id AND o.role = 'owner'),
                (SELECT count(*) FROM memberships o WHERE o.tenant_id = t.id)
           FROM tenants t
           LEFT JOIN users u ON u.seq = ? AND u.disabled_at IS NULL
           LEFT JOIN memberships m ON m.tenant_id = t.id AND m.user_id = u.id
          WHERE t.seq = ? AND t.deleted_at IS NULL",
        params![user, account],
    )?;
    let (tenant, user, role, owners, members) = found.ok_or_else(|| super::absent(account))?;
    Ok(Place { tenant, user, role: role.as_deref().and_then(Role::parse), owners, members })
}

/// The role that a person gets.
fn decide(wanted: &str, now: Option<Role>, owners: u32) -> Result<Role> {
    let role = match wanted {
        "owner" => Role::Owner,
        "administrator" if now == Some(Role::Owner) || owners == 0 => Role::Owner,
        "administrator" => Role::Admin,
        "agent" => Role::Agent,
        _ => return Err(Problem::invalid("role", "must be administrator, agent or owner")),
    };
    if now == Some(Role::Owner) && role != Role::Owner && owners <= 1 {
        return Err(last_owner("user_id"));
    }
    Ok(role)
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
    if place.role.is_none() && place.members >= MEMBERS_MAX {
        return Err(Problem::invalid("account_id", "has 10000 users, the most there can be"));
    }
    let now = Timestamp::now();
    db.run(
        "INSERT INTO memberships (tenant_id, user_id, role, created_at, updated_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (tenant_id, user_id) DO UPDATE SET role = excluded.role, updated_at = excluded.updated_at",
        params![place.tenant, id, role.as_str(), now, now],
    )?;
    let sql = format!(
        "SELECT {COLUMNS} FROM memberships m JOIN tenants t ON t.id = m.tenant_id JOIN users u ON u.id = m.user_id
          WHERE m.tenant_id = ? AND m.user_id = ?"
    );
    db.row(&sql, params![place.tenant, id])?.ok_or_else(|| Problem::internal("a membership vanished"))
}

/// Takes a person out of an account. Who was not in it is fine.
pub fn remove(db: &Db<'_>, account: i64, user: i64) -> Result<()> {
    let place = place(db, account, user)?;
    if place.role == Some(Role::Owner) && place.owners <= 1 {
        return Err(last_owner("user_id"));
    }
    if let Some(user) = place.user {
        db.run("DELETE FROM memberships WHERE tenant_id = ? AND user_id = ?", params![place.tenant, user])?;
    }
    Ok(())
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

    #[test]
    fn the_last_owner_stays() {
        assert_eq!(decide("agent", Some(Role::Owner), 1).unwrap_err().status, 422);
        assert_eq!(decide("agent", Some(Role::Owner), 2).unwrap(), Role::Agent);
    }
}
