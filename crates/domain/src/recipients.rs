//! Recipients: from what a caller names to the identity, inbox and session of a message.

use crate::contacts;
use crate::conversations;
use crate::inbound::consent;
use crate::phone;
use crate::visibility;
use common::auth::Principal;
use common::db::{Db, Error as DbError, FromRow, Row, Value};
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

/// Where a message goes: everything that accepting it must know, read with one statement.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub identity_seq: i64,
    pub identity_id: String,
    pub channel: String,
    pub address: String,
    pub contact_seq: i64,
    pub contact_id: String,
    pub contact_name: Option<String>,
    pub contact_is_new: bool,
    /// The open session: its row and its id.
    pub session: Option<(i64, String)>,
    pub inbox_seq: i64,
    pub inbox_id: String,
    /// Whether the person is known to this inbox.
    pub is_known_to_inbox: bool,
    /// Of the customer's latest message to this inbox.
    pub last_inbound_at: Option<Timestamp>,
    /// Whether the person wants to be written to.
    pub consent: consent::Known,
    /// Whether the tenant listens to events.
    pub has_webhook: bool,
    /// As the conversation shows it.
    pub last_message: Option<LastMessage>,
    /// The next message's number: the write lock is held, so it stays the next.
    pub next_message_seq: i64,
}

/// The latest message of a conversation.
#[derive(Clone, Debug)]
pub(crate) struct LastMessage {
    pub at: Timestamp,
    pub text: String,
    pub sender: String,
}

/// An identity as it was found, with the inbox that was named or that the conversation is on.
struct Found {
    route: Route,
    inbox_channel: Option<String>,
    /// Whether the caller may see the conversation.
    in_sight: bool,
}

/// Who looks for a recipient, and from which inbox.
#[derive(Clone, Copy)]
struct Search<'a> {
    tenant: &'a str,
    /// As of [`visibility::viewer`].
    viewer: Option<&'a str>,
    inbox_id: Option<&'a str>,
    now: Timestamp,
}

impl FromRow for Found {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        let (identity_seq, identity_id, channel, address) =
            (row.take()?, row.take()?, row.take()?, row.take()?);
        let (contact_seq, contact_id, contact_name) = (row.take()?, row.take()?, row.take()?);
        let session_seq: Option<i64> = row.take()?;
        let session_id: Option<String> = row.take()?;
        let inbox_seq: Option<i64> = row.take()?;
        let inbox_id: Option<String> = row.take()?;
        let inbox_channel: Option<String> = row.take()?;
        let known_since: Option<Timestamp> = row.take()?;
        let route = Route {
            identity_seq,
            identity_id,
            channel,
            address,
            contact_seq,
            contact_id,
            contact_name,
            contact_is_new: false,
            session: session_seq.zip(session_id),
            inbox_seq: inbox_seq.unwrap_or_default(),
            inbox_id: inbox_id.unwrap_or_default(),
            is_known_to_inbox: known_since.is_some(),
            last_inbound_at: row.take()?,
            has_webhook: row.take()?,
            next_message_seq: row.take()?,
            last_message: last_message(row.take()?, row.take()?, row.take()?),
            consent: consent::Known { state: row.take()?, source: row.take()? },
        };
        Ok(Found { route, inbox_channel, in_sight: row.take()? })
    }
}

fn last_message(at: Option<Timestamp>, text: Option<String>, sender: Option<String>) -> Option<LastMessage> {
    Some(LastMessage {
        at: at?,
        text: text.unwrap_or_default(),
        sender: sender.unwrap_or_else(|| "user".into()),
    })
}

