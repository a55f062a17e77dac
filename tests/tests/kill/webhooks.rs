//! The server is killed at each step of a delivery: nothing that happened is lost to the receiver.
//!
//! A delivery's steps are: the event and its place in the queue are written, a worker takes the endpoint, the request
//! leaves, the receiver has it, the answer is on its way, the outcome is written. The receiver tells when it has a
//! request; the kill comes then, or some milliseconds later, or at a moment of no meaning.

use crate::load::Random;
use http::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;
use tests::client::text;
use tests::tenant::template_to;
use tests::{App, Client, Delivery, Inbox, Receiver, Reply, Tenant, unique, wait_for};

/// A lease of an endpoint is short, so that the test is.
const LEASE_MS: &str = "6000";
/// How long a send of unknown outcome waits for word before it counts as failed.
const OUTCOME_WAIT_MS: &str = "3000";
/// How long the receiver takes to answer, so that a kill can hit between request and answer.
const THINKING: Duration = Duration::from_millis(15);
/// A kill comes this long after the receiver has a request, at most.
const LATEST_MS: u64 = 30;
/// When nothing comes, the kill does all the same.
const PATIENCE: Duration = Duration::from_secs(3);
/// All that waits arrives within this time: a lease, and the first two gaps of the schedule.
const SETTLED: Duration = Duration::from_secs(420);
const TYPES: &[&str] = &[
    "contact.created",
    "contact.updated",
    "conversation.started",
    "conversation.updated",
    "message.created",
    "message.updated",
];

/// Answers an event with 500 the first time, if its id says so: retries are killed too.
fn refuses_first(delivery: &Delivery) -> bool {
    delivery.id().ends_with(['0', '3', '7', 'A', 'F'])
}

struct Endpoint {
    receiver: Receiver,
    /// A request has come in.
    signal: mpsc::Receiver<()>,
}

impl Endpoint {
    fn start() -> Self {
        let (sender, signal) = mpsc::channel();
        let (sender, refused) = (Mutex::new(sender), Arc::new(Mutex::new(BTreeSet::new())));
        let receiver = Receiver::answering(move |delivery, _| {
            let _ = sender.lock().unwrap_or_else(PoisonError::into_inner).send(());
            let mut refused = refused.lock().unwrap_or_else(PoisonError::into_inner);
            let fails = refuses_first(delivery) && refused.insert(delivery.id().to_string());
            Reply { after: THINKING, ..Reply::status(if fails { 500 } else { 204 }) }
        });
        Endpoint { receiver, signal }
    }

    /// Waits until a request is in, and then for `pause` more.
    fn wait(&self, pause: Duration) {
        while self.signal.try_recv().is_ok() {}
        let _ = self.signal.recv_timeout(PATIENCE);
        std::thread::sleep(pause);
    }
}

/// What was acknowledged: contacts made and messages accepted.
#[derive(Default)]
struct Acknowledged {
    contacts: Vec<String>,
    messages: Vec<String>,
}

