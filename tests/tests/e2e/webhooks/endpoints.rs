//! `/v1/webhooks/endpoints`: several endpoints, each with its own types, keys and tests.

use super::SOON;
use serde_json::{Value, json};
use tests::client::text;
use tests::{App, Receiver, Tenant};

fn add(tenant: &Tenant, url: &str, types: &[&str]) -> Value {
    let wanted = json!({"enabled": true, "url": url, "eventTypes": types});
    tenant.key.post("/v1/webhooks/endpoints", wanted).expect(201)
}

fn secret(tenant: &Tenant, endpoint: &Value) -> String {
    let path = format!("/v1/webhooks/endpoints/{}/signing-keys", text(endpoint, "id"));
    text(&tenant.key.get(&path).expect(200)["signingKeys"][0], "plaintextKey")
}

#[test]
fn each_endpoint_gets_its_types_signed_with_its_keys() {
    let tenant = Tenant::new(App::shared());
    let (all, some) = (Receiver::start(), Receiver::start());
    let main = add(&tenant, &all.url, &["contact.created", "contact.updated"]);
    let other = add(&tenant, &some.url, &["contact.updated"]);
    let (main_secret, other_secret) = (secret(&tenant, &main), secret(&tenant, &other));
    assert_ne!(main_secret, other_secret);
    let (contact, _) = tenant.contact("Anna");
    tenant.key.patch(&format!("/v1/contacts/{contact}"), json!({"name": "Bea"})).expect(200);
    let to_all = all.wait_for("contact.updated", SOON);
    let to_some = some.wait_for("contact.updated", SOON);
    assert_eq!((to_all.id(), &to_all.body), (to_some.id(), &to_some.body), "one event for both");
    to_all.verify(&main_secret).unwrap();
    to_some.verify(&other_secret).unwrap();
    assert!(to_some.verify(&main_secret).is_err());
    assert!(some.deliveries().iter().all(|delivery| delivery.kind() == "contact.updated"));
    all.wait_for("contact.created", SOON);
}

#[test]
fn the_first_is_the_one_of_the_published_operations() {
    let tenant = Tenant::new(App::shared());
    let first = add(&tenant, "https://example.com/1", &["contact.created"]);
    let second = add(&tenant, "https://example.com/2", &[]);
    assert_eq!(tenant.key.get("/v1/webhooks").expect(200), first);
    let listed = tenant.key.get("/v1/webhooks/endpoints").expect(200);
    assert_eq!(listed["endpoints"], json!([first, second]));
    tenant.key.delete("/v1/webhooks").expect(204);
    assert!(tenant.key.get("/v1/webhooks").expect(200).get("id").is_none(), "the second does not step in");
    tenant.key.delete("/v1/webhooks").expect(204);
    let again = tenant.key.patch("/v1/webhooks", json!({"url": "https://example.com/3"})).expect(200);
    let listed = tenant.key.get("/v1/webhooks/endpoints").expect(200);
    assert_eq!(listed["endpoints"], json!([second, again]));
}

#[test]
fn an_endpoint_is_read_changed_and_removed() {
    let tenant = Tenant::new(App::shared());
    add(&tenant, "https://example.com/main", &[]);
    let made = add(&tenant, "https://example.com/a", &["message.created"]);
    let path = format!("/v1/webhooks/endpoints/{}", text(&made, "id"));
    assert_eq!(tenant.key.get(&path).expect(200), made);
    let change =
        json!({"description": "The CRM – Café", "ordering": "contact", "signatureSchemes": ["v1a", "v1"]});
    let changed = tenant.key.patch(&path, change).expect(200);
    assert_eq!(changed["description"], "The CRM – Café");
    assert_eq!(
        (&changed["ordering"], &changed["signatureSchemes"]),
        (&json!("contact"), &json!(["v1", "v1a"]))
    );
    assert_eq!((&changed["url"], &changed["eventTypes"]), (&made["url"], &made["eventTypes"]));
    let cleared = tenant.key.patch(&path, json!({"description": null})).expect(200);
    assert!(cleared.get("description").is_none() && cleared["ordering"] == "contact");
    tenant.key.delete(&path).expect(204);
    for answer in [tenant.key.get(&path), tenant.key.patch(&path, json!({})), tenant.key.delete(&path)] {
        answer.problem(404, "webhook_endpoint_not_found");
    }
}

#[test]
fn wrong_values_are_named() {
    let tenant = Tenant::new(App::shared());
    let wrong = |body: Value| tenant.key.post("/v1/webhooks/endpoints", body).wrong_fields(422);
    assert_eq!(wrong(json!({})), ["url"]);
    assert_eq!(wrong(json!({"url": "http://example.com/"})), ["url"]);
    let url = "https://example.com/";
    assert_eq!(wrong(json!({"url": url, "eventTypes": ["x"]})), ["eventTypes[0]"]);
    assert_eq!(wrong(json!({"url": url, "ordering": "random"})), ["ordering"]);
    assert_eq!(wrong(json!({"url": url, "description": "x".repeat(501)})), ["description"]);
    for schemes in [json!([]), json!(["v1a"]), json!(["v2"]), json!(["v1", "v1"])] {
        assert_eq!(wrong(json!({"url": url, "signatureSchemes": schemes})), ["signatureSchemes"]);
    }
    assert_eq!(tenant.key.get("/v1/webhooks/endpoints").expect(200)["endpoints"], json!([]));
}

#[test]
fn twenty_are_enough() {
    let tenant = Tenant::new(App::shared());
    for number in 0..20 {
        add(&tenant, &format!("https://example.com/{number}"), &[]);
    }
    let one_more = json!({"url": "https://example.com/20"});
    tenant.key.post("/v1/webhooks/endpoints", one_more).problem(409, "too_many_endpoints");
}

#[test]
fn keys_of_an_endpoint_rotate_and_go_with_it() {
    let tenant = Tenant::new(App::shared());
    let receiver = Receiver::start();
    add(&tenant, "https://example.com/main", &[]);
    let endpoint = add(&tenant, &receiver.url, &["contact.created"]);
    let old = secret(&tenant, &endpoint);
    let path = format!("/v1/webhooks/endpoints/{}", text(&endpoint, "id"));
    let rotated = tenant.key.post(&format!("{path}/signing-keys/rotate"), json!({})).expect(200);
    let new = text(&rotated["signingKey"], "plaintextKey");
    tenant.contact("Anna");
    let delivery = receiver.wait_for("contact.created", SOON);
    delivery.verify(&old).unwrap();
    delivery.verify(&new).unwrap();
    tenant.key.delete(&path).expect(204);
    tenant.key.get(&format!("{path}/signing-keys")).problem(404, "webhook_endpoint_not_found");
}
