//! SQLite connections that no guest has at the moment. An instance lives for some hundred requests;
//! without this its successor would open its connections again, and each would read the whole schema
//! and prepare every statement anew (measured: a third of the throughput of short reads).
//!
//! A connection is only kept when all it ever ran leaves no trace on it, so that a guest cannot tell
//! it from a new one.
use rusqlite::Connection;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Connections kept for one database.
const MAX_IDLE: usize = 64;
/// What rusqlite, and so Spin, gives a new connection.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// First words of statements that leave no trace.
const TRACELESS: &[&str] = &[
    "SELECT",
    "WITH",
    "VALUES",
    "INSERT",
    "REPLACE",
    "UPDATE",
    "DELETE",
    "BEGIN",
    "COMMIT",
    "END",
    "ROLLBACK",
    "SAVEPOINT",
    "RELEASE",
];
/// Pragmas whose trace [`reset`] removes, or that belong to the file and not to the connection.
const RESETTABLE: &[&str] = &["synchronous", "foreign_keys", "busy_timeout", "journal_mode"];

/// The idle connections of one database.
#[derive(Default)]
pub struct IdleConnections(Mutex<Vec<Connection>>);

impl IdleConnections {
    /// One of them, if there is any.
    pub fn take(&self) -> Option<Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Keeps a connection, or closes it when it cannot be reset or there are enough.
    pub fn give(&self, connection: Connection) {
        if reset(&connection).is_err() {
            return;
        }
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push(connection);
        }
    }
}

/// Gives a connection the settings that a new one has.
fn reset(connection: &Connection) -> rusqlite::Result<()> {
    if !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK")?;
    }
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")?;
    connection.busy_timeout(BUSY_TIMEOUT)
}

/// Whether a connection can be kept after this statement. A doubtful one counts as no.
pub fn is_traceless(sql: &str) -> bool {
    let word = |text: &str| -> usize {
        text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
    };
    let sql = sql.trim_start();
    let (first, rest) = sql.split_at(word(sql));
    if TRACELESS.iter().any(|traceless| traceless.eq_ignore_ascii_case(first)) {
        return true;
    }
    let rest = rest.trim_start();
    let (name, _) = rest.split_at(word(rest));
    first.eq_ignore_ascii_case("PRAGMA") && RESETTABLE.iter().any(|pragma| pragma.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_leaves_no_trace_is_traceless() {
        for sql in [
            "SELECT 1",
            " select 1",
            "\nWITH a AS (SELECT 1) SELECT 1",
            "BEGIN IMMEDIATE",
            "COMMIT",
            "insert into t",
            "PRAGMA synchronous=NORMAL",
            "pragma Busy_Timeout = 0",
        ] {
            assert!(is_traceless(sql), "{sql}");
        }
        for sql in [
            "CREATE TEMP TABLE t (x)",
            "ATTACH 'x' AS y",
            "PRAGMA query_only=1",
            "PRAGMA main.synchronous=0",
            "-- x\nSELECT 1",
            "SELECTED",
            "",
            "é",
        ] {
            assert!(!is_traceless(sql), "{sql}");
        }
    }

    #[test]
    fn a_kept_connection_is_like_a_new_one() {
        let idle = IdleConnections::default();
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE t (x); PRAGMA synchronous=OFF; PRAGMA foreign_keys=OFF; PRAGMA busy_timeout=0;
                 BEGIN; INSERT INTO t VALUES (1)",
            )
            .unwrap();
        idle.give(connection);
        let connection = idle.take().unwrap();
        let pragma = |name: &str| {
            connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0)).unwrap()
        };
        assert_eq!([pragma("synchronous"), pragma("foreign_keys"), pragma("busy_timeout")], [2, 1, 5000]);
        assert_eq!(
            connection.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)).unwrap(),
            0
        );
        assert!(idle.take().is_none());
    }
}
