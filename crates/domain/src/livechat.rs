//! Live chat, the customers' side: what Chatwoot's Client API does with the inboxes of the channel `text`
//! (Chatwoot notes 5.22).
//!
//! | module | what |
//! |---|---|
//! | [`people`] | who writes: creating, proving, changing |
//! | [`threads`] | conversations: our sessions, at most one open a visitor |
//! | [`texts`] | messages of both sides, as the customer reads them |
//! | [`writing`] | what customers write |
//! | [`answers`] | their answers to our questions |
//! | [`feed`] | live updates |
//!
//! A **visitor** is Chatwoot's contact inbox: a customer on one inbox, known by a `source_id`, which is all the
//! credential they have. Behind it is one identity of the channel `text`. Who proves an `identifier` by its HMAC
//! sees what they wrote as other visitors with the same proof; nobody sees more of a contact than they gave
//! themselves, unless the contact was made for them or the proof is theirs. Chatwoot is more trusting: it shows a
//! contact to whoever gives its email address.

pub mod answers;
pub mod feed;
pub mod people;
pub mod texts;
pub mod threads;
pub mod writing;

use crate::inboxes::{Address, CONNECTION, Connection};
use common::crypto::Signer;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::{Problem, Result, params};

/// What pubsub tokens are signed for.
pub const PUBSUB: &str = "livechat pubsub";

/// A live-chat inbox.
#[derive(Clone, Debug)]
pub struct LiveChat {
    pub connection: Connection,
    pub name: String,
    /// The number of the account, as Chatwoot shows it.
    pub account: i64,
}

impl FromRow for LiveChat {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(LiveChat { connection: Connection::from_row(row)?, name: row.take()?, account: row.take()? })
    }
}

impl LiveChat {
    pub fn address(&self) -> &Address {
        &self.connection.address
    }

    pub fn tenant(&self) -> &str {
        &self.connection.address.tenant
    }
}

/// The inbox that a customer's page names. The tenant is found by it: an identifier is public and belongs to one.
pub fn inbox(db: &Db<'_>, identifier: &str) -> Result<LiveChat> {
    let sql = format!(
        "SELECT {CONNECTION}, name, (SELECT t.seq FROM tenants t WHERE t.id = inboxes.tenant_id) AS account FROM inboxes
          WHERE channel = 'text' AND external_id = ? AND deleted_at IS NULL AND channel <> 'sms'
            AND (SELECT t.status FROM tenants t WHERE t.id = inboxes.tenant_id AND t.deleted_at IS NULL) = 'active'"
    );
    db.row(&sql, params![identifier])?.ok_or_else(|| Problem::not_found("inbox", identifier))
}

/// A customer on one inbox.
#[derive(Clone, Debug)]
pub struct Visitor {
    pub source_id: String,
    pub identity_seq: i64,
    pub contact_seq: i64,
    /// Proven by its HMAC.
    pub identifier: Option<String>,
    /// The contact was made for this visitor.
    pub is_owner: bool,
    /// JSON of what this visitor said of themselves.
    pub given: String,
}

impl FromRow for Visitor {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Visitor {
            source_id: row.take()?,
            identity_seq: row.take()?,
            contact_seq: row.take()?,
            identifier: row.take()?,
            is_owner: row.take()?,
            given: row.take()?,
        })
    }
}

/// The visitor with a `source_id`, if there is one, also when their contact was deleted.
fn known(db: &Db<'_>, chat: &LiveChat, source_id: &str) -> Result<Option<Visitor>> {
    Ok(db.row(
        "SELECT v.source_id, v.identity_seq,
                (SELECT i.contact_seq FROM identities i WHERE i.seq = v.identity_seq) AS contact,
                v.identifier, v.is_owner, v.given
           FROM livechat_visitors v WHERE v.inbox_seq = ? AND v.source_id = ? AND v.tenant_id = ?",
        params![chat.address().seq, source_id, chat.tenant()],
    )?)
}

/// The visitor with a `source_id`; 404 when there is none, or their contact was deleted.
pub fn visitor(db: &Db<'_>, chat: &LiveChat, source_id: &str) -> Result<Visitor> {
    let missing = || Problem::not_found("contact", source_id);
    let found = known(db, chat, source_id)?.ok_or_else(missing)?;
    let alive = db.touches(
        "SELECT 1 FROM contacts WHERE seq = ? AND tenant_id = ? AND deleted_at IS NULL",
        params![found.contact_seq, chat.tenant()],
    )?;
    if alive { Ok(found) } else { Err(missing()) }
}

/// A visitor who may read and write messages: where proof is mandatory, only who gave it.
pub fn writer(db: &Db<'_>, chat: &LiveChat, source_id: &str) -> Result<Visitor> {
    let visitor = visitor(db, chat, source_id)?;
    if chat.connection.config.hmac_mandatory && visitor.identifier.is_none() {
        return Err(people::not_proven());
    }
    Ok(visitor)
}

/// What a visitor's `pubsub_token` signs.
fn pubsub_text(chat: &LiveChat, source_id: &str) -> String {
    format!("{}/{source_id}", chat.address().id)
}

/// The token that opens a visitor's live updates; `signer` is made for [`PUBSUB`].
pub fn pubsub_token(signer: &Signer, chat: &LiveChat, source_id: &str) -> String {
    signer.sign(&pubsub_text(chat, source_id))
}

/// Whose live updates these are: the inbox and the visitor, or 404 when anything of it is wrong. `signer` is made
/// for [`PUBSUB`].
pub fn subscriber(
    db: &Db<'_>,
    signer: &Signer,
    identifier: &str,
    source_id: &str,
    token: &str,
) -> Result<(LiveChat, Visitor)> {
    let chat = inbox(db, identifier)?;
    if !signer.verify(&pubsub_text(&chat, source_id), token) {
        return Err(Problem::not_found("contact", source_id));
    }
    let visitor = writer(db, &chat, source_id)?;
    Ok((chat, visitor))
}
