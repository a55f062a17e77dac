//! The audit log: who changed what that matters to a tenant's security or bill.
//!
//! [`record`] is called inside the transaction of the change, so there is no change without its entry and no entry
//! without its change. Entries are never changed. They hold no secrets and no customer's data: names of our own
//! things, ids, and what a setting was before and after.

use common::auth::{self, Principal};
use common::db::{Db, Error as DbError, FromRow, Row, ToValue, Value as SqlValue};
use common::page::{Binding, Key, Page, Position};
use common::time::Timestamp;
use common::{Problem, Result, id, params};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Largest details of an entry, in bytes of JSON; larger ones are left out.
const DETAILS_BYTES: usize = 16 * 1024;
/// What stands for the text of a member that looks like a secret.
const REMOVED: &str = "[removed]";
/// What the names of such members contain, in lower case.
const SECRETS: &[&str] = &["secret", "token", "password", "plaintext", "credential", "authorization", "hash"];

/// Declares the actions: one line each, so that none is without a name.
macro_rules! actions {
    ($($(#[$meta:meta])* $variant:ident = $name:literal,)*) => {
        /// What was done. The subject is the id of the thing that the name begins with.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Action {
            $($(#[$meta])* $variant,)*
        }

        impl Action {
            pub const ALL: &'static [Action] = &[$(Action::$variant,)*];

            /// `thing.verb`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Action::$variant => $name,)*
                }
            }
        }
    };
}

actions! {
    /// By the Platform API; invited people come by `invitation.accepted`.
    UserAdded = "user.added",
    UserRoleChanged = "user.role_changed",
    UserRemoved = "user.removed",
    UserDisabled = "user.disabled",
    UserEnabled = "user.enabled",
    InvitationCreated = "invitation.created",
    InvitationRevoked = "invitation.revoked",
    InvitationAccepted = "invitation.accepted",
    ServiceAccountCreated = "service_account.created",
    ServiceAccountDeleted = "service_account.deleted",
    ApiKeyCreated = "api_key.created",
    ApiKeyRevoked = "api_key.revoked",
    WebhookUpdated = "webhook.updated",
    WebhookDeleted = "webhook.deleted",
    /// By us, after a 410 or five days of failures.
    WebhookDisabled = "webhook.disabled",
    /// By the first look at the signing keys.
    WebhookKeyCreated = "webhook_signing_key.created",
    WebhookKeyRotated = "webhook_signing_key.rotated",
    /// The inner networks that webhooks may go to; the subject is the tenant.
    WebhookNetworksUpdated = "webhook_networks.updated",
    InboxConnected = "inbox.connected",
    InboxUpdated = "inbox.updated",
    InboxTeamChanged = "inbox.team_changed",
    InboxDeleted = "inbox.deleted",
    /// The subject is the tenant.
    BillingUpdated = "billing.updated",
    ContactMerged = "contact.merged",
    ContactMergeUndone = "contact.merge_undone",
    ContactErased = "contact.erased",
}

impl Action {
    /// Reads a name; `None` for what is none.
    pub fn parse(text: &str) -> Option<Self> {
        Action::ALL.iter().copied().find(|action| action.as_str() == text)
    }
}

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Actor<'a> {
    /// `usr_…`
    User(&'a str),
    /// `svc_…`
    ServiceAccount(&'a str),
    /// Whoever holds the platform token.
    Platform,
    /// Nobody: a job, or time.
    System,
}

impl Actor<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Actor::User(_) => "user",
            Actor::ServiceAccount(_) => "service_account",
            Actor::Platform => "platform",
            Actor::System => "system",
        }
    }

    fn id(&self) -> &str {
        match self {
            Actor::User(id) | Actor::ServiceAccount(id) => id,
            Actor::Platform | Actor::System => self.kind(),
        }
    }
}

impl<'a> From<&'a auth::Actor> for Actor<'a> {
    fn from(actor: &'a auth::Actor) -> Self {
        match actor {
            auth::Actor::User(id) => Actor::User(id),
            auth::Actor::ServiceAccount(id) => Actor::ServiceAccount(id),
        }
    }
}

impl<'a> From<&'a Principal> for Actor<'a> {
    fn from(caller: &'a Principal) -> Self {
        Actor::from(&caller.actor)
    }
}

/// Notes a change, in its transaction. `subject` is the id of what was changed, `details` a JSON object of what a
/// reader needs to understand it: no secret, no customer's data.
pub fn record<'a>(
    db: &Db<'_>,
    tenant: &str,
    actor: impl Into<Actor<'a>>,
    action: Action,
    subject: &str,
    details: Value,
) -> Result<()> {
    let actor = actor.into();
    Ok(db.run(
        "INSERT INTO audit_log (id, tenant_id, created_at, actor_type, actor_id, action, subject, details)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            id::new(id::Kind::AuditEntry),
            tenant,
            Timestamp::now(),
            actor.kind(),
            actor.id(),
            action.as_str(),
            subject,
            text(details)
        ],
    )?)
}

