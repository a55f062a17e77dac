//! Who writes: a visitor and the contact behind it.

use super::{LiveChat, Visitor, known, visitor};
use crate::contacts::{self, NAME_CHARS};
use crate::events;
use crate::inboxes::Credentials;
use crate::phone;
use common::chatwoot::Attributes;
use common::crypto::{self, Sealer};
use common::db::{Db, Error as DbError, FromRow, Row};
use common::problem::Violations;
use common::time::Timestamp;
use common::{Problem, Result, id, params};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::time::Duration;
use utoipa::ToSchema;

/// Longest identifier, email address or source id, in characters.
const TEXT_CHARS: usize = 255;
/// Largest custom attributes of a contact or a conversation, in bytes of JSON.
pub(super) const ATTRIBUTES_BYTES: usize = 16 * 1024;
/// New visitors of one inbox within a minute; beyond, somebody floods it.
const VISITORS_A_MINUTE: i64 = 600;

/// What a customer says of themselves. Unknown fields are ignored.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct ContactRequest {
    /// At creation: a name for this visitor; absent: a random one. It is the visitor's only credential.
    #[serde(default)]
    pub source_id: Option<String>,
    /// What your system calls the customer.
    #[serde(default)]
    #[schema(example = "1234567890")]
    pub identifier: Option<String>,
    /// Hex HMAC-SHA256 of `identifier` with the inbox's HMAC token.
    #[serde(default)]
    pub identifier_hash: Option<String>,
    #[serde(default)]
    #[schema(example = "alice@acme.inc")]
    pub email: Option<String>,
    #[serde(default)]
    #[schema(example = "Alice")]
    pub name: Option<String>,
    /// E.164 with `+`.
    #[serde(default)]
    #[schema(example = "+48123456789")]
    pub phone_number: Option<String>,
    /// Merged into what is there.
    #[serde(default)]
    #[schema(value_type = Option<std::collections::BTreeMap<String, serde_json::Value>>)]
    pub custom_attributes: Option<Attributes>,
}

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

/// The proof that may come with reading a contact.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Proof {
    /// What your system calls the customer.
    #[serde(default)]
    pub identifier: Option<String>,
    /// Hex HMAC-SHA256 of `identifier` with the inbox's HMAC token.
    #[serde(default)]
    pub identifier_hash: Option<String>,
}

/// What is kept of a contact for Chatwoot's APIs.
#[derive(Clone, Debug)]
pub(super) struct Details {
    pub id: String,
    pub name: Option<String>,
    pub email: Option<String>,
    pub phone_number: Option<String>,
    pub identifier: Option<String>,
    pub custom_attributes: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl FromRow for Details {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Details {
            id: row.take()?,
            name: row.take()?,
            email: row.take()?,
            phone_number: row.take()?,
            identifier: row.take()?,
            custom_attributes: row.take()?,
            created_at: row.take()?,
            updated_at: row.take()?,
        })
    }
}

pub(super) fn details(db: &Db<'_>, tenant: &str, contact_seq: i64) -> Result<Details> {
    let found = db.row(
        "SELECT id, name, email, phone_number, identifier, custom_attributes, created_at, updated_at
           FROM contacts WHERE seq = ? AND tenant_id = ?",
        params![contact_seq, tenant],
    )?;
    found.ok_or_else(|| Problem::internal("a visitor's contact is missing"))
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

/// 401 in Chatwoot's words: the proof is wrong or missing.
pub(super) fn not_proven() -> Problem {
    Problem::forbidden("auth_identity_not_proven", "HMAC failed: Invalid Identifier Hash Provided")
}

/// The identifier that a request proves; `None` where it proves nothing and need not.
pub fn prove(
    chat: &LiveChat,
    sealer: &Sealer,
    identifier: Option<&str>,
    hash: Option<&str>,
) -> Result<Option<String>> {
    let hash = hash.filter(|hash| !hash.is_empty());
    if hash.is_none() && !chat.connection.config.hmac_mandatory {
        return Ok(None);
    }
    let Credentials::Text { hmac_token } = chat.connection.credentials(sealer)? else {
        return Err(Problem::internal("a live chat without an HMAC token"));
    };
    let (Some(identifier), Some(hash)) = (identifier.filter(|text| !text.is_empty()), hash) else {
        return Err(not_proven());
    };
    let right = to_hex(&crypto::hmac_sha256(hmac_token.as_bytes(), &[identifier.as_bytes()]));
    if !crypto::equal(right.as_bytes(), hash.as_bytes()) {
        return Err(not_proven());
    }
    Ok(Some(identifier.to_string()))
}

fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What a request says, cleaned and checked.
struct Wanted {
    given: Given,
    identifier: Option<String>,
    custom_attributes: Option<Map<String, Value>>,
}

impl ContactRequest {
    fn wanted(&self) -> Result<Wanted> {
        let mut violations = Violations::new();
        let text = |text: &Option<String>| {
            text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_string)
        };
        let short = |text: &Option<String>, limit| text.as_ref().is_none_or(|t| t.chars().count() <= limit);
        let (name, identifier) = (text(&self.name), text(&self.identifier));
        violations.check(short(&name, NAME_CHARS), "name", "is too long (maximum is 200 characters)");
        violations.check(
            short(&identifier, TEXT_CHARS),
            "identifier",
            "is too long (maximum is 255 characters)",
        );
        let email = text(&self.email).map(|email| email.to_lowercase());
        let email_is_fine = email.as_deref().is_none_or(is_email);
        violations.check(email_is_fine, "email", "is invalid");
        let phone_number = text(&self.phone_number);
        let digits = phone_number.as_deref().map(phone::e164_digits);
        violations.check(digits != Some(None), "phone_number", "should be in e164 format");
        let attributes = self.custom_attributes.as_ref().map(|attributes| attributes.0.clone());
        check_attributes(&mut violations, attributes.as_ref());
        if let Some(source_id) = &self.source_id {
            let fine = (1..=TEXT_CHARS).contains(&source_id.len())
                && source_id.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#%".contains(&byte));
            violations.check(fine, "source_id", "must be 1 to 255 visible ASCII characters without / ? # %");
        }
        violations.finish()?;
        let phone_number = digits.flatten().map(|digits| format!("+{digits}"));
        Ok(Wanted { given: Given { name, email, phone_number }, identifier, custom_attributes: attributes })
    }
}

