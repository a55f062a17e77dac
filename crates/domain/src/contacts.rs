//! Contacts and their identities (contract section 7).

use crate::events::{self, Event};
use crate::fields::values::{self, Fields};
use crate::phone;
use common::auth::Principal;
use common::db::{Db, Error as DbError, FromRow, Row, ToValue, Value};
use common::page::{Binding, Key, Page, Position};
use common::problem::Violations;
use common::time::Timestamp;
use common::{Problem, Result, id, params};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Longest name, in characters.
pub const NAME_CHARS: usize = 200;
/// Most custom field values in one request.
pub const FIELDS_MAX: usize = 100;

/// A person or company that writes with the tenant.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Contact {
    #[schema(example = "con_01HV8Y5R5RFMS0TFK6PKF9H2S8")]
    pub id: String,
    pub tenant_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    // The database writes these three as JSON already: they pass through unread.
    #[schema(value_type = Vec<Identity>)]
    pub identities: Box<RawValue>,
    #[schema(value_type = Vec<String>)]
    pub tag_ids: Box<RawValue>,
    /// Values of custom fields by their id, such as `cf_lifecycle_stage`.
    #[schema(value_type = BTreeMap<String, String>)]
    pub custom_fields: Box<RawValue>,
    /// `null` while the contact is active.
    pub archived_at: Option<Timestamp>,
    #[serde(skip)]
    pub seq: i64,
}

/// One address of a contact on one channel.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    #[schema(example = "idn_01HV8Y7YF5J4Y7M9M7T3H3X2A1")]
    pub id: String,
    #[schema(example = "whatsapp")]
    pub channel: String,
    pub metadata: IdentityMetadata,
}

/// `phoneNumber` for WhatsApp and SMS, `externalId` for the others and for people whom WhatsApp knows by a user
/// id alone.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdentityMetadata {
    #[schema(example = "+48123456789")]
    pub phone_number: Option<String>,
    pub external_id: Option<String>,
}

/// What a new contact is made of; all optional.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateContactRequest {
    /// At most 200 characters.
    #[schema(max_length = 200, example = "Anna Kowalska")]
    pub name: Option<String>,
    /// E.164 with `+`; becomes a WhatsApp identity.
    #[schema(example = "+48123456789")]
    pub phone: Option<String>,
    /// Values of custom fields, at most 100, by the field's id or by its name in camelCase. A key that is neither,
    /// and does not begin with `cf_`, is kept as it is.
    #[serde(default)]
    pub custom_fields: BTreeMap<String, String>,
}

/// What may be changed of a contact.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateContactRequest {
    /// Absent: stays. `null`: the contact has no name any more.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 200)]
    pub name: common::input::Patch<String>,
}

/// Columns of a contact, from `contacts c`. The three lists travel as one text, a line each (JSON has no raw
/// line breaks): every value that crosses from the host costs, and a page has fifty rows.
const COLUMNS: &str = "c.seq, c.id, c.tenant_id, c.name, c.created_at, c.updated_at, c.archived_at,
    (SELECT json_group_array(json_object('id', i.id, 'channel', i.channel, 'metadata',
              CASE WHEN i.channel IN ('whatsapp', 'sms') AND i.address NOT GLOB '*[^0-9]*'
                   THEN json_object('phoneNumber', '+' || i.address)
                   ELSE json_object('externalId', i.address) END))
       FROM identities i WHERE i.contact_seq = c.seq)
    || char(10) || (SELECT json_group_array(t.tag_id) FROM contact_tags t WHERE t.contact_seq = c.seq)
    || char(10) || (SELECT json_group_object(f.field_id, f.value) FROM contact_fields f WHERE f.contact_seq = c.seq)
      AS lists";

impl FromRow for Contact {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        let (seq, id, tenant_id, name) = (row.take()?, row.take()?, row.take()?, row.take()?);
        let (created_at, updated_at, archived_at) = (row.take()?, row.take()?, row.take()?);
        let lists: String = row.take()?;
        let mut lists = lists.split('\n');
        let mut list = || raw(lists.next().unwrap_or_default());
        Ok(Contact {
            seq,
            id,
            tenant_id,
            name,
            created_at,
            updated_at,
            archived_at,
            identities: list()?,
            tag_ids: list()?,
            custom_fields: list()?,
        })
    }
}

