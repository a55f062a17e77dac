//! Imports of contacts from CSV files (contract section 7).
//!
//! An import is a row in `contact_imports` and bytes in the key-value store, written while they arrive as a file's
//! are ([`crate::media::bytes`]). A job then reads the file twice: to the end once, to learn its header and how many
//! rows it has, and then batch by batch, each a transaction that makes the contacts, notes the errors, and says how
//! many bytes of the file are worked off. Whoever takes the job over goes on from there.
//!
//! | module | what |
//! |---|---|
//! | [`batch`] | rows become contacts |
//! | [`columns`] | what the columns are, and what a row says |
//! | [`encoding`] | how the text is written in bytes |
//! | [`source`] | the rows of a stored file |

pub mod batch;
pub mod columns;
pub mod encoding;
pub mod source;

use crate::fields::values::Fields;
use crate::jobs::{self, Kind};
use columns::{Columns, RowError};
use common::auth::Principal;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::time::Timestamp;
use common::{Problem, Result, id, params};
use csv::StringRecord;
use encoding::Encoding;
use serde::Serialize;
use serde_json::json;
use source::Source;
use utoipa::ToSchema;

/// Rows of one transaction.
pub const BATCH_ROWS: usize = 500;
/// Most columns of a file.
pub const COLUMNS_MAX: usize = 500;
/// Most rows of a file.
pub const ROWS_MAX: i64 = 500_000;
/// Errors that a status shows.
const ERRORS_SHOWN: u32 = 100;

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ContactImportState)]
pub enum State {
    /// It waits for its turn, or its rows are being counted.
    Pending,
    /// Rows are being worked off.
    Processing,
    /// Every row was worked off; some may have failed.
    Completed,
    /// The file cannot be read; `errors` says why.
    Failed,
}

impl State {
    fn from_text(text: &str) -> Self {
        match text {
            "processing" => State::Processing,
            "completed" => State::Completed,
            "failed" => State::Failed,
            _ => State::Pending,
        }
    }
}

/// An accepted import.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContactImport {
    #[schema(example = "import_01HV8Z92S0R7M4E5P6Q8T1A2B3")]
    pub import_id: String,
}

/// How far an import is, and what went wrong.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContactImportStatus {
    #[schema(example = "import_01HV8Z92S0R7M4E5P6Q8T1A2B3")]
    pub import_id: String,
    pub status: State,
    /// Data rows of the file; 0 while it is `pending`.
    pub total_rows: i64,
    /// Rows that are contacts now, whether they were before or not.
    pub success_count: i64,
    /// Rows with an error, of which nothing was taken over.
    pub failed_count: i64,
    /// The first 100; all of them are at `errors.csv`.
    pub errors: Vec<ContactImportError>,
}

/// What is wrong with a row, or with the whole file.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContactImportError {
    /// Data rows from 1; absent for what concerns the whole file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 17)]
    pub row: Option<i64>,
    /// The column's header; absent for what concerns the whole row.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "phone")]
    pub column: Option<String>,
    #[schema(example = "must be a valid E.164 phone number")]
    pub message: String,
    /// Row as it is kept, and number in the row: what a list of errors goes on behind.
    #[serde(skip)]
    pub place: (i64, i64),
}

impl FromRow for ContactImportError {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        let (number, in_row) = (row.take()?, row.take()?);
        Ok(ContactImportError {
            row: (number > 0).then_some(number),
            column: row.take()?,
            message: row.take()?,
            place: (number, in_row),
        })
    }
}

/// An import as it is kept.
#[derive(Debug)]
pub struct Import {
    pub seq: i64,
    pub id: String,
    pub tenant: String,
    created_by: String,
    pub state: State,
    size: i64,
    encoding: Encoding,
    separator: u8,
    header: Vec<String>,
    position: i64,
    pub total: i64,
    pub succeeded: i64,
    pub failed: i64,
}

const COLUMNS: &str =
    "i.seq, i.id, i.tenant_id, i.created_by, i.status, i.size, i.encoding, i.separator, i.header,
    i.position, i.total_rows, i.success_count, i.failed_count";

impl FromRow for Import {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        let (seq, id, tenant, created_by) = (row.take()?, row.take()?, row.take()?, row.take()?);
        let (status, size): (String, i64) = (row.take()?, row.take()?);
        let (encoding, separator, header): (Option<String>, Option<String>, Option<String>) =
            (row.take()?, row.take()?, row.take()?);
        Ok(Import {
            seq,
            id,
            tenant,
            created_by,
            state: State::from_text(&status),
            size,
            encoding: encoding.as_deref().and_then(Encoding::parse).unwrap_or(Encoding::Utf8),
            separator: separator.and_then(|text| text.bytes().next()).unwrap_or(b','),
            header: header.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
            position: row.take()?,
            total: row.take()?,
            succeeded: row.take()?,
            failed: row.take()?,
        })
    }
}

