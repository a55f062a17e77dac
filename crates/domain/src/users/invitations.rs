//! Invitations: links that make somebody a member, once. An addition to the contract, which has people and no way to
//! become one. How a link is accepted is in [`super::acceptance`].
//!
//! The token of a link is shown once and kept as SHA-256. An invitation is good as long as who made it may still hand
//! out its role: nobody who was shown the door can come back by a link they made before.

use super::roles;
use crate::audit::{self, Action};
use crate::users::changes;
use common::auth::{Principal, Role};
use common::crypto::sha256;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::page::{Binding, Key, Page, Position};
use common::problem::Violations;
use common::time::Timestamp;
use common::{Problem, Result, id, params};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;
use utoipa::ToSchema;

/// How long a link is good where the request does not say, in seconds.
pub const KEEP_SECONDS: u32 = 7 * 24 * 60 * 60;
/// How long a link may be good, in seconds.
pub const KEEP_SECONDS_RANGE: std::ops::RangeInclusive<u32> = 1..=30 * 24 * 60 * 60;
/// Most open invitations of a tenant, expired ones included until they are revoked or replaced.
pub const OPEN_MAX: i64 = 1000;

/// An invitation that was neither accepted nor revoked.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Invitation {
    #[schema(example = "inv_01HV9A1K3M5P7R9T1V3X5Z7B9D")]
    pub id: String,
    #[schema(example = "jan@example.com")]
    pub email: String,
    /// What they will be.
    pub role: Role,
    /// `pending` or `expired`.
    #[schema(example = "pending")]
    pub status: &'static str,
    /// `usr_…` or `svc_…`
    pub invited_by: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    #[serde(skip)]
    pub seq: i64,
}

/// Whom to invite.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateInvitationRequest {
    /// Kept in lower case.
    #[schema(max_length = 254, example = "jan@example.com")]
    pub email: String,
    /// What they will be; default `agent`.
    pub role: Option<Role>,
    /// How long the link is good: 1 to 2592000 (30 days); default 604800 (7 days).
    #[schema(minimum = 1, maximum = 2_592_000, example = 604_800)]
    pub expires_in_seconds: Option<u32>,
}

/// A new invitation and its link, which is shown this once.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreatedInvitation {
    pub invitation: Invitation,
    /// For `POST /v1/auth/invitations/{token}`.
    #[schema(example = "a1BcD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX2yZ3aB4c")]
    pub token: String,
    /// Where the token is accepted; take it, or put the token into a page of your own.
    #[schema(
        example = "https://flownally.example/v1/auth/invitations/a1BcD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX2yZ3aB4c"
    )]
    pub url: String,
}

const COLUMNS: &str = "i.seq, i.id, i.email, i.role, i.invited_by, i.created_at, i.expires_at";

impl FromRow for Invitation {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        let (seq, id, email) = (row.take()?, row.take()?, row.take()?);
        let role: String = row.take()?;
        let role = Role::parse(&role).ok_or_else(|| DbError::Other(format!("{role} is no role")))?;
        let (invited_by, created_at, expires_at) = (row.take()?, row.take()?, row.take::<Timestamp>()?);
        let status = if expires_at > Timestamp::now() { "pending" } else { "expired" };
        Ok(Invitation { id, email, role, status, invited_by, created_at, expires_at, seq })
    }
}

impl CreateInvitationRequest {
    /// The address, and how long the link is good.
    fn check(&self) -> Result<(String, Duration)> {
        let mut violations = Violations::new();
        let email = changes::email(&self.email);
        violations.check(email.is_some(), "email", "must be an e-mail address of at most 254 characters");
        let seconds = self.expires_in_seconds.unwrap_or(KEEP_SECONDS);
        violations.check(KEEP_SECONDS_RANGE.contains(&seconds), "expiresInSeconds", "must be 1 to 2592000");
        violations.finish()?;
        Ok((email.unwrap_or_default(), Duration::from_secs(seconds.into())))
    }
}

