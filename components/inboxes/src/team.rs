//! `/v1/inboxes/{id}/team`

use crate::answer::{ABSENT, ID, INBOX_LISTED, INBOX_WITH_TEAM};
use axum::Json as Answer;
use common::auth::{Principal, Role};
use common::input::{Id, Json};
use common::routes::{Operation, Routes};
use common::{Result, db};
use domain::inboxes::{self, Inbox, SetInboxTeamRequest};

pub fn add(routes: Routes) -> Routes {
    routes
        .add(
            Operation::put("/v1/inboxes/{id}/team", "setInboxTeam")
                .tenant(&["inbox:update"], Role::ADMINS)
                .summary("Assign a team to an inbox")
                .describe(
                    "New conversations of the inbox go to this team; those that are open stay where they are. A team \
                     that is not of this workspace is refused.",
                )
                .path_param("id", ID)
                .body::<SetInboxTeamRequest>(r#"{"teamId":"team_01HV8Y6W0W4T5A8S9V7Q2P1M3G"}"#)
                .answers::<Inbox>(200, "The inbox with its team.", INBOX_WITH_TEAM)
                .problem(404, "inbox_not_found", ABSENT),
            set,
        )
        .add(
            Operation::delete("/v1/inboxes/{id}/team", "clearInboxTeam")
                .tenant(&["inbox:update"], Role::ADMINS)
                .summary("Clear the team of an inbox")
                .describe(
                    "New conversations go to nobody in particular: every agent sees them. Nothing happens where there is \
                     no team.",
                )
                .path_param("id", ID)
                .answers::<Inbox>(200, "The inbox without a team.", INBOX_LISTED)
                .problem(404, "inbox_not_found", ABSENT),
            clear,
        )
}

async fn set(caller: Principal, Id(id): Id, Json(body): Json<SetInboxTeamRequest>) -> Result<Answer<Inbox>> {
    db::write(|db| inboxes::set_team(db, &caller, &id, &body.team_id)).await.map(Answer)
}

async fn clear(caller: Principal, Id(id): Id) -> Result<Answer<Inbox>> {
    db::write(|db| inboxes::clear_team(db, &caller, &id)).await.map(Answer)
}
