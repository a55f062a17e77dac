//! Changing an inbox: its name and credentials, the team of its new conversations, its end.

use super::credentials::check_secret;
use super::{CONNECTION, Connection, Credentials, Inbox, InboxSecrets, NAME_CHARS, connect, find};
use crate::audit::{self, Action};
use crate::pace;
use common::auth::Principal;
use common::crypto::Sealer;
use common::db::Db;
use common::input::Patch;
use common::problem::Violations;
use common::time::Timestamp;
use common::{Problem, Result, background, id, params};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// What may be changed of an inbox; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateInboxRequest {
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200, example = "Support WhatsApp")]
    pub name: Option<String>,
    /// Live chat only.
    #[serde(default)]
    pub hmac_mandatory: Option<bool>,
    #[serde(default)]
    pub credentials: Option<UpdateCredentials>,
}

/// New secrets of an inbox; what is absent stays, `null` goes back to the deployment's.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateCredentials {
    /// WhatsApp, Messenger, Instagram.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub access_token: Patch<String>,
    /// WhatsApp, Messenger, Instagram.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub app_secret: Patch<String>,
    /// Twilio.
    #[serde(default)]
    pub auth_token: Option<String>,
    /// Twilio: with `apiKeySecret`; `null` signs with the auth token again.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub api_key_sid: Patch<String>,
    /// Twilio.
    #[serde(default)]
    pub api_key_secret: Option<String>,
    /// Gateway: all its settings.
    #[serde(default)]
    #[schema(value_type = Option<std::collections::BTreeMap<String, serde_json::Value>>)]
    pub gateway: Option<Value>,
    /// Gateway: gives its callback URL a new secret; the old URL stops at once.
    #[serde(default)]
    pub rotate_callback_url: bool,
    /// Live chat: makes a new `hmacToken`, shown in this answer only; hashes by the old one stop at once.
    #[serde(default)]
    pub rotate_hmac_token: bool,
}

/// The team of new conversations.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SetInboxTeamRequest {
    #[schema(example = "team_01HV8Y6W0W4T5A8S9V7Q2P1M3G")]
    pub team_id: String,
}

/// Changes what the request names. New credentials start the queue of an inbox that its provider refused.
pub fn update(
    db: &Db<'_>,
    caller: &Principal,
    sealer: &Sealer,
    id: &str,
    request: &UpdateInboxRequest,
) -> Result<Inbox> {
    let tenant = caller.tenant.as_str();
    let before = find(db, tenant, id)?;
    let sql =
        format!("SELECT {CONNECTION} FROM inboxes WHERE id = ? AND tenant_id = ? AND deleted_at IS NULL");
    let found: Option<Connection> = db.row(&sql, params![id, tenant])?;
    let mut connection = found.ok_or_else(|| Problem::not_found("inbox", id))?;
    let mut violations = Violations::new();
    if let Some(name) = &request.name {
        violations.text("name", name, NAME_CHARS);
    }
    if let Some(mandatory) = request.hmac_mandatory {
        let fits = connection.address.channel == "text";
        violations.check(fits, "hmacMandatory", "belongs to live chat");
        connection.config.hmac_mandatory = mandatory;
    }
    let mut secrets = None;
    let mut sealed = None;
    if let Some(changes) = &request.credentials {
        let mut own = connection.credentials(sealer)?;
        secrets = changes.apply(&mut own, &mut violations);
        sealed = Some(own.seal(sealer, id)?);
    }
    violations.finish()?;
    let config =
        serde_json::to_string(&connection.config).map_err(|error| Problem::internal(error.to_string()))?;
    db.run(
        "UPDATE inboxes SET name = coalesce(?, name), config = ?, credentials = coalesce(?, credentials), updated_at = ?
          WHERE seq = ? AND tenant_id = ?",
        params![
            request.name.as_deref().map(str::trim),
            config,
            sealed,
            Timestamp::now(),
            connection.address.seq,
            tenant
        ],
    )?;
    if sealed.is_some() {
        pace::recovered(db, tenant, connection.address.seq)?;
    }
    let mut inbox = find(db, tenant, id)?;
    if sealed.is_some() || before.name != inbox.name || before.config != inbox.config {
        let details = json!({
            "from": before.settings(), "to": inbox.settings(), "credentialsChanged": sealed.is_some(),
        });
        audit::record(db, tenant, caller, Action::InboxUpdated, id, details)?;
    }
    inbox.secrets = secrets;
    Ok(inbox)
}

impl Inbox {
    /// What a change of settings may change, for the audit log.
    fn settings(&self) -> Value {
        json!({"name": self.name, "hmacMandatory": self.config.hmac_mandatory})
    }
}

