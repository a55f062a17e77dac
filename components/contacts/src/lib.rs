//! `/v1/contacts`: people and companies that write with a tenant, their custom fields, tags and imports (contract section 7).

mod consent;
mod count;
mod export;
mod external;
mod fields;
mod imports;
mod lifecycle;
mod list;
mod merge;
mod tags;

use axum::Json as Answer;
use axum::response::{IntoResponse, Response};
use common::auth::{Principal, Role};
use common::input::{Id, Json, Post};
use common::routes::{Operation, Routes};
use common::{Problem, Result, db};
use domain::contacts::{self, Contact, CreateContactRequest, UpdateContactRequest};
use http::{HeaderMap, StatusCode, header};

common::serve!(crate::routes);

/// The operations of this component.
pub fn routes() -> Routes {
    Routes::new("Contacts")
        .add(list::operation(), list::list)
        .add(count::operation(), count::count)
        .add(
            Operation::post("/v1/contacts", "createContact")
                .tenant(&["contact:create"], Role::ALL)
                .summary("Create a contact")
                .describe(
                    "Creates a contact, optionally with a phone identity and custom field values. All fields are \
                     optional. `phone` becomes a WhatsApp identity, and the field `cf_phone` unless that is given; a \
                     number that another contact has is refused. \
                     Custom fields are named by their id or by their name in camelCase, and answered by their id; a key \
                     that is neither is kept as it is, unless it begins with `cf_`. Emits `contact.created`.",
                )
                .body::<CreateContactRequest>(
                    r#"{"name":"Anna Kowalska","phone":"+48123456789","customFields":{"lifecycleStage":"lead","preferredStore":"Krakow"}}"#,
                )
                .answers::<Contact>(201, "The contact created.", CONTACT)
                .problem(409, "contact_phone_taken", "Another contact has this phone number."),
            create,
        )
        .add(
            Operation::get("/v1/contacts/{id}", "getContact")
                .tenant(&["contact:read"], Role::ALL)
                .summary("Read one contact")
                .describe(
                    "Archived contacts are shown, deleted ones are not. The `ETag` names this version of the contact, \
                     its identities, tags and fields: give it as `If-Match` to change no other version.",
                )
                .path_param("id", "The contact, `con_…`.")
                .answers::<Contact>(200, "The contact.", CONTACT)
                .problem(404, "contact_not_found", "There is no such contact in this tenant."),
            read,
        )
        .add(
            Operation::patch("/v1/contacts/{id}", "updateContact")
                .tenant(&["contact:update"], Role::ALL)
                .summary("Change a contact")
                .describe(
                    "Changes the fields that are present in the body; absent ones stay. Emits `contact.updated` \
                     when something changed.",
                )
                .path_param("id", "The contact, `con_…`.")
                .header("If-Match", IF_MATCH)
                .problem(412, "contact_changed", CHANGED)
                .body::<UpdateContactRequest>(r#"{"name":"Anna Nowak"}"#)
                .answers::<Contact>(200, "The contact after the change.", CONTACT)
                .problem(404, "contact_not_found", "There is no such contact in this tenant."),
            update,
        )
        .merge(fields::routes())
        .merge(tags::routes())
        .merge(imports::routes())
        .merge(lifecycle::routes())
        .merge(external::routes())
        .merge(consent::routes())
        .merge(merge::routes())
        .add(export::operation(), export::export)
}

const IF_MATCH: &str = "An `ETag` of the contact: another version is not changed.";
const CHANGED: &str = "The contact is not the version that `If-Match` names.";

const CONTACT: &str = r#"{
  "id": "con_01HV8Y5R5RFMS0TFK6PKF9H2S8", "tenantId": "tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K", "name": "Anna Kowalska",
  "createdAt": "2026-04-30T09:20:00.000Z", "updatedAt": "2026-04-30T10:10:00.000Z",
  "identities": [{"id": "idn_01HV8Y7YF5J4Y7M9M7T3H3X2A1", "channel": "whatsapp", "metadata": {"phoneNumber": "+48123456789"}}],
  "tagIds": [], "customFields": {"cf_lifecycle_stage": "lead", "cf_preferred_store": "Krakow"}, "archivedAt": null
}"#;

async fn create(caller: Principal, Post { body, once }: Post<CreateContactRequest>) -> Result<Response> {
    once.write(&caller.tenant, StatusCode::CREATED, |db| contacts::create(db, &caller, &body, None)).await
}

async fn read(caller: Principal, Id(id): Id) -> Result<Response> {
    let contact = db::read(|db| contacts::find(db, &caller.tenant, &id)).await?;
    versioned(StatusCode::OK, contact)
}

async fn update(
    caller: Principal,
    Id(id): Id,
    headers: HeaderMap,
    Json(body): Json<UpdateContactRequest>,
) -> Result<Response> {
    let expected = if_match(&headers)?;
    let contact = db::write(|db| contacts::update(db, &caller, &id, &body, expected)).await?;
    versioned(StatusCode::OK, contact)
}

/// A contact with its `ETag`.
fn versioned(status: StatusCode, contact: Contact) -> Result<Response> {
    let etag = contacts::etag::of(&contact)?;
    Ok((status, [(header::ETAG, etag)], Answer(contact)).into_response())
}

fn if_match(headers: &HeaderMap) -> Result<Option<&str>> {
    headers
        .get(header::IF_MATCH)
        .map(|value| {
            value.to_str().map_err(|_| Problem::malformed("The header If-Match is no list of entity tags."))
        })
        .transpose()
}
