//! The contact behind a visitor.

use super::Wanted;
use super::request::check_attributes;
use crate::livechat::{LiveChat, Visitor};
use crate::{contacts, events, phone};
use common::db::{Db, Error as DbError, FromRow, Row};
use common::problem::Violations;
use common::time::Timestamp;
use common::{Problem, Result, params};
use serde_json::{Map, Value, json};

/// What is kept of a contact for Chatwoot's APIs.
#[derive(Clone, Debug)]
pub(in crate::livechat) struct Details {
    pub id: String,
    pub name: Option<String>,
    pub email: Option<String>,
    pub phone_number: Option<String>,
    pub identifier: Option<String>,
    pub custom_attributes: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl FromRow for Details {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Details {
            id: row.take()?,
            name: row.take()?,
            email: row.take()?,
            phone_number: row.take()?,
            identifier: row.take()?,
            custom_attributes: row.take()?,
            created_at: row.take()?,
            updated_at: row.take()?,
        })
    }
}

pub(in crate::livechat) fn details(db: &Db<'_>, tenant: &str, contact_seq: i64) -> Result<Details> {
    let found = db.row(
        "SELECT id, name, email, phone_number, identifier, custom_attributes, created_at, updated_at
           FROM contacts WHERE seq = ? AND tenant_id = ?",
        params![contact_seq, tenant],
    )?;
    found.ok_or_else(|| Problem::internal("a visitor's contact is missing"))
}

/// The contact that a request is about, or a new one: `true`.
pub(super) fn find_or_insert(
    db: &Db<'_>,
    chat: &LiveChat,
    wanted: &Wanted,
    proven: Option<&str>,
    now: Timestamp,
) -> Result<(i64, bool)> {
    let tenant = chat.tenant();
    if let Some(found) = by_marks(db, tenant, wanted, proven)? {
        if let Some(proven) = proven {
            dispossess(db, tenant, found, proven)?;
        }
        return Ok((found, false));
    }
    let seq = contacts::insert(db, tenant, wanted.given.name.as_deref(), now)?;
    let attributes = json!(wanted.custom_attributes.clone().unwrap_or_default()).to_string();
    db.run(
        "UPDATE contacts SET email = ?, phone_number = ?, identifier = ?, custom_attributes = ?
          WHERE seq = ? AND tenant_id = ?",
        params![
            free(db, tenant, "email", wanted.given.email.as_deref(), seq)?,
            free(db, tenant, "phone_number", wanted.given.phone_number.as_deref(), seq)?,
            wanted.identifier,
            attributes,
            seq,
            tenant
        ],
    )?;
    events::emit(db, tenant, now, &[contacts::created_event(&contacts::by_seq(db, tenant, seq)?)?])?;
    Ok((seq, true))
}

/// Who proved an identifier takes the contact over from those who only claimed it.
pub(super) fn dispossess(db: &Db<'_>, tenant: &str, contact_seq: i64, proven: &str) -> Result<()> {
    Ok(db.run(
        "UPDATE livechat_visitors SET is_owner = 0
          WHERE tenant_id = ? AND identifier IS NOT ? AND identity_seq IN (
            SELECT i.seq FROM identities i WHERE i.contact_seq = ? AND i.channel = 'text')",
        params![tenant, proven, contact_seq],
    )?)
}

/// An email address or a phone number, unless another contact has it: then it stays that contact's.
fn free(
    db: &Db<'_>,
    tenant: &str,
    column: &'static str,
    wanted: Option<&str>,
    contact_seq: i64,
) -> Result<Option<String>> {
    let Some(value) = wanted else { return Ok(None) };
    let sql = format!(
        "SELECT 1 FROM contacts WHERE tenant_id = ? AND {column} = ? AND deleted_at IS NULL AND seq <> ?"
    );
    Ok((!db.touches(&sql, params![tenant, value, contact_seq])?).then(|| value.to_string()))
}

