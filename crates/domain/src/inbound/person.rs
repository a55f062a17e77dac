//! Who wrote: from what a provider calls a person to an identity and its contact.
//!
//! WhatsApp names a person by a user id, by a phone number, or by both (channels section 3.1). The user id
//! counts first, since numbers change hands; where both appear together, what was known by each becomes one.

use super::merge;
use crate::inboxes::Address;
use crate::{contacts, phone};
use common::db::Db;
use common::time::Timestamp;
use common::{Problem, Result, params};

/// Longest name taken over from a provider, in characters.
const NAME_CHARS: usize = 200;

/// A person as a provider names them. At least one of the ids must be there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sender {
    /// Digits (WhatsApp, SMS), or the provider's id.
    pub address: Option<String>,
    /// WhatsApp: the business-scoped user id.
    pub user_id: Option<String>,
    /// What they call themselves.
    pub name: Option<String>,
    pub username: Option<String>,
}

impl Sender {
    /// What the provider is to be told to reach the person: a number wins over a user id.
    pub fn source_id(&self) -> Option<&str> {
        self.address.as_deref().or(self.user_id.as_deref())
    }
}

/// A person of the tenant's.
#[derive(Clone, Debug)]
pub struct Person {
    pub identity_seq: i64,
    pub contact_seq: i64,
    pub contact_id: String,
    pub contact_is_new: bool,
}

/// An identity as it is found by one of its ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub seq: i64,
    pub address: String,
    pub user_id: Option<String>,
}

pub(super) fn by_user_id(db: &Db<'_>, inbox: &Address, user_id: Option<&str>) -> Result<Option<Known>> {
    let Some(user_id) = user_id else { return Ok(None) };
    let found = db.row::<(i64, String, Option<String>)>(
        "SELECT seq, address, user_id FROM identities WHERE tenant_id = ? AND channel = ? AND user_id = ?",
        params![inbox.tenant, inbox.channel, user_id],
    )?;
    Ok(found.map(known))
}

/// By any form of a phone number; the form that was asked for first.
pub(super) fn by_address(db: &Db<'_>, inbox: &Address, address: Option<&str>) -> Result<Option<Known>> {
    let Some(address) = address else { return Ok(None) };
    let is_number = matches!(inbox.channel.as_str(), "whatsapp" | "sms");
    let forms = if is_number { phone::variants_json(address) } else { just(address) };
    let found = db.row::<(i64, String, Option<String>)>(
        "SELECT seq, address, user_id FROM identities
          WHERE tenant_id = ? AND channel = ? AND address IN (SELECT value FROM json_each(?))
          ORDER BY address = ? DESC LIMIT 1",
        params![inbox.tenant, inbox.channel, forms, address],
    )?;
    Ok(found.map(known))
}

fn just(address: &str) -> String {
    serde_json::to_string(&[address]).unwrap_or_default()
}

fn known((seq, address, user_id): (i64, String, Option<String>)) -> Known {
    Known { seq, address, user_id }
}

/// The identity of a person, if there is one; nothing is changed.
pub fn find(db: &Db<'_>, inbox: &Address, sender: &Sender) -> Result<Option<i64>> {
    if let Some(known) = by_user_id(db, inbox, sender.user_id.as_deref())? {
        return Ok(Some(known.seq));
    }
    Ok(by_address(db, inbox, sender.address.as_deref())?.map(|known| known.seq))
}

/// The person, who becomes a contact when nobody knew them.
pub fn find_or_create(db: &Db<'_>, inbox: &Address, sender: &Sender, now: Timestamp) -> Result<Person> {
    let tenant = inbox.tenant.as_str();
    let name: Option<String> = sender
        .name
        .as_deref()
        .map(|name| name.trim().chars().take(NAME_CHARS).collect())
        .filter(|name: &String| !name.is_empty());
    let Some(identity_seq) = identify(db, inbox, sender, now)? else {
        let address =
            sender.source_id().ok_or_else(|| Problem::internal("a sender without any id was taken in"))?;
        let contact_seq = contacts::insert(db, tenant, name.as_deref(), now)?;
        let (identity_seq, _) =
            contacts::add_identity(db, tenant, contact_seq, &inbox.channel, address, now)?;
        db.run(
            "UPDATE identities SET user_id = ?, username = ? WHERE seq = ? AND tenant_id = ?",
            params![sender.user_id, sender.username, identity_seq, tenant],
        )?;
        let contact_id = contacts::by_seq(db, tenant, contact_seq)?.id;
        return Ok(Person { identity_seq, contact_seq, contact_id, contact_is_new: true });
    };
    if sender.username.is_some() {
        db.run(
            "UPDATE identities SET username = ?1 WHERE seq = ?2 AND tenant_id = ?3 AND username IS NOT ?1",
            params![sender.username, identity_seq, tenant],
        )?;
    }
    let contact = db.row::<(i64, String, Option<String>, Option<Timestamp>)>(
        "SELECT seq, id, name, deleted_at FROM contacts
          WHERE seq = (SELECT contact_seq FROM identities WHERE seq = ? AND tenant_id = ?)",
        params![identity_seq, tenant],
    )?;
    let (contact_seq, contact_id, known_name, deleted_at) =
        contact.ok_or_else(|| Problem::internal("an identity without a contact"))?;
    if deleted_at.is_none() {
        if known_name.is_none() && name.is_some() {
            db.run(
                "UPDATE contacts SET name = ?, updated_at = ? WHERE seq = ? AND tenant_id = ?",
                params![name, now, contact_seq, tenant],
            )?;
        }
        return Ok(Person { identity_seq, contact_seq, contact_id, contact_is_new: false });
    }
    // A deleted contact who writes again is somebody new; the address moves to them.
    let contact_seq = contacts::insert(db, tenant, name.as_deref(), now)?;
    db.run(
        "UPDATE identities SET contact_seq = ? WHERE seq = ? AND tenant_id = ?",
        params![contact_seq, identity_seq, tenant],
    )?;
    let contact_id = contacts::by_seq(db, tenant, contact_seq)?.id;
    Ok(Person { identity_seq, contact_seq, contact_id, contact_is_new: true })
}

