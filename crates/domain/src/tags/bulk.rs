//! Tags of many contacts at once: a handful of statements, however many contacts.

use super::TAGS_OF_CONTACT_MAX;
use crate::contacts;
use common::auth::Principal;
use common::db::Db;
use common::problem::Violations;
use common::time::Timestamp;
use common::{Result, params};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

/// Most contacts of one request.
pub const CONTACTS_MAX: usize = 500;
/// Most tags to add, and most to remove.
pub const TAGS_MAX: usize = 20;

/// Which tags to put on and take off which contacts.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BulkTagsRequest {
    /// 1 to 500; one named twice counts once.
    #[schema(min_items = 1, max_items = 500, example = json!(["con_01HV8Y5R5RFMS0TFK6PKF9H2S8"]))]
    pub contact_ids: Vec<String>,
    /// Tags to put on, at most 20.
    #[serde(default)]
    #[schema(max_items = 20, example = json!(["tag_01HV8Y8B5MZ1N6Q3R7T9W2X4C6"]))]
    pub add_tag_ids: Vec<String>,
    /// Tags to take off, at most 20.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub remove_tag_ids: Vec<String>,
}

/// What became of a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum BulkTagsOutcome {
    /// Its tags changed.
    Updated,
    /// It had those to add and not those to remove.
    Unchanged,
    /// There is no such contact in this tenant.
    NotFound,
    /// It would have more than 200 tags: nothing was changed.
    TagLimitReached,
}

/// The outcome of one contact.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BulkTagsResult {
    #[schema(example = "con_01HV8Y5R5RFMS0TFK6PKF9H2S8")]
    pub contact_id: String,
    pub outcome: BulkTagsOutcome,
}

/// The outcome of each contact, in the order of the request.
#[derive(Debug, Serialize, ToSchema)]
pub struct BulkTagsResults {
    pub results: Vec<BulkTagsResult>,
}

fn json(values: &impl Serialize) -> String {
    serde_json::to_string(values).unwrap_or_default()
}

/// Checks the request against the tenant's tags.
fn check(db: &Db<'_>, tenant: &str, request: &BulkTagsRequest) -> Result<()> {
    let mut violations = Violations::new();
    let contacts = request.contact_ids.len();
    violations.check((1..=CONTACTS_MAX).contains(&contacts), "contactIds", "must name 1 to 500 contacts");
    let (add, remove) = (&request.add_tag_ids, &request.remove_tag_ids);
    violations.check(
        !(add.is_empty() && remove.is_empty()),
        "addTagIds",
        "must name a tag, or removeTagIds must",
    );
    for (field, tags) in [("addTagIds", add), ("removeTagIds", remove)] {
        if tags.len() > TAGS_MAX {
            violations.add(field, format!("must name at most {TAGS_MAX} tags"));
        }
    }
    if !violations.is_empty() {
        return violations.finish();
    }
    let all: Vec<&String> = add.iter().chain(remove).collect();
    let known = db.rows::<(String,)>(
        "SELECT id FROM tags WHERE tenant_id = ? AND deleted_at IS NULL AND id IN (SELECT value FROM json_each(?))",
        params![tenant, json(&all)],
    )?;
    for (field, tags) in [("addTagIds", add), ("removeTagIds", remove)] {
        for (number, tag) in tags.iter().enumerate() {
            if !known.iter().any(|(id,)| id == tag) {
                violations.add(format!("{field}[{number}]"), "must be the id of a tag of this tenant");
            } else if field == "removeTagIds" && add.contains(tag) {
                violations.add(format!("{field}[{number}]"), "must not be among those to add");
            }
        }
    }
    violations.finish()
}

/// Puts tags on contacts and takes others off. Each contact is changed wholly or not at all.
pub fn apply(db: &Db<'_>, caller: &Principal, request: &BulkTagsRequest) -> Result<BulkTagsResults> {
    let tenant = &caller.tenant;
    check(db, tenant, request)?;
    let wanted: BTreeSet<&String> = request.contact_ids.iter().collect();
    let found: BTreeMap<String, i64> = db
        .rows::<(String, i64)>(
            // The `+` keeps SQLite from looking at all contacts of the tenant.
            "SELECT id, seq FROM contacts
              WHERE id IN (SELECT value FROM json_each(?)) AND +tenant_id = ? AND deleted_at IS NULL",
            params![json(&wanted), tenant],
        )?
        .into_iter()
        .collect();
    let full = full(db, request, &json(&found.values().collect::<Vec<_>>()))?;
    let open: Vec<i64> = found.values().copied().filter(|seq| !full.contains(seq)).collect();
    let changed = change(db, request, &json(&open))?;
    if !changed.is_empty() {
        let seqs: Vec<i64> = changed.iter().copied().collect();
        contacts::changed(db, tenant, &seqs)?;
    }
    let outcome = |id: &String| match found.get(id) {
        None => BulkTagsOutcome::NotFound,
        Some(seq) if full.contains(seq) => BulkTagsOutcome::TagLimitReached,
        Some(seq) if changed.contains(seq) => BulkTagsOutcome::Updated,
        Some(_) => BulkTagsOutcome::Unchanged,
    };
    let mut told = BTreeSet::new();
    let results = request
        .contact_ids
        .iter()
        .filter(|id| told.insert(*id))
        .map(|id| BulkTagsResult { contact_id: id.clone(), outcome: outcome(id) })
        .collect();
    Ok(BulkTagsResults { results })
}

/// Those of the contacts that would have too many tags.
fn full(db: &Db<'_>, request: &BulkTagsRequest, seqs: &str) -> Result<BTreeSet<i64>> {
    let found = db.rows::<(i64,)>(
        "SELECT c.value FROM json_each(?1) c
          WHERE (SELECT count(*) FROM contact_tags t WHERE t.contact_seq = c.value
                    AND t.tag_id NOT IN (SELECT value FROM json_each(?2))
                    AND t.tag_id NOT IN (SELECT value FROM json_each(?3)))
                + (SELECT count(DISTINCT value) FROM json_each(?2)) > ?4
            AND EXISTS (SELECT 1 FROM json_each(?2) a
                         WHERE a.value NOT IN (SELECT t.tag_id FROM contact_tags t WHERE t.contact_seq = c.value))",
        params![seqs, json(&request.add_tag_ids), json(&request.remove_tag_ids), TAGS_OF_CONTACT_MAX],
    )?;
    Ok(found.into_iter().map(|(seq,)| seq).collect())
}

/// Changes the tags of these contacts; answers those that changed.
fn change(db: &Db<'_>, request: &BulkTagsRequest, seqs: &str) -> Result<BTreeSet<i64>> {
    let removed = db.rows::<(i64,)>(
        "DELETE FROM contact_tags WHERE contact_seq IN (SELECT value FROM json_each(?1))
            AND tag_id IN (SELECT value FROM json_each(?2)) RETURNING contact_seq",
        params![seqs, json(&request.remove_tag_ids)],
    )?;
    let added = db.rows::<(i64,)>(
        "INSERT OR IGNORE INTO contact_tags (contact_seq, tag_id, created_at)
         SELECT c.value, t.value, ?3 FROM json_each(?1) c, json_each(?2) t RETURNING contact_seq",
        params![seqs, json(&request.add_tag_ids), Timestamp::now()],
    )?;
    Ok(removed.into_iter().chain(added).map(|(seq,)| seq).collect())
}
