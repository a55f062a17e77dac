//! What is known of files: reading, deleting, links.

use axum::Json as Answer;
use common::auth::{Principal, Role};
use common::input::{Id, Post};
use common::problem::Violations;
use common::time::Timestamp;
use common::{Problem, Result, db};
use domain::media::links::{LONGEST, Links};
use domain::media::{self, MediaFile};
use domain::visibility::viewer;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// How long a link is good when its maker does not say.
const LINK_SECONDS: u64 = 3600;

/// How long the link is to be good.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateMediaLinkRequest {
    /// 1 to 604800 seconds (seven days); 3600 where absent.
    #[schema(minimum = 1, maximum = 604800, example = 3600)]
    expires_in_seconds: Option<u64>,
}

/// A link that needs no token.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MediaLink {
    /// Absolute.
    url: String,
    /// The same, relative to this server.
    path: String,
    expires_at: Timestamp,
}

/// `GET /v1/media/{id}`
pub async fn read(caller: Principal, Id(id): Id) -> Result<Answer<MediaFile>> {
    let media = db::read(|db| media::find_visible(db, &caller.tenant, &id, viewer(&caller))).await?;
    Ok(Answer(media.shown()))
}

/// `DELETE /v1/media/{id}`
pub async fn delete(caller: Principal, Id(id): Id) -> Result<StatusCode> {
    db::write(|db| {
        let media = media::find_visible(db, &caller.tenant, &id, viewer(&caller))?;
        if media.identity_seq.is_some() && caller.role == Role::Agent {
            return Err(Problem::forbidden(
                "auth_authz_media_delete_denied",
                "A file that a customer sent is deleted by owners and admins only.",
            ));
        }
        if media::is_needed(db, &caller.tenant, &id)? {
            return Err(Problem::conflict(
                "media_in_use",
                format!("A message that is still to be sent names {id}. Delete the message first, or wait."),
            ));
        }
        media::remove(db, &caller.tenant, &id)
    })
    .await?;
    // The housekeeping does it when this cannot.
    if let Err(problem) = media::sweep_one(&id).await {
        common::log!("bytes not deleted yet", media = id, problem = problem);
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/media/{id}/links`
pub async fn link(
    caller: Principal,
    Id(id): Id,
    Post { body, once }: Post<CreateMediaLinkRequest>,
) -> Result<axum::response::Response> {
    let seconds = body.expires_in_seconds.unwrap_or(LINK_SECONDS);
    let mut violations = Violations::new();
    let fits = (1..=LONGEST.as_secs()).contains(&seconds);
    violations.check(fits, "expiresInSeconds", "must be between 1 and 604800");
    violations.finish()?;
    let links = Links::from_settings().await?;
    let expires = Timestamp::now().after(Duration::from_secs(seconds));
    once.secret()
        .write(&caller.tenant, StatusCode::CREATED, |db| {
            let media = media::find_visible(db, &caller.tenant, &id, viewer(&caller))?;
            Ok(MediaLink {
                url: links.url(&media.tenant, &media.id, expires),
                path: links.path(&media.tenant, &media.id, expires),
                expires_at: Timestamp::from_seconds(expires.seconds()),
            })
        })
        .await
}
