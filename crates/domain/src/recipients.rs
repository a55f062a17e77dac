//! Recipients: from what a caller names to the identity, inbox and session of a message.

use crate::contacts;
use crate::conversations;
use crate::phone;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::problem::Window;
use common::time::Timestamp;
use common::{Problem, Result, params};
use serde::Deserialize;
use utoipa::ToSchema;

/// Longest address on a channel, in characters.
const ADDRESS_CHARS: usize = 256;

/// Whom a message is for.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum MessageRecipient {
    /// A conversation that has begun.
    #[serde(rename_all = "camelCase")]
    Conversation { conversation_id: String },
    /// A contact; `channel` is needed where the contact has several routes.
    #[serde(rename_all = "camelCase")]
    Contact {
        contact_id: String,
        #[serde(default)]
        channel: Option<String>,
    },
    /// An address on a channel; an unknown one becomes a contact.
    #[serde(rename_all = "camelCase")]
    Channel { external_id: String, channel: String },
}

/// Where a message goes.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub identity_seq: i64,
    pub contact_seq: i64,
    pub contact_is_new: bool,
    pub channel: String,
    pub inbox_seq: i64,
    /// Of the customer's latest message to this inbox.
    pub last_inbound_at: Option<Timestamp>,
}

/// An identity as it was found.
struct Found {
    seq: i64,
    contact_seq: i64,
    channel: String,
    /// The inbox of the open session.
    open_inbox: Option<String>,
    /// The inbox of the latest message.
    last_inbox: Option<String>,
}

impl FromRow for Found {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Found {
            seq: row.next()?,
            contact_seq: row.next()?,
            channel: row.next()?,
            open_inbox: row.next()?,
            last_inbox: row.next()?,
        })
    }
}

const FIND: &str = "
    SELECT i.seq, i.contact_seq, i.channel,
           (SELECT b.id FROM inboxes b WHERE b.deleted_at IS NULL
               AND b.seq = (SELECT s.inbox_seq FROM sessions s WHERE s.identity_seq = i.seq AND s.closed_at IS NULL)),
           (SELECT b.id FROM inboxes b WHERE b.seq = i.last_inbox_seq AND b.deleted_at IS NULL)
      FROM identities i
     WHERE (SELECT c.deleted_at FROM contacts c WHERE c.seq = i.contact_seq) IS NULL";

/// Finds the way to a recipient; makes a contact of an unknown address.
pub(crate) fn resolve(
    db: &Db<'_>,
    tenant: &str,
    recipient: &MessageRecipient,
    inbox_id: Option<&str>,
    now: Timestamp,
) -> Result<Route> {
    let (found, is_new) = match recipient {
        MessageRecipient::Conversation { conversation_id } => {
            (in_conversation(db, tenant, conversation_id)?, false)
        }
        MessageRecipient::Contact { contact_id, channel } => {
            (of_contact(db, tenant, contact_id, channel.as_deref())?, false)
        }
        MessageRecipient::Channel { external_id, channel } => {
            at_address(db, tenant, external_id, channel, inbox_id, now)?
        }
    };
    let inbox = match inbox_id.or(found.open_inbox.as_deref()).or(found.last_inbox.as_deref()) {
        Some(inbox) => inbox.to_string(),
        None => only_inbox(db, tenant, &found.channel, recipient)?,
    };
    let inbox_row = db.row::<(i64, String, Option<Timestamp>)>(
        "SELECT b.seq, b.channel,
                (SELECT ci.last_inbound_at FROM contact_inboxes ci WHERE ci.identity_seq = ? AND ci.inbox_seq = b.seq)
           FROM inboxes b
          WHERE b.id = ? AND b.tenant_id = ? AND b.deleted_at IS NULL",
        params![found.seq, inbox, tenant],
    )?;
    let Some((inbox_seq, channel, last_inbound_at)) = inbox_row else {
        return Err(Problem::invalid("inboxId", format!("there is no inbox with the id {inbox}")));
    };
    if channel != found.channel {
        return Err(Problem::invalid(
            "inboxId",
            format!("is an inbox of the channel {channel}; the recipient is on {}", found.channel),
        ));
    }
    Ok(Route {
        identity_seq: found.seq,
        contact_seq: found.contact_seq,
        contact_is_new: is_new,
        channel,
        inbox_seq,
        last_inbound_at,
    })
}

