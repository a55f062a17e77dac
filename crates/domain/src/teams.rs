//! Teams and their agents (contract section 10). A conversation that is routed to a team is seen by its agents;
//! that rule is in [`crate::visibility`].

use crate::users::profile::{self, Profile};
use common::auth::Principal;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::input::Patch;
use common::page::{Binding, Key, Page, Position};
use common::problem::Violations;
use common::time::Timestamp;
use common::{Problem, Result, id, params};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// Longest name, in characters.
pub const NAME_CHARS: usize = 200;
/// Longest description, in characters.
pub const DESCRIPTION_CHARS: usize = 1000;
/// Most teams of a tenant.
pub const TEAMS_MAX: i64 = 1000;
/// Most agents of a team: their list is not paged.
pub const AGENTS_MAX: i64 = 1000;

/// A group of agents that conversations are routed to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Team {
    #[schema(example = "team_01HV8Y6W0W4T5A8S9V7Q2P1M3K")]
    pub id: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub tenant_id: String,
    #[schema(example = "Support")]
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "First line customer support.")]
    pub description: Option<String>,
    /// In the order they joined the team.
    #[schema(value_type = Vec<String>)]
    pub agent_ids: Box<RawValue>,
    #[serde(skip)]
    pub seq: i64,
}

/// A new team.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateTeamRequest {
    /// At most 200 characters.
    #[schema(max_length = 200, example = "Support")]
    pub name: String,
    /// At most 1000 characters.
    #[serde(default)]
    #[schema(max_length = 1000, example = "First line customer support.")]
    pub description: Option<String>,
}

/// What may be changed of a team. What is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateTeamRequest {
    #[serde(default)]
    #[schema(max_length = 200, example = "Support")]
    pub name: Option<String>,
    /// `null`: the team has no description any more.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000, example = "First and second line.")]
    pub description: Patch<String>,
}

/// Who joins a team.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddAgentToTeamRequest {
    /// A member of the tenant, of any role.
    #[schema(example = "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S")]
    pub user_id: String,
}

const COLUMNS: &str = "t.seq, t.id, t.created_at, t.updated_at, t.tenant_id, t.name, t.description,
    (SELECT json_group_array(tm.user_id) FROM
       (SELECT user_id FROM team_members WHERE team_id = t.id ORDER BY created_at, user_id) tm) AS agents";

impl FromRow for Team {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Team {
            seq: row.take()?,
            id: row.take()?,
            created_at: row.take()?,
            updated_at: row.take()?,
            tenant_id: row.take()?,
            name: row.take()?,
            description: row.take()?,
            agent_ids: RawValue::from_string(row.take()?)
                .map_err(|error| DbError::Other(error.to_string()))?,
        })
    }
}

/// A page of teams, oldest first.
#[derive(Debug)]
pub struct Teams {
    pub teams: Vec<Team>,
    pub next: Option<String>,
    pub total: i64,
}

/// The tenant's teams and how many there are.
pub fn list(db: &Db<'_>, tenant: &str, size: Option<u32>, token: Option<&str>) -> Result<Teams> {
    let page = Page::new(size, token, Binding::new(&["listTeams", tenant]))?;
    let after = page.after.as_ref().map_or(0, |after| after.seq);
    let sql =
        format!("SELECT {COLUMNS} FROM teams t WHERE t.tenant_id = ? AND t.seq > ? ORDER BY t.seq LIMIT ?");
    let mut teams = db.rows::<Team>(&sql, params![tenant, after, page.limit()])?;
    let next = page.cut(&mut teams, |last| Position { key: Key::Number(0), seq: last.seq });
    Ok(Teams { teams, next, total: count(db, tenant)? })
}

fn count(db: &Db<'_>, tenant: &str) -> Result<i64> {
    let found = db.row::<(i64,)>("SELECT count(*) FROM teams WHERE tenant_id = ?", params![tenant])?;
    Ok(found.map_or(0, |(count,)| count))
}

/// One team.
pub fn find(db: &Db<'_>, tenant: &str, id: &str) -> Result<Team> {
    let sql = format!("SELECT {COLUMNS} FROM teams t WHERE t.id = ? AND t.tenant_id = ?");
    db.row(&sql, params![id, tenant])?.ok_or_else(|| Problem::not_found("team", id))
}

fn check_description(violations: &mut Violations, description: &str) {
    let fits = description.chars().count() <= DESCRIPTION_CHARS;
    violations.check(fits, "description", "must be at most 1000 characters");
}

/// Creates a team without agents.
pub fn create(db: &Db<'_>, caller: &Principal, request: &CreateTeamRequest) -> Result<Team> {
    let mut violations = Violations::new();
    violations.text("name", &request.name, NAME_CHARS);
    check_description(&mut violations, request.description.as_deref().unwrap_or_default());
    violations.finish()?;
    if count(db, &caller.tenant)? >= TEAMS_MAX {
        return Err(Problem::conflict(
            "team_limit_reached",
            format!("A tenant can have {TEAMS_MAX} teams: delete those you do not need."),
        ));
    }
    let now = Timestamp::now();
    let id = id::new(id::Kind::Team);
    db.run(
        "INSERT INTO teams (id, tenant_id, name, description, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)",
        params![id, caller.tenant, request.name.trim(), request.description, now, now],
    )?;
    find(db, &caller.tenant, &id)
}

