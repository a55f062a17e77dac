//! All ways to read a page give the same contacts.

#![allow(clippy::arithmetic_side_effects, reason = "a test")]

use super::*;
use crate::contacts::search::Search;
use common::db::Value;
use rusqlite::Connection;
use sql::Sql;

const ROWS: i64 = 300;
/// Reaches that end before most pages do, or short of the end of the list.
const REACHES: [i64; 3] = [12, 25, 50];

/// Contacts of two tenants in turn; now and then the clock has gone back by so much.
fn contacts(back: i64) -> Connection {
    let db = crate::tests::schema();
    db.execute_batch(
        "INSERT INTO tenants (id, name, created_at, updated_at) VALUES ('tn_1', 'A', 0, 0), ('tn_2', 'B', 0, 0);
         INSERT INTO tags (id, tenant_id, name, name_key, created_by, created_at)
           VALUES ('tag_1', 'tn_1', 'one', 'one', 'x', 0), ('tag_2', 'tn_1', 'two', 'two', 'x', 0);",
    )
    .unwrap();
    for n in 0..ROWS {
        let tenant = format!("tn_{}", n % 2 + 1);
        let at = n / 4 * 10 - if n % 17 < 2 { back } else { 0 };
        let name = ["Anna", "anna", "Hanna", "Piotr", ""][usize::try_from(n % 5).unwrap()];
        let gone = (n % 9 == 0, n % 29 == 0);
        db.execute(
            "INSERT INTO contacts (id, tenant_id, name, created_at, updated_at, archived_at, deleted_at)
             VALUES (?1, ?2, nullif(?3, ''), ?4, ?5, iif(?6, 1, NULL), iif(?7, 1, NULL))",
            rusqlite::params![format!("con_{n}"), tenant, name, at, n * 7919 % 1000, gone.0, gone.1],
        )
        .unwrap();
        let seq = db.last_insert_rowid();
        db.execute(
            "INSERT INTO contact_fields (contact_seq, field_id, tenant_id, value) VALUES (?, 'cf_stage', ?, ?)",
            rusqlite::params![seq, tenant, if n % 3 == 0 { "lead" } else { "won" }],
        )
        .unwrap();
        for (tag, every) in [("tag_1", 4), ("tag_2", 6)] {
            db.execute(
                "INSERT INTO contact_tags SELECT ?, ?, 0 WHERE ? % ? = 0",
                rusqlite::params![seq, tag, n, every],
            )
            .unwrap();
        }
    }
    db
}

/// The first column of a statement's rows.
fn numbers(db: &Connection, sql: &Sql) -> Vec<i64> {
    let values = rusqlite::params_from_iter(sql.values.iter().map(|value| match value {
        Value::Null => rusqlite::types::Value::Null,
        Value::Integer(number) => (*number).into(),
        Value::Real(number) => (*number).into(),
        Value::Text(text) => text.clone().into(),
        Value::Blob(bytes) => bytes.clone().into(),
    }));
    let mut statement = db.prepare(&sql.text).unwrap_or_else(|error| panic!("{error}: {}", sql.text));
    let mut numbers: Vec<i64> =
        statement.query_map(values, |row| row.get(0)).unwrap().collect::<rusqlite::Result<_>>().unwrap();
    numbers.sort_unstable();
    numbers
}

fn search(pattern: &str, matching: &str, tag_ids: &[&str]) -> Search {
    Search {
        pattern: pattern.into(),
        matching: Some(matching.into()),
        tag_ids: tag_ids.iter().map(ToString::to_string).collect(),
        rows: (1 << 36, (2 << 36) - 1),
    }
}

/// Filters that have a source each or several.
fn filters() -> Vec<(Filter, BTreeMap<String, String>, Option<Search>)> {
    let fields = || BTreeMap::from([("cf_stage".to_string(), "lead".to_string())]);
    let tags = |ids: &[&str]| Filter {
        tag_ids: ids.iter().map(ToString::to_string).collect(),
        created_after: Some(Timestamp(100)),
        ..Filter::default()
    };
    vec![
        (Filter::default(), fields(), None),
        (Filter { archived: true, ..Filter::default() }, fields(), None),
        (tags(&["tag_1"]), BTreeMap::new(), None),
        (tags(&["tag_1", "tag_2"]), fields(), None),
        (Filter::default(), BTreeMap::new(), Some(search("*[aA]nna*", "\"ann\"", &[]))),
        (Filter::default(), BTreeMap::new(), Some(search("*Hanna*", "\"han\"", &["tag_2"]))),
        (Filter::default(), fields(), Some(search("*iot*", "\"iot\"", &["tag_1"]))),
        (tags(&["tag_2"]), fields(), Some(search("*iot*", "\"iot\"", &["tag_1"]))),
    ]
}

