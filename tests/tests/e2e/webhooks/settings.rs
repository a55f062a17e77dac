//! `GET`, `PATCH` and `DELETE /v1/webhooks`.

use serde_json::{Value, json};
use tests::{App, Receiver, Tenant};

#[test]
fn a_tenant_without_a_webhook_sees_what_it_could_have() {
    let tenant = Tenant::new(App::shared());
    insta::assert_json_snapshot!(tenant.key.get("/v1/webhooks").expect(200), @r#"
    {
      "availableEventTypes": [
        "contact.created",
        "contact.updated",
        "contact.archived",
        "conversation.started",
        "conversation.updated",
        "conversation.closed",
        "message.created",
        "message.updated"
      ],
      "enabled": false,
      "eventTypes": [],
      "verified": false
    }
    "#);
}

#[test]
fn settings_change_one_by_one() {
    let tenant = Tenant::new(App::shared());
    let url = "https://example.com/hooks/flownally";
    let made = tenant.key.patch("/v1/webhooks", json!({"url": url})).expect(200);
    assert_eq!(
        (&made["enabled"], &made["url"], &made["eventTypes"]),
        (&json!(false), &json!(url), &json!([]))
    );
    let types = json!({"eventTypes": ["message.created", "contact.created", "contact.created"]});
    let typed = tenant.key.patch("/v1/webhooks", types).expect(200);
    assert_eq!(typed["eventTypes"], json!(["contact.created", "message.created"]));
    let enabled = tenant.key.patch("/v1/webhooks", json!({"enabled": true})).expect(200);
    assert_eq!(
        (&enabled["enabled"], &enabled["url"], &enabled["id"]),
        (&json!(true), &json!(url), &made["id"])
    );
    assert_eq!(enabled["eventTypes"], typed["eventTypes"]);
    assert_eq!(tenant.key.get("/v1/webhooks").expect(200), enabled);
}

#[test]
fn enabling_needs_a_url() {
    let tenant = Tenant::new(App::shared());
    let refused = tenant.key.patch("/v1/webhooks", json!({"enabled": true}));
    assert_eq!(refused.wrong_fields(422), ["url"]);
    assert!(tenant.key.get("/v1/webhooks").expect(200).get("id").is_none());
}

#[test]
fn wrong_values_are_named() {
    let tenant = Tenant::new(App::shared());
    let wrong = |body: Value| tenant.key.patch("/v1/webhooks", body).wrong_fields(422);
    assert_eq!(wrong(json!({"eventTypes": ["contact.created", "contact.exploded"]})), ["eventTypes[1]"]);
    for url in [
        "",
        "nope",
        "ftp://example.com/",
        "http://example.com/",
        "https://10.0.0.1/",
        "https://169.254.169.254/",
        "https://[fd00::1]/",
        "https://user:word@example.com/",
        "https://scheduler.spin.internal/internal/tick",
        "http://scheduler.spin.internal/internal/tick",
    ] {
        assert_eq!(wrong(json!({"url": url})), ["url"], "{url}");
    }
    assert_eq!(wrong(json!({"url": format!("https://example.com/{}", "x".repeat(2048))})), ["url"]);
    assert_eq!(wrong(json!({"enabled": "yes"})), ["enabled"]);
}

#[test]
fn deleting_ends_deliveries() {
    let tenant = Tenant::new(App::shared());
    let receiver = Receiver::start();
    tenant.deliver_to(&receiver, &["contact.created"]);
    tenant.key.delete("/v1/webhooks").expect(204);
    let settings = tenant.key.get("/v1/webhooks").expect(200);
    assert_eq!(settings["enabled"], json!(false));
    assert!(settings.get("url").is_none() && settings.get("id").is_none());
    tenant.key.post("/v1/contacts", json!({})).expect(201);
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(receiver.deliveries().is_empty());
    tenant.key.delete("/v1/webhooks").expect(204);
}
