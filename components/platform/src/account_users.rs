//! `/platform/api/v1/accounts/{account_id}/account_users`

use crate::SCOPE;
use crate::accounts::ABSENT;
use axum::Json as Answer;
use axum::response::Response;
use common::auth::PlatformApp;
use common::chatwoot::{Number, Seq};
use common::input::{Json, Post, Query};
use common::routes::{Operation, Routes};
use common::{Problem, Result, db};
use domain::accounts::members::{
    self, AccountUser, AccountUserRequest, AccountUsers, RemoveAccountUserRequest,
};
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

const PATH: &str = "/platform/api/v1/accounts/{account_id}/account_users";

pub fn add(routes: Routes) -> Routes {
    routes
        .add(
            Operation::get(PATH, "list-all-account-users")
                .platform()
                .summary("List all Account Users")
                .describe("All people of an account, in the order they came, as a bare array.")
                .path_number("account_id", ID)
                .answers::<AccountUsers>(200, "The people of the account.", MEMBERS)
                .problem(404, "account_not_found", ABSENT),
            list,
        )
        .add(
            Operation::post(PATH, "create-an-account-user")
                .platform()
                .summary("Create an Account User")
                .describe(
                    "Puts a user into an account, or changes their role there. The first `administrator` of an account \
                     becomes its owner, later ones are admins in the v1 API; an owner stays one as `administrator`. \
                     `owner` is understood as an extension. The last owner cannot be demoted. An account has at most \
                     10000 users.",
                )
                .path_number("account_id", ID)
                .body::<AccountUserRequest>(r#"{"user_id":1,"role":"administrator"}"#)
                .answers::<AccountUser>(200, "The membership.", MEMBER)
                .problem(404, "account_not_found", ABSENT)
                .example_elsewhere("platform::account_users: the example needs a user of this number"),
            put,
        )
        .add(
            Operation::delete(PATH, "delete-an-account-user")
                .platform()
                .summary("Delete an Account User")
                .describe(
                    "Takes a user out of an account; `user_id` comes in the body or in the query. A user who was not in \
                     it, or does not exist, is fine. The last owner cannot be removed.",
                )
                .path_number("account_id", ID)
                .query::<RemoveQuery>()
                .body::<RemoveAccountUserRequest>(r#"{"user_id":1}"#)
                .answers_empty(200, "Removed; the body is empty.")
                .problem(404, "account_not_found", ABSENT)
                .example_elsewhere("platform::account_users: the example needs a user of this number"),
            remove,
        )
}

const ID: &str = "The number of the account.";
const MEMBER: &str = r#"{
  "id": 1, "account_id": 1, "user_id": 1, "role": "administrator", "inviter_id": null, "active_at": null,
  "availability": "online", "auto_offline": true, "created_at": "2026-04-30T09:00:00.000Z",
  "updated_at": "2026-04-30T09:00:00.000Z", "tenant_id": "tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K", "tenant_role": "owner"
}"#;
const MEMBERS: &str = r#"[{
  "id": 1, "account_id": 1, "user_id": 1, "role": "administrator", "inviter_id": null, "active_at": null,
  "availability": "online", "auto_offline": true, "created_at": "2026-04-30T09:00:00.000Z",
  "updated_at": "2026-04-30T09:00:00.000Z", "tenant_id": "tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K", "tenant_role": "owner"
}]"#;

/// Where the body does not say who leaves.
#[derive(Debug, Deserialize, IntoParams)]
struct RemoveQuery {
    /// The number of the user.
    user_id: Option<i64>,
}

async fn list(_: PlatformApp, Seq(account): Seq) -> Result<Answer<AccountUsers>> {
    db::read(|db| members::list(db, account)).await.map(Answer)
}

async fn put(
    _: PlatformApp,
    Seq(account): Seq,
    Post { body, once }: Post<AccountUserRequest>,
) -> Result<Response> {
    once.write(SCOPE, StatusCode::OK, |db| members::put(db, account, &body)).await
}

async fn remove(
    _: PlatformApp,
    Seq(account): Seq,
    Query(query): Query<RemoveQuery>,
    Json(body): Json<RemoveAccountUserRequest>,
) -> Result<StatusCode> {
    let user = body.user_id.map(|Number(user)| user).or(query.user_id);
    let user = user.ok_or_else(|| Problem::invalid("user_id", "can't be blank"))?;
    db::write(|db| members::remove(db, account, user)).await?;
    Ok(StatusCode::OK)
}
