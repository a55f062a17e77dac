//! The list of contacts and their number.
//!
//! A page is read in one of two ways. Where every filter lets many contacts through, the order's index is walked
//! until the page is full. Where one lets few through, its own index gives those few, and they are sorted. Which
//! it is tells a bounded count of each filter's rows; both ways check all filters and give the same page.
//!
//! Most filters let so many through that a short walk fills the page: it is tried first. And a filter may let many
//! through that all lie at the far end of the order: whoever searches for `an` by name finds the Annas late. So a walk
//! has a reach; a page that is not full within it is read from a filter's rows after all, also from many.

use super::search::{self, Search};
use super::{COLUMNS, Contact};
use crate::fields::values;
use common::Result;
use common::db::{Db, Value};
use common::page::{Binding, Key, Page, Position};
use common::params;
use common::time::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How many contacts the first walk passes for each row of the page.
const GLANCE: i64 = 10;
/// How many contacts a walk passes before it is given up.
const REACH: i64 = 100_000;
/// A filter with at most so many rows is sorted rather than walked to the end of a large tenant.
const MANY: i64 = 200_000;

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

/// A piece of SQL and the values of its `?`.
#[derive(Clone, Debug, Default)]
struct Sql {
    text: String,
    values: Vec<Value>,
}

impl Sql {
    fn new(text: impl Into<String>, values: &[Value]) -> Self {
        Sql { text: text.into(), values: values.to_vec() }
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn append(&mut self, other: &Sql) {
        self.text.push_str(&other.text);
        self.values.extend_from_slice(&other.values);
    }

    fn and(&mut self, condition: &str, values: &[Value]) {
        self.text.push_str(" AND ");
        self.append(&Sql::new(condition, values));
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
    let query = Query { filter, page, bucket, conditions: others };
    let sources = sources(tenant, filter, &fields, search.as_ref());
    if sources.is_empty() {
        return query.read(db, query.walked(None));
    }
    let (contacts, next) = query.read(db, query.walked(Some(page.limit().saturating_mul(GLANCE))))?;
    if next.is_some() {
        return Ok((contacts, next));
    }
    let total = count(db, tenant, filter.archived)?;
    if let Some(source) = smallest(db, &sources, few(page, total))? {
        return query.read(db, query.sorted(&source));
    }
    let (contacts, next) = query.read(db, query.walked(Some(REACH)))?;
    if next.is_some() || total <= REACH {
        return Ok((contacts, next));
    }
    match fewest(db, &sources, MANY)? {
        Some(source) => query.read(db, query.sorted(&source)),
        None => query.read(db, query.walked(None)),
    }
}

/// Up to how many rows sorting them costs no more than walking: a walk to a full page passes as many contacts as
/// there are for each hit, and sorting costs twice as much a row.
fn few(page: &Page, total: i64) -> i64 {
    page.limit().saturating_mul(total).checked_div(2).unwrap_or_default().isqrt()
}

/// A list with its conditions, to be read in either way.
struct Query<'a> {
    filter: &'a Filter,
    page: &'a Page,
    /// What the order's index knows.
    bucket: Sql,
    /// The other filters, each after an ` AND `.
    conditions: Sql,
}

impl Query<'_> {
    /// Reads the contacts whose numbers a statement gives.
    fn read(&self, db: &Db<'_>, numbers: Sql) -> Result<(Vec<Contact>, Option<String>)> {
        let (key, _) = self.filter.order_by.key_and_index();
        let (way, _) = way(self.filter.direction);
        let sql = format!(
            "SELECT {COLUMNS} FROM ({}) p CROSS JOIN contacts c ON c.seq = p.seq ORDER BY {key} {way}, c.seq {way}",
            numbers.text
        );
        let mut contacts = db.rows::<Contact>(&sql, &numbers.values)?;
        let next = self.page.cut(&mut contacts, |last| self.filter.order_by.position(last));
        Ok((contacts, next))
    }

    /// The page by the order's index, at most `reach` contacts far. After a row come first those of the same key
    /// behind it, then those of the keys beyond: two ranges of the index, since SQLite makes none of both columns
    /// together.
    fn walked(&self, reach: Option<i64>) -> Sql {
        let ranges = self.ranges();
        let Some(reach) = reach else { return self.walked_to_the_end(&ranges) };
        // The inner rows come in their order, the ranges one after the other, and the outer loop ends with the page:
        // sorting would need them all.
        let mut sql = Sql::new("SELECT c.seq FROM (", &[]);
        for (at, range) in ranges.iter().enumerate() {
            sql.push(if at == 0 { "SELECT * FROM (" } else { " UNION ALL SELECT * FROM (" });
            sql.append(&self.rows(range, None, reach));
            sql.push(")");
        }
        sql.push(&format!(" LIMIT {reach}) w CROSS JOIN contacts c ON c.seq = w.seq WHERE 1"));
        sql.append(&self.conditions);
        sql.push(&format!(" LIMIT {}", self.page.limit()));
        sql
    }

