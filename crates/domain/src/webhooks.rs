//! The tenant's webhook: settings, signing keys, deliveries (contract section 12).

use crate::audit::{self, Action};
use crate::events;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::auth::Principal;
use common::crypto::{self, Sealer};
use common::db::{Db, Error as DbError, FromRow, Row};
use common::problem::Violations;
use common::time::Timestamp;
use common::{Problem, Result, id, params};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::time::Duration;
use utoipa::ToSchema;

/// How long the former key signs beside the new one.
pub const KEY_OVERLAP: Duration = Duration::from_secs(24 * 60 * 60);
/// Longest URL, in characters.
const URL_CHARS: usize = 2048;
/// Waits before the second and each further attempt, in seconds (contract section 12).
pub const RETRY_SECONDS: &[u64] = &[5, 300, 1800, 7200, 18_000, 36_000];
/// How long attempts can be read.
pub const ATTEMPTS_KEEP: Duration = Duration::from_secs(7 * 24 * 60 * 60);

const SECRET_PURPOSE: &str = "webhook signing key";

/// The tenant's one webhook.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookSettings {
    /// Absent until something was configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "whk_01HV8ZE2G9W4P6Q8T1A3C5E7G9")]
    pub id: Option<String>,
    pub enabled: bool,
    /// Whether a test event was accepted at this URL.
    pub verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What is delivered.
    #[schema(value_type = Vec<String>)]
    pub event_types: Box<RawValue>,
    /// What can be delivered.
    #[schema(value_type = Vec<String>)]
    pub available_event_types: &'static [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

/// What to change; absent fields stay.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateWebhookSettingsRequest {
    /// Enabling needs a URL.
    pub enabled: Option<bool>,
    /// An https URL; a new one is not verified any more.
    #[schema(example = "https://example.com/hooks/flownally")]
    pub url: Option<String>,
    /// From `availableEventTypes`.
    pub event_types: Option<Vec<String>>,
}

impl FromRow for WebhookSettings {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(WebhookSettings {
            id: row.take()?,
            enabled: row.take()?,
            verified: row.take()?,
            url: row.take()?,
            event_types: RawValue::from_string(row.take()?)
                .map_err(|error| DbError::Other(error.to_string()))?,
            available_event_types: events::TYPES,
            created_at: row.take()?,
            updated_at: row.take()?,
        })
    }
}

/// The settings; a tenant without any gets the empty ones.
pub fn settings(db: &Db<'_>, tenant: &str) -> Result<WebhookSettings> {
    let found = db.row(
        "SELECT id, enabled, verified, url, event_types, created_at, updated_at FROM webhooks WHERE tenant_id = ?",
        params![tenant],
    )?;
    Ok(found.unwrap_or_else(|| WebhookSettings {
        id: None,
        enabled: false,
        verified: false,
        url: None,
        event_types: RawValue::from_string("[]".into()).unwrap_or_else(|_| RawValue::NULL.to_owned()),
        available_event_types: events::TYPES,
        created_at: None,
        updated_at: None,
    }))
}

/// Changes what is present; the first change creates the configuration.
pub fn update(
    db: &Db<'_>,
    caller: &Principal,
    request: &UpdateWebhookSettingsRequest,
    local: bool,
) -> Result<WebhookSettings> {
    let tenant = caller.tenant.as_str();
    let mut violations = Violations::new();
    if let Some(url) = &request.url {
        if url.chars().count() > URL_CHARS {
            violations.add("url", format!("must be at most {URL_CHARS} characters"));
        } else if let Err(message) = check_url(url, local) {
            violations.add("url", message);
        }
    }
    for (at, kind) in request.event_types.iter().flatten().enumerate().take(100) {
        if !events::TYPES.contains(&kind.as_str()) {
            violations
                .add(format!("eventTypes[{at}]"), format!("is not one of {}", events::TYPES.join(", ")));
        }
    }
    let before = settings(db, tenant)?;
    let url = request.url.as_deref().or(before.url.as_deref());
    let enabled = request.enabled.unwrap_or(before.enabled);
    violations.check(!enabled || url.is_some(), "url", "must be given before the webhook can be enabled");
    violations.finish()?;

    let event_types = match &request.event_types {
        Some(kinds) => {
            // In the published order, each once.
            let chosen: Vec<&&str> =
                events::TYPES.iter().filter(|kind| kinds.iter().any(|own| own == *kind)).collect();
            serde_json::to_string(&chosen).map_err(|error| Problem::internal(error.to_string()))?
        }
        None if before.id.is_none() => "[]".to_string(),
        None => before.event_types.get().to_string(),
    };
    let verified = before.verified && before.url.as_deref() == url;
    let now = Timestamp::now();
    db.run(
        "INSERT INTO webhooks (tenant_id, id, enabled, verified, url, event_types, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)
         ON CONFLICT (tenant_id) DO UPDATE SET enabled = ?3, verified = ?4, url = ?5, event_types = ?6, updated_at = ?7",
        params![tenant, id::new(id::Kind::Webhook), enabled, verified, url, event_types, now],
    )?;
    let after = settings(db, tenant)?;
    let (was, is) = (before.summary(), after.summary());
    if was != is {
        let id = after.id.as_deref().unwrap_or_default();
        audit::record(db, tenant, caller, Action::WebhookUpdated, id, json!({"from": was, "to": is}))?;
    }
    Ok(after)
}

