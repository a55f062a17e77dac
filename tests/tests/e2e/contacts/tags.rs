//! `/v1/tags` and `/v1/contacts/{contactId}/tags/{tagId}`.

use serde_json::{Value, json};
use std::time::Duration;
use tests::client::text;
use tests::{App, Receiver, Tenant, unique, wait_for};

const UNKNOWN: &str = "tag_01HV8Y5R5RFMS0TFK6PKF9H2S8";

/// How many contacts each tag is shown to have, by name.
fn counts(tenant: &Tenant) -> Vec<(String, i64)> {
    let list = tenant.key.get("/v1/tags").expect(200);
    let tags = list["tags"].as_array().unwrap().iter();
    tags.map(|tag| (text(tag, "name"), tag["labeledCount"].as_i64().unwrap())).collect()
}

fn tags_of(tenant: &Tenant, contact: &str) -> Value {
    tenant.key.get(&format!("/v1/contacts/{contact}")).expect(200)["tagIds"].clone()
}

#[test]
fn a_tag_is_made_listed_and_deleted() {
    let tenant = Tenant::new(App::shared());
    assert_eq!(tenant.key.get("/v1/tags").expect(200), json!({"tags": []}));
    let made = tenant.key.post("/v1/tags", json!({"name": " VIP 🌟 "})).expect(201);
    assert_eq!((&made["name"], &made["labeledCount"]), (&json!("VIP 🌟"), &json!(0)));
    assert_eq!(made["createdBy"], json!(tenant.service_account));
    assert!(text(&made, "id").starts_with("tag_"));
    assert_eq!(tenant.key.get("/v1/tags").expect(200), json!({"tags": [made]}));
    let path = format!("/v1/tags/{}", text(&made, "id"));
    tenant.key.delete(&path).expect(204);
    assert_eq!(tenant.key.get("/v1/tags").expect(200), json!({"tags": []}));
    tenant.key.delete(&path).problem(404, "tag_not_found");
    tenant.key.delete("/v1/tags/nonsense").problem(404, "tag_not_found");
}

#[test]
fn names_are_unique_without_regard_to_case() {
    let (tenant, other) = (Tenant::new(App::shared()), Tenant::new(App::shared()));
    tenant.tag("Żółć");
    for same in ["Żółć", "żółć", "ŻÓŁĆ", " żółć "] {
        tenant.key.post("/v1/tags", json!({"name": same})).problem(409, "tag_name_taken");
    }
    tenant.tag("Zolc");
    other.tag("żółć");
    let list = tenant.key.get("/v1/tags").expect(200);
    tenant.key.delete(&format!("/v1/tags/{}", text(&list["tags"][0], "id"))).expect(204);
    tenant.tag("ŻÓŁĆ");
}

#[test]
fn every_wrong_field_of_a_tag_is_named() {
    let tenant = Tenant::new(App::shared());
    for name in [json!(""), json!("  "), json!("x".repeat(101)), json!(5), json!(null)] {
        assert_eq!(tenant.key.post("/v1/tags", json!({"name": name})).wrong_fields(422), ["name"]);
    }
    tenant.key.post("/v1/tags", json!({})).problem(422, "request_validation_failed");
    tenant.tag(&"ż".repeat(100));
}

#[test]
fn tags_are_put_on_and_taken_off() {
    let tenant = Tenant::new(App::shared());
    let (contact, _) = tenant.contact("Anna");
    let (vip, lead) = (tenant.tag("VIP"), tenant.tag("Lead"));
    let path = |tag: &str| format!("/v1/contacts/{contact}/tags/{tag}");
    tenant.key.post(&path(&vip), json!({})).expect(204);
    tenant.key.post(&path(&lead), json!({})).expect(204);
    assert_eq!(tags_of(&tenant, &contact).as_array().unwrap().len(), 2);
    let tagged = tenant.key.get(&format!("/v1/contacts/{contact}")).expect(200);
    tenant.key.post(&path(&vip), json!({})).expect(204);
    assert_eq!(tenant.key.get(&format!("/v1/contacts/{contact}")).expect(200), tagged, "again is no change");
    let found = tenant.key.get(&format!("/v1/contacts?tagIds={vip}")).expect(200);
    assert_eq!(found["contacts"], json!([tagged]));
    assert_eq!(tenant.key.get("/v1/contacts?search=vip").expect(200)["contacts"], json!([tagged]));
    tenant.key.delete(&path(&vip)).expect(204);
    tenant.key.delete(&path(&vip)).expect(204);
    assert_eq!(tags_of(&tenant, &contact), json!([lead]));
}

