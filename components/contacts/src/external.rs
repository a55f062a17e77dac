//! `PUT /v1/contacts/by-external-id/{externalId}`.

use crate::{CHANGED, CONTACT, IF_MATCH, if_match, versioned};
use axum::response::Response;
use common::auth::{Principal, Role};
use common::input::{Id, Json};
use common::routes::{Operation, Routes};
use common::{Result, db};
use domain::contacts::{Contact, CreateContactRequest, external};
use http::{HeaderMap, StatusCode};

pub fn routes() -> Routes {
    Routes::new("Contacts").add(
        Operation::put("/v1/contacts/by-external-id/{externalId}", "upsertContactByExternalId")
            .tenant(&["contact:create", "contact:update"], Role::ALL)
            .summary("Create or change a contact by your own id")
            .describe(
                "Makes the contact that your system knows by this id, or changes what the body holds of the one that \
                 has it: absent fields stay, an empty custom field is cleared, `phone` adds a WhatsApp identity, \
                 and becomes the field `cf_phone` where that has no value. The id is unique in the tenant and shown as `externalId`; live chat knows it as `identifier`. The same \
                 request twice changes nothing. Emits `contact.created` or `contact.updated`.",
            )
            .path_param("externalId", "What your system calls the contact, 1 to 255 characters.")
            .header("If-Match", IF_MATCH)
            .body::<CreateContactRequest>(r#"{"name":"Anna Kowalska"}"#)
            .answers::<Contact>(200, "The contact, created or changed.", CONTACT)
            .problem(409, "contact_phone_taken", "Another contact has this phone number.")
            .problem(412, "contact_changed", CHANGED),
        upsert,
    )
}

async fn upsert(
    caller: Principal,
    Id(external_id): Id,
    headers: HeaderMap,
    Json(body): Json<CreateContactRequest>,
) -> Result<Response> {
    let expected = if_match(&headers)?;
    let contact = db::write(|db| external::upsert(db, &caller, &external_id, &body, expected)).await?;
    versioned(StatusCode::OK, contact)
}