pub(super) fn check_attributes(violations: &mut Violations, attributes: Option<&Map<String, Value>>) {
    let bytes = attributes.map_or(0, |attributes| json!(attributes).to_string().len());
    violations.check(bytes <= ATTRIBUTES_BYTES, "custom_attributes", "is too large (maximum is 16384 bytes)");
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    text.chars().count() <= TEXT_CHARS
        && !local.is_empty()
        && !domain.is_empty()
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
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
                let (contact_seq, is_new) = contact(db, chat, &wanted, proven, now)?;
                attach(db, chat, &found, contact_seq)?;
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
    let (contact_seq, is_new) = contact(db, chat, &wanted, proven, now)?;
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
        if taken { format!("{}:{source_id}", chat.address().external_id) } else { source_id.to_string() };
    Ok(contacts::add_identity(db, tenant, contact_seq, "text", &address, now)?.0)
}

/// The contact that a request is about, or a new one: `true`.
fn contact(
    db: &Db<'_>,
    chat: &LiveChat,
    wanted: &Wanted,
    proven: Option<&str>,
    now: Timestamp,
) -> Result<(i64, bool)> {
    let tenant = chat.tenant();
    if let Some(found) = by_marks(db, tenant, wanted, proven)? {
        if let Some(proven) = proven {
            dispossess(db, tenant, found, proven)?;
        }
        return Ok((found, false));
    }
    let seq = contacts::insert(db, tenant, wanted.given.name.as_deref(), now)?;
    let attributes = json!(wanted.custom_attributes.clone().unwrap_or_default()).to_string();
    db.run(
        "UPDATE contacts SET email = ?, phone_number = ?, identifier = ?, custom_attributes = ?
          WHERE seq = ? AND tenant_id = ?",
        params![
            free(db, tenant, "email", wanted.given.email.as_deref(), seq)?,
            free(db, tenant, "phone_number", wanted.given.phone_number.as_deref(), seq)?,
            wanted.identifier,
            attributes,
            seq,
            tenant
        ],
    )?;
    events::emit(db, tenant, now, &[contacts::created_event(&contacts::by_seq(db, tenant, seq)?)?])?;
    Ok((seq, true))
}

/// Who proved an identifier takes the contact over from those who only claimed it.
fn dispossess(db: &Db<'_>, tenant: &str, contact_seq: i64, proven: &str) -> Result<()> {
    Ok(db.run(
        "UPDATE livechat_visitors SET is_owner = 0
          WHERE tenant_id = ? AND identifier IS NOT ? AND identity_seq IN (
            SELECT i.seq FROM identities i WHERE i.contact_seq = ? AND i.channel = 'text')",
        params![tenant, proven, contact_seq],
    )?)
}

/// An email address or a phone number, unless another contact has it: then it stays that contact's.
fn free(
    db: &Db<'_>,
    tenant: &str,
    column: &'static str,
    wanted: Option<&str>,
    contact_seq: i64,
) -> Result<Option<String>> {
    let Some(value) = wanted else { return Ok(None) };
    let sql = format!(
        "SELECT 1 FROM contacts WHERE tenant_id = ? AND {column} = ? AND deleted_at IS NULL AND seq <> ?"
    );
    Ok((!db.touches(&sql, params![tenant, value, contact_seq])?).then(|| value.to_string()))
}