fn raw(json: &str) -> Result<Box<RawValue>, DbError> {
    RawValue::from_string(json.to_string())
        .map_err(|error| DbError::Other(format!("a column is no JSON: {error}")))
}

/// One contact; deleted ones are absent.
pub fn find(db: &Db<'_>, tenant: &str, id: &str) -> Result<Contact> {
    let sql = format!(
        "SELECT {COLUMNS} FROM contacts c WHERE c.id = ? AND c.tenant_id = ? AND c.deleted_at IS NULL"
    );
    db.row(&sql, params![id, tenant])?.ok_or_else(|| Problem::not_found("contact", id))
}

impl CreateContactRequest {
    /// Checks every field; answers the digits of the phone number, and the values of custom fields by id.
    fn validate(&self, fields: &Fields) -> Result<(Option<String>, BTreeMap<String, String>)> {
        let mut violations = Violations::new();
        if let Some(name) = &self.name {
            violations.text("name", name, NAME_CHARS);
        }
        let digits = self.phone.as_deref().map(phone::e164_digits);
        if digits == Some(None) {
            violations.add("phone", "must be a phone number in E.164, such as +48123456789");
        }
        let mut checked = BTreeMap::new();
        if self.custom_fields.len() > FIELDS_MAX {
            violations.add("customFields", format!("must have at most {FIELDS_MAX} fields"));
        } else {
            checked = fields.check(&self.custom_fields, &mut violations);
        }
        violations.finish()?;
        Ok((digits.flatten(), checked))
    }
}

/// Creates a contact and tells the webhook. A phone number that another contact has is a 409.
pub fn create(db: &Db<'_>, caller: &Principal, request: &CreateContactRequest) -> Result<Contact> {
    let (digits, fields) = request.validate(&Fields::named(db, &caller.tenant, &request.custom_fields)?)?;
    let now = Timestamp::now();
    let seq = insert(db, &caller.tenant, request.name.as_deref(), now)?;
    if let Some(digits) = digits {
        let taken = |digits: &str| {
            Problem::conflict(
                "contact_phone_taken",
                format!(
                    "Another contact has the phone number +{digits}: find it with GET /v1/contacts?search={digits}."
                ),
            )
        };
        for other in phone::variants(&digits).iter().skip(1) {
            let known = db.touches(
                "SELECT 1 FROM identities WHERE tenant_id = ? AND channel = 'whatsapp' AND address = ?",
                params![caller.tenant, other],
            )?;
            if known {
                return Err(taken(other));
            }
        }
        add_identity(db, &caller.tenant, seq, "whatsapp", &digits, now).map_err(|error| match error {
            DbError::Unique(_) => taken(&digits),
            other => other.into(),
        })?;
    }
    if !fields.is_empty() {
        let json = serde_json::to_string(&fields).map_err(|error| Problem::internal(error.to_string()))?;
        db.run(
            "INSERT INTO contact_fields (contact_seq, field_id, tenant_id, value)
             SELECT ?, key, ?, value FROM json_each(?)",
            params![seq, caller.tenant, json],
        )?;
    }
    let contact = by_seq(db, &caller.tenant, seq)?;
    events::emit(db, &caller.tenant, now, &[created_event(&contact)?])?;
    Ok(contact)
}

/// The row of a new contact; answers its `seq`.
pub(crate) fn insert(db: &Db<'_>, tenant: &str, name: Option<&str>, now: Timestamp) -> Result<i64> {
    let made = db.row::<(i64,)>(
        "INSERT INTO contacts (id, tenant_id, name, created_at, updated_at) VALUES (?, ?, ?, ?, ?) RETURNING seq",
        params![id::new(id::Kind::Contact), tenant, name, now, now],
    )?;
    made.map(|(seq,)| seq).ok_or_else(|| Problem::internal("an insert returned no row"))
}

