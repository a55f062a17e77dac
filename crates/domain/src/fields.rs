//! Custom fields (contract section 7): their definitions, for contacts and for properties.
//!
//! Contacts have values for the fields that are defined; properties have definitions only. A field is named by its
//! id, and in bodies and filters also by its name in camelCase.
//!
//! | module | what |
//! |---|---|
//! | [`dates`] | what counts as a date, and what can be made one |
//! | [`slugs`] | ids and aliases from names |
//! | [`values`] | the values of contacts |
//! | [`work`] | what takes time: clearing the values of a deleted field, writing them as another type |

pub mod dates;
pub mod slugs;
pub mod values;
pub mod work;

use common::auth::Principal;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::problem::Violations;
use common::time::Timestamp;
use common::{Problem, Result, params};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longest name, in characters.
pub const NAME_CHARS: usize = 100;
/// Most definitions for an entity: their list is not paged.
pub const FIELDS_MAX: i64 = 200;

/// What a field is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = CustomFieldEntityType)]
pub enum Entity {
    Contact,
    Property,
}

impl Entity {
    pub fn as_str(self) -> &'static str {
        match self {
            Entity::Contact => "contact",
            Entity::Property => "property",
        }
    }
}

/// What values a field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase", try_from = "String")]
#[schema(as = CustomFieldType)]
pub enum FieldType {
    /// Any text.
    Text,
    /// A day of the calendar: `YYYY-MM-DD`.
    Date,
}

impl FieldType {
    pub fn as_str(self) -> &'static str {
        match self {
            FieldType::Text => "text",
            FieldType::Date => "date",
        }
    }

    fn of_column(text: &str) -> Self {
        if text == "date" { FieldType::Date } else { FieldType::Text }
    }
}

// An enum of its own makes serde_json take a `null` for a body that is no JSON.
impl TryFrom<String> for FieldType {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "text" => Ok(FieldType::Text),
            "date" => Ok(FieldType::Date),
            _ => Err("must be text or date"),
        }
    }
}

/// What is being done with the values of a field, in the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = CustomFieldWorkKind)]
pub enum WorkKind {
    /// The field is deleted; it is gone when its values are.
    Deleting,
    /// Its values are written as the new type does.
    Converting,
}

/// How far the work on a field's values has come.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CustomFieldProgress)]
pub struct Progress {
    pub kind: WorkKind,
    /// Values worked off.
    pub done: i64,
    /// Values there were when the work began.
    pub total: i64,
}

/// The definition of a custom field.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomFieldDefinition {
    #[schema(example = "cf_lifecycle_stage")]
    pub id: String,
    #[schema(example = "Lifecycle stage")]
    pub name: String,
    #[serde(rename = "type")]
    pub kind: FieldType,
    pub created_at: Timestamp,
    /// `usr_…` or `svc_…`; `system` for predefined fields.
    #[schema(example = "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S")]
    pub created_by: String,
    /// Every tenant has it, and nobody changes or deletes it.
    pub predefined: bool,
    pub entity_type: Entity,
    /// Only while values are worked on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    #[serde(skip)]
    pub seq: i64,
}

/// A new custom field.
#[derive(Debug, Deserialize, ToSchema)]
pub struct CreateCustomFieldDefinitionRequest {
    /// At most 100 characters. The id is made from it.
    #[schema(max_length = 100, example = "Lifecycle stage")]
    pub name: String,
    #[serde(rename = "type")]
    pub kind: FieldType,
}

/// The whole definition: both members are needed, also to change one.
#[derive(Debug, Deserialize, ToSchema)]
pub struct UpdateCustomFieldDefinitionRequest {
    /// At most 100 characters. The id stays.
    #[schema(max_length = 100, example = "Region")]
    pub name: String,
    #[serde(rename = "type")]
    pub kind: FieldType,
}

const COLUMNS: &str = "f.seq, f.id, f.name, f.type, f.created_at, f.created_by, f.predefined, f.entity_type, f.work, f.work_done, f.work_total";

impl FromRow for CustomFieldDefinition {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        let (seq, id, name) = (row.take()?, row.take()?, row.take()?);
        let kind: String = row.take()?;
        let (created_at, created_by, predefined) = (row.take()?, row.take()?, row.take()?);
        let entity: String = row.take()?;
        let (work, done, total): (Option<String>, i64, i64) = (row.take()?, row.take()?, row.take()?);
        let kind_of = |work: &str| if work == "deleting" { WorkKind::Deleting } else { WorkKind::Converting };
        Ok(CustomFieldDefinition {
            seq,
            id,
            name,
            kind: FieldType::of_column(&kind),
            created_at,
            created_by,
            predefined,
            entity_type: if entity == "property" { Entity::Property } else { Entity::Contact },
            progress: work.map(|work| Progress { kind: kind_of(&work), done, total }),
        })
    }
}