impl WebhookSettings {
    /// What the audit log tells. Of the URL only where it leads and a mark of the rest: paths and queries of webhooks
    /// often are a secret.
    fn summary(&self) -> Value {
        let host =
            |url: &String| url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_string));
        let mark = |url: &String| hex_start(&crypto::sha256(url.as_bytes()));
        json!({
            "enabled": self.enabled, "host": self.url.as_ref().and_then(host), "urlMark": self.url.as_ref().map(mark),
            "eventTypes": self.event_types,
        })
    }
}

/// The first bytes in hex: enough to tell two apart.
fn hex_start(bytes: &[u8]) -> String {
    bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// Removes the configuration; deliveries that wait go with it. Keys and attempts stay.
pub fn delete(db: &Db<'_>, caller: &Principal) -> Result<()> {
    let tenant = caller.tenant.as_str();
    let before = settings(db, tenant)?;
    if let Some(id) = &before.id {
        audit::record(db, tenant, caller, Action::WebhookDeleted, id, json!({"from": before.summary()}))?;
    }
    db.run("DELETE FROM webhooks WHERE tenant_id = ?", params![tenant])?;
    Ok(db.run("DELETE FROM jobs WHERE tenant_id = ? AND kind = 'deliver_webhook'", params![tenant])?)
}

/// Where events may go: https anywhere but to private addresses, and, while the sandbox is on, http to
/// this machine. Names are checked by the runtime's blocked networks when they are resolved.
pub fn check_url(text: &str, local: bool) -> Result<(), &'static str> {
    let url = url::Url::parse(text).map_err(|_| "must be an absolute https URL")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or password");
    }
    let (loopback, public) = match url.host() {
        Some(url::Host::Ipv4(ip)) => (ip.is_loopback(), is_public_v4(ip)),
        Some(url::Host::Ipv6(ip)) => (ip.is_loopback(), is_public_v6(ip)),
        Some(url::Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            let inside = name == "localhost"
                || [".localhost", ".internal", ".local"].iter().any(|end| name.ends_with(end));
            (name == "localhost", !inside)
        }
        None => return Err("must name a host"),
    };
    match url.scheme() {
        "https" if public => Ok(()),
        "http" | "https" if local && loopback => Ok(()),
        "https" => Err("must not point to a private or local address"),
        _ => Err("must be an absolute https URL"),
    }
}

fn is_public_v4(ip: std::net::Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    !(ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_unspecified()
        || ip.is_broadcast()
        || ip.is_documentation()
        || ip.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b)))
}

fn is_public_v6(ip: std::net::Ipv6Addr) -> bool {
    if let Some(v4) = ip.to_ipv4_mapped() {
        return is_public_v4(v4);
    }
    // Only global unicast, without 6to4 and the documentation range, which hide or mean other addresses.
    let [first, second, ..] = ip.segments();
    (0x2000..0x4000).contains(&first) && first != 0x2002 && !(first == 0x2001 && matches!(second, 0 | 0x0db8))
}

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
    /// `whsec_…`; shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    pub plaintext_key: Option<String>,
}

struct KeyRow {
    key: WebhookSigningKey,
    sealed: String,
    disclosed: bool,
}

