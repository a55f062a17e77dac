//! Fills a database with contacts, straight into its tables. What triggers keep in step row by row, the index of the
//! search and the counters, is made by one statement each instead, and checked.

use crate::database;
use rusqlite::{Connection, Transaction, params};
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

/// For the time of loading: nothing is lost but a database that can be made again.
const SETTINGS: &str = "PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; PRAGMA cache_size = -1000000";

/// Bytes of trigrams that the index gathers before it writes a segment. Its own 1 MiB makes so many segments of a
/// million contacts that merging them takes minutes.
const SEGMENT: i64 = 256 << 20;

/// The tables that are filled, as a list of SQL.
const TABLES: &str = "('contacts', 'identities', 'contact_fields', 'contact_tags', 'contact_search')";

/// What the triggers of an `INSERT` do, as [`derive`] does it.
const DERIVED: &[&str] = &[
    "contact_fields_found",
    "contact_search_added",
    "contact_tags_added",
    "contacts_counted",
    "contacts_found",
    "contacts_numbered",
    "identities_found",
];

/// Inserts `count` contacts for the database's only tenant, each with one WhatsApp identity and two custom fields. A
/// third of them has the tag `tag_common`, some have `tag_rare`, and as many are called Xenophon.
pub fn run(path: &str, count: &str) -> Result<(), Box<dyn Error>> {
    let count: u64 = count.parse()?;
    let mut db = database::open(path)?;
    db.execute_batch(SETTINGS)?;
    let tenant: String =
        db.query_row("SELECT id FROM tenants WHERE deleted_at IS NULL", [], |row| row.get(0))?;
    let transaction = db.transaction()?;
    let triggers = drop_triggers(&transaction)?;
    insert(&transaction, &tenant, count)?;
    derive(&transaction)?;
    for (_, sql) in &triggers {
        transaction.execute_batch(sql)?;
    }
    check(&transaction, count)?;
    transaction.commit()?;
    db.execute_batch("ANALYZE; PRAGMA wal_checkpoint(TRUNCATE)")?;
    println!("{count} contacts loaded");
    Ok(())
}

/// Drops the triggers of [`TABLES`] and answers their names and texts. One that acts on an `INSERT` and is not among
/// [`DERIVED`] is an error: its effect would be missing.
fn drop_triggers(db: &Transaction<'_>) -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let sql = format!(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN {TABLES} ORDER BY rowid"
    );
    let triggers = db
        .prepare(&sql)?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<Vec<(String, String)>>>()?;
    for (name, text) in &triggers {
        if text.contains("AFTER INSERT") && !DERIVED.contains(&name.as_str()) {
            return Err(format!("the trigger {name} is new: do what it does in load.rs").into());
        }
        db.execute_batch(&format!("DROP TRIGGER {name}"))?;
    }
    Ok(triggers)
}

fn insert(db: &Transaction<'_>, tenant: &str, count: u64) -> Result<(), Box<dyn Error>> {
    db.execute(
        "INSERT INTO custom_fields (tenant_id, entity_type, id, name, alias, type, created_by, created_at)
         VALUES (?, 'contact', 'cf_stage', 'Stage', 'stage', 'text', 'system', ?)",
        params![tenant, FIRST],
    )?;
    for tag in ["tag_common", "tag_rare"] {
        db.execute(
            "INSERT INTO tags (id, tenant_id, name, name_key, created_by, created_at)
             VALUES (?1, ?2, ?1, ?1, 'system', ?3)",
            params![tag, tenant, FIRST],
        )?;
    }
    let mut contact = db.prepare(
        "INSERT INTO contacts (id, tenant_id, name, created_at, updated_at) VALUES (?, ?, ?, ?, ?)",
    )?;
    let mut identity = db.prepare(
        "INSERT INTO identities (id, tenant_id, contact_seq, channel, address, created_at)
         VALUES (?, ?, ?, 'whatsapp', ?, ?)",
    )?;
    // A row a statement: one of several rows notes what it overwrites, for all of them together many gigabytes.
    let mut field = db.prepare(
        "INSERT INTO contact_fields (contact_seq, field_id, tenant_id, value) VALUES (?, ?, ?, ?)",
    )?;
    let mut tag =
        db.prepare("INSERT INTO contact_tags (contact_seq, tag_id, created_at) VALUES (?, ?, ?)")?;
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
        field.execute(params![seq, "cf_email", tenant, format!("user{n}@example.com")])?;
        field.execute(params![seq, "cf_stage", tenant, pick(STAGES, n)])?;
        if n % 3 == 0 {
            tag.execute(params![seq, "tag_common", at])?;
        }
        if is_rare {
            tag.execute(params![seq, "tag_rare", at])?;
        }
    }
    Ok(())
}

/// Makes what follows from the rows: the text of each contact, the index over it, the numbers of contacts.
fn derive(db: &Transaction<'_>) -> rusqlite::Result<()> {
    db.execute(
        "INSERT INTO contact_search_index (contact_search_index, rank) VALUES ('hashsize', ?)",
        [SEGMENT],
    )?;
    db.execute_batch(
        "DELETE FROM contact_search;
         INSERT INTO contact_search (seq, text) SELECT seq, text FROM contact_search_source ORDER BY contact_seq;
         INSERT INTO contact_search_index (contact_search_index) VALUES ('rebuild');
         DELETE FROM contact_search_index_config WHERE k = 'hashsize';
         INSERT OR REPLACE INTO contacts_newest (tenant_id, created_at)
         SELECT tenant_id, max(created_at) FROM contacts GROUP BY 1;
         DELETE FROM contact_counts;
         INSERT INTO contact_counts (tenant_id, archived, count)
         SELECT tenant_id, archived_at IS NOT NULL, count(*) FROM contacts WHERE deleted_at IS NULL GROUP BY 1, 2;
         UPDATE tags SET labeled_count = (SELECT count(*) FROM contact_tags t WHERE t.tag_id = tags.id)",
    )
}

/// Fails unless the counters and the index agree with what was loaded.
fn check(db: &Connection, count: u64) -> Result<(), Box<dyn Error>> {
    let number = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0));
    let step = (count / RARE).max(1);
    let rare = i64::try_from((0..count).filter(|n| n % step == step / 2).count())?;
    let (count, common) = (i64::try_from(count)?, i64::try_from(count.div_ceil(3))?);
    let matching = "SELECT count(*) FROM contact_search_index WHERE contact_search_index MATCH";
    for (what, expected, found) in [
        ("contacts counted", count, number("SELECT sum(count) FROM contact_counts")?),
        ("rare tags", rare, number("SELECT labeled_count FROM tags WHERE id = 'tag_rare'")?),
        ("common tags", common, number("SELECT labeled_count FROM tags WHERE id = 'tag_common'")?),
        ("contacts found by their e-mail", count, number(&format!("{matching} '\"use\"'"))?),
        ("contacts found by a rare name", rare, number(&format!("{matching} '\"xen\"'"))?),
    ] {
        if expected != found {
            return Err(format!("{what}: {found} instead of {expected}").into());
        }
    }
    Ok(())
}

fn pick(of: &[&'static str], n: u64) -> &'static str {
    let at = n % u64::try_from(of.len()).unwrap_or(1);
    usize::try_from(at).ok().and_then(|at| of.get(at)).copied().unwrap_or_default()
}
