//! `Idempotency-Key` on POST: the same key and body have one effect and one answer, for 24 hours.
//!
//! The answer is stored in the transaction of the effect, so there is no moment at which one exists
//! without the other. The scope of a key is tenant, method and path. An equal body replays the stored
//! answer with `Idempotent-Replay: true`; another body is a 422. An operation whose effect takes more
//! than one transaction reserves the key first: who comes meanwhile gets a 409 with `Retry-After`.

use crate::crypto::{self, Sealer};
use crate::db::{self, Db};
use crate::time::Timestamp;
use crate::{Problem, Result, limits, params};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

/// Name of the request header.
pub const HEADER: &str = "idempotency-key";
/// Set to `true` on a replayed answer.
pub const REPLAY_HEADER: &str = "idempotent-replay";
/// What sealed answers are sealed for.
const PURPOSE: &str = "idempotent answer";
/// What the fingerprints of bodies beside them are sealed for.
const FINGERPRINT_PURPOSE: &str = "idempotent body";

/// What a POST asks for: to run once under a key, or, without one, just to run.
#[derive(Debug)]
pub struct Once {
    key: Option<Key>,
    secret: bool,
}

/// What a POST asks for whose body is too large to be held: what the body is known by comes when all of it was read.
///
/// Nothing is reserved meanwhile, so nothing blocks a retry of a request that was cut off. Of several with one key
/// the first that was read decides, and [`Once::write`] answers the others like it.
#[derive(Debug)]
pub struct Unread {
    key: Option<(String, String)>,
}

impl Unread {
    /// Reads the header; 400 where it breaks a rule.
    pub fn from_request(parts: &Parts) -> Result<Self> {
        let Some(value) = parts.headers.get(HEADER) else { return Ok(Unread { key: None }) };
        let text = value.to_str().ok().filter(|text| {
            !text.is_empty()
                && text.len() <= limits::IDEMPOTENCY_KEY_CHARS
                && text.bytes().all(|byte| byte.is_ascii_graphic())
        });
        let Some(text) = text else {
            return Err(Problem::parameter("Idempotency-Key", "must be 1 to 255 visible ASCII characters"));
        };
        let operation = format!("{} {}", parts.method, parts.uri.path());
        Ok(Unread { key: Some((text.to_string(), operation)) })
    }

    /// Whether an answer is stored under the key: the body then only needs reading to be compared.
    pub async fn is_answered(&self, scope: &str) -> Result<bool> {
        let Some((text, operation)) = &self.key else { return Ok(false) };
        db::read(|db| {
            Ok(db.touches(
                "SELECT 1 FROM idempotency_keys
                  WHERE tenant_id = ? AND operation = ? AND key = ? AND expires_at > ? AND status IS NOT NULL",
                params![scope, operation, text, Timestamp::now()],
            )?)
        })
        .await
    }

    /// The body was read: `fingerprint` is what tells it from others.
    pub fn read(self, fingerprint: [u8; 32]) -> Once {
        let key = self.key.map(|(text, operation)| Key { text, operation, fingerprint });
        Once { key, secret: false }
    }
}

#[derive(Debug)]
struct Key {
    text: String,
    operation: String,
    fingerprint: [u8; 32],
}

struct Stored {
    status: u16,
    body: String,
}

enum Outcome {
    Made(String),
    Known(Stored),
}

impl Once {
    pub(crate) fn from_request(parts: &Parts, body: &[u8]) -> Result<Self> {
        Ok(Unread::from_request(parts)?.read(crypto::sha256(body)))
    }

