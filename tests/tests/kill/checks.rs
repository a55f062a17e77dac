//! What must hold when everything has come to rest.

use crate::load::{Load, Request};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use tests::client::text;
use tests::{App, whatsapp};

/// Everything in the tenant's conversations, and what the receiver got, at the end.
pub struct Outcome {
    /// By id.
    pub messages: BTreeMap<String, Value>,
    /// Messages of each phone number, oldest first.
    pub by_phone: BTreeMap<String, Vec<Value>>,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut by_status: BTreeMap<&str, usize> = BTreeMap::new();
        for message in self.messages.values().filter(|message| message["senderType"] == "user") {
            *by_status.entry(message["deliveryStatus"].as_str().unwrap_or_default()).or_default() += 1;
        }
        write!(f, "{by_status:?}")
    }
}

impl Outcome {
    /// Walks all contacts and their conversations.
    fn read(load: &Load) -> Self {
        let mut outcome = Outcome { messages: BTreeMap::new(), by_phone: BTreeMap::new() };
        let mut query = "/v1/contacts?channels=whatsapp&pageSize=100".to_string();
        loop {
            let page = load.tenant.key.get(&query).expect(200);
            for contact in page["contacts"].as_array().unwrap() {
                let identity = &contact["identities"][0];
                let phone = text(&identity["metadata"], "phoneNumber");
                let path = text(identity, "id").replace("idn_", "cnv_");
                let path = format!("/v1/conversations/{path}/messages?pageSize=100");
                let answer = load.tenant.key.get(&path);
                if answer.status == 404 {
                    continue;
                }
                let history = answer.expect(200);
                assert!(history.get("nextPageToken").is_none(), "more messages than this test makes");
                let mut messages = history["messages"].as_array().unwrap().clone();
                messages.reverse();
                for message in &messages {
                    let twice = outcome.messages.insert(text(message, "id"), message.clone());
                    assert!(twice.is_none(), "{message} is in two conversations");
                }
                let twice = outcome.by_phone.insert(phone, messages);
                assert!(twice.is_none(), "two contacts have one number: {contact}");
            }
            match page["nextPageToken"].as_str() {
                Some(token) => {
                    query = format!("/v1/contacts?channels=whatsapp&pageSize=100&pageToken={token}")
                }
                None => return outcome,
            }
        }
    }

    fn sent(&self) -> impl Iterator<Item = &Value> {
        self.messages.values().filter(|message| message["senderType"] == "user")
    }
}

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(4);

/// Waits until no job is left, no message is pending and nothing has changed since the last look. The
/// clock ticks meanwhile.
pub fn settle(app: &App, load: &Load, limit: Duration) -> Outcome {
    let internal = app.internal().expect("a server of our own");
    let began = Instant::now();
    let mut before = String::new();
    loop {
        std::thread::sleep(PAUSE);
        let waiting = internal.post("/internal/tick", json!({})).expect(200)["waiting"].clone();
        let outcome = Outcome::read(load);
        let now = outcome.to_string();
        let pending = outcome.sent().filter(|message| message["deliveryStatus"] == "pending").count();
        if waiting == json!([]) && pending == 0 && now == before {
            return outcome;
        }
        assert!(began.elapsed() < limit, "after {limit:?}: {outcome}, and still waiting: {waiting}");
        before = now;
    }
}

/// Each acknowledged send is a message, and no request became two.
pub fn messages_are_all_there(load: &Load, outcome: &Outcome) {
    let mut requested: BTreeMap<&str, usize> = BTreeMap::new();
    for done in &load.acknowledged {
        if let Request::Send { phone, .. } = &done.request {
            let id = text(&done.answer["message"], "id");
            assert!(outcome.messages.contains_key(&id), "{id} was acknowledged and is lost");
            *requested.entry(phone).or_default() += 1;
        }
    }
    for (phone, count) in requested {
        let stored = outcome.by_phone[phone].iter().filter(|message| message["senderType"] == "user").count();
        assert_eq!(stored, count, "one message for each request to {phone}");
    }
}

