//! Inboxes: the connected senders of a tenant (contract section 6).
//!
//! | file | what |
//! |---|---|
//! | `connect` | connecting senders of every channel |
//! | `changes` | names and credentials, team, disconnecting |
//! | `credentials` | the sealed secrets of an inbox |
//! | `reads` | templates and phone numbers, as their provider lists them |

mod changes;
mod connect;
pub mod credentials;
pub mod reads;

pub use changes::*;
pub use connect::*;
pub use credentials::Credentials;

use crate::billing::{PAYMENT_ISSUE, Subscription};
use common::crypto::Sealer;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::time::Timestamp;
use common::{Problem, Result, params};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Most inboxes of a tenant: the list is not paged.
pub const INBOXES_MAX: i64 = 1000;

/// A connected sender.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Inbox {
    #[schema(example = "ibx_01HV8Y4QH7C8H1K5K0C8A2B9E4")]
    pub id: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub tenant_id: String,
    /// `whatsapp`, `messenger`, `instagram`, `text` or `sms`.
    #[schema(example = "whatsapp")]
    pub channel: String,
    /// The phone number id, Page, Instagram account, live-chat identifier, SMS sender or messaging service.
    pub external_id: String,
    /// The user or service account that connected it.
    pub created_by: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team_id: Option<String>,
    pub status: InboxStatus,
    pub config: InboxConfig,
    /// Where the provider is to send its callbacks; shown to administrators who read or change this one inbox. Keep
    /// a gateway's to yourself: whoever knows it can play the gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<String>,
    /// Shown once, to whoever made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets: Option<InboxSecrets>,
    #[serde(skip)]
    pub seq: i64,
}

/// Secrets that we made for an inbox.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InboxSecrets {
    /// Live chat: the key of `identifier_hash`, HMAC-SHA256 of a customer's `identifier` in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hmac_token: Option<String>,
    /// Gateway: the URL to set there for what customers write; with `/report` behind it for delivery reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<String>,
}

/// Whether an inbox can send.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InboxStatus {
    /// `active`, `degraded` or `inactive`.
    #[schema(example = "active")]
    pub state: String,
    /// Why it is not active, such as `token_expired`, or `payment_issue` while the subscription has one; empty when
    /// active.
    #[schema(value_type = Vec<String>)]
    pub reasons: Box<RawValue>,
}

/// What the channel knows the sender by; which members are there depends on the channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InboxConfig {
    /// WhatsApp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number_id: Option<String>,
    /// Messenger; Instagram where it is reached through a Page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_id: Option<String>,
    /// Instagram.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// Instagram: how its token was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<InstagramLogin>,
    /// SMS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<SmsProvider>,
    /// SMS: the number or name that messages come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Twilio: the service that chooses the number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messaging_service_sid: Option<String>,
    /// Live chat: customers without a right `identifier_hash` are refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hmac_mandatory: bool,
}

/// How the token of an Instagram account was made (channels section 1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum InstagramLogin {
    /// Through the Page that the account is linked to: `graph.facebook.com`.
    Page,
    /// Instagram API with Instagram Login: `graph.instagram.com`.
    Instagram,
}

/// Who carries text messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SmsProvider {
    Twilio,
    /// Any HTTP gateway, described by settings.
    Gateway,
}

impl InboxStatus {
    /// What its provider says of it, and, while the subscription has a payment issue, that: a mark that blocks nothing.
    fn new(state: String, reasons: String, billing: Option<&str>) -> Result<Self, DbError> {
        let other = |error: String| DbError::Other(error);
        let subscription = Subscription::read(billing).map_err(|problem| other(problem.to_string()))?;
        if !subscription.has_payment_issue(Timestamp::now()) {
            let reasons = RawValue::from_string(reasons).map_err(|error| other(error.to_string()))?;
            return Ok(InboxStatus { state, reasons });
        }
        let mut all: Vec<String> =
            serde_json::from_str(&reasons).map_err(|error| other(error.to_string()))?;
        if !all.iter().any(|reason| reason == PAYMENT_ISSUE) {
            all.push(PAYMENT_ISSUE.into());
        }
        let reasons = serde_json::value::to_raw_value(&all).map_err(|error| other(error.to_string()))?;
        let state = if state == "active" { "degraded".into() } else { state };
        Ok(InboxStatus { state, reasons })
    }
}

impl InboxConfig {
    fn read(channel: &str, external_id: &str, json: &str) -> Result<Self, DbError> {
        let mut config: InboxConfig =
            serde_json::from_str(json).map_err(|error| DbError::Other(error.to_string()))?;
        // Numbers connected before there was a config have none.
        if channel == "whatsapp" && config.phone_number_id.is_none() {
            config.phone_number_id = Some(external_id.to_string());
        }
        Ok(config)
    }
}

impl Inbox {
    /// What the audit log tells of it.
    fn summary(&self) -> Value {
        json!({"name": self.name, "channel": self.channel, "externalId": self.external_id})
    }
}

impl FromRow for Inbox {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        let (id, created_at, updated_at, tenant_id) = (row.take()?, row.take()?, row.take()?, row.take()?);
        let channel: String = row.take()?;
        let external_id: String = row.take()?;
        let (created_by, name, team_id, state) = (row.take()?, row.take()?, row.take()?, row.take()?);
        let reasons: String = row.take()?;
        let config: String = row.take()?;
        let status = InboxStatus::new(state, reasons, row.take::<Option<String>>()?.as_deref())?;
        Ok(Inbox {
            config: InboxConfig::read(&channel, &external_id, &config)?,
            id,
            created_at,
            updated_at,
            tenant_id,
            channel,
            external_id,
            created_by,
            name,
            team_id,
            status,
            callback_url: None,
            secrets: None,
            seq: row.take()?,
        })
    }
}

