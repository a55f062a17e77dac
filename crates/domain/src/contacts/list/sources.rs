//! Where a filter's contacts can be read from without a walk through all.

use super::conditions::{bucket, created, json};
use super::sql::Sql;
use super::{Filter, OrderBy};
use crate::contacts::search::Search;
use common::Result;
use common::db::Db;
use common::params;
use std::collections::BTreeMap;

/// Most tags that are read one after the other, each in the order of its contacts.
const TAGS_IN_ORDER: usize = 10;

/// Rows of a table, each of which names a contact.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    pub table: &'static str,
    /// The contact's number is this column's value less `offset`.
    pub column: &'static str,
    pub offset: i64,
    pub condition: Sql,
}

impl Rows {
    fn new(table: &'static str, column: &'static str, condition: Sql) -> Self {
        Rows { table, column, offset: 0, condition }
    }
}

/// A superset of what one filter lets through, some contacts perhaps twice.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub parts: Vec<Rows>,
    /// An index gives the rows of each part in the order of the contacts' numbers.
    pub is_in_order: bool,
}

impl Source {
    /// All rows, their contacts as `number`.
    pub fn numbers(&self) -> Sql {
        let parts: Vec<Sql> = self
            .parts
            .iter()
            .map(|rows| {
                let mut sql = Sql::new(
                    format!("SELECT {} - {} AS number FROM {} WHERE ", rows.column, rows.offset, rows.table),
                    &[],
                );
                sql.append(&rows.condition);
                sql
            })
            .collect();
        Sql::join(&parts, " UNION ALL ")
    }
}

/// The source of each filter that has one.
pub(super) fn sources(
    tenant: &str,
    filter: &Filter,
    fields: &BTreeMap<String, String>,
    search: Option<&Search>,
) -> Vec<Source> {
    let mut all: Vec<Source> = search.and_then(found).into_iter().collect();
    for (key, value) in fields {
        let condition = Sql::new("tenant_id = ? AND field_id = ? AND value = ?", params![tenant, key, value]);
        let table = "contact_fields INDEXED BY contact_fields_by_value";
        let parts = vec![Rows::new(table, "contact_fields.contact_seq", condition)];
        all.push(Source { parts, is_in_order: true });
    }
    if !filter.tag_ids.is_empty() {
        all.push(tagged(&filter.tag_ids));
    }
    if !filter.channels.is_empty() {
        let condition = Sql::new(
            "tenant_id = ? AND channel IN (SELECT value FROM json_each(?))",
            params![tenant, json(&filter.channels)],
        );
        let parts = vec![Rows::new("identities", "identities.contact_seq", condition)];
        all.push(Source { parts, is_in_order: false });
    }
    let has_range = filter.created_after.is_some() || filter.created_before.is_some();
    if has_range && filter.order_by != OrderBy::CreatedAt {
        let mut condition = bucket(tenant, filter);
        condition.append(&created(filter));
        let parts = vec![Rows::new("contacts c INDEXED BY contacts_by_creation", "c.seq", condition)];
        all.push(Source { parts, is_in_order: false });
    }
    all
}

/// The contacts that the index gives for a search, and those of the tags that it names.
fn found(search: &Search) -> Option<Source> {
    let condition = Sql::new(
        "contact_search_index MATCH ? AND contact_search_index.rowid BETWEEN ? AND ?",
        params![search.matching.as_ref()?, search.rows.0, search.rows.1],
    );
    let mut source = tagged(&search.tag_ids);
    source.parts.push(Rows {
        offset: search.rows.0,
        ..Rows::new("contact_search_index", "contact_search_index.rowid", condition)
    });
    Some(source)
}

fn tagged(tag_ids: &[String]) -> Source {
    let rows = |condition| {
        Rows::new("contact_tags INDEXED BY contact_tags_by_tag", "contact_tags.contact_seq", condition)
    };
    if tag_ids.len() > TAGS_IN_ORDER {
        let condition = Sql::new("tag_id IN (SELECT value FROM json_each(?))", params![json(tag_ids)]);
        return Source { parts: vec![rows(condition)], is_in_order: false };
    }
    let parts = tag_ids.iter().map(|id| rows(Sql::new("tag_id = ?", params![id]))).collect();
    Source { parts, is_in_order: true }
}

/// The source with the fewest rows and their number, when they are no more than `bound`. Each is counted no further,
/// all in one statement.
pub(super) fn fewest<'a>(
    db: &Db<'_>,
    sources: &'a [Source],
    bound: i64,
) -> Result<Option<(&'a Source, i64)>> {
    let mut counts = Vec::new();
    for (at, source) in (0_i64..).zip(sources) {
        let mut sql = Sql::new(format!("SELECT {at} AS at, (SELECT count(*) FROM (SELECT 1 FROM ("), &[]);
        sql.append(&source.numbers());
        sql.push(&format!(") LIMIT {})) AS rows", bound.saturating_add(1)));
        counts.push(sql);
    }
    let all = Sql::join(&counts, " UNION ALL ");
    let found = db.row::<(u32, i64)>(
        &format!("SELECT at, rows FROM ({}) WHERE rows <= {bound} ORDER BY rows LIMIT 1", all.text),
        &all.values,
    )?;
    Ok(found.and_then(|(at, rows)| {
        let source = sources.get(usize::try_from(at).unwrap_or(usize::MAX))?;
        Some((source, rows))
    }))
}
