//! Signing in, by password or by a link of the Platform API.
//!
//! Nobody learns whether an address is known: an unknown one takes the same steps, costs the same hash,
//! gets the same answer and is locked like any other. Failures are counted in the transaction that
//! judges the attempt, and an attempt that finds the address locked there is told nothing else, so
//! many guesses at once get no further than one after the other.

use super::changes::{EMAIL_CHARS, email};
use super::{absent, record};
use common::auth::Role;
use common::crypto::sha256;
use common::db::Db;
use common::problem::Violations;
use common::time::Timestamp;
use common::{Problem, Result, id, params};
use serde::Deserialize;
use std::time::Duration;
use url::form_urlencoded;
use utoipa::ToSchema;

/// Failures in a row from which on an address is locked for a while.
pub const FAILURES_FREE: u32 = 5;
/// Longest lock, in seconds.
pub const LOCK_SECONDS_MAX: u64 = 15 * 60;
/// Failures are forgotten after this long without another.
pub const FAILURES_KEEP: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a sign-in link is good (Chatwoot notes 5.3).
pub const LINK_KEEP: Duration = Duration::from_secs(5 * 60);
/// Longest password or link token looked at, in characters.
const SECRET_CHARS: usize = 256;
/// Tenants that an error lists at most.
const TENANTS_SHOWN: usize = 20;
/// Rows looked at for cleaning with each write.
const CLEANED: u32 = 20;

/// Who wants in, and by what.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignInRequest {
    #[schema(max_length = 254, example = "anna@acme.example")]
    pub email: String,
    #[schema(max_length = 256, example = "Password2!")]
    pub password: Option<String>,
    /// `sso_auth_token` of a sign-in link, instead of a password.
    #[schema(max_length = 256)]
    pub sso_auth_token: Option<String>,
    /// Needed by members of several tenants.
    #[schema(example = "tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K")]
    pub tenant_id: Option<String>,
}

/// A checked request.
#[derive(Debug)]
pub struct Attempt {
    email: String,
    email_hash: [u8; 32],
    secret: Secret,
    tenant: Option<String>,
}

#[derive(Debug)]
enum Secret {
    Password(String),
    Link([u8; 32]),
}

/// A person who may sign in.
#[derive(Clone, Debug)]
pub struct Person {
    pub id: String,
    pub name: String,
    pub display_name: Option<String>,
    pub email: String,
    pub avatar_url: Option<String>,
    password_hash: Option<String>,
}

/// What is known before the password is tried.
#[derive(Debug)]
pub struct Known {
    person: Option<Person>,
    locked_until: Option<Timestamp>,
}

/// How an attempt ended.
#[derive(Debug, PartialEq)]
enum Outcome {
    In {
        tenant: String,
        role: Role,
    },
    Refused,
    Locked {
        seconds: u64,
    },
    NoMembership,
    /// Id and name of each.
    Several(Vec<(String, String)>),
}

/// Somebody who is in.
#[derive(Debug)]
pub struct SignedIn {
    pub person: Person,
    pub tenant: String,
    pub role: Role,
}

impl SignInRequest {
    /// Checks the form; what is not an address is nobody's.
    pub fn check(self) -> Result<Attempt> {
        let mut violations = Violations::new();
        violations.text("email", &self.email, EMAIL_CHARS);
        let given = [("password", &self.password), ("ssoAuthToken", &self.sso_auth_token)];
        for (field, secret) in given {
            if let Some(secret) = secret {
                let fits = (1..=SECRET_CHARS).contains(&secret.chars().count());
                violations.check(fits, field, "must have 1 to 256 characters");
            }
        }
        let secret = match (self.password, self.sso_auth_token) {
            (Some(password), None) => Some(Secret::Password(password)),
            (None, Some(token)) => Some(Secret::Link(sha256(token.as_bytes()))),
            _ => None,
        };
        violations.check(
            secret.is_some(),
            "password",
            "is needed, or ssoAuthToken in its place, and only one of them",
        );
        violations.finish()?;
        let secret =
            secret.ok_or_else(|| Problem::internal("an attempt without a secret passed its check"))?;
        let email = email(&self.email).unwrap_or_else(|| self.email.trim().to_lowercase());
        Ok(Attempt { email_hash: sha256(email.as_bytes()), email, secret, tenant: self.tenant_id })
    }
}