impl UpdateCredentials {
    /// Changes opened credentials; gives what is to be shown once.
    fn apply(&self, own: &mut Credentials, violations: &mut Violations) -> Option<InboxSecrets> {
        let absent = |patch: &Patch<String>| *patch == Patch::Keep;
        let meta = [("accessToken", absent(&self.access_token)), ("appSecret", absent(&self.app_secret))];
        let twilio = [
            ("authToken", self.auth_token.is_none()),
            ("apiKeySid", absent(&self.api_key_sid)),
            ("apiKeySecret", self.api_key_secret.is_none()),
        ];
        let gateway = [("gateway", self.gateway.is_none()), ("rotateCallbackUrl", !self.rotate_callback_url)];
        let text = [("rotateHmacToken", !self.rotate_hmac_token)];
        let mut foreign = |fields: &[(&str, bool)], owner: &str| {
            for (field, is_absent) in fields {
                violations.check(*is_absent, &format!("credentials.{field}"), &format!("belongs to {owner}"));
            }
        };
        if !matches!(own, Credentials::Meta { .. }) {
            foreign(&meta, "WhatsApp, Messenger and Instagram");
        }
        if !matches!(own, Credentials::Twilio { .. }) {
            foreign(&twilio, "Twilio");
        }
        if !matches!(own, Credentials::Gateway { .. }) {
            foreign(&gateway, "SMS gateways");
        }
        if !matches!(own, Credentials::Text { .. }) {
            foreign(&text, "live chat");
        }
        match own {
            Credentials::Meta { access_token, app_secret } => {
                for (name, patch, value) in [
                    ("credentials.accessToken", &self.access_token, access_token),
                    ("credentials.appSecret", &self.app_secret, app_secret),
                ] {
                    if let Patch::Set(secret) = patch {
                        check_secret(violations, name, secret);
                    }
                    put(value, patch);
                }
            }
            Credentials::Twilio { auth_token, api_key_sid, api_key_secret, .. } => {
                self.apply_twilio(auth_token, api_key_sid, api_key_secret, violations);
            }
            Credentials::Gateway { settings, callback_secret } => {
                if let Some(new) = &self.gateway {
                    connect::check_gateway(violations, "credentials.gateway", Some(new));
                    *settings = new.clone();
                }
                if self.rotate_callback_url {
                    *callback_secret = id::secret();
                }
            }
            Credentials::Text { hmac_token } => {
                if self.rotate_hmac_token {
                    *hmac_token = id::secret();
                    return Some(InboxSecrets {
                        hmac_token: Some(hmac_token.clone()),
                        ..InboxSecrets::default()
                    });
                }
            }
        }
        None
    }

    fn apply_twilio(
        &self,
        auth_token: &mut String,
        api_key_sid: &mut Option<String>,
        api_key_secret: &mut Option<String>,
        violations: &mut Violations,
    ) {
        if let Some(token) = &self.auth_token {
            check_secret(violations, "credentials.authToken", token);
            auth_token.clone_from(token);
        }
        if let Patch::Set(sid) = &self.api_key_sid {
            let fine = connect::is_sid(sid, "SK");
            violations.check(fine, "credentials.apiKeySid", "must be SK and 32 hexadecimal digits");
        }
        let pair = self.api_key_secret.is_some() == matches!(self.api_key_sid, Patch::Set(_));
        violations.check(pair, "credentials.apiKeySecret", "must be given with apiKeySid, and only with it");
        if let Some(secret) = &self.api_key_secret {
            check_secret(violations, "credentials.apiKeySecret", secret);
        }
        if self.api_key_sid != Patch::Keep {
            put(api_key_sid, &self.api_key_sid);
            api_key_secret.clone_from(&self.api_key_secret);
        }
    }
}

fn put(value: &mut Option<String>, patch: &Patch<String>) {
    match patch {
        Patch::Keep => {}
        Patch::Clear => *value = None,
        Patch::Set(new) => *value = Some(new.clone()),
    }
}

/// Makes the waiting sends of an inbox due: each finds that its inbox is gone. One that is under way is left alone.
fn start_waiting_jobs(db: &Db<'_>, seq: i64) -> Result<()> {
    // `;` is the character after `:`.
    db.run(
        "UPDATE jobs SET due_at = ?1, held = 0
          WHERE lane >= 'send:' || ?2 || ':' AND lane < 'send:' || ?2 || ';' AND kind = 'send_message'
            AND due_at > ?1 AND running = 0",
        params![Timestamp::now(), seq],
    )?;
    background::work_is_due();
    Ok(())
}

/// Has new sessions go to a team.
pub fn set_team(db: &Db<'_>, caller: &Principal, id: &str, team: &str) -> Result<Inbox> {
    let tenant = caller.tenant.as_str();
    let known = db.touches("SELECT 1 FROM teams WHERE id = ? AND tenant_id = ?", params![team, tenant])?;
    let inbox = find(db, tenant, id)?;
    if !known {
        return Err(Problem::invalid("teamId", "must be the id of a team of this workspace"));
    }
    put_team(db, caller, inbox, Some(team))
}

/// Has new sessions go to nobody in particular.
pub fn clear_team(db: &Db<'_>, caller: &Principal, id: &str) -> Result<Inbox> {
    put_team(db, caller, find(db, &caller.tenant, id)?, None)
}

fn put_team(db: &Db<'_>, caller: &Principal, mut inbox: Inbox, team: Option<&str>) -> Result<Inbox> {
    let (tenant, now) = (&caller.tenant, Timestamp::now());
    if inbox.team_id.as_deref() != team {
        let details = json!({"from": inbox.team_id, "to": team});
        audit::record(db, tenant, caller, Action::InboxTeamChanged, &inbox.id, details)?;
    }
    db.run(
        "UPDATE inboxes SET team_id = ?, updated_at = ? WHERE seq = ? AND tenant_id = ?",
        params![team, now, inbox.seq, tenant],
    )?;
    inbox.team_id = team.map(str::to_string);
    inbox.updated_at = now;
    Ok(inbox)
}

/// Disconnects: nothing is received or sent any more, its secrets are forgotten, its history stays. Sends that
/// wait fail one after the other, by their jobs. The sender may be connected again, as a new inbox.
pub fn delete(db: &Db<'_>, caller: &Principal, id: &str) -> Result<()> {
    let (tenant, now) = (&caller.tenant, Timestamp::now());
    let inbox = find(db, tenant, id)?;
    db.run(
        "UPDATE inboxes SET deleted_at = ?, updated_at = ?, credentials = NULL, state = 'inactive', reasons = '[]'
          WHERE seq = ? AND tenant_id = ?",
        params![now, now, inbox.seq, tenant],
    )?;
    audit::record(db, tenant, caller, Action::InboxDeleted, id, inbox.summary())?;
    start_waiting_jobs(db, inbox.seq)
}
