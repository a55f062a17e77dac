//! What the filters of a list ask of `contacts c`.

use super::Filter;
use super::sql::Sql;
use crate::contacts::search::Search;
use common::params;
use std::collections::BTreeMap;

const TAGGED: &str = "EXISTS (SELECT 1 FROM contact_tags t WHERE t.contact_seq = c.seq
                               AND t.tag_id IN (SELECT value FROM json_each(?)))";

/// What must hold beyond the bucket, each condition after an ` AND `.
pub(super) fn conditions(filter: &Filter, fields: &BTreeMap<String, String>, search: Option<&Search>) -> Sql {
    let mut sql = Sql::default();
    if let Some(search) = search {
        let text = "EXISTS (SELECT 1 FROM contact_search s WHERE s.seq = ? + c.seq AND s.text GLOB ?)";
        if search.tag_ids.is_empty() {
            sql.and(text, params![search.rows.0, search.pattern]);
        } else {
            sql.and(
                &format!("({text} OR {TAGGED})"),
                params![search.rows.0, search.pattern, json(&search.tag_ids)],
            );
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
pub(super) fn bucket(tenant: &str, filter: &Filter) -> Sql {
    Sql::new(
        "c.tenant_id = ? AND (c.archived_at IS NULL) = ? AND c.deleted_at IS NULL",
        params![tenant, !filter.archived],
    )
}

/// The range of creation that was asked for, each end after an ` AND `.
pub(super) fn created(filter: &Filter) -> Sql {
    let mut sql = Sql::default();
    if let Some(time) = &filter.created_after {
        sql.and("c.created_at >= ?", params![time]);
    }
    if let Some(time) = &filter.created_before {
        sql.and("c.created_at < ?", params![time]);
    }
    sql
}

pub(super) fn json(values: &[String]) -> String {
    serde_json::to_string(values).unwrap_or_default()
}