impl Attempt {
    /// Somebody who proves who they are by their password; `email` in lower case.
    pub(super) fn by_password(email: &str, password: &str) -> Self {
        Attempt {
            email: email.into(),
            email_hash: sha256(email.as_bytes()),
            secret: Secret::Password(password.into()),
            tenant: None,
        }
    }
}

/// Reads whom an attempt is about: one statement, the same for known and unknown addresses.
pub fn look_up(db: &Db<'_>, attempt: &Attempt) -> Result<Known> {
    type Found = (
        Option<Timestamp>,
        Option<String>,
        Option<String>,
        Option<String>,
        Option<String>,
        Option<String>,
        Option<String>,
    );
    let found = db.row::<Found>(
        "SELECT (SELECT f.locked_until FROM sign_in_failures f WHERE f.email_hash = ?),
                u.id, u.name, u.display_name, u.email, u.avatar_url, u.password_hash
           FROM (SELECT 1) LEFT JOIN users u ON u.email = ? AND u.disabled_at IS NULL",
        params![attempt.email_hash, attempt.email],
    )?;
    let (locked_until, id, name, display_name, email, avatar_url, password_hash) =
        found.ok_or_else(|| Problem::internal("a left join returned no row"))?;
    let person = match (id, name, email) {
        (Some(id), Some(name), Some(email)) => {
            Some(Person { id, name, display_name, email, avatar_url, password_hash })
        }
        _ => None,
    };
    Ok(Known { person, locked_until })
}

impl Known {
    /// Tries the password; takes tens of milliseconds, whoever it is. A locked address is turned away
    /// before. Links are judged by [`judge`].
    pub fn try_password(&self, attempt: &Attempt) -> Result<bool> {
        let Secret::Password(password) = &attempt.secret else { return Ok(false) };
        if let Some(seconds) = self.locked_until.and_then(|until| remaining(until, Timestamp::now())) {
            return Err(locked(seconds));
        }
        common::auth::password::verify(
            password,
            self.person.as_ref().and_then(|p| p.password_hash.as_deref()),
        )
    }
}

/// Judges an attempt in a write transaction, keeping count of failures. The outer error is ours; the
/// inner one, about the attempt, must not undo the count.
pub fn judge(db: &Db<'_>, attempt: &Attempt, known: Known, fits: bool) -> Result<Result<SignedIn>> {
    let now = Timestamp::now();
    let outcome = match &attempt.secret {
        Secret::Password(_) => judge_password(db, attempt, &known, fits, now)?,
        Secret::Link(token) => judge_link(db, attempt, &known, token, now)?,
    };
    Ok(match (outcome, known.person) {
        (Outcome::In { tenant, role }, Some(person)) => Ok(SignedIn { person, tenant, role }),
        (Outcome::In { .. } | Outcome::Refused, _) => Err(refused()),
        (Outcome::Locked { seconds }, _) => Err(locked(seconds)),
        (Outcome::NoMembership, _) => Err(Problem::forbidden(
            "auth_no_membership",
            "You are no member of any tenant now; ask its owner.",
        )),
        (Outcome::Several(tenants), _) => {
            let named: Vec<String> = tenants.iter().map(|(id, name)| format!("{id} ({name})")).collect();
            Err(Problem::invalid("tenantId", format!("must name one of your tenants: {}", named.join(", "))))
        }
    })
}

fn refused() -> Problem {
    let text = "The address and the password or link do not fit together, or do not open that tenant.";
    Problem { code: "auth_credentials_invalid".into(), ..Problem::unauthorized(text) }
}

