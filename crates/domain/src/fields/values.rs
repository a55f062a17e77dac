//! Values of contacts for their custom fields.

use super::FieldType;
use crate::contacts;
use crate::fields::dates;
use common::auth::Principal;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::problem::Violations;
use common::{Problem, Result, params};
use serde::Deserialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Longest value, in characters.
pub const VALUE_CHARS: usize = 1000;
/// Longest e-mail address, in bytes (RFC 5321 section 4.5.3.1.3).
const EMAIL_BYTES: usize = 254;

/// A value for one field.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SetContactCustomFieldValueRequest {
    /// At most 1000 characters; of a date field `YYYY-MM-DD`. Empty: the contact has no value any more.
    #[schema(max_length = 1000, example = "Krakow")]
    pub value: String,
}

/// A field that takes values.
#[derive(Clone, Debug)]
pub struct Field {
    pub id: String,
    pub alias: String,
    pub name: String,
    pub kind: FieldType,
}

impl FromRow for Field {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        let (id, alias, name, kind): (_, _, _, String) = (row.take()?, row.take()?, row.take()?, row.take()?);
        Ok(Field { id, alias, name, kind: FieldType::of_column(&kind) })
    }
}

impl Field {
    /// Why a value does not fit, if it does not. Empty values fit: they clear.
    pub fn refuses(&self, value: &str) -> Option<String> {
        if value.is_empty() {
            return None;
        }
        if value.chars().count() > VALUE_CHARS {
            return Some(format!("must be at most {VALUE_CHARS} characters"));
        }
        let (fits, rule) = match (self.kind, self.id.as_str()) {
            (FieldType::Date, _) => (common::time::is_date(value), "must be a date: YYYY-MM-DD"),
            (_, "cf_email") => (is_email(value), "must be an e-mail address"),
            _ => (true, ""),
        };
        (!fits).then(|| rule.to_string())
    }

    /// A value as people write it, as it is kept: dates in other forms become `YYYY-MM-DD`.
    pub fn tidy(&self, value: &str) -> String {
        let value = value.trim();
        let day = if self.kind == FieldType::Date { dates::day(value) } else { None };
        day.unwrap_or_else(|| value.to_string())
    }
}

/// Whether a text has the shape of an e-mail address.
pub fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, ',' | ';' | '<' | '>');
    let labels = domain.split('.').count() > 1 && domain.split('.').all(|label| !label.is_empty());
    text.len() <= EMAIL_BYTES && !local.is_empty() && !local.contains('@') && labels && !text.contains(odd)
}

/// The fields of a tenant's contacts that take values, oldest first.
#[derive(Debug)]
pub struct Fields(Vec<Field>);

const COLUMNS: &str = "SELECT id, alias, name, type FROM custom_fields
    WHERE tenant_id = ? AND entity_type = 'contact' AND work IS NOT 'deleting'";

impl Fields {
    /// All of them.
    pub fn all(db: &Db<'_>, tenant: &str) -> Result<Self> {
        Ok(Fields(db.rows(&format!("{COLUMNS} ORDER BY seq"), params![tenant])?))
    }

