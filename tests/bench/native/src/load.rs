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

/// Inserts `count` contacts, each with one WhatsApp identity, for the database's only tenant.
pub fn run(path: &str, count: &str) -> Result<(), Box<dyn Error>> {
    let count: u64 = count.parse()?;
    let mut db = database::open(path)?;
    let tenant: String =
        db.query_row("SELECT id FROM tenants WHERE deleted_at IS NULL", [], |row| row.get(0))?;
    let transaction = db.transaction()?;
    {
        let mut contact = transaction.prepare(
            "INSERT INTO contacts (id, tenant_id, name, created_at, updated_at) VALUES (?, ?, ?, ?, ?)",
        )?;
        let mut identity = transaction.prepare(
            "INSERT INTO identities (id, tenant_id, contact_seq, channel, address, created_at)
             VALUES (?, ?, ?, 'whatsapp', ?, ?)",
        )?;
        for n in 0..count {
            let at = FIRST + i64::try_from(n)? * 1000;
            let id = number(n);
            let seq =
                contact.insert(params![format!("con_{id}"), tenant, format!("Anna Kowalska {n}"), at, at])?;
            identity.execute(params![
                format!("idn_{id}"),
                tenant,
                seq,
                format!("{}", 48_500_000_000 + n),
                at
            ])?;
        }
    }
    transaction.commit()?;
    db.execute_batch("ANALYZE; PRAGMA wal_checkpoint(TRUNCATE)")?;
    println!("{count} contacts loaded");
    Ok(())
}
