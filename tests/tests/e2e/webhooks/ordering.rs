//! `ordering`: one after the other for each conversation or contact.

use super::SOON;
use serde_json::json;
use std::time::Duration;
use tests::client::text;
use tests::{App, Receiver, Reply, Tenant, unique, wait_for};

fn names(receiver: &Receiver, contact: &str) -> Vec<String> {
    let of = |delivery: &tests::Delivery| delivery.event["data"]["contact"]["id"] == json!(contact);
    receiver.matching(of).iter().map(|delivery| text(&delivery.event["data"]["contact"], "name")).collect()
}

fn rename(tenant: &Tenant, contact: &str, names: &[&str]) {
    for name in names {
        tenant.key.patch(&format!("/v1/contacts/{contact}"), json!({"name": name})).expect(200);
    }
}

fn ordered(receiver: &Receiver, by: &str) -> (Tenant, String, String) {
    let tenant = Tenant::new(App::shared());
    let ((anna, _), (bob, _)) = (tenant.contact("Anna"), tenant.contact("Bob"));
    tenant.deliver_to(receiver, &["contact.updated"]);
    tenant.key.patch("/v1/webhooks", json!({"ordering": by})).expect(200);
    (tenant, anna, bob)
}

/// Refuses the first delivery of Anna's first change, and takes the rest.
fn stumbling() -> Receiver {
    let mut refused = false;
    Receiver::answering(move |delivery, _| {
        let stumble = delivery.event["data"]["contact"]["name"] == "A1" && !refused;
        refused |= stumble;
        Reply::status(if stumble { 500 } else { 200 })
    })
}

#[test]
fn what_follows_waits_and_others_do_not() {
    let receiver = stumbling();
    let (tenant, anna, bob) = ordered(&receiver, "contact");
    rename(&tenant, &anna, &["A1", "A2", "A3"]);
    rename(&tenant, &bob, &["B1", "B2"]);
    wait_for("the other's events", SOON, || (names(&receiver, &bob) == ["B1", "B2"]).then_some(()));
    assert_eq!(names(&receiver, &anna), ["A1"], "the next waits for the second try");
    let waiting = wait_for("the outcomes", SOON, || {
        let page = tenant.key.get("/v1/webhooks/attempts?status=pending").expect(200);
        Some(page["attempts"].as_array().unwrap().clone()).filter(|attempts| attempts.len() == 3)
    });
    let due = waiting.iter().filter(|attempt| attempt["nextAttemptAt"].is_string()).count();
    assert_eq!(due, 1, "those behind have no time of their own: {waiting:?}");
    wait_for("all in order", Duration::from_secs(15), || {
        (names(&receiver, &anna) == ["A1", "A1", "A2", "A3"]).then_some(())
    });
}

#[test]
fn without_order_nothing_waits() {
    let receiver = stumbling();
    let (tenant, anna, _) = ordered(&receiver, "none");
    rename(&tenant, &anna, &["A1", "A2"]);
    wait_for("the second", SOON, || names(&receiver, &anna).contains(&"A2".to_string()).then_some(()));
    assert_eq!(names(&receiver, &anna).len(), 2);
}

#[test]
fn a_given_up_event_lets_the_next_pass() {
    let receiver = Receiver::answering(|delivery, _| {
        if delivery.event["data"]["contact"]["name"] == "A1" {
            return Reply::status(500).with("webhook-delivery", "abort-message");
        }
        Reply::status(200)
    });
    let (tenant, anna, _) = ordered(&receiver, "conversation");
    rename(&tenant, &anna, &["A1", "A2"]);
    wait_for("both", SOON, || (names(&receiver, &anna) == ["A1", "A2"]).then_some(()));
}

#[test]
fn order_given_up_lets_all_go() {
    let receiver = Receiver::answering(|delivery, _| {
        Reply::status(if delivery.event["data"]["contact"]["name"] == "A1" { 500 } else { 200 })
    });
    let (tenant, anna, _) = ordered(&receiver, "contact");
    rename(&tenant, &anna, &["A1", "A2", "A3"]);
    wait_for("the first", SOON, || (names(&receiver, &anna) == ["A1"]).then_some(()));
    tenant.key.patch("/v1/webhooks", json!({"ordering": "none"})).expect(200);
    wait_for("those behind", SOON, || {
        let names = names(&receiver, &anna);
        (names.contains(&"A2".into()) && names.contains(&"A3".into())).then_some(())
    });
}

