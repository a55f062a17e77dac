//! `GET /v1/messages?metadata[key]=value`: finding messages by what was given along with them.

use crate::{MESSAGES, MessagePage};
use axum::Json as Answer;
use axum::extract::RawQuery;
use common::auth::{Principal, Role};
use common::input::Query;
use common::routes::{Operation, Routes};
use common::{Problem, Result, db};
use domain::messages::{self, List, MetadataFilter};
use domain::visibility::viewer;
use serde::Deserialize;
use std::collections::BTreeMap;
use utoipa::IntoParams;

/// Most pairs to search by at once.
const PAIRS_MAX: usize = 5;

pub fn routes() -> Routes {
    Routes::new("Messaging").add(
        Operation::get("/v1/messages", "listMessages")
            .tenant(&["conversation:read"], Role::ALL)
            .summary("Find messages by their metadata")
            .describe(
                "The messages of all conversations the caller may see whose metadata hold every given pair exactly, \
                 newest first: `?metadata[orderId]=A-1021`. At least one pair is needed, at most five.",
            )
            .query::<SearchParameters>()
            .answers::<MessagePage>(200, "A page of messages. `nextPageToken` is absent on the last page.", MESSAGES),
        search,
    )
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(rename_all = "camelCase")]
struct SearchParameters {
    /// `metadata[key]=value`, one to five times.
    #[param(style = DeepObject, explode = true, required = true)]
    #[allow(dead_code, reason = "for the documentation: read by filter")]
    metadata: Option<BTreeMap<String, String>>,
    /// Messages on a page: 1 to 100, larger values count as 100.
    #[param(minimum = 1, maximum = 100, default = 50)]
    page_size: Option<u32>,
    /// The `nextPageToken` of the page before.
    page_token: Option<String>,
}

async fn search(
    caller: Principal,
    RawQuery(query): RawQuery,
    Query(page): Query<SearchParameters>,
) -> Result<Answer<MessagePage>> {
    let metadata = filter(query.as_deref())?;
    if metadata.is_empty() {
        return Err(Problem::parameter("metadata", "must be given, as in metadata[orderId]=A-1021"));
    }
    let list = List {
        tenant: &caller.tenant,
        viewer: viewer(&caller),
        metadata: &metadata,
        size: page.page_size,
        token: page.page_token.as_deref(),
    };
    let (messages, next_page_token) = db::read(|db| messages::with_metadata(db, &list)).await?;
    Ok(Answer(MessagePage { messages, next_page_token, has_more: None }))
}

/// The pairs `metadata[key]=value` of a query string.
pub fn filter(query: Option<&str>) -> Result<MetadataFilter> {
    let mut filter = MetadataFilter::new();
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let Some(key) = name.strip_prefix("metadata[").and_then(|rest| rest.strip_suffix(']')) else {
            if name == "metadata" {
                return Err(Problem::parameter(
                    "metadata",
                    "must name a key, as in metadata[orderId]=A-1021",
                ));
            }
            continue;
        };
        if filter.insert(key.to_string(), value.into_owned()).is_some() {
            return Err(Problem::parameter("metadata", format!("must not name {key} twice")));
        }
    }
    if filter.len() > PAIRS_MAX {
        return Err(Problem::parameter("metadata", "must be at most 5 pairs"));
    }
    Ok(filter)
}
