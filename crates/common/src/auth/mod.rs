//! Who calls, and whether they may.
//!
//! Each operation declares its [`Access`] beside its route. A handler of a tenant operation takes a
//! [`Principal`]: extracting it reads the bearer token, finds the caller with one statement and
//! checks the declared scopes and roles. The tenant of every query comes from there, so a handler
//! cannot forget it.

pub mod api_key;
pub mod password;
pub mod scopes;
pub mod token;

use crate::routes::Operation;
use crate::{Problem, Result, crypto, limits, settings};
use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;

/// A role in a tenant (contract section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Owner,
    Admin,
    Agent,
}

impl Role {
    pub const ALL: &'static [Role] = &[Role::Owner, Role::Admin, Role::Agent];
    pub const ADMINS: &'static [Role] = &[Role::Owner, Role::Admin];

    pub fn as_str(self) -> &'static str {
        match self {
            Role::Owner => "owner",
            Role::Admin => "admin",
            Role::Agent => "agent",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Role::ALL.iter().copied().find(|role| role.as_str() == text)
    }

    /// Whether who has this role may hand out the other: nobody grants more than they have.
    pub fn may_grant(self, other: Role) -> bool {
        let rank = |role| match role {
            Role::Owner => 2,
            Role::Admin => 1,
            Role::Agent => 0,
        };
        rank(self) >= rank(other)
    }
}

/// What an operation asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Access {
    /// Anybody.
    Public,
    /// A member or a service account of a tenant, with all scopes and one of the roles.
    Tenant { scopes: &'static [&'static str], roles: &'static [Role] },
    /// The platform token in `api_access_token` (chatwoot notes section 1.2).
    Platform,
    /// The tick token: the clock and our own components.
    Internal,
    /// A provider's signature over the raw body, or its handshake token.
    Signed,
}

/// Software or a person.
#[derive(Clone, Debug, PartialEq)]
pub enum Actor {
    User(String),
    ServiceAccount(String),
}

impl Actor {
    /// `usr_…` or `svc_…`.
    pub fn id(&self) -> &str {
        match self {
            Actor::User(id) | Actor::ServiceAccount(id) => id,
        }
    }
}

/// An authorized caller.
#[derive(Clone, Debug)]
pub struct Principal {
    /// `tn_…`: the tenant of everything this caller sees and does.
    pub tenant: String,
    pub actor: Actor,
    pub role: Role,
    /// `None`: all that the role allows.
    pub scopes: Option<Vec<String>>,
}

impl Principal {
    /// Whether the caller has a scope: the role must allow it, and a limited credential must name it.
    pub fn has_scope(&self, scope: &str) -> bool {
        scopes::allows(self.role, scope)
            && self.scopes.as_ref().is_none_or(|scopes| scopes.iter().any(|own| own == scope))
    }

    fn may(&self, operation: &Operation) -> Result<()> {
        let Access::Tenant { scopes, roles } = operation.access else {
            return Err(Problem::internal(format!("{} is no tenant operation", operation.id)));
        };
        if !roles.contains(&self.role) {
            let named: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
            return Err(Problem::forbidden(
                denied(scopes.first().copied().unwrap_or("operation:call")),
                format!("This needs one of the roles {}; yours is {}.", named.join(", "), self.role.as_str()),
            ));
        }
        let lacked = scopes.iter().find(|scope| !self.has_scope(scope));
        let enters = operation.scope_by_role && scopes.iter().any(|scope| self.has_scope(scope));
        match lacked {
            Some(scope) if !enters => {
                Err(Problem::forbidden(denied(scope), format!("The credential lacks the scope {scope}.")))
            }
            _ => Ok(()),
        }
    }

    /// Where an `Idempotency-Key` counts whose answer only the caller may read again: somebody with a lesser role
    /// must not get what they could not have asked for.
    pub fn own_scope(&self) -> String {
        format!("{}/{}", self.tenant, self.actor.id())
    }

    /// The id of the person who calls, for what is about themselves: an API key is nobody, 403 by this scope.
    pub fn person(&self, scope: &str) -> Result<&str> {
        match &self.actor {
            Actor::User(id) => Ok(id),
            Actor::ServiceAccount(_) => Err(Problem::forbidden(
                denied(scope),
                "This is about the person who calls; an API key is none. Use a user token.",
            )),
        }
    }
}

/// `auth_authz_<resource>_<action>_denied` (contract section 3). The scopes of assigning a role share one code.
pub fn denied(scope: &str) -> String {
    let scope = if scope.starts_with("user:assign_role_") { "user:assign_role" } else { scope };
    format!("auth_authz_{}_denied", scope.replace(':', "_"))
}

impl<S: Send + Sync> FromRequestParts<S> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        Credential::of(parts)?.check().await
    }
}

/// What a caller of a tenant operation has shown: for requests that outlive the moment in which it was checked.
#[derive(Clone)]
pub struct Credential {
    operation: &'static Operation,
    token: String,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("operation", &self.operation.id).finish_non_exhaustive()
    }
}

impl Credential {
    fn of(parts: &Parts) -> Result<Self> {
        Ok(Credential { operation: operation(parts)?, token: bearer(&parts.headers)?.to_string() })
    }

