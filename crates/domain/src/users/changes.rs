//! New people, changes, and goodbyes (Chatwoot notes 5.3).

use super::{COLUMNS, Record, Secrets, TOKEN_PURPOSE, User, absent, by_email, record, show};
use crate::accounts::{self, members};
use crate::audit::Action;
use common::chatwoot::Attributes;
use common::db::{Db, Error as DbError};
use common::input::Patch;
use common::problem::Violations;
use common::time::Timestamp;
use common::{Problem, Result, crypto, id, params};
use serde::Deserialize;
use utoipa::ToSchema;

/// Longest e-mail address, in characters (RFC 5321).
pub const EMAIL_CHARS: usize = 254;
/// Length of a password, in characters (Chatwoot notes 5.3).
pub const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 6..=128;

/// What a person is made of. A new one needs name, address and password; a change takes what is present.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = PlatformUserRequest)]
pub struct UserRequest {
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 255, example = "Daniel")]
    pub name: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 255, example = "Dan")]
    pub display_name: Patch<String>,
    /// Kept in lower case; one person an address.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 254, example = "daniel@acme.inc")]
    pub email: Patch<String>,
    /// 6 to 128 characters with upper and lower case letters, a digit and a special character.
    #[serde(default)]
    #[schema(min_length = 6, max_length = 128, example = "Password2!")]
    pub password: Option<String>,
    /// Merged into the custom attributes.
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub custom_attributes: Patch<Attributes>,
    /// Shuts a known user out, or lets them in again; an extension. Tokens stop at once.
    #[serde(default)]
    pub disabled: Option<bool>,
}

/// An address in lower case without white space around it; `None` when it is none.
pub fn email(text: &str) -> Option<String> {
    let email = text.trim().to_lowercase();
    let (local, domain) = email.split_once('@')?;
    let plain = !local.is_empty() && !domain.is_empty() && !domain.contains('@');
    let fits =
        email.chars().count() <= EMAIL_CHARS && !email.chars().any(|c| c.is_whitespace() || c.is_control());
    (plain && fits).then_some(email)
}

/// Whether a password is strong enough to be taken (Chatwoot notes 5.3).
fn is_strong(password: &str) -> bool {
    let has = |kind: fn(char) -> bool| password.chars().any(kind);
    PASSWORD_CHARS.contains(&password.chars().count())
        && has(char::is_uppercase)
        && has(char::is_lowercase)
        && has(|c| c.is_ascii_digit())
        && has(|c| !c.is_alphanumeric() && !c.is_whitespace() && !c.is_control())
}

impl UserRequest {
    /// The address of a new person.
    pub fn new_email(&self) -> Result<String> {
        let given = accounts::set(&self.email, None).unwrap_or_default();
        email(&given).ok_or_else(|| Problem::invalid("email", "is invalid"))
    }

    /// Checks the rest of a new person; answers the password.
    pub fn new_password(&self) -> Result<&str> {
        let (mut violations, _) = self.check(None)?;
        violations.check(self.password.is_some(), "password", "can't be blank");
        violations.finish()?;
        Ok(self.password.as_deref().unwrap_or_default())
    }

    /// The new password of a known person, if one is given and strong.
    pub fn changed_password(&self) -> Result<Option<&str>> {
        let mut violations = Violations::new();
        self.check_password(&mut violations);
        violations.finish()?;
        Ok(self.password.as_deref())
    }

    /// Checks all but the address against the person as it is. Answers the custom attributes after it.
    fn check(&self, before: Option<&Record>) -> Result<(Violations, String)> {
        let mut violations = Violations::new();
        let name = accounts::set(&self.name, before.map(|record| record.name.as_str()));
        accounts::check_name(&mut violations, &name.unwrap_or_default());
        if let Patch::Set(name) = &self.display_name {
            let fits = name.chars().count() <= accounts::TEXT_CHARS;
            violations.check(fits, "display_name", "is too long (maximum is 255 characters)");
        }
        self.check_password(&mut violations);
        let kept = before.map(|record| &*record.custom_attributes);
        let new = accounts::attributes(&self.custom_attributes);
        let attributes = accounts::merge(&mut violations, "custom_attributes", kept, new)?;
        Ok((violations, attributes))
    }

    fn check_password(&self, violations: &mut Violations) {
        if let Some(password) = &self.password {
            check_strength(violations, password);
        }
    }
}

