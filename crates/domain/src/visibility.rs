//! Which conversations a caller may see (contract section 2): owners and admins all; agents those of their
//! teams, those assigned to them and those without a team. What is out of sight is a 404.

use common::auth::{Principal, Role};

/// Who looks, for [`visible`]: `None` sees everything of the tenant.
pub fn viewer(caller: &Principal) -> Option<&str> {
    (caller.role == Role::Agent).then(|| caller.actor.id())
}

/// A condition on `identities i`, true or false and never NULL; `?{number}` is to be bound to [`viewer`].
pub fn visible(number: u32) -> String {
    format!(
        "(?{number} IS NULL OR i.team_id IS NULL OR i.assignee_id IS ?{number}
          OR i.team_id IN (SELECT tm.team_id FROM team_members tm WHERE tm.user_id = ?{number}))"
    )
}