/// A contact by identifier, email address or phone number, in this order; with a proof by its identifier alone.
fn by_marks(db: &Db<'_>, tenant: &str, wanted: &Wanted, proven: Option<&str>) -> Result<Option<i64>> {
    let digits = wanted.given.phone_number.as_deref().and_then(phone::e164_digits);
    let looks: [(&str, Option<&str>); 4] = [
        ("identifier = ?2", wanted.identifier.as_deref()),
        ("email = ?2", wanted.given.email.as_deref()),
        ("phone_number = ?2", wanted.given.phone_number.as_deref()),
        (
            "seq IN (SELECT i.contact_seq FROM identities i
                      WHERE i.tenant_id = ?1 AND i.channel IN ('whatsapp', 'sms') AND i.address = ?2)",
            digits.as_deref(),
        ),
    ];
    let looks = if proven.is_some() { looks.get(..1).unwrap_or_default() } else { &looks };
    for (condition, mark) in looks {
        let Some(mark) = mark else { continue };
        let sql = format!(
            "SELECT seq FROM contacts WHERE tenant_id = ?1 AND deleted_at IS NULL AND {condition} ORDER BY seq LIMIT 1"
        );
        if let Some((seq,)) = db.row::<(i64,)>(&sql, params![tenant, mark])? {
            return Ok(Some(seq));
        }
    }
    Ok(None)
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
        write(db, tenant, visitor.contact_seq, &contact, &wanted, now)?;
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
        dispossess(db, tenant, visitor.contact_seq, proven)?;
        return Ok(visitor);
    }
    let owner = db.row::<(i64,)>(
        "SELECT seq FROM contacts WHERE tenant_id = ? AND identifier = ? AND deleted_at IS NULL",
        params![tenant, proven],
    )?;
    match owner {
        Some((owner,)) => {
            attach(db, chat, &visitor, owner)?;
            dispossess(db, tenant, owner, proven)?;
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
            let (own, _) = self::contact(db, chat, &wanted, Some(proven), Timestamp::now())?;
            attach(db, chat, &visitor, own)?;
            visitor.contact_seq = own;
            visitor.is_owner = true;
        }
    }
    Ok(visitor)
}

/// Moves a visitor's thread to another contact; the contact they leave goes when it was made for them and nothing
/// is left of it.
fn attach(db: &Db<'_>, chat: &LiveChat, visitor: &Visitor, contact_seq: i64) -> Result<()> {
    let (tenant, now) = (chat.tenant(), Timestamp::now());
    db.run(
        "UPDATE identities SET contact_seq = ? WHERE seq = ? AND tenant_id = ?",
        params![contact_seq, visitor.identity_seq, tenant],
    )?;
    db.run(
        "UPDATE messages SET sender_id = (SELECT c.id FROM contacts c WHERE c.seq = ?)
          WHERE identity_seq = ? AND tenant_id = ? AND sender_type = 'customer'",
        params![contact_seq, visitor.identity_seq, tenant],
    )?;
    if visitor.is_owner {
        db.run(
            "UPDATE contacts SET deleted_at = ?1, updated_at = ?1
              WHERE seq = ?2 AND tenant_id = ?3 AND deleted_at IS NULL
                AND NOT EXISTS (SELECT 1 FROM identities i WHERE i.contact_seq = ?2)",
            params![now, visitor.contact_seq, tenant],
        )?;
    }
    Ok(())
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

/// Changes a contact that is the visitor's to change; an email address or a phone number that another contact has
/// stays that contact's.
fn write(
    db: &Db<'_>,
    tenant: &str,
    seq: i64,
    before: &Details,
    wanted: &Wanted,
    now: Timestamp,
) -> Result<()> {
    let mut attributes: Map<String, Value> =
        serde_json::from_str(&before.custom_attributes).unwrap_or_default();
    attributes.extend(wanted.custom_attributes.clone().unwrap_or_default());
    let mut violations = Violations::new();
    check_attributes(&mut violations, Some(&attributes));
    violations.finish()?;
    let email = free(db, tenant, "email", wanted.given.email.as_deref(), seq)?;
    let email = email.or_else(|| before.email.clone());
    let phone_number = free(db, tenant, "phone_number", wanted.given.phone_number.as_deref(), seq)?;
    let phone_number = phone_number.or_else(|| before.phone_number.clone());
    let name = wanted.given.name.clone().or_else(|| before.name.clone());
    let attributes = json!(attributes).to_string();
    let same = name == before.name
        && email == before.email
        && phone_number == before.phone_number
        && attributes == before.custom_attributes;
    if same {
        return Ok(());
    }
    db.run(
        "UPDATE contacts SET name = ?, email = ?, phone_number = ?, custom_attributes = ?, updated_at = ?
          WHERE seq = ? AND tenant_id = ?",
        params![name, email, phone_number, attributes, now, seq, tenant],
    )?;
    let changed = contacts::by_seq(db, tenant, seq)?;
    events::emit(db, tenant, now, &[contacts::updated_event(&changed)?])
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