/// The one identity that the ids belong to; what they tell beyond what was known is noted.
fn identify(db: &Db<'_>, inbox: &Address, sender: &Sender, now: Timestamp) -> Result<Option<i64>> {
    let user = by_user_id(db, inbox, sender.user_id.as_deref())?;
    let owner = by_address(db, inbox, sender.address.as_deref())?;
    let tenant = inbox.tenant.as_str();
    match (user, owner) {
        (None, None) => Ok(None),
        (Some(user), None) => {
            if let Some(address) = &sender.address {
                set_address(db, tenant, user.seq, address)?;
            }
            Ok(Some(user.seq))
        }
        (Some(user), Some(owner)) if user.seq == owner.seq => Ok(Some(user.seq)),
        // One person, met by number and by user id: what belongs to both becomes one.
        (Some(user), Some(owner)) if owner.user_id.is_none() => {
            merge::into(db, tenant, user.seq, owner.seq, now)?;
            set_user_id(db, tenant, owner.seq, sender.user_id.as_deref())?;
            Ok(Some(owner.seq))
        }
        // The number has changed hands: it goes to the person who writes from it now.
        (Some(user), Some(owner)) => {
            release_address(db, tenant, &owner)?;
            if let Some(address) = &sender.address {
                set_address(db, tenant, user.seq, address)?;
            }
            Ok(Some(user.seq))
        }
        (None, Some(owner)) => match (&owner.user_id, &sender.user_id) {
            (Some(_), Some(_)) => {
                release_address(db, tenant, &owner)?;
                Ok(None)
            }
            (None, Some(_)) => {
                set_user_id(db, tenant, owner.seq, sender.user_id.as_deref())?;
                Ok(Some(owner.seq))
            }
            (_, None) => Ok(Some(owner.seq)),
        },
    }
}

/// Gives an identity another address, and its inboxes with it.
pub(super) fn set_address(db: &Db<'_>, tenant: &str, identity_seq: i64, address: &str) -> Result<()> {
    db.run(
        "UPDATE identities SET address = ? WHERE seq = ? AND tenant_id = ?",
        params![address, identity_seq, tenant],
    )?;
    Ok(db.run(
        "UPDATE contact_inboxes SET source_id = ? WHERE identity_seq = ? AND tenant_id = ?",
        params![address, identity_seq, tenant],
    )?)
}

pub(super) fn set_user_id(db: &Db<'_>, tenant: &str, identity_seq: i64, user_id: Option<&str>) -> Result<()> {
    Ok(db.run(
        "UPDATE identities SET user_id = ? WHERE seq = ? AND tenant_id = ?",
        params![user_id, identity_seq, tenant],
    )?)
}

/// Takes the number from an identity that is known by its user id too.
fn release_address(db: &Db<'_>, tenant: &str, owner: &Known) -> Result<()> {
    match &owner.user_id {
        Some(user_id) => set_address(db, tenant, owner.seq, user_id),
        None => Ok(()),
    }
}

/// Keeps the number by which the provider knows whom a message of ours went to: some countries' numbers are
/// rewritten, and the person's answers come from that form. A number of somebody else stays theirs.
pub fn rewritten(db: &Db<'_>, tenant: &str, message: &str, number: &str) -> Result<()> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let known = db.row::<(i64, String)>(
        "SELECT seq, address FROM identities
          WHERE seq = (SELECT identity_seq FROM messages WHERE id = ?1 AND tenant_id = ?2)
            AND tenant_id = ?2 AND channel = 'whatsapp' AND address != ?3",
        params![message, tenant, number],
    )?;
    let Some((seq, address)) = known.filter(|(_, address)| is_number(address) && is_number(number)) else {
        return Ok(());
    };
    let is_taken = db.touches(
        "SELECT 1 FROM identities WHERE tenant_id = ? AND channel = 'whatsapp' AND address = ?",
        params![tenant, number],
    )?;
    if is_taken {
        common::log!("the provider rewrote a number to that of somebody else", message = message);
        return Ok(());
    }
    common::log!("the provider rewrote a number", message = message, length = address.len());
    set_address(db, tenant, seq, number)
}

/// A person is known by other ids from now on; `false` when nobody is known by the old ones.
pub fn changed(db: &Db<'_>, inbox: &Address, old: &Sender, new: &Sender, now: Timestamp) -> Result<bool> {
    let tenant = inbox.tenant.as_str();
    let Some(seq) = find(db, inbox, old)? else { return Ok(false) };
    let others =
        [by_user_id(db, inbox, new.user_id.as_deref())?, by_address(db, inbox, new.address.as_deref())?];
    let mut merged = Vec::new();
    for other in others.into_iter().flatten().map(|other| other.seq) {
        if other != seq && !merged.contains(&other) {
            merge::into(db, tenant, other, seq, now)?;
            merged.push(other);
        }
    }
    if new.user_id.is_some() {
        set_user_id(db, tenant, seq, new.user_id.as_deref())?;
    }
    if let Some(address) = new.source_id() {
        set_address(db, tenant, seq, address)?;
    }
    Ok(true)
}
