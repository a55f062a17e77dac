//! Imports of many rows: visible while they run, and whole after a kill. `FLOWNALLY_IMPORT_ROWS` says how many
//! (default 10000; the test prints how long they took).

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tests::{App, Tenant, imports, wait_for};

/// A server's databases, whose columns a test adds up.
fn number(app: &App, sql: &str) -> i64 {
    let path = app.process.as_ref().unwrap().database();
    rusqlite::Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// A table with a phone, an address, a tag and a field in each row; every hundredth row is wrong.
fn table(rows: usize) -> String {
    let row = |number: usize| {
        let phone = if number % 100 == 7 { "12".into() } else { format!("+48{}", 500_000_000 + number) };
        format!(
            "Anna Kowalska {number},{phone},anna{number}@example.com,group {},\"Krakow,\n{number}\"\n",
            number % 10
        )
    };
    let rows: String = (0..rows).map(row).collect();
    format!("name,phone,email,tags,city\n{rows}")
}

#[test]
fn many_rows_are_worked_off_in_sight() {
    let Some(app) = App::own(&[]) else { return };
    let tenant = Tenant::new(&app);
    tenant.field("City", "text");
    let rows = std::env::var("FLOWNALLY_IMPORT_ROWS").map_or(10_000, |rows| rows.parse().unwrap());
    let file = table(rows);
    let wrong = i64::try_from(rows / 100).unwrap();
    let right = i64::try_from(rows).unwrap() - wrong;
    let began = Instant::now();
    let id = imports::send(&tenant.key, file.as_bytes());
    let half = wait_for("progress before the end", Duration::from_secs(120), || {
        let status = imports::status(&tenant.key, &id);
        let done = status["successCount"].as_i64().unwrap();
        (done > 0).then_some((status["status"].clone(), status["totalRows"].clone()))
    });
    assert_eq!(half, (json!("processing"), json!(rows)));
    let status = imports::wait(&tenant.key, &id, Duration::from_secs(180));
    println!("{rows} rows, {} bytes: {:?}", file.len(), began.elapsed());
    assert_eq!((&status["successCount"], &status["failedCount"]), (&json!(right), &json!(wrong)), "{status}");
    let tags = tenant.key.get("/v1/tags").expect(200);
    let counts: Vec<i64> =
        tags["tags"].as_array().unwrap().iter().map(|tag| tag["labeledCount"].as_i64().unwrap()).collect();
    assert_eq!(counts.iter().sum::<i64>(), right);
    assert_eq!(number(&app, "SELECT count(*) FROM contacts WHERE deleted_at IS NULL"), right);
    assert_eq!(number(&app, "SELECT count(*) FROM contact_fields"), 3 * right);
    let changed = "SELECT count(*) FROM contacts WHERE updated_at <> created_at";
    let began = Instant::now();
    imports::wait(&tenant.key, &imports::send(&tenant.key, file.as_bytes()), Duration::from_secs(180));
    println!("the same again: {:?}", began.elapsed());
    assert_eq!(number(&app, changed), 0, "the same file again changes nothing");
    assert_eq!(number(&app, "SELECT count(*) FROM contacts"), right);
}

#[test]
fn a_killed_server_goes_on_where_it_was() {
    let Some(mut app) = App::own(&[("job_lease_ms", "2000")]) else { return };
    let mut tenant = Tenant::new(&app);
    tenant.field("City", "text");
    let (rows, mut kills, mut last) = (12_000, 0, -1);
    let id = imports::send(&tenant.key, table(rows).as_bytes());
    let status = loop {
        let status = wait_for("progress", Duration::from_secs(60), || {
            let status = imports::status(&tenant.key, &id);
            let done = done(&status);
            (done > last).then(|| {
                last = done;
                status
            })
        });
        if status["status"] == "completed" {
            break status;
        }
        // At three places on its way, once before the first row and twice between others.
        if kills < 3 {
            kills += 1;
            app.process().kill();
            app.process().start_again();
            tenant.key = tenant.key.clone().apart();
        } else {
            break imports::wait(&tenant.key, &id, Duration::from_secs(120));
        }
    };
    assert_eq!(kills, 3, "it was over too soon");
    let wrong = i64::try_from(rows / 100).unwrap();
    let right = i64::try_from(rows).unwrap() - wrong;
    assert_eq!((&status["status"], done(&status)), (&json!("completed"), right + wrong), "{status}");
    assert_eq!((&status["successCount"], &status["failedCount"]), (&json!(right), &json!(wrong)));
    for (sql, expected) in [
        ("SELECT count(*) FROM contacts", right),
        ("SELECT count(DISTINCT name) FROM contacts", right),
        ("SELECT count(*) FROM identities", right),
        ("SELECT count(*) FROM contact_tags", right),
        ("SELECT sum(labeled_count) FROM tags", right),
        ("SELECT count(*) FROM contact_import_errors", wrong),
        ("SELECT count(DISTINCT row) FROM contact_import_errors", wrong),
    ] {
        assert_eq!(number(&app, sql), expected, "{sql}");
    }
}

fn done(status: &Value) -> i64 {
    status["successCount"].as_i64().unwrap() + status["failedCount"].as_i64().unwrap()
}