fn locked(seconds: u64) -> Problem {
    Problem::rate_limited(format!("Too many failed sign-ins: try again in {seconds} seconds."), seconds)
}

fn judge_password(
    db: &Db<'_>,
    attempt: &Attempt,
    known: &Known,
    fits: bool,
    now: Timestamp,
) -> Result<Outcome> {
    let failures = Failures::of(db, &attempt.email_hash)?;
    if let Some(seconds) = failures.lock(now) {
        return Ok(Outcome::Locked { seconds });
    }
    let outcome = match &known.person {
        Some(person) if fits => choose(memberships(db, person, attempt)?, attempt.tenant.is_some()),
        _ => Outcome::Refused,
    };
    if outcome == Outcome::Refused {
        failures.count(db, now)?
    } else {
        failures.forgive(db)?
    }
    Ok(outcome)
}

/// Judges a password alone, in a write transaction, with the count of failures that signing in has: the person's id,
/// or why not. The outer error is ours.
pub(super) fn prove(
    db: &Db<'_>,
    attempt: &Attempt,
    known: Known,
    fits: bool,
    now: Timestamp,
) -> Result<Result<String>> {
    let failures = Failures::of(db, &attempt.email_hash)?;
    if let Some(seconds) = failures.lock(now) {
        return Ok(Err(locked(seconds)));
    }
    match known.person {
        Some(person) if fits => {
            failures.forgive(db)?;
            Ok(Ok(person.id))
        }
        _ => {
            failures.count(db, now)?;
            Ok(Err(refused()))
        }
    }
}

/// Failures in a row of an address.
struct Failures<'a> {
    email_hash: &'a [u8; 32],
    /// Their count, the end of the lock, and when the last one was.
    known: Option<(u32, Timestamp, Timestamp)>,
}

impl<'a> Failures<'a> {
    fn of(db: &Db<'_>, email_hash: &'a [u8; 32]) -> Result<Self> {
        let known = db.row(
            "SELECT failures, locked_until, last_at FROM sign_in_failures WHERE email_hash = ?",
            params![email_hash],
        )?;
        Ok(Failures { email_hash, known })
    }

    /// Seconds that the address is still locked.
    fn lock(&self, now: Timestamp) -> Option<u64> {
        self.known.and_then(|(_, until, _)| remaining(until, now))
    }

    fn count(&self, db: &Db<'_>, now: Timestamp) -> Result<()> {
        let recent = self.known.filter(|(_, _, last)| *last > now.before(FAILURES_KEEP));
        let count = recent.map_or(0, |(count, ..)| count).saturating_add(1);
        db.run(
            "INSERT OR REPLACE INTO sign_in_failures (email_hash, failures, locked_until, last_at) VALUES (?, ?, ?, ?)",
            params![self.email_hash, count, now.after(Duration::from_secs(lock_seconds(count))), now],
        )?;
        clean_failures(db, self.email_hash, now)
    }

    fn forgive(&self, db: &Db<'_>) -> Result<()> {
        if self.known.is_some() {
            db.run("DELETE FROM sign_in_failures WHERE email_hash = ?", params![self.email_hash])?;
        }
        Ok(())
    }
}

/// A person who is not disabled, as a session shows them.
pub(super) fn person(db: &Db<'_>, id: &str) -> Result<Person> {
    let found = db.row::<(String, String, Option<String>, String, Option<String>)>(
        "SELECT u.id, u.name, u.display_name, u.email, u.avatar_url FROM users u
          WHERE u.id = ? AND u.disabled_at IS NULL",
        params![id],
    )?;
    let (id, name, display_name, email, avatar_url) =
        found.ok_or_else(|| Problem::internal("a person vanished in a transaction"))?;
    Ok(Person { id, name, display_name, email, avatar_url, password_hash: None })
}

