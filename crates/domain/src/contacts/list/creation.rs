//! Pages in the order of creation, read from a source that is in it already.
//!
//! Contacts are numbered in the order of creation, but for those in `contacts_displaced` (migration 0019). So a page
//! is the first of the source's contacts that are not displaced, and the first of those that are, merged.

use super::query::{Query, way};
use super::sources::{Rows, Source};
use super::sql::Sql;
use common::params;

const IN_PLACE: &str = "NOT EXISTS (SELECT 1 FROM contacts_displaced d WHERE d.tenant_id = c.tenant_id
                                     AND d.created_at = c.created_at AND d.seq = c.seq)";
/// Behind the number of every contact.
const LAST: i64 = (1 << 36) - 1;

impl Query<'_> {
    /// The numbers of the page's contacts; `reach` rows of each part of the source at most.
    pub fn created(&self, source: &Source, reach: Option<i64>) -> Sql {
        let mut parts: Vec<Sql> = source.parts.iter().map(|rows| self.in_place(rows, reach)).collect();
        parts.push(self.displaced());
        let (way, _) = way(self.filter.direction);
        let mut sql = Sql::new("SELECT seq FROM (", &[]);
        sql.append(&Sql::join(&parts, " UNION "));
        sql.push(&format!(") ORDER BY key {way}, seq {way} LIMIT {}", self.page.limit()));
        sql
    }

    /// The lowest (`ASC`) or highest (`DESC`) number that a contact in its place can have on this page; NULL: none can.
    fn outermost(&self, way: &str, any: i64) -> Sql {
        let has_range = self.filter.created_after.is_some() || self.filter.created_before.is_some();
        if self.page.after.is_none() && !has_range {
            return Sql::new("?", params![any]);
        }
        let mut sql = Sql::new("(SELECT c.seq FROM contacts c INDEXED BY contacts_by_creation WHERE ", &[]);
        sql.append(&self.bucket);
        sql.append(&self.behind());
        sql.and(IN_PLACE, &[]);
        sql.push(&format!(" ORDER BY c.created_at {way}, c.seq {way} LIMIT 1)"));
        sql
    }

    /// What lies behind the page's token.
    fn behind(&self) -> Sql {
        let mut sql = Sql::default();
        if let Some(after) = &self.page.after {
            let (_, beyond) = way(self.filter.direction);
            // The first condition is the one that the index seeks by.
            sql.and(&format!("c.created_at {beyond}= ?"), params![after.key]);
            sql.and(&format!("(c.created_at, c.seq) {beyond} (?, ?)"), params![after.key, after.seq]);
        }
        sql
    }

    /// The first contacts of a part that are in their place, in the order of its index.
    fn in_place(&self, rows: &Rows, reach: Option<i64>) -> Sql {
        let (way, _) = way(self.filter.direction);
        let Rows { table, column, offset, condition } = rows;
        let mut source = Sql::new(format!("SELECT {column} - {offset} AS number FROM {table} WHERE "), &[]);
        source.append(condition);
        for (comparison, end) in [(">=", self.outermost("ASC", 0)), ("<=", self.outermost("DESC", LAST))] {
            source.and(&format!("{column} {comparison} {offset} + {}", end.text), &end.values);
        }
        source.push(&format!(" ORDER BY {column} {way} LIMIT {}", reach.unwrap_or(-1)));
        let mut sql = Sql::new("SELECT * FROM (SELECT c.seq AS seq, c.created_at AS key FROM (", &[]);
        sql.append(&source);
        sql.push(") s CROSS JOIN contacts c ON c.seq = s.number WHERE ");
        sql.append(&self.bucket);
        sql.append(&self.conditions);
        sql.and(IN_PLACE, &[]);
        // The rows come in their order: an ORDER BY would read them all.
        sql.push(&format!(" LIMIT {})", self.page.limit()));
        sql
    }

    /// The first of the displaced contacts, of whatever source.
    fn displaced(&self) -> Sql {
        let (way, _) = way(self.filter.direction);
        let mut sql = Sql::new(
            "SELECT * FROM (SELECT c.seq AS seq, c.created_at AS key
                              FROM contacts_displaced d CROSS JOIN contacts c ON c.seq = d.seq AND c.created_at = d.created_at
                             WHERE d.tenant_id = ? AND ",
            params![self.tenant],
        );
        sql.append(&self.bucket);
        sql.append(&self.conditions);
        sql.append(&self.behind());
        sql.push(&format!(" ORDER BY d.created_at {way}, d.seq {way} LIMIT {})", self.page.limit()));
        sql
    }
}