/// ?1 is the tenant, ?2 the named inbox or NULL, ?3 the viewer; the condition that finds the identity follows.
const FIND: &str = "
    SELECT x.seq, x.id, x.channel, x.address, x.contact_seq, x.contact_id, x.contact_name, x.session_seq, x.session_id,
           x.inbox_seq,
           (SELECT b.id FROM inboxes b WHERE b.seq = x.inbox_seq) AS inbox_id,
           (SELECT b.channel FROM inboxes b WHERE b.seq = x.inbox_seq) AS inbox_channel,
           (SELECT ci.created_at FROM contact_inboxes ci
             WHERE ci.identity_seq = x.seq AND ci.inbox_seq = x.inbox_seq) AS known_since,
           (SELECT ci.last_inbound_at FROM contact_inboxes ci
             WHERE ci.identity_seq = x.seq AND ci.inbox_seq = x.inbox_seq) AS last_inbound_at,
           EXISTS (SELECT 1 FROM webhook_endpoints w WHERE w.tenant_id = ?1) AS has_webhook,
           (SELECT coalesce(max(m.seq), 0) + 1 FROM messages m) AS next_message,
           x.last_message_at, x.last_message_text, x.last_message_sender, x.consent, x.consent_source, x.in_sight
      FROM (SELECT i.seq, i.id, i.channel, i.address, i.contact_seq,
                   i.last_message_at, i.last_message_text, i.last_message_sender, i.consent, i.consent_source,
                   (SELECT c.id FROM contacts c WHERE c.seq = i.contact_seq) AS contact_id,
                   (SELECT c.name FROM contacts c WHERE c.seq = i.contact_seq) AS contact_name,
                   (SELECT s.seq FROM sessions s WHERE s.identity_seq = i.seq AND s.closed_at IS NULL) AS session_seq,
                   (SELECT s.id FROM sessions s WHERE s.identity_seq = i.seq AND s.closed_at IS NULL) AS session_id,
                   CASE WHEN ?2 IS NOT NULL
                        THEN (SELECT b.seq FROM inboxes b WHERE b.id = ?2 AND b.tenant_id = ?1 AND b.deleted_at IS NULL)
                        ELSE coalesce(
                          (SELECT b.seq FROM inboxes b WHERE b.deleted_at IS NULL AND b.seq = (
                             SELECT s.inbox_seq FROM sessions s WHERE s.identity_seq = i.seq AND s.closed_at IS NULL)),
                          (SELECT b.seq FROM inboxes b WHERE b.deleted_at IS NULL AND b.seq = i.last_inbox_seq))
                    END AS inbox_seq,
                   ";
const FIND_FROM: &str = " AS in_sight
              FROM identities i
             WHERE i.tenant_id = ?1 AND (SELECT c.deleted_at FROM contacts c WHERE c.seq = i.contact_seq) IS NULL
               AND ";
const FIND_END: &str = " LIMIT 2) x";

/// Finds the way to a recipient; makes a contact of an unknown address.
pub(crate) fn resolve(
    db: &Db<'_>,
    caller: &Principal,
    recipient: &MessageRecipient,
    inbox_id: Option<&str>,
    now: Timestamp,
) -> Result<Route> {
    let search = Search { tenant: &caller.tenant, viewer: visibility::viewer(caller), inbox_id, now };
    route(db, &search, recipient)
}

fn route(db: &Db<'_>, search: &Search<'_>, recipient: &MessageRecipient) -> Result<Route> {
    let found = match recipient {
        MessageRecipient::Conversation { conversation_id } => in_conversation(db, search, conversation_id)?,
        MessageRecipient::Contact { contact_id, channel } => {
            of_contact(db, search, contact_id, channel.as_deref())?
        }
        MessageRecipient::Channel { external_id, channel } => at_address(db, search, external_id, channel)?,
    };
    match (found.in_sight, recipient) {
        (true, _) => {}
        // As if it were not there.
        (false, MessageRecipient::Conversation { conversation_id }) => {
            return Err(Problem::not_found("conversation", conversation_id));
        }
        (false, _) => {
            return Err(Problem::forbidden(
                "auth_authz_message_create_denied",
                "The conversation with this recipient belongs to another team or agent.",
            ));
        }
    }
    let inbox_id = search.inbox_id;
    match (&found.inbox_channel, inbox_id) {
        (Some(channel), _) if *channel == found.route.channel => Ok(found.route),
        (Some(channel), _) => Err(Problem::invalid(
            "inboxId",
            format!("is an inbox of the channel {channel}; the recipient is on {}", found.route.channel),
        )),
        (None, Some(inbox)) => {
            Err(Problem::invalid("inboxId", format!("there is no inbox with the id {inbox}")))
        }
        // Once more with its id, which reads what this person and that inbox know of each other.
        (None, None) => {
            let inbox = only_inbox(db, search.tenant, recipient, &found.route.channel)?;
            route(db, &Search { inbox_id: Some(&inbox), ..*search }, recipient)
        }
    }
}

/// `condition` counts its own values from ?4.
fn find(db: &Db<'_>, search: &Search<'_>, condition: &str, values: &[Value]) -> Result<Vec<Found>> {
    let in_sight = visibility::visible(3);
    let mut all = params![search.tenant, search.inbox_id, search.viewer].to_vec();
    all.extend_from_slice(values);
    Ok(db.rows(&format!("{FIND}{in_sight}{FIND_FROM}{condition}{FIND_END}"), &all)?)
}

fn in_conversation(db: &Db<'_>, search: &Search<'_>, conversation: &str) -> Result<Found> {
    let identity = conversations::identity_id(conversation)?;
    let found = find(db, search, "i.id = ?4 AND i.started_at IS NOT NULL", params![identity])?;
    found.into_iter().next().ok_or_else(|| Problem::not_found("conversation", conversation))
}

fn of_contact(db: &Db<'_>, search: &Search<'_>, contact: &str, channel: Option<&str>) -> Result<Found> {
    let contact = contacts::find(db, search.tenant, contact)?;
    let condition = "i.contact_seq = ?4 AND (?5 IS NULL OR i.channel = ?5)";
    let mut routes = find(db, search, condition, params![contact.seq, channel])?.into_iter();
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

fn at_address(db: &Db<'_>, search: &Search<'_>, external_id: &str, channel: &str) -> Result<Found> {
    let Search { tenant, inbox_id, now, .. } = *search;
    let address = match channel {
        "whatsapp" | "sms" => phone::digits(external_id)
            .ok_or_else(|| Problem::invalid("recipient.externalId", "must be a phone number in E.164"))?,
        "messenger" | "instagram" | "text" => {
            if external_id.trim().is_empty() || external_id.chars().count() > ADDRESS_CHARS {
                return Err(Problem::invalid("recipient.externalId", "must be 1 to 256 characters"));
            }
            external_id.trim().to_string()
        }
        other => {
            return Err(Problem::invalid(
                "recipient.channel",
                format!("is not known: {other}. Use whatsapp, messenger, instagram, sms or text"),
            ));
        }
    };
    let condition = "i.channel = ?4 AND i.address = ?5";
    let known = |db: &Db<'_>, address: &str| {
        find(db, search, condition, params![channel, address]).map(|found| found.into_iter().next())
    };
    // A number may be known in its other form.
    let is_number = matches!(channel, "whatsapp" | "sms");
    let forms = if is_number { phone::variants(&address) } else { vec![address.clone()] };
    for form in &forms {
        if let Some(found) = known(db, form)? {
            return Ok(found);
        }
    }
    if inbox_id.is_none() {
        return Err(inbox_required());
    }
    if matches!(channel, "messenger" | "instagram" | "text") {
        return Err(not_begun(channel));
    }
    // The address may be that of a deleted contact: who is written to again is somebody new.
    let contact_seq = contacts::insert(db, tenant, None, now)?;
    let moved = db.row::<(String,)>(
        "UPDATE identities SET contact_seq = ?1
          WHERE seq = (SELECT i.seq FROM identities i WHERE i.tenant_id = ?2 AND i.channel = ?3
                          AND i.address IN (SELECT value FROM json_each(?4)) ORDER BY i.address = ?5 DESC LIMIT 1)
            AND tenant_id = ?2
         RETURNING address",
        params![contact_seq, tenant, channel, serde_json::to_string(&forms).unwrap_or_default(), address],
    )?;
    let address = match moved {
        Some((address,)) => address,
        None => {
            contacts::add_identity(db, tenant, contact_seq, channel, &address, now)?;
            address
        }
    };
    let mut found = known(db, &address)?.ok_or_else(|| Problem::internal("a new identity was not found"))?;
    found.route.contact_is_new = true;
    Ok(found)
}

/// The tenant's only inbox of a channel is meant where a contact is addressed; a bare address must name
/// one (contract section 5).
fn only_inbox(db: &Db<'_>, tenant: &str, recipient: &MessageRecipient, channel: &str) -> Result<String> {
    if matches!(recipient, MessageRecipient::Channel { .. }) {
        return Err(inbox_required());
    }
    let inboxes = db.rows::<(String,)>(
        "SELECT id FROM inboxes WHERE tenant_id = ? AND channel = ? AND deleted_at IS NULL LIMIT 2",
        params![tenant, channel],
    )?;
    match <[(String,); 1]>::try_from(inboxes) {
        Ok([(only,)]) => Ok(only),
        Err(_) => Err(inbox_required()),
    }
}

/// On these channels only the customer can begin (contract section 5, channels section 4.1 and 5.1).
fn not_begun(channel: &str) -> Problem {
    let name = if channel == "text" { "live chat" } else { channel };
    Problem::invalid(
        "recipient.externalId",
        format!("is not known: on {name} the customer writes first, and a business cannot begin"),
    )
    .with_code("unsupportedChannel")
    .with_window(Window {
        state: "CLOSED",
        for_actor: "AGENT",
        expires_at: None,
        failure_code: Some("unsupportedChannel"),
    })
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
