//! Conversations of a customer.

use super::Chat;
use serde_json::{Value, json};
use std::time::Duration;
use tests::client::text;
use tests::{Receiver, wait_for};

#[test]
fn a_customer_has_one_open_conversation() {
    let chat = Chat::new(&json!({}));
    let anna = chat.customer(json!({"name": "Anna"}));
    let path = format!("{}/conversations", anna.path);
    assert_eq!(anna.client.get(&path).expect(200), json!([]));
    let made = anna.client.post(&path, json!({"custom_attributes": {"page": "/a", "n": 1}})).expect(200);
    assert_eq!((&made["id"], &made["status"], &made["messages"]), (&json!(1), &json!("open"), &json!([])));
    assert_eq!(text(&made, "uuid").len(), 36);
    assert_eq!(made["contact"]["name"], "Anna");
    assert_eq!(made["contact_last_seen_at"], 0);
    let again = anna.client.post(&path, json!({"custom_attributes": {"page": "/b"}})).expect(200);
    assert_eq!(again["id"], made["id"]);
    assert_eq!(again["custom_attributes"], json!({"page": "/b", "n": 1}));
    assert_eq!(anna.client.get(&format!("{path}/1")).expect(200), again);
    assert_eq!(anna.client.get(&path).expect(200), json!([again]));
    for missing in ["2", "0", "x", "99999999999999999999"] {
        anna.client.get(&format!("{path}/{missing}")).expect(404);
        anna.client.post(&format!("{path}/{missing}/toggle_status"), json!({})).expect(404);
    }
    let other = chat.customer(json!({}));
    assert_eq!(other.client.post(&format!("{}/conversations", other.path), json!({})).expect(200)["id"], 2);
    other.client.get(&format!("{}/conversations/1", other.path)).expect(404);
}

#[test]
fn both_sides_close_and_the_customer_opens_again() {
    let chat = Chat::new(&json!({}));
    let receiver = Receiver::start();
    let kinds = ["conversation.started", "conversation.updated", "conversation.closed", "message.created"];
    chat.tenant.deliver_to(&receiver, &kinds);
    let anna = chat.customer(json!({}));
    let conversation = anna.conversation();
    anna.writes(&conversation, "Hello");
    let resolve = || anna.client.post(&format!("{conversation}/toggle_status"), json!({})).expect(200);
    assert_eq!(resolve()["status"], "resolved");
    assert_eq!(resolve()["status"], "resolved", "it only resolves");
    let written = anna.writes(&conversation, "One more thing");
    assert_eq!(written["conversation_id"].to_string(), conversation.rsplit('/').next().unwrap());
    assert_eq!(anna.client.get(&conversation).expect(200)["status"], "open");
    let told = wait_for("the events", Duration::from_secs(10), || {
        let mut told: Vec<String> = receiver.deliveries().iter().map(|d| d.kind().to_string()).collect();
        told.sort();
        (told.len() >= 5).then_some(told)
    });
    assert_eq!(
        told,
        [
            "conversation.closed",
            "conversation.started",
            "conversation.updated",
            "message.created",
            "message.created"
        ]
    );
}

#[test]
fn a_session_goes_to_the_inboxs_agents_like_any_other() {
    let chat = Chat::new(&json!({}));
    let anna = chat.customer(json!({"name": "Anna"}));
    let conversation = anna.conversation();
    anna.writes(&conversation, "Is anybody there?");
    let contact = chat.tenant.key.get("/v1/contacts").expect(200)["contacts"][0].clone();
    assert_eq!(contact["name"], "Anna");
    let answer = json!({
        "recipient": {"type": "contact", "contactId": contact["id"]},
        "content": {"type": "text", "text": {"body": "Yes, we are"}}
    });
    let sent = chat.tenant.agent().client.post("/v1/messages", answer).expect(202);
    assert_eq!(sent["conversation"]["channel"], "text");
    assert_eq!(sent["conversation"]["inboxId"], json!(chat.inbox));
    let sent_id = text(&sent["message"], "id");
    let messages = wait_for("the answer", Duration::from_secs(10), || {
        let messages = anna.reads(&conversation);
        (messages.len() == 2).then_some(messages)
    });
    let answer = &messages[1];
    assert_eq!((&answer["content"], &answer["message_type"]), (&json!("Yes, we are"), &json!(1)));
    assert_eq!(answer["sender"]["type"], "user");
    assert_eq!(answer["sender"].get("email"), None, "customers see names only");

    let status = |wanted: &str| {
        wait_for(wanted, Duration::from_secs(5), || {
            let path = format!("/v1/messages/{sent_id}");
            (chat.tenant.key.get(&path).expect(200)["message"]["deliveryStatus"] == wanted).then_some(())
        });
    };
    status("sent");
    let seen = anna.client.post(&format!("{conversation}/update_last_seen"), json!({}));
    assert_eq!((seen.status, seen.body.len()), (200, 0), "{seen}");
    status("read");
    let read = anna.client.get(&conversation).expect(200);
    assert!(read["contact_last_seen_at"].as_i64().unwrap() > 0);
}

#[test]
fn typing_is_on_or_off() {
    let chat = Chat::new(&json!({}));
    let anna = chat.customer(json!({}));
    let path = format!("{}/toggle_typing", anna.conversation());
    for (path, body) in [
        (path.clone(), json!({"typing_status": "on"})),
        (format!("{path}?typing_status=off"), json!({})),
        (format!("{path}?typing_status=on"), Value::Null),
    ] {
        assert_eq!(anna.client.post(&path, body).status, 200);
    }
    anna.client.post(&path, json!({"typing_status": "maybe"})).expect(422);
    anna.client.post(&path, json!({})).expect(422);
}
