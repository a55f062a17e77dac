//! Paging: every row once, also while others come, and no token but of the same query.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use tests::client::text;
use tests::{App, Tenant};

/// All ids of a list, page by page.
fn walk(tenant: &Tenant, query: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut token = String::new();
    loop {
        let page = tenant.key.get(&format!("/v1/contacts?{query}{token}")).expect(200);
        ids.extend(page["contacts"].as_array().unwrap().iter().map(|contact| text(contact, "id")));
        match page["nextPageToken"].as_str() {
            Some(next) => token = format!("&pageToken={next}"),
            None => return ids,
        }
    }
}

fn create(tenant: &Tenant, count: usize) -> BTreeSet<String> {
    (0..count)
        .map(|number| {
            text(
                &tenant.key.post("/v1/contacts", json!({"name": format!("{:03}", number % 50)})).expect(201),
                "id",
            )
        })
        .collect()
}

#[test]
fn a_walk_sees_every_row_once_while_others_come() {
    let tenant = Tenant::new(App::shared());
    let before = create(&tenant, 120);
    for query in ["pageSize=7", "pageSize=7&orderDirection=asc", "pageSize=7&orderBy=name", "pageSize=100"] {
        let done = AtomicBool::new(false);
        let seen = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    tenant.key.post("/v1/contacts", json!({"name": "new"})).expect(201);
                    std::thread::sleep(std::time::Duration::from_millis(10));
                }
            });
            let seen = walk(&tenant, query);
            done.store(true, Ordering::Relaxed);
            seen
        });
        let once: BTreeSet<String> = seen.iter().cloned().collect();
        assert_eq!(once.len(), seen.len(), "{query}: a row came twice");
        assert!(before.is_subset(&once), "{query}: {} rows are missing", before.difference(&once).count());
    }
}

#[test]
fn a_walk_misses_nothing_and_repeats_nothing_while_others_go() {
    for order in ["createdAt", "updatedAt", "name"] {
        for direction in ["asc", "desc"] {
            let tenant = Tenant::new(App::shared());
            let before = create(&tenant, 40);
            let gone: BTreeSet<String> = before.iter().step_by(3).cloned().collect();
            let query = format!("pageSize=6&orderBy={order}&orderDirection={direction}");
            let first = tenant.key.get(&format!("/v1/contacts?{query}")).expect(200);
            let mut seen: Vec<String> =
                first["contacts"].as_array().unwrap().iter().map(|contact| text(contact, "id")).collect();
            let mut next = first["nextPageToken"].as_str().map(str::to_string);
            // Among them the row that the token is of.
            for id in gone.iter().chain(seen.last()) {
                tenant.key.delete(&format!("/v1/contacts/{id}"));
            }
            for name in ["", "000", "zzz"] {
                tenant.key.post("/v1/contacts", json!({"name": format!("{name}!")})).expect(201);
            }
            while let Some(token) = next {
                let page = tenant.key.get(&format!("/v1/contacts?{query}&pageToken={token}")).expect(200);
                seen.extend(page["contacts"].as_array().unwrap().iter().map(|contact| text(contact, "id")));
                next = page["nextPageToken"].as_str().map(str::to_string);
            }
            let once: BTreeSet<String> = seen.iter().cloned().collect();
            assert_eq!(once.len(), seen.len(), "{query}: a row came twice");
            let left: BTreeSet<String> = before.difference(&gone).cloned().collect();
            assert!(left.is_subset(&once), "{query}: rows are missing");
        }
    }
}

#[test]
fn rows_with_the_same_key_come_once_each() {
    let tenant = Tenant::new(App::shared());
    for _ in 0..23 {
        tenant.key.post("/v1/contacts", json!({})).expect(201);
    }
    for query in ["orderBy=name", "orderBy=name&orderDirection=asc"] {
        let seen = walk(&tenant, &format!("pageSize=5&{query}"));
        assert_eq!((seen.len(), seen.iter().collect::<BTreeSet<_>>().len()), (23, 23), "{query}");
    }
}

#[test]
fn sizes_are_clamped() {
    let tenant = Tenant::new(App::shared());
    create(&tenant, 103);
    let count = |query: &str| {
        tenant.key.get(&format!("/v1/contacts{query}")).expect(200)["contacts"].as_array().unwrap().len()
    };
    assert_eq!(count(""), 50);
    assert_eq!(count("?pageSize=100000"), 100);
    assert_eq!(count("?pageSize=1"), 1);
}

#[test]
fn a_full_last_page_has_no_next() {
    let tenant = Tenant::new(App::shared());
    create(&tenant, 6);
    let first = tenant.key.get("/v1/contacts?pageSize=3").expect(200);
    let token = text(&first, "nextPageToken");
    let second = tenant.key.get(&format!("/v1/contacts?pageSize=3&pageToken={token}")).expect(200);
    assert_eq!(second["contacts"].as_array().unwrap().len(), 3);
    assert!(second.get("nextPageToken").is_none());
}

#[test]
fn a_token_is_good_for_its_own_query_only() {
    let (tenant, other) = (Tenant::new(App::shared()), Tenant::new(App::shared()));
    create(&tenant, 3);
    create(&other, 3);
    let page: Value = tenant.key.get("/v1/contacts?pageSize=1").expect(200);
    let token = text(&page, "nextPageToken");
    tenant.key.get(&format!("/v1/contacts?pageSize=2&pageToken={token}")).expect(200);
    let refused = |tenant: &Tenant, query: &str| {
        assert_eq!(
            tenant.key.get(&format!("/v1/contacts?{query}")).wrong_fields(400),
            ["pageToken"],
            "{query}"
        );
    };
    refused(&other, &format!("pageToken={token}"));
    refused(&tenant, &format!("pageToken={token}&search=0"));
    refused(&tenant, &format!("pageToken={token}&orderDirection=asc"));
    refused(&tenant, &format!("pageToken={token}x"));
    refused(&tenant, &format!("pageToken={}", &token[..token.len() - 4]));
    refused(&tenant, &format!("pageToken={}", "A".repeat(600)));
}
