//! Inboxes: the connected senders of a tenant (contract section 6).

use common::auth::Principal;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::problem::Violations;
use common::time::Timestamp;
use common::{Problem, Result, id, params};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// Most numbers connected by one request.
pub const NUMBERS_MAX: usize = 50;
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
    #[schema(example = "whatsapp")]
    pub channel: String,
    /// WhatsApp: the phone number id.
    pub external_id: String,
    /// The user or service account that connected it.
    pub created_by: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team_id: Option<String>,
    pub status: InboxStatus,
    pub config: InboxConfig,
}

/// Whether an inbox can send.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InboxStatus {
    /// `active`, `degraded` or `inactive`.
    #[schema(example = "active")]
    pub state: String,
    /// Why it is not active, such as `token_expired`; empty when active.
    #[schema(value_type = Vec<String>)]
    pub reasons: Box<RawValue>,
}

/// What the channel knows the sender by.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InboxConfig {
    /// WhatsApp only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number_id: Option<String>,
}

/// Exactly one channel kind a request.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateInboxRequest {
    pub whatsapp: Option<ConnectWhatsApp>,
}

/// Numbers of a WhatsApp business account; each becomes an inbox.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectWhatsApp {
    /// The business account, one id.
    #[schema(min_items = 1, max_items = 1)]
    pub resource_ids: Vec<String>,
    /// The phone number ids, at most 50.
    #[schema(min_items = 1, max_items = 50)]
    pub phone_number_ids: Vec<String>,
}

impl FromRow for Inbox {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        let (id, created_at, updated_at, tenant_id) = (row.take()?, row.take()?, row.take()?, row.take()?);
        let channel: String = row.take()?;
        let external_id: String = row.take()?;
        let config = InboxConfig { phone_number_id: (channel == "whatsapp").then(|| external_id.clone()) };
        Ok(Inbox {
            id,
            created_at,
            updated_at,
            tenant_id,
            channel,
            external_id,
            created_by: row.take()?,
            name: row.take()?,
            team_id: row.take()?,
            status: InboxStatus {
                state: row.take()?,
                reasons: RawValue::from_string(row.take()?).map_err(|e| DbError::Other(e.to_string()))?,
            },
            config,
        })
    }
}

const COLUMNS: &str =
    "id, created_at, updated_at, tenant_id, channel, external_id, created_by, name, team_id, state, reasons";

/// All inboxes of the tenant, in the order of their connection.
pub fn list(db: &Db<'_>, tenant: &str) -> Result<Vec<Inbox>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM inboxes WHERE tenant_id = ? AND deleted_at IS NULL ORDER BY seq LIMIT {INBOXES_MAX}"
    );
    Ok(db.rows(&sql, params![tenant])?)
}

impl CreateInboxRequest {
    fn validate(&self) -> Result<&ConnectWhatsApp> {
        let Some(whatsapp) = &self.whatsapp else {
            return Err(Problem::invalid("body", "must name exactly one channel kind: whatsapp"));
        };
        let mut violations = Violations::new();
        violations.check(
            whatsapp.resource_ids.len() == 1,
            "whatsapp.resourceIds",
            "must hold the id of one business account",
        );
        let numbers = &whatsapp.phone_number_ids;
        violations.check(!numbers.is_empty(), "whatsapp.phoneNumberIds", "must not be empty");
        violations.check(numbers.len() <= NUMBERS_MAX, "whatsapp.phoneNumberIds", "must hold at most 50 ids");
        for (at, number) in numbers.iter().enumerate().take(NUMBERS_MAX) {
            let field = format!("whatsapp.phoneNumberIds[{at}]");
            violations.check(is_graph_id(number), &field, "must be a phone number id: 1 to 32 digits");
            let twice = numbers.iter().take(at).any(|before| before == number);
            violations.check(!twice, &field, "must not be named twice");
        }
        for (at, account) in whatsapp.resource_ids.iter().enumerate().take(1) {
            let field = format!("whatsapp.resourceIds[{at}]");
            violations.check(is_graph_id(account), &field, "must be a business account id: 1 to 32 digits");
        }
        violations.finish()?;
        Ok(whatsapp)
    }
}

fn is_graph_id(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Connects numbers; all of them or none. A number belongs to one tenant, since callbacks name only it.
pub fn create(db: &Db<'_>, caller: &Principal, request: &CreateInboxRequest) -> Result<Vec<Inbox>> {
    let whatsapp = request.validate()?;
    let count = db.row::<(i64,)>(
        "SELECT count(*) FROM inboxes WHERE tenant_id = ? AND deleted_at IS NULL",
        params![caller.tenant],
    )?;
    if count.is_some_and(|(count,)| count.saturating_add(NUMBERS_MAX as i64) > INBOXES_MAX) {
        return Err(Problem::conflict(
            "inbox_limit_reached",
            format!("A tenant can have {INBOXES_MAX} inboxes: delete those you do not need."),
        ));
    }
    let now = Timestamp::now();
    let account = whatsapp.resource_ids.first();
    let mut made = Vec::with_capacity(whatsapp.phone_number_ids.len());
    for number in &whatsapp.phone_number_ids {
        let sql = format!(
            "INSERT INTO inboxes (id, tenant_id, channel, external_id, account_id, name, created_by, created_at, updated_at)
             VALUES (?, ?, 'whatsapp', ?, ?, ?, ?, ?, ?) RETURNING {COLUMNS}"
        );
        let name = format!("WhatsApp {number}");
        let inbox = db
            .row::<Inbox>(
                &sql,
                params![
                    id::new(id::Kind::Inbox),
                    caller.tenant,
                    number,
                    account,
                    name,
                    caller.actor.id(),
                    now,
                    now
                ],
            )
            .map_err(|error| match error {
                DbError::Unique(_) => Problem::conflict(
                    "inbox_already_connected",
                    format!("The phone number id {number} is connected already. Disconnect it there first."),
                ),
                other => other.into(),
            })?;
        made.extend(inbox);
    }
    Ok(made)
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
/// provider names only the address, and its signature was checked.
pub fn by_address(db: &Db<'_>, channel: &str, external_id: &str) -> Result<Option<Address>> {
    Ok(db.row(
        "SELECT seq, id, tenant_id, channel, external_id FROM inboxes
          WHERE channel = ? AND external_id = ? AND deleted_at IS NULL",
        params![channel, external_id],
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
