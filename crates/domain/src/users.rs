//! People as the Platform API sees them (Chatwoot notes 3 and 5.3). What is asked of them and how they
//! change is in [`changes`], how they sign in in [`sign_in`].
//!
//! Everybody has one access token for the Chatwoot API. The Platform API shows it again and again, so it
//! is kept twice: hashed, to find its owner, and sealed, to be shown.

pub mod acceptance;
pub mod changes;
pub mod invitations;
pub mod profile;
pub mod roles;
pub mod sign_in;

use crate::accounts::{self, members};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::auth::Role;
use common::crypto::{self, Sealer};
use common::db::{Db, Error as DbError, FromRow, Row};
use common::time::Timestamp;
use common::{Problem, Result, params, settings};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Most accounts shown with a user.
const ACCOUNTS_MAX: u32 = 1000;
/// What access tokens are sealed for.
const TOKEN_PURPOSE: &str = "access token";

/// A person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlatformUser)]
pub struct User {
    #[schema(example = 1)]
    pub id: i64,
    /// For the header `api_access_token` of the Chatwoot API.
    pub access_token: String,
    /// The first account; null without one.
    pub account_id: Option<i64>,
    /// The display name, or else the name.
    #[schema(example = "Dan")]
    pub available_name: String,
    /// Empty without a picture.
    pub avatar_url: String,
    /// Always true.
    pub confirmed: bool,
    #[schema(example = "Dan")]
    pub display_name: Option<String>,
    /// Always null.
    pub message_signature: Option<String>,
    #[schema(example = "daniel@acme.inc")]
    pub email: String,
    /// Always null.
    pub inviter_id: Option<i64>,
    #[schema(example = "Daniel")]
    pub name: String,
    /// Always `email`.
    #[schema(example = "email")]
    pub provider: &'static str,
    pub pubsub_token: String,
    /// What integrators keep here; absent when empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub custom_attributes: Option<Box<RawValue>>,
    /// `administrator` or `agent`, in the first account; null without one.
    #[schema(example = "administrator")]
    pub role: Option<&'static str>,
    /// Always empty.
    pub ui_settings: BTreeMap<String, Value>,
    /// The address.
    #[schema(example = "daniel@acme.inc")]
    pub uid: String,
    /// Always null.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub accounts: Vec<UserAccount>,
    /// The same person in the v1 API; an addition to Chatwoot's answer.
    #[schema(example = "usr_01HV8Y2M6D4F8H1K3N5Q7S9V1X")]
    pub user_id: String,
    /// Cannot sign in, and has no tokens that work; an addition to Chatwoot's answer.
    pub disabled: bool,
}

/// An account that a person is in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlatformUserAccount)]
pub struct UserAccount {
    #[schema(example = 1)]
    pub id: i64,
    #[schema(example = "My Account")]
    pub name: String,
    /// `active` or `suspended`.
    #[schema(example = "active")]
    pub status: String,
    /// Always null: presence is not recorded.
    pub active_at: Option<Timestamp>,
    /// `administrator` or `agent`.
    #[schema(example = "administrator")]
    pub role: &'static str,
    #[schema(example = json!(["administrator"]))]
    pub permissions: [&'static str; 1],
    /// Always `online`.
    #[schema(example = "online")]
    pub availability: &'static str,
    /// Always `offline`: presence is not recorded.
    #[schema(example = "offline")]
    pub availability_status: &'static str,
    /// Always true.
    pub auto_offline: bool,
    /// The same account in the v1 API; an addition to Chatwoot's answer.
    pub tenant_id: String,
}

/// What making and showing people needs of the settings.
#[derive(Debug)]
pub struct Secrets {
    sealer: Sealer,
    jwt_secret: String,
}

impl Secrets {
    /// From the variables `encryption_key` and `jwt_secret`.
    pub async fn from_settings() -> Result<Self> {
        let (sealer, jwt_secret) = (Sealer::from_settings().await?, settings::required("jwt_secret").await?);
        Ok(Secrets { sealer, jwt_secret })
    }