    fn walked_to_the_end(&self, ranges: &[Sql]) -> Sql {
        let (way, _) = way(self.filter.direction);
        let mut sql = Sql::new("SELECT seq FROM (", &[]);
        for (at, range) in ranges.iter().enumerate() {
            sql.push(if at == 0 { "SELECT * FROM (" } else { " UNION ALL SELECT * FROM (" });
            sql.append(&self.rows(range, Some(&self.conditions), self.page.limit()));
            sql.push(")");
        }
        let collation = if self.filter.order_by == OrderBy::Name { "COLLATE NOCASE " } else { "" };
        sql.push(&format!(") ORDER BY key {collation}{way}, seq {way} LIMIT {}", self.page.limit()));
        sql
    }

    /// The ranges of the order's index that lie behind the page's token, in their order, each with its ` AND `.
    fn ranges(&self) -> Vec<Sql> {
        let Some(after) = &self.page.after else { return vec![Sql::default()] };
        let (key, _) = self.filter.order_by.key_and_index();
        let (_, beyond) = way(self.filter.direction);
        let same = format!(" AND {key} = ? AND c.seq {beyond} ?");
        vec![
            Sql::new(same, params![after.key, after.seq]),
            Sql::new(format!(" AND {key} {beyond} ?"), params![after.key]),
        ]
    }

    /// The first rows of a range, those that pass the conditions.
    fn rows(&self, range: &Sql, conditions: Option<&Sql>, limit: i64) -> Sql {
        let (key, index) = self.filter.order_by.key_and_index();
        let (way, _) = way(self.filter.direction);
        let mut sql = Sql::new(
            format!("SELECT c.seq AS seq, {key} AS key FROM contacts c INDEXED BY {index} WHERE "),
            &[],
        );
        sql.append(&self.bucket);
        sql.append(range);
        if let Some(conditions) = conditions {
            sql.append(conditions);
        }
        sql.push(&format!(" ORDER BY {key} {way}, c.seq {way} LIMIT {limit}"));
        sql
    }

    /// The page from the rows of one filter.
    fn sorted(&self, source: &Sql) -> Sql {
        let (key, _) = self.filter.order_by.key_and_index();
        let (way, beyond) = way(self.filter.direction);
        let mut sql = Sql::new("WITH few (seq) AS MATERIALIZED (SELECT DISTINCT * FROM (", &[]);
        sql.append(source);
        sql.push(")) SELECT c.seq FROM few CROSS JOIN contacts c ON c.seq = few.seq WHERE ");
        sql.append(&self.bucket);
        sql.append(&self.conditions);
        if let Some(after) = &self.page.after {
            sql.and(&format!("({key}, c.seq) {beyond} (?, ?)"), params![after.key, after.seq]);
        }
        sql.push(&format!(" ORDER BY {key} {way}, c.seq {way} LIMIT {}", self.page.limit()));
        sql
    }
}

/// The direction as SQL, and what lies beyond a row in it.
fn way(direction: Direction) -> (&'static str, &'static str) {
    if direction == Direction::Asc { ("ASC", ">") } else { ("DESC", "<") }
}

/// What must hold for `contacts c` beyond their bucket, each condition after an ` AND `.
fn conditions(filter: &Filter, fields: &BTreeMap<String, String>, search: Option<&Search>) -> Sql {
    let mut sql = Sql::default();
    if let Some(search) = search {
        let text = "EXISTS (SELECT 1 FROM contact_search s WHERE s.seq = ? + c.seq AND s.text GLOB ?)";
        match &search.tag_ids {
            None => sql.and(text, params![search.rows.0, search.pattern]),
            Some(ids) => {
                sql.and(&format!("({text} OR {TAGGED})"), params![search.rows.0, search.pattern, ids]);
            }
        }
    }
    for (key, value) in fields {
        sql.and(
            "EXISTS (SELECT 1 FROM contact_fields f WHERE f.contact_seq = c.seq AND f.field_id = ? AND f.value = ?)",
            params![key, value],
        );
    }
    if !filter.tag_ids.is_empty() {
        sql.and(TAGGED, params![json(&filter.tag_ids)]);
    }
    if !filter.channels.is_empty() {
        sql.and(
            "EXISTS (SELECT 1 FROM identities i WHERE i.contact_seq = c.seq AND i.channel IN (SELECT value FROM json_each(?)))",
            params![json(&filter.channels)],
        );
    }
    sql
}

/// The tenant's contacts that are archived, or that are not.
fn bucket(tenant: &str, filter: &Filter) -> Sql {
    Sql::new(
        "c.tenant_id = ? AND (c.archived_at IS NULL) = ? AND c.deleted_at IS NULL",
        params![tenant, !filter.archived],
    )
}