/// The row of a new identity.
pub(crate) fn add_identity(
    db: &Db<'_>,
    tenant: &str,
    contact_seq: i64,
    channel: &str,
    address: &str,
    now: Timestamp,
) -> Result<(i64, String), DbError> {
    let id = id::new(id::Kind::Identity);
    let made = db.row::<(i64,)>(
        "INSERT INTO identities (id, tenant_id, contact_seq, channel, address, created_at)
         VALUES (?, ?, ?, ?, ?, ?) RETURNING seq",
        params![id, tenant, contact_seq, channel, address, now],
    )?;
    made.map(|(seq,)| (seq, id)).ok_or_else(|| DbError::Other("an insert returned no row".into()))
}

pub(crate) fn by_seq(db: &Db<'_>, tenant: &str, seq: i64) -> Result<Contact> {
    let sql = format!("SELECT {COLUMNS} FROM contacts c WHERE c.seq = ? AND c.tenant_id = ?");
    db.row(&sql, params![seq, tenant])?
        .ok_or_else(|| Problem::internal("a contact vanished in its transaction"))
}

/// Some contacts, in no order.
pub(crate) fn by_seqs(db: &Db<'_>, tenant: &str, seqs: &[i64]) -> Result<Vec<Contact>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM contacts c WHERE c.tenant_id = ? AND c.seq IN (SELECT value FROM json_each(?))"
    );
    Ok(db.rows(&sql, params![tenant, serde_json::to_string(seqs).unwrap_or_default()])?)
}

#[derive(Serialize)]
struct ContactData<'a> {
    contact: &'a Contact,
}

pub(crate) fn created_event(contact: &Contact) -> Result<Event> {
    Event::new("contact.created", &ContactData { contact })
}

pub(crate) fn updated_event(contact: &Contact) -> Result<Event> {
    Event::new("contact.updated", &ContactData { contact })
}

/// Notes that contacts were changed beyond their own row, and tells the webhook.
pub(crate) fn changed(db: &Db<'_>, tenant: &str, seqs: &[i64]) -> Result<()> {
    let now = Timestamp::now();
    db.run(
        "UPDATE contacts SET updated_at = ? WHERE tenant_id = ? AND seq IN (SELECT value FROM json_each(?))",
        params![now, tenant, serde_json::to_string(seqs).unwrap_or_default()],
    )?;
    if !events::are_wanted(db, tenant, &["contact.updated"])? {
        return Ok(());
    }
    let told: Vec<Event> = by_seqs(db, tenant, seqs)?.iter().map(updated_event).collect::<Result<_>>()?;
    events::emit(db, tenant, now, &told)
}

/// Changes the fields that are present and tells the webhook, unless nothing changes.
pub fn update(db: &Db<'_>, caller: &Principal, id: &str, request: &UpdateContactRequest) -> Result<Contact> {
    use common::input::Patch;
    let before = find(db, &caller.tenant, id)?;
    let name = match &request.name {
        Patch::Keep => return Ok(before),
        Patch::Clear => None,
        Patch::Set(name) => {
            let mut violations = Violations::new();
            violations.text("name", name, NAME_CHARS);
            violations.finish()?;
            Some(name.clone())
        }
    };
    if name == before.name {
        return Ok(before);
    }
    let now = Timestamp::now();
    db.run(
        "UPDATE contacts SET name = ?, updated_at = ? WHERE seq = ? AND tenant_id = ?",
        params![name, now, before.seq, caller.tenant],
    )?;
    let contact = Contact { name, updated_at: now, ..before };
    events::emit(db, &caller.tenant, now, &[updated_event(&contact)?])?;
    Ok(contact)
}

/// What contacts are listed by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum OrderBy {
    #[default]
    CreatedAt,
    UpdatedAt,
    Name,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    Asc,
    #[default]
    Desc,
}

/// Which contacts a list shows. Everything given must hold; inside `tag_ids` and `channels` any.
#[derive(Debug, Default)]
pub struct Filter {
    pub search: Option<String>,
    pub custom_fields: BTreeMap<String, String>,
    pub tag_ids: Vec<String>,
    pub channels: Vec<String>,
    pub archived: bool,
    pub created_after: Option<Timestamp>,
    pub created_before: Option<Timestamp>,
    pub order_by: OrderBy,
    pub direction: Direction,
}