/// Invites somebody who is no member yet. A former invitation of the same address ends. `base` is where people reach
/// this server.
pub fn create(
    db: &Db<'_>,
    caller: &Principal,
    request: &CreateInvitationRequest,
    base: &str,
) -> Result<CreatedInvitation> {
    let (email, keep) = request.check()?;
    let role = request.role.unwrap_or(Role::Agent);
    let judged = roles::refreshed(db, caller)?;
    roles::check_assign(&judged, role)?;
    let now = Timestamp::now();
    let known = db.row::<(bool, i64)>(
        "SELECT EXISTS (SELECT 1 FROM memberships m
                         WHERE m.tenant_id = ?1 AND m.user_id = (SELECT u.id FROM users u WHERE u.email = ?2)),
                (SELECT count(*) FROM invitations i WHERE i.tenant_id = ?1 AND i.closed_at IS NULL AND i.email <> ?2)",
        params![caller.tenant, email],
    )?;
    let (is_member, open) = known.unwrap_or_default();
    if is_member {
        return Err(already_member(&email));
    }
    if open >= OPEN_MAX {
        return Err(Problem::conflict(
            "invitation_limit_reached",
            format!(
                "There are {OPEN_MAX} open invitations, the most there can be: revoke those that expired."
            ),
        ));
    }
    if let Some((before, was)) = open_for(db, &caller.tenant, &email)? {
        // To replace is to revoke.
        roles::check_assign(&judged, was)?;
        close(db, &caller.tenant, &before, now)?;
        audit::record(
            db,
            &caller.tenant,
            caller,
            Action::InvitationRevoked,
            &before,
            json!({"email": email}),
        )?;
    }
    let token = id::secret();
    let sql = "INSERT INTO invitations AS i (id, tenant_id, email, role, token_hash, invited_by, created_at, expires_at)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?)
               RETURNING seq, id, email, role, invited_by, created_at, expires_at";
    let values = params![
        id::new(id::Kind::Invitation),
        caller.tenant,
        email,
        role.as_str(),
        sha256(token.as_bytes()),
        caller.actor.id(),
        now,
        now.after(keep)
    ];
    let made: Option<Invitation> = db.row(sql, values)?;
    let invitation = made.ok_or_else(|| Problem::internal("an insert returned no row"))?;
    let details = json!({"email": email, "role": role.as_str(), "expiresAt": invitation.expires_at});
    audit::record(db, &caller.tenant, caller, Action::InvitationCreated, &invitation.id, details)?;
    let url = format!("{}/v1/auth/invitations/{token}", base.trim_end_matches('/'));
    Ok(CreatedInvitation { invitation, token, url })
}

pub(super) fn already_member(email: &str) -> Problem {
    Problem::conflict("user_already_member", format!("{email} is a member of this tenant already."))
}

fn open_for(db: &Db<'_>, tenant: &str, email: &str) -> Result<Option<(String, Role)>> {
    let found = db.row::<(String, String)>(
        "SELECT i.id, i.role FROM invitations i WHERE i.tenant_id = ? AND i.email = ? AND i.closed_at IS NULL",
        params![tenant, email],
    )?;
    let role =
        |text: &str| Role::parse(text).ok_or_else(|| Problem::internal("an invitation has an unknown role"));
    found.map(|(id, text)| Ok((id, role(&text)?))).transpose()
}

/// Ends an invitation; `false` when it had ended before.
pub(super) fn close(db: &Db<'_>, tenant: &str, id: &str, now: Timestamp) -> Result<bool> {
    Ok(db.touches(
        "UPDATE invitations SET closed_at = ? WHERE id = ? AND tenant_id = ? AND closed_at IS NULL RETURNING 1",
        params![now, id, tenant],
    )?)
}

/// A page of open invitations, newest first, and the token of the next one.
pub fn list(
    db: &Db<'_>,
    tenant: &str,
    size: Option<u32>,
    token: Option<&str>,
) -> Result<(Vec<Invitation>, Option<String>)> {
    let page = Page::new(size, token, Binding::new(&["listInvitations", tenant]))?;
    let after = page.after.as_ref().map_or(i64::MAX, |after| after.seq);
    let sql = format!(
        "SELECT {COLUMNS} FROM invitations i
          WHERE i.tenant_id = ? AND i.closed_at IS NULL AND i.seq < ? ORDER BY i.seq DESC LIMIT ?"
    );
    let mut invitations = db.rows::<Invitation>(&sql, params![tenant, after, page.limit()])?;
    let next = page.cut(&mut invitations, |last| Position { key: Key::Number(0), seq: last.seq });
    Ok((invitations, next))
}

