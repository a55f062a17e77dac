//! Where random choices come from.

use crate::provider::Provider;
use common::db::Db;
use common::{Result, params};

/// Whether any account of a provider has a seed.
pub fn any(db: &Db<'_>, provider: Provider) -> Result<bool> {
    Ok(db.touches("SELECT 1 FROM sandbox_seeds WHERE provider = ? LIMIT 1", params![provider.as_str()])?)
}

/// Sets the seed of an account, or of all that have none of their own.
pub fn set(db: &Db<'_>, provider: Provider, account: Option<&str>, seed: i64) -> Result<()> {
    Ok(db.run(
        "INSERT INTO sandbox_seeds (provider, account, seed) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET seed = ?3, requests = 0",
        params![provider.as_str(), account.unwrap_or_default(), seed],
    )?)
}

/// The seed of an account, and the number of the request that draws from it now.
pub fn next(db: &Db<'_>, provider: Provider, account: &str) -> Result<Option<(i64, i64)>> {
    Ok(db.row(
        "UPDATE sandbox_seeds SET requests = requests + 1
          WHERE provider = ?1 AND account =
            (SELECT max(account) FROM sandbox_seeds WHERE provider = ?1 AND account IN ('', ?2))
         RETURNING seed, requests",
        params![provider.as_str(), account],
    )?)
}