impl Filter {
    /// Ties page tokens to the tenant and to everything that changes the rows or their order.
    pub fn binding(&self, tenant: &str) -> Binding {
        Binding::new(&["getContacts", tenant, &format!("{self:?}")])
    }
}

/// A page of contacts and the token of the next.
pub fn list(
    db: &Db<'_>,
    tenant: &str,
    filter: &Filter,
    page: &Page,
) -> Result<(Vec<Contact>, Option<String>)> {
    let sort = match filter.order_by {
        OrderBy::CreatedAt => "c.created_at",
        OrderBy::UpdatedAt => "c.updated_at",
        OrderBy::Name => "coalesce(c.name, '') COLLATE NOCASE",
    };
    let (way, beyond) = if filter.direction == Direction::Asc { ("ASC", ">") } else { ("DESC", "<") };
    let mut sql = format!(
        "SELECT {COLUMNS} FROM contacts c
          WHERE c.tenant_id = ? AND (c.archived_at IS NULL) = ? AND c.deleted_at IS NULL"
    );
    let mut values: Vec<Value> = vec![tenant.to_value(), (!filter.archived).to_value()];
    let mut and = |condition: &str, bound: &[&dyn ToValue]| {
        sql.push_str(" AND ");
        sql.push_str(condition);
        values.extend(bound.iter().map(|value| value.to_value()));
    };
    if let Some(after) = &page.after {
        and(&format!("({sort}, c.seq) {beyond} (?, ?)"), &[&after.key, &after.seq]);
    }
    if let Some(time) = &filter.created_after {
        and("c.created_at >= ?", &[time]);
    }
    if let Some(time) = &filter.created_before {
        and("c.created_at < ?", &[time]);
    }
    if let Some(search) = &filter.search {
        let like = format!("%{}%", search.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
        and(SEARCH, &[&like, &like, &like, &like]);
    }
    for (key, value) in &values::filter(db, tenant, &filter.custom_fields)? {
        and(
            "EXISTS (SELECT 1 FROM contact_fields f WHERE f.contact_seq = c.seq AND f.field_id = ? AND f.value = ?)",
            &[key, value],
        );
    }
    if !filter.tag_ids.is_empty() {
        let ids = serde_json::to_string(&filter.tag_ids).unwrap_or_default();
        and(
            "EXISTS (SELECT 1 FROM contact_tags t WHERE t.contact_seq = c.seq AND t.tag_id IN (SELECT value FROM json_each(?)))",
            &[&ids],
        );
    }
    if !filter.channels.is_empty() {
        let channels = serde_json::to_string(&filter.channels).unwrap_or_default();
        and(
            "EXISTS (SELECT 1 FROM identities i WHERE i.contact_seq = c.seq AND i.channel IN (SELECT value FROM json_each(?)))",
            &[&channels],
        );
    }
    sql.push_str(&format!(" ORDER BY {sort} {way}, c.seq {way} LIMIT ?"));
    values.push(page.limit().to_value());
    let mut contacts = db.rows::<Contact>(&sql, &values)?;
    let next = page.cut(&mut contacts, |last| Position {
        key: match filter.order_by {
            OrderBy::CreatedAt => Key::Number(last.created_at.millis()),
            OrderBy::UpdatedAt => Key::Number(last.updated_at.millis()),
            OrderBy::Name => Key::Text(last.name.clone().unwrap_or_default()),
        },
        seq: last.seq,
    });
    Ok((contacts, next))
}

/// Name, e-mail and phone fields, address of an identity, name of a tag (contract section 7).
const SEARCH: &str = "(c.name LIKE ? ESCAPE '\\'
    OR EXISTS (SELECT 1 FROM contact_fields f WHERE f.contact_seq = c.seq
                AND f.field_id IN ('cf_email', 'cf_phone') AND f.value LIKE ? ESCAPE '\\')
    OR EXISTS (SELECT 1 FROM identities i WHERE i.contact_seq = c.seq AND '+' || i.address LIKE ? ESCAPE '\\')
    OR EXISTS (SELECT 1 FROM contact_tags ct JOIN tags t ON t.id = ct.tag_id
                WHERE ct.contact_seq = c.seq AND t.name LIKE ? ESCAPE '\\'))";
