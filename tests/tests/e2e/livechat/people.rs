//! Inboxes and contacts: who is who, and who may say so.

use super::Chat;
use serde_json::{Value, json};
use tests::client::text;
use tests::{App, unique};

#[test]
fn an_inbox_tells_what_a_chat_window_needs() {
    let chat = Chat::new(&json!({"hmacMandatory": true}));
    let seen = chat.client.get(&chat.path).expect(200);
    assert_eq!(seen["name"], "Website chat");
    assert_eq!(seen["identity_validation_enabled"], true);
    assert_eq!(seen["working_hours"].as_array().unwrap().len(), 7);
    assert!(chat.path.ends_with(seen["identifier"].as_str().unwrap()));
    assert_eq!(chat.client.get(&format!("{}/", chat.path)).expect(200), seen, "a slash does not matter");
    chat.client.get("/public/api/v1/inboxes/nothing").expect(404);
    chat.tenant.key.delete(&format!("/v1/inboxes/{}", chat.inbox)).expect(204);
    let gone = chat.client.get(&chat.path);
    assert_eq!(gone.expect(404), json!({"status": 404, "error": "Not Found"}));
}

#[test]
fn whatsapp_inboxes_are_no_live_chats() {
    let chat = Chat::new(&json!({}));
    let whatsapp = chat.tenant.inbox();
    chat.client.get(&format!("/public/api/v1/inboxes/{}", whatsapp.phone_number_id)).expect(404);
}

#[test]
fn pages_of_any_origin_may_call() {
    let chat = Chat::new(&json!({}));
    let asked =
        chat.client.raw(&http::Method::OPTIONS, &format!("{}/contacts", chat.path), None, b"").unwrap();
    assert_eq!((asked.status, asked.header("access-control-allow-origin")), (204, "*"));
    assert!(asked.header("access-control-allow-methods").contains("PATCH"));
    assert_eq!(chat.client.get(&chat.path).header("access-control-allow-origin"), "*");
    let missing = chat.client.get(&format!("{}/contacts/nobody", chat.path));
    assert_eq!((missing.status, missing.header("access-control-allow-origin")), (404, "*"));
}

