//! The schema's history: `migrations/NNNN_what.sql`, applied in order, each once.
//!
//! Spin runs one statement a call and ignores what follows it, so a file is cut into statements:
//! each ends with a semicolon at the end of a line (a comment may follow it), followed by an empty line or the
//! file's end. A trigger's inner semicolons are followed by further lines and so do not cut.

use crate::db::{Db, Error};
use crate::time::Timestamp;
use crate::{Problem, Result, params};

/// Name and text of each file, in order.
pub const FILES: &[(&str, &str)] = &[
    ("foundation", include_str!("../../../migrations/0001_foundation.sql")),
    ("sandbox", include_str!("../../../migrations/0002_sandbox.sql")),
    ("channels", include_str!("../../../migrations/0003_channels.sql")),
    ("teams", include_str!("../../../migrations/0004_teams.sql")),
    ("sending", include_str!("../../../migrations/0005_sending.sql")),
    ("unread", include_str!("../../../migrations/0006_unread.sql")),
    ("media", include_str!("../../../migrations/0007_media.sql")),
    ("livechat", include_str!("../../../migrations/0008_livechat.sql")),
    ("updates", include_str!("../../../migrations/0009_updates.sql")),
    ("inbound", include_str!("../../../migrations/0010_inbound.sql")),
    ("sandbox_all", include_str!("../../../migrations/0011_sandbox_all.sql")),
    ("sandbox_seed", include_str!("../../../migrations/0012_sandbox_seed.sql")),
    ("fields_and_tags", include_str!("../../../migrations/0013_fields_and_tags.sql")),
    ("imports", include_str!("../../../migrations/0014_imports.sql")),
    ("people", include_str!("../../../migrations/0015_people.sql")),
    ("contacts", include_str!("../../../migrations/0016_contacts.sql")),
    ("webhooks", include_str!("../../../migrations/0017_webhooks.sql")),
    ("email", include_str!("../../../migrations/0018_email.sql")),
    ("search", include_str!("../../../migrations/0019_search.sql")),
    ("releases_and_sessions", include_str!("../../../migrations/0020_releases_and_sessions.sql")),
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
    let mut text = String::with_capacity(file.len());
    for line in file.lines() {
        let code = line.split_once("--").map_or(line, |(code, _)| code).trim_end();
        text.push_str(if code.ends_with(';') { code } else { line });
        text.push('\n');
    }
    for block in text.split(";\n\n") {
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

    use rusqlite::fallible_iterator::FallibleIterator;

    #[test]
    fn every_migration_runs_on_sqlite() {
        let db = rusqlite::Connection::open_in_memory().unwrap();
        for (_, file) in FILES {
            let statements = statements(file);
            assert!(!statements.is_empty());
            for statement in statements {
                // As on Spin: what follows the first statement would be lost, so there must be nothing.
                let mut batch = rusqlite::Batch::new(&db, &statement);
                assert!(batch.next().unwrap().is_some());
                assert!(matches!(batch.next(), Ok(None)), "two statements in one: {statement}");
                db.execute(&statement, []).unwrap_or_else(|e| panic!("{e}: {statement}"));
            }
        }
    }

    #[test]
    fn cuts_statements_and_keeps_triggers_whole() {
        let file = "-- head\n\n-- one\nCREATE TABLE a (b); -- c\n\nCREATE TRIGGER t INSERT ON a BEGIN\n  SELECT 1;\n  SELECT 2;\nEND;\n";
        let cut = statements(file);
        assert_eq!(cut.len(), 2);
        assert!(cut[0].starts_with("CREATE TABLE"));
        assert!(cut[1].ends_with("END"));
    }
}
