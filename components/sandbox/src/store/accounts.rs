//! How the sandbox treats an account: modes, limits, and what it learnt.

use crate::credentials::OPEN;
use crate::provider::Provider;
use common::db::Db;
use common::{Result, params};
use serde::{Deserialize, Serialize};

/// How an account's sends and callbacks behave. Absent ones are as the provider does it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default)]
#[schema(as = SandboxModes)]
pub struct Settings {
    /// Every callback is delivered twice.
    pub duplicate: bool,
    /// Later states come first: `read`, `delivered`, `sent`.
    pub shuffle: bool,
    /// The states of a message are delivered before its send request is answered.
    pub callback_before_response: bool,
    /// All states of a message come in one callback (Meta).
    pub merge: bool,
    /// States that are never called back, such as `delivered` or `read`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drop_states: Vec<String>,
    /// Milliseconds from the acceptance to `sent`; 50 where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_after_ms: Option<u32>,
    /// Milliseconds from the acceptance to `delivered`; 150 where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_after_ms: Option<u32>,
    /// Milliseconds from the acceptance to `read`; 400 where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_after_ms: Option<u32>,
    /// WhatsApp: refuse at once what the window does not allow, instead of accepting it and failing later.
    pub refuse_outside_window: bool,
    /// WhatsApp: statuses in the shape of version v23, with `conversation`.
    pub legacy_statuses: bool,
    /// WhatsApp: most messages in a second, then 130429. No limit where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throughput: Option<u32>,
    /// WhatsApp: most messages to one person in six seconds, then 131056. No limit where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pair_limit: Option<u32>,
    /// WhatsApp: the number's `status`; `CONNECTED` where absent. Another one refuses sends with 131045.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number_status: Option<String>,
    /// Messenger: deliveries name no messages, only the watermark.
    pub watermark_only: bool,
    /// Messenger: another app owns the threads, so events come under `standby`.
    pub standby: bool,
    /// Instagram: the account behind a linked Page, as webhooks show it; set for the Page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linked_account: Option<String>,
    /// Twilio: what signs the callbacks of this account SID, and what its calls must bring; absent: what it last
    /// called with, and before that `sandbox-` with the SID behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_token: Option<String>,
    /// Generic gateway: how reports and messages are signed; not at all where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

/// An HMAC over the raw body of a generic gateway's callback.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SandboxGatewaySignature)]
pub struct Signature {
    /// The header's name.
    pub header: String,
    pub secret: String,
    /// `hmac-sha256` (default), `hmac-sha1`, or `token`: the secret itself.
    #[serde(default)]
    pub algorithm: Option<String>,
    /// `hex` (default) or `base64`.
    #[serde(default)]
    pub encoding: Option<String>,
}

/// Reads an account's settings; one never heard of has none.
pub fn settings(db: &Db<'_>, provider: Provider, account: &str) -> Result<Settings> {
    let found: Option<(String,)> = db.row(
        "SELECT settings FROM sandbox_accounts WHERE provider = ? AND account = ?",
        params![provider.as_str(), account],
    )?;
    Ok(found.and_then(|(text,)| serde_json::from_str(&text).ok()).unwrap_or_default())
}

/// Replaces an account's settings.
pub fn set_settings(db: &Db<'_>, provider: Provider, account: &str, settings: &Settings) -> Result<()> {
    Ok(db.run(
        "INSERT INTO sandbox_accounts (provider, account, settings) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET settings = ?3",
        params![provider.as_str(), account, super::json(settings)?],
    )?)
}

/// The auth token of a Twilio account: the mode's, else what it last presented, else one made of its SID. An account
/// whose calls bring API keys presents none.
pub fn auth_token(db: &Db<'_>, account_sid: &str) -> Result<String> {
    let found: Option<(Option<String>,)> = db.row(
        "SELECT coalesce(settings ->> 'authToken', auth_token) FROM sandbox_accounts
          WHERE provider = 'twilio' AND account = ?",
        params![account_sid],
    )?;
    Ok(found.and_then(|(token,)| token).unwrap_or_else(|| format!("{OPEN}{account_sid}")))
}

/// Notes a Twilio account's auth token.
pub fn set_auth_token(db: &Db<'_>, account_sid: &str, token: &str) -> Result<()> {
    Ok(db.run(
        "INSERT INTO sandbox_accounts (provider, account, auth_token) VALUES ('twilio', ?1, ?2)
         ON CONFLICT DO UPDATE SET auth_token = ?2",
        params![account_sid, token],
    )?)
}