/// All definitions for an entity, oldest first, also those that are being deleted.
pub fn list(db: &Db<'_>, tenant: &str, entity: Entity) -> Result<Vec<CustomFieldDefinition>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM custom_fields f WHERE f.tenant_id = ? AND f.entity_type = ? ORDER BY f.seq LIMIT ?"
    );
    Ok(db.rows(&sql, params![tenant, entity.as_str(), FIELDS_MAX])?)
}

/// One definition, also when it is being deleted.
pub fn find(db: &Db<'_>, tenant: &str, entity: Entity, id: &str) -> Result<CustomFieldDefinition> {
    let sql = format!(
        "SELECT {COLUMNS} FROM custom_fields f WHERE f.tenant_id = ? AND f.entity_type = ? AND f.id = ?"
    );
    db.row(&sql, params![tenant, entity.as_str(), id])?.ok_or_else(|| not_found(id))
}

fn not_found(id: &str) -> Problem {
    Problem::not_found("custom field", id)
}

fn check_name(name: &str) -> Result<&str> {
    let mut violations = Violations::new();
    violations.text("name", name, NAME_CHARS);
    violations.finish()?;
    Ok(name.trim())
}

/// Defines a field. Its id is made from the name; when that is taken, with the next free number behind it.
pub fn create(
    db: &Db<'_>,
    caller: &Principal,
    entity: Entity,
    request: &CreateCustomFieldDefinitionRequest,
) -> Result<CustomFieldDefinition> {
    let name = check_name(&request.name)?;
    let (tenant, entity_type) = (&caller.tenant, entity.as_str());
    let count = db.row::<(i64,)>(
        "SELECT count(*) FROM custom_fields WHERE tenant_id = ? AND entity_type = ?",
        params![tenant, entity_type],
    )?;
    if count.is_some_and(|(count,)| count >= FIELDS_MAX) {
        return Err(Problem::conflict(
            "custom_field_limit_reached",
            format!("There can be {FIELDS_MAX} {entity_type} fields: delete those you do not need."),
        ));
    }
    let slug = slugs::slug(name);
    let taken = db.rows::<(String,)>(
        "SELECT id FROM custom_fields WHERE tenant_id = ? AND entity_type = ? AND id GLOB ?",
        params![tenant, entity_type, format!("cf_{slug}*")],
    )?;
    let id = slugs::free(&format!("cf_{slug}"), |id| taken.iter().any(|(other,)| other == id));
    db.run(
        "INSERT INTO custom_fields (tenant_id, entity_type, id, name, alias, type, created_by, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            tenant,
            entity_type,
            id,
            name,
            slugs::alias(&slug),
            request.kind.as_str(),
            caller.actor.id(),
            Timestamp::now()
        ],
    )?;
    find(db, tenant, entity, &id)
}

/// A definition that may be changed: not a predefined one, and not one that is being deleted.
fn changeable(db: &Db<'_>, tenant: &str, entity: Entity, id: &str) -> Result<CustomFieldDefinition> {
    let field = find(db, tenant, entity, id)?;
    if field.predefined {
        return Err(Problem::conflict(
            "custom_field_predefined",
            format!("Every tenant has the field {id}: it cannot be changed or deleted."),
        ));
    }
    Ok(field)
}

/// Renames a field or changes its type. Values that stand in the way of the new type are a 409 that names their
/// contacts; the others are converted in the background.
pub fn update(
    db: &Db<'_>,
    caller: &Principal,
    entity: Entity,
    id: &str,
    request: &UpdateCustomFieldDefinitionRequest,
) -> Result<CustomFieldDefinition> {
    let name = check_name(&request.name)?;
    let field = changeable(db, &caller.tenant, entity, id)?;
    if field.progress.as_ref().is_some_and(|progress| progress.kind == WorkKind::Deleting) {
        return Err(Problem::conflict(
            "custom_field_being_deleted",
            format!("The field {id} is being deleted, and gone when its values are."),
        ));
    }
    if request.kind != field.kind && entity == Entity::Contact {
        work::change_type(db, &caller.tenant, &field, request.kind)?;
    }
    db.run(
        "UPDATE custom_fields SET name = ?, alias = ?, type = ? WHERE seq = ? AND tenant_id = ?",
        params![name, slugs::alias(&slugs::slug(name)), request.kind.as_str(), field.seq, caller.tenant],
    )?;
    find(db, &caller.tenant, entity, id)
}

/// Deletes a field: at once where it has no values, else when a job has deleted them. From now on it takes none.
pub fn delete(db: &Db<'_>, tenant: &str, entity: Entity, id: &str) -> Result<()> {
    let field = changeable(db, tenant, entity, id)?;
    if field.progress.as_ref().is_some_and(|progress| progress.kind == WorkKind::Deleting) {
        return Ok(());
    }
    if entity == Entity::Contact && work::start_clearing(db, tenant, &field)? {
        return Ok(());
    }
    Ok(db.run("DELETE FROM custom_fields WHERE seq = ? AND tenant_id = ?", params![field.seq, tenant])?)
}
