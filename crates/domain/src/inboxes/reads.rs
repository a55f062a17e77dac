//! What is read from providers: templates, kept for a minute, and the numbers of a business account. Reading itself
//! is the scheduler's; here is what is kept and shown of it.

use super::{CONNECTION, Connection};
use common::db::Db;
use common::time::Timestamp;
use common::{Problem, Result, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::time::Duration;
use utoipa::ToSchema;

/// How long templates are shown without asking again.
const TEMPLATES_KEEP: Duration = Duration::from_secs(60);

/// A template of WhatsApp, as far as sending needs it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Template {
    #[schema(example = "987654321")]
    pub id: String,
    #[schema(example = "order_ready")]
    pub name: String,
    #[schema(example = "en")]
    pub language: String,
    /// `APPROVED`, or `PENDING`: not yet to be sent.
    #[schema(example = "APPROVED")]
    pub status: String,
    /// `UTILITY`, `MARKETING` or `AUTHENTICATION`.
    #[schema(example = "UTILITY")]
    pub category: String,
    /// As WhatsApp writes them.
    #[schema(value_type = Vec<std::collections::BTreeMap<String, serde_json::Value>>)]
    pub components: Vec<Value>,
}

/// Templates of an inbox.
#[derive(Debug, Serialize, ToSchema)]
pub struct TemplateList {
    #[schema(value_type = Vec<Template>)]
    pub templates: Box<RawValue>,
}

/// A number of a WhatsApp business account.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PhoneNumber {
    /// For `whatsapp.phoneNumberIds` of a new inbox.
    #[schema(example = "112233445566778")]
    pub id: String,
    #[schema(example = "+48 123 456 789")]
    pub display_phone_number: String,
    #[schema(example = "Flownally Support")]
    pub verified_name: String,
    /// `GREEN`, `YELLOW`, `RED` or `UNKNOWN`.
    #[schema(example = "GREEN")]
    pub quality_rating: String,
    #[schema(example = "VERIFIED")]
    pub code_verification_status: String,
    /// Whether it can send through the Cloud API now.
    pub is_registered: bool,
}

/// Numbers of a business account.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PhoneNumberList {
    pub phone_numbers: Vec<PhoneNumber>,
}

/// A connected WhatsApp inbox.
pub fn whatsapp(db: &Db<'_>, tenant: &str, id: &str) -> Result<Option<Connection>> {
    let sql = format!(
        "SELECT {CONNECTION} FROM inboxes
          WHERE id = ? AND tenant_id = ? AND channel = 'whatsapp' AND deleted_at IS NULL"
    );
    Ok(db.row(&sql, params![id, tenant])?)
}

/// The tenant's latest inbox of a business account, with a token of its own before one without.
pub fn of_account(db: &Db<'_>, tenant: &str, account: &str) -> Result<Option<Connection>> {
    let sql = format!(
        "SELECT {CONNECTION} FROM inboxes
          WHERE tenant_id = ? AND channel = 'whatsapp' AND account_id = ? AND deleted_at IS NULL
          ORDER BY credentials IS NULL, seq DESC LIMIT 1"
    );
    Ok(db.row(&sql, params![tenant, account])?)
}

/// Whether others have connected a business account, and this tenant has not.
pub fn is_of_another(db: &Db<'_>, tenant: &str, account: &str) -> Result<bool> {
    let found = db.row::<(i64, i64)>(
        "SELECT coalesce(sum(tenant_id = ?1), 0) AS own, count(*) AS connected FROM inboxes
          WHERE account_id = ?2 AND deleted_at IS NULL",
        params![tenant, account],
    )?;
    Ok(found.is_some_and(|(own, connected)| own == 0 && connected > 0))
}

/// Keeps what was read just now.
pub fn keep_templates(
    db: &Db<'_>,
    connection: &Connection,
    templates: &[Template],
    now: Timestamp,
) -> Result<()> {
    let body = serde_json::to_string(templates).map_err(|error| Problem::internal(error.to_string()))?;
    Ok(db.run(
        "INSERT OR REPLACE INTO whatsapp_templates (inbox_seq, tenant_id, body, read_at) VALUES (?, ?, ?, ?)",
        params![connection.address.seq, connection.address.tenant, body, now],
    )?)
}

/// The templates of an inbox, where they were read within the last minute. 404 without such an inbox, 422
/// (`unsupportedChannel`) for an inbox of another channel.
pub fn kept_templates(db: &Db<'_>, tenant: &str, id: &str, now: Timestamp) -> Result<Option<TemplateList>> {
    let found = db.row::<(String, Option<String>, Option<Timestamp>)>(
        "SELECT b.channel, (SELECT t.body FROM whatsapp_templates t WHERE t.inbox_seq = b.seq) AS body,
                (SELECT t.read_at FROM whatsapp_templates t WHERE t.inbox_seq = b.seq) AS read_at
           FROM inboxes b WHERE b.id = ? AND b.tenant_id = ? AND b.deleted_at IS NULL",
        params![id, tenant],
    )?;
    let Some((channel, body, read_at)) = found else { return Err(Problem::not_found("inbox", id)) };
    if channel != "whatsapp" {
        return Err(Problem::invalid(
            "id",
            format!("is an inbox of the channel {channel}: only whatsapp has templates"),
        )
        .with_code("unsupportedChannel"));
    }
    let fresh = read_at.is_some_and(|at| at.after(TEMPLATES_KEEP) > now);
    let body = body.filter(|_| fresh);
    body.map(RawValue::from_string)
        .transpose()
        .map(|templates| templates.map(|templates| TemplateList { templates }))
        .map_err(|error| Problem::internal(format!("kept templates are no JSON: {error}")))
}

/// Forgets what was read of a business account's templates: the next list asks the provider.
pub fn forget_templates(db: &Db<'_>, account_id: &str) -> Result<()> {
    Ok(db.run(
        "DELETE FROM whatsapp_templates WHERE inbox_seq IN
           (SELECT seq FROM inboxes WHERE channel = 'whatsapp' AND account_id = ?)",
        params![account_id],
    )?)
}
