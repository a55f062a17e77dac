//! Rows become contacts: some hundred at a time in one transaction, with a fixed number of statements.
//!
//! A row with a phone number is the contact that has it; one without, the contact with its e-mail address; one with
//! neither, the contact that an equal row became before. Else it is a new contact. What the row says is set, what it
//! does not say stays, and what is so already is no change.

use super::columns::{Row, RowError};
use crate::contacts::{self, Contact, PHONE_FIELD};
use crate::events::{self, Event};
use crate::{phone, tags};
use common::db::Db;
use common::time::Timestamp;
use common::{Result, crypto, id, params};
use serde::Serialize;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, HashMap};

const EMAIL: &str = "cf_email";

/// A contact that rows of a batch are about.
#[derive(Debug, Default)]
struct Draft {
    /// 0: not in the database yet.
    seq: i64,
    /// As it is in the database.
    old: Said,
    /// As the rows say; tags by id.
    new: Said,
    /// The address it is to get.
    phone: Option<String>,
    /// The number that the rows name.
    number: Option<String>,
    /// The identity of a deleted contact that becomes its own.
    moved: Option<i64>,
    fingerprint: Option<String>,
    rows: Vec<i64>,
}

#[derive(Debug, Default)]
struct Said {
    name: Option<String>,
    fields: BTreeMap<String, String>,
    tags: BTreeSet<String>,
}

/// What the database knows of the rows of a batch.
struct Known {
    /// By digits: identity, contact, whether the contact is not deleted.
    phones: HashMap<String, (i64, i64, bool)>,
    emails: HashMap<String, i64>,
    fingerprints: HashMap<String, i64>,
}

/// The contacts of a batch, and how rows find them.
#[derive(Default)]
struct Drafts {
    all: Vec<Draft>,
    by_seq: HashMap<i64, usize>,
    by_phone: HashMap<String, usize>,
    by_email: HashMap<String, usize>,
    by_fingerprint: HashMap<String, usize>,
}

fn text(values: &impl Serialize) -> String {
    serde_json::to_string(values).unwrap_or_default()
}

