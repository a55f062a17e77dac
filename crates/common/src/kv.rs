//! The key-value store `default`: bytes that are too large for the database.
//!
//! Hosted stores take values of at most 1 MB, so whoever has more cuts it into parts of [`PART_BYTES`]. A store
//! knows no transactions: a row in the database says which keys count, is written before the bytes, and goes
//! before them. A component that uses this needs `key_value_stores = ["default"]` in `spin.toml`.

use crate::{Problem, Result};
use spin_sdk::key_value::{Error, Store};
use std::sync::OnceLock;

/// Largest value, in bytes.
pub const PART_BYTES: usize = 1_000_000;

/// Opened once an instance.
async fn store() -> Result<&'static Store> {
    static STORE: OnceLock<Store> = OnceLock::new();
    if let Some(store) = STORE.get() {
        return Ok(store);
    }
    let opened = Store::open_default().await.map_err(|error| problem("open", &error))?;
    // Another request may have opened it meanwhile: then its handle stays.
    Ok(STORE.get_or_init(|| opened))
}

/// The value of a key.
pub async fn get(key: &str) -> Result<Option<Vec<u8>>> {
    store().await?.get(key).await.map_err(|error| problem("get", &error))
}

/// Sets a value of at most [`PART_BYTES`], in place of what was there.
pub async fn set(key: &str, value: &[u8]) -> Result<()> {
    if value.len() > PART_BYTES {
        return Err(Problem::internal(format!("the value of {key} has {} bytes", value.len())));
    }
    store().await?.set(key, value).await.map_err(|error| problem("set", &error))
}

/// Whether a key has a value.
pub async fn exists(key: &str) -> Result<bool> {
    store().await?.exists(key).await.map_err(|error| problem("exists", &error))
}

/// Deletes a key; one that is not there is no error.
pub async fn delete(key: &str) -> Result<()> {
    store().await?.delete(key).await.map_err(|error| problem("delete", &error))
}

fn problem(what: &str, error: &Error) -> Problem {
    match error {
        Error::StoreTableFull => Problem::unavailable(format!("key-value {what}: too many open stores")),
        Error::NoSuchStore | Error::AccessDenied => Problem::internal(format!(
            "key-value {what}: {error:?}: the component lacks key_value_stores = [\"default\"]"
        )),
        Error::Other(text) => Problem::unavailable(format!("key-value {what}: {text}")),
    }
}
