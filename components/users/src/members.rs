//! `/v1/users` and `/v1/users/{userId}`: the people of a tenant, and their roles.

use axum::Json as Answer;
use common::auth::{Principal, Role};
use common::input::{Id, Json};
use common::routes::{Operation, Routes};
use common::{Result, db};
use domain::users::profile::{self, Profile};
use domain::users::roles::{self, UpdateUserRoleRequest};
use serde::Serialize;
use utoipa::ToSchema;

pub fn routes() -> Routes {
    Routes::new("Users")
        .add(
            Operation::get("/v1/users", "getUsers")
                .tenant(&["user:list"], Role::ALL)
                .summary("List the people of the workspace")
                .describe("In the order they came, all at once; there are at most 10000. Disabled people are shown too.")
                .answers::<UserList>(200, "The people.", USERS),
            list,
        )
        .add(
            Operation::get("/v1/users/{userId}", "getUser")
                .tenant(&["user:read"], Role::ALL)
                .summary("Read one workspace member with role and teams")
                .describe("Who has left the tenant is absent.")
                .path_param("userId", ID)
                .answers::<Profile>(200, "The user.", USER)
                .problem(404, "auth_user_not_found", ABSENT),
            read,
        )
        .add(
            Operation::put("/v1/users/{userId}/role", "putUserRole")
                .tenant(roles::SCOPES, Role::ADMINS)
                .scope_by_role()
                .summary("Change a member's role")
                .describe(
                    "Of the scopes only that of the role asked for is needed. Admins turn agents into admins and back; \
                     granting owner and taking it away is for owners; nobody changes their own role; and at least one \
                     owner who is not disabled stays, also when two are demoted at once. Checked in the order of the \
                     errors below: role, user, self, authority, last owner. The role that somebody has already changes \
                     nothing. It counts from their next request on.",
                )
                .path_param("userId", ID)
                .body::<UpdateUserRoleRequest>(r#"{"role":"admin"}"#)
                .answers::<Profile>(200, "The user after the change.", USER)
                .problem(400, "auth_user_invalid_role", "The role is none of owner, admin and agent.")
                .problem(404, "auth_user_not_found", ABSENT)
                .problem(400, "auth_user_self_role_change_forbidden", "The caller is the target.")
                .problem(
                    403,
                    "auth_authz_user_assign_role_denied",
                    "The caller may not assign this role, such as an admin granting owner, or lacks its scope.",
                )
                .problem(403, "auth_user_role_assignment_forbidden", "The target is an owner and the caller is none.")
                .problem(409, "auth_user_last_owner_required", "No owner who can act would be left."),
            put_role,
        )
}

const ID: &str = "The user, `usr_…`.";
const ABSENT: &str = "There is no such user in this tenant.";
pub const USER: &str = r#"{
  "id": "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S", "name": "Lina Nowak", "email": "lina@example.com",
  "teamIds": ["team_01HV8Y6W0W4T5A8S9V7Q2P1M3K"], "role": "admin", "joinedAt": "2026-04-30T08:30:00.000Z",
  "avatarUrl": "https://app.flownally.com/avatar/lina.png", "provider": "email", "emailVerified": true, "disabled": false
}"#;
const USERS: &str = r#"{"users": [{
  "id": "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S", "name": "Lina Nowak", "email": "lina@example.com",
  "teamIds": ["team_01HV8Y6W0W4T5A8S9V7Q2P1M3K"], "role": "admin", "joinedAt": "2026-04-30T08:30:00.000Z",
  "avatarUrl": "https://app.flownally.com/avatar/lina.png", "provider": "email", "emailVerified": true, "disabled": false
}]}"#;

/// The people of a tenant.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserList {
    users: Vec<Profile>,
}

async fn list(caller: Principal) -> Result<Answer<UserList>> {
    let users = db::read(|db| profile::list(db, &caller.tenant)).await?;
    Ok(Answer(UserList { users }))
}

async fn read(caller: Principal, Id(id): Id) -> Result<Answer<Profile>> {
    db::read(|db| profile::find(db, &caller.tenant, &id)).await.map(Answer)
}

async fn put_role(
    caller: Principal,
    Id(id): Id,
    Json(body): Json<UpdateUserRoleRequest>,
) -> Result<Answer<Profile>> {
    db::write(|db| roles::update(db, &caller, &id, &body)).await.map(Answer)
}
