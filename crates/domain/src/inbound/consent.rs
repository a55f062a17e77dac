//! Whether a person wants to be written to, as far as the channel told. It is recorded here, and nothing more.

use common::db::Db;
use common::time::Timestamp;
use common::{Result, params};

/// Who told it: a channel, by the code of its refusal. Such as `whatsapp:131050`.
pub fn source(channel: &str, code: &str) -> String {
    format!("{channel}:{code}")
}

/// Notes what a person wants; a later word wins over an earlier one. `source` says who told it, such as
/// `sms` or [`source()`].
pub fn set(
    db: &Db<'_>,
    tenant: &str,
    identity_seq: i64,
    opted_in: bool,
    source: &str,
    at: Timestamp,
) -> Result<()> {
    let state = if opted_in { "opted_in" } else { "opted_out" };
    Ok(db.run(
        "UPDATE identities SET consent = ?, consent_source = ?, consent_at = ?3
          WHERE seq = ? AND tenant_id = ? AND coalesce(consent_at, 0) <= ?3",
        params![state, source, at, identity_seq, tenant],
    )?)
}

/// Notes the opt-out that a refused message of ours told of.
pub fn refused(db: &Db<'_>, tenant: &str, message: &str, source: &str, at: Timestamp) -> Result<()> {
    let found = db.row::<(i64,)>(
        "SELECT identity_seq FROM messages WHERE id = ? AND tenant_id = ?",
        params![message, tenant],
    )?;
    match found {
        Some((identity_seq,)) => set(db, tenant, identity_seq, false, source, at),
        None => Ok(()),
    }
}