/// Makes contacts and messages until it is told to stop, or the server is gone.
fn work(client: &Client, inbox: &Inbox, stop: &AtomicBool) -> Acknowledged {
    let mut done = Acknowledged::default();
    while !stop.load(Ordering::Relaxed) {
        let post = |path: &str, body: Value, status: u16| {
            let answer = client.try_send(&Method::POST, path, Some(body)).ok()?;
            if answer.status == 503 {
                return None;
            }
            Some(answer.expect(status))
        };
        match post("/v1/contacts", json!({"name": "Zoë"}), 201) {
            Some(contact) => done.contacts.push(text(&contact, "id")),
            None => break,
        }
        match post("/v1/messages", template_to(inbox, &unique::phone()), 202) {
            Some(sent) => done.messages.push(text(&sent["message"], "id")),
            None => break,
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    done
}

/// All events of the tenant, by their ids.
fn events(tenant: &Tenant) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    let mut after = String::new();
    loop {
        let page = tenant.key.get(&format!("/v1/webhooks/events?limit=500{after}")).expect(200);
        for event in page["events"].as_array().unwrap() {
            after = format!("&after={}", text(event, "id"));
            all.insert(text(event, "id"), event.clone());
        }
        if page["more"] == json!(false) {
            return all;
        }
    }
}

#[test]
fn no_webhook_event_is_lost() {
    let rounds = crate::number("FLOWNALLY_KILL_ROUNDS").unwrap_or(50) / 2;
    let seed = crate::number("FLOWNALLY_KILL_SEED").unwrap_or(u64::from(std::process::id()));
    let Some(mut app) = App::own(&[("job_lease_ms", LEASE_MS), ("outcome_wait_ms", OUTCOME_WAIT_MS)]) else {
        return;
    };
    println!("{rounds} rounds, FLOWNALLY_KILL_SEED={seed}");
    let mut random = Random::new(seed);
    let mut tenant = Tenant::new(&app);
    let inbox = tenant.inbox();
    let endpoint = Endpoint::start();
    tenant.deliver_to(&endpoint.receiver, TYPES);
    let mut acknowledged = Acknowledged::default();
    for round in 0..rounds {
        tenant.key = tenant.key.clone().apart();
        let stop = AtomicBool::new(false);
        let pause = Duration::from_millis(random.below(LATEST_MS + 1));
        let done = std::thread::scope(|scope| {
            let working = scope.spawn(|| work(&tenant.key, &inbox, &stop));
            match round % 3 {
                0 => std::thread::sleep(pause * 5),
                1 => endpoint.wait(Duration::ZERO),
                _ => endpoint.wait(pause),
            }
            app.process().kill();
            stop.store(true, Ordering::Relaxed);
            working.join().unwrap()
        });
        acknowledged.contacts.extend(done.contacts);
        acknowledged.messages.extend(done.messages);
        app.process().start_again();
    }
    tenant.key = tenant.key.clone().apart();
    nothing_is_pending(&tenant, &acknowledged.messages);
    everything_arrives(&tenant, &endpoint.receiver);
    let heard = heard(&endpoint.receiver);
    for contact in &acknowledged.contacts {
        assert!(heard.contains(&("contact.created".into(), contact.clone())), "contact.created of {contact}");
    }
    for message in &acknowledged.messages {
        for kind in ["message.created", "message.updated"] {
            assert!(heard.contains(&(kind.into(), message.clone())), "{kind} of {message}");
        }
    }
    let (contacts, messages) = (acknowledged.contacts.len(), acknowledged.messages.len());
    assert!(contacts > 0 && messages > 0);
    println!("{contacts} contacts, {messages} messages, {} deliveries", endpoint.receiver.deliveries().len());
}

/// Each message was sent or has failed: something has happened to it besides its acceptance.
fn nothing_is_pending(tenant: &Tenant, messages: &[String]) {
    for message in messages {
        wait_for("the outcome of a message", SETTLED, || {
            let message = tenant.key.get(&format!("/v1/messages/{message}")).expect(200);
            (message["deliveryStatus"] != "pending").then_some(())
        });
    }
}

/// Each event that was written arrives, as it was written, and nothing but those.
fn everything_arrives(tenant: &Tenant, receiver: &Receiver) {
    wait_for("the arrival of every event", SETTLED, || {
        let (written, arrived) = (events(tenant), accepted(receiver));
        (!written.is_empty() && written.keys().all(|id| arrived.contains(id)) && is_quiet(tenant))
            .then_some(())
    });
    let (deliveries, written) = (receiver.deliveries(), events(tenant));
    for delivery in deliveries {
        assert_eq!(
            written.get(delivery.id()),
            Some(&delivery.event),
            "{} is not what was written",
            delivery.id()
        );
    }
}

/// Ids of what the receiver has accepted.
fn accepted(receiver: &Receiver) -> BTreeSet<String> {
    let mut refused = BTreeSet::new();
    let mut accepted = BTreeSet::new();
    for delivery in receiver.deliveries() {
        if !refuses_first(&delivery) || !refused.insert(delivery.id().to_string()) {
            accepted.insert(delivery.id().to_string());
        }
    }
    accepted
}

/// No delivery waits any more.
fn is_quiet(tenant: &Tenant) -> bool {
    let waiting = tenant.key.get("/v1/webhooks/attempts?status=pending&limit=1").expect(200);
    waiting["attempts"] == json!([])
}

/// Types and subjects of all that arrived.
fn heard(receiver: &Receiver) -> BTreeSet<(String, String)> {
    let subject = |event: &Value| {
        let data = &event["data"];
        let found = ["message", "contact", "conversation"].iter().find_map(|name| data[name]["id"].as_str());
        found.unwrap_or_default().to_string()
    };
    receiver
        .deliveries()
        .iter()
        .map(|delivery| (delivery.kind().to_string(), subject(&delivery.event)))
        .collect()
}
