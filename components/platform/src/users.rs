//! `/platform/api/v1/users`

use crate::SCOPE;
use axum::Json as Answer;
use axum::response::Response;
use common::auth::{PlatformApp, password};
use common::chatwoot::Seq;
use common::idempotency::Once;
use common::input::{Json, Post};
use common::routes::{Operation, Routes};
use common::{Result, db, settings};
use domain::users::changes::{self, UserRequest};
use domain::users::{self, Secrets, User, sign_in};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

pub fn add(routes: Routes) -> Routes {
    routes
        .add(
            Operation::post("/platform/api/v1/users", "create-a-user")
                .platform()
                .summary("Create a User")
                .describe(
                    "The user is confirmed at once, and no mail is sent. Where the address is known already, its user is \
                     answered unchanged, except one who came by an invitation: for their address nobody vouched so far, \
                     so it goes to the new user, and who had it is deleted, also from the accounts that they joined, even \
                     as their last owner. `access_token` is the user's token for the Chatwoot API, `user_id` the id in the \
                     v1 API. Nobody may do anything before they are put into an account.",
                )
                .body::<UserRequest>(
                    r#"{"name":"Daniel","display_name":"Dan","email":"daniel@acme.inc","password":"Password2!"}"#,
                )
                .answers::<User>(200, "The user.", USER),
            create,
        )
        .add(
            Operation::get("/platform/api/v1/users/{id}", "get-details-of-a-user")
                .platform()
                .summary("Get an user details")
                .describe("`account_id` and `role` are those of the user's first account.")
                .path_number("id", ID)
                .answers::<User>(200, "The user.", USER)
                .problem(404, "user_not_found", ABSENT),
            read,
        )
        .add(
            Operation::patch("/platform/api/v1/users/{id}", "update-a-user")
                .platform()
                .summary("Update a user")
                .describe(
                    "Changes the fields that are present. `custom_attributes` are merged into what is there. A new \
                     address or password works at once. With `disabled: true`, an addition, the user cannot sign in and tokens \
                     stop at once, until `false`; the last owner of an account cannot be disabled (422).",
                )
                .path_number("id", ID)
                .body::<UserRequest>(r#"{"display_name":"Danny","custom_attributes":{"shift":"early"}}"#)
                .answers::<User>(200, "The user after the change.", USER)
                .problem(404, "user_not_found", ABSENT),
            update,
        )
        .add(
            Operation::delete("/platform/api/v1/users/{id}", "delete-a-user")
                .platform()
                .summary("Delete a User")
                .describe(
                    "Takes the user out of all accounts; tokens stop at once, and the address is free again. The last \
                     owner of an account cannot be deleted (422): make somebody else its owner, or delete the account.",
                )
                .path_number("id", ID)
                .answers_empty(200, "Deleted; the body is empty.")
                .problem(404, "user_not_found", ABSENT)
                .problem(422, "request_validation_failed", "The user is the last owner of an account.")
                .example_elsewhere("platform::users: it would delete a person of the other examples"),
            delete,
        )
        .add(
            Operation::get("/platform/api/v1/users/{id}/login", "get-sso-url-of-a-user")
                .platform()
                .summary("Get User SSO Link")
                .describe(
                    "A link that signs the user in once, within five minutes. Its `sso_auth_token` is what `POST \
                     /v1/auth/sessions` takes as `ssoAuthToken`.",
                )
                .path_number("id", ID)
                .answers::<LoginLink>(200, "The link.", LINK)
                .problem(404, "user_not_found", ABSENT),
            login,
        )
}

const ID: &str = "The number of the user.";
const ABSENT: &str = "There is no such user.";
const USER: &str = r#"{
  "id": 1, "access_token": "kB3v9Qh2Zs6Lw8Xe1Ty5Ru7Io0Pa4Sd3Fg6Hj9Kl2Zx", "account_id": 1, "available_name": "Dan",
  "avatar_url": "", "confirmed": true, "display_name": "Dan", "message_signature": null, "email": "daniel@acme.inc",
  "inviter_id": null, "name": "Daniel", "provider": "email", "pubsub_token": "a9f8Q2h6Zs6Lw8Xe1Ty5Ru7Io0Pa4Sd3Fg6Hj9Kl2Zx",
  "role": "administrator", "ui_settings": {}, "uid": "daniel@acme.inc", "type": null,
  "accounts": [{
    "id": 1, "name": "My Account", "status": "active", "active_at": null, "role": "administrator",
    "permissions": ["administrator"], "availability": "online", "availability_status": "offline", "auto_offline": true,
    "tenant_id": "tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K"
  }],
  "user_id": "usr_01HV8Y2M6D4F8H1K3N5Q7S9V1X", "disabled": false
}"#;
const LINK: &str = r#"{"url": "https://flownally.example/app/login?email=daniel%40acme.inc&sso_auth_token=0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"}"#;

/// A link that signs somebody in.
#[derive(Debug, Serialize, ToSchema)]
pub struct LoginLink {
    url: String,
}

async fn create(_: PlatformApp, Post { body, once }: Post<UserRequest>) -> Result<Response> {
    let email = body.new_email()?;
    let once = once.secret();
    if let Some(stored) = once.reserve(SCOPE).await? {
        return Ok(stored);
    }
    let made = make(&once, &email, &body).await;
    if made.is_err() {
        once.release(SCOPE).await?;
    }
    made
}

/// Hashing takes tens of milliseconds, so it happens outside the transaction, and only for new people.
async fn make(once: &Once, email: &str, body: &UserRequest) -> Result<Response> {
    let secrets = Secrets::from_settings().await?;
    let hash = match db::read(|db| users::is_vouched_for(db, email)).await? {
        true => None,
        false => Some(password::hash(body.new_password()?)?),
    };
    once.finish(SCOPE, StatusCode::OK, |db| changes::create(db, &secrets, email, body, hash.as_deref())).await
}

async fn read(_: PlatformApp, Seq(seq): Seq) -> Result<Answer<User>> {
    let secrets = Secrets::from_settings().await?;
    db::read(|db| users::find(db, &secrets, seq)).await.map(Answer)
}

async fn update(_: PlatformApp, Seq(seq): Seq, Json(body): Json<UserRequest>) -> Result<Answer<User>> {
    let secrets = Secrets::from_settings().await?;
    let hash = body.changed_password()?.map(password::hash).transpose()?;
    db::write(|db| changes::update(db, &secrets, seq, &body, hash.as_deref())).await.map(Answer)
}

async fn delete(_: PlatformApp, Seq(seq): Seq) -> Result<StatusCode> {
    db::write(|db| changes::delete(db, seq)).await?;
    Ok(StatusCode::OK)
}

async fn login(_: PlatformApp, Seq(seq): Seq) -> Result<Answer<LoginLink>> {
    let base = settings::required("public_url").await?;
    let url = db::write(|db| sign_in::link(db, seq, &base)).await?;
    Ok(Answer(LoginLink { url }))
}
