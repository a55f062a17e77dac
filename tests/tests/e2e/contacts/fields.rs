//! `/v1/contacts/custom-fields` and `/v1/properties/custom-fields`: definitions.

use serde_json::{Value, json};
use std::time::Duration;
use tests::client::text;
use tests::{App, Tenant, wait_for};

const CONTACTS: &str = "/v1/contacts/custom-fields";
const PROPERTIES: &str = "/v1/properties/custom-fields";

fn define(tenant: &Tenant, at: &str, name: &str, kind: &str) -> Value {
    tenant.key.post(at, json!({"name": name, "type": kind})).expect(201)
}

fn ids(tenant: &Tenant, at: &str) -> Vec<String> {
    let list = tenant.key.get(at).expect(200);
    list["customFields"].as_array().unwrap().iter().map(|field| text(field, "id")).collect()
}

fn definition(tenant: &Tenant, id: &str) -> Option<Value> {
    let list = tenant.key.get(CONTACTS).expect(200);
    list["customFields"].as_array().unwrap().iter().find(|field| field["id"] == id).cloned()
}

#[test]
fn every_tenant_has_the_predefined_ones() {
    let tenant = Tenant::new(App::shared());
    let list = tenant.key.get(CONTACTS).expect(200);
    insta::assert_json_snapshot!(list, {".customFields[].createdAt" => "[time]"}, @r#"
    {
      "customFields": [
        {
          "createdAt": "[time]",
          "createdBy": "system",
          "entityType": "contact",
          "id": "cf_email",
          "name": "Email",
          "predefined": true,
          "type": "text"
        },
        {
          "createdAt": "[time]",
          "createdBy": "system",
          "entityType": "contact",
          "id": "cf_phone",
          "name": "Phone",
          "predefined": true,
          "type": "text"
        }
      ]
    }
    "#);
    assert_eq!(tenant.key.get(PROPERTIES).expect(200), json!({"customFields": []}));
    for id in ["cf_email", "cf_phone"] {
        let path = format!("{CONTACTS}/{id}");
        let same = json!({"name": "Email", "type": "text"});
        tenant.key.patch(&path, same).problem(409, "custom_field_predefined");
        tenant.key.delete(&path).problem(409, "custom_field_predefined");
    }
}

#[test]
fn a_definition_is_made_and_listed() {
    let tenant = Tenant::new(App::shared());
    for at in [CONTACTS, PROPERTIES] {
        let made = define(&tenant, at, "  Lifecycle stage ", "date");
        assert_eq!((&made["id"], &made["name"]), (&json!("cf_lifecycle_stage"), &json!("Lifecycle stage")));
        assert_eq!((&made["type"], &made["predefined"]), (&json!("date"), &json!(false)));
        assert_eq!(made["createdBy"], json!(tenant.service_account));
        assert_eq!(made["entityType"], if at == CONTACTS { "contact" } else { "property" });
        let list = tenant.key.get(at).expect(200);
        assert_eq!(list["customFields"].as_array().unwrap().last(), Some(&made));
    }
    let other = Tenant::new(App::shared());
    assert_eq!(ids(&other, CONTACTS), ["cf_email", "cf_phone"], "another tenant has its own");
}

#[test]
fn ids_come_from_names_and_get_a_number_when_taken() {
    let tenant = Tenant::new(App::shared());
    let made: Vec<String> = ["Region", "region!", "RÉGION", "Email", "年齢", "🧑‍🚀", "Województwo"]
        .iter()
        .map(|name| {
            let made = define(&tenant, CONTACTS, name, "text");
            assert_eq!(made["name"], json!(name));
            text(&made, "id")
        })
        .collect();
    let expected =
        ["cf_region", "cf_region_2", "cf_region_3", "cf_email_2", "cf_field", "cf_field_2", "cf_wojewodztwo"];
    assert_eq!(made, expected);
    assert_eq!(text(&define(&tenant, PROPERTIES, "Region", "text"), "id"), "cf_region", "of another entity");
}

#[test]
fn every_wrong_field_of_a_definition_is_named() {
    let tenant = Tenant::new(App::shared());
    for at in [CONTACTS, PROPERTIES] {
        let id = text(&define(&tenant, at, "Region", "text"), "id");
        let path = format!("{at}/{id}");
        for (body, field) in [
            (json!({"name": "", "type": "text"}), "name"),
            (json!({"name": "  ", "type": "text"}), "name"),
            (json!({"name": "x".repeat(101), "type": "text"}), "name"),
            (json!({"name": 5, "type": "text"}), "name"),
            (json!({"name": "Region", "type": "number"}), "type"),
            (json!({"name": "Region", "type": null}), "type"),
            (json!([]), "body"),
        ] {
            assert_eq!(tenant.key.post(at, body.clone()).wrong_fields(422), [field], "{body}");
            assert_eq!(tenant.key.patch(&path, body.clone()).wrong_fields(422), [field], "{body}");
        }
        for body in [json!({"name": "Region"}), json!({"type": "text"}), json!({})] {
            tenant.key.post(at, body.clone()).problem(422, "request_validation_failed");
            tenant.key.patch(&path, body).problem(422, "request_validation_failed");
        }
    }
}

#[test]
fn a_new_name_keeps_the_id_and_gives_a_new_key() {
    let tenant = Tenant::new(App::shared());
    for at in [CONTACTS, PROPERTIES] {
        let made = define(&tenant, at, "Region", "text");
        let path = format!("{at}/cf_region");
        let changed = tenant.key.patch(&path, json!({"name": "Sales area", "type": "text"})).expect(200);
        let mut expected = made.clone();
        expected["name"] = json!("Sales area");
        assert_eq!(changed, expected);
    }
    let contact = |fields: Value| tenant.key.post("/v1/contacts", json!({"customFields": fields}));
    assert_eq!(
        contact(json!({"salesArea": "North"})).expect(201)["customFields"],
        json!({"cf_region": "North"})
    );
    // The old name is nobody's any more, and so stands for itself.
    assert_eq!(contact(json!({"region": "North"})).expect(201)["customFields"], json!({"region": "North"}));
}

#[test]
fn definitions_of_one_entity_are_not_those_of_the_other() {
    let tenant = Tenant::new(App::shared());
    define(&tenant, PROPERTIES, "Region", "text");
    let body = json!({"name": "Region", "type": "text"});
    let path = format!("{CONTACTS}/cf_region");
    tenant.key.patch(&path, body.clone()).problem(404, "custom_field_not_found");
    tenant.key.delete(&path).problem(404, "custom_field_not_found");
    for id in ["cf_email", "cf_none", "nonsense", "con_%00"] {
        let path = format!("{PROPERTIES}/{id}");
        tenant.key.patch(&path, body.clone()).problem(404, "custom_field_not_found");
        tenant.key.delete(&path).problem(404, "custom_field_not_found");
    }
    tenant.key.delete(&format!("{PROPERTIES}/cf_region")).expect(204);
    assert_eq!(ids(&tenant, PROPERTIES), Vec::<String>::new());
}

#[test]
fn there_are_two_hundred_at_most() {
    let tenant = Tenant::new(App::shared());
    for number in 0..200 {
        define(&tenant, PROPERTIES, &format!("Field {number}"), "text");
    }
    let one_more = json!({"name": "One more", "type": "text"});
    tenant.key.post(PROPERTIES, one_more.clone()).problem(409, "custom_field_limit_reached");
    assert_eq!(ids(&tenant, PROPERTIES).len(), 200);
    tenant.key.delete(&format!("{PROPERTIES}/cf_field_7")).expect(204);
    tenant.key.post(PROPERTIES, one_more).expect(201);
}

/// Contacts with these values of a new text field: the field's id and theirs.
fn with_values(tenant: &Tenant, values: &[&str]) -> (String, Vec<String>) {
    let field = tenant.field("Since", "text");
    let ids = values.iter().map(|value| {
        let made = tenant.key.post("/v1/contacts", json!({"customFields": {"since": value}})).expect(201);
        text(&made, "id")
    });
    (field.clone(), ids.collect())
}

fn value(tenant: &Tenant, contact: &str, field: &str) -> Value {
    tenant.key.get(&format!("/v1/contacts/{contact}")).expect(200)["customFields"][field].clone()
}

#[test]
fn texts_that_name_days_become_dates() {
    let tenant = Tenant::new(App::shared());
    let (field, contacts) =
        with_values(&tenant, &["2026-04-30", "30.4.2026", "2026/4/3", "2026-04-30T23:00:00Z", "30.4.2026"]);
    let path = format!("{CONTACTS}/{field}");
    let changed = tenant.key.patch(&path, json!({"name": "Since", "type": "date"})).expect(200);
    assert_eq!(changed["type"], "date");
    assert_eq!(changed["progress"], json!({"kind": "converting", "done": 0, "total": 4}));
    wait_for("the end of the conversion", Duration::from_secs(10), || {
        definition(&tenant, &field)?.get("progress").is_none().then_some(())
    });
    let days: Vec<Value> = contacts.iter().map(|contact| value(&tenant, contact, &field)).collect();
    assert_eq!(days, ["2026-04-30", "2026-04-30", "2026-04-03", "2026-04-30", "2026-04-30"]);
    let back = tenant.key.patch(&path, json!({"name": "Since", "type": "text"})).expect(200);
    assert_eq!((&back["type"], back.get("progress")), (&json!("text"), None));
    assert_eq!(value(&tenant, &contacts[1], &field), "2026-04-30");
}

#[test]
fn a_conversion_that_was_broken_off_does_not_stand_for_the_next_one() {
    // Nothing works here but ticks that the test gives.
    let Some(app) = App::own(&[("wake", "off"), ("tick_authority", "127.0.0.1:9")]) else { return };
    let tenant = Tenant::new(&app);
    let (field, contacts) = with_values(&tenant, &["30.4.2026"]);
    let change = |kind: &str| {
        let body = json!({"name": "Since", "type": kind});
        tenant.key.patch(&format!("{CONTACTS}/{field}"), body).expect(200)
    };
    change("date");
    // The job has come behind all values when the field becomes a text again.
    let database = rusqlite::Connection::open(app.process.as_ref().unwrap().database()).unwrap();
    let passed = json!(["x", 0]).to_string();
    let far = database.execute(
        "UPDATE jobs SET payload = ? WHERE kind = 'convert_field' AND tenant_id = ?",
        [&passed, &tenant.id],
    );
    assert_eq!(far.unwrap(), 1);
    change("text");
    assert_eq!(change("date")["progress"], json!({"kind": "converting", "done": 0, "total": 1}));
    app.internal().unwrap().post("/internal/tick", json!({})).expect(200);
    assert!(definition(&tenant, &field).unwrap().get("progress").is_none());
    assert_eq!(value(&tenant, &contacts[0], &field), "2026-04-30");
}

#[test]
fn texts_that_name_no_day_stand_in_the_way() {
    let tenant = Tenant::new(App::shared());
    let (field, contacts) = with_values(&tenant, &["2026-04-30", "soon", "30.4.2026", "03/04/2026"]);
    let path = format!("{CONTACTS}/{field}");
    let date = json!({"name": "Since", "type": "date"});
    let refused = tenant.key.patch(&path, date.clone()).problem(409, "custom_field_values_in_the_way");
    let mut named: Vec<String> =
        refused["errors"].as_array().unwrap().iter().map(|error| text(error, "field")).collect();
    named.sort();
    let mut expected = [contacts[1].clone(), contacts[3].clone()];
    expected.sort();
    assert_eq!(named, expected);
    assert!(refused["errors"].to_string().contains("\\\"soon\\\""), "{refused}");
    let unchanged = definition(&tenant, &field).unwrap();
    assert_eq!((&unchanged["type"], unchanged.get("progress")), (&json!("text"), None));
    assert_eq!(value(&tenant, &contacts[2], &field), "30.4.2026", "nothing was converted");
    for contact in [&contacts[1], &contacts[3]] {
        let path = format!("/v1/contacts/{contact}/custom-fields/{field}");
        tenant.key.put(&path, json!({"value": ""})).expect(204);
    }
    tenant.key.patch(&path, date).expect(200);
}

#[test]
fn a_refusal_names_a_hundred_contacts_at_most() {
    let tenant = Tenant::new(App::shared());
    let values: Vec<String> = (0..110).map(|number| format!("soon {number}")).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let (field, _) = with_values(&tenant, &values);
    let refused = tenant
        .key
        .patch(&format!("{CONTACTS}/{field}"), json!({"name": "Since", "type": "date"}))
        .problem(409, "custom_field_values_in_the_way");
    assert_eq!(refused["errors"].as_array().unwrap().len(), 100);
    assert!(text(&refused, "detail").starts_with("at least 100 contacts"), "{refused}");
}

#[test]
fn deleting_a_field_clears_its_values() {
    let tenant = Tenant::new(App::shared());
    let (field, contacts) = with_values(&tenant, &["a", "b", "c"]);
    let other = tenant.field("Other", "text");
    let path = format!("/v1/contacts/{}/custom-fields/{other}", contacts[0]);
    tenant.key.put(&path, json!({"value": "stays"})).expect(204);
    tenant.key.delete(&format!("{CONTACTS}/{field}")).expect(204);
    wait_for("the end of the field", Duration::from_secs(10), || {
        definition(&tenant, &field).is_none().then_some(())
    });
    for contact in &contacts {
        assert_eq!(value(&tenant, contact, &field), Value::Null);
    }
    assert_eq!(value(&tenant, &contacts[0], &other), "stays");
    assert_eq!(tenant.field("Since", "text"), field, "the id is free again");
}

#[test]
fn while_values_are_deleted_the_definition_says_so_and_takes_none() {
    // Nothing works here but ticks that the test gives.
    let Some(app) = App::own(&[("wake", "off"), ("tick_authority", "127.0.0.1:9")]) else { return };
    let tenant = Tenant::new(&app);
    let (field, contacts) = with_values(&tenant, &["a", "b"]);
    let path = format!("{CONTACTS}/{field}");
    tenant.key.delete(&path).expect(204);
    let shown = definition(&tenant, &field).unwrap();
    assert_eq!(shown["progress"], json!({"kind": "deleting", "done": 0, "total": 2}));
    tenant.key.delete(&path).expect(204);
    let body = json!({"name": "Since", "type": "text"});
    tenant.key.patch(&path, body).problem(409, "custom_field_being_deleted");
    let value_path = format!("/v1/contacts/{}/custom-fields/{field}", contacts[0]);
    tenant.key.put(&value_path, json!({"value": "x"})).problem(404, "custom_field_not_found");
    let contact = json!({"customFields": {"cf_since": "x"}});
    assert_eq!(tenant.key.post("/v1/contacts", contact).wrong_fields(422), ["customFields.cf_since"]);
    assert_eq!(tenant.field("Since", "text"), "cf_since_2", "the id is not free yet");
    app.internal().unwrap().post("/internal/tick", json!({})).expect(200);
    assert_eq!(definition(&tenant, &field), None);
    assert_eq!(value(&tenant, &contacts[0], &field), Value::Null);
}
