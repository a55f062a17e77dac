//! The schema's history: `migrations/NNNN_what.sql`, applied in order, each once.
//!
//! Spin runs one statement a call and ignores what follows it, so a file is cut into statements:
//! each ends with a semicolon at the end of a line, followed by an empty line or the file's end.
//! A trigger's inner semicolons are followed by further lines and so do not cut.

use crate::db::{Db, Error};
use crate::time::Timestamp;
use crate::{Problem, Result, params};

const FILES: &[(&str, &str)] = &[
    ("foundation", include_str!("../../../migrations/0001_foundation.sql")),
    ("sandbox", include_str!("../../../migrations/0002_sandbox.sql")),
];

/// The version that the database is at; fails on an empty one.
pub(crate) const VERSION: &str = "SELECT max(version) FROM schema_migrations";

/// The version that this program needs.
pub fn latest() -> i64 {
    i64::try_from(FILES.len()).unwrap_or(i64::MAX)
}

/// The statements of a migration file, in order, without the comments between them.
pub fn statements(file: &str) -> Vec<String> {
    let mut all = Vec::new();
    for block in file.replace("\r\n", "\n").split(";\n\n") {
        let lines: Vec<&str> =
            block.lines().skip_while(|line| line.trim().is_empty() || line.starts_with("--")).collect();
        let statement = lines.join("\n").trim().trim_end_matches(';').to_string();
        if !statement.is_empty() {
            all.push(statement);
        }
    }
    all
}

/// Applies what is missing, inside a transaction that holds the write lock.
pub(crate) fn apply(db: &Db<'_>) -> Result<()> {
    db.run(
        "CREATE TABLE IF NOT EXISTS schema_migrations
           (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT",
        &[],
    )?;
    let known = db.row::<(Option<i64>,)>(VERSION, &[])?.and_then(|(version,)| version).unwrap_or(0);
    for (version, (name, file)) in (1_i64..).zip(FILES) {
        if version <= known {
            continue;
        }
        for statement in statements(file) {
            db.run(&statement, &[]).map_err(|error| failed(version, &statement, &error))?;
        }
        db.run(
            "INSERT INTO schema_migrations (version, name, applied_at) VALUES (?, ?, ?)",
            params![version, *name, Timestamp::now()],
        )?;
        crate::log!("migration applied", version = version, name = name);
    }
    Ok(())
}

fn failed(version: i64, statement: &str, error: &Error) -> Problem {
    let head = statement.lines().next().unwrap_or_default();
    Problem::internal(format!("migration {version} failed at {head:?}: {error:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_runs_on_sqlite() {
        let db = rusqlite::Connection::open_in_memory().unwrap();
        for (_, file) in FILES {
            let statements = statements(file);
            assert!(!statements.is_empty());
            for statement in statements {
                // As on Spin: what follows the first statement would be lost, so there must be nothing.
                db.execute(&statement, []).unwrap_or_else(|e| panic!("{e}: {statement}"));
            }
        }
    }

    #[test]
    fn cuts_statements_and_keeps_triggers_whole() {
        let file = "-- head\n\n-- one\nCREATE TABLE a (b); -- c\n\nCREATE TRIGGER t INSERT ON a BEGIN\n  SELECT 1;\n  SELECT 2;\nEND;\n";
        let cut = statements(&file.replace("; -- c", ";"));
        assert_eq!(cut.len(), 2);
        assert!(cut[0].starts_with("CREATE TABLE"));
        assert!(cut[1].ends_with("END"));
    }
}
