//! Tenants as the Platform API sees them: accounts (Chatwoot notes 5.1). Their people are in [`members`].
//!
//! Only holders of the platform token come here, so accounts are found by their number alone.

pub mod members;

use crate::audit::{self, Action, Actor};
use crate::billing::{self, Subscription};
use crate::webhooks::address::networks;
use common::chatwoot::{Attributes, Features};
use common::db::{Db, Error as DbError, FromRow, Row};
use common::input::Patch;
use common::problem::Violations;
use common::time::Timestamp;
use common::{Problem, Result, id, params};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// Longest name, domain or address, in characters.
pub const TEXT_CHARS: usize = 255;
/// Longest locale, in characters: `pt_BR`, `zh_Hant_TW`.
pub const LOCALE_CHARS: usize = 20;
/// Largest custom attributes, limits or features of one account or user, in bytes of JSON.
pub const ATTRIBUTES_BYTES: usize = 64 * 1024;

const LOCALE_DEFAULT: &str = "en";
const STATUSES: &[&str] = &["active", "suspended"];

/// An account: a tenant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlatformAccount)]
pub struct Account {
    #[schema(example = 1)]
    pub id: i64,
    #[schema(example = "My Account")]
    pub name: String,
    #[schema(example = "en")]
    pub locale: String,
    pub domain: Option<String>,
    pub support_email: Option<String>,
    /// The features that are on.
    #[schema(value_type = BTreeMap<String, bool>)]
    pub enabled_features: Box<RawValue>,
    /// What integrators keep here; opaque to us.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub custom_attributes: Box<RawValue>,
    /// Opaque to us.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub limits: Box<RawValue>,
    /// `active`, or `suspended`: nobody gets in.
    #[schema(example = "active")]
    pub status: String,
    /// The same account in the v1 API; an addition to Chatwoot's answer.
    #[schema(example = "tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K")]
    pub tenant_id: String,
    #[serde(skip)]
    features: Box<RawValue>,
    #[serde(skip)]
    billing: Option<String>,
}

/// What an account is made of. A new one needs a name; a change takes what is present.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = PlatformAccountRequest)]
pub struct AccountRequest {
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 255, example = "My Account")]
    pub name: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 20, example = "en")]
    pub locale: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 255, example = "example.com")]
    pub domain: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 255, example = "support@example.com")]
    pub support_email: Patch<String>,
    /// `active` or `suspended`.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "active")]
    pub status: Patch<String>,
    /// Replaces the limits.
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub limits: Patch<Attributes>,
    /// Merged into the custom attributes. `billing` is the subscription that `GET /v1/billing/status` shows:
    /// `{"status", "plan"?, "cancel_at"?, "trial_ends_at"?, "trial_available"?}`, replaced as a whole; `null` is none.
    /// `webhook_allowed_networks` are the inner networks that the tenant's webhooks may go to: at most 20 in CIDR form,
    /// no wider than /8 (IPv6: /32); `null` is none.
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub custom_attributes: Patch<Attributes>,
    /// Switches the named features on or off.
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, bool>>)]
    pub features: Patch<Features>,
}

const COLUMNS: &str = "seq, name, locale, domain, support_email,
    (SELECT json_group_object(f.key, json('true')) FROM json_each(tenants.features) f WHERE f.type = 'true'),
    custom_attributes, limits, status, id, features, billing";

impl FromRow for Account {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Account {
            id: row.take()?,
            name: row.take()?,
            locale: row.take()?,
            domain: row.take()?,
            support_email: row.take()?,
            enabled_features: raw(row.take()?)?,
            custom_attributes: raw(row.take()?)?,
            limits: raw(row.take()?)?,
            status: row.take()?,
            tenant_id: row.take()?,
            features: raw(row.take()?)?,
            billing: row.take()?,
        })
    }
}

