//! `POST /v1/contacts/bulk/tags`.

use serde_json::{Value, json};
use tests::client::text;
use tests::{Answer, App, Tenant, unique};

fn send(tenant: &Tenant, contacts: &[&str], add: &[&str], remove: &[&str]) -> Answer {
    let body = json!({"contactIds": contacts, "addTagIds": add, "removeTagIds": remove});
    tenant.key.post("/v1/contacts/bulk/tags", body)
}

/// The outcomes in their order.
fn outcomes(answer: &Value) -> Vec<(String, String)> {
    let results = answer["results"].as_array().unwrap().iter();
    results.map(|result| (text(result, "contactId"), text(result, "outcome"))).collect()
}

fn tags_of(tenant: &Tenant, contact: &str) -> Value {
    tenant.key.get(&format!("/v1/contacts/{contact}")).expect(200)["tagIds"].clone()
}

#[test]
fn each_contact_has_its_own_outcome() {
    let (tenant, other) = (Tenant::new(App::shared()), Tenant::new(App::shared()));
    let (old, new) = (tenant.tag("Old"), tenant.tag("New"));
    let [a, b, c] = ["a", "b", "c"].map(|name| tenant.contact(name).0);
    let (foreign, _) = other.contact("foreign");
    tenant.key.post(&format!("/v1/contacts/{a}/tags/{old}"), json!({})).expect(204);
    tenant.key.post(&format!("/v1/contacts/{b}/tags/{new}"), json!({})).expect(204);
    let nobody = "con_01HV8Y5R5RFMS0TFK6PKF9H2S8";
    let untouched = tenant.key.get(&format!("/v1/contacts/{b}")).expect(200);
    let contacts = [a.as_str(), nobody, &b, &foreign, &c, &a];
    let answer = send(&tenant, &contacts, &[&new], &[&old]).expect(200);
    let expected = [
        (a.as_str(), "updated"),
        (nobody, "notFound"),
        (b.as_str(), "unchanged"),
        (foreign.as_str(), "notFound"),
        (c.as_str(), "updated"),
    ]
    .map(|(id, outcome)| (id.to_string(), outcome.to_string()));
    assert_eq!(outcomes(&answer), expected, "in the order of the request, each once");
    for contact in [&a, &b, &c] {
        assert_eq!(tags_of(&tenant, contact), json!([new]));
    }
    assert_eq!(tenant.key.get(&format!("/v1/contacts/{b}")).expect(200), untouched);
    let list = tenant.key.get("/v1/tags").expect(200);
    let counts: Vec<&Value> =
        list["tags"].as_array().unwrap().iter().map(|tag| &tag["labeledCount"]).collect();
    assert_eq!(counts, [0, 3]);
    let again = send(&tenant, &contacts, &[&new], &[&old]).expect(200);
    assert!(outcomes(&again).iter().all(|(_, outcome)| outcome != "updated"), "{again}");
}

#[test]
fn every_wrong_field_is_named() {
    let (tenant, other) = (Tenant::new(App::shared()), Tenant::new(App::shared()));
    let (tag, foreign) = (tenant.tag("VIP"), other.tag("VIP"));
    let (contact, _) = tenant.contact("Anna");
    let contact = contact.as_str();
    let wrong = |contacts: &[&str], add: &[&str], remove: &[&str]| {
        send(&tenant, contacts, add, remove).wrong_fields(422)
    };
    assert_eq!(wrong(&[], &[&tag], &[]), ["contactIds"]);
    assert_eq!(wrong(&vec![contact; 501], &[&tag], &[]), ["contactIds"]);
    assert_eq!(wrong(&[contact], &[], &[]), ["addTagIds"]);
    assert_eq!(wrong(&[contact], &[tag.as_str(); 21], &[]), ["addTagIds"]);
    assert_eq!(wrong(&[contact], &[], &[tag.as_str(); 21]), ["removeTagIds"]);
    assert_eq!(wrong(&[contact], &[&tag, &foreign], &["nonsense"]), ["addTagIds[1]", "removeTagIds[0]"]);
    assert_eq!(wrong(&[contact], &[&tag], &[&tag]), ["removeTagIds[0]"]);
    let path = "/v1/contacts/bulk/tags";
    for (body, field) in [
        (json!({"contactIds": "x", "addTagIds": [tag]}), "contactIds"),
        (json!({"contactIds": [5], "addTagIds": [tag]}), "contactIds[0]"),
        (json!({"contactIds": [contact], "addTagIds": [tag], "tags": []}), "tags"),
    ] {
        assert_eq!(tenant.key.post(path, body).wrong_fields(422), [field]);
    }
    assert_eq!(tags_of(&tenant, contact), json!([]));
}

#[test]
fn a_contact_has_two_hundred_tags_at_most() {
    let tenant = Tenant::new(App::shared());
    let (full, _) = tenant.contact("full");
    let (other, _) = tenant.contact("other");
    let tags: Vec<String> = (0..201).map(|number| tenant.tag(&format!("tag {number}"))).collect();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    for some in tags[..200].chunks(20) {
        send(&tenant, &[&full], some, &[]).expect(200);
    }
    let answer = send(&tenant, &[&full, &other], &[tags[200]], &[]).expect(200);
    let outcomes: Vec<String> = outcomes(&answer).into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(outcomes, ["tagLimitReached", "updated"]);
    let one = format!("/v1/contacts/{full}/tags/{}", tags[200]);
    tenant.key.post(&one, json!({})).problem(409, "contact_tag_limit_reached");
    assert_eq!(tags_of(&tenant, &full).as_array().unwrap().len(), 200);
    let swapped = send(&tenant, &[&full], &[tags[200]], &[tags[0]]).expect(200);
    assert_eq!(swapped["results"][0]["outcome"], "updated");
}

#[test]
fn a_key_repeats_the_answer() {
    let tenant = Tenant::new(App::shared());
    let tag = tenant.tag("VIP");
    let (contact, _) = tenant.contact("Anna");
    let once = tenant.key.once(&unique::word());
    let body = json!({"contactIds": [contact], "addTagIds": [tag]});
    let first = once.post("/v1/contacts/bulk/tags", body.clone()).expect(200);
    let second = once.post("/v1/contacts/bulk/tags", body);
    assert_eq!((second.expect(200), second.header("idempotent-replay")), (first, "true"));
}