    /// Those that these keys may mean.
    pub fn named(db: &Db<'_>, tenant: &str, keys: &BTreeMap<String, String>) -> Result<Self> {
        if keys.is_empty() {
            return Ok(Fields(Vec::new()));
        }
        let keys: Vec<&String> = keys.keys().collect();
        let keys = serde_json::to_string(&keys).unwrap_or_default();
        let sql = format!(
            "{COLUMNS} AND (id IN (SELECT value FROM json_each(?2)) OR alias IN (SELECT value FROM json_each(?2)))
             ORDER BY seq"
        );
        Ok(Fields(db.rows(&sql.replacen("tenant_id = ?", "tenant_id = ?1", 1), params![tenant, keys])?))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Field> {
        self.0.iter()
    }

    /// The field of this id, or else the only one of this alias; what is wrong with the key otherwise.
    pub fn of_key(&self, key: &str) -> Result<&Field, String> {
        if let Some(field) = self.0.iter().find(|field| field.id == key) {
            return Ok(field);
        }
        let named: Vec<&Field> = self.0.iter().filter(|field| field.alias == key).collect();
        match named[..] {
            [] => Err("is no custom field: define it with POST /v1/contacts/custom-fields".into()),
            [field] => Ok(field),
            _ => {
                let ids: Vec<&str> = named.iter().map(|field| field.id.as_str()).collect();
                Err(format!("is the name of several custom fields: use one of {}", ids.join(", ")))
            }
        }
    }

    /// Checks the values of a body: by id; empty ones clear their field. A key that is no field is kept as it is, so that
    /// callers may send what nobody has defined yet.
    pub fn check(
        &self,
        values: &BTreeMap<String, String>,
        violations: &mut Violations,
    ) -> BTreeMap<String, String> {
        let mut checked = BTreeMap::new();
        for (key, value) in values {
            let name = format!("customFields.{key}");
            match self.of_key(key) {
                Err(_) if is_free(key) && self.0.iter().all(|field| field.alias != *key) => {
                    if value.chars().count() > VALUE_CHARS {
                        violations.add(name, format!("must be at most {VALUE_CHARS} characters"));
                    } else {
                        checked.insert(key.clone(), value.clone());
                    }
                }
                Err(message) => violations.add(name, message),
                Ok(field) => {
                    if let Some(message) = field.refuses(value) {
                        violations.add(name, message);
                    } else if checked.insert(field.id.clone(), value.clone()).is_some() {
                        violations.add(name, format!("is the same field as {}: name it once", field.id));
                    }
                }
            }
        }
        checked
    }
}

/// Whether a key may stand without a definition: a letter, then letters, digits or `_`, at most 64, and not with
/// the prefix of ids.
fn is_free(key: &str) -> bool {
    key.len() <= 64
        && !key.starts_with("cf_")
        && key.starts_with(|c: char| c.is_ascii_alphabetic())
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The keys of a filter as ids, or as they are where there is no field; 400 where one can be neither.
pub fn filter(
    db: &Db<'_>,
    tenant: &str,
    wanted: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>> {
    let fields = Fields::named(db, tenant, wanted)?;
    let id = |key: &str| match fields.of_key(key) {
        Ok(field) => Ok(field.id.clone()),
        Err(_) if is_free(key) && fields.iter().all(|field| field.alias != key) => Ok(key.to_string()),
        Err(message) => Err(Problem::parameter(&format!("customFields[{key}]"), message)),
    };
    wanted.iter().map(|(key, value)| Ok((id(key)?, value.clone()))).collect()
}

/// Sets the value of one field, or clears it, and tells the webhook when that changed something.
pub fn set(
    db: &Db<'_>,
    caller: &Principal,
    contact_id: &str,
    field_id: &str,
    request: &SetContactCustomFieldValueRequest,
) -> Result<()> {
    let contact = contacts::find(db, &caller.tenant, contact_id)?;
    let field = db.row::<Field>(&format!("{COLUMNS} AND id = ?"), params![caller.tenant, field_id])?;
    let field = field.ok_or_else(|| super::not_found(field_id))?;
    if let Some(message) = field.refuses(&request.value) {
        return Err(Problem::invalid("value", message));
    }
    let changed = if request.value.is_empty() {
        db.touches(
            "DELETE FROM contact_fields WHERE contact_seq = ? AND field_id = ? AND tenant_id = ? RETURNING 1",
            params![contact.seq, field.id, caller.tenant],
        )?
    } else {
        db.touches(
            "INSERT INTO contact_fields (contact_seq, field_id, tenant_id, value) VALUES (?, ?, ?, ?)
             ON CONFLICT (contact_seq, field_id) DO UPDATE SET value = excluded.value WHERE value <> excluded.value
             RETURNING 1",
            params![contact.seq, field.id, caller.tenant, request.value],
        )?
    };
    if changed { contacts::changed(db, &caller.tenant, &[contact.seq]) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_shape() {
        for right in ["a@b.c", "Anna.Kowalska+x@example.co.uk", "zażółć@gęślą.pl"] {
            assert!(is_email(right), "{right}");
        }
        for wrong in ["", "a", "a@b", "@b.c", "a@", "a@b..c", "a b@c.d", "a@b@c.d", "<a@b.c>", "a@b.c,d@e.f"]
        {
            assert!(!is_email(wrong), "{wrong}");
        }
        assert!(!is_email(&format!("{}@b.c", "x".repeat(251))));
    }
}