/// A contact by identifier, email address or phone number, in this order; with a proof by its identifier alone.
fn by_marks(db: &Db<'_>, tenant: &str, wanted: &Wanted, proven: Option<&str>) -> Result<Option<i64>> {
    let digits = wanted.given.phone_number.as_deref().and_then(phone::e164_digits);
    let looks: [(&str, Option<&str>); 4] = [
        ("identifier = ?2", wanted.identifier.as_deref()),
        ("email = ?2", wanted.given.email.as_deref()),
        ("phone_number = ?2", wanted.given.phone_number.as_deref()),
        (
            "seq IN (SELECT i.contact_seq FROM identities i
                      WHERE i.tenant_id = ?1 AND i.channel IN ('whatsapp', 'sms') AND i.address = ?2)",
            digits.as_deref(),
        ),
    ];
    let looks = if proven.is_some() { looks.get(..1).unwrap_or_default() } else { &looks };
    for (condition, mark) in looks {
        let Some(mark) = mark else { continue };
        let sql = format!(
            "SELECT seq FROM contacts WHERE tenant_id = ?1 AND deleted_at IS NULL AND {condition} ORDER BY seq LIMIT 1"
        );
        if let Some((seq,)) = db.row::<(i64,)>(&sql, params![tenant, mark])? {
            return Ok(Some(seq));
        }
    }
    Ok(None)
}

/// Moves a visitor's thread to another contact; the contact they leave goes when it was made for them and nothing
/// is left of it.
pub(super) fn attach(db: &Db<'_>, chat: &LiveChat, visitor: &Visitor, contact_seq: i64) -> Result<()> {
    let (tenant, now) = (chat.tenant(), Timestamp::now());
    db.run(
        "UPDATE identities SET contact_seq = ? WHERE seq = ? AND tenant_id = ?",
        params![contact_seq, visitor.identity_seq, tenant],
    )?;
    db.run(
        "UPDATE messages SET sender_id = (SELECT c.id FROM contacts c WHERE c.seq = ?)
          WHERE identity_seq = ? AND tenant_id = ? AND sender_type = 'customer'",
        params![contact_seq, visitor.identity_seq, tenant],
    )?;
    if visitor.is_owner {
        db.run(
            "UPDATE contacts SET deleted_at = ?1, updated_at = ?1
              WHERE seq = ?2 AND tenant_id = ?3 AND deleted_at IS NULL
                AND NOT EXISTS (SELECT 1 FROM identities i WHERE i.contact_seq = ?2)",
            params![now, visitor.contact_seq, tenant],
        )?;
    }
    Ok(())
}

/// Changes a contact that is the visitor's to change; an email address or a phone number that another contact has
/// stays that contact's.
pub(super) fn write(
    db: &Db<'_>,
    tenant: &str,
    seq: i64,
    before: &Details,
    wanted: &Wanted,
    now: Timestamp,
) -> Result<()> {
    let mut attributes: Map<String, Value> =
        serde_json::from_str(&before.custom_attributes).unwrap_or_default();
    attributes.extend(wanted.custom_attributes.clone().unwrap_or_default());
    let mut violations = Violations::new();
    check_attributes(&mut violations, Some(&attributes));
    violations.finish()?;
    let email = free(db, tenant, "email", wanted.given.email.as_deref(), seq)?;
    let email = email.or_else(|| before.email.clone());
    let phone_number = free(db, tenant, "phone_number", wanted.given.phone_number.as_deref(), seq)?;
    let phone_number = phone_number.or_else(|| before.phone_number.clone());
    let name = wanted.given.name.clone().or_else(|| before.name.clone());
    let attributes = json!(attributes).to_string();
    let same = name == before.name
        && email == before.email
        && phone_number == before.phone_number
        && attributes == before.custom_attributes;
    if same {
        return Ok(());
    }
    db.run(
        "UPDATE contacts SET name = ?, email = ?, phone_number = ?, custom_attributes = ?, updated_at = ?
          WHERE seq = ? AND tenant_id = ?",
        params![name, email, phone_number, attributes, now, seq, tenant],
    )?;
    let changed = contacts::by_seq(db, tenant, seq)?;
    events::emit(db, tenant, now, &[contacts::updated_event(&changed)?])
}
