//! Endpoints and their settings. One of a tenant's is the *main* one: `/v1/webhooks` speaks of it.

use super::address::Guard;
use super::queue;
use crate::audit::{self, Action};
use crate::events;
use common::auth::Principal;
use common::crypto;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::input::Patch;
use common::problem::Violations;
use common::time::Timestamp;
use common::{Problem, Result, id, params};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Longest URL, in characters.
const URL_CHARS: usize = 2048;
/// Longest description, in characters.
const DESCRIPTION_CHARS: usize = 500;
/// Most endpoints of a tenant.
pub const ENDPOINTS_MAX: usize = 20;

/// What an endpoint's deliveries are ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = WebhookOrdering)]
pub enum Ordering {
    /// Each as soon as it can be: a failed one holds up no other.
    #[default]
    None,
    /// One after the other for each conversation, and for each contact's own events: what follows waits until the
    /// one before was accepted or given up.
    Conversation,
    /// One after the other for each contact, conversations included.
    Contact,
}

impl Ordering {
    fn as_str(self) -> &'static str {
        match self {
            Ordering::None => "none",
            Ordering::Conversation => "conversation",
            Ordering::Contact => "contact",
        }
    }

    fn from_text(text: &str) -> Self {
        match text {
            "conversation" => Ordering::Conversation,
            "contact" => Ordering::Contact,
            _ => Ordering::None,
        }
    }
}

/// Why an endpoint was switched off by us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = WebhookDisabledReason)]
pub enum DisabledReason {
    /// It answered 410.
    Gone,
    /// For five days every attempt failed.
    Failing,
}

impl DisabledReason {
    pub fn as_str(self) -> &'static str {
        match self {
            DisabledReason::Gone => "gone",
            DisabledReason::Failing => "failing",
        }
    }
}

/// Where events go, and which.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookSettings {
    /// Absent until something was configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "whk_01HV8ZE2G9W4P6Q8T1A3C5E7G9")]
    pub id: Option<String>,
    pub enabled: bool,
    /// Whether a test event was accepted at this URL.
    pub verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What is delivered.
    #[schema(value_type = Vec<String>)]
    pub event_types: Box<RawValue>,
    /// What can be delivered.
    #[schema(value_type = Vec<String>)]
    pub available_event_types: &'static [&'static str],
    /// Absent until something was configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ordering: Option<Ordering>,
    /// `v1` is HMAC-SHA256, `v1a` Ed25519. Absent until something was configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub signature_schemes: Option<&'static [&'static str]>,
    /// Why it is off, when that was not your doing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<DisabledReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    #[serde(skip)]
    pub(super) seq: i64,
    #[serde(skip)]
    pub(super) main: bool,
}

/// What to change; absent fields stay.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateWebhookSettingsRequest {
    /// Enabling needs a URL. Enabling again goes on with what waited.
    pub enabled: Option<bool>,
    /// An https URL; a new one is not verified any more.
    #[schema(example = "https://example.com/hooks/flownally")]
    pub url: Option<String>,
    /// At most 500 characters; `null` removes it.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub description: Patch<String>,
    /// From `availableEventTypes`.
    pub event_types: Option<Vec<String>>,
    /// For events from now on; what waits already goes on without order.
    pub ordering: Option<Ordering>,
    /// `["v1"]` or `["v1", "v1a"]`.
    #[schema(example = json!(["v1"]))]
    pub signature_schemes: Option<Vec<String>>,
}

const SYMMETRIC: &[&str] = &["v1"];
const BOTH: &[&str] = &["v1", "v1a"];

const COLUMNS: &str = "seq, main, id, enabled, verified, url, description, event_types, ordering, asymmetric,
    disabled_reason, disabled_at, created_at, updated_at";

impl FromRow for WebhookSettings {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(WebhookSettings {
            seq: row.take()?,
            main: row.take()?,
            id: row.take()?,
            enabled: row.take()?,
            verified: row.take()?,
            url: row.take()?,
            description: row.take()?,
            event_types: RawValue::from_string(row.take()?)
                .map_err(|error| DbError::Other(error.to_string()))?,
            available_event_types: events::TYPES,
            ordering: Some(Ordering::from_text(&row.take::<String>()?)),
            signature_schemes: Some(if row.take()? { BOTH } else { SYMMETRIC }),
            disabled_reason: row.take::<Option<String>>()?.map(|reason| match reason.as_str() {
                "gone" => DisabledReason::Gone,
                _ => DisabledReason::Failing,
            }),
            disabled_at: row.take()?,
            created_at: row.take()?,
            updated_at: row.take()?,
        })
    }
}