/// Ends an open invitation: its link works no more.
pub fn revoke(db: &Db<'_>, caller: &Principal, id: &str) -> Result<()> {
    let sql = format!(
        "SELECT {COLUMNS} FROM invitations i WHERE i.id = ? AND i.tenant_id = ? AND i.closed_at IS NULL"
    );
    let found: Option<Invitation> = db.row(&sql, params![id, caller.tenant])?;
    let invitation = found.ok_or_else(|| Problem::not_found("invitation", id))?;
    roles::check_assign(&roles::refreshed(db, caller)?, invitation.role)?;
    close(db, &caller.tenant, id, Timestamp::now())?;
    let details = json!({"email": invitation.email, "role": invitation.role.as_str()});
    audit::record(db, &caller.tenant, caller, Action::InvitationRevoked, id, details)
}

/// Ends the open invitations that somebody made who never comes back.
pub(crate) fn close_all_of(db: &Db<'_>, caller: &Principal, inviter: &str, now: Timestamp) -> Result<()> {
    let ended = db.rows::<(String, String, String)>(
        "UPDATE invitations SET closed_at = ? WHERE tenant_id = ? AND invited_by = ? AND closed_at IS NULL
         RETURNING id, email, role",
        params![now, caller.tenant, inviter],
    )?;
    let told = ended.into_iter().map(|(id, email, role)| (id, json!({"email": email, "role": role})));
    audit::record_all(db, &caller.tenant, caller, Action::InvitationRevoked, told)
}

/// An invitation whose link works now, found by its token: the tenant comes from it.
#[derive(Debug)]
pub(super) struct Open {
    pub id: String,
    pub tenant: String,
    pub email: String,
    pub role: Role,
    pub invited_by: String,
}

/// The invitation of a link. Whatever is wrong with it, it is told as absent.
pub(super) fn by_token(db: &Db<'_>, hash: &[u8; 32], now: Timestamp) -> Result<Open> {
    let absent = || {
        let text = "There is no such invitation: it was accepted or revoked, or it has expired.";
        Problem::not_found("invitation", "").with_detail(text)
    };
    let found = db.row::<(String, String, String, String, String)>(
        "SELECT i.id, i.tenant_id, i.email, i.role, i.invited_by FROM invitations i
          WHERE i.token_hash = ? AND i.closed_at IS NULL AND i.expires_at > ?
            AND (SELECT t.status FROM tenants t WHERE t.id = i.tenant_id AND t.deleted_at IS NULL) = 'active'",
        params![hash, now],
    )?;
    let (id, tenant, email, role, invited_by) = found.ok_or_else(absent)?;
    let role = Role::parse(&role).ok_or_else(|| Problem::internal("an invitation has an unknown role"))?;
    match roles::role_now(db, &tenant, &invited_by)? {
        Some(own) if roles::may_assign(own, role) => Ok(Open { id, tenant, email, role, invited_by }),
        _ => Err(absent()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_has_its_rule() {
        let request = |email: &str, seconds| CreateInvitationRequest {
            email: email.into(),
            role: None,
            expires_in_seconds: seconds,
        };
        let (email, keep) = request(" Jan@Example.com ", None).check().unwrap();
        assert_eq!((email.as_str(), keep.as_secs()), ("jan@example.com", 604_800));
        assert_eq!(request("a@b", Some(1)).check().unwrap().1.as_secs(), 1);
        for (wrong, fields) in [
            (request("jan", None), vec!["email"]),
            (request("a@b", Some(0)), vec!["expiresInSeconds"]),
            (request("", Some(2_592_001)), vec!["email", "expiresInSeconds"]),
        ] {
            let problem = wrong.check().unwrap_err();
            let named: Vec<&str> = problem.errors.iter().map(|error| error.field.as_str()).collect();
            assert_eq!(named, fields);
        }
    }
}