    /// Who it stands for and whether they may call the operation, now.
    pub async fn check(&self) -> Result<Principal> {
        let principal = if api_key::looks_like_one(&self.token) {
            api_key::authenticate(&self.token).await?
        } else {
            token::authenticate(&self.token).await?
        };
        principal.may(self.operation)?;
        Ok(principal)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Credential {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        Credential::of(parts)
    }
}

/// A caller that holds the platform token.
#[derive(Clone, Copy, Debug)]
pub struct PlatformApp;

impl<S: Send + Sync> FromRequestParts<S> for PlatformApp {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        expect_access(operation(parts)?, Access::Platform)?;
        // Proxies drop header names with underscores: both spellings count (chatwoot notes 1.2).
        let given = parts.headers.get("api_access_token").or_else(|| parts.headers.get("api-access-token"));
        let given = given.map(http::HeaderValue::as_bytes).unwrap_or_default();
        let expected = settings::required("platform_token").await?;
        // Hashing first makes the comparison's time independent of the lengths too.
        if crypto::equal(&crypto::sha256(given), &crypto::sha256(expected.as_bytes())) {
            Ok(PlatformApp)
        } else {
            Err(Problem::unauthorized("Send the platform token in the header api_access_token."))
        }
    }
}

/// The clock, or one of our own components.
#[derive(Clone, Copy, Debug)]
pub struct Internal;

impl<S: Send + Sync> FromRequestParts<S> for Internal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        expect_access(operation(parts)?, Access::Internal)?;
        let given = bearer(&parts.headers)?;
        let expected = settings::required("tick_token").await?;
        if crypto::equal(&crypto::sha256(given.as_bytes()), &crypto::sha256(expected.as_bytes())) {
            Ok(Internal)
        } else {
            Err(Problem::unauthorized("Send the tick token as a bearer token."))
        }
    }
}

fn expect_access(operation: &Operation, access: Access) -> Result<()> {
    if operation.access == access {
        Ok(())
    } else {
        Err(Problem::internal(format!("{} declares other access than its handler asks for", operation.id)))
    }
}

/// The operation that the router put beside the request.
pub fn operation(parts: &Parts) -> Result<&'static Operation> {
    parts
        .extensions
        .get::<&'static Operation>()
        .copied()
        .ok_or_else(|| Problem::internal("the route was not declared with Routes::add"))
}

fn bearer(headers: &HeaderMap) -> Result<&str> {
    let missing =
        || Problem::unauthorized("Send your API key or user token as Authorization: Bearer <token>.");
    let value = headers.get(http::header::AUTHORIZATION).ok_or_else(missing)?;
    let text = value.to_str().map_err(|_| missing())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(missing)?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || token.len() > limits::TOKEN_CHARS {
        return Err(missing());
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_bearer_tokens_only() {
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", value.parse().unwrap());
            bearer(&headers).map(str::to_string).map_err(|p| p.status.as_u16())
        };
        assert_eq!(with("Bearer abc"), Ok("abc".into()));
        assert_eq!(with("bearer  abc"), Ok("abc".into()));
        assert_eq!(with("Basic abc"), Err(401));
        assert_eq!(with("Bearer "), Err(401));
        assert_eq!(with("abc"), Err(401));
        assert_eq!(bearer(&HeaderMap::new()).unwrap_err().status, 401);
    }

    #[test]
    fn a_scope_needs_the_role_and_the_credential() {
        let caller = |role, scopes: Option<&[&str]>| Principal {
            tenant: "tn_1".into(),
            actor: Actor::ServiceAccount("svc_1".into()),
            role,
            scopes: scopes.map(|scopes| scopes.iter().map(|scope| (*scope).to_string()).collect()),
        };
        assert!(caller(Role::Admin, None).has_scope("api_key:list"));
        assert!(!caller(Role::Agent, None).has_scope("api_key:list"));
        assert!(!caller(Role::Agent, Some(&["api_key:list"])).has_scope("api_key:list"));
        assert!(!caller(Role::Admin, Some(&["contact:read"])).has_scope("api_key:list"));
        assert!(caller(Role::Agent, Some(&["contact:read"])).has_scope("contact:read"));
    }

    #[test]
    fn nobody_grants_more_than_they_have() {
        assert!(Role::Owner.may_grant(Role::Owner));
        assert!(!Role::Admin.may_grant(Role::Owner));
        assert!(Role::Admin.may_grant(Role::Agent));
        assert!(!Role::Agent.may_grant(Role::Admin));
    }

    #[test]
    fn denial_codes_follow_the_scope() {
        assert_eq!(denied("contact:create"), "auth_authz_contact_create_denied");
        assert_eq!(denied("user:assign_role_owner"), "auth_authz_user_assign_role_denied");
    }

    #[test]
    fn one_scope_of_several_is_enough_where_the_role_asked_for_decides() {
        let caller = |scope: &str| Principal {
            tenant: "tn_1".into(),
            actor: Actor::ServiceAccount("svc_1".into()),
            role: Role::Admin,
            scopes: Some(vec![scope.into()]),
        };
        let both = || Operation::put("/", "x").tenant(&["team:read", "team:list"], Role::ALL);
        assert!(caller("team:list").may(&both().scope_by_role()).is_ok());
        assert_eq!(caller("team:list").may(&both()).unwrap_err().code, "auth_authz_team_read_denied");
        assert_eq!(caller("tag:list").may(&both().scope_by_role()).unwrap_err().status, 403);
        assert_eq!(
            caller("x").person("user:read_self").unwrap_err().code,
            "auth_authz_user_read_self_denied"
        );
    }
}
