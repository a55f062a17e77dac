//! Who may give whom which role (contract section 10).
//!
//! Owners may do everything, admins turn agents into admins and back, agents nothing. Nobody changes their own role,
//! and an owner who can act stays. All of it is judged in the transaction of the change, also what the caller is:
//! of two owners who demote each other at once, the second is an owner no more.

use super::profile::{self, Profile};
use crate::accounts::members;
use crate::audit::{self, Action};
use common::auth::{Actor, Principal, Role, denied};
use common::db::Db;
use common::time::Timestamp;
use common::{Problem, Result, params};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// The scopes of assigning roles; the one of the role counts.
pub const SCOPES: &[&str] = &["user:assign_role_admin", "user:assign_role_agent", "user:assign_role_owner"];

/// The role that somebody is to have.
#[derive(Debug, Deserialize, ToSchema)]
pub struct UpdateUserRoleRequest {
    /// `owner`, `admin` or `agent`.
    #[serde(default)]
    #[schema(value_type = Role, required = true, example = "admin")]
    pub role: Value,
}

impl UpdateUserRoleRequest {
    /// The role, or a 400: also where it is missing or no text.
    fn role(&self) -> Result<Role> {
        self.role.as_str().and_then(Role::parse).ok_or_else(|| {
            Problem::malformed("The role must be owner, admin or agent.")
                .with_code("auth_user_invalid_role")
                .with_error("role", "must be owner, admin or agent")
        })
    }
}

fn scope_of(role: Role) -> &'static str {
    match role {
        Role::Owner => "user:assign_role_owner",
        Role::Admin => "user:assign_role_admin",
        Role::Agent => "user:assign_role_agent",
    }
}

/// The caller with the role that they have now, in this transaction.
pub(super) fn refreshed(db: &Db<'_>, caller: &Principal) -> Result<Principal> {
    let role = role_now(db, &caller.tenant, caller.actor.id())?;
    let role = role.ok_or_else(|| Problem::unauthorized("You have just lost your place in this tenant."))?;
    Ok(Principal { role, ..caller.clone() })
}

/// The role of a person or service account, `?2`, in a tenant, `?1`; no row for who is out.
const NOW: &str = "
    SELECT m.role FROM memberships m
     WHERE m.tenant_id = ?1 AND m.user_id = ?2
       AND (SELECT u.disabled_at FROM users u WHERE u.id = m.user_id) IS NULL
    UNION ALL
    SELECT s.role FROM service_accounts s WHERE s.tenant_id = ?1 AND s.id = ?2 AND s.deleted_at IS NULL";

/// The role that somebody, person or service account, has in a tenant now.
pub(super) fn role_now(db: &Db<'_>, tenant: &str, actor: &str) -> Result<Option<Role>> {
    let found = db.row::<(String,)>(NOW, params![tenant, actor])?;
    Ok(found.and_then(|(role,)| Role::parse(&role)))
}

/// Whether a role may hand out another, by the matrix: owners all, admins all but owner, agents none.
pub(super) fn may_assign(own: Role, other: Role) -> bool {
    own != Role::Agent && own.may_grant(other)
}

/// 403 unless the caller may hand out a role: by their own role, and by the scopes of their credential.
pub(super) fn check_assign(caller: &Principal, role: Role) -> Result<()> {
    let scope = scope_of(role);
    if !may_assign(caller.role, role) {
        let text =
            format!("Your role is {}: you cannot assign the role {}.", caller.role.as_str(), role.as_str());
        return Err(Problem::forbidden(denied(scope), text));
    }
    if !caller.has_scope(scope) {
        return Err(Problem::forbidden(denied(scope), format!("The credential lacks the scope {scope}.")));
    }
    Ok(())
}

/// Gives a member another role. The checks and their order are the contract's: the role is one (400), the member
/// exists (404) and is not the caller (400), the caller has the authority (403), an owner stays (409). The role
/// that they have already changes nothing.
pub fn update(
    db: &Db<'_>,
    caller: &Principal,
    user: &str,
    request: &UpdateUserRoleRequest,
) -> Result<Profile> {
    let role = request.role()?;
    let target = profile::find(db, &caller.tenant, user)?;
    if caller.actor == Actor::User(user.to_string()) {
        return Err(Problem::malformed("Nobody changes their own role: ask another owner.")
            .with_code("auth_user_self_role_change_forbidden"));
    }
    let caller = refreshed(db, caller)?;
    check_assign(&caller, role)?;
    if target.role == Role::Owner && caller.role != Role::Owner {
        return Err(Problem::forbidden(
            "auth_user_role_assignment_forbidden",
            "They are an owner: only an owner may take that from them.",
        ));
    }
    if target.role == role {
        return Ok(target);
    }
    if target.role == Role::Owner && !members::has_other_owner(db, &caller.tenant, user)? {
        return Err(Problem::conflict(
            "auth_user_last_owner_required",
            "They are the last owner: make somebody else an owner first.",
        ));
    }
    db.run(
        "UPDATE memberships SET role = ?, updated_at = ? WHERE tenant_id = ? AND user_id = ?",
        params![role.as_str(), Timestamp::now(), caller.tenant, user],
    )?;
    let details = json!({ "from": target.role.as_str(), "to": role.as_str() });
    audit::record(db, &caller.tenant, &caller, Action::UserRoleChanged, user, details)?;
    profile::find(db, &caller.tenant, user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_owners_make_owners() {
        let may = |own, other| may_assign(own, other);
        for role in Role::ALL {
            assert!(may(Role::Owner, *role));
            assert!(!may(Role::Agent, *role), "agents assign nothing, not even agent");
        }
        assert!(may(Role::Admin, Role::Admin) && may(Role::Admin, Role::Agent));
        assert!(!may(Role::Admin, Role::Owner));
    }

    #[test]
    fn a_role_is_one_of_three_words() {
        let role = |body: Value| serde_json::from_value::<UpdateUserRoleRequest>(body).unwrap().role();
        assert_eq!(role(json!({"role": "owner"})).unwrap(), Role::Owner);
        for wrong in [
            json!({}),
            json!({"role": null}),
            json!({"role": 1}),
            json!({"role": "Owner"}),
            json!({"role": "boss"}),
        ] {
            let problem = role(wrong).unwrap_err();
            assert_eq!((problem.status.as_u16(), problem.code.as_str()), (400, "auth_user_invalid_role"));
        }
    }

    #[test]
    fn the_scope_is_that_of_the_role() {
        assert!(Role::ALL.iter().all(|role| SCOPES.contains(&scope_of(*role))));
        let caller = |scope: &str| Principal {
            tenant: "tn_1".into(),
            actor: Actor::ServiceAccount("svc_1".into()),
            role: Role::Owner,
            scopes: Some(vec![scope.into()]),
        };
        assert!(check_assign(&caller("user:assign_role_agent"), Role::Agent).is_ok());
        let refused = check_assign(&caller("user:assign_role_agent"), Role::Admin).unwrap_err();
        assert_eq!(
            (refused.status.as_u16(), refused.code.as_str()),
            (403, "auth_authz_user_assign_role_denied")
        );
    }
}
