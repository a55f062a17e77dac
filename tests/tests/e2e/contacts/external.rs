//! `PUT /v1/contacts/by-external-id/{externalId}`, and `ETag` with `If-Match`.

use serde_json::{Value, json};
use std::sync::Mutex;
use tests::client::text;
use tests::{App, Tenant, unique};

const PATH: &str = "/v1/contacts/by-external-id/crm%2F4711%20%C5%BC";

#[test]
fn an_upsert_makes_then_changes() {
    let tenant = Tenant::new(App::shared());
    let phone = unique::phone();
    let made = tenant
        .key
        .put(PATH, json!({"name": "Anna", "customFields": {"cf_email": "a@example.com"}}))
        .expect(200);
    assert_eq!(made["externalId"], "crm/4711 ż");
    let again = tenant.key.put(PATH, json!({"name": "Anna"})).expect(200);
    assert_eq!(again, made, "nothing changed");
    let changed = tenant.key.put(PATH, json!({"phone": phone, "customFields": {"cf_email": ""}})).expect(200);
    assert_eq!(changed["id"], made["id"]);
    assert_eq!((&changed["name"], &changed["customFields"]), (&json!("Anna"), &json!({"cf_phone": phone})));
    assert_eq!(changed["identities"][0]["metadata"]["phoneNumber"], json!(phone));
    assert_eq!(tenant.key.put(PATH, json!({"phone": phone})).expect(200), changed);
    assert_eq!(tenant.key.get("/v1/contacts/count").expect(200)["totalSize"], 1);
    let other = Tenant::new(App::shared());
    assert_ne!(other.key.put(PATH, json!({})).expect(200)["id"], made["id"]);
}

#[test]
fn what_is_wrong_is_named() {
    let tenant = Tenant::new(App::shared());
    let (_, phone) = tenant.contact("Other");
    tenant.key.put(PATH, json!({"phone": phone})).problem(409, "contact_phone_taken");
    assert_eq!(tenant.key.get("/v1/contacts/count").expect(200)["totalSize"], 1, "nothing was made");
    assert_eq!(tenant.key.put(PATH, json!({"phone": "12"})).wrong_fields(422), ["phone"]);
    assert_eq!(tenant.key.put(PATH, json!({"name": ""})).wrong_fields(422), ["name"]);
    let long = format!("/v1/contacts/by-external-id/{}", "x".repeat(256));
    assert_eq!(tenant.key.put(&long, json!({})).wrong_fields(422), ["externalId"]);
    assert_eq!(
        tenant.key.put("/v1/contacts/by-external-id/%20", json!({})).wrong_fields(422),
        ["externalId"]
    );
}

#[test]
fn many_at_once_make_one_contact() {
    let tenant = Tenant::new(App::shared());
    let ids = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (tenant, ids) = (&tenant, &ids);
            scope.spawn(move || {
                let answer = tenant.key.put(PATH, json!({"name": format!("n{number}")})).json();
                ids.lock().unwrap().push(text(&answer, "id"));
            });
        }
    });
    let ids = ids.into_inner().unwrap();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[test]
fn an_id_of_a_deleted_contact_is_free() {
    let tenant = Tenant::new(App::shared());
    let made = tenant.key.put(PATH, json!({})).expect(200);
    tenant.key.delete(&format!("/v1/contacts/{}", text(&made, "id"))).expect(204);
    assert_ne!(tenant.key.put(PATH, json!({})).expect(200)["id"], made["id"]);
}

#[test]
fn another_version_is_not_changed() {
    let tenant = Tenant::new(App::shared());
    let (id, phone) = tenant.contact("Anna");
    let path = format!("/v1/contacts/{id}");
    let read = tenant.key.get(&path);
    let etag = read.header("etag").to_string();
    assert!(etag.starts_with('"') && etag.len() > 20, "{etag}");
    let changed = tenant.key.with("if-match", &etag).patch(&path, json!({"name": "Anna Nowak"}));
    assert_eq!(changed.expect(200)["name"], "Anna Nowak");
    assert_ne!(changed.header("etag"), etag);
    assert_eq!(tenant.key.get(&path).header("etag"), changed.header("etag"));
    for stale in [etag.as_str(), "\"x\"", "W/\"x\""] {
        let refused = tenant.key.with("if-match", stale).patch(&path, json!({"name": "Late"}));
        refused.problem(412, "contact_changed");
    }
    assert_eq!(tenant.key.get(&path).expect(200)["name"], "Anna Nowak");
    tenant.key.with("if-match", "*").patch(&path, json!({"name": "Any"})).expect(200);
    let list = format!("{etag}, {}", tenant.key.get(&path).header("etag"));
    tenant.key.with("if-match", &list).patch(&path, json!({"name": "Listed"})).expect(200);
    // Consent is a part of the version too.
    let before = tenant.key.get(&path);
    let identity = text(&before.json()["identities"][0], "id");
    let consent = format!("{path}/identities/{identity}/consent");
    tenant.key.put(&consent, json!({"state": "optedIn"})).expect(200);
    assert_ne!(tenant.key.get(&path).header("etag"), before.header("etag"), "of {phone}");
}

#[test]
fn an_upsert_heeds_the_version() {
    let tenant = Tenant::new(App::shared());
    tenant.key.with("if-match", "*").put(PATH, json!({})).problem(412, "contact_changed");
    let made = tenant.key.put(PATH, json!({"name": "a"}));
    let etag = made.header("etag").to_string();
    tenant.key.with("if-match", &etag).put(PATH, json!({"name": "b"})).expect(200);
    tenant.key.with("if-match", &etag).put(PATH, json!({"name": "c"})).problem(412, "contact_changed");
    let now: Value = tenant.key.put(PATH, json!({})).expect(200);
    assert_eq!(now["name"], "b");
}
