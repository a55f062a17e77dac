//! Whether people want to be written to: set by callers, by what they write, and heeded by sends.

use crate::livechat::Chat;
use serde_json::{Value, json};
use std::time::Duration;
use tests::client::text;
use tests::tenant::{template_to, text_to};
use tests::{App, Tenant, unique, wait_for, whatsapp};

const SOON: Duration = Duration::from_secs(10);

/// The consent of the first identity of a contact.
fn consent(tenant: &Tenant, contact: &str) -> Value {
    tenant.key.get(&format!("/v1/contacts/{contact}")).expect(200)["identities"][0]["consent"].clone()
}

fn path(tenant: &Tenant, contact: &str) -> String {
    let read = tenant.key.get(&format!("/v1/contacts/{contact}")).expect(200);
    format!("/v1/contacts/{contact}/identities/{}/consent", text(&read["identities"][0], "id"))
}

#[test]
fn what_a_caller_sets_is_shown_and_heeded() {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let (contact, phone) = tenant.contact("Anna");
    assert!(consent(&tenant, &contact).is_null());
    let path = path(&tenant, &contact);
    let set = tenant.key.put(&path, json!({"state": "optedOut", "source": "phone call"})).expect(200);
    assert_eq!(set["identities"][0]["consent"]["state"], "optedOut");
    let shown = consent(&tenant, &contact);
    assert_eq!((&shown["state"], &shown["source"]), (&json!("optedOut"), &json!("phone call")));
    let at = text(&shown, "at");
    assert!(at.len() == 24 && at.ends_with('Z') && at.as_str() > "2026-01-01", "{at}");
    tenant.key.post("/v1/messages", template_to(&inbox, &phone)).problem(409, "recipient_opted_out");
    let by_contact = json!({"inboxId": inbox.id, "recipient": {"type": "contact", "contactId": contact},
        "content": {"type": "template", "template": {"name": "order_ready", "language": "en"}}});
    tenant.key.post("/v1/messages", by_contact).problem(409, "recipient_opted_out");
    tenant.key.put(&path, json!({"state": "optedIn"})).expect(200);
    assert_eq!(consent(&tenant, &contact)["source"], "api");
    tenant.key.post("/v1/messages", template_to(&inbox, &phone)).expect(202);
}

#[test]
fn what_is_wrong_is_named() {
    let tenant = Tenant::new(App::shared());
    let (contact, _) = tenant.contact("Anna");
    let path = path(&tenant, &contact);
    assert_eq!(tenant.key.put(&path, json!({"state": "perhaps"})).wrong_fields(422), ["state"]);
    for source in ["", "whatsapp", &"x".repeat(101)] {
        let request = json!({"state": "optedIn", "source": source});
        assert_eq!(tenant.key.put(&path, request).wrong_fields(422), ["source"], "{source}");
    }
    let (other, _) = tenant.contact("Other");
    let of_other = path.replace(&contact, &other);
    tenant.key.put(&of_other, json!({"state": "optedIn"})).problem(404, "identity_not_found");
}

#[test]
fn stop_and_start_are_obeyed() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let (contact, phone) = tenant.contact("Anna");
    let write = |body: &str, state: &str| {
        whatsapp::customer_writes(&app.client(), &inbox, &phone, body);
        wait_for(state, SOON, || (consent(&tenant, &contact)["state"] == state).then_some(()));
    };
    write(" stop! ", "optedOut");
    assert_eq!(consent(&tenant, &contact)["source"], "keyword");
    tenant.key.post("/v1/messages", text_to(&inbox, &phone, "But")).problem(409, "recipient_opted_out");
    // Other words change nothing.
    whatsapp::customer_writes(&app.client(), &inbox, &phone, "please start the machine");
    write("START", "optedIn");
    tenant.key.post("/v1/messages", text_to(&inbox, &phone, "Welcome back")).expect(202);
}

#[test]
fn nobody_reacts_to_who_opted_out() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let (contact, phone) = tenant.contact("Anna");
    whatsapp::customer_writes(&app.client(), &inbox, &phone, "Hello");
    let identity = path(&tenant, &contact).split('/').nth(5).unwrap().to_string();
    let conversation = format!("/v1/conversations/{}/messages", identity.replace("idn_", "cnv_"));
    let messages = || {
        let answer = tenant.key.get(&conversation);
        let found = if answer.status == 200 { answer.json()["messages"].clone() } else { json!([]) };
        found.as_array().unwrap().clone()
    };
    let message = wait_for("the message", SOON, || messages().first().cloned());
    let reactions = format!("/v1/messages/{}/reactions", text(&message, "id"));
    let react = |body: Value| tenant.key.post(&reactions, body);
    react(json!({"emoji": "👍"})).expect(200);
    let path = path(&tenant, &contact);
    tenant.key.put(&path, json!({"state": "optedOut"})).expect(200);
    react(json!({"emoji": "❤️"})).problem(409, "recipient_opted_out");
    assert_eq!(messages()[0]["reactions"][0]["emoji"], "👍");
    // Taking one off tells the customer nothing.
    react(json!({"emoji": "👍", "removed": true})).expect(200);
    assert!(messages()[0]["reactions"].as_array().is_none_or(Vec::is_empty));
    tenant.key.put(&path, json!({"state": "optedIn"})).expect(200);
    react(json!({"emoji": "❤️"})).expect(200);
}

#[test]
fn a_live_chat_message_is_not_released_to_who_opted_out_meanwhile() {
    let chat = Chat::new(&json!({}));
    let anna = chat.customer(json!({"name": "Anna"}));
    let conversation = anna.conversation();
    anna.writes(&conversation, "Hello");
    let key = &chat.tenant.key;
    let recipient =
        json!({"type": "channel", "channel": "text", "externalId": text(&anna.contact, "source_id")});
    let request = json!({"inboxId": chat.inbox, "recipient": recipient, "sendAt": unique::time_in(1500),
        "content": {"type": "text", "text": {"body": "Later"}}});
    let accepted = key.post("/v1/messages", request.clone()).expect(202);
    let contact = text(&key.get("/v1/contacts").expect(200)["contacts"][0], "id");
    key.put(&path(&chat.tenant, &contact), json!({"state": "optedOut"})).expect(200);
    key.post("/v1/messages", request).problem(409, "recipient_opted_out");
    let message = format!("/v1/messages/{}", text(&accepted["message"], "id"));
    let failed = wait_for("the message to fail", SOON, || {
        let message = key.get(&message).expect(200)["message"].clone();
        (message["deliveryStatus"] == "failed").then_some(message)
    });
    assert!(text(&failed, "failureReason").contains("does not want"), "{failed}");
    assert_eq!(anna.reads(&conversation).len(), 1, "the customer's own");
}

#[test]
fn what_waits_is_not_sent_to_who_opted_out_meanwhile() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let (contact, phone) = tenant.contact("Anna");
    let mut request = template_to(&inbox, &phone);
    request["sendAt"] = json!(unique::time_in(1500));
    let accepted = tenant.key.post("/v1/messages", request).expect(202);
    tenant.key.put(&path(&tenant, &contact), json!({"state": "optedOut"})).expect(200);
    let message = format!("/v1/messages/{}", text(&accepted["message"], "id"));
    let failed = wait_for("the message to fail", SOON, || {
        let message = tenant.key.get(&message).expect(200)["message"].clone();
        (message["deliveryStatus"] == "failed").then_some(message)
    });
    assert!(text(&failed, "failureReason").contains("does not want"), "{failed}");
    assert!(whatsapp::sends(&app.client(), &inbox).is_empty());
}
