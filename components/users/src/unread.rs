//! `/v1/users/me/unread-count` and `/v1/users/me/unread-summary`: the badge of the person who calls.

use axum::Json as Answer;
use common::auth::{Principal, Role};
use common::routes::{Operation, Routes};
use common::{Result, db};
use domain::unread::{self, UnreadSummary};
use serde::Serialize;
use utoipa::ToSchema;

pub fn routes() -> Routes {
    Routes::new("Users")
        .add(
            Operation::get("/v1/users/me/unread-count", "getUsersMeUnreadCount")
                .tenant(&["user:read_self"], Role::ALL)
                .summary("Read the caller's total of unread messages")
                .describe(COUNTED)
                .answers::<UnreadCount>(200, "The total.", r#"{"unreadCount": 3}"#),
            count,
        )
        .add(
            Operation::get("/v1/users/me/unread-summary", "getUsersMeUnreadSummary")
                .tenant(&["user:read_self"], Role::ALL)
                .summary("Read the caller's unread total with its version")
                .describe(
                    "The total of GET /v1/users/me/unread-count and a `version` of the same moment. The version only \
                     grows, with everything in the tenant that may change somebody's total: drop an update whose version \
                     is not above the one you have. For people only: an API key gets a 403.",
                )
                .answers::<UnreadSummary>(200, "Total and version.", r#"{"unreadCount": 3, "version": 42}"#),
            summary,
        )
}

const COUNTED: &str = "Customers' messages that the caller has not read, over the open conversations that are assigned \
    to them, or to nobody and in their sight. What is assigned to somebody else does not count, nor does what is closed, \
    nor what came before the session opened. For people only: an API key gets a 403.";

/// The caller's badge.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UnreadCountResponse)]
pub struct UnreadCount {
    #[schema(example = 3)]
    unread_count: i64,
}

async fn count(caller: Principal) -> Result<Answer<UnreadCount>> {
    let found = db::read(|db| unread::summary(db, &caller)).await?;
    Ok(Answer(UnreadCount { unread_count: found.unread_count }))
}

async fn summary(caller: Principal) -> Result<Answer<UnreadSummary>> {
    db::read(|db| unread::summary(db, &caller)).await.map(Answer)
}
