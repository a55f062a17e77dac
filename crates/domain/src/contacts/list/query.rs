//! The statements that read a page, in any of the ways.

use super::sources::Source;
use super::sql::Sql;
use super::{Direction, Filter, OrderBy};
use crate::contacts::{COLUMNS, Contact};
use common::Result;
use common::db::Db;
use common::page::Page;
use common::params;

/// How many sorted contacts are checked for each row of the page before all are.
const SPARE: i64 = 4;

/// A list with its conditions.
pub(super) struct Query<'a> {
    pub tenant: &'a str,
    pub filter: &'a Filter,
    pub page: &'a Page,
    /// What the order's index knows.
    pub bucket: Sql,
    /// The other filters, each after an ` AND `.
    pub conditions: Sql,
}

/// A page and the token of the next.
type Contacts = (Vec<Contact>, Option<String>);

impl Query<'_> {
    /// Reads the contacts whose numbers a statement gives.
    pub fn read(&self, db: &Db<'_>, numbers: &Sql) -> Result<Contacts> {
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

    /// The page by the order's index, at most `reach` contacts far. Where the members of a filter are known, nothing
    /// is read of others.
    pub fn walked(&self, reach: i64, members: Option<&Source>) -> Sql {
        // The inner rows come in their order, the ranges one after the other, and the outer loop ends with the page:
        // sorting would need them all.
        let ranges: Vec<Sql> = self.ranges().iter().map(|range| self.rows(range, None, reach)).collect();
        let mut sql = Sql::new("SELECT c.seq FROM (", &[]);
        sql.append(&Sql::join(&ranges, " UNION ALL "));
        sql.push(&format!(" LIMIT {reach}) w CROSS JOIN contacts c ON c.seq = w.seq WHERE 1"));
        if let Some(members) = members {
            let numbers = members.numbers();
            sql.and(&format!("+w.seq IN ({})", numbers.text), &numbers.values);
        }
        sql.append(&self.conditions);
        sql.push(&format!(" LIMIT {}", self.page.limit()));
        sql
    }

    /// The page by the order's index, however far.
    pub fn walked_to_the_end(&self) -> Sql {
        let (way, _) = way(self.filter.direction);
        let limit = self.page.limit();
        let ranges: Vec<Sql> =
            self.ranges().iter().map(|range| self.rows(range, Some(&self.conditions), limit)).collect();
        let mut sql = Sql::new("SELECT seq FROM (", &[]);
        sql.append(&Sql::join(&ranges, " UNION ALL "));
        let collation = if self.filter.order_by == OrderBy::Name { "COLLATE NOCASE " } else { "" };
        sql.push(&format!(") ORDER BY key {collation}{way}, seq {way} LIMIT {limit}"));
        sql
    }

    /// The ranges of the order's index that lie behind the page's token, in their order, each with its ` AND `. After
    /// a row come first those of the same key behind it, then those of the keys beyond: two ranges, since SQLite makes
    /// none of both columns together.
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

    /// The first rows of a range, those that pass the conditions, as a table of its own.
    fn rows(&self, range: &Sql, conditions: Option<&Sql>, limit: i64) -> Sql {
        let (key, index) = self.filter.order_by.key_and_index();
        let (way, _) = way(self.filter.direction);
        let mut sql = Sql::new(
            format!(
                "SELECT * FROM (SELECT c.seq AS seq, {key} AS key FROM contacts c INDEXED BY {index} WHERE "
            ),
            &[],
        );
        sql.append(&self.bucket);
        sql.append(range);
        if let Some(conditions) = conditions {
            sql.append(conditions);
        }
        sql.push(&format!(" ORDER BY {key} {way}, c.seq {way} LIMIT {limit})"));
        sql
    }

    /// The page from the `rows` rows of a source: the first of them are checked, and all where those do not do.
    pub fn sorted(&self, db: &Db<'_>, source: &Source, rows: i64) -> Result<Contacts> {
        let enough = self.page.limit().saturating_mul(SPARE);
        if rows > enough {
            let mut sql = Sql::new("SELECT c.seq FROM (", &[]);
            sql.append(&self.first(source, None, enough));
            sql.push(") w CROSS JOIN contacts c ON c.seq = w.seq WHERE 1");
            sql.append(&self.conditions);
            let (contacts, next) = self.read(db, &sql)?;
            if next.is_some() {
                return Ok((contacts, next));
            }
        }
        self.read(db, &self.first(source, Some(&self.conditions), self.page.limit()))
    }

    /// The first contacts of a source behind the page's token, those that pass the conditions.
    pub fn first(&self, source: &Source, conditions: Option<&Sql>, limit: i64) -> Sql {
        let (key, _) = self.filter.order_by.key_and_index();
        let (way, beyond) = way(self.filter.direction);
        let mut sql = Sql::new("SELECT c.seq AS seq FROM (SELECT DISTINCT number FROM (", &[]);
        sql.append(&source.numbers());
        sql.push(")) s CROSS JOIN contacts c ON c.seq = s.number WHERE ");
        sql.append(&self.bucket);
        if let Some(conditions) = conditions {
            sql.append(conditions);
        }
        if let Some(after) = &self.page.after {
            sql.and(&format!("({key}, c.seq) {beyond} (?, ?)"), params![after.key, after.seq]);
        }
        sql.push(&format!(" ORDER BY {key} {way}, c.seq {way} LIMIT {limit}"));
        sql
    }
}

/// The direction as SQL, and what lies beyond a row in it.
pub(super) fn way(direction: Direction) -> (&'static str, &'static str) {
    if direction == Direction::Asc { ("ASC", ">") } else { ("DESC", "<") }
}
