//! `PUT /v1/contacts/{contactId}/custom-fields/{customFieldId}`, and values in bodies.

use serde_json::{Value, json};
use std::time::Duration;
use tests::client::text;
use tests::{App, Receiver, Tenant, imports, unique};

#[test]
fn a_value_is_set_changed_and_cleared() {
    let tenant = Tenant::new(App::shared());
    let contact = text(&tenant.key.post("/v1/contacts", json!({"name": "Anna"})).expect(201), "id");
    let field = tenant.field("Preferred store", "text");
    let path = format!("/v1/contacts/{contact}/custom-fields/{field}");
    let read = || tenant.key.get(&format!("/v1/contacts/{contact}")).expect(200);
    let before = read();
    for value in ["Krakow", "Łódź 🧵", "re\u{301}sume\u{301}", "שלום"] {
        tenant.key.put(&path, json!({"value": value})).expect(204);
        assert_eq!(read()["customFields"], json!({"cf_preferred_store": value}));
    }
    let changed = read();
    assert!(text(&changed, "updatedAt") > text(&before, "updatedAt"));
    tenant.key.put(&path, json!({"value": "שלום"})).expect(204);
    assert_eq!(read(), changed, "the same value again is no change");
    tenant.key.put(&path, json!({"value": ""})).expect(204);
    assert_eq!(read()["customFields"], json!({}));
    let cleared = read();
    tenant.key.put(&path, json!({"value": ""})).expect(204);
    assert_eq!(read(), cleared);
}

#[test]
fn a_value_must_fit_its_field() {
    let tenant = Tenant::new(App::shared());
    let (contact, _) = tenant.contact("Anna");
    let (date, free) = (tenant.field("Since", "date"), tenant.field("Note", "text"));
    let put = |field: &str, value: serde_json::Value| {
        tenant.key.put(&format!("/v1/contacts/{contact}/custom-fields/{field}"), json!({"value": value}))
    };
    for wrong in ["soon", "2026-02-30", "30.4.2026", "2026-04-30T10:00:00Z", " 2026-04-30"] {
        assert_eq!(put(&date, json!(wrong)).wrong_fields(422), ["value"], "{wrong}");
        let body = json!({"customFields": {"since": wrong}});
        assert_eq!(tenant.key.post("/v1/contacts", body).wrong_fields(422), ["customFields.since"]);
    }
    put(&date, json!("2024-02-29")).expect(204);
    assert_eq!(put(&free, json!("x".repeat(1001))).wrong_fields(422), ["value"]);
    put(&free, json!("ż".repeat(1000))).expect(204);
    for wrong in ["anna", "anna@", "a b@example.com"] {
        assert_eq!(put("cf_email", json!(wrong)).wrong_fields(422), ["value"], "{wrong}");
    }
    put("cf_email", json!("anna@example.com")).expect(204);
    for wrong in [json!(5), json!(null), json!(["x"])] {
        assert_eq!(put(&free, wrong).wrong_fields(422), ["value"]);
    }
    let read = tenant.key.get(&format!("/v1/contacts/{contact}")).expect(200);
    assert_eq!(read["customFields"]["cf_since"], "2024-02-29");
    assert_eq!(read["customFields"]["cf_email"], "anna@example.com");
}

#[test]
fn what_is_not_there_is_not_found() {
    let tenant = Tenant::new(App::shared());
    let (contact, _) = tenant.contact("Anna");
    let field = tenant.field("Note", "text");
    tenant.key.post("/v1/properties/custom-fields", json!({"name": "Region", "type": "text"})).expect(201);
    let put = |contact: &str, field: &str| {
        tenant.key.put(&format!("/v1/contacts/{contact}/custom-fields/{field}"), json!({"value": "x"}))
    };
    put("con_01HV8Y5R5RFMS0TFK6PKF9H2S8", &field).problem(404, "contact_not_found");
    for unknown in ["cf_none", "note", "cf_region", "%00"] {
        put(&contact, unknown).problem(404, "custom_field_not_found");
    }
}

