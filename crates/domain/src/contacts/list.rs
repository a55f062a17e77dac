//! The list of contacts and their number.
//!
//! A page is read in one of several ways, all of which check all filters and give the same page. By creation a filter's
//! own index is in the order already: it is walked until the page is full. In other orders the order's index is walked
//! where every filter lets many contacts through, and where one lets few through, its own index gives those few, and
//! they are sorted. Which it is tells a bounded count of each filter's rows.
//!
//! A filter may let many through that all lie at the far end of the order: whoever searches for `an` by name finds the
//! Annas late. So a walk has a reach; a page that is not full within it is sorted after all, also from many.

mod conditions;
mod creation;
mod query;
mod sources;
mod sql;
#[cfg(test)]
mod tests;

use super::Contact;
use super::search;
use crate::fields::values;
use common::Result;
use common::db::Db;
use common::page::{Binding, Key, Page, Position};
use common::params;
use common::time::Timestamp;
use conditions::{bucket, conditions, created};
use query::Query;
use serde::Deserialize;
use sources::{Source, fewest, sources};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How many contacts the first walk passes for each row of the page.
const GLANCE: i64 = 10;
/// How many contacts a walk passes before it is given up.
const REACH: i64 = 5_000;
/// A filter with at most so many rows has its members listed for the walk.
const SEVERAL: i64 = 20_000;
/// How many contacts a walk passes that reads members only.
const REACH_OF_MEMBERS: i64 = 20_000;
/// A filter with at most so many rows is small in the order of creation.
const FEW: i64 = 1_000;
/// So far the rows of filters are counted to tell which has the fewest.
const MANY: i64 = 400_000;

/// What contacts are listed by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum OrderBy {
    #[default]
    CreatedAt,
    UpdatedAt,
    Name,
}

impl OrderBy {
    /// The sort key of `contacts c`, and the index that is in its order.
    fn key_and_index(self) -> (&'static str, &'static str) {
        match self {
            OrderBy::CreatedAt => ("c.created_at", "contacts_by_creation"),
            OrderBy::UpdatedAt => ("c.updated_at", "contacts_by_update"),
            OrderBy::Name => ("coalesce(c.name, '') COLLATE NOCASE", "contacts_by_name"),
        }
    }

