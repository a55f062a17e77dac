//! `/v1/contacts/custom-fields` and `/v1/properties/custom-fields`: definitions, and the values of contacts.

use axum::Json as Answer;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::Response;
use common::auth::{Principal, Role};
use common::input::{Id, Json, Post};
use common::routes::{Operation, Routes};
use common::{Problem, Result, db};
use domain::fields::values::{self, SetContactCustomFieldValueRequest};
use domain::fields::{
    self, CreateCustomFieldDefinitionRequest, CustomFieldDefinition, Entity,
    UpdateCustomFieldDefinitionRequest,
};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// The operations on custom fields.
pub fn routes() -> Routes {
    let routes = Routes::new("Contacts")
        .add(
            list_operation(Operation::get("/v1/contacts/custom-fields", "listContactCustomFields"), FIELDS)
                .summary("List the custom field definitions for contacts"),
            |caller: Principal| list(caller, Entity::Contact),
        )
        .add(
            create_operation(Operation::post("/v1/contacts/custom-fields", "createContactCustomField"))
                .summary("Define a custom field for contacts")
                .body::<CreateCustomFieldDefinitionRequest>(r#"{"name":"Lifecycle stage","type":"text"}"#)
                .answers::<CustomFieldDefinition>(201, "The definition created.", LIFECYCLE),
            |caller: Principal, post: Post<CreateCustomFieldDefinitionRequest>| {
                create(caller, post, Entity::Contact)
            },
        )
        .add(
            update_operation(Operation::patch("/v1/contacts/custom-fields/{id}", "updateContactCustomField"))
                .summary("Rename a contact field definition or switch its value type")
                .describe(
                    "Both `name` and `type` are needed, also to change one. The id stays; the new name gives the new \
                     camelCase key. A date becomes a text as it is. A text becomes a date when every value names a \
                     day (`2026-04-30`, `2026/4/30`, `30.4.2026`, or a date with a time); those in another form than \
                     `YYYY-MM-DD` are rewritten in the background, with `progress` on the definition. Values that \
                     name no day stand in the way: the 409 lists up to 100 contacts in `errors`.",
                )
                .answers::<CustomFieldDefinition>(200, "The definition after the change.", LIFECYCLE)
                .problem(
                    409,
                    "custom_field_values_in_the_way",
                    "Values cannot be converted; the `field` of each error is the contact's id.",
                ),
            |caller: Principal, id: Id, body: Json<UpdateCustomFieldDefinitionRequest>| {
                update(caller, id, body, Entity::Contact)
            },
        )
        .add(
            delete_operation(Operation::delete("/v1/contacts/custom-fields/{id}", "deleteContactCustomField"))
                .summary("Delete a contact field definition")
                .describe(
                    "A field without values is gone at once. Else its values are deleted in the background: until \
                     then the definition stays listed with `progress`, takes no values, and keeps its id to itself. \
                     Deleting it again meanwhile changes nothing. Contacts do not count as updated by this.",
                ),
            |caller: Principal, id: Id| delete(caller, id, Entity::Contact),
        )
        .add(
            Operation::put("/v1/contacts/{contactId}/custom-fields/{customFieldId}", "setContactCustomFieldValue")
                .tenant(&["contact:update"], Role::ALL)
                .summary("Set one custom field value of a contact")
                .describe(
                    "An empty value clears it. Dates are `YYYY-MM-DD`, and `cf_email` takes an e-mail address. Emits \
                     `contact.updated` when something changed.",
                )
                .path_param("contactId", "The contact, `con_…`.")
                .path_param("customFieldId", "The field, `cf_…`.")
                .body::<SetContactCustomFieldValueRequest>(r#"{"value":"Krakow"}"#)
                .answers_empty(204, "Stored.")
                .problem(404, "contact_not_found", "There is no such contact in this tenant.")
                .problem(404, "custom_field_not_found", NO_FIELD),
            set,
        );
    properties(routes)
}

/// Properties have definitions and, as yet, no records.
fn properties(routes: Routes) -> Routes {
    routes
        .add(
            list_operation(
                Operation::get("/v1/properties/custom-fields", "listPropertyCustomFields"),
                REGIONS,
            )
            .summary("List the custom field definitions for property records"),
            |caller: Principal| list(caller, Entity::Property),
        )
        .add(
            create_operation(Operation::post("/v1/properties/custom-fields", "createPropertyCustomField"))
                .summary("Define a custom field for property records")
                .body::<CreateCustomFieldDefinitionRequest>(r#"{"name":"Region","type":"text"}"#)
                .answers::<CustomFieldDefinition>(201, "The definition created.", REGION),
            |caller: Principal, post: Post<CreateCustomFieldDefinitionRequest>| {
                create(caller, post, Entity::Property)
            },
        )
        .add(
            update_operation(Operation::patch(
                "/v1/properties/custom-fields/{id}",
                "updatePropertyCustomField",
            ))
            .summary("Rename a property field definition or switch its value type")
            .describe("Both `name` and `type` are needed, also to change one. The id stays.")
            .answers::<CustomFieldDefinition>(200, "The definition after the change.", REGION),
            |caller: Principal, id: Id, body: Json<UpdateCustomFieldDefinitionRequest>| {
                update(caller, id, body, Entity::Property)
            },
        )
        .add(
            delete_operation(Operation::delete(
                "/v1/properties/custom-fields/{id}",
                "deletePropertyCustomField",
            ))
            .summary("Delete a property field definition")
            .describe("It is gone at once."),
            |caller: Principal, id: Id| delete(caller, id, Entity::Property),
        )
}

fn list_operation(operation: Operation, example: &'static str) -> Operation {
    operation
        .tenant(&["custom_field:list"], Role::ALL)
        .describe(
            "All of them, oldest first, at most 200. For contacts `cf_email` and `cf_phone` are predefined. A field \
             whose values are being worked on shows its `progress`.",
        )
        .answers::<CustomFieldDefinitions>(200, "The definitions.", example)
}

fn create_operation(operation: Operation) -> Operation {
    operation
        .tenant(&["custom_field:create"], Role::ALL)
        .describe(
            "The id is `cf_` and the name in lower-case letters and digits; when that is taken, `_2` and so on follows \
             it. It never changes. In bodies and filters the name in camelCase (`lifecycleStage`) stands for the id \
             too, as long as one field only has it. Names need not be unique.",
        )
        .problem(409, "custom_field_limit_reached", "There are 200 fields.")
}

fn update_operation(operation: Operation) -> Operation {
    operation
        .tenant(&["custom_field:update"], Role::ALL)
        .path_param("id", "The field, `cf_…`.")
        .body::<UpdateCustomFieldDefinitionRequest>(r#"{"name":"Region","type":"text"}"#)
        .problem(404, "custom_field_not_found", NO_FIELD)
        .problem(409, "custom_field_predefined", "Every tenant has it.")
        .problem(409, "custom_field_being_deleted", "It is gone when its values are.")
}

fn delete_operation(operation: Operation) -> Operation {
    operation
        .tenant(&["custom_field:delete"], Role::ALL)
        .path_param("id", "The field, `cf_…`.")
        .answers_empty(204, "Deleted.")
        .problem(404, "custom_field_not_found", NO_FIELD)
        .problem(409, "custom_field_predefined", "Every tenant has it.")
}

const NO_FIELD: &str = "There is no such field in this tenant.";
const LIFECYCLE: &str = r#"{
  "id": "cf_lifecycle_stage", "name": "Lifecycle stage", "type": "text", "createdAt": "2026-04-30T09:00:00.000Z",
  "createdBy": "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S", "predefined": false, "entityType": "contact"
}"#;
const FIELDS: &str = r#"{"customFields": [{
  "id": "cf_lifecycle_stage", "name": "Lifecycle stage", "type": "text", "createdAt": "2026-04-30T09:00:00.000Z",
  "createdBy": "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S", "predefined": false, "entityType": "contact",
  "progress": {"kind": "deleting", "done": 1500, "total": 48000}
}]}"#;
const REGION: &str = r#"{
  "id": "cf_region", "name": "Region", "type": "text", "createdAt": "2026-04-30T09:00:00.000Z",
  "createdBy": "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S", "predefined": false, "entityType": "property"
}"#;
const REGIONS: &str = r#"{"customFields": [{
  "id": "cf_region", "name": "Region", "type": "text", "createdAt": "2026-04-30T09:00:00.000Z",
  "createdBy": "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S", "predefined": false, "entityType": "property"
}]}"#;