/// A column that holds JSON: it passes through unread.
pub(crate) fn raw(json: String) -> Result<Box<RawValue>, DbError> {
    RawValue::from_string(json).map_err(|error| DbError::Other(format!("a column is no JSON: {error}")))
}

fn absent(seq: i64) -> Problem {
    Problem::not_found("account", &seq.to_string())
}

/// One account; deleted ones are absent.
pub fn find(db: &Db<'_>, seq: i64) -> Result<Account> {
    let sql = format!("SELECT {COLUMNS} FROM tenants WHERE seq = ? AND deleted_at IS NULL");
    db.row(&sql, params![seq])?.ok_or_else(|| absent(seq))
}

/// The columns of an account after a request.
#[derive(Debug, PartialEq)]
struct Columns {
    name: String,
    locale: String,
    domain: Option<String>,
    support_email: Option<String>,
    status: String,
    limits: String,
    custom_attributes: String,
    features: String,
    billing: Option<String>,
}

impl AccountRequest {
    /// Checks every field and applies it to the account as it is; `None` for a new one.
    fn apply(&self, before: Option<&Account>) -> Result<Columns> {
        let mut violations = Violations::new();
        let name = set(&self.name, before.map(|account| account.name.as_str())).unwrap_or_default();
        check_name(&mut violations, &name);
        let locale = set(&self.locale, before.map(|account| account.locale.as_str()));
        let locale = locale.unwrap_or_else(|| LOCALE_DEFAULT.into());
        let is_locale = (2..=LOCALE_CHARS).contains(&locale.len())
            && locale.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        violations.check(is_locale, "locale", "is not included in the list");
        let status = set(&self.status, before.map(|account| account.status.as_str()));
        let status = status.unwrap_or_else(|| "active".into());
        violations.check(STATUSES.contains(&status.as_str()), "status", "must be active or suspended");
        let domain = set(&self.domain, before.and_then(|account| account.domain.as_deref()));
        let support_email =
            set(&self.support_email, before.and_then(|account| account.support_email.as_deref()));
        for (field, value) in [("domain", &domain), ("support_email", &support_email)] {
            let fits = value.as_ref().is_none_or(|text| text.chars().count() <= TEXT_CHARS);
            violations.check(fits, field, "is too long (maximum is 255 characters)");
        }
        let limits = match &self.limits {
            Patch::Keep => before.map_or("{}", |account| account.limits.get()).to_string(),
            Patch::Clear => "{}".into(),
            Patch::Set(Attributes(fields)) => text(&mut violations, "limits", fields),
        };
        let kept = before.map(|account| &*account.custom_attributes);
        let custom_attributes =
            merge(&mut violations, "custom_attributes", kept, attributes(&self.custom_attributes))?;
        let named = if let Patch::Set(Features(named)) = &self.features { Some(named) } else { None };
        let features = merge(&mut violations, "features", before.map(|account| &*account.features), named)?;
        let billing = match attributes(&self.custom_attributes).and_then(|new| new.get(billing::ATTRIBUTE)) {
            None => before.and_then(|account| account.billing.clone()),
            Some(new) => billing::check(&mut violations, new).map(|new| column(&new)).transpose()?,
        };
        if let Some(new) = attributes(&self.custom_attributes).and_then(|new| new.get(networks::ATTRIBUTE)) {
            networks::check(&mut violations, new);
        }
        violations.finish()?;
        Ok(Columns {
            name,
            locale,
            domain,
            support_email,
            status,
            limits,
            custom_attributes,
            features,
            billing,
        })
    }
}

fn column(subscription: &Subscription) -> Result<String> {
    serde_json::to_string(subscription).map_err(|error| Problem::internal(error.to_string()))
}

/// A name as both accounts and users have it.
pub(crate) fn check_name(violations: &mut Violations, name: &str) {
    violations.check(!name.trim().is_empty(), "name", "can't be blank");
    violations.check(name.chars().count() <= TEXT_CHARS, "name", "is too long (maximum is 255 characters)");
}

