//! What a server that the tests started keeps of files: looked up in its own databases, since the API shows
//! nothing of what was cleaned up.

use rusqlite::{Connection, OpenFlags};
use tests::App;

fn open(app: &App, file: &str) -> Connection {
    let path = app.process.as_ref().expect("a server of ours").data.join(file);
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap()
}

/// How many parts of files are in the key-value store.
pub fn parts(app: &App) -> i64 {
    let count = "SELECT count(*) FROM spin_key_value WHERE key LIKE 'media/%'";
    open(app, "sqlite_key_value.db").query_row(count, [], |row| row.get(0)).unwrap()
}

/// How many rows of files there are, whatever their state.
pub fn rows(app: &App) -> i64 {
    open(app, "sqlite_db.db").query_row("SELECT count(*) FROM media", [], |row| row.get(0)).unwrap()
}

/// Deletes one part of a file, as a broken store would.
pub fn lose_part(app: &App, media: &str, part: u32) {
    let store = open(app, "sqlite_key_value.db");
    let gone = store.execute("DELETE FROM spin_key_value WHERE key = ?", [format!("media/{media}/{part}")]);
    assert_eq!(gone.unwrap(), 1);
}

/// Changes rows as a test needs them.
pub fn change(app: &App, sql: &str) {
    open(app, "sqlite_db.db").execute(sql, []).unwrap();
}
