//! API keys: `fln_live_` and 43 URL-safe characters, kept as SHA-256 only.

use crate::auth::{Actor, Principal, Role};
use crate::db::{FromRow, Row};
use crate::time::Timestamp;
use crate::{Problem, Result, background, crypto, db, id, limits, params};

const PREFIX: &str = "fln_live_";
/// How much of a key stays readable, so that people recognise it (contract section 2).
const SHOWN_CHARS: usize = 12;

/// A new key: its text, shown once, and what to keep of it.
#[derive(Debug)]
pub struct NewKey {
    pub plaintext: String,
    pub prefix: String,
    pub hash: [u8; 32],
}

pub fn generate() -> NewKey {
    let plaintext = format!("{PREFIX}{}", id::secret());
    NewKey {
        prefix: plaintext.chars().take(SHOWN_CHARS).collect(),
        hash: crypto::sha256(plaintext.as_bytes()),
        plaintext,
    }
}

pub(super) fn looks_like_one(token: &str) -> bool {
    token.starts_with(PREFIX)
}

/// Everything that could stop a key is in this one statement: it, its service account, its tenant.
///
/// Subqueries and not joins: SQLite prepares a join anew whenever a parameter is bound (41 instead of
/// 2.4 microseconds here), and `EXISTS` counts as one. Aliases, since names of columns travel with rows.
const FIND: &str = "
    SELECT k.id, k.secret_hash, k.tenant_id, k.service_account_id,
           (SELECT s.role FROM service_accounts s WHERE s.id = k.service_account_id AND s.deleted_at IS NULL) AS role,
           (SELECT t.status FROM tenants t WHERE t.id = k.tenant_id AND t.deleted_at IS NULL) AS tenant,
           k.scopes, k.expires_at, k.last_used_at
      FROM api_keys k
     WHERE k.secret_hash = ? AND k.revoked_at IS NULL";

struct Found {
    key: String,
    hash: Vec<u8>,
    tenant: String,
    account: String,
    role: Option<String>,
    tenant_status: Option<String>,
    scopes: Option<String>,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
}

impl FromRow for Found {
    fn from_row(row: &mut Row) -> Result<Self, db::Error> {
        Ok(Found {
            key: row.take()?,
            hash: row.take()?,
            tenant: row.take()?,
            account: row.take()?,
            role: row.take()?,
            tenant_status: row.take()?,
            scopes: row.take()?,
            expires_at: row.take()?,
            last_used_at: row.take()?,
        })
    }
}

pub(super) async fn authenticate(token: &str) -> Result<Principal> {
    let invalid = || Problem::unauthorized("The API key is not valid: it is unknown, revoked or expired.");
    let hash = crypto::sha256(token.as_bytes());
    let found = db::read(|db| Ok(db.row::<Found>(FIND, params![hash])?)).await?.ok_or_else(invalid)?;
    let now = Timestamp::now();
    let role = found.role.ok_or_else(invalid)?;
    if !crypto::equal(&found.hash, &hash)
        || found.tenant_status.as_deref() != Some("active")
        || found.expires_at.is_some_and(|end| end <= now)
    {
        return Err(invalid());
    }
    if found.last_used_at.is_none_or(|last| last < now.before(limits::LAST_USED_STEP)) {
        background::spawn(note_use(found.key, now));
    }
    Ok(Principal {
        tenant: found.tenant,
        actor: Actor::ServiceAccount(found.account),
        role: Role::parse(&role).ok_or_else(|| Problem::internal("a service account has an unknown role"))?,
        scopes: limit(found.scopes.as_deref())?,
    })
}

/// The scopes that a key is limited to. What cannot be read must not become no limit.
fn limit(json: Option<&str>) -> Result<Option<Vec<String>>> {
    let read = |json| {
        serde_json::from_str(json).map_err(|error| Problem::internal(format!("scopes of a key: {error}")))
    };
    json.map(read).transpose()
}

/// Writes when a key was last used, at most once a minute, after the response.
async fn note_use(key: String, now: Timestamp) {
    let step = now.before(limits::LAST_USED_STEP);
    let written = db::write(|db| {
        Ok(db.run(
            "UPDATE api_keys SET last_used_at = ? WHERE id = ? AND (last_used_at IS NULL OR last_used_at < ?)",
            params![now, key, step],
        )?)
    })
    .await;
    if let Err(problem) = written {
        crate::log!("last use of an API key not written", key = key, problem = problem);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_cannot_be_read_is_not_dropped() {
        assert_eq!(limit(None).unwrap(), None);
        assert_eq!(limit(Some(r#"["tag:list"]"#)).unwrap(), Some(vec!["tag:list".into()]));
        assert_eq!(limit(Some("[")).unwrap_err().status, 500);
    }

    #[test]
    fn keys_are_long_and_recognisable() {
        let key = generate();
        assert_eq!(key.plaintext.len(), 52);
        assert!(looks_like_one(&key.plaintext));
        assert_eq!(key.prefix.len(), 12);
        assert!(key.plaintext.starts_with(&key.prefix));
        assert_eq!(key.hash, crypto::sha256(key.plaintext.as_bytes()));
    }
}
