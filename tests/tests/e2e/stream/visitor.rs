//! The live-chat customer's own stream.

use super::{QUIET, SOON};
use crate::livechat::{Chat, Customer};
use serde_json::{Value, json};
use std::time::Duration;
use tests::client::text;
use tests::{Events, unique, wait_for};

fn stream(customer: &Customer) -> String {
    format!("{}/stream?pubsub_token={}", customer.path, text(&customer.contact, "pubsub_token"))
}

/// Writes to the customer as the business: the v1 message's id.
fn answer(chat: &Chat, customer: &Customer, body: &str) -> String {
    let recipient =
        json!({"type": "channel", "channel": "text", "externalId": text(&customer.contact, "source_id")});
    let content = json!({"type": "text", "text": {"body": body}});
    let request = json!({"inboxId": chat.inbox, "recipient": recipient, "content": content});
    text(&chat.tenant.key.post("/v1/messages", request).expect(202)["message"], "id")
}

fn content(event: &tests::sse::Event) -> Value {
    event.json()["content"].clone()
}

#[test]
fn a_customer_hears_of_their_own_conversation_and_nothing_else() {
    let chat = Chat::new(&json!({}));
    let (anna, ben) = (chat.customer(json!({"name": "Anna"})), chat.customer(json!({"name": "Ben"})));
    let mut events = Events::ready(&anna.client, &stream(&anna));
    assert!(events.head.contains("access-control-allow-origin: *\r\n"), "{}", events.head);
    let conversation = anna.conversation();
    let started = events.wait_for("conversation.started", SOON).json();
    assert_eq!((&started["id"], &started["status"]), (&json!(1), &json!("open")));
    anna.writes(&conversation, "Hello");
    assert_eq!(content(&events.wait_for("message.created", SOON)), "Hello");
    ben.writes(&ben.conversation(), "Not for Anna");
    let id = answer(&chat, &anna, "Good\nmorning");
    let answered = events.wait_for("message.created", SOON);
    assert_eq!(answered.json(), anna.reads(&conversation)[1], "as the list shows it");
    assert_eq!(
        (content(&answered), answered.json()["message_type"].clone()),
        (json!("Good\nmorning"), json!(1))
    );
    for ours in ["tn_", "svc_", "ibx_", id.as_str()] {
        assert!(!answered.data.contains(ours), "{ours} is not theirs to see: {}", answered.data);
    }
    anna.client.post(&format!("{conversation}/toggle_status"), json!({})).expect(200);
    assert_eq!(events.wait_for("conversation.closed", SOON).json()["status"], "resolved");
    let rest: Vec<_> =
        events.drain(QUIET).into_iter().filter(|event| event.kind == "message.created").collect();
    assert!(rest.is_empty(), "{rest:?}");
}

#[test]
fn a_scheduled_message_comes_to_its_customer_when_it_goes_out() {
    let chat = Chat::new(&json!({}));
    let anna = chat.customer(json!({"name": "Anna"}));
    let conversation = anna.conversation();
    anna.writes(&conversation, "Hello");
    let key = &chat.tenant.key;
    let mut team = Events::ready(key, "/v1/stream?types=message.created,message.updated");
    let mut events = Events::ready(&anna.client, &stream(&anna));
    let since = wait_for("an id", SOON, || events.last_id.clone());
    let recipient =
        json!({"type": "channel", "channel": "text", "externalId": text(&anna.contact, "source_id")});
    let request = json!({"inboxId": chat.inbox, "recipient": recipient, "sendAt": unique::time_in(3000),
        "content": {"type": "text", "text": {"body": "Later"}}});
    let accepted = key.post("/v1/messages", request).expect(202);
    let path = format!("/v1/messages/{}", text(&accepted["message"], "id"));
    key.patch(&path, json!({"content": {"type": "text", "text": {"body": "Now"}}})).expect(200);
    // It waits: nobody tells the customer.
    assert_eq!(events.drain(QUIET).len(), 0);
    let created = events.wait_for("message.created", SOON);
    assert_eq!(created.json(), anna.reads(&conversation)[1], "as the list shows it");
    assert_eq!(content(&created), "Now");
    let rest: Vec<_> = events.drain(QUIET).into_iter().map(|event| event.kind).collect();
    assert!(rest.is_empty(), "{rest:?}");
    // Whoever was away hears of it once, too.
    let again = format!("{}&lastEventId={since}&maxSeconds=0", stream(&anna));
    let told = Events::ready(&anna.client, &again).wait_for_end(SOON);
    let told: Vec<&str> =
        told.iter().map(|event| event.kind.as_str()).filter(|kind| kind.starts_with("message")).collect();
    assert_eq!(told, ["message.created"]);
    // The team has known it all the time.
    let told: Vec<_> = team.drain(QUIET).into_iter().map(|event| event.kind).collect();
    assert_eq!(told, ["message.created", "message.updated", "message.updated"]);
}

#[test]
fn who_never_gave_the_proof_that_the_inbox_asks_for_hears_nothing() {
    let chat = Chat::new(&json!({}));
    let anna = chat.customer(json!({"name": "Anna"}));
    let path = format!("/v1/inboxes/{}", chat.inbox);
    chat.tenant.key.patch(&path, json!({"hmacMandatory": true})).expect(200);
    anna.client.get(&stream(&anna)).problem(403, "auth_identity_not_proven");
}

#[test]
fn only_the_customers_token_opens_it() {
    let chat = Chat::new(&json!({}));
    let (anna, ben) = (chat.customer(json!({})), chat.customer(json!({})));
    let bens = text(&ben.contact, "pubsub_token");
    for query in ["", "?pubsub_token=", "?pubsub_token=x", &format!("?pubsub_token={bens}")] {
        let refused = anna.client.get(&format!("{}/stream{query}", anna.path));
        assert_eq!(refused.status, 404, "{query}: {refused}");
    }
    let elsewhere = Chat::new(&json!({}));
    let source = text(&anna.contact, "source_id");
    let token = text(&anna.contact, "pubsub_token");
    let path = format!("{}/contacts/{source}/stream?pubsub_token={token}", elsewhere.path);
    assert_eq!(anna.client.get(&path).status, 404);
}

#[test]
fn a_customer_who_was_away_misses_nothing() {
    let chat = Chat::new(&json!({}));
    let anna = chat.customer(json!({}));
    let conversation = anna.conversation();
    anna.writes(&conversation, "Hello");
    let mut events = Events::ready(&anna.client, &stream(&anna));
    answer(&chat, &anna, "0");
    events.wait_for("message.created", SOON);
    let last = wait_for("an id", SOON, || events.last_id.clone());
    drop(events);
    for n in 1..=150 {
        answer(&chat, &anna, &n.to_string());
    }
    let path = format!("{}&lastEventId={last}&maxSeconds=0", stream(&anna));
    let mut events = Events::ready(&anna.client, &path);
    let told = events.wait_for_end(Duration::from_secs(30));
    let heard: Vec<String> = told
        .iter()
        .filter(|event| event.kind == "message.created")
        .map(|event| content(event).as_str().unwrap().to_string())
        .collect();
    let expected: Vec<String> = (1..=150).map(|n| n.to_string()).collect();
    assert_eq!(heard, expected);
}