#[test]
fn what_is_not_there_cannot_be_tagged() {
    let (tenant, other) = (Tenant::new(App::shared()), Tenant::new(App::shared()));
    let (contact, _) = tenant.contact("Anna");
    let (tag, foreign) = (tenant.tag("VIP"), other.tag("VIP"));
    let nobody = "con_01HV8Y5R5RFMS0TFK6PKF9H2S8";
    for (contact, tag, code) in [
        (nobody, tag.as_str(), "contact_not_found"),
        (contact.as_str(), UNKNOWN, "tag_not_found"),
        (contact.as_str(), foreign.as_str(), "tag_not_found"),
    ] {
        let path = format!("/v1/contacts/{contact}/tags/{tag}");
        tenant.key.post(&path, json!({})).problem(404, code);
        tenant.key.delete(&path).problem(404, code);
    }
    assert_eq!(tags_of(&tenant, &contact), json!([]));
}

#[test]
fn counts_are_exact() {
    let tenant = Tenant::new(App::shared());
    let (vip, lead) = (tenant.tag("VIP"), tenant.tag("Lead"));
    let contacts: Vec<String> = (0..3).map(|_| tenant.contact("Anna").0).collect();
    for contact in &contacts {
        tenant.key.post(&format!("/v1/contacts/{contact}/tags/{vip}"), json!({})).expect(204);
        tenant.key.post(&format!("/v1/contacts/{contact}/tags/{vip}"), json!({})).expect(204);
    }
    tenant.key.post(&format!("/v1/contacts/{}/tags/{lead}", contacts[0]), json!({})).expect(204);
    assert_eq!(counts(&tenant), [("VIP".into(), 3), ("Lead".into(), 1)]);
    tenant.key.delete(&format!("/v1/contacts/{}/tags/{vip}", contacts[1])).expect(204);
    tenant.key.delete(&format!("/v1/contacts/{}/tags/{vip}", contacts[1])).expect(204);
    assert_eq!(counts(&tenant), [("VIP".into(), 2), ("Lead".into(), 1)]);
    tenant.key.delete(&format!("/v1/tags/{vip}")).expect(204);
    assert_eq!(counts(&tenant), [("Lead".into(), 1)]);
    assert_eq!(tags_of(&tenant, &contacts[0]), json!([lead]));
}

#[test]
fn one_tag_put_on_by_many_at_once_counts_once() {
    let tenant = Tenant::new(App::shared());
    let (contact, _) = tenant.contact("Anna");
    let tag = tenant.tag("VIP");
    let path = format!("/v1/contacts/{contact}/tags/{tag}");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| tenant.key.post(&path, json!({})).expect(204));
        }
    });
    assert_eq!(counts(&tenant), [("VIP".into(), 1)]);
}

#[test]
fn a_tag_of_many_contacts_is_taken_off_in_the_background() {
    let tenant = Tenant::new(App::shared());
    let tag = tenant.tag("VIP");
    let contacts: Vec<String> = (0..501)
        .map(|_| text(&tenant.key.post("/v1/contacts", json!({"name": "x"})).expect(201), "id"))
        .collect();
    for some in contacts.chunks(500) {
        let body = json!({"contactIds": some, "addTagIds": [tag]});
        tenant.key.post("/v1/contacts/bulk/tags", body).expect(200);
    }
    assert_eq!(counts(&tenant), [("VIP".into(), 501)]);
    tenant.key.delete(&format!("/v1/tags/{tag}")).expect(204);
    assert_eq!(counts(&tenant), []);
    tenant.tag("vip");
    wait_for("the last contact without the tag", Duration::from_secs(20), || {
        let path = format!("/v1/contacts?tagIds={tag}");
        (tenant.key.get(&path).expect(200)["contacts"] == json!([])).then_some(())
    });
    assert_eq!(counts(&tenant), [("vip".into(), 0)]);
}

#[test]
fn a_key_repeats_the_answer() {
    let tenant = Tenant::new(App::shared());
    let once = tenant.key.once(&unique::word());
    let made = once.post("/v1/tags", json!({"name": "VIP"})).expect(201);
    assert_eq!(once.post("/v1/tags", json!({"name": "VIP"})).expect(201), made);
    assert_eq!(counts(&tenant).len(), 1);
}

#[test]
fn the_webhook_hears_of_changed_tags_only() {
    let tenant = Tenant::new(App::shared());
    let (contact, _) = tenant.contact("Anna");
    let tag = tenant.tag("VIP");
    let receiver = Receiver::start();
    tenant.deliver_to(&receiver, &["contact.updated"]);
    let path = format!("/v1/contacts/{contact}/tags/{tag}");
    tenant.key.delete(&path).expect(204);
    tenant.key.post(&path, json!({})).expect(204);
    tenant.key.post(&path, json!({})).expect(204);
    let told = receiver.wait_for("contact.updated", Duration::from_secs(5));
    assert_eq!(told.event["data"]["contact"]["tagIds"], json!([tag]));
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(receiver.deliveries().len(), 1);
}