/// The text after a change.
pub(crate) fn set(change: &Patch<String>, before: Option<&str>) -> Option<String> {
    match change {
        Patch::Keep => before.map(str::to_string),
        Patch::Clear => None,
        Patch::Set(text) => Some(text.clone()),
    }
}

/// The fields to merge; `null` merges nothing, as in Chatwoot.
pub(crate) fn attributes(change: &Patch<Attributes>) -> Option<&Map<String, Value>> {
    if let Patch::Set(Attributes(fields)) = change { Some(fields) } else { None }
}

/// What was kept with the new fields over it, one level deep, as JSON.
pub(crate) fn merge(
    violations: &mut Violations,
    field: &str,
    kept: Option<&RawValue>,
    new: Option<&Map<String, Value>>,
) -> Result<String> {
    let kept = kept.map_or("{}", RawValue::get);
    let Some(new) = new else { return Ok(kept.to_string()) };
    let mut merged: Map<String, Value> =
        serde_json::from_str(kept).map_err(|error| Problem::internal(format!("{field}: {error}")))?;
    merged.extend(new.clone());
    Ok(text(violations, field, &merged))
}

fn text(violations: &mut Violations, field: &str, fields: &Map<String, Value>) -> String {
    let json = serde_json::to_string(fields).unwrap_or_default();
    violations.check(json.len() <= ATTRIBUTES_BYTES, field, "is too large (maximum is 64 KiB of JSON)");
    json
}

/// Creates an account.
pub fn create(db: &Db<'_>, request: &AccountRequest) -> Result<Account> {
    let new = request.apply(None)?;
    let now = Timestamp::now();
    let sql = format!(
        "INSERT INTO tenants (id, name, locale, domain, support_email, status, custom_attributes, limits, features, billing,
                              created_at, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING {COLUMNS}"
    );
    let values = params![
        id::new(id::Kind::Tenant),
        new.name,
        new.locale,
        new.domain,
        new.support_email,
        new.status,
        new.custom_attributes,
        new.limits,
        new.features,
        new.billing,
        now,
        now
    ];
    let made: Option<Account> = db.row(&sql, values)?;
    let made = made.ok_or_else(|| Problem::internal("an insert returned no row"))?;
    note_billing(db, None, &made)?;
    note_networks(db, None, &made)?;
    Ok(made)
}

/// Notes what became of the subscription, where it changed.
fn note_billing(db: &Db<'_>, before: Option<&str>, account: &Account) -> Result<()> {
    let after = account.billing.as_deref();
    if before == after {
        return Ok(());
    }
    let value = |json: Option<&str>| json.and_then(|json| serde_json::from_str::<Value>(json).ok());
    let details = json!({ "from": value(before), "to": value(after) });
    audit::record(
        db,
        &account.tenant_id,
        Actor::Platform,
        Action::BillingUpdated,
        &account.tenant_id,
        details,
    )
}

/// Notes which inner networks the tenant's webhooks may go to, where that changed.
fn note_networks(db: &Db<'_>, before: Option<&RawValue>, account: &Account) -> Result<()> {
    let of = |attributes: &RawValue| {
        let attributes: Map<String, Value> = serde_json::from_str(attributes.get()).unwrap_or_default();
        attributes.get(networks::ATTRIBUTE).cloned().unwrap_or_default()
    };
    let (from, to) = (before.map(of).unwrap_or_default(), of(&account.custom_attributes));
    if from == to {
        return Ok(());
    }
    let details = json!({ "from": from, "to": to });
    let tenant = &account.tenant_id;
    audit::record(db, tenant, Actor::Platform, Action::WebhookNetworksUpdated, tenant, details)
}