/// Pages of a list until its end, in each way; answers how many contacts there were.
fn walk(
    db: &Connection,
    filter: &Filter,
    fields: &BTreeMap<String, String>,
    search: Option<&Search>,
) -> usize {
    let mut page = Page::new(Some(7), None, filter.binding("tn_1")).unwrap();
    let sources = sources("tn_1", filter, fields, search);
    let displaced = displaced(db);
    let mut all = 0;
    loop {
        let (mut bucket, mut others) = (bucket("tn_1", filter), conditions(filter, fields, search));
        match filter.order_by {
            OrderBy::CreatedAt => bucket.append(&created(filter)),
            OrderBy::UpdatedAt | OrderBy::Name => others.append(&created(filter)),
        }
        let after = page.after.clone();
        let query = Query { tenant: "tn_1", filter, page: &page, bucket, conditions: others };
        let expected = numbers(db, &plain(&query));
        let says = |way: &str| format!("{way} after {after:?}: {filter:?} {fields:?} {search:?}");
        assert_eq!(numbers(db, &query.walked_to_the_end()), expected, "{}", says("to the end"));
        assert_eq!(numbers(db, &query.walked(ROWS, None)), expected, "{}", says("walked"));
        for source in &sources {
            assert_eq!(numbers(db, &query.walked(ROWS, Some(source))), expected, "{}", says("members"));
            let sorted = query.first(source, Some(&query.conditions), page.limit());
            assert_eq!(numbers(db, &sorted), expected, "{}", says("sorted"));
            if filter.order_by == OrderBy::CreatedAt && source.is_in_order {
                assert_eq!(numbers(db, &query.created(source, None)), expected, "{}", says("by creation"));
                for reach in REACHES {
                    let early = numbers(db, &query.created(source, Some(reach)));
                    if may_end_early(source, displaced) && early.len() > 7 {
                        assert_eq!(early, expected, "{}", says("by creation, not far"));
                    }
                }
            }
        }
        all += expected.len().min(7);
        if expected.len() <= 7 {
            return all;
        }
        page.after = Some(position(db, &query));
    }
}

/// The page without any index.
fn plain(query: &Query<'_>) -> Sql {
    let mut sql = Sql::new(
        "SELECT c.seq, c.created_at, c.updated_at, coalesce(c.name, '') FROM contacts c NOT INDEXED WHERE ",
        &[],
    );
    sql.append(&query.bucket);
    sql.append(&query.conditions);
    let (key, _) = query.filter.order_by.key_and_index();
    let (way, beyond) = query::way(query.filter.direction);
    if let Some(after) = &query.page.after {
        sql.and(&format!("({key}, c.seq) {beyond} (?, ?)"), params![after.key, after.seq]);
    }
    sql.push(&format!(" ORDER BY {key} {way}, c.seq {way} LIMIT {}", query.page.limit()));
    sql
}

/// Where the page ends.
fn position(db: &Connection, query: &Query<'_>) -> Position {
    let (key, _) = query.filter.order_by.key_and_index();
    let (way, _) = query::way(query.filter.direction);
    let rows = numbers(db, &plain(query)).iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let sql = format!(
        "SELECT c.seq, c.created_at, c.updated_at, coalesce(c.name, '') FROM contacts c WHERE c.seq IN ({rows})
          ORDER BY {key} {way}, c.seq {way} LIMIT 1 OFFSET 6"
    );
    db.query_row(&sql, [], |row| {
        let key = match query.filter.order_by {
            OrderBy::CreatedAt => Key::Number(row.get(1)?),
            OrderBy::UpdatedAt => Key::Number(row.get(2)?),
            OrderBy::Name => Key::Text(row.get(3)?),
        };
        Ok(Position { key, seq: row.get(0)? })
    })
    .unwrap()
}

fn displaced(db: &Connection) -> i64 {
    db.query_row("SELECT count(*) FROM contacts_displaced WHERE tenant_id = 'tn_1'", [], |row| row.get(0))
        .unwrap()
}

#[test]
fn all_ways_give_the_same_pages() {
    for (back, expected) in [(300, 10..100), (0, 0..1)] {
        let db = contacts(back);
        assert!(expected.contains(&displaced(&db)), "{}", displaced(&db));
        for (mut filter, fields, search) in filters() {
            for order_by in [OrderBy::CreatedAt, OrderBy::UpdatedAt, OrderBy::Name] {
                for direction in [Direction::Asc, Direction::Desc] {
                    (filter.order_by, filter.direction) = (order_by, direction);
                    assert!(walk(&db, &filter, &fields, search.as_ref()) > 2, "{filter:?}");
                }
            }
        }
    }
}
