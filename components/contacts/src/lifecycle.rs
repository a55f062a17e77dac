//! `DELETE /v1/contacts/{id}`, `POST /v1/contacts/{id}/archive` and `/unarchive`.

use common::auth::{Principal, Role};
use common::input::{Id, Query};
use common::routes::{Operation, Routes};
use common::{Result, db};
use domain::contacts::lifecycle;
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

pub fn routes() -> Routes {
    Routes::new("Contacts")
        .add(
            Operation::delete("/v1/contacts/{id}", "deleteContact")
                .tenant(&["contact:delete"], Role::ALL)
                .summary("Delete a contact")
                .describe(
                    "Deletes a contact softly: it is gone from lists, counts and reads with its conversations, its open \
                     sessions close, and what was not sent yet fails. Who writes again from its address is a new \
                     contact. With `erase=true`, for owners and admins, privacy law is obeyed: names, fields and \
                     addresses are gone at once, the contents of all messages and the files that the person sent \
                     within seconds, and nothing brings them back; a contact that was deleted before can be erased \
                     too, and contacts that were merged into it go with it. The audit log keeps who did it. Emits \
                     nothing.",
                )
                .path_param("id", "The contact, `con_…`.")
                .query::<Parameters>()
                .answers_empty(204, "Deleted.")
                .problem(403, "auth_authz_contact_erase_denied", "An agent asks to erase.")
                .problem(404, "contact_not_found", "There is no such contact in this tenant.")
                .problem(409, "contact_merged", "It is a part of another contact: erase that one."),
            delete,
        )
        .add(
            Operation::post("/v1/contacts/{id}/archive", "archiveContact")
                .tenant(&["contact:update"], Role::ALL)
                .summary("Archive a contact")
                .describe(
                    "Hides a contact from active lists and keeps its history. Its conversations stay, and it can be \
                     written to; when the person writes, the contact is active again, with `contact.updated`. Emits \
                     `contact.archived`.",
                )
                .path_param("id", "The contact, `con_…`.")
                .answers_empty(204, "Archived.")
                .problem(404, "contact_not_found", "There is no such contact in this tenant.")
                .problem(409, "contact_already_archived", "The contact is archived already."),
            archive,
        )
        .add(
            Operation::post("/v1/contacts/{id}/unarchive", "unarchiveContact")
                .tenant(&["contact:update"], Role::ALL)
                .summary("Bring an archived contact back")
                .describe("Brings an archived contact back to active lists. Emits `contact.updated`.")
                .path_param("id", "The contact, `con_…`.")
                .answers_empty(204, "Unarchived.")
                .problem(404, "contact_not_found", "There is no such contact in this tenant.")
                .problem(409, "contact_not_archived", "The contact is not archived."),
            unarchive,
        )
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Parameters {
    /// `true`: erases the person for good.
    erase: Option<bool>,
}

async fn delete(caller: Principal, Id(id): Id, Query(query): Query<Parameters>) -> Result<StatusCode> {
    let erase = query.erase.unwrap_or(false);
    db::write(
        |db| {
            if erase { lifecycle::erase(db, &caller, &id) } else { lifecycle::delete(db, &caller, &id) }
        },
    )
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn archive(caller: Principal, Id(id): Id) -> Result<StatusCode> {
    db::write(|db| lifecycle::set_archived(db, &caller, &id, true)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn unarchive(caller: Principal, Id(id): Id) -> Result<StatusCode> {
    db::write(|db| lifecycle::set_archived(db, &caller, &id, false)).await?;
    Ok(StatusCode::NO_CONTENT)
}