/// A link is used up by the sign-in that it opens, and by nothing else.
fn judge_link(
    db: &Db<'_>,
    attempt: &Attempt,
    known: &Known,
    token: &[u8; 32],
    now: Timestamp,
) -> Result<Outcome> {
    let Some(person) = &known.person else { return Ok(Outcome::Refused) };
    let good = db.touches(
        "SELECT 1 FROM sso_tokens WHERE token_hash = ? AND user_id = ? AND expires_at > ?",
        params![token, person.id, now],
    )?;
    if !good {
        return Ok(Outcome::Refused);
    }
    let outcome = choose(memberships(db, person, attempt)?, attempt.tenant.is_some());
    if matches!(outcome, Outcome::In { .. }) {
        db.run("DELETE FROM sso_tokens WHERE token_hash = ?", params![token])?;
    }
    Ok(outcome)
}

/// Seconds that the lock still lasts, rounded up; `None` when it is over.
fn remaining(until: Timestamp, now: Timestamp) -> Option<u64> {
    let millis =
        u64::try_from(until.millis().saturating_sub(now.millis())).ok().filter(|millis| *millis > 0)?;
    Some(millis.div_ceil(1000))
}

/// How long a failure locks its address, given how many there were in a row: 0 for the first four, then
/// 1, 2, 4 … seconds.
fn lock_seconds(failures: u32) -> u64 {
    let Some(doublings) = failures.checked_sub(FAILURES_FREE) else { return 0 };
    1_u64.checked_shl(doublings).unwrap_or(LOCK_SECONDS_MAX).min(LOCK_SECONDS_MAX)
}

struct Membership {
    tenant: String,
    name: String,
    role: Option<Role>,
}

fn memberships(db: &Db<'_>, person: &Person, attempt: &Attempt) -> Result<Vec<Membership>> {
    let rows = db.rows::<(String, String, String)>(
        "SELECT t.id, t.name, m.role FROM memberships m
           JOIN tenants t ON t.id = m.tenant_id AND t.deleted_at IS NULL AND t.status = 'active'
          WHERE m.user_id = ?1 AND (?2 IS NULL OR m.tenant_id = ?2) ORDER BY m.seq LIMIT ?3",
        params![person.id, attempt.tenant, i64::try_from(TENANTS_SHOWN).unwrap_or(i64::MAX)],
    )?;
    Ok(rows
        .into_iter()
        .map(|(tenant, name, role)| Membership { tenant, name, role: Role::parse(&role) })
        .collect())
}

fn choose(memberships: Vec<Membership>, named: bool) -> Outcome {
    let mut all = memberships.into_iter();
    match (all.next(), all.next()) {
        // A tenant that somebody is no member of is told like a wrong password.
        (None, _) if named => Outcome::Refused,
        (None, _) => Outcome::NoMembership,
        (Some(Membership { tenant, role, .. }), None) => {
            role.map_or(Outcome::NoMembership, |role| Outcome::In { tenant, role })
        }
        (Some(first), Some(second)) => Outcome::Several(
            [first, second].into_iter().chain(all).map(|one| (one.tenant, one.name)).collect(),
        ),
    }
}

/// Forgets what is old among the next rows of the table. Hashes are spread evenly, so with each failure
/// another stretch is cleaned, and no index is needed.
fn clean_failures(db: &Db<'_>, from: &[u8; 32], now: Timestamp) -> Result<()> {
    Ok(db.run(
        "DELETE FROM sign_in_failures WHERE email_hash IN (
           SELECT email_hash FROM (SELECT email_hash, last_at FROM sign_in_failures
                                    WHERE email_hash >= ? ORDER BY email_hash LIMIT ?)
            WHERE last_at <= ?)",
        params![from, CLEANED, now.before(FAILURES_KEEP)],
    )?)
}

