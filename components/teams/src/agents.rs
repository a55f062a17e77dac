//! `/v1/teams/{id}/agents`: who is in a team.

use crate::{NO_TEAM, TEAM};
use axum::Json as Answer;
use axum::extract::Path;
use axum::response::Response;
use common::auth::{Principal, Role};
use common::input::{Id, Post};
use common::routes::{Operation, Routes};
use common::{Problem, Result, db};
use domain::teams::{self, AddAgentToTeamRequest, Team};
use domain::users::profile::Profile;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

pub fn routes() -> Routes {
    Routes::new("Teams")
        .add(
            Operation::get("/v1/teams/{id}/agents", "listTeamAgents")
                .tenant(&["team:read"], Role::ALL)
                .summary("List the users assigned to a team")
                .describe("In the order they joined it, all at once; there are at most 1000.")
                .path_param("id", "The team, `team_…`.")
                .answers::<TeamAgents>(200, "The agents of the team.", AGENTS)
                .problem(404, "team_not_found", NO_TEAM),
            list,
        )
        .add(
            Operation::post("/v1/teams/{id}/agents", "addTeamAgent")
                .tenant(&["team:assign_user"], Role::ADMINS)
                .summary("Assign a user to a team")
                .describe(
                    "From then on they see the team's conversations. Members of any role can be in a team. Adding \
                     somebody twice changes nothing.",
                )
                .path_param("id", "The team, `team_…`.")
                .body::<AddAgentToTeamRequest>(r#"{"userId":"usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S"}"#)
                .answers::<Team>(201, "The team with the agent.", TEAM)
                .problem(404, "team_not_found", NO_TEAM)
                .problem(409, "team_agent_limit_reached", "The team has 1000 agents.")
                .problem(422, "request_validation_failed", "The user is no member of this tenant, or is disabled."),
            add,
        )
        .add(
            Operation::delete("/v1/teams/{id}/agents/{userId}", "removeTeamAgent")
                .tenant(&["team:remove_user"], Role::ADMINS)
                .summary("Take a user out of a team")
                .describe(
                    "They no longer see the team's conversations, except those assigned to them, which stay theirs. \
                     Members who leave the tenant leave its teams by themselves.",
                )
                .path_param("id", "The team, `team_…`.")
                .path_param("userId", "The user, `usr_…`.")
                .answers_empty(204, "Removed.")
                .problem(404, "team_not_found", NO_TEAM)
                .problem(404, "agent_not_found", "The user is not in the team."),
            remove,
        )
}

const AGENTS: &str = r#"{"agents": [{
  "id": "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S", "name": "Lina Nowak", "email": "lina@example.com",
  "teamIds": ["team_01HV8Y6W0W4T5A8S9V7Q2P1M3K"], "role": "agent", "joinedAt": "2026-04-30T08:30:00.000Z",
  "provider": "email", "emailVerified": true, "disabled": false
}]}"#;

/// The people of a team.
#[derive(Debug, Serialize, ToSchema)]
pub struct TeamAgents {
    agents: Vec<Profile>,
}

async fn list(caller: Principal, Id(id): Id) -> Result<Answer<TeamAgents>> {
    let agents = db::read(|db| teams::agents(db, &caller.tenant, &id)).await?;
    Ok(Answer(TeamAgents { agents }))
}

async fn add(
    caller: Principal,
    Id(id): Id,
    Post { body, once }: Post<AddAgentToTeamRequest>,
) -> Result<Response> {
    once.write(&caller.tenant, StatusCode::CREATED, |db| teams::add_agent(db, &caller.tenant, &id, &body))
        .await
}

async fn remove(
    caller: Principal,
    path: Result<Path<(String, String)>, axum::extract::rejection::PathRejection>,
) -> Result<StatusCode> {
    let Path((id, user)) = path.map_err(|_| Problem::malformed("The path is not valid UTF-8."))?;
    db::write(|db| teams::remove_agent(db, &caller.tenant, &id, &user)).await?;
    Ok(StatusCode::NO_CONTENT)
}
