//! People as v1 shows them: members of a tenant (contract section 10).

use common::auth::Role;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::time::Timestamp;
use common::{Result, params};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// A member of a tenant.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = User)]
pub struct Profile {
    #[schema(example = "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S")]
    pub id: String,
    #[schema(example = "Lina Nowak")]
    pub name: String,
    #[schema(example = "lina@example.com")]
    pub email: String,
    /// The teams they are in.
    #[schema(value_type = Vec<String>)]
    pub team_ids: Box<RawValue>,
    pub role: Role,
    /// When they became a member.
    pub joined_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    /// Always `email`: how they sign in.
    #[schema(example = "email")]
    pub provider: &'static str,
    /// Always true: addresses come from the platform.
    pub email_verified: bool,
    pub disabled: bool,
}

/// Columns of a member, from `memberships m` and `users u`.
const COLUMNS: &str = "u.id, u.name, u.email,
    (SELECT json_group_array(tm.team_id) FROM team_members tm
      WHERE tm.user_id = u.id AND tm.team_id IN (SELECT t.id FROM teams t WHERE t.tenant_id = m.tenant_id)) AS teams,
    m.role, m.created_at, u.avatar_url, u.disabled_at IS NOT NULL";

impl FromRow for Profile {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        let (id, name, email) = (row.take()?, row.take()?, row.take()?);
        let team_ids =
            RawValue::from_string(row.take()?).map_err(|error| DbError::Other(error.to_string()))?;
        let role: String = row.take()?;
        let role = Role::parse(&role).ok_or_else(|| DbError::Other(format!("{role} is no role")))?;
        Ok(Profile {
            id,
            name,
            email,
            team_ids,
            role,
            joined_at: row.take()?,
            avatar_url: row.take()?,
            provider: "email",
            email_verified: true,
            disabled: row.take()?,
        })
    }
}

/// The people of a team, in the order they joined it.
pub(crate) fn of_team(db: &Db<'_>, tenant: &str, team: &str, limit: i64) -> Result<Vec<Profile>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM team_members x JOIN memberships m ON m.tenant_id = ? AND m.user_id = x.user_id
           JOIN users u ON u.id = x.user_id
          WHERE x.team_id = ? ORDER BY x.created_at, x.user_id LIMIT ?"
    );
    Ok(db.rows(&sql, params![tenant, team, limit])?)
}

/// Whether somebody is a member of the tenant and not disabled.
pub fn is_member(db: &Db<'_>, tenant: &str, user: &str) -> Result<bool> {
    Ok(db.touches(
        "SELECT 1 FROM memberships m WHERE m.tenant_id = ? AND m.user_id = ?
            AND (SELECT u.disabled_at FROM users u WHERE u.id = m.user_id) IS NULL",
        params![tenant, user],
    )?)
}