impl FromRow for KeyRow {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        let (id, version, created_at) = (row.take()?, row.take()?, row.take()?);
        let expires_at: Option<Timestamp> = row.take()?;
        let status = if expires_at.is_some() { "expiring" } else { "active" };
        let key = WebhookSigningKey {
            id,
            version,
            status,
            created_at,
            expires_at,
            last4: row.take()?,
            plaintext_key: None,
        };
        Ok(KeyRow { key, sealed: row.take()?, disclosed: row.take()? })
    }
}

fn key_rows(db: &Db<'_>, tenant: &str, now: Timestamp) -> Result<Vec<KeyRow>> {
    Ok(db.rows(
        "SELECT id, version, created_at, expires_at, last4, secret, disclosed FROM webhook_signing_keys
          WHERE tenant_id = ? AND (expires_at IS NULL OR expires_at > ?) ORDER BY version DESC LIMIT 2",
        params![tenant, now],
    )?)
}

fn shown(secret: &[u8]) -> String {
    format!("whsec_{}", STANDARD.encode(secret))
}

fn create_key(db: &Db<'_>, sealer: &Sealer, tenant: &str, disclosed: bool) -> Result<WebhookSigningKey> {
    let mut secret = [0_u8; 32];
    id::fill_random(&mut secret);
    let plaintext = shown(&secret);
    let last4: String = plaintext.chars().skip(plaintext.len().saturating_sub(4)).collect();
    let (id, now) = (id::new(id::Kind::SigningKey), Timestamp::now());
    let made = db.row::<(i64,)>(
        "INSERT INTO webhook_signing_keys (id, tenant_id, version, secret, last4, disclosed, created_at)
         SELECT ?1, ?2, coalesce(max(version), 0) + 1, ?3, ?4, ?5, ?6 FROM webhook_signing_keys WHERE tenant_id = ?2
         RETURNING version",
        params![id, tenant, sealer.seal(SECRET_PURPOSE, &secret)?, last4, disclosed, now],
    )?;
    Ok(WebhookSigningKey {
        id,
        version: made.map_or(1, |(version,)| version),
        status: "active",
        created_at: now,
        expires_at: None,
        last4,
        plaintext_key: disclosed.then_some(plaintext),
    })
}

/// The active and expiring keys, newest first. The first call of a tenant makes the key if there is none
/// and shows it; a key that a delivery made is shown by the first call too. Never a second time.
pub fn signing_keys(db: &Db<'_>, sealer: &Sealer, caller: &Principal) -> Result<Vec<WebhookSigningKey>> {
    let tenant = caller.tenant.as_str();
    let rows = key_rows(db, tenant, Timestamp::now())?;
    if rows.is_empty() {
        let made = create_key(db, sealer, tenant, true)?;
        let details = json!({"version": made.version});
        audit::record(db, tenant, caller, Action::WebhookKeyCreated, &made.id, details)?;
        return Ok(vec![made]);
    }
    rows.into_iter()
        .map(|row| {
            let mut key = row.key;
            if !row.disclosed {
                key.plaintext_key = Some(shown(&sealer.open(SECRET_PURPOSE, &row.sealed)?));
                db.run("UPDATE webhook_signing_keys SET disclosed = 1 WHERE id = ?", params![key.id])?;
            }
            Ok(key)
        })
        .collect()
}

/// Makes a new active key and shows it. The former signs on for 24 hours; one before that ends at once.
pub fn rotate(db: &Db<'_>, sealer: &Sealer, caller: &Principal) -> Result<WebhookSigningKey> {
    let tenant = caller.tenant.as_str();
    let now = Timestamp::now();
    db.run(
        "UPDATE webhook_signing_keys SET expires_at = CASE WHEN expires_at IS NULL THEN ?1 ELSE ?2 END
          WHERE tenant_id = ?3 AND (expires_at IS NULL OR expires_at > ?2)",
        params![now.after(KEY_OVERLAP), now, tenant],
    )?;
    let made = create_key(db, sealer, tenant, true)?;
    audit::record(db, tenant, caller, Action::WebhookKeyRotated, &made.id, json!({"version": made.version}))?;
    Ok(made)
}

/// What a delivery needs.
#[derive(Debug)]
pub struct Target {
    pub url: String,
    /// Every key that signs now.
    pub secrets: Vec<Vec<u8>>,
}

