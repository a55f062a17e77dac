//! `/v1/users/me`: the profile of the person who calls.

use crate::members::USER;
use axum::Json as Answer;
use common::auth::{Principal, Role};
use common::input::Json;
use common::routes::{Operation, Routes};
use common::{Result, db};
use domain::users::profile::{self, Profile, UpdateProfileRequest};

pub fn routes() -> Routes {
    Routes::new("Users")
        .add(
            Operation::get("/v1/users/me", "getUsersMe")
                .tenant(&["user:read_self"], Role::ALL)
                .summary("Read the caller's own profile")
                .describe("As a member of the tenant of the token. For people only: an API key gets a 403.")
                .answers::<Profile>(200, "The caller.", USER),
            read,
        )
        .add(
            Operation::patch("/v1/users/me", "patchUsersMe")
                .tenant(&["user:update_self"], Role::ALL)
                .summary("Change the caller's own name or picture")
                .describe(
                    "What is absent stays; `null` takes the picture away. A person has one name and picture for all \
                     tenants. For people only: an API key gets a 403.",
                )
                .body::<UpdateProfileRequest>(
                    r#"{"name":"Lina Nowak","avatarUrl":"https://app.flownally.com/avatar/lina.png"}"#,
                )
                .answers::<Profile>(200, "The caller after the change.", USER),
            update,
        )
}

async fn read(caller: Principal) -> Result<Answer<Profile>> {
    let user = caller.person("user:read_self")?;
    db::read(|db| profile::find(db, &caller.tenant, user)).await.map(Answer)
}

async fn update(caller: Principal, Json(body): Json<UpdateProfileRequest>) -> Result<Answer<Profile>> {
    let user = caller.person("user:update_self")?;
    db::write(|db| profile::update(db, &caller.tenant, user, &body)).await.map(Answer)
}