/// A link that signs a person in once, within five minutes. `base` is where people reach this server.
pub fn link(db: &Db<'_>, seq: i64, base: &str) -> Result<String> {
    let person = record(db, seq)?;
    let token = id::hex_secret();
    let (hash, now) = (sha256(token.as_bytes()), Timestamp::now());
    let made = db.touches(
        "INSERT INTO sso_tokens (token_hash, user_id, expires_at) VALUES (?, ?, ?) RETURNING 1",
        params![hash, person.id, now.after(LINK_KEEP)],
    )?;
    if !made {
        return Err(absent(seq));
    }
    // As in `clean_failures`: the next few rows.
    db.run(
        "DELETE FROM sso_tokens WHERE token_hash IN (
           SELECT token_hash FROM (SELECT token_hash, expires_at FROM sso_tokens
                                    WHERE token_hash >= ? ORDER BY token_hash LIMIT ?)
            WHERE expires_at <= ?)",
        params![hash, CLEANED, now],
    )?;
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("email", &person.email)
        .append_pair("sso_auth_token", &token)
        .finish();
    Ok(format!("{}/app/login?{query}", base.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(password: Option<&str>, token: Option<&str>) -> SignInRequest {
        SignInRequest {
            email: " Anna@Acme.example".into(),
            password: password.map(str::to_string),
            sso_auth_token: token.map(str::to_string),
            tenant_id: None,
        }
    }

    #[test]
    fn locks_grow_from_the_fifth_failure_on() {
        let seconds: Vec<u64> = (1..=8).map(lock_seconds).collect();
        assert_eq!(seconds, [0, 0, 0, 0, 1, 2, 4, 8]);
        assert_eq!(lock_seconds(14), 512);
        for many in [15, 60, 69, 70, u32::MAX] {
            assert_eq!(lock_seconds(many), 900, "{many}");
        }
    }

    #[test]
    fn a_lock_is_told_in_whole_seconds() {
        let at = Timestamp;
        assert_eq!(remaining(at(1000), at(1)), Some(1));
        assert_eq!(remaining(at(2001), at(1000)), Some(2));
        assert_eq!(remaining(at(1000), at(1000)), None);
        assert_eq!(remaining(at(0), at(1000)), None);
    }

    #[test]
    fn one_secret_is_needed() {
        for wrong in [request(None, None), request(Some("a"), Some("b"))] {
            assert_eq!(wrong.check().unwrap_err().errors[0].field, "password");
        }
        assert_eq!(request(Some(""), None).check().unwrap_err().errors[0].field, "password");
        assert_eq!(
            request(None, Some(&"x".repeat(257))).check().unwrap_err().errors[0].field,
            "ssoAuthToken"
        );
        let attempt = request(Some("Password2!"), None).check().unwrap();
        assert_eq!(attempt.email, "anna@acme.example");
        assert_eq!(attempt.email_hash, sha256(b"anna@acme.example"));
    }

    #[test]
    fn the_tenant_is_chosen_or_asked_for() {
        let member =
            |tenant: &str| Membership { tenant: tenant.into(), name: "Acme".into(), role: Some(Role::Agent) };
        assert_eq!(choose(vec![], false), Outcome::NoMembership);
        assert_eq!(choose(vec![], true), Outcome::Refused);
        assert_eq!(
            choose(vec![member("tn_1")], false),
            Outcome::In { tenant: "tn_1".into(), role: Role::Agent }
        );
        let two = choose(vec![member("tn_1"), member("tn_2")], false);
        assert_eq!(
            two,
            Outcome::Several(vec![("tn_1".into(), "Acme".into()), ("tn_2".into(), "Acme".into())])
        );
    }

    #[test]
    fn a_locked_address_is_turned_away_before_its_password_is_tried() {
        let attempt = request(Some("Password2!"), None).check().unwrap();
        let known =
            Known { person: None, locked_until: Some(Timestamp::now().after(Duration::from_secs(9))) };
        let problem = known.try_password(&attempt).unwrap_err();
        assert_eq!((problem.status.as_u16(), problem.retry_after), (429, Some(9)));
        let known = Known { person: None, locked_until: None };
        assert!(!known.try_password(&attempt).unwrap());
    }
}