/// The row of an import whose file begins to arrive: its id.
pub fn begin(db: &Db<'_>, caller: &Principal) -> Result<String> {
    let id = id::new(id::Kind::Import);
    db.run(
        "INSERT INTO contact_imports (id, tenant_id, created_by, status, created_at) VALUES (?, ?, ?, 'uploading', ?)",
        params![id, caller.tenant, caller.actor.id(), Timestamp::now()],
    )?;
    Ok(id)
}

/// The file is here: the job begins when those of the tenant before it are done.
pub fn arrived(
    db: &Db<'_>,
    tenant: &str,
    id: &str,
    size: i64,
    (encoding, mark): (Encoding, u64),
) -> Result<ContactImport> {
    let there = db.touches(
        "UPDATE contact_imports SET status = 'pending', size = ?, encoding = ?, position = ?
          WHERE id = ? AND tenant_id = ? AND status = 'uploading' RETURNING 1",
        params![size, encoding.as_str(), i64::try_from(mark).unwrap_or_default(), id, tenant],
    )?;
    if !there {
        return Err(Problem::unavailable("an import's row went while its file arrived"));
    }
    jobs::add(db, tenant, Kind::ImportContacts, Some(&format!("import:{tenant}")), id, Timestamp::now())?;
    Ok(ContactImport { import_id: id.to_string() })
}

/// Forgets an import whose file did not arrive.
pub fn give_up(db: &Db<'_>, tenant: &str, id: &str) -> Result<()> {
    Ok(db.run(
        "DELETE FROM contact_imports WHERE id = ? AND tenant_id = ? AND status = 'uploading'",
        params![id, tenant],
    )?)
}

/// One import whose file is here.
pub fn find(db: &Db<'_>, tenant: &str, id: &str) -> Result<Import> {
    let sql = format!(
        "SELECT {COLUMNS} FROM contact_imports i WHERE i.id = ? AND i.tenant_id = ? AND i.status <> 'uploading'"
    );
    db.row(&sql, params![id, tenant])?.ok_or_else(|| Problem::not_found("import", id))
}

/// How far an import is.
pub fn status(db: &Db<'_>, tenant: &str, id: &str) -> Result<ContactImportStatus> {
    let import = find(db, tenant, id)?;
    Ok(ContactImportStatus {
        errors: errors(db, import.seq, (0, -1), ERRORS_SHOWN)?,
        import_id: import.id,
        status: import.state,
        total_rows: import.total,
        success_count: import.succeeded,
        failed_count: import.failed,
    })
}

/// The errors of an import behind a place, in the order of the rows.
pub fn errors(db: &Db<'_>, seq: i64, after: (i64, i64), limit: u32) -> Result<Vec<ContactImportError>> {
    Ok(db.rows(
        "SELECT row, number, column_name, message FROM contact_import_errors
          WHERE import_seq = ? AND (row, number) > (?, ?) ORDER BY row, number LIMIT ?",
        params![seq, after.0, after.1, limit],
    )?)
}

fn note(db: &Db<'_>, seq: i64, errors: &[RowError]) -> Result<()> {
    if errors.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = (0_u32..)
        .zip(errors)
        .map(|(number, error)| json!([error.row, number, error.column, error.message]))
        .collect();
    Ok(db.run(
        "INSERT INTO contact_import_errors (import_seq, row, number, column_name, message)
         SELECT ?1, d.value ->> 0, d.value ->> 1, d.value ->> 2, d.value ->> 3 FROM json_each(?2) d",
        params![seq, serde_json::to_string(&rows).unwrap_or_default()],
    )?)
}

/// Ends an import that cannot be read.
pub fn fail(db: &Db<'_>, import: &Import, message: &str) -> Result<()> {
    db.run(
        "INSERT INTO contact_import_errors (import_seq, row, number, message)
         SELECT ?1, 0, coalesce(max(number) + 1, 0), ?2 FROM contact_import_errors WHERE import_seq = ?1 AND row = 0",
        params![import.seq, message],
    )?;
    end(db, import, "failed")
}

fn end(db: &Db<'_>, import: &Import, status: &str) -> Result<()> {
    Ok(db.run(
        "UPDATE contact_imports SET status = ?, finished_at = ? WHERE seq = ? AND tenant_id = ?",
        params![status, Timestamp::now(), import.seq, import.tenant],
    )?)
}

/// How a file is written, as the first reading finds it.
#[derive(Debug)]
pub struct Layout {
    pub separator: u8,
    pub header: Vec<String>,
    /// Where the data rows begin, in bytes.
    pub position: u64,
}