impl WebhookSettings {
    /// Of a tenant that configured nothing.
    fn none() -> Self {
        WebhookSettings {
            id: None,
            enabled: false,
            verified: false,
            url: None,
            description: None,
            event_types: RawValue::from_string("[]".into()).unwrap_or_else(|_| RawValue::NULL.to_owned()),
            available_event_types: events::TYPES,
            ordering: None,
            signature_schemes: None,
            disabled_reason: None,
            disabled_at: None,
            created_at: None,
            updated_at: None,
            seq: 0,
            main: true,
        }
    }

    /// What the audit log tells. Of the URL only where it leads and a mark of the rest: paths and queries of webhooks
    /// often are a secret.
    fn summary(&self) -> Value {
        let host =
            |url: &String| url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_string));
        let mark = |url: &String| hex::encode(crypto::sha256(url.as_bytes()).get(..4).unwrap_or_default());
        json!({
            "enabled": self.enabled, "host": self.url.as_ref().and_then(host), "urlMark": self.url.as_ref().map(mark),
            "eventTypes": self.event_types, "ordering": self.ordering, "signatureSchemes": self.signature_schemes,
        })
    }
}

impl WebhookSettings {
    /// The number of its row; 0 while there is none.
    pub fn seq(&self) -> i64 {
        self.seq
    }
}

