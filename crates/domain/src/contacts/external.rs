//! Contacts by the id that the tenant's own system gives them. It is the `identifier` of live chat.

use super::{
    Contact, CreateContactRequest, PHONE_FIELD, by_seq, create, set_fields, set_phone, updated_event,
};
use crate::events;
use crate::fields::values::Fields;
use common::auth::Principal;
use common::db::Db;
use common::time::Timestamp;
use common::{Problem, Result, params};

/// Longest external id, in characters.
pub const EXTERNAL_ID_CHARS: usize = 255;

/// The live contact with an external id, if there is one.
pub fn find(db: &Db<'_>, tenant: &str, external_id: &str) -> Result<Option<Contact>> {
    let found = db.row::<(i64,)>(
        "SELECT seq FROM contacts WHERE tenant_id = ? AND identifier = ? AND deleted_at IS NULL ORDER BY seq LIMIT 1",
        params![tenant, external_id],
    )?;
    found.map(|(seq,)| by_seq(db, tenant, seq)).transpose()
}

/// Makes the contact with this external id, or changes what the request holds of the one that has it; absent fields
/// stay. One contact has an id at a time: the write lock is held from the look-up to the insert.
pub fn upsert(
    db: &Db<'_>,
    caller: &Principal,
    external_id: &str,
    request: &CreateContactRequest,
    expected: Option<&str>,
) -> Result<Contact> {
    let tenant = caller.tenant.as_str();
    if external_id.trim().is_empty() || external_id.chars().count() > EXTERNAL_ID_CHARS {
        return Err(Problem::invalid("externalId", "must be 1 to 255 characters"));
    }
    let known = find(db, tenant, external_id)?;
    super::etag::check(expected, known.as_ref())?;
    let Some(before) = known else {
        return create(db, caller, request, Some(external_id));
    };
    let (digits, fields) = request.validate(&Fields::named(db, tenant, &request.custom_fields)?)?;
    let now = Timestamp::now();
    if let Some(name) = &request.name {
        db.run(
            "UPDATE contacts SET name = ? WHERE seq = ? AND tenant_id = ?",
            params![name, before.seq, tenant],
        )?;
    }
    if let Some(digits) = digits {
        set_phone(db, tenant, before.seq, &digits, now)?;
        db.run(
            "INSERT OR IGNORE INTO contact_fields (contact_seq, field_id, tenant_id, value) VALUES (?, ?, ?, ?)",
            params![before.seq, PHONE_FIELD, tenant, format!("+{digits}")],
        )?;
    }
    set_fields(db, tenant, before.seq, &fields)?;
    let after = by_seq(db, tenant, before.seq)?;
    if super::etag::of(&after)? == super::etag::of(&before)? {
        return Ok(before);
    }
    db.run(
        "UPDATE contacts SET updated_at = ? WHERE seq = ? AND tenant_id = ?",
        params![now, before.seq, tenant],
    )?;
    let contact = Contact { updated_at: now, ..after };
    events::emit(db, tenant, now, &[updated_event(&contact)?])?;
    Ok(contact)
}
