//! People as v1 shows them: members of a tenant (contract section 10).

use crate::accounts::TEXT_CHARS;
use crate::accounts::members::MEMBERS_MAX;
use common::auth::Role;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::input::Patch;
use common::problem::Violations;
use common::time::Timestamp;
use common::{Problem, Result, params};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// Longest URL of a picture, in characters.
const URL_CHARS: usize = 2048;

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
    /// Whether the platform vouches for the address. Of people who came by an invitation nobody does.
    pub email_verified: bool,
    /// A disabled person cannot sign in, and their tokens have stopped.
    pub disabled: bool,
}

/// What people may change of themselves; what is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateProfileRequest {
    #[serde(default)]
    #[schema(min_length = 1, max_length = 255, example = "Lina Nowak")]
    pub name: Option<String>,
    /// Where a picture of them is, http or https; `null` takes it away.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 2048, example = "https://app.flownally.com/avatar/lina.png")]
    pub avatar_url: Patch<String>,
}

/// Columns of a member, from `memberships m` and `users u`.
const COLUMNS: &str = "u.id, u.name, u.email,
    (SELECT json_group_array(tm.team_id) FROM team_members tm
      WHERE tm.user_id = u.id AND tm.team_id IN (SELECT t.id FROM teams t WHERE t.tenant_id = m.tenant_id)) AS teams,
    m.role, m.created_at, u.avatar_url, u.email_verified, u.disabled_at IS NOT NULL";

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
            email_verified: row.take()?,
            disabled: row.take()?,
        })
    }
}

/// All members of a tenant, in the order they came.
pub fn list(db: &Db<'_>, tenant: &str) -> Result<Vec<Profile>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM memberships m JOIN users u ON u.id = m.user_id
          WHERE m.tenant_id = ? ORDER BY m.seq LIMIT ?"
    );
    Ok(db.rows(&sql, params![tenant, MEMBERS_MAX])?)
}

/// One member.
pub fn find(db: &Db<'_>, tenant: &str, user: &str) -> Result<Profile> {
    let sql = format!(
        "SELECT {COLUMNS} FROM memberships m JOIN users u ON u.id = m.user_id
          WHERE m.tenant_id = ? AND m.user_id = ?"
    );
    db.row(&sql, params![tenant, user])?.ok_or_else(|| absent(user))
}

fn absent(user: &str) -> Problem {
    Problem::not_found("user", user).with_code("auth_user_not_found")
}

/// Changes what a person says of themselves, in every tenant they are in.
pub fn update(db: &Db<'_>, tenant: &str, user: &str, request: &UpdateProfileRequest) -> Result<Profile> {
    let mut violations = Violations::new();
    if let Some(name) = &request.name {
        violations.text("name", name, TEXT_CHARS);
    }
    if let Patch::Set(url) = &request.avatar_url {
        violations.check(
            is_picture_url(url),
            "avatarUrl",
            "must be an http or https URL of at most 2048 characters",
        );
    }
    violations.finish()?;
    let before = find(db, tenant, user)?;
    let name = request.name.as_deref().unwrap_or(&before.name);
    let avatar = match &request.avatar_url {
        Patch::Keep => before.avatar_url.as_deref(),
        Patch::Clear => None,
        Patch::Set(url) => Some(url.as_str()),
    };
    if name == before.name && avatar == before.avatar_url.as_deref() {
        return Ok(before);
    }
    db.run(
        "UPDATE users SET name = ?, avatar_url = ?, updated_at = ? WHERE id = ?",
        params![name, avatar, Timestamp::now(), user],
    )?;
    find(db, tenant, user)
}

/// Pages show it to others: no scripts, no credentials.
fn is_picture_url(text: &str) -> bool {
    let Ok(url) = url::Url::parse(text) else { return false };
    text.chars().count() <= URL_CHARS
        && matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_on_the_web() {
        assert!(is_picture_url("https://app.flownally.com/avatar/lina.png?size=64"));
        assert!(is_picture_url("http://127.0.0.1:3000/a.png"));
        for wrong in [
            "",
            "lina.png",
            "/lina.png",
            "javascript:alert(1)",
            "data:image/png;base64,AA",
            "https://a:b@c.example/",
        ] {
            assert!(!is_picture_url(wrong), "{wrong}");
        }
        assert!(!is_picture_url(&format!("https://a.example/{}", "x".repeat(URL_CHARS))));
    }
}