/// Notes the same change of several things, each with its own details, in one statement.
pub fn record_all<'a>(
    db: &Db<'_>,
    tenant: &str,
    actor: impl Into<Actor<'a>>,
    action: Action,
    told: impl Iterator<Item = (String, Value)>,
) -> Result<()> {
    let entries: Vec<_> = told
        .map(|(subject, details)| json!([id::new(id::Kind::AuditEntry), subject, text(details)]))
        .collect();
    if entries.is_empty() {
        return Ok(());
    }
    let actor = actor.into();
    Ok(db.run(
        "INSERT INTO audit_log (id, tenant_id, created_at, actor_type, actor_id, action, subject, details)
         SELECT e.value ->> 0, ?, ?, ?, ?, ?, e.value ->> 1, e.value ->> 2 FROM json_each(?) e",
        params![
            tenant,
            Timestamp::now(),
            actor.kind(),
            actor.id(),
            action.as_str(),
            Value::from(entries).to_string()
        ],
    )?)
}

/// The details as they are kept.
fn text(mut details: Value) -> String {
    censor(&mut details);
    let text = details.to_string();
    if details.is_object() && text.len() <= DETAILS_BYTES { text } else { "{}".into() }
}

/// Takes out what looks like a secret: a second line of defence behind callers who give none.
fn censor(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let name = name.to_ascii_lowercase();
                if member.is_string() && SECRETS.iter().any(|word| name.contains(word)) {
                    *member = REMOVED.into();
                } else {
                    censor(member);
                }
            }
        }
        Value::Array(members) => members.iter_mut().for_each(censor),
        _ => {}
    }
}

/// Something that was done.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    #[schema(example = "aud_01HV9A1K3M5P7R9T1V3X5Z7B9D")]
    pub id: String,
    pub created_at: Timestamp,
    pub actor: AuditActor,
    /// What was done: `thing.verb`.
    #[schema(example = "api_key.created")]
    pub action: String,
    /// The id of what it was done to.
    #[schema(example = "key_01HV8ZE9V3S5A7C9E1G3J5M7P9")]
    pub subject: String,
    /// What it was, and what was there before; members depend on the action. Never a secret.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub details: Box<RawValue>,
    #[serde(skip)]
    pub seq: i64,
}

/// Who did something.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditActor {
    /// `user`, `service_account`, `platform` (who runs this server) or `system`.
    #[serde(rename = "type")]
    #[schema(example = "user")]
    pub kind: String,
    /// `usr_…` or `svc_…`; for the others the type.
    pub id: String,
    /// As they are called now; absent for platform and system.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Lina Nowak")]
    pub name: Option<String>,
}

const COLUMNS: &str = "a.seq, a.id, a.created_at, a.actor_type, a.actor_id,
    coalesce((SELECT u.name FROM users u WHERE u.id = a.actor_id),
             (SELECT s.name FROM service_accounts s WHERE s.id = a.actor_id)) AS actor_name,
    a.action, a.subject, a.details";

impl FromRow for AuditEntry {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(AuditEntry {
            seq: row.take()?,
            id: row.take()?,
            created_at: row.take()?,
            actor: AuditActor { kind: row.take()?, id: row.take()?, name: row.take()? },
            action: row.take()?,
            subject: row.take()?,
            details: RawValue::from_string(row.take()?).map_err(|error| DbError::Other(error.to_string()))?,
        })
    }
}

/// Which entries are asked for.
#[derive(Debug, Default)]
pub struct Filter<'a> {
    pub action: Option<Action>,
    /// `usr_…`, `svc_…`, `platform` or `system`.
    pub actor: Option<&'a str>,
    pub subject: Option<&'a str>,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
}

/// A page of the log, newest first, and the token of the next one.
pub fn list(
    db: &Db<'_>,
    tenant: &str,
    filter: &Filter<'_>,
    size: Option<u32>,
    token: Option<&str>,
) -> Result<(Vec<AuditEntry>, Option<String>)> {
    if filter.from.zip(filter.to).is_some_and(|(from, to)| from >= to) {
        return Err(Problem::parameter("to", "must be later than from"));
    }
    let page = Page::new(size, token, filter.binding(tenant))?;
    let (conditions, mut values) = filter.conditions(tenant, page.after.as_ref());
    values.push(page.limit().to_value());
    let sql = format!(
        "SELECT {COLUMNS} FROM audit_log a WHERE {} ORDER BY a.created_at DESC, a.seq DESC LIMIT ?",
        conditions.join(" AND ")
    );
    let mut entries: Vec<AuditEntry> = db.rows(&sql, &values)?;
    let next =
        page.cut(&mut entries, |last| Position { key: Key::Number(last.created_at.millis()), seq: last.seq });
    Ok((entries, next))
}

