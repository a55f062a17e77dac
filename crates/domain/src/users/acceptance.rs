//! Accepting an invitation: a new person says who they are and chooses a password; somebody known proves theirs.
//!
//! Proving a password is guarded as signing in is: failures are counted with those of the address, and a locked
//! address is turned away. Hashes are made between two transactions, so the second looks at everything again.

use super::changes::{self, NewPerson};
use super::invitations::{self, Open};
use super::sign_in::{self, Attempt, Known, SignedIn};
use super::{Secrets, exists};
use crate::accounts::TEXT_CHARS;
use crate::accounts::members::MEMBERS_MAX;
use crate::audit::{self, Action, Actor};
use common::auth::password;
use common::crypto::sha256;
use common::db::Db;
use common::problem::Violations;
use common::time::Timestamp;
use common::{Problem, Result, params};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

/// Longest password looked at, in characters.
const PASSWORD_CHARS: usize = 256;

/// Who accepts.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcceptInvitationRequest {
    /// Needed of a new person; of somebody known it is ignored.
    #[schema(max_length = 255, example = "Jan Nowak")]
    pub name: Option<String>,
    /// A new person's choice, 6 to 128 characters with upper and lower case letters, a digit and a special character;
    /// of somebody known the password that they sign in with.
    #[schema(max_length = 256, example = "Password2!")]
    pub password: String,
}

/// Who stands at the door, and with what link.
#[derive(Debug)]
pub struct Guest {
    token_hash: [u8; 32],
    attempt: Attempt,
    known: Known,
    is_new: bool,
}

/// What a guest has shown.
#[derive(Debug)]
pub enum Proof {
    /// The hash of a new password.
    New(String),
    /// Whether the password fits.
    Known(bool),
}

/// Finds the invitation and whether its address is somebody's.
pub fn look_up(db: &Db<'_>, token: &str, request: &AcceptInvitationRequest) -> Result<Guest> {
    let token_hash = sha256(token.as_bytes());
    let open = invitations::by_token(db, &token_hash, Timestamp::now())?;
    let attempt = Attempt::by_password(&open.email, &request.password);
    let known = sign_in::look_up(db, &attempt)?;
    Ok(Guest { token_hash, is_new: !exists(db, &open.email)?, attempt, known })
}

impl Guest {
    /// Checks the request and hashes or tries its password; takes tens of milliseconds.
    pub fn prove(&self, request: &AcceptInvitationRequest) -> Result<Proof> {
        if !self.is_new {
            let fits = (1..=PASSWORD_CHARS).contains(&request.password.chars().count());
            let mut violations = Violations::new();
            violations.check(fits, "password", "must have 1 to 256 characters");
            violations.finish()?;
            return self.known.try_password(&self.attempt).map(Proof::Known);
        }
        let mut violations = Violations::new();
        violations.text("name", request.name.as_deref().unwrap_or_default(), TEXT_CHARS);
        changes::check_strength(&mut violations, &request.password);
        violations.finish()?;
        password::hash(&request.password).map(Proof::New)
    }
}

/// Makes the guest a member, in a write transaction, and ends the link. The outer error is ours; the inner one, about
/// a password that does not fit, must not undo the count of failures.
pub fn accept(
    db: &Db<'_>,
    secrets: &Secrets,
    guest: Guest,
    request: &AcceptInvitationRequest,
    proof: &Proof,
) -> Result<Result<SignedIn>> {
    let now = Timestamp::now();
    let open = invitations::by_token(db, &guest.token_hash, now)?;
    if guest.is_new == exists(db, &open.email)? {
        return Err(Problem::unavailable("an address changed hands while its invitation was accepted"));
    }
    let user = match proof {
        Proof::New(hash) => {
            let new = NewPerson {
                name: request.name.as_deref().unwrap_or_default(),
                display_name: None,
                email: &open.email,
                password_hash: hash,
                attributes: "{}".into(),
                email_verified: false,
            };
            changes::insert(db, secrets, &new)?.id
        }
        Proof::Known(fits) => match sign_in::prove(db, &guest.attempt, guest.known, *fits, now)? {
            Ok(user) => user,
            Err(problem) => return Ok(Err(problem)),
        },
    };
    join(db, &open, &user, now)?;
    let person = sign_in::person(db, &user)?;
    Ok(Ok(SignedIn { person, tenant: open.tenant, role: open.role }))
}

fn join(db: &Db<'_>, open: &Open, user: &str, now: Timestamp) -> Result<()> {
    let counted = db.row::<(bool, u32)>(
        "SELECT EXISTS (SELECT 1 FROM memberships m WHERE m.tenant_id = ?1 AND m.user_id = ?2),
                (SELECT count(*) FROM memberships m WHERE m.tenant_id = ?1)",
        params![open.tenant, user],
    )?;
    let (is_member, members) = counted.unwrap_or_default();
    if is_member {
        return Err(invitations::already_member(&open.email));
    }
    if members >= MEMBERS_MAX {
        return Err(Problem::conflict(
            "user_limit_reached",
            format!("This tenant has {MEMBERS_MAX} people, the most there can be."),
        ));
    }
    db.run(
        "INSERT INTO memberships (tenant_id, user_id, role, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4)",
        params![open.tenant, user, open.role.as_str(), now],
    )?;
    invitations::close(db, &open.tenant, &open.id, now)?;
    let details = json!({"userId": user, "role": open.role.as_str(), "invitedBy": open.invited_by});
    audit::record(db, &open.tenant, Actor::User(user), Action::InvitationAccepted, &open.id, details)
}