    /// Names a person's channel for live updates; made anew each time, so nothing is stored.
    fn pubsub_token(&self, user: &str) -> String {
        URL_SAFE_NO_PAD
            .encode(crypto::hmac_sha256(self.jwt_secret.as_bytes(), &[b"pubsub token ", user.as_bytes()]))
    }
}

struct Record {
    seq: i64,
    id: String,
    name: String,
    display_name: Option<String>,
    email: String,
    access_token: Option<String>,
    avatar_url: Option<String>,
    custom_attributes: Box<RawValue>,
    email_verified: bool,
    disabled: bool,
}

const COLUMNS: &str =
    "seq, id, name, display_name, email, access_token, avatar_url, custom_attributes, email_verified,
    disabled_at IS NOT NULL";

impl FromRow for Record {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Record {
            seq: row.take()?,
            id: row.take()?,
            name: row.take()?,
            display_name: row.take()?,
            email: row.take()?,
            access_token: row.take()?,
            avatar_url: row.take()?,
            custom_attributes: accounts::raw(row.take()?)?,
            email_verified: row.take()?,
            disabled: row.take()?,
        })
    }
}

fn absent(seq: i64) -> Problem {
    Problem::not_found("user", &seq.to_string())
}

fn record(db: &Db<'_>, seq: i64) -> Result<Record> {
    let sql = format!("SELECT {COLUMNS} FROM users WHERE seq = ? AND deleted_at IS NULL");
    db.row(&sql, params![seq])?.ok_or_else(|| absent(seq))
}

fn by_email(db: &Db<'_>, email: &str) -> Result<Option<Record>> {
    let sql = format!("SELECT {COLUMNS} FROM users WHERE email = ? AND deleted_at IS NULL");
    Ok(db.row(&sql, params![email])?)
}

/// Whether somebody has this address.
pub fn exists(db: &Db<'_>, email: &str) -> Result<bool> {
    Ok(by_email(db, email)?.is_some())
}

/// Whether somebody has this address for whom the platform vouches.
pub fn is_vouched_for(db: &Db<'_>, email: &str) -> Result<bool> {
    Ok(by_email(db, email)?.is_some_and(|known| known.email_verified))
}

/// One person; deleted ones are absent.
pub fn find(db: &Db<'_>, secrets: &Secrets, seq: i64) -> Result<User> {
    show(db, secrets, record(db, seq)?)
}

fn show(db: &Db<'_>, secrets: &Secrets, record: Record) -> Result<User> {
    let access_token = match &record.access_token {
        Some(sealed) => String::from_utf8(secrets.sealer.open(TOKEN_PURPOSE, sealed)?)
            .map_err(|_| Problem::internal("an access token is not UTF-8"))?,
        None => String::new(),
    };
    let accounts = accounts_of(db, &record.id)?;
    let first = accounts.first();
    Ok(User {
        id: record.seq,
        access_token,
        account_id: first.map(|account| account.id),
        available_name: record.display_name.clone().unwrap_or_else(|| record.name.clone()),
        avatar_url: record.avatar_url.unwrap_or_default(),
        confirmed: true,
        display_name: record.display_name,
        message_signature: None,
        uid: record.email.clone(),
        email: record.email,
        inviter_id: None,
        name: record.name,
        provider: "email",
        pubsub_token: secrets.pubsub_token(&record.id),
        custom_attributes: Some(record.custom_attributes).filter(|fields| fields.get() != "{}"),
        role: first.map(|account| account.role),
        ui_settings: BTreeMap::new(),
        kind: None,
        accounts,
        user_id: record.id,
        disabled: record.disabled,
    })
}

fn accounts_of(db: &Db<'_>, user: &str) -> Result<Vec<UserAccount>> {
    let rows = db.rows::<(i64, String, String, String, String)>(
        "SELECT t.seq, t.name, t.status, m.role, t.id FROM memberships m JOIN tenants t ON t.id = m.tenant_id
          WHERE m.user_id = ? AND t.deleted_at IS NULL ORDER BY m.seq LIMIT ?",
        params![user, ACCOUNTS_MAX],
    )?;
    let account = |(id, name, status, role, tenant_id): (i64, String, String, String, String)| {
        let role = members::chatwoot_role(Role::parse(&role).unwrap_or(Role::Agent));
        UserAccount {
            id,
            name,
            status,
            active_at: None,
            role,
            permissions: [role],
            availability: "online",
            availability_status: "offline",
            auto_offline: true,
            tenant_id,
        }
    };
    Ok(rows.into_iter().map(account).collect())
}