impl Filter<'_> {
    fn binding(&self, tenant: &str) -> Binding {
        let time = |time: Option<Timestamp>| time.map(|time| time.millis().to_string()).unwrap_or_default();
        Binding::new(&[
            "listAuditLog",
            tenant,
            self.action.map_or("", Action::as_str),
            self.actor.unwrap_or_default(),
            self.subject.unwrap_or_default(),
            &time(self.from),
            &time(self.to),
        ])
    }

    /// Only what is asked for, so that SQLite takes the index that fits it.
    fn conditions(&self, tenant: &str, after: Option<&Position>) -> (Vec<&'static str>, Vec<SqlValue>) {
        let (mut conditions, mut values) = (vec!["a.tenant_id = ?"], vec![tenant.to_value()]);
        let mut add = |condition, value: Option<SqlValue>| {
            if let Some(value) = value {
                conditions.push(condition);
                values.push(value);
            }
        };
        add("a.action = ?", self.action.map(|action| action.as_str().to_value()));
        add("a.actor_id = ?", self.actor.map(ToValue::to_value));
        add("a.subject = ?", self.subject.map(ToValue::to_value));
        add("a.created_at >= ?", self.from.map(|from| from.to_value()));
        add("a.created_at < ?", self.to.map(|to| to.to_value()));
        if let Some(Position { key, seq }) = after {
            conditions.push("(a.created_at, a.seq) < (?, ?)");
            values.extend([key.to_value(), seq.to_value()]);
        }
        (conditions, values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeSet;

    #[test]
    fn actions_have_names_of_their_own() {
        let names: BTreeSet<&str> = Action::ALL.iter().map(|action| action.as_str()).collect();
        assert_eq!(names.len(), Action::ALL.len());
        for action in Action::ALL {
            assert_eq!(Action::parse(action.as_str()), Some(*action));
            assert!(action.as_str().split_once('.').is_some(), "{action:?}");
        }
        assert_eq!(Action::parse("api_key.eaten"), None);
    }

    #[test]
    fn what_looks_like_a_secret_is_not_kept() {
        let given = json!({
            "name": "CRM", "apiToken": "t", "changes": [{"hmacSecret": "s", "newPassword": "p"}],
            "plaintextKey": "fln_live_x", "tokenRotated": true, "credentials": {"authToken": "a", "sid": "AC1"},
        });
        let kept: Value = serde_json::from_str(&text(given)).unwrap();
        assert_eq!(
            kept,
            json!({
                "name": "CRM", "apiToken": REMOVED, "changes": [{"hmacSecret": REMOVED, "newPassword": REMOVED}],
                "plaintextKey": REMOVED, "tokenRotated": true, "credentials": {"authToken": REMOVED, "sid": "AC1"},
            })
        );
    }

    #[test]
    fn details_are_a_small_object() {
        assert_eq!(text(json!("x")), "{}");
        assert_eq!(text(json!({"a": "x".repeat(DETAILS_BYTES)})), "{}");
        assert_eq!(text(json!({"a": 1})), r#"{"a":1}"#);
    }

    #[test]
    fn each_filter_has_an_index_that_gives_the_order() {
        let db = crate::tests::schema();
        let filters = [
            (Filter::default(), "audit_log_by_time"),
            (Filter { action: Some(Action::ApiKeyCreated), ..Filter::default() }, "audit_log_by_action"),
            (Filter { actor: Some("usr_1"), ..Filter::default() }, "audit_log_by_actor"),
            (Filter { subject: Some("key_1"), ..Filter::default() }, "audit_log_by_subject"),
            (
                Filter { from: Some(Timestamp(1)), to: Some(Timestamp(2)), ..Filter::default() },
                "audit_log_by_time",
            ),
        ];
        for (filter, index) in filters {
            let after = Position { key: Key::Number(5), seq: 5 };
            for after in [None, Some(&after)] {
                let (conditions, _) = filter.conditions("tn_1", after);
                let sql = format!(
                    "EXPLAIN QUERY PLAN SELECT a.id FROM audit_log a WHERE {} ORDER BY a.created_at DESC, a.seq DESC",
                    conditions.join(" AND ")
                );
                let mut statement = db.prepare(&sql).unwrap();
                let parameters =
                    vec![rusqlite::types::Value::Integer(1); conditions.len() + usize::from(after.is_some())];
                let plan: Vec<String> = statement
                    .query_map(rusqlite::params_from_iter(parameters), |row| row.get(3))
                    .unwrap()
                    .map(Result::unwrap)
                    .collect();
                let plan = plan.join("; ");
                assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{filter:?}: {plan}");
            }
        }
    }
}
