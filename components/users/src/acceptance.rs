//! `POST /v1/auth/invitations/{token}`: how an invited person becomes a member.

use crate::sessions::{SESSION, Session, session};
use axum::Json as Answer;
use common::input::{Id, Json};
use common::routes::{Operation, Routes};
use common::{Result, db};
use domain::users::Secrets;
use domain::users::acceptance::{self, AcceptInvitationRequest};
use http::StatusCode;

pub fn routes() -> Routes {
    Routes::new("Users").add(
        Operation::post("/v1/auth/invitations/{token}", "acceptInvitation")
            .summary("Accept an invitation")
            .describe(
                "Makes the invited person a member and signs them in. Whose address is new gives a name and chooses a \
                 password; who has one already proves it with their password, and keeps their name. Failures count \
                 with those of signing in: from the fifth in a row on the address is locked for 1, 2, 4 … seconds and \
                 answers 429. A link works once; `Idempotency-Key` has no effect: whose answer was lost signs in. It \
                 ends when it expires, is revoked, or when who made it may not assign its role any more.",
            )
            .path_param("token", "The token of the link.")
            .body::<AcceptInvitationRequest>(r#"{"name":"Jan Nowak","password":"Password2!"}"#)
            .answers::<Session>(201, "The person is a member and signed in.", SESSION)
            .problem(401, "auth_credentials_invalid", "The address is somebody's, and this is not their password.")
            .problem(404, "invitation_not_found", "There is no such link, or it has ended.")
            .problem(409, "user_already_member", "The person has become a member meanwhile.")
            .problem(409, "user_limit_reached", "The tenant has 10000 people.")
            .problem(429, "rate_limited", "Too many failures for this address; `Retry-After` says how many seconds to wait.")
            .example_elsewhere("users::invitations: the example needs a link that nobody has used"),
        accept,
    )
}

async fn accept(
    Id(token): Id,
    Json(body): Json<AcceptInvitationRequest>,
) -> Result<(StatusCode, Answer<Session>)> {
    let secrets = Secrets::from_settings().await?;
    let guest = db::read(|db| acceptance::look_up(db, &token, &body)).await?;
    let proof = guest.prove(&body)?;
    session(db::write(|db| acceptance::accept(db, &secrets, guest, &body, &proof)).await??).await
}
