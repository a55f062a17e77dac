//! User tokens: JWTs of our own sign-in (HS256, variable `jwt_secret`) or of an outside identity
//! provider (Ed25519 or RS256, variable `jwt_public_key` in PEM).
//!
//! Claims: `sub` is our user id, or for an outside provider the user may be named by `email`;
//! `tenantId` names the tenant, and may be absent where the user has only one; `scope` (RFC 8693,
//! separated by spaces) narrows what the role allows. What the token says of roles is not believed:
//! the membership is read with each request, so a removed member is out at once.

use crate::auth::{Actor, Principal, Role};
use crate::time::Timestamp;
use crate::{Problem, Result, db, params, settings};
use jwt_simple::prelude::*;
use std::cell::RefCell;

/// Who issues our own tokens.
const ISSUER: &str = "flownally-edge";
/// How long a sign-in lasts, in hours.
const HOURS: u64 = 12;
/// How far clocks may differ, in seconds.
const TOLERANCE_SECONDS: u64 = 30;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Private {
    #[serde(rename = "tenantId", default, skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email_verified: Option<bool>,
}

/// A token for a person in a tenant, and when it ends.
pub async fn issue(user: &str, tenant: &str) -> Result<(String, Timestamp)> {
    let key = HS256Key::from_bytes(settings::required("jwt_secret").await?.as_bytes());
    let private = Private { tenant: Some(tenant.into()), ..Private::default() };
    let claims = Claims::with_custom_claims(private, Duration::from_hours(HOURS))
        .with_issuer(ISSUER)
        .with_subject(user);
    let ends = Timestamp::now().after(std::time::Duration::from_secs(HOURS.saturating_mul(3600)));
    let token = key.authenticate(claims).map_err(|error| Problem::internal(format!("jwt: {error}")))?;
    Ok((token, Timestamp::from_seconds(ends.seconds())))
}

fn invalid() -> Problem {
    Problem::unauthorized("The token is not valid: it is malformed, expired, or not signed by us.")
}

enum PublicKey {
    Ed25519(Ed25519PublicKey),
    Rs256(Box<RS256PublicKey>),
}

thread_local! {
    static OUTSIDE: RefCell<Option<std::sync::Arc<PublicKey>>> = const { RefCell::new(None) };
}

/// The identity provider's key, parsed once an instance.
async fn outside_key() -> Result<Option<std::sync::Arc<PublicKey>>> {
    if let Some(key) = OUTSIDE.with_borrow(Clone::clone) {
        return Ok(Some(key));
    }
    let Some(pem) = settings::get("jwt_public_key").await else { return Ok(None) };
    // Variables often carry the line breaks of a PEM as `\n`.
    let pem = pem.replace("\\n", "\n");
    let key = Ed25519PublicKey::from_pem(&pem)
        .map(PublicKey::Ed25519)
        .or_else(|_| RS256PublicKey::from_pem(&pem).map(|key| PublicKey::Rs256(Box::new(key))))
        .map_err(|_| {
            Problem::internal("jwt_public_key is neither an Ed25519 nor an RSA public key in PEM")
        })?;
    let key = std::sync::Arc::new(key);
    OUTSIDE.set(Some(key.clone()));
    Ok(Some(key))
}

/// Checks the signature by the algorithm that the *key* is for: what the token's header asks for only
/// chooses between keys, and `none` chooses nothing.
async fn claims(token: &str) -> Result<JWTClaims<Private>> {
    let header = Token::decode_metadata(token).map_err(|_| invalid())?;
    let mut options = VerificationOptions {
        time_tolerance: Some(Duration::from_secs(TOLERANCE_SECONDS)),
        ..Default::default()
    };
    if header.algorithm() == "HS256" {
        options.allowed_issuers = Some(HashSet::from_strings(&[ISSUER]));
        let secret = settings::required("jwt_secret").await?;
        return HS256Key::from_bytes(secret.as_bytes())
            .verify_token(token, Some(options))
            .map_err(|_| invalid());
    }
    let issuer = settings::get("jwt_issuer").await;
    let audience = settings::get("jwt_audience").await;
    options.allowed_issuers = issuer.map(|issuer| HashSet::from_strings(&[issuer]));
    options.allowed_audiences = audience.map(|audience| HashSet::from_strings(&[audience]));
    let key = outside_key_claims(token, options).await?;
    Ok(key)
}

async fn outside_key_claims(token: &str, options: VerificationOptions) -> Result<JWTClaims<Private>> {
    let key = outside_key().await?.ok_or_else(invalid)?;
    match &*key {
        PublicKey::Ed25519(key) => key.verify_token(token, Some(options)),
        PublicKey::Rs256(key) => key.verify_token(token, Some(options)),
    }
    .map_err(|_| invalid())
}

const FIND: &str = "
    SELECT m.user_id, m.tenant_id, m.role
      FROM users u
      JOIN memberships m ON m.user_id = u.id
      JOIN tenants t ON t.id = m.tenant_id AND t.deleted_at IS NULL AND t.status = 'active'
     WHERE (u.id = ?1 OR u.email = ?2) AND u.disabled_at IS NULL AND (?3 IS NULL OR m.tenant_id = ?3)
       AND (u.sessions_since IS NULL OR u.id IS NOT ?1 OR ?4 > u.sessions_since)
     LIMIT 2";

pub(super) async fn authenticate(token: &str) -> Result<Principal> {
    let claims = claims(token).await?;
    if claims.expires_at.is_none() {
        return Err(invalid());
    }
    let private = claims.custom;
    // Only an address that the provider has verified names a person.
    let email =
        private.email.filter(|_| private.email_verified == Some(true)).map(|mail| mail.to_lowercase());
    // Whole seconds, rounded down: of the second in which sessions were ended none is left.
    let issued =
        claims.issued_at.and_then(|at| i64::try_from(at.as_secs()).ok()).map(Timestamp::from_seconds);
    let members = db::read(|db| {
        let values = params![claims.subject, email, private.tenant, issued];
        Ok(db.rows::<(String, String, String)>(FIND, values)?)
    })
    .await?;
    let mut members = members.into_iter();
    let (Some((user, tenant, role)), None) = (members.next(), members.next()) else {
        return Err(Problem::unauthorized(
            "The token names no tenant of yours: sign in again, naming one of your tenants.",
        ));
    };
    Ok(Principal {
        tenant,
        actor: Actor::User(user),
        role: Role::parse(&role).ok_or_else(|| Problem::internal("a membership has an unknown role"))?,
        scopes: private.scope.map(|scope| scope.split_whitespace().map(str::to_string).collect()),
    })
}
