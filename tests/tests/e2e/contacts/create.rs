//! `POST /v1/contacts` and `GET /v1/contacts/{id}`.

use serde_json::json;
use std::time::Duration;
use tests::client::text;
use tests::{App, Receiver, Tenant, unique};

#[test]
fn a_contact_is_made_and_read_back() {
    let tenant = Tenant::new(App::shared());
    tenant.fields(&["Lifecycle stage", "Preferred store"]);
    let fields = json!({"lifecycleStage": "lead", "cf_preferred_store": "Krakow"});
    let request = json!({"name": "Anna Kowalska", "phone": "+48 123 456 789", "customFields": fields});
    let made = tenant.key.post("/v1/contacts", request).expect(201);
    insta::assert_json_snapshot!(made, {
        ".id" => "[id]", ".tenantId" => "[tenant]", ".createdAt" => "[time]", ".updatedAt" => "[time]",
        ".identities[].id" => "[id]",
    }, @r#"
    {
      "archivedAt": null,
      "createdAt": "[time]",
      "customFields": {
        "cf_lifecycle_stage": "lead",
        "cf_phone": "+48123456789",
        "cf_preferred_store": "Krakow"
      },
      "id": "[id]",
      "identities": [
        {
          "channel": "whatsapp",
          "id": "[id]",
          "metadata": {
            "phoneNumber": "+48123456789"
          }
        }
      ],
      "name": "Anna Kowalska",
      "tagIds": [],
      "tenantId": "[tenant]",
      "updatedAt": "[time]"
    }
    "#);
    assert_eq!(made["tenantId"], json!(tenant.id));
    assert!(text(&made, "id").starts_with("con_"));
    let read = tenant.key.get(&format!("/v1/contacts/{}", text(&made, "id"))).expect(200);
    assert_eq!(read, made);
}

#[test]
fn everything_is_optional() {
    let tenant = Tenant::new(App::shared());
    let made = tenant.key.post("/v1/contacts", json!({})).expect(201);
    assert!(made.get("name").is_none());
    assert_eq!((&made["identities"], &made["customFields"]), (&json!([]), &json!({})));
}

#[test]
fn a_taken_number_is_refused_in_its_own_tenant_only() {
    let (tenant, other) = (Tenant::new(App::shared()), Tenant::new(App::shared()));
    let (_, phone) = tenant.contact("First");
    let before = tenant.key.get("/v1/contacts").expect(200);
    let second = json!({"name": "Second", "phone": phone});
    tenant.key.post("/v1/contacts", second.clone()).problem(409, "contact_phone_taken");
    assert_eq!(tenant.key.get("/v1/contacts").expect(200), before, "nothing half-made stays");
    other.key.post("/v1/contacts", second).expect(201);
}

#[test]
fn two_at_once_with_one_number_make_one_contact() {
    let tenant = Tenant::new(App::shared());
    let request = json!({"phone": unique::phone()});
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let posts: Vec<_> =
            (0..8).map(|_| scope.spawn(|| tenant.key.post("/v1/contacts", request.clone()).status)).collect();
        posts.into_iter().map(|post| post.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 7, "{statuses:?}");
}

#[test]
fn every_wrong_field_is_named() {
    let tenant = Tenant::new(App::shared());
    let wrong = |body: serde_json::Value| tenant.key.post("/v1/contacts", body).wrong_fields(422);
    assert_eq!(wrong(json!({"name": "", "phone": "12"})), ["name", "phone"]);
    assert_eq!(wrong(json!({"name": "x".repeat(201)})), ["name"]);
    assert_eq!(wrong(json!({"phone": "48123456789"})), ["phone"]);
    // No such country, a digit too few, a digit too many.
    for impossible in ["+999123456789", "+4812345678", "+481234567890", "+1202555014"] {
        assert_eq!(wrong(json!({"phone": impossible})), ["phone"], "{impossible}");
    }
    assert_eq!(wrong(json!({"phone": 48_123_456_789_i64})), ["phone"]);
    assert_eq!(wrong(json!({"customFields": {"stage": 1}})), ["customFields.stage"]);
    assert_eq!(wrong(json!({"customFields": {"a b": "x"}})), ["customFields.a b"]);
    assert_eq!(wrong(json!([])), ["body"]);
    assert_eq!(tenant.key.get("/v1/contacts").expect(200)["contacts"], json!([]));
}

#[test]
fn names_keep_every_character() {
    let tenant = Tenant::new(App::shared());
    for name in
        ["Żółć \"quoted\" \\ back", "李小龍", "🧑‍🚀 emoji", "Robert'); DROP TABLE contacts;--", "a\u{0}b"]
    {
        let made = tenant.key.post("/v1/contacts", json!({"name": name})).expect(201);
        let read = tenant.key.get(&format!("/v1/contacts/{}", text(&made, "id"))).expect(200);
        assert_eq!(read["name"], json!(name));
    }
}

#[test]
fn the_webhook_hears_of_it() {
    let tenant = Tenant::new(App::shared());
    let receiver = Receiver::start();
    tenant.deliver_to(&receiver, &["contact.created"]);
    let made = tenant.key.post("/v1/contacts", json!({"name": "Anna"})).expect(201);
    let told = receiver.wait_for("contact.created", Duration::from_secs(5));
    assert_eq!(told.event["data"], json!({"contact": made}));
}
