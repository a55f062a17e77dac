//! Signing keys, and what they sign (Standard Webhooks 1.0).
//!
//! A key is two: 32 bytes for HMAC-SHA256 (`v1`), which the receiver shares, and an Ed25519 pair (`v1a`), of which the
//! receiver knows the public half only. Both rotate together.

use super::settings::{self, Which};
use crate::audit::{self, Action};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::auth::Principal;
use common::crypto::{self, Sealer};
use common::db::{Db, Error as DbError, FromRow, Row};
use common::time::Timestamp;
use common::{Problem, Result, id, params};
use ed25519_compact::{KeyPair, Seed};
use serde::Serialize;
use serde_json::json;
use std::time::Duration;
use utoipa::ToSchema;

/// How long the former key signs beside the new one.
pub const KEY_OVERLAP: Duration = Duration::from_secs(24 * 60 * 60);

const SECRET_PURPOSE: &str = "webhook signing key";
const PRIVATE_PURPOSE: &str = "webhook private key";

/// A key that signs deliveries.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookSigningKey {
    #[schema(example = "whsk_01HV8ZE2G9W4P6Q8T1A3C5E7G9")]
    pub id: String,
    /// Counts up with each rotation.
    #[schema(example = 1)]
    pub version: i64,
    /// `active`, or `expiring` while the overlap after a rotation lasts.
    #[schema(example = "active")]
    pub status: &'static str,
    pub created_at: Timestamp,
    /// On expiring keys only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The last four characters of the key, for people to recognise it.
    pub last4: String,
    /// `whpk_…`: verifies signatures of the scheme `v1a`. No secret.
    #[schema(example = "whpk_1d0KsLXNPc6QyF0kF6XxYSx5zGbNf1mCv6Pq3vZ7c1Q=")]
    pub public_key: String,
    /// `whsec_…`; shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    pub plaintext_key: Option<String>,
}

struct KeyRow {
    key: WebhookSigningKey,
    secret: String,
    private_key: Option<String>,
    disclosed: bool,
}

impl FromRow for KeyRow {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        let (id, version, created_at) = (row.take()?, row.take()?, row.take()?);
        let expires_at: Option<Timestamp> = row.take()?;
        let status = if expires_at.is_some() { "expiring" } else { "active" };
        let last4 = row.take()?;
        let public_key = row.take::<Option<String>>()?.unwrap_or_default();
        let key = WebhookSigningKey {
            id,
            version,
            status,
            created_at,
            expires_at,
            last4,
            public_key,
            plaintext_key: None,
        };
        Ok(KeyRow { key, secret: row.take()?, private_key: row.take()?, disclosed: row.take()? })
    }
}

/// Whose keys: the main endpoint's are the tenant's and outlive it.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    tenant: &'a str,
    /// 0 for the main endpoint.
    endpoint_seq: i64,
}

impl<'a> Owner<'a> {
    pub(super) fn new(tenant: &'a str, endpoint_seq: i64, main: bool) -> Self {
        Owner { tenant, endpoint_seq: if main { 0 } else { endpoint_seq } }
    }

    fn of(db: &Db<'_>, tenant: &'a str, which: Which<'_>) -> Result<Self> {
        let endpoint = settings::get(db, tenant, which)?;
        Ok(Owner::new(tenant, endpoint.seq, endpoint.main))
    }
}

/// The keys that sign now, newest first: at most two.
fn rows(db: &Db<'_>, sealer: &Sealer, owner: Owner<'_>) -> Result<Vec<KeyRow>> {
    let mut rows: Vec<KeyRow> = db.rows(
        "SELECT id, version, created_at, expires_at, last4, public_key, secret, private_key, disclosed FROM webhook_keys
          WHERE tenant_id = ? AND endpoint_seq = ? AND (expires_at IS NULL OR expires_at > ?)
          ORDER BY version DESC LIMIT 2",
        params![owner.tenant, owner.endpoint_seq, Timestamp::now()],
    )?;
    // Keys of before `v1a` get their pair when they are first looked at.
    for row in rows.iter_mut().filter(|row| row.private_key.is_none()) {
        let pair = Pair::new(sealer)?;
        db.run(
            "UPDATE webhook_keys SET private_key = ?, public_key = ? WHERE id = ? AND tenant_id = ?",
            params![pair.sealed, pair.public, row.key.id, owner.tenant],
        )?;
        (row.private_key, row.key.public_key) = (Some(pair.sealed), pair.public);
    }
    Ok(rows)
}

struct Pair {
    sealed: String,
    public: String,
}

impl Pair {
    fn new(sealer: &Sealer) -> Result<Self> {
        let mut seed = [0_u8; 32];
        id::fill_random(&mut seed);
        let public = KeyPair::from_seed(Seed::new(seed)).pk;
        Ok(Pair {
            sealed: sealer.seal(PRIVATE_PURPOSE, &seed)?,
            public: format!("whpk_{}", STANDARD.encode(*public)),
        })
    }
}

fn shown(secret: &[u8]) -> String {
    format!("whsec_{}", STANDARD.encode(secret))
}

