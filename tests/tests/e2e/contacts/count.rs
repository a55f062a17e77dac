//! `GET /v1/contacts/count`.

use serde_json::json;
use tests::{App, Tenant};

fn counts(tenant: &Tenant) -> (i64, i64) {
    let count = |query: &str| {
        tenant.key.get(&format!("/v1/contacts/count{query}")).expect(200)["totalSize"].as_i64().unwrap()
    };
    assert_eq!(count(""), count("?archived=false"));
    (count(""), count("?archived=true"))
}

#[test]
fn the_count_follows_every_change() {
    let tenant = Tenant::new(App::shared());
    assert_eq!(counts(&tenant), (0, 0));
    let (a, _) = tenant.contact("a");
    let (b, _) = tenant.contact("b");
    tenant.key.post("/v1/contacts", json!({})).expect(201);
    assert_eq!(counts(&tenant), (3, 0));
    tenant.key.post(&format!("/v1/contacts/{a}/archive"), json!({})).expect(204);
    assert_eq!(counts(&tenant), (2, 1));
    tenant.key.post(&format!("/v1/contacts/{a}/unarchive"), json!({})).expect(204);
    tenant.key.delete(&format!("/v1/contacts/{a}")).expect(204);
    assert_eq!(counts(&tenant), (2, 0));
    tenant.key.post(&format!("/v1/contacts/{b}/archive"), json!({})).expect(204);
    tenant.key.delete(&format!("/v1/contacts/{b}?erase=true")).expect(204);
    assert_eq!(counts(&tenant), (1, 0));
    assert_eq!(counts(&Tenant::new(App::shared())), (0, 0));
}

#[test]
fn a_bucket_is_true_or_false() {
    let tenant = Tenant::new(App::shared());
    assert_eq!(tenant.key.get("/v1/contacts/count?archived=perhaps").wrong_fields(400), ["archived"]);
}
