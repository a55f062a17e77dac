//! `POST /v1/conversations/{id}/read`: markers, also with many at once.

use super::{Customer, SOON, badge};
use serde_json::{Value, json};
use tests::client::text;
use tests::{App, Receiver, Tenant, unique, wait_for, whatsapp};

#[test]
fn reading_goes_forward_only() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let owner = &tenant.owner.client;
    let customer = Customer::writes(app, &tenant, &inbox, "1");
    let mut messages = vec![customer.message(&tenant, "1")];
    for number in 2..=5 {
        messages.push(customer.writes_again(app, &tenant, &inbox, &number.to_string()));
    }
    assert_eq!(customer.details(owner)["unreadCount"], 5);
    let read = customer.reads(owner, &messages[2]);
    assert_eq!((text(&read, "id"), &read["unreadCount"]), (customer.conversation.clone(), &json!(2)));
    assert_eq!(customer.reads(owner, &messages[0])["unreadCount"], 2, "an older message changes nothing");
    // Markers are everybody's own.
    assert_eq!(customer.details(&tenant.admin().client)["unreadCount"], 5);
    assert_eq!(badge(&tenant.admin().client).0, 5);
    // Up to an outgoing message: what came before it.
    let sent = tenant.send_template(&inbox, &customer.phone);
    customer.writes_again(app, &tenant, &inbox, "6");
    let sent = text(&sent["message"], "id");
    assert_eq!(customer.reads(owner, &sent)["unreadCount"], 1);
}

#[test]
fn only_messages_of_the_conversation_are_taken() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let (anna, bob) =
        (Customer::writes(app, &tenant, &inbox, "Anna"), Customer::writes(app, &tenant, &inbox, "Bob"));
    let of_bob = bob.message(&tenant, "Bob");
    for message in [of_bob.as_str(), "msg_01HV8Z2G8Z3H5M9K2S6A1N0P4K", "", "x"] {
        let answer = tenant.key.post(&anna.path("/read"), json!({"lastMessageId": message}));
        assert_eq!(answer.wrong_fields(422), ["lastMessageId"], "{message}");
    }
    tenant.key.post(&anna.path("/read"), json!({})).expect(422);
}

#[test]
fn reading_is_told_when_it_goes_further() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let receiver = Receiver::start();
    let customer = Customer::writes(app, &tenant, &tenant.inbox(), "Hello");
    tenant.deliver_to(&receiver, &["conversation.updated"]);
    let message = customer.message(&tenant, "Hello");
    customer.reads(&tenant.owner.client, &message);
    let told = receiver.wait_for("conversation.updated", SOON);
    assert_eq!(told.event["data"]["conversation"]["id"], customer.conversation.as_str());
    customer.reads(&tenant.owner.client, &message);
    customer.reads(&tenant.admin().client, &message);
    tests::wait_for("the second event", SOON, || (receiver.deliveries().len() == 2).then_some(()));
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(receiver.deliveries().len(), 2);
}

/// A provider delivers late: what is shown above the message read is read, though it came after it.
#[test]
fn a_late_message_does_not_stay_unread_for_ever() {
    let app = App::shared();
    let Some(secret) = app.whatsapp_app_secret.as_ref() else { return };
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let customer = Customer::writes(app, &tenant, &inbox, "first");
    let first = customer.message(&tenant, "first");
    let id = format!("wamid.{}", unique::word());
    let an_hour_ago = whatsapp::now() - 3600;
    let late = whatsapp::inbound_text(&inbox.phone_number_id, &customer.phone, &id, an_hour_ago, "late");
    let late = late.to_string();
    let signature = whatsapp::signature(secret, late.as_bytes());
    assert_eq!(whatsapp::callback(app, late.as_bytes(), Some(&signature)).status, 200);
    let late = customer.message(&tenant, "late");
    let owner = &tenant.owner.client;
    assert_eq!(customer.messages(owner)[0]["id"], first.as_str(), "sorted by the provider's time");
    // Up to the late one, which is shown before the first: the first is not read by that.
    assert_eq!(customer.reads(owner, &late)["unreadCount"], 2);
    assert_eq!(customer.reads(owner, &first)["unreadCount"], 0);
}

