//! `GET /v1/contacts/{id}/export`.

use serde_json::json;
use std::collections::BTreeSet;
use tests::client::text;
use tests::tenant::template_to;
use tests::{App, Tenant};

#[test]
fn everything_about_a_person_is_in_one_document() {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let (id, phone) = tenant.contact("Żaneta \"Ć\"");
    let sent: BTreeSet<String> = (0..3)
        .map(|_| {
            let sent = tenant.key.post("/v1/messages", template_to(&inbox, &phone)).expect(202);
            text(&sent["message"], "id")
        })
        .collect();
    let (other, other_phone) = tenant.contact("Other");
    tenant.key.post("/v1/messages", template_to(&inbox, &other_phone)).expect(202);
    let answer = tenant.key.get(&format!("/v1/contacts/{id}/export"));
    let document = answer.expect(200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(document["contact"], tenant.key.get(&format!("/v1/contacts/{id}")).expect(200));
    assert_eq!(document["conversations"][0]["externalId"], phone.trim_start_matches('+'));
    assert_eq!(document["conversations"][0]["sessions"].as_array().unwrap().len(), 1);
    let exported: Vec<String> =
        document["messages"].as_array().unwrap().iter().map(|message| text(message, "id")).collect();
    assert_eq!(exported.len(), 3);
    assert_eq!(exported.into_iter().collect::<BTreeSet<_>>(), sent);
    assert!(!answer.to_string().contains(&other), "somebody else is in it");
}

#[test]
fn somebody_without_a_word_has_a_document_too() {
    let tenant = Tenant::new(App::shared());
    let made = tenant.key.post("/v1/contacts", json!({})).expect(201);
    let document = tenant.key.get(&format!("/v1/contacts/{}/export", text(&made, "id"))).expect(200);
    assert_eq!((&document["messages"], &document["conversations"]), (&json!([]), &json!([])));
    tenant.key.get("/v1/contacts/con_x/export").problem(404, "contact_not_found");
}
