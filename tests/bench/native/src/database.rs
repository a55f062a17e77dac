//! One connection a worker thread, statements run on it directly: they are short, and there are as
//! many threads as cores. Writers take turns before they take SQLite's lock.

use rusqlite::Connection;
use std::cell::RefCell;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

/// More statements than this server has.
const PREPARED: usize = 64;

static PATH: OnceLock<String> = OnceLock::new();
static WRITER: Mutex<()> = Mutex::new(());

thread_local! {
    static CONNECTION: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

/// Opens a database with the settings that the components use.
pub fn open(path: &str) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON")?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    Ok(connection)
}

/// Says which file [`read`] and [`write`] use.
pub fn use_file(path: &str) {
    let _ = PATH.set(path.to_string());
}

/// Runs `body` on this thread's connection.
pub fn read<T>(body: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    CONNECTION.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = Some(open(PATH.get().map_or("", String::as_str))?);
        }
        match slot {
            Some(connection) => body(connection),
            None => Err(rusqlite::Error::InvalidQuery),
        }
    })
}

/// Runs `body` in a transaction; an error undoes it.
pub fn write<T>(body: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    let _turn = WRITER.lock().map_err(|_| rusqlite::Error::InvalidQuery)?;
    read(|connection| {
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let result = body(connection);
        connection.prepare_cached(if result.is_ok() { "COMMIT" } else { "ROLLBACK" })?.execute([])?;
        result
    })
}
