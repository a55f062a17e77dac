//! Fills a database with contacts, straight into its tables.

use crate::database;
use rusqlite::params;
use std::error::Error;

/// 2026-01-01T00:00:00Z in milliseconds.
const FIRST: i64 = 1_767_225_600_000;

/// The text after the prefix of the n-th contact's and identity's id: digits, so that load scripts
/// can compute it.
pub fn number(n: u64) -> String {
    format!("01J{n:023}")
}

const FIRST_NAMES: &[&str] =
    &["Anna", "Piotr", "Zofia", "Łukasz", "Юлия", "Marek", "Ewa", "Ahmed", "Chloé", "王伟"];
const LAST_NAMES: &[&str] = &["Kowalska", "Nowak", "Wiśniewski", "Garcia", "Müller", "Rossi", "O'Neill"];
const STAGES: &[&str] = &["lead", "customer", "former"];
/// Contacts that a rare tag has and that a rare name is of, in a database of any size.
const RARE: u64 = 60;

/// Inserts `count` contacts for the database's only tenant, each with one WhatsApp identity and two custom fields. A
/// third of them has the tag `tag_common`, some have `tag_rare`, and as many are called Xenophon.
pub fn run(path: &str, count: &str) -> Result<(), Box<dyn Error>> {
    let count: u64 = count.parse()?;
    let mut db = database::open(path)?;
    let tenant: String =
        db.query_row("SELECT id FROM tenants WHERE deleted_at IS NULL", [], |row| row.get(0))?;
    let transaction = db.transaction()?;
    transaction.execute(
        "INSERT INTO custom_fields (tenant_id, entity_type, id, name, alias, type, created_by, created_at)
         VALUES (?, 'contact', 'cf_stage', 'Stage', 'stage', 'text', 'system', ?)",
        params![tenant, FIRST],
    )?;
    for tag in ["tag_common", "tag_rare"] {
        transaction.execute(
            "INSERT INTO tags (id, tenant_id, name, name_key, created_by, created_at)
             VALUES (?1, ?2, ?1, ?1, 'system', ?3)",
            params![tag, tenant, FIRST],
        )?;
    }
    {
        let mut contact = transaction.prepare(
            "INSERT INTO contacts (id, tenant_id, name, created_at, updated_at) VALUES (?, ?, ?, ?, ?)",
        )?;
        let mut identity = transaction.prepare(
            "INSERT INTO identities (id, tenant_id, contact_seq, channel, address, created_at)
             VALUES (?, ?, ?, 'whatsapp', ?, ?)",
        )?;
        let mut fields = transaction.prepare(
            "INSERT INTO contact_fields (contact_seq, field_id, tenant_id, value)
             VALUES (?1, 'cf_email', ?2, ?3), (?1, 'cf_stage', ?2, ?4)",
        )?;
        let mut tag = transaction
            .prepare("INSERT INTO contact_tags (contact_seq, tag_id, created_at) VALUES (?, ?, ?)")?;
        let step = (count / RARE).max(1);
        for n in 0..count {
            let at = FIRST + i64::try_from(n)? * 1000;
            let id = number(n);
            let is_rare = n % step == step / 2;
            let first = if is_rare { "Xenophon" } else { pick(FIRST_NAMES, n) };
            let name = format!("{first} {} {n}", pick(LAST_NAMES, n / 7));
            let seq = contact.insert(params![format!("con_{id}"), tenant, name, at, at])?;
            let address = format!("{}", 48_500_000_000 + n);
            identity.execute(params![format!("idn_{id}"), tenant, seq, address, at])?;
            fields.execute(params![seq, tenant, format!("user{n}@example.com"), pick(STAGES, n)])?;
            if n % 3 == 0 {
                tag.execute(params![seq, "tag_common", at])?;
            }
            if is_rare {
                tag.execute(params![seq, "tag_rare", at])?;
            }
        }
    }
    transaction.commit()?;
    db.execute_batch("ANALYZE; PRAGMA wal_checkpoint(TRUNCATE)")?;
    println!("{count} contacts loaded");
    Ok(())
}

fn pick(of: &[&'static str], n: u64) -> &'static str {
    let at = n % u64::try_from(of.len()).unwrap_or(1);
    usize::try_from(at).ok().and_then(|at| of.get(at)).copied().unwrap_or_default()
}
