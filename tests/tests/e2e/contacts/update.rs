//! `PATCH /v1/contacts/{id}`.

use serde_json::json;
use std::time::Duration;
use tests::client::text;
use tests::{App, Receiver, Tenant};

#[test]
fn what_is_present_changes_and_the_rest_stays() {
    let tenant = Tenant::new(App::shared());
    tenant.fields(&["Stage"]);
    let fields = json!({"stage": "lead"});
    let request = json!({"name": "Anna", "phone": "+48123456789", "customFields": fields});
    let made = tenant.key.post("/v1/contacts", request).expect(201);
    let path = format!("/v1/contacts/{}", text(&made, "id"));

    let changed = tenant.key.patch(&path, json!({"name": "Anna Nowak"})).expect(200);
    let mut expected = made.clone();
    expected["name"] = json!("Anna Nowak");
    expected["updatedAt"] = changed["updatedAt"].clone();
    assert_eq!(changed, expected);
    assert!(text(&changed, "updatedAt") >= text(&made, "updatedAt"));
    assert_eq!(tenant.key.get(&path).expect(200), changed);

    assert_eq!(tenant.key.patch(&path, json!({})).expect(200), changed, "nothing asked, nothing changed");
    let cleared = tenant.key.patch(&path, json!({"name": null})).expect(200);
    assert!(cleared.get("name").is_none());
}

#[test]
fn a_wrong_name_changes_nothing() {
    let tenant = Tenant::new(App::shared());
    let made = tenant.key.post("/v1/contacts", json!({"name": "Anna"})).expect(201);
    let path = format!("/v1/contacts/{}", text(&made, "id"));
    for name in [json!(""), json!("  "), json!("x".repeat(201)), json!(5), json!(["Anna"])] {
        assert_eq!(tenant.key.patch(&path, json!({"name": name})).wrong_fields(422), ["name"]);
    }
    assert_eq!(tenant.key.get(&path).expect(200), made);
}

#[test]
fn an_unknown_contact_is_not_found() {
    let tenant = Tenant::new(App::shared());
    for id in ["con_01HV8Y5R5RFMS0TFK6PKF9H2S8", "nonsense", "con_%00", "..%2f", "1%20OR%201=1"] {
        tenant
            .key
            .patch(&format!("/v1/contacts/{id}"), json!({"name": "Anna"}))
            .problem(404, "contact_not_found");
        tenant.key.get(&format!("/v1/contacts/{id}")).problem(404, "contact_not_found");
    }
}

#[test]
fn the_webhook_hears_of_changes_only() {
    let tenant = Tenant::new(App::shared());
    let (contact, _) = tenant.contact("Anna");
    let receiver = Receiver::start();
    tenant.deliver_to(&receiver, &["contact.updated"]);
    let path = format!("/v1/contacts/{contact}");
    tenant.key.patch(&path, json!({"name": "Anna"})).expect(200);
    let changed = tenant.key.patch(&path, json!({"name": "Anna Nowak"})).expect(200);
    let told = receiver.wait_for("contact.updated", Duration::from_secs(5));
    assert_eq!(told.event["data"], json!({"contact": changed}));
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(receiver.deliveries().len(), 1);
}