/// Readers and customers at once: versions and markers only grow, and in the end the totals add up.
#[test]
fn counts_hold_while_many_read_and_write() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let customers: Vec<Customer> = (0..3).map(|_| Customer::writes(app, &tenant, &inbox, "0")).collect();
    let owner = &tenant.owner.client;
    let agent = &tenant.agent().client;
    std::thread::scope(|scope| {
        let mut writing = Vec::new();
        for customer in &customers {
            let inbox = &inbox;
            writing.push(scope.spawn(move || {
                for number in 1..=12 {
                    whatsapp::customer_writes(&app.client(), inbox, &customer.phone, &number.to_string());
                }
            }));
            // Two sessions of one person read the same conversation, from newer and older ends.
            for reverse in [false, true] {
                scope.spawn(move || {
                    let mut least = i64::MAX;
                    for _ in 0..12 {
                        let mut messages = customer.messages(owner);
                        if reverse {
                            messages.reverse();
                        }
                        customer.reads(owner, &text(&messages[0], "id"));
                        let total: i64 = badge(owner).0;
                        assert!(total >= 0);
                        least = least.min(total);
                    }
                });
            }
        }
        let version = scope.spawn(move || {
            let mut last = badge(agent);
            for _ in 0..40 {
                let next = badge(agent);
                assert!(next.1 >= last.1, "the version fell from {} to {}", last.1, next.1);
                // The agent reads nothing: their total only grows.
                assert!(next.0 >= last.0, "the total fell from {} to {}", last.0, next.0);
                last = next;
            }
        });
        writing.into_iter().for_each(|thread| thread.join().unwrap());
        version.join().unwrap();
    });
    for customer in &customers {
        customer.message(&tenant, "12");
    }
    let of = |client: &tests::Client| -> i64 {
        let sum = |one: &Customer| one.details(client)["unreadCount"].as_i64().unwrap();
        customers.iter().map(sum).sum()
    };
    tests::wait_for("all messages", SOON, || (of(agent) == 39).then_some(()));
    assert_eq!(badge(agent).0, 39);
    assert_eq!(badge(owner).0, of(owner));
    let version = badge(owner).1;
    for customer in &customers {
        let newest = text(&customer.messages(owner)[0], "id");
        assert_eq!(customer.reads(owner, &newest)["unreadCount"], 0);
    }
    assert_eq!(badge(owner).0, 0);
    assert!(badge(owner).1 >= version);
    assert_eq!(badge(agent).0, 39);
}

/// Many requests with different messages at once: the furthest one counts.
#[test]
fn the_furthest_of_many_readers_wins() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let customer = Customer::writes(app, &tenant, &inbox, "0");
    let mut messages = vec![customer.message(&tenant, "0")];
    for number in 1..8 {
        messages.push(customer.writes_again(app, &tenant, &inbox, &number.to_string()));
    }
    let owner = &tenant.owner.client;
    std::thread::scope(|scope| {
        for _ in 0..3 {
            for message in messages.iter().take(6) {
                let customer = &customer;
                scope.spawn(move || customer.reads(owner, message));
            }
        }
    });
    assert_eq!(customer.details(owner)["unreadCount"], 2);
    assert_eq!(badge(owner).0, 2);
}

#[test]
fn a_customer_on_whatsapp_sees_what_a_person_has_read() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let customer = Customer::writes(app, &tenant, &inbox, "one");
    let mut messages = vec![customer.message(&tenant, "one")];
    for body in ["two", "three"] {
        messages.push(customer.writes_again(app, &tenant, &inbox, body));
    }
    let marked = || -> Vec<String> {
        let path = format!("/sandbox/controls/whatsapp/calls?path={}", inbox.phone_number_id);
        let calls = app.client().get(&path).expect(200)["calls"].as_array().unwrap().clone();
        let bodies =
            calls.iter().filter_map(|call| serde_json::from_str::<Value>(call["body"].as_str()?).ok());
        let marks = bodies.filter(|body| body["status"] == "read");
        marks.map(|body| text(&body, "message_id")).collect()
    };
    let provider_id = |message: &str| {
        let shown = tenant.key.get(&format!("/v1/messages/{message}")).expect(200);
        text(&shown["message"], "channelMessageId")
    };
    customer.reads(&tenant.key, &messages[1]);
    customer.reads(&tenant.owner.client, &messages[2]);
    wait_for("the mark", SOON, || (!marked().is_empty()).then_some(()));
    assert_eq!(marked(), [provider_id(&messages[2])], "what software reads is not told");
    // Nothing new is read, nothing is told; then an outgoing message is the last one.
    customer.reads(&tenant.owner.client, &messages[0]);
    let last = customer.writes_again(app, &tenant, &inbox, "four");
    let sent = text(&tenant.send_template(&inbox, &customer.phone)["message"], "id");
    customer.reads(&tenant.owner.client, &sent);
    wait_for("the second mark", SOON, || (marked().len() == 2).then_some(()));
    assert!(marked().contains(&provider_id(&last)), "{:?}", marked());
}