#[test]
fn many_events_of_many_conversations_keep_their_order() {
    let tenant = Tenant::new(App::shared());
    let receiver = Receiver::answering(|_, nth| Reply::after(Duration::from_millis((nth as u64 * 7) % 13)));
    let contacts: Vec<String> = (0..6).map(|_| tenant.contact("x").0).collect();
    tenant.deliver_to(&receiver, &["contact.updated"]);
    tenant.key.patch("/v1/webhooks", json!({"ordering": "conversation"})).expect(200);
    let wanted: Vec<String> = (0..15).map(|number| format!("{number:02}")).collect();
    std::thread::scope(|scope| {
        for contact in &contacts {
            let (tenant, wanted) = (&tenant, &wanted);
            scope.spawn(move || {
                for name in wanted {
                    rename(tenant, contact, &[name]);
                }
            });
        }
    });
    for contact in &contacts {
        wait_for("all events of a contact", Duration::from_secs(20), || {
            (names(&receiver, contact).len() >= wanted.len()).then_some(())
        });
        assert_eq!(names(&receiver, contact), wanted);
    }
}

#[test]
fn messages_and_their_conversation_share_a_lane() {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let (_, phone) = tenant.contact("Anna");
    let mut first = true;
    let receiver =
        Receiver::answering(move |_, _| Reply::status(if std::mem::take(&mut first) { 500 } else { 200 }));
    tenant.deliver_to(&receiver, &["message.created", "message.updated", "conversation.started"]);
    tenant.key.patch("/v1/webhooks", json!({"ordering": "conversation"})).expect(200);
    tenant.send_template(&inbox, &phone);
    wait_for("the refused event", SOON, || (receiver.deliveries().len() == 1).then_some(()));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(receiver.deliveries().len(), 1, "all belong to one conversation");
    let source = || -> Vec<String> {
        let events = tenant.key.get("/v1/webhooks/events").expect(200);
        events["events"].as_array().unwrap().iter().map(|event| text(event, "id")).collect()
    };
    // Started, created, and at least accepted by the provider and delivered.
    let (all, source) = wait_for("the rest", Duration::from_secs(20), || {
        let (all, source) = (receiver.deliveries(), source());
        (source.len() >= 4 && all.last().is_some_and(|last| last.id() == source[source.len() - 1]))
            .then_some((all, source))
    });
    let mut heard: Vec<String> = all.iter().map(|delivery| delivery.id().to_string()).collect();
    heard.dedup();
    assert_eq!(heard, source);
}

#[test]
fn what_is_brought_back_keeps_its_order() {
    let receiver =
        Receiver::answering(|_, nth| Reply::after(Duration::from_millis(if nth % 2 == 0 { 60 } else { 0 })));
    let (tenant, anna, bob) = ordered(&receiver, "contact");
    tenant.key.patch("/v1/webhooks", json!({"enabled": false})).expect(200);
    let wanted = ["1", "2", "3", "4", "5", "6"];
    rename(&tenant, &anna, &wanted);
    rename(&tenant, &bob, &wanted);
    tenant.key.patch("/v1/webhooks", json!({"enabled": true})).expect(200);
    tenant.key.post("/v1/webhooks/recover", json!({"since": unique::time_in(-60_000)})).expect(200);
    for contact in [&anna, &bob] {
        wait_for("all of them", Duration::from_secs(15), || {
            (names(&receiver, contact).len() >= wanted.len()).then_some(())
        });
        assert_eq!(names(&receiver, contact), wanted);
    }
}

#[test]
fn a_long_lane_is_given_up_in_pieces() {
    let receiver = Receiver::answering(|delivery, _| {
        Reply::status(if delivery.event["data"]["contact"]["name"] == "0" { 500 } else { 200 })
    });
    let (tenant, anna, _) = ordered(&receiver, "contact");
    let all: Vec<String> = (0..620).map(|number| number.to_string()).collect();
    rename(&tenant, &anna, &all.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(names(&receiver, &anna).iter().all(|name| name == "0"));
    tenant.key.patch("/v1/webhooks", json!({"ordering": "none"})).expect(200);
    wait_for("all but the first", Duration::from_secs(20), || {
        (names(&receiver, &anna).iter().filter(|name| *name != "0").count() == 619).then_some(())
    });
}

#[test]
fn a_long_queue_goes_with_its_endpoint() {
    let receiver = Receiver::answering(|_, _| Reply::status(500));
    let (tenant, anna, _) = ordered(&receiver, "contact");
    let all: Vec<String> = (0..620).map(|number| number.to_string()).collect();
    rename(&tenant, &anna, &all.iter().map(String::as_str).collect::<Vec<_>>());
    let pending = || {
        let page = tenant.key.get("/v1/webhooks/attempts?status=pending&limit=1").expect(200);
        page["attempts"].as_array().unwrap().len()
    };
    assert_eq!(pending(), 1);
    tenant.key.delete("/v1/webhooks").expect(204);
    wait_for("nothing to wait", SOON, || (pending() == 0).then_some(()));
}
