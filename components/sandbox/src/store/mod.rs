//! The sandbox's tables (migrations 0011 and 0012). Every function runs inside the caller's transaction.

pub mod accounts;
pub mod callbacks;
pub mod log;
pub mod media;
pub mod people;
pub mod seeds;
pub mod sends;

use common::{Problem, Result};
use serde::Serialize;

/// JSON for a column or for `json_each`.
pub fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Problem::internal(error.to_string()))
}

#[cfg(test)]
pub fn database() -> rusqlite::Connection {
    let db = rusqlite::Connection::open_in_memory().unwrap();
    for file in [
        include_str!("../../../../migrations/0002_sandbox.sql"),
        include_str!("../../../../migrations/0011_sandbox_all.sql"),
        include_str!("../../../../migrations/0012_sandbox_seed.sql"),
    ] {
        for statement in common::migrations::statements(file) {
            db.execute_batch(&statement).unwrap();
        }
    }
    db
}