/// The rule that every new password obeys.
pub(super) fn check_strength(violations: &mut Violations, password: &str) {
    violations.check(
        is_strong(password),
        "password",
        "must have 6 to 128 characters with upper and lower case letters, a digit and a special character",
    );
}

/// Creates a person, or answers who has the address already, unchanged (Chatwoot notes 5.3). The request
/// has been checked; without a hash only somebody known is answered.
///
/// Who came by an invitation has an address that nobody vouched for: they may be somebody else who chose a password
/// for it. So the platform's word gives the address to a new person, and the one before is gone as if deleted.
pub fn create(
    db: &Db<'_>,
    secrets: &Secrets,
    email: &str,
    request: &UserRequest,
    password_hash: Option<&str>,
) -> Result<User> {
    let known = match by_email(db, email)? {
        Some(known) if known.email_verified => return show(db, secrets, known),
        known => known,
    };
    let hash =
        password_hash.ok_or_else(|| Problem::unavailable("a user was deleted while it was looked up"))?;
    let (violations, attributes) = request.check(None)?;
    violations.finish()?;
    if let Some(known) = known {
        remove(db, &known.id)?;
    }
    let name = accounts::set(&request.name, None).unwrap_or_default();
    let display_name = accounts::set(&request.display_name, None);
    let new =
        NewPerson { name: &name, display_name, email, password_hash: hash, attributes, email_verified: true };
    show(db, secrets, insert(db, secrets, &new)?)
}

/// A person to be made; everything has been checked.
pub(super) struct NewPerson<'a> {
    pub name: &'a str,
    pub display_name: Option<String>,
    pub email: &'a str,
    pub password_hash: &'a str,
    /// JSON object.
    pub attributes: String,
    pub email_verified: bool,
}

/// Makes a person with an access token for the Chatwoot API.
pub(super) fn insert(db: &Db<'_>, secrets: &Secrets, new: &NewPerson<'_>) -> Result<Record> {
    let token = id::secret();
    let now = Timestamp::now();
    let sql = format!(
        "INSERT INTO users (id, name, display_name, email, password_hash, access_token_hash, access_token,
                            custom_attributes, email_verified, created_at, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING {COLUMNS}"
    );
    let values = params![
        id::new(id::Kind::User),
        new.name,
        new.display_name,
        new.email,
        new.password_hash,
        crypto::sha256(token.as_bytes()),
        secrets.sealer.seal(TOKEN_PURPOSE, token.as_bytes())?,
        new.attributes,
        new.email_verified,
        now,
        now
    ];
    db.row(&sql, values)?.ok_or_else(|| Problem::internal("an insert returned no row"))
}

/// Changes the fields that are present. `password_hash` is of the request's password. A new address or password
/// makes the platform vouch for the address: whoever signed in before is out, and somebody else who has that address
/// by an invitation is gone as if deleted, as in [`create`].
pub fn update(
    db: &Db<'_>,
    secrets: &Secrets,
    seq: i64,
    request: &UserRequest,
    password_hash: Option<&str>,
) -> Result<User> {
    let before = record(db, seq)?;
    let (mut violations, attributes) = request.check(Some(&before))?;
    let address = accounts::set(&request.email, Some(&before.email)).as_deref().and_then(email);
    violations.check(address.is_some(), "email", "is invalid");
    violations.finish()?;
    let sql = format!(
        "UPDATE users SET name = ?, display_name = ?, email = ?, password_hash = coalesce(?, password_hash),
                          custom_attributes = ?, email_verified = ?,
                          disabled_at = CASE WHEN ?7 THEN coalesce(disabled_at, ?8) END, updated_at = ?8
          WHERE seq = ?9 RETURNING {COLUMNS}"
    );
    let disabled = request.disabled.unwrap_or(before.disabled);
    // To send the address that is there already says nothing of whose it is.
    let is_another = address.as_deref().is_some_and(|address| address != before.email);
    let is_vouched_for = before.email_verified || password_hash.is_some() || is_another;
    if is_vouched_for && !before.email_verified {
        end_access(db, secrets, &before.id)?;
    }
    if let Some(address) = address.as_deref().filter(|_| is_another)
        && let Some(holder) = by_email(db, address)?.filter(|holder| !holder.email_verified)
    {
        remove(db, &holder.id)?;
    }
    let values = params![
        accounts::set(&request.name, Some(&before.name)),
        accounts::set(&request.display_name, before.display_name.as_deref()),
        address,
        password_hash,
        attributes,
        is_vouched_for,
        disabled,
        Timestamp::now(),
        seq
    ];
    let after = db.row(&sql, values).map_err(|error| match error {
        DbError::Unique(_) => Problem::invalid("email", "has already been taken"),
        other => other.into(),
    })?;
    let after: Record = after.ok_or_else(|| absent(seq))?;
    if after.disabled != before.disabled {
        note_disabled(db, &after)?;
    }
    show(db, secrets, after)
}

