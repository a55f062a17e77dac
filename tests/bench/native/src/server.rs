//! Routes, authorization, errors.

use crate::{contacts, database, messages};
use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use rusqlite::OptionalExtension;
use sha2::{Digest, Sha256};
use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// RFC 3339 with milliseconds.
pub fn rfc3339(millis: i64) -> String {
    format!("{:.3}", jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::UNIX_EPOCH))
}

/// An answer other than success.
#[derive(Debug)]
pub struct Failure(pub StatusCode, pub String);

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Failure(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, self.1).into_response()
    }
}

/// An authorized caller.
pub struct Caller {
    pub tenant: String,
    pub account: String,
}

/// The components' statement, word for word.
const FIND_KEY: &str = "
    SELECT k.id, k.secret_hash, k.tenant_id, k.service_account_id, s.role, k.scopes, k.expires_at, k.last_used_at
      FROM api_keys k
      JOIN service_accounts s ON s.id = k.service_account_id AND s.deleted_at IS NULL
      JOIN tenants t ON t.id = k.tenant_id AND t.deleted_at IS NULL AND t.status = 'active'
     WHERE k.secret_hash = ? AND k.revoked_at IS NULL";

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let refused = || Failure(StatusCode::UNAUTHORIZED, "send an API key".into());
        let value = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let key = value.and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(refused)?;
        let hash: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        let found = database::read(|db| {
            db.prepare_cached(FIND_KEY)?
                .query_row([hash], |row| {
                    let expires_at: Option<i64> = row.get("expires_at")?;
                    let role: String = row.get("role")?;
                    Ok((row.get("tenant_id")?, row.get("service_account_id")?, expires_at, role))
                })
                .optional()
        })?;
        let (tenant, account, expires_at, role) = found.ok_or_else(refused)?;
        if expires_at.is_some_and(|end| end <= now()) || !["owner", "admin", "agent"].contains(&role.as_str())
        {
            return Err(refused());
        }
        Ok(Caller { tenant, account })
    }
}

pub fn run(path: &str, address: &str) -> Result<(), Box<dyn Error>> {
    database::use_file(path);
    let router = Router::new()
        .route("/hello", get(async || "Hello, world"))
        .route("/v1/contacts", get(contacts::list))
        .route("/v1/contacts/{id}", get(contacts::get))
        .route("/v1/messages", post(messages::create));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await?;
        println!("listening on http://{}", listener.local_addr()?);
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
            let _ = stream.set_nodelay(true);
        });
        axum::serve(listener, router).await?;
        Ok(())
    })
}
