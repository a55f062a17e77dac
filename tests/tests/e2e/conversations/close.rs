//! `POST /v1/conversations/{id}/close`, also while a customer writes.

use super::{Customer, SOON};
use serde_json::json;
use std::collections::BTreeMap;
use tests::client::text;
use tests::{App, Receiver, Tenant, unique, wait_for, whatsapp};

#[test]
fn a_closed_conversation_opens_again_with_the_next_message() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let receiver = Receiver::start();
    let customer = Customer::writes(app, &tenant, &inbox, "Hello");
    tenant.deliver_to(&receiver, &["conversation.closed", "conversation.started"]);
    let before = customer.details(&tenant.owner.client);
    let closed = customer.close(&tenant.owner.client);
    assert_eq!((&closed["status"], &closed["unreadCount"]), (&json!("closed"), &json!(0)));
    assert_eq!(closed["sessionId"], before["sessionId"]);
    let told = receiver.wait_for("conversation.closed", SOON);
    assert_eq!(told.event["data"]["conversation"]["sessionId"], before["sessionId"]);
    assert_eq!(told.event["data"]["conversation"]["status"], "closed");
    tenant.key.post(&customer.path("/close"), json!({})).problem(409, "conversation_not_open");
    // What was not read before does not come back with the next session.
    customer.writes_again(app, &tenant, &inbox, "Once more");
    let open = customer.details(&tenant.owner.client);
    assert_eq!((&open["status"], &open["unreadCount"]), (&json!("open"), &json!(1)));
    assert_ne!(open["sessionId"], before["sessionId"]);
    receiver.wait_for("conversation.started", SOON);
    assert_eq!(customer.messages(&tenant.key).len(), 2);
}

#[test]
fn closing_takes_no_body() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let customer = Customer::writes(app, &tenant, &tenant.inbox(), "Hello");
    let answer = tenant.key.raw(&http::Method::POST, &customer.path("/close"), None, b"").unwrap();
    assert_eq!(answer.status, 200, "{answer}");
}

#[test]
fn of_many_who_close_one_does() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let customer = Customer::writes(app, &tenant, &tenant.inbox(), "Hello");
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let closing = || tenant.key.post(&customer.path("/close"), json!({})).status;
        let threads: Vec<_> = (0..10).map(|_| scope.spawn(closing)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 9, "{statuses:?}");
}

/// A hundred times the customer writes while an agent closes: the message is there once, either in the session that
/// was closed, or in a new one, which is open and shows it as unread.
#[test]
fn a_message_that_arrives_while_its_conversation_is_closed_is_not_lost() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let owner = &tenant.owner.client;
    let customer = Customer::writes(app, &tenant, &inbox, "start");
    let mut ends: BTreeMap<&str, u32> = BTreeMap::new();
    for round in 0..100_u32 {
        // Opens it again where the last round left it closed.
        tenant.send_template(&inbox, &customer.phone);
        let before = text(&customer.details(owner), "sessionId");
        let body = format!("message {round}");
        let closed = std::thread::scope(|scope| {
            let writing =
                scope.spawn(|| whatsapp::customer_writes(&app.client(), &inbox, &customer.phone, &body));
            let closing = scope.spawn(|| {
                std::thread::sleep(std::time::Duration::from_millis(u64::from(round % 10) * 2));
                owner.post(&customer.path("/close"), json!({}))
            });
            writing.join().unwrap();
            closing.join().unwrap()
        });
        assert_eq!(text(&closed.expect(200), "sessionId"), before);
        customer.message(&tenant, &body);
        let messages = customer.messages(&tenant.key);
        let stored: Vec<_> = messages.iter().filter(|one| one["content"]["text"]["body"] == *body).collect();
        assert_eq!(stored.len(), 1, "{stored:?}");
        let details = customer.details(owner);
        if stored[0]["sessionId"] == before.as_str() {
            *ends.entry("closed with it").or_default() += 1;
            assert_eq!((&details["status"], &details["unreadCount"]), (&json!("closed"), &json!(0)));
        } else {
            *ends.entry("opened the next").or_default() += 1;
            assert_eq!(details["sessionId"], stored[0]["sessionId"]);
            assert_eq!((&details["status"], &details["unreadCount"]), (&json!("open"), &json!(1)));
        }
    }
    eprintln!("messages that arrived while their conversation was closed: {ends:?}");
}

#[test]
fn messages_that_wait_are_sent_after_closing() {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let sent = tenant.send_template(&inbox, &unique::phone());
    let (conversation, message) = (text(&sent["conversation"], "id"), text(&sent["message"], "id"));
    tenant.key.post(&format!("/v1/conversations/{conversation}/close"), json!({})).expect(200);
    wait_for("the message to leave", SOON, || {
        let read = tenant.key.get(&format!("/v1/messages/{message}")).expect(200);
        ["sent", "delivered", "read"].contains(&read["message"]["deliveryStatus"].as_str()?).then_some(())
    });
}
