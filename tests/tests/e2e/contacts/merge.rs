//! `POST /v1/contacts/{id}/merge` and its undoing.

use serde_json::{Value, json};
use std::time::Duration;
use tests::client::text;
use tests::tenant::template_to;
use tests::{App, Receiver, Tenant};

fn merge(tenant: &Tenant, into: &str, from: &str) -> Value {
    tenant.key.post(&format!("/v1/contacts/{into}/merge"), json!({"contactId": from})).expect(200)
}

fn undo(merge: &Value) -> String {
    format!("/v1/contacts/merges/{}/undo", text(merge, "mergeId"))
}

fn read(tenant: &Tenant, id: &str) -> Value {
    tenant.key.get(&format!("/v1/contacts/{id}")).expect(200)
}

/// A contact without what a merge and its undoing change for good.
fn timeless(mut contact: Value) -> Value {
    contact["updatedAt"] = Value::Null;
    contact
}

#[test]
fn two_contacts_become_one_and_two_again() {
    let tenant = Tenant::new(App::shared());
    let receiver = Receiver::start();
    let inbox = tenant.inbox();
    let (from, phone) = tenant.contact("A. Kowalska");
    let fields = json!({"cf_email": "anna@example.com"});
    let into = tenant.key.post("/v1/contacts", json!({"name": "Anna", "customFields": fields})).expect(201);
    let into = text(&into, "id");
    tenant.key.put("/v1/contacts/by-external-id/crm-1", json!({})).expect(200);
    let sent = tenant.key.post("/v1/messages", template_to(&inbox, &phone)).expect(202);
    let conversation = format!("/v1/conversations/{}", text(&sent["conversation"], "id"));
    let before = (read(&tenant, &into), read(&tenant, &from));
    tenant.deliver_to(&receiver, &["contact.updated", "contact.created"]);

    let merged = merge(&tenant, &into, &from);
    let contact = &merged["contact"];
    assert_eq!((text(contact, "id"), text(contact, "name")), (into.clone(), "Anna".into()));
    assert_eq!(contact["identities"], before.1["identities"]);
    assert_eq!(contact["customFields"]["cf_email"], "anna@example.com");
    assert_eq!(tenant.key.get(&conversation).expect(200)["contactId"], json!(into));
    tenant.key.get(&format!("/v1/contacts/{from}")).problem(404, "contact_not_found");
    assert_eq!(tenant.key.get("/v1/contacts/count").expect(200)["totalSize"], 2);
    let digits = phone.trim_start_matches('+');
    let found = tenant.key.get(&format!("/v1/contacts?search={digits}")).expect(200);
    assert_eq!(found["contacts"][0]["id"], json!(into));

    let undone = tenant.key.post(&undo(&merged), json!({})).expect(200);
    assert_eq!((&undone["contact"]["id"], &undone["restored"]["id"]), (&json!(into), &json!(from)));
    assert_eq!(timeless(read(&tenant, &into)), timeless(before.0));
    assert_eq!(timeless(read(&tenant, &from)), timeless(before.1));
    assert_eq!(tenant.key.get(&conversation).expect(200)["contactId"], json!(from));
    assert_eq!(tenant.key.get("/v1/contacts/count").expect(200)["totalSize"], 3);
    tenant.key.post(&undo(&merged), json!({})).problem(409, "merge_already_undone");
    receiver.wait_for("contact.updated", Duration::from_secs(10));
    receiver.wait_for("contact.created", Duration::from_secs(10));
}

#[test]
fn what_the_other_lacks_comes_over_and_goes_back_unless_it_changed() {
    let tenant = Tenant::new(App::shared());
    let into = text(&tenant.key.post("/v1/contacts", json!({})).expect(201), "id");
    let request =
        json!({"name": "Anna", "customFields": {"cf_email": "a@example.com", "cf_phone": "+48123456789"}});
    let from = text(&tenant.key.put("/v1/contacts/by-external-id/crm-1", request).expect(200), "id");
    let merged = merge(&tenant, &into, &from);
    let contact = &merged["contact"];
    assert_eq!((&contact["name"], &contact["externalId"]), (&json!("Anna"), &json!("crm-1")));
    assert_eq!(contact["customFields"]["cf_phone"], "+48123456789");
    let changed = tenant
        .key
        .put("/v1/contacts/by-external-id/crm-1", json!({"customFields": {"cf_email": "b@example.com"}}));
    assert_eq!(changed.expect(200)["id"], json!(into));
    let undone = tenant.key.post(&undo(&merged), json!({})).expect(200);
    assert_eq!(undone["contact"]["customFields"], json!({"cf_email": "b@example.com"}));
    assert!(
        undone["contact"].get("name").is_none() && undone["contact"].get("externalId").is_none(),
        "{undone}"
    );
    assert_eq!(undone["restored"]["externalId"], "crm-1");
    assert_eq!(undone["restored"]["customFields"]["cf_email"], "a@example.com");
}

#[test]
fn merges_of_merges_are_undone_from_the_last() {
    let tenant = Tenant::new(App::shared());
    let ((a, _), (b, _), (c, _)) = (tenant.contact("a"), tenant.contact("b"), tenant.contact("c"));
    let first = merge(&tenant, &b, &a);
    let second = merge(&tenant, &c, &b);
    assert_eq!(second["contact"]["identities"].as_array().unwrap().len(), 3);
    tenant.key.post(&undo(&first), json!({})).problem(409, "merge_contact_gone");
    tenant.key.post(&undo(&second), json!({})).expect(200);
    tenant.key.post(&undo(&first), json!({})).expect(200);
    for id in [&a, &b, &c] {
        assert_eq!(read(&tenant, id)["identities"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn erasing_takes_what_was_merged_along() {
    let tenant = Tenant::new(App::shared());
    let ((into, _), (from, phone)) = (tenant.contact("Anna"), tenant.contact("Anna K."));
    let merged = merge(&tenant, &into, &from);
    tenant.key.delete(&format!("/v1/contacts/{into}?erase=true")).expect(204);
    tenant.key.post(&undo(&merged), json!({})).problem(404, "merge_not_found");
    tenant.key.delete(&format!("/v1/contacts/{from}?erase=true")).problem(404, "contact_not_found");
    tenant.key.post("/v1/contacts", json!({"phone": phone})).expect(201);
}

#[test]
fn what_is_wrong_is_named() {
    let tenant = Tenant::new(App::shared());
    let (id, _) = tenant.contact("Anna");
    let path = format!("/v1/contacts/{id}/merge");
    let foreign = Tenant::new(App::shared()).contact("Foreign").0;
    for other in [id.as_str(), foreign.as_str(), "con_x", ""] {
        assert_eq!(
            tenant.key.post(&path, json!({"contactId": other})).wrong_fields(422),
            ["contactId"],
            "{other}"
        );
    }
    assert_eq!(tenant.key.post(&path, json!({"contactId": 5})).wrong_fields(422), ["contactId"]);
    tenant.key.post("/v1/contacts/con_x/merge", json!({"contactId": id})).problem(404, "contact_not_found");
    tenant.key.post("/v1/contacts/merges/mrg_x/undo", json!({})).problem(404, "merge_not_found");
}