#[test]
fn keys_of_bodies_are_fields_or_stand_for_themselves() {
    let tenant = Tenant::new(App::shared());
    tenant.fields(&["Stage", "Sales area", "Sales-Area"]);
    let make = |fields: serde_json::Value| tenant.key.post("/v1/contacts", json!({"customFields": fields}));
    let refused = make(json!({"stage": "lead", "cf_shoe": "44", "a b": "x", "long": "x".repeat(1001)}));
    assert_eq!(refused.wrong_fields(422), ["customFields.a b", "customFields.cf_shoe", "customFields.long"]);
    assert!(refused.json()["errors"][1]["message"].as_str().unwrap().starts_with("is no custom field"));
    assert_eq!(
        make(json!({"salesArea": "x"})).wrong_fields(422),
        ["customFields.salesArea"],
        "of two fields"
    );
    assert_eq!(make(json!({"cf_stage": "a", "stage": "b"})).wrong_fields(422), ["customFields.stage"]);
    let made = make(json!({"stage": "lead", "cf_sales_area_2": "North", "cf_email": "", "email": ""}));
    assert_eq!(made.wrong_fields(422), ["customFields.email"], "empty values name a field too");
    let made = make(json!({"stage": "lead", "cf_sales_area_2": "North", "cf_email": ""})).expect(201);
    assert_eq!(made["customFields"], json!({"cf_stage": "lead", "cf_sales_area_2": "North"}));
    // What nobody has defined is kept under its own key, and found by it.
    let made = make(json!({"stage": "won", "shoeSize": "44"})).expect(201);
    assert_eq!(made["customFields"], json!({"cf_stage": "won", "shoeSize": "44"}));
    let found = tenant.key.get("/v1/contacts?customFields[shoeSize]=44").expect(200);
    assert_eq!(found["contacts"][0]["id"], made["id"]);
    tenant.key.get("/v1/contacts?customFields[cf_shoe]=44").expect(400);
}

#[test]
fn the_webhook_hears_of_changed_values_only() {
    let tenant = Tenant::new(App::shared());
    let (contact, _) = tenant.contact("Anna");
    let field = tenant.field("Note", "text");
    let receiver = Receiver::start();
    tenant.deliver_to(&receiver, &["contact.updated"]);
    let path = format!("/v1/contacts/{contact}/custom-fields/{field}");
    tenant.key.put(&path, json!({"value": ""})).expect(204);
    tenant.key.put(&path, json!({"value": "x"})).expect(204);
    tenant.key.put(&path, json!({"value": "x"})).expect(204);
    let told = receiver.wait_for("contact.updated", Duration::from_secs(5));
    let read = tenant.key.get(&format!("/v1/contacts/{contact}")).expect(200);
    assert_eq!(told.event["data"], json!({"contact": read}));
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(receiver.deliveries().len(), 1);
}

#[test]
fn a_phone_number_is_a_value_too_unless_another_is_given() {
    let tenant = Tenant::new(App::shared());
    let numbers: Vec<String> = (0..5).map(|_| unique::phone()).collect();
    let make = |body: Value| tenant.key.post("/v1/contacts", body).expect(201);
    let found = |value: &str| {
        let value = value.replace('+', "%2B");
        let found = tenant.key.get(&format!("/v1/contacts?customFields[cf_phone]={value}")).expect(200);
        let names = found["contacts"].as_array().unwrap().iter().map(|one| text(one, "name"));
        names.collect::<Vec<_>>()
    };
    make(json!({"name": "Anna", "phone": numbers[0]}));
    make(json!({"name": "Jan", "phone": numbers[1], "customFields": {"cf_phone": "internal 17"}}));
    make(json!({"name": "Ola", "phone": numbers[2], "customFields": {"phone": ""}}));
    let by_id = |body: Value| tenant.key.put("/v1/contacts/by-external-id/7", body).expect(200);
    by_id(json!({"name": "Ewa"}));
    by_id(json!({"phone": numbers[3]}));
    imports::run(&tenant.key, format!("name,phone\nAda,{}\n,{}\n", numbers[4], numbers[1]).as_bytes());
    let all: Vec<Vec<String>> = numbers.iter().map(|number| found(number)).collect();
    assert_eq!(all, [vec!["Anna"], vec![], vec![], vec!["Ewa"], vec!["Ada"]]);
    assert_eq!(found("internal%2017"), ["Jan"], "a value stays");
    // One that is there already is not taken for the number of a change.
    by_id(json!({"phone": unique::phone()}));
    assert_eq!(found(&numbers[3]), ["Ewa"]);
}