const COLUMNS: &str = "id, created_at, updated_at, tenant_id, channel, external_id, created_by, name, team_id, state, \
                       reasons, config, (SELECT t.billing FROM tenants t WHERE t.id = inboxes.tenant_id) AS billing, seq";

/// All inboxes of the tenant, in the order of their connection.
pub fn list(db: &Db<'_>, tenant: &str) -> Result<Vec<Inbox>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM inboxes WHERE tenant_id = ? AND deleted_at IS NULL ORDER BY seq LIMIT {INBOXES_MAX}"
    );
    Ok(db.rows(&sql, params![tenant])?)
}

/// One inbox.
pub fn find(db: &Db<'_>, tenant: &str, id: &str) -> Result<Inbox> {
    let sql = format!("SELECT {COLUMNS} FROM inboxes WHERE id = ? AND tenant_id = ? AND deleted_at IS NULL");
    db.row(&sql, params![id, tenant])?.ok_or_else(|| Problem::not_found("inbox", id))
}

/// What receiving and sending need of an inbox.
#[derive(Clone, Debug)]
pub struct Address {
    pub seq: i64,
    pub id: String,
    pub tenant: String,
    pub channel: String,
    pub external_id: String,
}

impl FromRow for Address {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Address {
            seq: row.take()?,
            id: row.take()?,
            tenant: row.take()?,
            channel: row.take()?,
            external_id: row.take()?,
        })
    }
}

/// Whose inbox a callback is for: the one place where the tenant is found by something else, since the
/// provider names only the address, and its signature was checked. Not for SMS, whose callback URLs name the inbox.
pub fn by_address(db: &Db<'_>, channel: &str, external_id: &str) -> Result<Option<Address>> {
    Ok(db.row(
        "SELECT seq, id, tenant_id, channel, external_id FROM inboxes
          WHERE channel = ? AND external_id = ? AND deleted_at IS NULL AND channel <> 'sms'",
        params![channel, external_id],
    )?)
}

/// An inbox with everything that talking to its provider needs.
#[derive(Clone, Debug)]
pub struct Connection {
    pub address: Address,
    /// WhatsApp: the business account.
    pub account_id: Option<String>,
    pub config: InboxConfig,
    sealed: Option<String>,
}

impl FromRow for Connection {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        let address = Address::from_row(row)?;
        let (account_id, config, sealed) = (row.take()?, row.take::<String>()?, row.take()?);
        let config = InboxConfig::read(&address.channel, &address.external_id, &config)?;
        Ok(Connection { address, account_id, config, sealed })
    }
}

impl Connection {
    /// The secrets, opened; use them at once and keep them nowhere.
    pub fn credentials(&self, sealer: &Sealer) -> Result<Credentials> {
        Credentials::open(sealer, &self.address.id, self.sealed.as_deref())
    }
}

pub(crate) const CONNECTION: &str =
    "seq, id, tenant_id, channel, external_id, account_id, config, credentials";

/// The connection of an inbox; `None` when it was disconnected.
pub fn connection(db: &Db<'_>, tenant: &str, seq: i64) -> Result<Option<Connection>> {
    let sql =
        format!("SELECT {CONNECTION} FROM inboxes WHERE seq = ? AND tenant_id = ? AND deleted_at IS NULL");
    Ok(db.row(&sql, params![seq, tenant])?)
}

/// The connection that a callback URL names. The tenant is found by the inbox, as in [`by_address`]: nothing may
/// be believed before the callback was checked with the inbox's own secret.
pub fn connection_by_id(db: &Db<'_>, id: &str) -> Result<Option<Connection>> {
    let sql = format!("SELECT {CONNECTION} FROM inboxes WHERE id = ? AND deleted_at IS NULL");
    Ok(db.row(&sql, params![id])?)
}

/// The connection of one of our addresses, as callbacks name them; see [`by_address`].
pub fn connection_by_address(db: &Db<'_>, channel: &str, external_id: &str) -> Result<Option<Connection>> {
    let sql = format!(
        "SELECT {CONNECTION} FROM inboxes WHERE channel = ? AND external_id = ? AND deleted_at IS NULL"
    );
    Ok(db.row(&sql, params![channel, external_id])?)
}

/// Whether any inbox of a channel has secrets of its own.
pub fn any_with_credentials(db: &Db<'_>, channel: &str) -> Result<bool> {
    Ok(db.touches(
        "SELECT 1 FROM inboxes WHERE channel = ? AND deleted_at IS NULL AND credentials IS NOT NULL LIMIT 1",
        params![channel],
    )?)
}

/// Marks an inbox that its provider refuses, once; a later success clears it.
pub fn set_state(db: &Db<'_>, tenant: &str, seq: i64, state: &str, reasons: &str) -> Result<bool> {
    Ok(db.touches(
        "UPDATE inboxes SET state = ?, reasons = ?, updated_at = ?
          WHERE seq = ? AND tenant_id = ? AND (state <> ?1 OR reasons <> ?2) RETURNING 1",
        params![state, reasons, Timestamp::now(), seq, tenant],
    )?)
}
