//! What the operations answer.

use common::auth::{Principal, Role};
use common::crypto::Sealer;
use common::db::Db;
use common::{Result, settings};
use domain::inboxes::{self, Credentials, Inbox, SmsProvider};
use serde::Serialize;
use utoipa::ToSchema;

pub const ID: &str = "The inbox.";
pub const ABSENT: &str = "There is no such inbox, or it was disconnected.";

pub const INBOX: &str = r#"{
  "id": "ibx_01HV8Y4QH7C8H1K5K0C8A2B9E4", "createdAt": "2026-04-30T09:00:00.000Z", "updatedAt": "2026-04-30T09:10:00.000Z",
  "tenantId": "tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K", "channel": "whatsapp", "externalId": "112233445566778",
  "createdBy": "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S", "name": "WhatsApp 112233445566778",
  "status": {"state": "active", "reasons": []}, "config": {"phoneNumberId": "112233445566778"},
  "callbackUrl": "https://flownally.example/channels/whatsapp"
}"#;

/// As lists show it.
pub const INBOX_LISTED: &str = r#"{
  "id": "ibx_01HV8Y4QH7C8H1K5K0C8A2B9E4", "createdAt": "2026-04-30T09:00:00.000Z", "updatedAt": "2026-04-30T09:10:00.000Z",
  "tenantId": "tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K", "channel": "whatsapp", "externalId": "112233445566778",
  "createdBy": "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S", "name": "WhatsApp 112233445566778",
  "status": {"state": "active", "reasons": []}, "config": {"phoneNumberId": "112233445566778"}
}"#;

pub const INBOX_WITH_TEAM: &str = r#"{
  "id": "ibx_01HV8Y4QH7C8H1K5K0C8A2B9E4", "createdAt": "2026-04-30T09:00:00.000Z", "updatedAt": "2026-04-30T09:10:00.000Z",
  "tenantId": "tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K", "channel": "whatsapp", "externalId": "112233445566778",
  "createdBy": "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S", "name": "WhatsApp 112233445566778",
  "teamId": "team_01HV8Y6W0W4T5A8S9V7Q2P1M3G",
  "status": {"state": "active", "reasons": []}, "config": {"phoneNumberId": "112233445566778"}
}"#;

pub const INBOXES: &str = r#"{"inboxes": [{
  "id": "ibx_01HV8Y4QH7C8H1K5K0C8A2B9E4", "createdAt": "2026-04-30T09:00:00.000Z", "updatedAt": "2026-04-30T09:10:00.000Z",
  "tenantId": "tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K", "channel": "whatsapp", "externalId": "112233445566778",
  "createdBy": "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S", "name": "WhatsApp 112233445566778",
  "status": {"state": "active", "reasons": []}, "config": {"phoneNumberId": "112233445566778"}
}]}"#;

/// Inboxes of a tenant.
#[derive(Debug, Serialize, ToSchema)]
pub struct InboxList {
    pub inboxes: Vec<Inbox>,
}

/// Adds callback URLs to inboxes, for callers who may see them.
#[derive(Debug)]
pub struct Callbacks(Option<(String, Sealer)>);

impl Callbacks {
    /// Agents see none: a gateway's URL holds a secret.
    pub async fn for_caller(caller: &Principal) -> Result<Self> {
        if caller.role == Role::Agent {
            return Ok(Callbacks(None));
        }
        let base = settings::get("public_url").await.unwrap_or_default();
        Ok(Callbacks(Some((base.trim_end_matches('/').to_string(), Sealer::from_settings().await?))))
    }

    /// A new inbox; that of a gateway with its callback URL, which nobody can guess, among its secrets.
    pub fn show_secret(&self, db: &Db<'_>, tenant: &str, inbox: Inbox) -> Result<Inbox> {
        if inbox.config.provider != Some(SmsProvider::Gateway) {
            return Ok(inbox);
        }
        let mut inbox = self.show(db, tenant, inbox)?;
        if let Some(url) = inbox.callback_url.take() {
            inbox.secrets.get_or_insert_default().callback_url = Some(url);
        }
        Ok(inbox)
    }

    /// The inbox with its callback URL.
    pub fn show(&self, db: &Db<'_>, tenant: &str, mut inbox: Inbox) -> Result<Inbox> {
        let Some((base, sealer)) = &self.0 else { return Ok(inbox) };
        let path = match inbox.channel.as_str() {
            "text" => return Ok(inbox),
            "sms" => {
                let connection = inboxes::connection(db, tenant, inbox.seq)?;
                match connection.map(|connection| connection.credentials(sealer)).transpose()? {
                    Some(Credentials::Gateway { callback_secret, .. }) => {
                        format!("/channels/sms/{}/{callback_secret}", inbox.id)
                    }
                    _ => format!("/channels/twilio/{}", inbox.id),
                }
            }
            channel => format!("/channels/{channel}"),
        };
        inbox.callback_url = Some(format!("{base}{path}"));
        Ok(inbox)
    }
}