#[test]
fn a_contact_is_made_read_and_changed() {
    let chat = Chat::new(&json!({}));
    let email = format!("{}@example.com", unique::word());
    let anna = chat.customer(json!({"name": "Anna", "email": email.to_uppercase(), "unknown": 1}));
    assert_eq!((&anna.contact["name"], &anna.contact["email"]), (&json!("Anna"), &json!(email)));
    assert_eq!(anna.contact["phone_number"], Value::Null);
    assert_eq!(text(&anna.contact, "pubsub_token").len(), 43);
    assert_eq!(anna.client.get(&anna.path).expect(200), anna.contact);

    let phone = unique::phone();
    let changed =
        anna.client.patch(&anna.path, json!({"phone_number": phone, "name": "Anna K."})).expect(200);
    assert_eq!((&changed["name"], &changed["phone_number"]), (&json!("Anna K."), &json!(phone)));
    assert_eq!(changed["email"], json!(email), "what is absent stays");
    assert_eq!(anna.client.put(&anna.path, json!({"name": "Anna"})).expect(200)["name"], "Anna");

    let contacts = chat.tenant.key.get("/v1/contacts").expect(200);
    assert_eq!(contacts["contacts"].as_array().unwrap().len(), 1, "{contacts}");
    assert_eq!(contacts["contacts"][0]["name"], "Anna");
    assert_eq!(contacts["contacts"][0]["identities"][0]["channel"], "text");

    for path in
        [format!("{}/contacts/nobody", chat.path), anna.path.replace(&chat.path, "/public/api/v1/inboxes/x")]
    {
        anna.client.get(&path).expect(404);
        anna.client.patch(&path, json!({"name": "x"})).expect(404);
    }
    let wrong = |body: Value| {
        let answer = chat.client.post(&format!("{}/contacts", chat.path), body).expect(422);
        answer["attributes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap().to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(wrong(json!({"email": "nobody"})), ["email"]);
    assert_eq!(wrong(json!({"phone_number": "123"})), ["phone_number"]);
    assert_eq!(wrong(json!({"source_id": "a b"})), ["source_id"]);
    assert_eq!(wrong(json!({"custom_attributes": {"big": "x".repeat(20_000)}})), ["custom_attributes"]);
}

#[test]
fn a_source_id_of_the_pages_own_is_one_visitor() {
    let chat = Chat::new(&json!({}));
    let source_id = unique::word();
    let first = chat.customer(json!({"source_id": source_id, "name": "Anna"}));
    let again = chat.customer(json!({"source_id": source_id}));
    assert_eq!(first.contact, again.contact);
    // The same name on another inbox of the tenant is somebody else.
    let inbox = chat.tenant.key.post("/v1/inboxes", json!({"text": {"name": "Other"}})).expect(200);
    let path = format!("/public/api/v1/inboxes/{}/contacts", text(&inbox["inboxes"][0], "externalId"));
    let other = chat.client.post(&path, json!({"source_id": source_id, "name": "Berta"})).expect(200);
    assert_ne!(other["id"], first.contact["id"]);
    assert_ne!(other["pubsub_token"], first.contact["pubsub_token"]);
}

#[test]
fn a_known_contact_is_used_again_and_tells_a_stranger_nothing() {
    let chat = Chat::new(&json!({}));
    let (email, phone) = (format!("{}@example.com", unique::word()), unique::phone());
    let anna = chat.customer(json!({"name": "Anna", "email": email, "phone_number": phone}));
    let conversation = anna.conversation();
    anna.writes(&conversation, "my secret");

    let stranger = chat.customer(json!({"email": email}));
    assert_eq!(stranger.contact["id"], anna.contact["id"], "the same contact");
    assert_eq!((&stranger.contact["name"], &stranger.contact["phone_number"]), (&Value::Null, &Value::Null));
    let changed = stranger.client.patch(&stranger.path, json!({"name": "Mallory"})).expect(200);
    assert_eq!(changed["name"], "Mallory", "their own word");
    assert_eq!(anna.client.get(&anna.path).expect(200)["name"], "Anna", "the contact's stays");
    assert_eq!(stranger.client.get(&format!("{}/conversations", stranger.path)).expect(200), json!([]));
    let number = conversation.rsplit('/').next().unwrap();
    stranger.client.get(&format!("{}/conversations/{number}", stranger.path)).expect(404);
    stranger.client.get(&format!("{}/conversations/{number}/messages", stranger.path)).expect(404);

    // v1 knows the number: a WhatsApp contact with it is this one.
    let (contact, phone) = chat.tenant.contact("Celina");
    let celina = chat.customer(json!({"phone_number": phone}));
    let seen = chat.tenant.key.get(&format!("/v1/contacts/{contact}")).expect(200);
    assert_eq!(seen["identities"].as_array().unwrap().len(), 2, "{seen}");
    assert_eq!(celina.contact["name"], Value::Null);
}

#[test]
fn who_proves_an_identifier_is_that_person() {
    let chat = Chat::new(&json!({}));
    let (identifier, hash) = ("customer-7", chat.hash("customer-7"));
    let proof = json!({"identifier": identifier, "identifier_hash": hash});
    let mut first = proof.clone();
    first["name"] = json!("Anna");
    let desk = chat.customer(first);
    let conversation = desk.conversation();
    desk.writes(&conversation, "from my desk");

    let phone = chat.customer(proof);
    assert_eq!(phone.contact["id"], desk.contact["id"]);
    assert_eq!(phone.contact["name"], "Anna");
    let number = conversation.rsplit('/').next().unwrap();
    let seen = phone.reads(&format!("{}/conversations/{number}", phone.path));
    assert_eq!(seen[0]["content"], "from my desk", "conversations follow the person");
    assert_eq!(
        phone.client.get(&format!("{}/conversations", phone.path)).expect(200).as_array().unwrap().len(),
        1
    );
    let answered = phone.writes(&format!("{}/conversations/{number}", phone.path), "from my phone");
    assert_eq!(answered["conversation_id"].to_string(), number);

    for wrong in [
        json!({"identifier": identifier, "identifier_hash": chat.hash("customer-8")}),
        json!({"identifier": "customer-8", "identifier_hash": hash}),
        json!({"identifier_hash": hash}),
    ] {
        let refused = chat.client.post(&format!("{}/contacts", chat.path), wrong).expect(401);
        assert!(text(&refused, "error").starts_with("HMAC failed"), "{refused}");
    }
    // Somebody who only claims to be them sees nothing of it.
    let liar = chat.customer(json!({"identifier": identifier}));
    assert_eq!(liar.contact["name"], Value::Null);
    assert_eq!(liar.client.get(&format!("{}/conversations", liar.path)).expect(200), json!([]));
    // A stranger's proof does not take over what is Anna's.
    let other = json!({"identifier": "customer-9", "identifier_hash": chat.hash("customer-9")});
    desk.client.patch(&desk.path, other).expect(401);
}

#[test]
fn a_claim_before_the_proof_gives_no_part_in_the_person() {
    let chat = Chat::new(&json!({}));
    let claimer = chat.customer(json!({"identifier": "customer-1", "name": "Mallory"}));
    let email = format!("{}@example.com", unique::word());
    let owner = chat.customer(json!({"identifier": "customer-1", "identifier_hash": chat.hash("customer-1"),
                                     "name": "Anna", "email": email}));
    owner.client.patch(&owner.path, json!({"email": email, "name": "Anna"})).expect(200);
    assert_eq!(owner.client.get(&owner.path).expect(200)["email"], json!(email));
    assert_eq!(claimer.client.get(&claimer.path).expect(200)["email"], Value::Null);
}

#[test]
fn a_visitor_who_signs_in_later_joins_their_contact() {
    let chat = Chat::new(&json!({}));
    let known =
        chat.customer(json!({"identifier": "c1", "identifier_hash": chat.hash("c1"), "name": "Anna"}));
    let visitor = chat.customer(json!({}));
    visitor.writes(&visitor.conversation(), "before signing in");
    let query = format!("?identifier=c1&identifier_hash={}", chat.hash("c1"));
    let signed_in = visitor.client.get(&format!("{}{query}", visitor.path)).expect(200);
    assert_eq!((&signed_in["id"], &signed_in["name"]), (&known.contact["id"], &json!("Anna")));
    let contacts = chat.tenant.key.get("/v1/contacts").expect(200);
    let contacts = contacts["contacts"].as_array().unwrap();
    assert_eq!((contacts.len(), contacts[0]["identities"].as_array().unwrap().len()), (1, 2), "{contacts:?}");
    let seen = known.client.get(&format!("{}/conversations", known.path)).expect(200);
    assert_eq!(seen.as_array().unwrap().len(), 1, "theirs now");
}

#[test]
fn where_proof_is_mandatory_nobody_goes_without() {
    let chat = Chat::new(&json!({}));
    let early = chat.customer(json!({"name": "Early"}));
    let conversation = early.conversation();
    chat.tenant.key.patch(&format!("/v1/inboxes/{}", chat.inbox), json!({"hmacMandatory": true})).expect(200);
    let contacts = format!("{}/contacts", chat.path);
    chat.client.post(&contacts, json!({"name": "x"})).expect(401);
    early.client.get(&early.path).expect(401);
    early.client.get(&format!("{conversation}/messages")).expect(401);
    early.client.post(&format!("{conversation}/messages"), json!({"content": "x"})).expect(401);
    chat.client.get(&format!("{contacts}/nobody")).expect(404);
    let query = format!("?identifier=e1&identifier_hash={}", chat.hash("e1"));
    early.client.get(&format!("{}{query}", early.path)).expect(200);
    early.writes(&conversation, "proven");
}

#[test]
fn a_contact_that_was_deleted_is_gone_here_too() {
    let (chat, other) = (Chat::new(&json!({})), Chat::new(&json!({})));
    let anna = chat.customer(json!({"name": "Anna"}));
    let elsewhere = anna.path.replace(&chat.path, &other.path);
    App::shared().client().get(&elsewhere).expect(404);
    let contact = text(&chat.tenant.key.get("/v1/contacts").expect(200)["contacts"][0], "id");
    let conversation = anna.conversation();
    chat.tenant.key.delete(&format!("/v1/contacts/{contact}")).expect(204);
    anna.client.get(&anna.path).expect(404);
    anna.client.post(&format!("{conversation}/messages"), json!({"content": "x"})).expect(404);
}

#[test]
fn who_proves_who_they_are_does_not_get_a_deleted_persons_conversations() {
    let chat = Chat::new(&json!({}));
    let proof = json!({"identifier": "u-1", "identifier_hash": chat.hash("u-1")});
    let before = chat.customer(proof.clone());
    let conversation = before.conversation();
    before.writes(&conversation, "secret");
    let contact = text(&chat.tenant.key.get("/v1/contacts").expect(200)["contacts"][0], "id");
    chat.tenant.key.delete(&format!("/v1/contacts/{contact}")).expect(204);
    let after = chat.customer(proof);
    let listed = after.client.get(&format!("{}/conversations", after.path)).expect(200);
    assert_eq!(listed, json!([]));
}
