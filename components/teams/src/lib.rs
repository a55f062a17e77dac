//! `/v1/teams`: teams and their agents (contract section 10).

mod agents;

use axum::Json as Answer;
use axum::response::Response;
use common::auth::{Principal, Role};
use common::input::{Id, Json, Post, Query};
use common::routes::{Operation, Routes};
use common::{Result, db};
use domain::teams::{self, CreateTeamRequest, Team, UpdateTeamRequest};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

common::serve!(crate::routes);

/// The operations of this component.
pub fn routes() -> Routes {
    Routes::new("Teams")
        .add(
            Operation::get("/v1/teams", "listTeams")
                .tenant(&["team:list"], Role::ALL)
                .summary("Page through teams")
                .describe("Oldest first. `totalSize` counts all teams of the tenant, at most 1000.")
                .query::<PageParameters>()
                .answers::<TeamPage>(200, "A page of teams. `nextPageToken` is absent on the last page.", TEAMS),
            list,
        )
        .add(
            Operation::post("/v1/teams", "createTeam")
                .tenant(&["team:create"], Role::ADMINS)
                .summary("Create a team")
                .describe(
                    "A new team has no agents. Route conversations to it through an inbox; from then on agents who are \
                     not in it do not see them, unless they are assigned. Names need not be unique.",
                )
                .body::<CreateTeamRequest>(r#"{"name":"Support","description":"First line customer support."}"#)
                .answers::<Team>(201, "The team created.", TEAM)
                .problem(409, "team_limit_reached", "The tenant has 1000 teams."),
            create,
        )
        .add(
            Operation::get("/v1/teams/{id}", "getTeam")
                .tenant(&["team:read"], Role::ALL)
                .summary("Read one team with its agent assignments")
                .describe("Agents may read every team of their tenant, also those they are not in.")
                .path_param("id", "The team, `team_…`.")
                .answers::<Team>(200, "The team.", TEAM)
                .problem(404, "team_not_found", NO_TEAM),
            read,
        )
        .add(
            Operation::put("/v1/teams/{id}", "updateTeam")
                .tenant(&["team:update"], Role::ADMINS)
                .summary("Change the name or description of a team")
                .describe(
                    "What is absent stays as it is, although the method is PUT; `\"description\": null` clears the \
                     description.",
                )
                .path_param("id", "The team, `team_…`.")
                .body::<UpdateTeamRequest>(r#"{"name":"Support","description":"First and second line."}"#)
                .answers::<Team>(200, "The team after the change.", TEAM)
                .problem(404, "team_not_found", NO_TEAM),
            update,
        )
        .add(
            Operation::delete("/v1/teams/{id}", "deleteTeam")
                .tenant(&["team:delete"], Role::ADMINS)
                .summary("Delete a team to which nothing is routed or assigned any more")
                .describe(
                    "Its closed conversations stay in sight of owners, admins, API keys of those roles, and whom they \
                     are assigned to, and show no `teamId` any more; when the customer writes again, the inbox decides \
                     anew.",
                )
                .path_param("id", "The team, `team_…`.")
                .answers_empty(204, "Deleted.")
                .problem(404, "team_not_found", NO_TEAM)
                .problem(409, "team_in_use", "An inbox routes to it, or an open conversation is assigned to it."),
            delete,
        )
        .merge(agents::routes())
}

pub(crate) const NO_TEAM: &str = "There is no such team in this tenant.";
pub(crate) const TEAM: &str = r#"{
  "id": "team_01HV8Y6W0W4T5A8S9V7Q2P1M3K", "createdAt": "2026-04-30T08:45:00.000Z", "updatedAt": "2026-04-30T09:05:00.000Z",
  "tenantId": "tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K", "name": "Support", "description": "First line customer support.",
  "agentIds": ["usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S"]
}"#;
const TEAMS: &str = r#"{"teams": [{
  "id": "team_01HV8Y6W0W4T5A8S9V7Q2P1M3K", "createdAt": "2026-04-30T08:45:00.000Z", "updatedAt": "2026-04-30T09:05:00.000Z",
  "tenantId": "tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K", "name": "Support", "description": "First line customer support.",
  "agentIds": ["usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S"]
}], "totalSize": 1}"#;

/// Paging of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(rename_all = "camelCase")]
struct PageParameters {
    /// Teams on a page: 1 to 100, larger values count as 100.
    #[param(minimum = 1, maximum = 100, default = 50)]
    page_size: Option<u32>,
    /// The `nextPageToken` of the page before.
    page_token: Option<String>,
}

/// A page of teams.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TeamPage {
    teams: Vec<Team>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
    /// All teams of the tenant.
    total_size: i64,
}

async fn list(caller: Principal, Query(page): Query<PageParameters>) -> Result<Answer<TeamPage>> {
    let found =
        db::read(|db| teams::list(db, &caller.tenant, page.page_size, page.page_token.as_deref())).await?;
    Ok(Answer(TeamPage { teams: found.teams, next_page_token: found.next, total_size: found.total }))
}

async fn create(caller: Principal, Post { body, once }: Post<CreateTeamRequest>) -> Result<Response> {
    once.write(&caller.tenant, StatusCode::CREATED, |db| teams::create(db, &caller, &body)).await
}

async fn read(caller: Principal, Id(id): Id) -> Result<Answer<Team>> {
    db::read(|db| teams::find(db, &caller.tenant, &id)).await.map(Answer)
}

async fn update(caller: Principal, Id(id): Id, Json(body): Json<UpdateTeamRequest>) -> Result<Answer<Team>> {
    db::write(|db| teams::update(db, &caller.tenant, &id, &body)).await.map(Answer)
}

async fn delete(caller: Principal, Id(id): Id) -> Result<StatusCode> {
    db::write(|db| teams::delete(db, &caller.tenant, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
