//! `POST /v1/contacts/{id}/merge` and `POST /v1/contacts/merges/{id}/undo`.

use axum::Json as Answer;
use axum::response::Response;
use common::auth::{Principal, Role};
use common::input::{Id, Post};
use common::routes::{Operation, Routes};
use common::{Result, db};
use domain::contacts::merging::{self, Merge, MergeRequest, Undone};
use http::StatusCode;

const MERGED: &str = r#"{
  "mergeId": "mrg_01HV8ZM2S0R7M4E5P6Q8T1A2B3", "undoBefore": "2026-05-30T10:36:00.000Z",
  "contact": {
    "id": "con_01HV8Y5R5RFMS0TFK6PKF9H2S8", "tenantId": "tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K", "name": "Anna Kowalska",
    "createdAt": "2026-04-30T09:20:00.000Z", "updatedAt": "2026-04-30T10:36:00.000Z", "identities": [], "tagIds": [],
    "customFields": {}, "archivedAt": null
  }
}"#;
const UNDONE: &str = r#"{
  "contact": {
    "id": "con_01HV8Y5R5RFMS0TFK6PKF9H2S8", "tenantId": "tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K", "name": "Anna Kowalska",
    "createdAt": "2026-04-30T09:20:00.000Z", "updatedAt": "2026-04-30T10:40:00.000Z", "identities": [], "tagIds": [],
    "customFields": {}, "archivedAt": null
  },
  "restored": {
    "id": "con_01HV8Y5R5RFMS0TFK6PKF9H2S9", "tenantId": "tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K", "name": "A. Kowalska",
    "createdAt": "2026-04-30T09:30:00.000Z", "updatedAt": "2026-04-30T10:40:00.000Z", "identities": [], "tagIds": [],
    "customFields": {}, "archivedAt": null
  }
}"#;

pub fn routes() -> Routes {
    Routes::new("Contacts")
        .add(
            Operation::post("/v1/contacts/{id}/merge", "mergeContacts")
                .tenant(&["contact:update", "contact:delete"], Role::ALL)
                .summary("Merge another contact into this one")
                .describe(
                    "Makes another contact of the same person a part of this one: its identities move with their \
                     conversations, tags, fields, name and external id come over where this contact has none, and the \
                     other contact is deleted. Within 30 days it can be undone. Emits `contact.updated`.",
                )
                .path_param("id", "The contact that stays, `con_…`.")
                .body::<MergeRequest>(r#"{"contactId":"con_01HV8Y5R5RFMS0TFK6PKF9H2S9"}"#)
                .answers::<Merge>(200, "The contact with what it took over.", MERGED)
                .problem(404, "contact_not_found", "There is no such contact in this tenant.")
                .example_elsewhere("e2e contacts::merge"),
            merge,
        )
        .add(
            Operation::post("/v1/contacts/merges/{id}/undo", "undoContactMerge")
                .tenant(&["contact:update", "contact:delete"], Role::ALL)
                .summary("Undo a merge of contacts")
                .describe(
                    "Brings back the contact that was merged into another: identities that are still with the other \
                     return with their conversations, also with what came in since, and what was taken over is taken \
                     off again, except what was changed since. Emits `contact.updated` and `contact.created`.",
                )
                .path_param("id", "The merge, `mrg_…`.")
                .answers::<Undone>(200, "Both contacts.", UNDONE)
                .problem(404, "merge_not_found", "There is no such merge in this tenant.")
                .problem(409, "merge_already_undone", "It was undone already.")
                .problem(409, "merge_undo_expired", "It is older than 30 days.")
                .problem(409, "merge_contact_gone", "The contact was deleted, or merged into another, since.")
                .example_elsewhere("e2e contacts::merge"),
            undo,
        )
}

async fn merge(caller: Principal, Id(id): Id, Post { body, once }: Post<MergeRequest>) -> Result<Response> {
    once.write(&caller.tenant, StatusCode::OK, |db| merging::merge(db, &caller, &id, &body)).await
}

async fn undo(caller: Principal, Id(id): Id) -> Result<Answer<Undone>> {
    db::write(|db| merging::undo(db, &caller, &id)).await.map(Answer)
}