/// All definitions for an entity.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomFieldDefinitions {
    custom_fields: Vec<CustomFieldDefinition>,
}

async fn list(caller: Principal, entity: Entity) -> Result<Answer<CustomFieldDefinitions>> {
    let custom_fields = db::read(|db| fields::list(db, &caller.tenant, entity)).await?;
    Ok(Answer(CustomFieldDefinitions { custom_fields }))
}

async fn create(
    caller: Principal,
    Post { body, once }: Post<CreateCustomFieldDefinitionRequest>,
    entity: Entity,
) -> Result<Response> {
    once.write(&caller.tenant, StatusCode::CREATED, |db| fields::create(db, &caller, entity, &body)).await
}

async fn update(
    caller: Principal,
    Id(id): Id,
    Json(body): Json<UpdateCustomFieldDefinitionRequest>,
    entity: Entity,
) -> Result<Answer<CustomFieldDefinition>> {
    db::write(|db| fields::update(db, &caller, entity, &id, &body)).await.map(Answer)
}

async fn delete(caller: Principal, Id(id): Id, entity: Entity) -> Result<StatusCode> {
    db::write(|db| fields::delete(db, &caller.tenant, entity, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn set(
    caller: Principal,
    path: Result<Path<(String, String)>, PathRejection>,
    Json(body): Json<SetContactCustomFieldValueRequest>,
) -> Result<StatusCode> {
    let (contact, field) = two_ids(path)?;
    db::write(|db| values::set(db, &caller, &contact, &field, &body)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The two ids in a path such as `/v1/contacts/{contactId}/tags/{tagId}`.
pub fn two_ids(path: Result<Path<(String, String)>, PathRejection>) -> Result<(String, String)> {
    let Path(ids) = path.map_err(|_| Problem::malformed("The path is not valid UTF-8."))?;
    Ok(ids)
}
