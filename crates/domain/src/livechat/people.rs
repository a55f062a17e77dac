//! Who writes: a visitor and the contact behind it.

mod contact;
mod request;

pub(super) use contact::details;
pub use request::{ContactRequest, Proof, prove};
pub(super) use request::{check_attributes, not_proven};

use super::{LiveChat, Visitor, known, visitor};
use crate::contacts;
use common::db::Db;
use common::time::Timestamp;
use common::{Problem, Result, id, params};
use contact::Details;
use request::Wanted;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// New visitors of one inbox within a minute; beyond, somebody floods it.
const VISITORS_A_MINUTE: i64 = 600;

/// A customer as the Client API shows them.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClientContact {
    pub source_id: String,
    /// Opens the visitor's live updates.
    pub pubsub_token: String,
    #[schema(example = 1)]
    pub id: i64,
    pub name: Option<String>,
    pub email: Option<String>,
    pub phone_number: Option<String>,
}

/// What a visitor said of themselves.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Given {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
}

impl Visitor {
    /// Whether all of the contact is theirs to see and to change.
    pub(super) fn is_trusted(&self, contact: &Details) -> bool {
        self.is_owner || (self.identifier.is_some() && self.identifier == contact.identifier)
    }

    pub(super) fn given(&self) -> Given {
        serde_json::from_str(&self.given).unwrap_or_default()
    }
}

/// Makes a visitor, with the contact that is known by the identifier, the email address or the phone number, in this
/// order, or with a new one; who proves an identifier is found by it alone. A `source_id` that is known already is
/// the same visitor.
pub fn create(
    db: &Db<'_>,
    chat: &LiveChat,
    request: &ContactRequest,
    proven: Option<&str>,
) -> Result<Visitor> {
    let wanted = request.wanted()?;
    let now = Timestamp::now();
    if let Some(source_id) = &request.source_id
        && let Some(found) = known(db, chat, source_id)?
    {
        return match visitor(db, chat, source_id) {
            Ok(visitor) => change(db, chat, visitor, wanted, proven, now),
            // Their contact was deleted: they are somebody new.
            Err(_) => {
                let (contact_seq, is_new) = contact::find_or_insert(db, chat, &wanted, proven, now)?;
                contact::attach(db, chat, &found, contact_seq)?;
                note(db, chat, &found.source_id, proven, is_new, &wanted.given)?;
                visitor(db, chat, source_id)
            }
        };
    }
    let minute = now.before(Duration::from_secs(60));
    let recent = db.row::<(i64,)>(
        "SELECT count(*) FROM livechat_visitors WHERE inbox_seq = ? AND created_at > ?",
        params![chat.address().seq, minute],
    )?;
    if recent.is_some_and(|(count,)| count >= VISITORS_A_MINUTE) {
        return Err(Problem::rate_limited("Too many new visitors of this inbox. Try again in a minute.", 60));
    }
    let (contact_seq, is_new) = contact::find_or_insert(db, chat, &wanted, proven, now)?;
    let source_id = request.source_id.clone().unwrap_or_else(id::ulid_uuid);
    let identity_seq = identity(db, chat, contact_seq, &source_id, now)?;
    db.run(
        "INSERT INTO livechat_visitors (inbox_seq, source_id, tenant_id, identity_seq, identifier, is_owner, given, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            chat.address().seq,
            source_id,
            chat.tenant(),
            identity_seq,
            proven,
            is_new,
            to_json(&wanted.given)?,
            now
        ],
    )?;
    visitor(db, chat, &source_id)
}

/// The address is the `source_id`, but where another inbox of the tenant has a visitor of that name.
fn identity(db: &Db<'_>, chat: &LiveChat, contact_seq: i64, source_id: &str, now: Timestamp) -> Result<i64> {
    let tenant = chat.tenant();
    let taken = db.touches(
        "SELECT 1 FROM identities WHERE tenant_id = ? AND channel = 'text' AND address = ?",
        params![tenant, source_id],
    )?;
    let address =
        if taken { format!("{}:{}", chat.address().external_id, id::ulid()) } else { source_id.to_string() };
    Ok(contacts::add_identity(db, tenant, contact_seq, "text", &address, now)?.0)
}

/// Takes over what a visitor says of themselves.
pub fn update(
    db: &Db<'_>,
    chat: &LiveChat,
    source_id: &str,
    request: &ContactRequest,
    proven: Option<&str>,
) -> Result<Visitor> {
    let found = visitor(db, chat, source_id)?;
    change(db, chat, found, request.wanted()?, proven, Timestamp::now())
}