/// Changes the fields that are present.
pub fn update(db: &Db<'_>, seq: i64, request: &AccountRequest) -> Result<Account> {
    let before = find(db, seq)?;
    let new = request.apply(Some(&before))?;
    let sql = format!(
        "UPDATE tenants SET name = ?, locale = ?, domain = ?, support_email = ?, status = ?, custom_attributes = ?,
                            limits = ?, features = ?, billing = ?, updated_at = ?
          WHERE seq = ? RETURNING {COLUMNS}"
    );
    let values = params![
        new.name,
        new.locale,
        new.domain,
        new.support_email,
        new.status,
        new.custom_attributes,
        new.limits,
        new.features,
        new.billing,
        Timestamp::now(),
        seq
    ];
    let after = db.row(&sql, values)?.ok_or_else(|| absent(seq))?;
    note_billing(db, before.billing.as_deref(), &after)?;
    note_networks(db, Some(&before.custom_attributes), &after)?;
    Ok(after)
}

/// Deletes an account: its keys and tokens stop at once, its rows stay.
pub fn delete(db: &Db<'_>, seq: i64) -> Result<()> {
    let now = Timestamp::now();
    let deleted = db.row::<(String,)>(
        "UPDATE tenants SET deleted_at = ?, updated_at = ? WHERE seq = ? AND deleted_at IS NULL RETURNING id",
        params![now, now, seq],
    )?;
    let Some((tenant,)) = deleted else { return Err(absent(seq)) };
    // Nobody is left who could switch them off.
    Ok(db.run("UPDATE webhook_endpoints SET enabled = 0 WHERE tenant_id = ?", params![tenant])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        let raw_json = |text: &str| raw(text.into()).unwrap();
        Account {
            id: 1,
            name: "Acme".into(),
            locale: "de".into(),
            domain: Some("acme.example".into()),
            support_email: None,
            enabled_features: raw_json("{}"),
            custom_attributes: raw_json(r#"{"plan":"pro","deep":{"a":1}}"#),
            limits: raw_json(r#"{"agents":5}"#),
            status: "suspended".into(),
            tenant_id: "tn_1".into(),
            features: raw_json(r#"{"crm":true}"#),
            billing: None,
        }
    }

    fn request(body: Value) -> AccountRequest {
        serde_json::from_value(body).unwrap()
    }

    fn refused(body: Value, before: Option<&Account>) -> Vec<String> {
        let problem = request(body).apply(before).unwrap_err();
        assert_eq!(problem.status, 422);
        problem.errors.into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn a_change_takes_what_is_present() {
        let change = json!({
            "custom_attributes": {"deep": {"b": null}, "x": 1}, "features": {"crm": "false", "bots": true},
            "domain": null, "limits": {"inboxes": 2},
        });
        let after = request(change).apply(Some(&account())).unwrap();
        assert_eq!(after.name, "Acme");
        assert_eq!((after.domain, after.status.as_str(), after.locale.as_str()), (None, "suspended", "de"));
        assert_eq!(
            serde_json::from_str::<Value>(&after.custom_attributes).unwrap(),
            json!({"plan": "pro", "deep": {"b": null}, "x": 1})
        );
        assert_eq!(after.limits, r#"{"inboxes":2}"#);
        assert_eq!(
            serde_json::from_str::<Value>(&after.features).unwrap(),
            json!({"crm": false, "bots": true})
        );
    }

    #[test]
    fn a_new_account_needs_a_name_only() {
        let new = request(json!({"name": "Acme"})).apply(None).unwrap();
        assert_eq!((new.locale.as_str(), new.status.as_str(), new.limits.as_str()), ("en", "active", "{}"));
        assert_eq!(refused(json!({}), None), ["name"]);
        assert_eq!(
            refused(json!({"name": null, "status": "gone", "locale": "no way"}), Some(&account())),
            ["name", "locale", "status"]
        );
    }

    #[test]
    fn attributes_cannot_grow_for_ever() {
        let big = "x".repeat(40 * 1024);
        let mut full = account();
        full.custom_attributes = raw(json!({ "a": big }).to_string()).unwrap();
        assert_eq!(refused(json!({"custom_attributes": {"b": big}}), Some(&full)), ["custom_attributes"]);
    }
}