    /// Body or answer hold a secret. The answer is stored sealed, and so is the body's fingerprint: a plain
    /// hash of a body with a password in it could be used to guess the password.
    #[must_use]
    pub fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// Runs `effect` in a transaction and answers its result as JSON, or replays the stored answer.
    pub async fn write<T: Serialize>(
        &self,
        scope: &str,
        status: StatusCode,
        effect: impl FnOnce(&Db<'_>) -> Result<T>,
    ) -> Result<Response> {
        let Some(key) = &self.key else {
            let made = db::write(effect).await?;
            return Ok(answer(status, json(&made)?));
        };
        let sealer = self.sealer().await?;
        let outcome = db::write(|db| {
            if let Some(stored) = key.lookup(db, scope, sealer.as_ref())? {
                return Ok(Outcome::Known(stored));
            }
            let body = json(&effect(db)?)?;
            key.store(db, scope, status, &body, sealer.as_ref())?;
            Ok(Outcome::Made(body))
        })
        .await?;
        match outcome {
            Outcome::Made(body) => Ok(answer(status, body)),
            Outcome::Known(stored) => replay(sealer.as_ref(), stored),
        }
    }

    /// Reserves the key before an effect of several steps. `Some` is a stored answer to give at once.
    pub async fn reserve(&self, scope: &str) -> Result<Option<Response>> {
        let Some(key) = &self.key else { return Ok(None) };
        let sealer = self.sealer().await?;
        let known = db::write(|db| {
            let stored = key.lookup(db, scope, sealer.as_ref())?;
            if stored.is_none() {
                key.reserve(db, scope, sealer.as_ref())?;
            }
            Ok(stored)
        })
        .await?;
        known.map(|stored| replay(sealer.as_ref(), stored)).transpose()
    }

    /// Gives a reserved key back after an effect that failed, so that the caller may try again.
    pub async fn release(&self, scope: &str) -> Result<()> {
        let Some(key) = &self.key else { return Ok(()) };
        db::write(|db| {
            Ok(db.run(
                "DELETE FROM idempotency_keys WHERE tenant_id = ? AND operation = ? AND key = ? AND status IS NULL",
                params![scope, key.operation, key.text],
            )?)
        })
        .await
    }

    /// Ends a reserved effect: runs its last transaction and stores the answer with it.
    pub async fn finish<T: Serialize>(
        &self,
        scope: &str,
        status: StatusCode,
        effect: impl FnOnce(&Db<'_>) -> Result<T>,
    ) -> Result<Response> {
        let sealer = self.sealer().await?;
        let body = db::write(|db| {
            let body = json(&effect(db)?)?;
            if let Some(key) = &self.key {
                key.store(db, scope, status, &body, sealer.as_ref())?;
            }
            Ok(body)
        })
        .await?;
        Ok(answer(status, body))
    }

    async fn sealer(&self) -> Result<Option<Sealer>> {
        if self.secret && self.key.is_some() { Sealer::from_settings().await.map(Some) } else { Ok(None) }
    }
}

impl Key {
    fn lookup(&self, db: &Db<'_>, scope: &str, sealer: Option<&Sealer>) -> Result<Option<Stored>> {
        let found = db.row::<(Vec<u8>, Option<u16>, Option<String>)>(
            "SELECT fingerprint, status, body FROM idempotency_keys
              WHERE tenant_id = ? AND operation = ? AND key = ? AND expires_at > ?",
            params![scope, self.operation, self.text, Timestamp::now()],
        )?;
        let Some((fingerprint, status, body)) = found else { return Ok(None) };
        let same = match (sealer, std::str::from_utf8(&fingerprint)) {
            (None, _) => fingerprint == self.fingerprint,
            (Some(sealer), Ok(sealed)) => sealer.open(FINGERPRINT_PURPOSE, sealed)? == self.fingerprint,
            (Some(_), Err(_)) => false,
        };
        if !same {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "This Idempotency-Key was used with another body. Use a new key for a new request.",
            ));
        }
        let (Some(status), Some(body)) = (status, body) else {
            return Err(Problem::conflict(
                "idempotency_key_in_flight",
                "A request with this Idempotency-Key is still running. Try again in a moment.",
            )
            .with_retry_after(1));
        };
        Ok(Some(Stored { status, body }))
    }

    fn store(
        &self,
        db: &Db<'_>,
        scope: &str,
        status: StatusCode,
        body: &str,
        sealer: Option<&Sealer>,
    ) -> Result<()> {
        let answer = Stored { status: status.as_u16(), body: seal(sealer, body)? };
        self.put(db, scope, Some(answer), Timestamp::now().after(limits::IDEMPOTENCY_KEEP), sealer)
    }

    fn reserve(&self, db: &Db<'_>, scope: &str, sealer: Option<&Sealer>) -> Result<()> {
        self.put(db, scope, None, Timestamp::now().after(limits::IDEMPOTENCY_LEASE), sealer)
    }

    fn put(
        &self,
        db: &Db<'_>,
        scope: &str,
        answer: Option<Stored>,
        end: Timestamp,
        sealer: Option<&Sealer>,
    ) -> Result<()> {
        let fingerprint = match sealer {
            None => self.fingerprint.to_vec(),
            Some(sealer) => sealer.seal(FINGERPRINT_PURPOSE, &self.fingerprint)?.into_bytes(),
        };
        let (status, body) = answer.map(|answer| (answer.status, answer.body)).unzip();
        Ok(db.run(
            "INSERT OR REPLACE INTO idempotency_keys
               (tenant_id, operation, key, fingerprint, status, body, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            params![scope, self.operation, self.text, fingerprint, status, body, end],
        )?)
    }
}

fn json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Problem::internal(format!("an answer is no JSON: {error}")))
}

fn seal(sealer: Option<&Sealer>, body: &str) -> Result<String> {
    sealer.map_or_else(|| Ok(body.to_string()), |sealer| sealer.seal(PURPOSE, body.as_bytes()))
}

fn replay(sealer: Option<&Sealer>, stored: Stored) -> Result<Response> {
    let body = match sealer {
        None => stored.body,
        Some(sealer) => String::from_utf8(sealer.open(PURPOSE, &stored.body)?)
            .map_err(|_| Problem::internal("a stored answer is not UTF-8"))?,
    };
    let status = StatusCode::from_u16(stored.status).unwrap_or(StatusCode::OK);
    let mut response = answer(status, body);
    response.headers_mut().insert(REPLAY_HEADER, HeaderValue::from_static("true"));
    Ok(response)
}

fn answer(status: StatusCode, body: String) -> Response {
    if status == StatusCode::NO_CONTENT {
        return status.into_response();
    }
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}

/// Deletes expired keys, at most `limit` of them; answers how many.
pub fn forget_expired(db: &Db<'_>, limit: u32) -> Result<usize> {
    let gone = db.rows::<(i64,)>(
        "DELETE FROM idempotency_keys WHERE (tenant_id, operation, key) IN (
           SELECT tenant_id, operation, key FROM idempotency_keys WHERE expires_at <= ? LIMIT ?) RETURNING 1",
        params![Timestamp::now(), limit],
    )?;
    Ok(gone.len())
}