impl Import {
    /// Its rows from where the work is.
    pub fn source(&self) -> Source {
        let unsigned = |number: i64| u64::try_from(number).unwrap_or_default();
        Source::new(&self.id, unsigned(self.size), self.encoding, self.separator, unsigned(self.position))
    }

    /// Notes what the first reading found. `false` when that ended the import.
    pub fn prepared(&mut self, db: &Db<'_>, layout: Layout, rows: i64) -> Result<bool> {
        if layout.header.is_empty() {
            fail(db, self, "The file is empty.")?;
            return Ok(false);
        }
        if layout.header.len() > COLUMNS_MAX {
            fail(db, self, &format!("The first row has more than {COLUMNS_MAX} columns."))?;
            return Ok(false);
        }
        if rows > ROWS_MAX {
            fail(db, self, &format!("The file has {rows} rows; {ROWS_MAX} are the most."))?;
            return Ok(false);
        }
        let (columns, mut wrong) = Columns::new(&layout.header, &Fields::all(db, &self.tenant)?);
        if !columns.are_of_use() {
            wrong.push(RowError::new(0, None, "The first row names no column that is known."));
        }
        note(db, self.seq, &wrong)?;
        if !columns.are_of_use() {
            end(db, self, "failed")?;
            return Ok(false);
        }
        self.separator = layout.separator;
        self.position = i64::try_from(layout.position).unwrap_or_default();
        self.header = layout.header;
        self.total = rows;
        self.state = State::Processing;
        db.run(
            "UPDATE contact_imports SET status = 'processing', separator = ?, header = ?, position = ?, total_rows = ?
              WHERE seq = ? AND tenant_id = ?",
            params![
                char::from(self.separator).to_string(),
                serde_json::to_string(&self.header).unwrap_or_default(),
                self.position,
                rows,
                self.seq,
                self.tenant
            ],
        )?;
        Ok(true)
    }

    /// Works off rows, after which the file goes on at `position`. No rows: the end.
    pub fn work_off(&mut self, db: &Db<'_>, records: &[StringRecord], position: u64) -> Result<()> {
        if records.is_empty() {
            return end(db, self, "completed");
        }
        let (columns, _) = Columns::new(&self.header, &Fields::all(db, &self.tenant)?);
        let first = self.succeeded.saturating_add(self.failed).saturating_add(1);
        let (mut rows, mut errors) = (Vec::new(), Vec::new());
        for (number, record) in (first..).zip(records) {
            match columns.read(number, record) {
                Ok(row) => rows.push(row),
                Err(wrong) => errors.extend(wrong),
            }
        }
        errors.extend(batch::apply(db, &self.tenant, &self.created_by, rows)?);
        note(db, self.seq, &errors)?;
        let mut failed: Vec<i64> = errors.iter().map(|error| error.row).collect();
        failed.sort_unstable();
        failed.dedup();
        let failed = i64::try_from(failed.len()).unwrap_or_default();
        let all = i64::try_from(records.len()).unwrap_or_default();
        self.failed = self.failed.saturating_add(failed);
        self.succeeded = self.succeeded.saturating_add(all.saturating_sub(failed));
        self.position = i64::try_from(position).unwrap_or_default();
        Ok(db.run(
            "UPDATE contact_imports SET position = ?, success_count = ?, failed_count = ? WHERE seq = ? AND tenant_id = ?",
            params![self.position, self.succeeded, self.failed, self.seq, self.tenant],
        )?)
    }
}

/// Deletes imports that were broken off before this time, and finished ones from before another; answers how many.
pub fn forget(db: &Db<'_>, broken_off: Timestamp, finished: Timestamp, limit: u32) -> Result<usize> {
    let gone = db.rows::<(i64,)>(
        "DELETE FROM contact_imports WHERE seq IN (
           SELECT seq FROM contact_imports WHERE status = 'uploading' AND created_at < ? LIMIT ?) RETURNING 1",
        params![broken_off, limit],
    )?;
    let errors = db.rows::<(i64,)>(
        "DELETE FROM contact_import_errors WHERE (import_seq, row, number) IN (
           SELECT e.import_seq, e.row, e.number FROM contact_import_errors e WHERE e.import_seq IN (
             SELECT seq FROM contact_imports WHERE finished_at < ?1) LIMIT ?2) RETURNING 1",
        params![finished, limit],
    )?;
    if !errors.is_empty() {
        return Ok(gone.len().saturating_add(errors.len()));
    }
    let old = db.rows::<(i64,)>(
        "DELETE FROM contact_imports WHERE seq IN (
           SELECT seq FROM contact_imports WHERE finished_at < ? LIMIT ?) RETURNING 1",
        params![finished, limit],
    )?;
    Ok(gone.len().saturating_add(old.len()))
}