/// Where to deliver, or `None` when the webhook is off or gone. Without secrets while no key exists.
pub fn target(db: &Db<'_>, sealer: &Sealer, tenant: &str) -> Result<Option<Target>> {
    let found = db.row::<(String,)>(
        "SELECT url FROM webhooks WHERE tenant_id = ? AND enabled = 1 AND url IS NOT NULL",
        params![tenant],
    )?;
    let Some((url,)) = found else { return Ok(None) };
    let rows = key_rows(db, tenant, Timestamp::now())?;
    let secrets = rows.iter().map(|row| sealer.open(SECRET_PURPOSE, &row.sealed)).collect::<Result<_>>()?;
    Ok(Some(Target { url, secrets }))
}

/// Makes a tenant's first key when a delivery needs one: the first list call will show it.
pub fn ensure_key(db: &Db<'_>, sealer: &Sealer, tenant: &str) -> Result<()> {
    if key_rows(db, tenant, Timestamp::now())?.is_empty() {
        create_key(db, sealer, tenant, false)?;
    }
    Ok(())
}

/// `webhook-signature` after Standard Webhooks: `v1,` + base64 of HMAC-SHA256 over `id.timestamp.body`,
/// one for each key, separated by spaces.
pub fn signature(secrets: &[Vec<u8>], event: &str, seconds: i64, body: &[u8]) -> String {
    let head = format!("{event}.{seconds}.");
    let signed: Vec<String> = secrets
        .iter()
        .map(|secret| {
            format!("v1,{}", STANDARD.encode(crypto::hmac_sha256(secret, &[head.as_bytes(), body])))
        })
        .collect();
    signed.join(" ")
}

/// One attempt, as it is recorded.
#[derive(Debug)]
pub struct Attempt<'a> {
    pub event: &'a str,
    pub kind: &'a str,
    pub url: &'a str,
    pub number: i64,
    pub succeeded: bool,
    pub response_status: Option<u16>,
    pub error: Option<&'a str>,
    pub duration_ms: i64,
    pub next_at: Option<Timestamp>,
}

/// Records an attempt.
pub fn record(db: &Db<'_>, tenant: &str, attempt: &Attempt<'_>) -> Result<()> {
    Ok(db.run(
        "INSERT INTO webhook_attempts (id, tenant_id, event_id, event_type, url, succeeded, attempt, response_status,
                                       error, duration_ms, created_at, next_attempt_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            id::new(id::Kind::WebhookAttempt),
            tenant,
            attempt.event,
            attempt.kind,
            attempt.url,
            attempt.succeeded,
            attempt.number,
            attempt.response_status,
            attempt.error,
            attempt.duration_ms,
            Timestamp::now(),
            attempt.next_at
        ],
    )?)
}

/// Deletes attempts made before `before`, at most `limit`; answers how many.
pub fn forget(db: &Db<'_>, before: Timestamp, limit: u32) -> Result<usize> {
    let gone = db.rows::<(i64,)>(
        "DELETE FROM webhook_attempts WHERE seq IN
           (SELECT seq FROM webhook_attempts WHERE created_at < ? ORDER BY seq LIMIT ?) RETURNING 1",
        params![before, limit],
    )?;
    Ok(gone.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_go_to_public_https_or_locally_while_the_sandbox_is_on() {
        for good in ["https://example.com/hook", "https://8.8.8.8/", "https://[2606:4700::1111]/"] {
            assert_eq!(check_url(good, false), Ok(()), "{good}");
        }
        for bad in [
            "http://example.com/",
            "https://localhost/",
            "https://127.0.0.1/",
            "https://10.0.0.1/",
            "https://[::1]/",
            "https://169.254.169.254/",
            "https://[::ffff:10.0.0.1]/",
            "https://[2002:7f00:1::]/",
            "https://100.64.0.1/",
            "https://a:b@example.com/",
            "ftp://example.com/",
            "nope",
            "https://scheduler.spin.internal/",
            "http://127.0.0.1:9/",
        ] {
            assert!(check_url(bad, false).is_err(), "{bad}");
        }
        assert_eq!(check_url("http://127.0.0.1:9000/", true), Ok(()));
        assert_eq!(check_url("http://localhost:9000/", true), Ok(()));
        assert!(check_url("http://10.0.0.1/", true).is_err());
    }
}
