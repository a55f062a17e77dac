//! Contacts and their identities (contract section 7).

pub mod etag;
pub mod export;
pub mod external;
pub mod lifecycle;
mod list;
pub mod merging;
mod search;

pub use list::{Direction, Filter, OrderBy, count, list};

use crate::events::{self, Event};
use crate::fields::values::Fields;
use crate::phone;
use common::auth::Principal;
use common::db::{Db, Error as DbError, FromRow, Row};
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
    /// What the tenant's own system calls the contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "crm-4711")]
    pub external_id: Option<String>,
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
    /// Absent while nothing is known.
    pub consent: Option<Consent>,
}

/// Whether a person wants to be written to at an address.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Consent {
    pub state: ConsentState,
    /// Who said so: `api`, `keyword` (they wrote STOP or START), the channel, or the channel and its error code, such
    /// as `whatsapp:131050`.
    #[schema(example = "keyword")]
    pub source: String,
    pub at: Timestamp,
}

/// `optedOut`: nothing is sent there.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum ConsentState {
    OptedIn,
    OptedOut,
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
const COLUMNS: &str = "c.seq, c.id, c.tenant_id, c.name, c.created_at, c.updated_at, c.archived_at, c.identifier,
    (SELECT json_group_array(json_patch(json_object('id', i.id, 'channel', i.channel, 'metadata',
              CASE WHEN i.channel IN ('whatsapp', 'sms') AND i.address NOT GLOB '*[^0-9]*'
                   THEN json_object('phoneNumber', '+' || i.address)
                   ELSE json_object('externalId', i.address) END),
              CASE WHEN i.consent IS NULL THEN '{}'
                   ELSE json_object('consent', json_object(
                     'state', CASE i.consent WHEN 'opted_in' THEN 'optedIn' ELSE 'optedOut' END,
                     'source', i.consent_source,
                     'at', strftime('%Y-%m-%dT%H:%M:%fZ', i.consent_at / 1000.0, 'unixepoch'))) END))
       FROM identities i WHERE i.contact_seq = c.seq)
    || char(10) || (SELECT json_group_array(t.tag_id) FROM contact_tags t WHERE t.contact_seq = c.seq)
    || char(10) || (SELECT json_group_object(f.field_id, f.value) FROM contact_fields f WHERE f.contact_seq = c.seq)
      AS lists";

impl FromRow for Contact {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        let (seq, id, tenant_id, name) = (row.take()?, row.take()?, row.take()?, row.take()?);
        let (created_at, updated_at, archived_at) = (row.take()?, row.take()?, row.take()?);
        let external_id = row.take()?;
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
            external_id,
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
    /// Checks every field; answers the digits of the phone number, and the values of custom fields by id,
    /// empty ones to be cleared.
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

/// The predefined field that keeps the phone number which a contact was given, unless it has another value.
pub(crate) const PHONE_FIELD: &str = "cf_phone";

/// Creates a contact and tells the webhook. A phone number that another contact has is a 409.
pub fn create(
    db: &Db<'_>,
    caller: &Principal,
    request: &CreateContactRequest,
    external_id: Option<&str>,
) -> Result<Contact> {
    let (digits, mut fields) =
        request.validate(&Fields::named(db, &caller.tenant, &request.custom_fields)?)?;
    if let Some(digits) = &digits {
        fields.entry(PHONE_FIELD.into()).or_insert_with(|| format!("+{digits}"));
    }
    let now = Timestamp::now();
    let seq = insert(db, &caller.tenant, request.name.as_deref(), now)?;
    if let Some(external_id) = external_id {
        db.run(
            "UPDATE contacts SET identifier = ? WHERE seq = ? AND tenant_id = ?",
            params![external_id, seq, caller.tenant],
        )?;
    }
    if let Some(digits) = digits {
        set_phone(db, &caller.tenant, seq, &digits, now)?;
    }
    set_fields(db, &caller.tenant, seq, &fields)?;
    let contact = by_seq(db, &caller.tenant, seq)?;
    events::emit(db, &caller.tenant, now, &[created_event(&contact)?])?;
    Ok(contact)
}

/// Gives a contact a WhatsApp identity, unless it has it. The number of a deleted contact is free, with its
/// conversation; that of another contact is a 409.
fn set_phone(db: &Db<'_>, tenant: &str, seq: i64, digits: &str, now: Timestamp) -> Result<()> {
    let known = db.row::<(i64, i64, String, bool)>(
        "SELECT i.seq, i.contact_seq, i.address,
                (SELECT c.deleted_at FROM contacts c WHERE c.seq = i.contact_seq) IS NOT NULL
           FROM identities i
          WHERE i.tenant_id = ? AND i.channel = 'whatsapp' AND i.address IN (SELECT value FROM json_each(?))
          ORDER BY i.contact_seq = ? DESC LIMIT 1",
        params![tenant, phone::variants_json(digits), seq],
    )?;
    match known {
        Some((_, owner, ..)) if owner == seq => Ok(()),
        Some((identity, _, _, true)) => Ok(db.run(
            "UPDATE identities SET contact_seq = ? WHERE seq = ? AND tenant_id = ?",
            params![seq, identity, tenant],
        )?),
        Some((_, _, address, false)) => Err(Problem::conflict(
            "contact_phone_taken",
            format!(
                "Another contact has the phone number +{address}: find it with GET /v1/contacts?search={address}."
            ),
        )),
        None => add_identity(db, tenant, seq, "whatsapp", digits, now).map(drop).map_err(Problem::from),
    }
}

/// Sets custom fields of a contact; an empty value clears its field.
fn set_fields(db: &Db<'_>, tenant: &str, seq: i64, fields: &BTreeMap<String, String>) -> Result<()> {
    if fields.is_empty() {
        return Ok(());
    }
    let json = serde_json::to_string(fields).map_err(|error| Problem::internal(error.to_string()))?;
    db.run(
        "INSERT INTO contact_fields (contact_seq, field_id, tenant_id, value)
         SELECT ?, key, ?, value FROM json_each(?) WHERE value <> ''
         ON CONFLICT (contact_seq, field_id) DO UPDATE SET value = excluded.value",
        params![seq, tenant, json],
    )?;
    Ok(db.run(
        "DELETE FROM contact_fields WHERE contact_seq = ? AND tenant_id = ?
            AND field_id IN (SELECT key FROM json_each(?) WHERE value = '')",
        params![seq, tenant, json],
    )?)
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
///
/// `expected` is the caller's `If-Match`: see [`etag::check`].
pub fn update(
    db: &Db<'_>,
    caller: &Principal,
    id: &str,
    request: &UpdateContactRequest,
    expected: Option<&str>,
) -> Result<Contact> {
    use common::input::Patch;
    let before = find(db, &caller.tenant, id)?;
    etag::check(expected, Some(&before))?;
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