fn in_conversation(db: &Db<'_>, tenant: &str, conversation: &str) -> Result<Found> {
    let identity = conversations::identity_id(conversation)?;
    let sql = format!("{FIND} AND i.id = ? AND i.tenant_id = ? AND i.started_at IS NOT NULL");
    db.row(&sql, params![identity, tenant])?.ok_or_else(|| Problem::not_found("conversation", conversation))
}

fn of_contact(db: &Db<'_>, tenant: &str, contact: &str, channel: Option<&str>) -> Result<Found> {
    let contact = contacts::find(db, tenant, contact)?;
    let sql = format!("{FIND} AND i.contact_seq = ? AND i.tenant_id = ? AND (?3 IS NULL OR i.channel = ?3) LIMIT 2");
    let mut routes = db.rows::<Found>(&sql, params![contact.seq, tenant, channel])?.into_iter();
    match (routes.next(), routes.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Problem::invalid(
            "recipient.contactId",
            match channel {
                Some(channel) => format!("has no address on the channel {channel}"),
                None => "has no address on any channel".to_string(),
            },
        )),
        (Some(_), Some(_)) => Err(Problem::invalid(
            "recipient.channel",
            "must be given: the contact has several routes. Name a channel, or send to a conversation",
        )),
    }
}

fn at_address(
    db: &Db<'_>,
    tenant: &str,
    external_id: &str,
    channel: &str,
    inbox_id: Option<&str>,
    now: Timestamp,
) -> Result<(Found, bool)> {
    let address = match channel {
        "whatsapp" => phone::digits(external_id)
            .ok_or_else(|| Problem::invalid("recipient.externalId", "must be a phone number in E.164"))?,
        "messenger" | "instagram" | "text" | "sms" => {
            if external_id.trim().is_empty() || external_id.chars().count() > ADDRESS_CHARS {
                return Err(Problem::invalid("recipient.externalId", "must be 1 to 256 characters"));
            }
            external_id.trim().to_string()
        }
        other => {
            return Err(Problem::invalid(
                "recipient.channel",
                format!("is not known: {other}. Use whatsapp, messenger, instagram or text"),
            ));
        }
    };
    let sql = format!("{FIND} AND i.tenant_id = ? AND i.channel = ? AND i.address = ?");
    if let Some(found) = db.row(&sql, params![tenant, channel, address])? {
        return Ok((found, false));
    }
    if inbox_id.is_none() {
        return Err(inbox_required());
    }
    let contact_seq = contacts::insert(db, tenant, None, now)?;
    let (seq, _) = contacts::add_identity(db, tenant, contact_seq, channel, &address, now)?;
    Ok((Found { seq, contact_seq, channel: channel.into(), open_inbox: None, last_inbox: None }, true))
}

/// The tenant's only inbox of a channel is meant where a contact is addressed; a bare address must name
/// one (contract section 5).
fn only_inbox(db: &Db<'_>, tenant: &str, channel: &str, recipient: &MessageRecipient) -> Result<String> {
    let mut inboxes = Vec::new();
    if !matches!(recipient, MessageRecipient::Channel { .. }) {
        inboxes = db.rows::<(String,)>(
            "SELECT id FROM inboxes WHERE tenant_id = ? AND channel = ? AND deleted_at IS NULL LIMIT 2",
            params![tenant, channel],
        )?;
    }
    match inboxes.as_slice() {
        [(only,)] => Ok(only.clone()),
        _ => Err(inbox_required()),
    }
}

fn inbox_required() -> Problem {
    Problem::invalid("inboxId", "must be given: no open conversation says which inbox to send from")
        .with_code("inboxRequired")
        .with_window(Window {
            state: "CLOSED",
            for_actor: "AGENT",
            expires_at: None,
            failure_code: Some("inboxRequired"),
        })
}