/// The range of creation that was asked for, each end after an ` AND `.
fn created(filter: &Filter) -> Sql {
    let mut sql = Sql::default();
    if let Some(time) = &filter.created_after {
        sql.and("c.created_at >= ?", params![time]);
    }
    if let Some(time) = &filter.created_before {
        sql.and("c.created_at < ?", params![time]);
    }
    sql
}

const TAGGED: &str = "EXISTS (SELECT 1 FROM contact_tags t WHERE t.contact_seq = c.seq
                               AND t.tag_id IN (SELECT value FROM json_each(?)))";
const BY_TAG: &str =
    "SELECT contact_seq AS number FROM contact_tags WHERE tag_id IN (SELECT value FROM json_each(?))";

/// Where each filter's contacts can be read from without a walk: `number` of a superset of what it lets through,
/// some perhaps twice.
fn sources(
    tenant: &str,
    filter: &Filter,
    fields: &BTreeMap<String, String>,
    search: Option<&Search>,
) -> Vec<Sql> {
    let mut all = Vec::new();
    if let Some(search) = search
        && let Some(matching) = &search.matching
    {
        let mut sql = Sql::new(
            "SELECT rowid - ? AS number FROM contact_search_index WHERE contact_search_index MATCH ? AND rowid BETWEEN ? AND ?",
            params![search.rows.0, matching, search.rows.0, search.rows.1],
        );
        if let Some(ids) = &search.tag_ids {
            sql.append(&Sql::new(format!(" UNION ALL {BY_TAG}"), params![ids]));
        }
        all.push(sql);
    }
    for (key, value) in fields {
        all.push(Sql::new(
            "SELECT contact_seq AS number FROM contact_fields WHERE tenant_id = ? AND field_id = ? AND value = ?",
            params![tenant, key, value],
        ));
    }
    if !filter.tag_ids.is_empty() {
        all.push(Sql::new(BY_TAG, params![json(&filter.tag_ids)]));
    }
    if !filter.channels.is_empty() {
        all.push(Sql::new(
            "SELECT contact_seq AS number FROM identities
              WHERE tenant_id = ? AND channel IN (SELECT value FROM json_each(?))",
            params![tenant, json(&filter.channels)],
        ));
    }
    let has_range = filter.created_after.is_some() || filter.created_before.is_some();
    if has_range && filter.order_by != OrderBy::CreatedAt {
        let mut sql =
            Sql::new("SELECT c.seq AS number FROM contacts c INDEXED BY contacts_by_creation WHERE ", &[]);
        sql.append(&bucket(tenant, filter));
        sql.append(&created(filter));
        all.push(sql);
    }
    all
}

/// The rows of the source that has the fewest, when they are no more than `bound`. Each source is read up to the
/// bound, all in one statement; reading the rows here spares reading them again.
fn smallest(db: &Db<'_>, sources: &[Sql], bound: i64) -> Result<Option<Sql>> {
    let mut sql = Sql::new("SELECT numbers FROM (", &[]);
    for (at, source) in sources.iter().enumerate() {
        sql.push(if at == 0 { "" } else { " UNION ALL " });
        sql.push("SELECT count(*) AS rows, json_group_array(number) AS numbers FROM (SELECT number FROM (");
        sql.append(source);
        sql.push(&format!(") LIMIT {})", bound.saturating_add(1)));
    }
    sql.push(&format!(") WHERE rows <= {bound} ORDER BY rows LIMIT 1"));
    let found = db.row::<(String,)>(&sql.text, &sql.values)?;
    Ok(found.map(|(numbers,)| Sql::new("SELECT value FROM json_each(?)", params![numbers])))
}

/// The source with the fewest rows, when they are no more than `bound`.
fn fewest(db: &Db<'_>, sources: &[Sql], bound: i64) -> Result<Option<Sql>> {
    let mut sql = Sql::new("SELECT at FROM (", &[]);
    for (at, source) in (0_i64..).zip(sources) {
        sql.push(if at == 0 { "" } else { " UNION ALL " });
        sql.push(&format!("SELECT {at} AS at, (SELECT count(*) FROM (SELECT 1 FROM ("));
        sql.append(source);
        sql.push(&format!(") LIMIT {})) AS rows", bound.saturating_add(1)));
    }
    sql.push(&format!(") WHERE rows <= {bound} ORDER BY rows LIMIT 1"));
    let found = db.row::<(u32,)>(&sql.text, &sql.values)?;
    Ok(found.and_then(|(at,)| sources.get(usize::try_from(at).unwrap_or(usize::MAX)).cloned()))
}

fn json(values: &[String]) -> String {
    serde_json::to_string(values).unwrap_or_default()
}

/// How many contacts of a tenant are archived, or are not; deleted ones are neither.
pub fn count(db: &Db<'_>, tenant: &str, archived: bool) -> Result<i64> {
    let found = db.row::<(i64,)>(
        "SELECT count FROM contact_counts WHERE tenant_id = ? AND archived = ?",
        params![tenant, archived],
    )?;
    Ok(found.map_or(0, |(count,)| count))
}
