//! `GET /v1/contacts/count`.

use axum::Json as Answer;
use common::auth::{Principal, Role};
use common::input::Query;
use common::routes::Operation;
use common::{Result, db};
use domain::contacts;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub fn operation() -> Operation {
    Operation::get("/v1/contacts/count", "getContactsCount")
        .tenant(&["contact:list"], Role::ALL)
        .summary("Count contacts")
        .describe(
            "Counts the contacts of one bucket, active or archived, regardless of the list's filters. The number is \
             exact and kept up to date with each change.",
        )
        .query::<Parameters>()
        .answers::<ContactCount>(200, "The number of contacts.", r#"{"totalSize": 0}"#)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// `true`: archived contacts; otherwise active ones.
    archived: Option<bool>,
}

/// How many contacts a bucket has.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContactCount {
    total_size: i64,
}

pub async fn count(caller: Principal, Query(query): Query<Parameters>) -> Result<Answer<ContactCount>> {
    let archived = query.archived.unwrap_or(false);
    let total_size = db::read(|db| contacts::count(db, &caller.tenant, archived)).await?;
    Ok(Answer(ContactCount { total_size }))
}
