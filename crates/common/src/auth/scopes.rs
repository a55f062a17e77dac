//! Every scope there is, and which roles may have it (contract section 2, and one of our own).
//!
//! A scope that is not in this table is nobody's: an operation that asks for it is refused to all.

use crate::auth::Role;

/// Open to owners, admins and agents.
const ALL_ROLES: &[&str] = &[
    "contact:create",
    "contact:delete",
    "contact:list",
    "contact:read",
    "contact:update",
    "conversation:assign",
    "conversation:close",
    "conversation:list",
    "conversation:read",
    "custom_field:create",
    "custom_field:delete",
    "custom_field:list",
    "custom_field:update",
    "event:create",
    "event:list",
    "event:read",
    "event_type:create",
    "event_type:delete",
    "event_type:list",
    "event_type:read",
    "event_type:update",
    "inbox:list",
    "inbox:read",
    "journey:activate",
    "journey:create",
    "journey:delete",
    "journey:list",
    "journey:publish",
    "journey:read",
    "journey:update",
    "message:create",
    "tag:create",
    "tag:delete",
    "tag:list",
    "team:list",
    "team:read",
    "user:list",
    "user:read",
    "user:read_self",
    "user:update_self",
];

/// Open to owners and admins.
const ADMINS: &[&str] = &[
    "api_key:create",
    "api_key:list",
    "api_key:revoke",
    "billing:read",
    "inbox:create",
    "inbox:delete",
    "inbox:update",
    "team:assign_user",
    "team:create",
    "team:delete",
    "team:remove_user",
    "team:update",
    "user:assign_role_admin",
    "user:assign_role_agent",
    "user:assign_role_owner",
    "webhook:delete",
    "webhook:read",
    "webhook:update",
];

/// Open to owners and admins, for operations beyond the contract.
const ADDED: &[&str] = &["audit_log:read"];

/// Whether there is such a scope.
pub fn is_known(scope: &str) -> bool {
    ALL_ROLES.contains(&scope) || ADMINS.contains(&scope) || ADDED.contains(&scope)
}

/// Whether a role may have a scope.
pub fn allows(role: Role, scope: &str) -> bool {
    ALL_ROLES.contains(&scope) || (role != Role::Agent && is_known(scope))
}

/// All scopes of a role, each once.
pub fn of(role: Role) -> impl Iterator<Item = &'static str> {
    ALL_ROLES.iter().chain(ADMINS).chain(ADDED).copied().filter(move |scope| allows(role, scope))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const CONTRACT: &str = include_str!("../../../../tests/contract/flownally-operations.json");

    #[derive(serde::Deserialize)]
    struct Published {
        scopes: Vec<String>,
        roles: Vec<Role>,
    }

    #[test]
    fn the_table_is_the_contracts() {
        let published: Vec<Published> = serde_json::from_str(CONTRACT).unwrap();
        let mut named = BTreeSet::new();
        for operation in &published {
            for scope in &operation.scopes {
                named.insert(scope.as_str());
                for role in Role::ALL {
                    assert_eq!(allows(*role, scope), operation.roles.contains(role), "{scope} for {role:?}");
                }
            }
        }
        assert_eq!(ADDED.iter().filter(|scope| named.contains(*scope)).count(), 0);
        named.extend(ADDED);
        assert_eq!(of(Role::Owner).collect::<BTreeSet<_>>(), named);
        assert_eq!((of(Role::Owner).count(), of(Role::Agent).count()), (59, 40));
    }

    #[test]
    fn unknown_scopes_are_nobodys() {
        assert!(!is_known("contact:burn"));
        assert!(!allows(Role::Owner, "contact:burn"));
    }
}
