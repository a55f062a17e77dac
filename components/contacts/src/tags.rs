//! `/v1/tags`, and the tags of contacts.

use crate::fields::two_ids;
use axum::Json as Answer;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::Response;
use common::auth::{Principal, Role};
use common::input::{Id, Nothing, Post};
use common::routes::{Operation, Routes};
use common::{Result, db};
use domain::tags::bulk::{self, BulkTagsRequest, BulkTagsResults};
use domain::tags::{self, CreateTagRequest, Tag};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// Largest body of a bulk request, in bytes.
const BULK_BYTES: usize = 128 * 1024;

/// The operations on tags.
pub fn routes() -> Routes {
    Routes::new("Contacts")
        .add(
            Operation::get("/v1/tags", "listTags")
                .tenant(&["tag:list"], Role::ALL)
                .summary("List all contact tags of the workspace")
                .describe(
                    "Oldest first, at most 1000. `labeledCount` is exact: contacts that have the tag, archived ones \
                     included, deleted ones not.",
                )
                .answers::<Tags>(200, "The tags.", TAGS),
            list,
        )
        .add(
            Operation::post("/v1/tags", "createTag")
                .tenant(&["tag:create"], Role::ALL)
                .summary("Create a contact tag")
                .describe("Names are unique in the tenant without regard to case. A tag cannot be renamed.")
                .body::<CreateTagRequest>(r#"{"name":"VIP"}"#)
                .answers::<Tag>(201, "The tag created.", TAG)
                .problem(409, "tag_name_taken", "There is a tag of this name.")
                .problem(409, "tag_limit_reached", "The tenant has 1000 tags."),
            create,
        )
        .add(
            Operation::delete("/v1/tags/{id}", "deleteTag")
                .tenant(&["tag:delete"], Role::ALL)
                .summary("Delete a contact tag")
                .describe(
                    "Takes it off its contacts too: off 500 at once, off the rest in the background within moments. \
                     Its name is free at once. Contacts do not count as updated by this.",
                )
                .path_param("id", "The tag, `tag_…`.")
                .answers_empty(204, "Deleted.")
                .problem(404, "tag_not_found", NO_TAG),
            delete,
        )
        .add(
            Operation::post("/v1/contacts/{contactId}/tags/{tagId}", "addContactTag")
                .tenant(&["contact:update"], Role::ALL)
                .summary("Attach a tag to a contact")
                .describe(
                    "A tag that the contact has already changes nothing. Emits `contact.updated` when something \
                     changed.",
                )
                .path_param("contactId", "The contact, `con_…`.")
                .path_param("tagId", "The tag, `tag_…`.")
                .answers_empty(204, "Attached.")
                .problem(404, "contact_not_found", NO_CONTACT)
                .problem(404, "tag_not_found", NO_TAG)
                .problem(409, "contact_tag_limit_reached", "The contact has 200 tags."),
            add,
        )
        .add(
            Operation::delete("/v1/contacts/{contactId}/tags/{tagId}", "removeContactTag")
                .tenant(&["contact:update"], Role::ALL)
                .summary("Detach a tag from a contact")
                .describe(
                    "A tag that the contact does not have changes nothing. Emits `contact.updated` when something \
                     changed.",
                )
                .path_param("contactId", "The contact, `con_…`.")
                .path_param("tagId", "The tag, `tag_…`.")
                .answers_empty(204, "Detached.")
                .problem(404, "contact_not_found", NO_CONTACT)
                .problem(404, "tag_not_found", NO_TAG),
            remove,
        )
        .add(
            Operation::post("/v1/contacts/bulk/tags", "updateContactTagsInBulk")
                .tenant(&["contact:update"], Role::ALL)
                .summary("Attach and detach tags of many contacts")
                .describe(
                    "Up to 500 contacts, up to 20 tags to add and 20 to remove, in one transaction. Each contact has \
                     its own result; those that are not found do not keep the others from being changed. Sending it \
                     again changes nothing more. Emits `contact.updated` for each contact that changed.",
                )
                .body_limit(BULK_BYTES)
                .body::<BulkTagsRequest>(
                    r#"{"contactIds":["con_01HV8Y5R5RFMS0TFK6PKF9H2S8"],"addTagIds":["tag_01HV8Y8B5MZ1N6Q3R7T9W2X4C6"],"removeTagIds":[]}"#,
                )
                .answers::<BulkTagsResults>(
                    200,
                    "The outcome of each contact, in the order of the request.",
                    r#"{"results": [{"contactId": "con_01HV8Y5R5RFMS0TFK6PKF9H2S8", "outcome": "updated"}]}"#,
                ),
            in_bulk,
        )
}

const NO_TAG: &str = "There is no such tag in this tenant.";
const NO_CONTACT: &str = "There is no such contact in this tenant.";
const TAG: &str = r#"{
  "id": "tag_01HV8Y8B5MZ1N6Q3R7T9W2X4C6", "name": "VIP", "createdAt": "2026-04-27T00:00:00.000Z",
  "createdBy": "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S", "labeledCount": 0
}"#;
const TAGS: &str = r#"{"tags": [{
  "id": "tag_01HV8Y8B5MZ1N6Q3R7T9W2X4C6", "name": "VIP", "createdAt": "2026-04-27T00:00:00.000Z",
  "createdBy": "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S", "labeledCount": 17
}]}"#;

/// All tags of a tenant.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tags {
    tags: Vec<Tag>,
}

async fn list(caller: Principal) -> Result<Answer<Tags>> {
    let tags = db::read(|db| tags::list(db, &caller.tenant)).await?;
    Ok(Answer(Tags { tags }))
}

async fn create(caller: Principal, Post { body, once }: Post<CreateTagRequest>) -> Result<Response> {
    once.write(&caller.tenant, StatusCode::CREATED, |db| tags::create(db, &caller, &body)).await
}

async fn delete(caller: Principal, Id(id): Id) -> Result<StatusCode> {
    db::write(|db| tags::delete(db, &caller.tenant, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn add(
    caller: Principal,
    path: Result<Path<(String, String)>, PathRejection>,
    Post { body: Nothing, once }: Post<Nothing>,
) -> Result<Response> {
    let (contact, tag) = two_ids(path)?;
    once.write(&caller.tenant, StatusCode::NO_CONTENT, |db| tags::add(db, &caller, &contact, &tag)).await
}

async fn remove(
    caller: Principal,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<StatusCode> {
    let (contact, tag) = two_ids(path)?;
    db::write(|db| tags::remove(db, &caller, &contact, &tag)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn in_bulk(caller: Principal, Post { body, once }: Post<BulkTagsRequest>) -> Result<Response> {
    once.write(&caller.tenant, StatusCode::OK, |db| bulk::apply(db, &caller, &body)).await
}