/// Ends what a person may have signed in with, but for the password: sessions, one-time links, and the access token,
/// in whose place comes another.
fn end_access(db: &Db<'_>, secrets: &Secrets, user: &str) -> Result<()> {
    let token = id::secret();
    db.run("DELETE FROM sso_tokens WHERE user_id = ?", params![user])?;
    db.run(
        "UPDATE users SET access_token_hash = ?, access_token = ?, sessions_since = ? WHERE id = ?",
        params![
            crypto::sha256(token.as_bytes()),
            secrets.sealer.seal(TOKEN_PURPOSE, token.as_bytes())?,
            Timestamp::now(),
            user
        ],
    )?;
    Ok(())
}

/// Somebody was shut out or let in again. The last owner of an account cannot be shut out.
fn note_disabled(db: &Db<'_>, person: &Record) -> Result<()> {
    if !person.disabled {
        return members::note_everywhere(db, &person.id, Action::UserEnabled);
    }
    if members::owned_alone(db, &person.id)? {
        return Err(members::last_owner("disabled"));
    }
    members::note_everywhere(db, &person.id, Action::UserDisabled)
}

/// Takes a person out of everything. The name stays beside what they wrote; address, password and tokens
/// go, so that the address is free again.
pub fn delete(db: &Db<'_>, seq: i64) -> Result<()> {
    let Record { id, .. } = record(db, seq)?;
    if members::owned_alone(db, &id)? {
        return Err(members::last_owner("id"));
    }
    remove(db, &id)
}

fn remove(db: &Db<'_>, id: &str) -> Result<()> {
    members::note_everywhere(db, id, Action::UserRemoved)?;
    db.run("DELETE FROM memberships WHERE user_id = ?", params![id])?;
    db.run("DELETE FROM sso_tokens WHERE user_id = ?", params![id])?;
    let now = Timestamp::now();
    db.run(
        "UPDATE users SET disabled_at = ?1, deleted_at = ?1, updated_at = ?1, email = id || '@deleted.invalid', password_hash = NULL,
                          access_token_hash = NULL, access_token = NULL
          WHERE id = ?2",
        params![now, id],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn request(body: Value) -> UserRequest {
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn addresses_are_lower_case_and_have_one_at() {
        assert_eq!(email(" Daniel@ACME.inc ").as_deref(), Some("daniel@acme.inc"));
        for wrong in ["", "@", "a@", "@b", "a@b@c", "a b@c", "a@b\n", &format!("{}@b", "x".repeat(253))] {
            // White space at the ends is taken off, inside it is not.
            assert_eq!(email(wrong).is_some(), wrong == "a@b\n", "{wrong:?}");
        }
    }

    #[test]
    fn passwords_need_four_kinds_of_characters() {
        for strong in ["Passw0rd!", "Aa1!aa", "Ünïcode1_x"] {
            assert!(is_strong(strong), "{strong}");
        }
        for weak in ["Aa1!a", "password1!", "PASSWORD1!", "Password!", "Password1", "Password 1", ""] {
            assert!(!is_strong(weak), "{weak}");
        }
        assert!(!is_strong(&format!("Aa1!{}", "x".repeat(125))));
    }

    #[test]
    fn a_weak_password_is_named_alone() {
        let weak = request(json!({"name": "Daniel", "email": "d@acme.inc", "password": "weak"}));
        let problem = weak.new_password().unwrap_err();
        assert_eq!(
            (problem.status.as_u16(), problem.errors.len(), problem.errors[0].field.as_str()),
            (422, 1, "password")
        );
        assert_eq!(weak.changed_password().unwrap_err().errors[0].field, "password");
        let none = request(json!({"name": "Daniel"}));
        assert_eq!(none.new_password().unwrap_err().errors[0].field, "password");
        assert_eq!(none.changed_password().unwrap(), None);
        assert_eq!(none.new_email().unwrap_err().errors[0].field, "email");
        assert!(request(json!({"name": "Daniel", "password": "Password2!"})).new_password().is_ok());
    }
}