fn create(db: &Db<'_>, sealer: &Sealer, owner: Owner<'_>, disclosed: bool) -> Result<WebhookSigningKey> {
    let mut secret = [0_u8; 32];
    id::fill_random(&mut secret);
    let pair = Pair::new(sealer)?;
    let plaintext = shown(&secret);
    let last4: String = plaintext.chars().skip(plaintext.len().saturating_sub(4)).collect();
    let (id, now) = (id::new(id::Kind::SigningKey), Timestamp::now());
    let made = db.row::<(i64,)>(
        "INSERT INTO webhook_keys
           (id, tenant_id, endpoint_seq, version, secret, private_key, public_key, last4, disclosed, created_at)
         SELECT ?1, ?2, ?3, coalesce(max(version), 0) + 1, ?4, ?5, ?6, ?7, ?8, ?9 FROM webhook_keys
          WHERE tenant_id = ?2 AND endpoint_seq = ?3
         RETURNING version",
        params![
            id,
            owner.tenant,
            owner.endpoint_seq,
            sealer.seal(SECRET_PURPOSE, &secret)?,
            pair.sealed,
            pair.public,
            last4,
            disclosed,
            now
        ],
    )?;
    Ok(WebhookSigningKey {
        id,
        version: made.map_or(1, |(version,)| version),
        status: "active",
        created_at: now,
        expires_at: None,
        last4,
        public_key: pair.public,
        plaintext_key: disclosed.then_some(plaintext),
    })
}

/// The active and expiring keys, newest first. The first call for an endpoint makes the key if there is none and shows
/// it; a key that a delivery made is shown by the first call too. Never a second time.
pub fn list(
    db: &Db<'_>,
    sealer: &Sealer,
    caller: &Principal,
    which: Which<'_>,
) -> Result<Vec<WebhookSigningKey>> {
    let tenant = caller.tenant.as_str();
    let owner = Owner::of(db, tenant, which)?;
    let rows = rows(db, sealer, owner)?;
    if rows.is_empty() {
        let made = create(db, sealer, owner, true)?;
        let details = json!({"version": made.version});
        audit::record(db, tenant, caller, Action::WebhookKeyCreated, &made.id, details)?;
        return Ok(vec![made]);
    }
    rows.into_iter()
        .map(|row| {
            let mut key = row.key;
            if !row.disclosed {
                key.plaintext_key = Some(shown(&sealer.open(SECRET_PURPOSE, &row.secret)?));
                db.run(
                    "UPDATE webhook_keys SET disclosed = 1 WHERE id = ? AND tenant_id = ?",
                    params![key.id, tenant],
                )?;
            }
            Ok(key)
        })
        .collect()
}

/// Makes a new active key and shows it. The former signs on for 24 hours; one before that ends at once.
pub fn rotate(
    db: &Db<'_>,
    sealer: &Sealer,
    caller: &Principal,
    which: Which<'_>,
) -> Result<WebhookSigningKey> {
    let tenant = caller.tenant.as_str();
    let owner = Owner::of(db, tenant, which)?;
    let now = Timestamp::now();
    db.run(
        "UPDATE webhook_keys SET expires_at = CASE WHEN expires_at IS NULL THEN ?1 ELSE ?2 END
          WHERE tenant_id = ?3 AND endpoint_seq = ?4 AND (expires_at IS NULL OR expires_at > ?2)",
        params![now.after(KEY_OVERLAP), now, tenant, owner.endpoint_seq],
    )?;
    let made = create(db, sealer, owner, true)?;
    audit::record(db, tenant, caller, Action::WebhookKeyRotated, &made.id, json!({"version": made.version}))?;
    Ok(made)
}

/// What signs an endpoint's deliveries now.
pub struct Signer {
    keys: Vec<(Vec<u8>, Option<KeyPair>)>,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer")
    }
}

impl Signer {
    /// Inside a transaction: an endpoint without a key gets one, which its first list will show.
    pub(super) fn of(db: &Db<'_>, sealer: &Sealer, owner: Owner<'_>, asymmetric: bool) -> Result<Self> {
        let mut found = rows(db, sealer, owner)?;
        if found.is_empty() {
            create(db, sealer, owner, false)?;
            found = rows(db, sealer, owner)?;
        }
        let keys = found.iter().map(|row| {
            let pair = match &row.private_key {
                Some(sealed) if asymmetric => Some(pair(&sealer.open(PRIVATE_PURPOSE, sealed)?)?),
                _ => None,
            };
            Ok((sealer.open(SECRET_PURPOSE, &row.secret)?, pair))
        });
        Ok(Signer { keys: keys.collect::<Result<_>>()? })
    }

    /// Of keys at hand.
    pub fn new(keys: Vec<(Vec<u8>, Option<KeyPair>)>) -> Self {
        Signer { keys }
    }

    /// `webhook-signature`: one of each scheme for each key, separated by spaces, over `id.timestamp.body`.
    pub fn sign(&self, event: &str, seconds: i64, body: &[u8]) -> String {
        let head = format!("{event}.{seconds}.");
        let mut all = Vec::with_capacity(4);
        for (secret, _) in &self.keys {
            all.push(format!(
                "v1,{}",
                STANDARD.encode(crypto::hmac_sha256(secret, &[head.as_bytes(), body]))
            ));
        }
        for pair in self.keys.iter().filter_map(|(_, pair)| pair.as_ref()) {
            let content = [head.as_bytes(), body].concat();
            all.push(format!("v1a,{}", STANDARD.encode(*pair.sk.sign(content, None))));
        }
        all.join(" ")
    }
}

/// What signs for an endpoint; inside a transaction.
pub fn signer(db: &Db<'_>, sealer: &Sealer, tenant: &str, which: Which<'_>) -> Result<Signer> {
    let endpoint = settings::get(db, tenant, which)?;
    let asymmetric = endpoint.signature_schemes.is_some_and(|schemes| schemes.len() > 1);
    Signer::of(db, sealer, Owner::new(tenant, endpoint.seq, endpoint.main), asymmetric)
}

fn pair(seed: &[u8]) -> Result<KeyPair> {
    let seed = Seed::from_slice(seed).map_err(|_| Problem::internal("a webhook's private key is no seed"))?;
    Ok(KeyPair::from_seed(seed))
}