/// What equal rows have in common.
fn fingerprint(row: &Row) -> String {
    let said = text(&(&row.name, &row.fields));
    let hash = crypto::sha256(said.as_bytes());
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The address as rows and contacts are compared by it, in SQLite's lower case.
fn email(row: &Row) -> Option<String> {
    row.fields.get(EMAIL).map(|email| email.to_ascii_lowercase())
}

/// Makes contacts of rows, or changes those they are about, and tells the webhook. Answers what could not be done.
pub fn apply(db: &Db<'_>, tenant: &str, created_by: &str, rows: Vec<Row>) -> Result<Vec<RowError>> {
    let (rows, mut errors) = with_tags(db, tenant, created_by, rows)?;
    let known = known(db, tenant, &rows)?;
    let mut drafts = Drafts::default();
    for (row, tag_ids) in rows {
        drafts.add(row, tag_ids, &known);
    }
    let mut drafts = drafts.all;
    load(db, tenant, &mut drafts)?;
    drafts.retain(|draft| {
        // A contact that was merged may have more; only adding to them is refused.
        let adds = !draft.new.tags.is_subset(&draft.old.tags);
        let too_many = adds && draft.old.tags.union(&draft.new.tags).count() > MAX_TAGS;
        if too_many {
            let message = format!("the contact would have more than {MAX_TAGS} tags");
            errors.extend(draft.rows.iter().map(|row| RowError::new(*row, Some("tags"), message.clone())));
        }
        !too_many
    });
    write(db, tenant, &mut drafts)?;
    Ok(errors)
}

const MAX_TAGS: usize = tags::TAGS_OF_CONTACT_MAX as usize;

/// The rows with the ids of their tags, which are made when they are missing.
type Tagged = (Row, BTreeSet<String>);

fn with_tags(
    db: &Db<'_>,
    tenant: &str,
    created_by: &str,
    rows: Vec<Row>,
) -> Result<(Vec<Tagged>, Vec<RowError>)> {
    let wanted: BTreeMap<&String, &String> = rows.iter().flat_map(|row| &row.tags).collect();
    let mut ids: HashMap<String, String> = HashMap::new();
    if !wanted.is_empty() {
        let keys: Vec<&&String> = wanted.keys().collect();
        let found = db.rows::<(String, String)>(
            "SELECT name_key, id FROM tags
              WHERE tenant_id = ? AND deleted_at IS NULL AND name_key IN (SELECT value FROM json_each(?))",
            params![tenant, text(&keys)],
        )?;
        ids.extend(found);
        let mut room = tags::room(db, tenant)?;
        for (key, name) in wanted {
            if !ids.contains_key(key) && room > 0 {
                ids.insert(key.clone(), tags::insert(db, tenant, created_by, name)?);
                room = room.saturating_sub(1);
            }
        }
    }
    let (mut tagged, mut errors) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in rows {
        match row.tags.keys().map(|key| ids.get(key).cloned()).collect::<Option<BTreeSet<String>>>() {
            Some(tag_ids) => tagged.push((row, tag_ids)),
            None => {
                let message = format!("names a new tag, and there are {} already", tags::TAGS_MAX);
                errors.push(RowError::new(row.number, Some("tags"), message));
            }
        }
    }
    Ok((tagged, errors))
}

fn known(db: &Db<'_>, tenant: &str, rows: &[Tagged]) -> Result<Known> {
    let phones: Vec<String> =
        rows.iter().filter_map(|(row, _)| row.phone.as_deref()).flat_map(phone::variants).collect();
    let without_phone = || rows.iter().map(|(row, _)| row).filter(|row| row.phone.is_none());
    let emails: Vec<String> = without_phone().filter_map(email).collect();
    let prints: Vec<String> = without_phone().filter(|row| email(row).is_none()).map(fingerprint).collect();
    let phones = db.rows::<(String, i64, i64, bool)>(
        "SELECT i.address, i.seq, i.contact_seq,
                (SELECT c.deleted_at IS NULL FROM contacts c WHERE c.seq = i.contact_seq)
           FROM identities i
          WHERE i.tenant_id = ? AND i.channel = 'whatsapp' AND i.address IN (SELECT value FROM json_each(?))",
        params![tenant, text(&phones)],
    )?;
    // The oldest contact of an address comes last, and stays.
    let emails = db.rows::<(String, i64)>(
        "SELECT lower(f.value), f.contact_seq FROM contact_fields f INDEXED BY contact_fields_by_email
          WHERE f.tenant_id = ? AND f.field_id = 'cf_email' AND lower(f.value) IN (SELECT value FROM json_each(?))
            AND (SELECT c.deleted_at FROM contacts c WHERE c.seq = f.contact_seq) IS NULL
          ORDER BY f.contact_seq DESC",
        params![tenant, text(&emails)],
    )?;
    let fingerprints = db.rows::<(String, i64)>(
        "SELECT r.fingerprint, r.contact_seq FROM imported_rows r
          WHERE r.tenant_id = ? AND r.fingerprint IN (SELECT value FROM json_each(?))
            AND (SELECT c.deleted_at FROM contacts c WHERE c.seq = r.contact_seq) IS NULL",
        params![tenant, text(&prints)],
    )?;
    Ok(Known {
        phones: phones
            .into_iter()
            .map(|(address, identity, contact, lives)| (address, (identity, contact, lives)))
            .collect(),
        emails: emails.into_iter().collect(),
        fingerprints: fingerprints.into_iter().collect(),
    })
}

impl Drafts {
    fn push(&mut self, draft: Draft) -> usize {
        self.all.push(draft);
        self.all.len().saturating_sub(1)
    }

    fn existing(&mut self, seq: i64) -> usize {
        if let Some(place) = self.by_seq.get(&seq) {
            return *place;
        }
        let place = self.push(Draft { seq, ..Draft::default() });
        self.by_seq.insert(seq, place);
        place
    }

    /// The contact that a row is about.
    fn place(&mut self, row: &Row, known: &Known) -> usize {
        let place = match (&row.phone, email(row)) {
            (Some(phone), _) => self.of_phone(phone, known),
            (None, Some(email)) => match (self.by_email.get(&email), known.emails.get(&email)) {
                (Some(place), _) => *place,
                (None, Some(seq)) => self.existing(*seq),
                (None, None) => self.push(Draft::default()),
            },
            (None, None) => self.of_fingerprint(fingerprint(row), known),
        };
        if let Some(email) = email(row) {
            self.by_email.entry(email).or_insert(place);
        }
        place
    }

    fn of_phone(&mut self, phone: &str, known: &Known) -> usize {
        let forms = phone::variants(phone);
        let place = match forms.iter().find_map(|form| self.by_phone.get(form)) {
            Some(place) => *place,
            None => match forms.iter().find_map(|form| known.phones.get(form)) {
                Some((_, seq, true)) => self.existing(*seq),
                // As when a deleted contact writes again: somebody new, to whom the address moves.
                Some((identity, _, false)) => self.push(Draft { moved: Some(*identity), ..Draft::default() }),
                None => self.push(Draft { phone: Some(phone.to_string()), ..Draft::default() }),
            },
        };
        self.by_phone.extend(forms.into_iter().map(|form| (form, place)));
        place
    }

    fn of_fingerprint(&mut self, print: String, known: &Known) -> usize {
        if let Some(place) = self.by_fingerprint.get(&print) {
            return *place;
        }
        let place = match known.fingerprints.get(&print) {
            Some(seq) => self.existing(*seq),
            None => self.push(Draft { fingerprint: Some(print.clone()), ..Draft::default() }),
        };
        self.by_fingerprint.insert(print, place);
        place
    }

    fn add(&mut self, row: Row, tag_ids: BTreeSet<String>, known: &Known) {
        let place = self.place(&row, known);
        let Some(draft) = self.all.get_mut(place) else { return };
        draft.rows.push(row.number);
        draft.number = row.phone.or(draft.number.take());
        draft.new.name = row.name.or(draft.new.name.take());
        draft.new.fields.extend(row.fields);
        draft.new.tags.extend(tag_ids);
    }
}

/// Reads what the contacts that are there have already. A number is kept as a field too, as it is where single contacts
/// are created.
fn load(db: &Db<'_>, tenant: &str, drafts: &mut [Draft]) -> Result<()> {
    let seqs: Vec<i64> = drafts.iter().map(|draft| draft.seq).filter(|seq| *seq != 0).collect();
    let found = db.rows::<(i64, Option<String>, String, String)>(
        "SELECT c.seq, c.name,
                (SELECT json_group_object(f.field_id, f.value) FROM contact_fields f WHERE f.contact_seq = c.seq),
                (SELECT json_group_array(t.tag_id) FROM contact_tags t WHERE t.contact_seq = c.seq)
           FROM contacts c WHERE c.tenant_id = ? AND c.seq IN (SELECT value FROM json_each(?))",
        params![tenant, text(&seqs)],
    )?;
    let mut by_seq: HashMap<i64, Said> = found
        .into_iter()
        .map(|(seq, name, fields, tags)| {
            let fields = serde_json::from_str(&fields).unwrap_or_default();
            (seq, Said { name, fields, tags: serde_json::from_str(&tags).unwrap_or_default() })
        })
        .collect();
    for draft in drafts {
        draft.old = by_seq.remove(&draft.seq).unwrap_or_default();
        if let Some(number) = draft.number.take()
            && !draft.old.fields.contains_key(PHONE_FIELD)
        {
            draft.new.fields.entry(PHONE_FIELD.into()).or_insert_with(|| format!("+{number}"));
        }
    }
    Ok(())
}

/// Writes what differs.
fn write(db: &Db<'_>, tenant: &str, drafts: &mut [Draft]) -> Result<()> {
    let now = Timestamp::now();
    let created = insert(db, tenant, drafts, now)?;
    let (mut names, mut fields, mut tags, mut changed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for draft in drafts.iter() {
        let is_new = created.contains(&draft.seq);
        let before = (names.len(), fields.len(), tags.len());
        if !is_new && draft.new.name.is_some() && draft.new.name != draft.old.name {
            names.push(json!([draft.seq, draft.new.name]));
        }
        let others = draft.new.fields.iter().filter(|(id, value)| draft.old.fields.get(*id) != Some(value));
        fields.extend(others.map(|(id, value)| json!([draft.seq, id, value])));
        tags.extend(draft.new.tags.difference(&draft.old.tags).map(|tag| json!([draft.seq, tag])));
        if !is_new && before != (names.len(), fields.len(), tags.len()) {
            changed.push(draft.seq);
        }
    }
    db.run(
        "UPDATE contacts SET name = d.value ->> 1 FROM json_each(?1) d
          WHERE contacts.seq = d.value ->> 0 AND +contacts.tenant_id = ?2",
        params![text(&names), tenant],
    )?;
    db.run(
        "INSERT INTO contact_fields (contact_seq, field_id, tenant_id, value)
         SELECT d.value ->> 0, d.value ->> 1, ?1, d.value ->> 2 FROM json_each(?2) d WHERE true
         ON CONFLICT (contact_seq, field_id) DO UPDATE SET value = excluded.value",
        params![tenant, text(&fields)],
    )?;
    db.run(
        "INSERT OR IGNORE INTO contact_tags (contact_seq, tag_id, created_at)
         SELECT d.value ->> 0, d.value ->> 1, ?1 FROM json_each(?2) d",
        params![now, text(&tags)],
    )?;
    db.run(
        "UPDATE contacts SET updated_at = ? WHERE tenant_id = ? AND seq IN (SELECT value FROM json_each(?))",
        params![now, tenant, text(&changed)],
    )?;
    tell(db, tenant, &created, &changed, now)
}

/// The rows of new contacts with their addresses; answers their `seq`s, which the drafts get too.
fn insert(db: &Db<'_>, tenant: &str, drafts: &mut [Draft], now: Timestamp) -> Result<BTreeSet<i64>> {
    let mut new: BTreeMap<String, &mut Draft> = drafts
        .iter_mut()
        .filter(|draft| draft.seq == 0)
        .map(|draft| (id::new(id::Kind::Contact), draft))
        .collect();
    let rows: Vec<_> =
        new.iter().map(|(id, draft)| json!([id, draft.new.name, draft.rows.first()])).collect();
    let made = db.rows::<(String, i64)>(
        "INSERT INTO contacts (id, tenant_id, name, created_at, updated_at)
         SELECT d.value ->> 0, ?1, d.value ->> 1, ?2, ?2 FROM json_each(?3) d ORDER BY d.value ->> 2
         RETURNING id, seq",
        params![tenant, now, text(&rows)],
    )?;
    let (mut addresses, mut moved, mut prints) = (Vec::new(), Vec::new(), Vec::new());
    for (id, seq) in &made {
        let Some(draft) = new.get_mut(id) else { continue };
        draft.seq = *seq;
        addresses.extend(draft.phone.iter().map(|phone| json!([id::new(id::Kind::Identity), seq, phone])));
        moved.extend(draft.moved.iter().map(|identity| json!([identity, seq])));
        prints.extend(draft.fingerprint.iter().map(|print| json!([print, seq])));
    }
    db.run(
        "INSERT INTO identities (id, tenant_id, contact_seq, channel, address, created_at)
         SELECT d.value ->> 0, ?1, d.value ->> 1, 'whatsapp', d.value ->> 2, ?2 FROM json_each(?3) d",
        params![tenant, now, text(&addresses)],
    )?;
    // The `+` keeps SQLite from looking at all identities of the tenant.
    db.run(
        "UPDATE identities SET contact_seq = d.value ->> 1 FROM json_each(?1) d
          WHERE identities.seq = d.value ->> 0 AND +identities.tenant_id = ?2",
        params![text(&moved), tenant],
    )?;
    db.run(
        "INSERT OR REPLACE INTO imported_rows (tenant_id, fingerprint, contact_seq)
         SELECT ?1, d.value ->> 0, d.value ->> 1 FROM json_each(?2) d",
        params![tenant, text(&prints)],
    )?;
    Ok(made.into_iter().map(|(_, seq)| seq).collect())
}

fn tell(db: &Db<'_>, tenant: &str, created: &BTreeSet<i64>, changed: &[i64], now: Timestamp) -> Result<()> {
    if !events::are_wanted(db, tenant, &["contact.created", "contact.updated"])? {
        return Ok(());
    }
    let seqs: Vec<i64> = created.iter().chain(changed).copied().collect();
    let event = |contact: &Contact| {
        if created.contains(&contact.seq) {
            contacts::created_event(contact)
        } else {
            contacts::updated_event(contact)
        }
    };
    let told: Vec<Event> = contacts::by_seqs(db, tenant, &seqs)?.iter().map(event).collect::<Result<_>>()?;
    events::emit(db, tenant, now, &told)
}
