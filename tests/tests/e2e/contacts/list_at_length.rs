//! `GET /v1/contacts` over many pages: every filter in every order gives what a plain comparison of all contacts
//! gives, whichever way the page is read. Small pages reach the ways that large tenants need.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use tests::client::text;
use tests::{App, Tenant, imports};

const ROWS: usize = 400;

/// All contacts, oldest first, and the tags `rare` and `common`.
fn many() -> (Tenant, Vec<Value>, [String; 2]) {
    let tenant = Tenant::new(App::shared());
    tenant.field("Stage", "text");
    let tags = ["rare", "common"].map(|name| tenant.tag(name));
    let mut file = String::from("name,phone,email,tags,cf_stage\n");
    for n in 0..ROWS {
        let first = ["anna", "Anna", "Łukasz", "Юлия", "王伟", ""][n % 6];
        let name = if n % 90 == 7 { format!("Xenophon {n}") } else { format!("{first} {}", n % 11) };
        // Only customers of WhatsApp have a number.
        let phone = if n % 4 == 0 { format!("+48600{:06}", 100_000 + n) } else { String::new() };
        let tags = [(n % 70 == 3).then_some("rare"), (n % 3 == 0).then_some("common")];
        let tags: Vec<&str> = tags.into_iter().flatten().collect();
        let stage = ["lead", "won", "lost"][n % 3];
        file.push_str(&format!("{name},{phone},user{n}@example.com,{},{stage}\n", tags.join(";")));
    }
    let status = imports::run(&tenant.key, file.as_bytes());
    assert_eq!(status["successCount"], json!(ROWS), "{status}");
    let all = walk(&tenant, "orderDirection=asc&pageSize=100", |_| {});
    assert_eq!(all.len(), ROWS);
    (tenant, all, tags)
}

/// The contacts of all pages of a query; `between` runs after each page.
fn walk(tenant: &Tenant, query: &str, mut between: impl FnMut(usize)) -> Vec<Value> {
    let (mut all, mut token) = (Vec::new(), String::new());
    for number in 0.. {
        let page = tenant.key.get(&format!("/v1/contacts?{query}{token}")).expect(200);
        all.extend(page["contacts"].as_array().unwrap().iter().cloned());
        let Some(next) = page["nextPageToken"].as_str() else { break };
        token = format!("&pageToken={next}");
        between(number);
    }
    all
}

fn ids(contacts: &[Value]) -> Vec<String> {
    contacts.iter().map(|contact| text(contact, "id")).collect()
}

/// A filter as a query, and as a rule.
type Case = (String, Box<dyn Fn(&Value) -> bool>);

fn cases([rare, common]: &[String; 2]) -> Vec<Case> {
    let has = |tag: &str| {
        let tag = json!(tag);
        move |contact: &Value| contact["tagIds"].as_array().unwrap().contains(&tag)
    };
    let named = |part: &str| {
        let part = part.to_lowercase();
        move |contact: &Value| {
            let own = [&contact["name"], &contact["customFields"]["cf_email"]];
            own.iter().any(|value| value.as_str().unwrap_or_default().to_lowercase().contains(&part))
        }
    };
    let stage = |stage: &str| {
        let stage = json!(stage);
        move |contact: &Value| contact["customFields"]["cf_stage"] == stage
    };
    let reached = |contact: &Value| !contact["identities"].as_array().unwrap().is_empty();
    vec![
        (String::new(), Box::new(|_| true)),
        (format!("tagIds={rare}"), Box::new(has(rare))),
        (format!("tagIds={common}"), Box::new(has(common))),
        ("search=xenophon".into(), Box::new(named("xenophon"))),
        ("search=ANNA".into(), Box::new(named("anna"))),
        ("search=%D1%8E".into(), Box::new(named("ю"))),
        ("search=user39".into(), Box::new(named("user39"))),
        ("search=rare".into(), Box::new(has(rare))),
        ("search=nobody-at-all".into(), Box::new(|_| false)),
        ("customFields%5Bcf_stage%5D=won".into(), Box::new(stage("won"))),
        ("channels=whatsapp".into(), Box::new(reached)),
        (format!("search=anna&tagIds={rare},{common}&channels=whatsapp"), {
            let (anna, rare, common) = (named("anna"), has(rare), has(common));
            Box::new(move |contact| anna(contact) && (rare(contact) || common(contact)) && reached(contact))
        }),
    ]
}

#[test]
fn every_filter_in_every_order_gives_what_a_comparison_gives() {
    let (tenant, all, tags) = many();
    for (query, passes) in cases(&tags) {
        for order in ["createdAt", "updatedAt", "name"] {
            let mut expected: Vec<(String, usize, &Value)> = all
                .iter()
                .enumerate()
                .filter(|(_, contact)| passes(contact))
                .map(|(number, contact)| {
                    let key = contact[order].as_str().unwrap_or_default().to_ascii_lowercase();
                    (key, number, contact)
                })
                .collect();
            expected.sort_by(|one, other| (&one.0, one.1).cmp(&(&other.0, other.1)));
            let mut expected: Vec<String> =
                expected.iter().map(|(.., contact)| text(contact, "id")).collect();
            for direction in ["asc", "desc"] {
                let query = format!("{query}&orderBy={order}&orderDirection={direction}&pageSize=7");
                assert_eq!(ids(&walk(&tenant, &query, |_| {})), expected, "{query}");
                expected.reverse();
            }
        }
    }
}

#[test]
fn pages_hold_while_contacts_come_and_go() {
    let (tenant, all, [_, common]) = many();
    for order in ["createdAt", "name"] {
        for filter in [String::new(), format!("&tagIds={common}")] {
            let mut gone = BTreeSet::new();
            let query = format!("orderBy={order}&orderDirection=asc&pageSize=20{filter}");
            let there = ids(&walk(&tenant, &query, |_| {}));
            let seen = ids(&walk(&tenant, &query, |number| {
                tenant.key.post("/v1/contacts", json!({"name": "Anna 5"})).expect(201);
                // One that was shown already, and one that was not yet.
                for at in [number * 20 + 3, there.len() - 1 - number] {
                    if number < 5 && gone.insert(there[at].clone()) {
                        tenant.key.delete(&format!("/v1/contacts/{}", there[at])).expect(204);
                    }
                }
            }));
            let once: BTreeSet<&String> = seen.iter().collect();
            assert_eq!(once.len(), seen.len(), "nothing comes twice: {query}");
            let missed: Vec<&String> =
                there.iter().filter(|id| !once.contains(id) && !gone.contains(*id)).collect();
            assert!(missed.is_empty(), "{missed:?} of {} missed: {query}", all.len());
        }
    }
}
