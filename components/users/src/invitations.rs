//! `/v1/users/invitations`: links that make somebody a member.

use axum::Json as Answer;
use axum::response::Response;
use common::auth::{Principal, Role};
use common::input::{Id, Post, Query};
use common::routes::{Operation, Routes};
use common::{Result, db, settings};
use domain::users::invitations::{self, CreateInvitationRequest, CreatedInvitation, Invitation};
use domain::users::roles;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub fn routes() -> Routes {
    Routes::new("Users")
        .add(
            Operation::get("/v1/users/invitations", "listInvitations")
                .tenant(&["user:list"], Role::ADMINS)
                .summary("Page through open invitations")
                .describe(
                    "Newest first: those that were neither accepted nor revoked, expired ones too. Links are not shown \
                     again. An addition to the published API.",
                )
                .query::<PageParameters>()
                .answers::<InvitationPage>(
                    200,
                    "A page of invitations. `nextPageToken` is absent on the last page.",
                    INVITATIONS,
                ),
            list,
        )
        .add(
            Operation::post("/v1/users/invitations", "createInvitation")
                .tenant(roles::SCOPES, Role::ADMINS)
                .scope_by_role()
                .summary("Invite somebody")
                .describe(
                    "Makes a link with which its holder becomes a member, once. It is shown in this answer only; no mail \
                     is sent, so hand it over yourself. Who may assign a role may invite to it; of the scopes only that \
                     of the role is needed. An earlier invitation of the same address ends. A repeat with the same \
                     `Idempotency-Key` shows the link again for 24 hours. A tenant has at most 1000 open invitations. An \
                     addition to the published API.",
                )
                .body::<CreateInvitationRequest>(
                    r#"{"email":"jan@example.com","role":"agent","expiresInSeconds":604800}"#,
                )
                .answers::<CreatedInvitation>(201, "The invitation with its link, shown this once.", CREATED)
                .problem(403, "auth_authz_user_assign_role_denied", NO_AUTHORITY)
                .problem(409, "user_already_member", "Somebody with this address is a member already.")
                .problem(409, "invitation_limit_reached", "The tenant has 1000 open invitations.")
                .example_elsewhere("users::invitations: the world's address is a member's"),
            create,
        )
        .add(
            Operation::delete("/v1/users/invitations/{id}", "revokeInvitation")
                .tenant(roles::SCOPES, Role::ADMINS)
                .scope_by_role()
                .summary("Revoke an invitation")
                .describe(
                    "Its link stops at once. One that was accepted or revoked is absent. Of the scopes only that of the \
                     role is needed. An addition to the published API.",
                )
                .path_param("id", "The invitation, `inv_…`.")
                .answers_empty(204, "Revoked.")
                .problem(403, "auth_authz_user_assign_role_denied", NO_AUTHORITY)
                .problem(404, "invitation_not_found", "There is no such open invitation in this tenant."),
            revoke,
        )
}

const NO_AUTHORITY: &str =
    "The caller may not assign this role, such as an admin inviting an owner, or lacks its scope.";
const INVITATIONS: &str = r#"{"invitations": [{
  "id": "inv_01HV9A1K3M5P7R9T1V3X5Z7B9D", "email": "jan@example.com", "role": "agent", "status": "pending",
  "invitedBy": "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S", "createdAt": "2026-04-30T09:00:00.000Z",
  "expiresAt": "2026-05-07T09:00:00.000Z"
}]}"#;
const CREATED: &str = r#"{
  "invitation": {
    "id": "inv_01HV9A1K3M5P7R9T1V3X5Z7B9D", "email": "jan@example.com", "role": "agent", "status": "pending",
    "invitedBy": "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S", "createdAt": "2026-04-30T09:00:00.000Z",
    "expiresAt": "2026-05-07T09:00:00.000Z"
  },
  "token": "a1BcD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX2yZ3aB4c",
  "url": "https://flownally.example/v1/auth/invitations/a1BcD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX2yZ3aB4c"
}"#;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(rename_all = "camelCase")]
struct PageParameters {
    /// Invitations on a page: 1 to 100, larger values count as 100.
    #[param(minimum = 1, maximum = 100, default = 50)]
    page_size: Option<u32>,
    /// The `nextPageToken` of the page before.
    page_token: Option<String>,
}

/// A page of open invitations.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InvitationPage {
    invitations: Vec<Invitation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

async fn list(caller: Principal, Query(page): Query<PageParameters>) -> Result<Answer<InvitationPage>> {
    let (invitations, next_page_token) =
        db::read(|db| invitations::list(db, &caller.tenant, page.page_size, page.page_token.as_deref()))
            .await?;
    Ok(Answer(InvitationPage { invitations, next_page_token }))
}

async fn create(caller: Principal, Post { body, once }: Post<CreateInvitationRequest>) -> Result<Response> {
    let base = settings::required("public_url").await?;
    once.secret()
        .write(&caller.own_scope(), StatusCode::CREATED, |db| invitations::create(db, &caller, &body, &base))
        .await
}

async fn revoke(caller: Principal, Id(id): Id) -> Result<StatusCode> {
    db::write(|db| invitations::revoke(db, &caller, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