/// Notes a proof that came with reading.
pub fn proved(db: &Db<'_>, chat: &LiveChat, source_id: &str, proven: &str) -> Result<Visitor> {
    let found = visitor(db, chat, source_id)?;
    if found.identifier.as_deref() == Some(proven) {
        return Ok(found);
    }
    let wanted =
        Wanted { given: Given::default(), identifier: Some(proven.to_string()), custom_attributes: None };
    change(db, chat, found, wanted, Some(proven), Timestamp::now())
}

fn change(
    db: &Db<'_>,
    chat: &LiveChat,
    mut visitor: Visitor,
    wanted: Wanted,
    proven: Option<&str>,
    now: Timestamp,
) -> Result<Visitor> {
    let tenant = chat.tenant();
    let mut contact = details(db, tenant, visitor.contact_seq)?;
    if let Some(proven) = proven {
        visitor = identify(db, chat, visitor, &contact, proven)?;
        contact = details(db, tenant, visitor.contact_seq)?;
    }
    let before = visitor.given();
    let given = Given {
        name: wanted.given.name.clone().or(before.name),
        email: wanted.given.email.clone().or(before.email),
        phone_number: wanted.given.phone_number.clone().or(before.phone_number),
    };
    note(db, chat, &visitor.source_id, visitor.identifier.as_deref(), visitor.is_owner, &given)?;
    if visitor.is_trusted(&contact) {
        contact::write(db, tenant, visitor.contact_seq, &contact, &wanted, now)?;
    }
    super::visitor(db, chat, &visitor.source_id)
}

/// The visitor proved to be the person with this identifier: the contact becomes, or is replaced by, that person's.
fn identify(
    db: &Db<'_>,
    chat: &LiveChat,
    mut visitor: Visitor,
    contact: &Details,
    proven: &str,
) -> Result<Visitor> {
    let tenant = chat.tenant();
    if visitor.identifier.as_deref().is_some_and(|known| known != proven) {
        return Err(not_proven());
    }
    visitor.identifier = Some(proven.to_string());
    if contact.identifier.as_deref() == Some(proven) {
        note(db, chat, &visitor.source_id, Some(proven), visitor.is_owner, &visitor.given())?;
        contact::dispossess(db, tenant, visitor.contact_seq, proven)?;
        return Ok(visitor);
    }
    let owner = db.row::<(i64,)>(
        "SELECT seq FROM contacts WHERE tenant_id = ? AND identifier = ? AND deleted_at IS NULL",
        params![tenant, proven],
    )?;
    match owner {
        Some((owner,)) => {
            contact::attach(db, chat, &visitor, owner)?;
            contact::dispossess(db, tenant, owner, proven)?;
            visitor.contact_seq = owner;
            visitor.is_owner = false;
        }
        None if visitor.is_owner && contact.identifier.is_none() => db.run(
            "UPDATE contacts SET identifier = ? WHERE seq = ? AND tenant_id = ?",
            params![proven, visitor.contact_seq, tenant],
        )?,
        // The contact is somebody else's, or nobody's in particular: this person gets one of their own.
        None => {
            let wanted = Wanted {
                given: visitor.given(),
                identifier: Some(proven.to_string()),
                custom_attributes: None,
            };
            let (own, _) = contact::find_or_insert(db, chat, &wanted, Some(proven), Timestamp::now())?;
            contact::attach(db, chat, &visitor, own)?;
            visitor.contact_seq = own;
            visitor.is_owner = true;
        }
    }
    Ok(visitor)
}

fn note(
    db: &Db<'_>,
    chat: &LiveChat,
    source_id: &str,
    identifier: Option<&str>,
    is_owner: bool,
    given: &Given,
) -> Result<()> {
    Ok(db.run(
        "UPDATE livechat_visitors SET identifier = ?, is_owner = ?, given = ?
          WHERE inbox_seq = ? AND source_id = ? AND tenant_id = ?",
        params![identifier, is_owner, to_json(given)?, chat.address().seq, source_id, chat.tenant()],
    )?)
}

fn to_json(given: &Given) -> Result<String> {
    serde_json::to_string(given).map_err(|error| Problem::internal(error.to_string()))
}

/// What a visitor sees of themselves.
pub fn shown(db: &Db<'_>, chat: &LiveChat, visitor: &Visitor, pubsub_token: String) -> Result<ClientContact> {
    let contact = details(db, chat.tenant(), visitor.contact_seq)?;
    let given = if visitor.is_trusted(&contact) {
        Given { name: contact.name, email: contact.email, phone_number: contact.phone_number }
    } else {
        visitor.given()
    };
    Ok(ClientContact {
        source_id: visitor.source_id.clone(),
        pubsub_token,
        id: visitor.contact_seq,
        name: given.name,
        email: given.email,
        phone_number: given.phone_number,
    })
}