/// Changes the fields that are present.
pub fn update(db: &Db<'_>, tenant: &str, id: &str, request: &UpdateTeamRequest) -> Result<Team> {
    let before = find(db, tenant, id)?;
    let mut violations = Violations::new();
    if let Some(name) = &request.name {
        violations.text("name", name, NAME_CHARS);
    }
    let description = match &request.description {
        Patch::Keep => before.description.clone(),
        Patch::Clear => None,
        Patch::Set(text) => {
            check_description(&mut violations, text);
            Some(text.clone())
        }
    };
    violations.finish()?;
    let name = request.name.as_deref().map_or(before.name.as_str(), str::trim);
    if name == before.name && description == before.description {
        return Ok(before);
    }
    db.run(
        "UPDATE teams SET name = ?, description = ?, updated_at = ? WHERE seq = ? AND tenant_id = ?",
        params![name, description, Timestamp::now(), before.seq, tenant],
    )?;
    find(db, tenant, id)
}

/// Deletes a team that no inbox routes to and no open conversation is assigned to. Its closed conversations keep
/// their restriction: they must not come into everybody's sight by this.
pub fn delete(db: &Db<'_>, tenant: &str, id: &str) -> Result<()> {
    let team = find(db, tenant, id)?;
    let used = db.row::<(i64, i64)>(
        "SELECT (SELECT count(*) FROM inboxes b WHERE b.tenant_id = ?1 AND b.team_id = ?2 AND b.deleted_at IS NULL),
                (SELECT count(*) FROM identities i
                  WHERE i.tenant_id = ?1 AND i.team_id = ?2 AND i.is_open = 1 AND i.started_at IS NOT NULL)",
        params![tenant, id],
    )?;
    let (inboxes, conversations) = used.unwrap_or_default();
    if inboxes > 0 || conversations > 0 {
        return Err(Problem::conflict(
            "team_in_use",
            format!(
                "Inboxes that route to the team {id}: {inboxes}; open conversations of it: {conversations}. Route the \
                 inboxes elsewhere and close the conversations first."
            ),
        ));
    }
    Ok(db.run("DELETE FROM teams WHERE seq = ? AND tenant_id = ?", params![team.seq, tenant])?)
}

/// The people of a team, in the order they joined it.
pub fn agents(db: &Db<'_>, tenant: &str, id: &str) -> Result<Vec<Profile>> {
    find(db, tenant, id)?;
    profile::of_team(db, tenant, id, AGENTS_MAX)
}

/// Puts a member of the tenant into a team; who is in it already stays, and nothing changes.
pub fn add_agent(db: &Db<'_>, tenant: &str, id: &str, request: &AddAgentToTeamRequest) -> Result<Team> {
    let team = find(db, tenant, id)?;
    if !profile::is_member(db, tenant, &request.user_id)? {
        return Err(Problem::invalid("userId", "must be the id of a user of this tenant"));
    }
    let now = Timestamp::now();
    let known = db.row::<(i64, bool)>(
        "SELECT (SELECT count(*) FROM team_members WHERE team_id = ?1),
                (SELECT count(*) FROM team_members WHERE team_id = ?1 AND user_id = ?2)",
        params![id, request.user_id],
    )?;
    let (agents, is_in) = known.unwrap_or_default();
    if is_in {
        return Ok(team);
    }
    if agents >= AGENTS_MAX {
        return Err(Problem::conflict(
            "team_agent_limit_reached",
            format!("A team can have {AGENTS_MAX} agents: take out those who left, or make another team."),
        ));
    }
    db.run(
        "INSERT INTO team_members (team_id, user_id, created_at) VALUES (?, ?, ?)",
        params![id, request.user_id, now],
    )?;
    touch(db, &team, now)?;
    find(db, tenant, id)
}

/// Takes somebody out of a team.
pub fn remove_agent(db: &Db<'_>, tenant: &str, id: &str, user: &str) -> Result<()> {
    let team = find(db, tenant, id)?;
    let gone = db.touches(
        "DELETE FROM team_members WHERE team_id = ? AND user_id = ? RETURNING 1",
        params![id, user],
    )?;
    if !gone {
        return Err(Problem::not_found("agent", user));
    }
    touch(db, &team, Timestamp::now())
}

fn touch(db: &Db<'_>, team: &Team, now: Timestamp) -> Result<()> {
    Ok(db.run(
        "UPDATE teams SET updated_at = ? WHERE seq = ? AND tenant_id = ?",
        params![now, team.seq, team.tenant_id],
    )?)
}
