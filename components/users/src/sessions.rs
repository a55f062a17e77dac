//! `POST /v1/auth/sessions`: signing in.

use axum::Json as Answer;
use common::auth::{Role, token};
use common::input::Json;
use common::routes::{Operation, Routes};
use common::time::Timestamp;
use common::{Result, db};
use domain::users::sign_in::{self, SignInRequest, SignedIn};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

pub fn routes() -> Routes {
    Routes::new("Users").add(
        Operation::post("/v1/auth/sessions", "createSession")
            .summary("Sign in")
            .describe(
                "Signs a person in with their password, or with the `sso_auth_token` of a sign-in link, and answers a \
                 user token for one tenant: send it as `Authorization: Bearer <token>` until `expiresAt`. Members of \
                 several tenants name one in `tenantId`. An unknown address and a wrong password get the same answer \
                 after the same time. From the fifth failure in a row on an address is locked for 1, 2, 4 … seconds, at \
                 most 15 minutes, and password sign-ins for it answer 429 meanwhile; a success ends the count. A link \
                 works once, for five minutes. `Idempotency-Key` has no effect: signing in again is harmless and gives \
                 another token.",
            )
            .body::<SignInRequest>(r#"{"email":"anna@acme.example","password":"Password2!"}"#)
            .answers::<Session>(201, "The person is signed in.", SESSION)
            .problem(401, "auth_credentials_invalid", "The address is unknown, the password or link is wrong, or the person is no member of the tenant named.")
            .problem(403, "auth_no_membership", "The person is no member of any tenant.")
            .problem(429, "rate_limited", "Too many failures for this address; `Retry-After` says how many seconds to wait.")
            .example_elsewhere("users::sign_in: the example needs a person with this password"),
        sign_in,
    )
}

pub const SESSION: &str = r#"{
  "token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c3JfMSJ9.c2lnbmF0dXJl", "expiresAt": "2026-04-30T21:45:00.000Z",
  "user": {"id": "usr_01HV8Y2M6D4F8H1K3N5Q7S9V1X", "name": "Anna Kowalska", "email": "anna@acme.example", "role": "owner", "displayName": "Anna"},
  "tenantId": "tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K"
}"#;

/// A person who is signed in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// A bearer token.
    token: String,
    expires_at: Timestamp,
    user: SessionUser,
    /// The tenant that the token is for.
    tenant_id: String,
}

/// Who is signed in, and as what.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionUser {
    #[schema(example = "usr_01HV8Y2M6D4F8H1K3N5Q7S9V1X")]
    id: String,
    name: String,
    email: String,
    /// In this tenant.
    role: Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    avatar_url: Option<String>,
}

async fn sign_in(Json(body): Json<SignInRequest>) -> Result<(StatusCode, Answer<Session>)> {
    let attempt = body.check()?;
    let known = db::read(|db| sign_in::look_up(db, &attempt)).await?;
    let fits = known.try_password(&attempt)?;
    let signed_in = db::write(|db| sign_in::judge(db, &attempt, known, fits)).await??;
    session(signed_in).await
}

/// A session of somebody who is in.
pub async fn session(signed_in: SignedIn) -> Result<(StatusCode, Answer<Session>)> {
    let SignedIn { person, tenant, role } = signed_in;
    let (token, expires_at) = token::issue(&person.id, &tenant).await?;
    let user = SessionUser {
        id: person.id,
        name: person.name,
        email: person.email,
        role,
        display_name: person.display_name,
        avatar_url: person.avatar_url,
    };
    Ok((StatusCode::CREATED, Answer(Session { token, expires_at, user, tenant_id: tenant })))
}