/// What came of a test event.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = VerifyWebhookResponse)]
pub struct VerifyOutcome {
    /// The receiver accepted it: a 2xx.
    pub success: bool,
    /// Absent when there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 204)]
    pub response_status: Option<u16>,
    #[schema(example = 84)]
    pub duration_ms: i64,
    /// Why not, in plain words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Which endpoint is meant.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    /// The one of `/v1/webhooks`.
    Main,
    /// By its id.
    Id(&'a str),
}

/// An endpoint; a tenant without a main one gets the empty settings for it.
pub fn get(db: &Db<'_>, tenant: &str, which: Which<'_>) -> Result<WebhookSettings> {
    match which {
        Which::Main => {
            let sql = format!("SELECT {COLUMNS} FROM webhook_endpoints WHERE tenant_id = ? AND main = 1");
            Ok(db.row(&sql, params![tenant])?.unwrap_or_else(WebhookSettings::none))
        }
        Which::Id(id) => {
            let sql = format!("SELECT {COLUMNS} FROM webhook_endpoints WHERE tenant_id = ? AND id = ?");
            db.row(&sql, params![tenant, id])?.ok_or_else(|| Problem::not_found("webhook endpoint", id))
        }
    }
}

/// All endpoints of a tenant, oldest first: at most [`ENDPOINTS_MAX`].
pub fn list(db: &Db<'_>, tenant: &str) -> Result<Vec<WebhookSettings>> {
    let sql = format!("SELECT {COLUMNS} FROM webhook_endpoints WHERE tenant_id = ? ORDER BY seq LIMIT 100");
    Ok(db.rows(&sql, params![tenant])?)
}

/// Makes an endpoint; the first of a tenant without a main one becomes that. `local` as in [`Guard::of`].
pub fn create(
    db: &Db<'_>,
    caller: &Principal,
    request: &UpdateWebhookSettingsRequest,
    local: bool,
) -> Result<WebhookSettings> {
    if request.url.is_none() {
        return Err(Problem::invalid("url", "must be given"));
    }
    let others = list(db, &caller.tenant)?;
    let main = !others.iter().any(|other| other.main);
    write(db, caller, WebhookSettings { main, ..WebhookSettings::none() }, request, local)
}

/// Changes what is present; the first change of the main endpoint creates it.
pub fn update(
    db: &Db<'_>,
    caller: &Principal,
    which: Which<'_>,
    request: &UpdateWebhookSettingsRequest,
    local: bool,
) -> Result<WebhookSettings> {
    let before = get(db, &caller.tenant, which)?;
    write(db, caller, before, request, local)
}

fn write(
    db: &Db<'_>,
    caller: &Principal,
    before: WebhookSettings,
    request: &UpdateWebhookSettingsRequest,
    local: bool,
) -> Result<WebhookSettings> {
    let tenant = caller.tenant.as_str();
    check(request, &before, &Guard::of(db, tenant, local)?)?;
    let now = Timestamp::now();
    let id = match &before.id {
        Some(id) => id.clone(),
        None => insert(db, tenant, before.main, now)?,
    };
    let url = request.url.as_deref().or(before.url.as_deref());
    let moved = before.url.as_deref() != url;
    let enabled = request.enabled.unwrap_or(before.enabled);
    let description = match &request.description {
        Patch::Keep => before.description.as_deref(),
        Patch::Clear => None,
        Patch::Set(text) => Some(text.as_str()),
    };
    let ordering = request.ordering.or(before.ordering).unwrap_or_default();
    let asymmetric = match &request.signature_schemes {
        Some(schemes) => schemes.len() > 1,
        None => before.signature_schemes == Some(BOTH),
    };
    db.run(
        "UPDATE webhook_endpoints
            SET enabled = ?1, verified = ?2, url = ?3, description = ?4, event_types = ?5, ordering = ?6, asymmetric = ?7,
                updated_at = ?8
          WHERE id = ?9 AND tenant_id = ?10",
        params![
            enabled,
            before.verified && !moved,
            url,
            description,
            event_types(request, &before)?,
            ordering.as_str(),
            asymmetric,
            now,
            id,
            tenant
        ],
    )?;
    if moved || (enabled && !before.enabled) {
        queue::forgive(db, tenant, &id)?;
    }
    if before.ordering.is_some_and(|former| former != ordering) {
        queue::tidy(db, tenant, before.seq)?;
    }
    let after = get(db, tenant, Which::Id(&id))?;
    let (was, is) = (before.summary(), after.summary());
    if was != is {
        audit::record(db, tenant, caller, Action::WebhookUpdated, &id, json!({"from": was, "to": is}))?;
    }
    Ok(after)
}

fn insert(db: &Db<'_>, tenant: &str, main: bool, now: Timestamp) -> Result<String> {
    let others =
        db.rows::<(i64,)>("SELECT seq FROM webhook_endpoints WHERE tenant_id = ?", params![tenant])?;
    if others.len() >= ENDPOINTS_MAX {
        let detail = format!("A tenant has at most {ENDPOINTS_MAX} webhook endpoints: remove one first.");
        return Err(Problem::conflict("too_many_endpoints", detail));
    }
    let id = id::new(id::Kind::Webhook);
    db.run(
        "INSERT INTO webhook_endpoints (id, tenant_id, main, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4)",
        params![id, tenant, main, now],
    )?;
    Ok(id)
}

fn check(request: &UpdateWebhookSettingsRequest, before: &WebhookSettings, guard: &Guard) -> Result<()> {
    let mut violations = Violations::new();
    if let Some(url) = &request.url {
        if url.chars().count() > URL_CHARS {
            violations.add("url", format!("must be at most {URL_CHARS} characters"));
        } else if let Err(message) = guard.check(url) {
            violations.add("url", message);
        }
    }
    if let Patch::Set(text) = &request.description {
        violations.text("description", text, DESCRIPTION_CHARS);
    }
    for (at, kind) in request.event_types.iter().flatten().enumerate().take(100) {
        if !events::TYPES.contains(&kind.as_str()) {
            violations
                .add(format!("eventTypes[{at}]"), format!("is not one of {}", events::TYPES.join(", ")));
        }
    }
    if let Some(schemes) = &request.signature_schemes {
        let mut chosen: Vec<&str> = schemes.iter().map(String::as_str).collect();
        chosen.sort_unstable();
        violations.check(
            chosen == SYMMETRIC || chosen == BOTH,
            "signatureSchemes",
            "must be [\"v1\"] or [\"v1\", \"v1a\"]",
        );
    }
    let enabled = request.enabled.unwrap_or(before.enabled);
    violations.check(
        !enabled || request.url.is_some() || before.url.is_some(),
        "url",
        "must be given before the webhook can be enabled",
    );
    violations.finish()
}

/// The chosen types in the published order, each once.
fn event_types(request: &UpdateWebhookSettingsRequest, before: &WebhookSettings) -> Result<String> {
    let Some(kinds) = &request.event_types else { return Ok(before.event_types.get().to_string()) };
    let chosen: Vec<&&str> =
        events::TYPES.iter().filter(|kind| kinds.iter().any(|own| own == *kind)).collect();
    serde_json::to_string(&chosen).map_err(|error| Problem::internal(error.to_string()))
}

/// Removes an endpoint; deliveries that wait go with it. Attempts stay, and so do the main one's keys. Removing a main
/// endpoint that is not there does nothing.
pub fn delete(db: &Db<'_>, caller: &Principal, which: Which<'_>) -> Result<()> {
    let tenant = caller.tenant.as_str();
    let before = get(db, tenant, which)?;
    let Some(id) = &before.id else { return Ok(()) };
    audit::record(db, tenant, caller, Action::WebhookDeleted, id, json!({"from": before.summary()}))?;
    if !before.main {
        db.run(
            "DELETE FROM webhook_keys WHERE endpoint_seq = ? AND tenant_id = ?",
            params![before.seq, tenant],
        )?;
    }
    db.run("DELETE FROM webhook_endpoints WHERE id = ? AND tenant_id = ?", params![id, tenant])?;
    queue::tidy(db, tenant, before.seq)
}

/// Notes that a test event was accepted at the saved URL.
pub fn mark_verified(db: &Db<'_>, tenant: &str, id: &str, url: &str) -> Result<()> {
    Ok(db.run(
        "UPDATE webhook_endpoints SET verified = 1, updated_at = ? WHERE id = ? AND tenant_id = ? AND url = ? AND verified = 0",
        params![Timestamp::now(), id, tenant, url],
    )?)
}