    fn position(self, contact: &Contact) -> Position {
        let key = match self {
            OrderBy::CreatedAt => Key::Number(contact.created_at.millis()),
            OrderBy::UpdatedAt => Key::Number(contact.updated_at.millis()),
            OrderBy::Name => Key::Text(contact.name.clone().unwrap_or_default()),
        };
        Position { key, seq: contact.seq }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    Asc,
    #[default]
    Desc,
}

/// Which contacts a list shows. Everything given must hold; inside `tag_ids` and `channels` any.
#[derive(Debug, Default)]
pub struct Filter {
    pub search: Option<String>,
    pub custom_fields: BTreeMap<String, String>,
    pub tag_ids: Vec<String>,
    pub channels: Vec<String>,
    pub archived: bool,
    pub created_after: Option<Timestamp>,
    pub created_before: Option<Timestamp>,
    pub order_by: OrderBy,
    pub direction: Direction,
}

impl Filter {
    /// Ties page tokens to the tenant and to everything that changes the rows or their order.
    pub fn binding(&self, tenant: &str) -> Binding {
        Binding::new(&["getContacts", tenant, &format!("{self:?}")])
    }
}

/// A page of contacts and the token of the next.
pub fn list(
    db: &Db<'_>,
    tenant: &str,
    filter: &Filter,
    page: &Page,
) -> Result<(Vec<Contact>, Option<String>)> {
    let search = filter.search.as_deref().map(|text| search::prepare(db, tenant, text)).transpose()?;
    let fields = values::filter(db, tenant, &filter.custom_fields)?;
    let (mut bucket, mut others) = (bucket(tenant, filter), conditions(filter, &fields, search.as_ref()));
    // In the order of creation the range is a part of the walk; in others a walk must not search for its beginning.
    match filter.order_by {
        OrderBy::CreatedAt => bucket.append(&created(filter)),
        OrderBy::UpdatedAt | OrderBy::Name => others.append(&created(filter)),
    }
    let query = Query { tenant, filter, page, bucket, conditions: others };
    let sources = sources(tenant, filter, &fields, search.as_ref());
    if sources.is_empty() {
        return query.read(db, &query.walked_to_the_end());
    }
    let in_order: Vec<Source> = sources.iter().filter(|source| source.is_in_order).cloned().collect();
    match in_order.first() {
        Some(first) if filter.order_by == OrderBy::CreatedAt => {
            // Other sources know nothing of the bucket: its own index is shorter where few are archived.
            if count(db, tenant, filter.archived)? <= REACH {
                return query.read(db, &query.walked_to_the_end());
            }
            // Every page looks at all that are displaced: a clock that was ahead once may have left many.
            match displaced(db, tenant)? {
                displaced if displaced > FEW => by_key(db, &query, &sources),
                displaced => by_creation(db, &query, &in_order, first, displaced),
            }
        }
        _ => by_key(db, &query, &sources),
    }
}

/// The page in the order of creation, by a source that is in it: of several by a small one, else by whichever fills
/// the page soon, else by the smallest.
fn by_creation(
    db: &Db<'_>,
    query: &Query<'_>,
    sources: &[Source],
    first: &Source,
    displaced: i64,
) -> Result<(Vec<Contact>, Option<String>)> {
    if sources.len() == 1 {
        return query.read(db, &query.created(first, None));
    }
    if let Some((source, _)) = fewest(db, sources, FEW)? {
        return query.read(db, &query.created(source, None));
    }
    if may_end_early(first, displaced) {
        let (contacts, next) = query.read(db, &query.created(first, Some(REACH)))?;
        if next.is_some() {
            return Ok((contacts, next));
        }
    }
    let smallest = fewest(db, sources, MANY)?.map_or(first, |(source, _)| source);
    query.read(db, &query.created(smallest, None))
}

/// Whether a page that a source fills within a reach is the page: nothing is merged with the rows that come first, of
/// which some might lie beyond those that were passed over.
fn may_end_early(source: &Source, displaced: i64) -> bool {
    source.parts.len() == 1 && displaced == 0
}

/// How many contacts of a tenant are out of the order of their numbers, counted up to one more than [`FEW`].
fn displaced(db: &Db<'_>, tenant: &str) -> Result<i64> {
    let found = db.row::<(i64,)>(
        "SELECT count(*) FROM (SELECT 1 FROM contacts_displaced WHERE tenant_id = ? LIMIT ?)",
        params![tenant, FEW + 1],
    )?;
    Ok(found.map_or(0, |(count,)| count))
}

/// The page in another order.
fn by_key(db: &Db<'_>, query: &Query<'_>, sources: &[Source]) -> Result<(Vec<Contact>, Option<String>)> {
    let total = count(db, query.tenant, query.filter.archived)?;
    if let Some((source, rows)) = fewest(db, sources, few(query.page, total))? {
        return query.sorted(db, source, rows);
    }
    let glance = query.page.limit().saturating_mul(GLANCE);
    let (contacts, next) = query.read(db, &query.walked(glance, None))?;
    if next.is_some() || total <= glance {
        return Ok((contacts, next));
    }
    if let Some((source, rows)) = fewest(db, sources, SEVERAL)? {
        let (contacts, next) = query.read(db, &query.walked(REACH_OF_MEMBERS, Some(source)))?;
        if next.is_some() || total <= REACH_OF_MEMBERS {
            return Ok((contacts, next));
        }
        return query.sorted(db, source, rows);
    }
    let (contacts, next) = query.read(db, &query.walked(REACH, None))?;
    if next.is_some() || total <= REACH {
        return Ok((contacts, next));
    }
    let smallest = fewest(db, sources, MANY)?.or_else(|| sources.first().map(|first| (first, MANY)));
    match smallest {
        Some((source, rows)) => query.sorted(db, source, rows),
        None => query.read(db, &query.walked_to_the_end()),
    }
}

/// Up to how many rows sorting them costs no more than walking past those of others: a walk to a full page passes as
/// many contacts as there are for each hit, and sorting costs four times as much a row.
fn few(page: &Page, total: i64) -> i64 {
    page.limit().saturating_mul(total).checked_div(4).unwrap_or_default().isqrt()
}

/// How many contacts of a tenant are archived, or are not; deleted ones are neither.
pub fn count(db: &Db<'_>, tenant: &str, archived: bool) -> Result<i64> {
    let found = db.row::<(i64,)>(
        "SELECT count FROM contact_counts WHERE tenant_id = ? AND archived = ?",
        params![tenant, archived],
    )?;
    Ok(found.map_or(0, |(count,)| count))
}