/// The provider got each message at most once, and what it got shows as sent. A message may fail only
/// with the word that it may have been sent, when the kill hit between sending and noting it. (Their order
/// is not looked at: a send whose answer took too long may be overtaken.)
pub fn nothing_was_sent_twice(app: &App, load: &Load, outcome: &Outcome) {
    let mut sent: BTreeSet<String> = BTreeSet::new();
    for inbox in &load.inboxes {
        let sends = whatsapp::sends(&app.client(), inbox);
        assert!(sends.len() < 1000, "the list of sends is cut");
        for send in sends {
            let reference = text(&send, "reference");
            assert!(sent.insert(reference.clone()), "{reference} was sent twice");
        }
    }
    for message in outcome.sent() {
        let (id, status) = (text(message, "id"), text(message, "deliveryStatus"));
        match (status.as_str(), sent.contains(&id)) {
            ("sent" | "delivered" | "read", true) => {}
            ("failed", false) => {
                let reason = text(message, "failureReason");
                assert!(reason.contains("may have been sent"), "{id} failed without need: {reason}");
            }
            (_, true) => panic!("{id} was sent and shows as {status}"),
            (_, false) => panic!("{id} shows as {status} and was never sent"),
        }
    }
    let failed = outcome.sent().filter(|message| message["deliveryStatus"] == "failed").count();
    assert!(failed * 2 <= outcome.sent().count(), "too many unknown outcomes: {outcome}");
}

/// What the provider was told is taken is there, and nothing is there twice.
pub fn customers_messages_are_there_once(load: &Load, outcome: &Outcome) {
    let count = |phone: &str, wamid: &str| {
        let messages = outcome.by_phone.get(phone).map(Vec::as_slice).unwrap_or_default();
        messages.iter().filter(|message| message["channelMessageId"] == wamid).count()
    };
    for done in &load.acknowledged {
        if let Request::Customer { phone, id, .. } = &done.request {
            assert_eq!(count(phone, id), 1, "{id} of {phone}");
        }
    }
    for request in &load.unknown_customers {
        if let Request::Customer { phone, id, .. } = request {
            assert!(count(phone, id) <= 1, "{id} of {phone} is there twice");
        }
    }
}

/// Every acknowledged event arrived, and repeats came under the same id.
pub fn the_receiver_heard_of_everything(load: &Load, outcome: &Outcome) {
    let mut ids: BTreeMap<(String, String, String), BTreeSet<String>> = BTreeMap::new();
    for delivery in load.receiver.deliveries() {
        let event = &delivery.event;
        let subject = event["data"]["message"]["id"].as_str().or(event["data"]["contact"]["id"].as_str());
        let status = event["data"]["message"]["deliveryStatus"].as_str().unwrap_or_default();
        let key = (delivery.kind().to_string(), subject.unwrap_or_default().to_string(), status.to_string());
        ids.entry(key).or_default().insert(delivery.id().to_string());
    }
    for (event, ids) in &ids {
        assert_eq!(ids.len(), 1, "{event:?} came under several ids");
    }
    let heard = |kind: &str, subject: &str, status: &str| {
        ids.contains_key(&(kind.to_string(), subject.to_string(), status.to_string()))
    };
    for done in &load.acknowledged {
        match &done.request {
            Request::Send { .. } => {
                let id = text(&done.answer["message"], "id");
                assert!(heard("message.created", &id, "pending"), "message.created of {id}");
                let status = text(&outcome.messages[&id], "deliveryStatus");
                assert!(heard("message.updated", &id, &status), "message.updated of {id}, {status}");
            }
            Request::Contact { .. } => {
                let id = text(&done.answer, "id");
                assert!(heard("contact.created", &id, ""), "contact.created of {id}");
            }
            Request::Customer { id, phone, .. } => {
                let stored =
                    outcome.by_phone[phone].iter().find(|message| message["channelMessageId"] == json!(id));
                let id = text(stored.unwrap(), "id");
                let found = ids.keys().any(|(kind, subject, _)| kind == "message.created" && *subject == id);
                assert!(found, "message.created of {id}");
            }
        }
    }
}
