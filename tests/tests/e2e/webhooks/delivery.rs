//! How events reach the tenant's receiver.

use super::attempts::Watched;
use serde_json::json;
use std::time::Duration;
use tests::client::text;
use tests::{App, Receiver, Reply, Tenant, wait_for};

const SOON: Duration = Duration::from_secs(5);
/// The second attempt comes about five seconds after the first.
const RETRIED: Duration = Duration::from_secs(15);

#[test]
fn a_delivery_is_signed_and_says_what_happened() {
    let tenant = Tenant::new(App::shared());
    let receiver = Receiver::start();
    let secret = tenant.deliver_to(&receiver, &["contact.created"]);
    let made = tenant.key.post("/v1/contacts", json!({"name": "Zoë / \"Z\""})).expect(201);
    let delivery = receiver.wait_for("contact.created", SOON);
    delivery.verify(&secret).unwrap();
    assert!(delivery.header("content-type").starts_with("application/json"));
    assert!(delivery.header("webhook-timestamp").parse::<i64>().is_ok());
    assert!(delivery.id().starts_with("evt_"));
    let mut event = delivery.event.clone();
    assert_eq!(event["data"]["contact"], made);
    event["data"]["contact"] = json!("[contact]");
    insta::assert_json_snapshot!(event, { ".id" => "[id]", ".timestamp" => "[time]" }, @r#"
    {
      "data": {
        "contact": "[contact]"
      },
      "id": "[id]",
      "timestamp": "[time]",
      "type": "contact.created"
    }
    "#);
    let mut altered = delivery.clone();
    altered.body[10] ^= 1;
    assert!(altered.verify(&secret).is_err());
}

#[test]
fn only_what_was_asked_for_is_delivered() {
    let tenant = Tenant::new(App::shared());
    let receiver = Receiver::start();
    tenant.deliver_to(&receiver, &["contact.updated"]);
    let (contact, _) = tenant.contact("Anna");
    tenant.key.patch(&format!("/v1/contacts/{contact}"), json!({"name": "Bob"})).expect(200);
    receiver.wait_for("contact.updated", SOON);
    tenant.key.patch("/v1/webhooks", json!({"enabled": false})).expect(200);
    tenant.key.patch(&format!("/v1/contacts/{contact}"), json!({"name": "Cid"})).expect(200);
    std::thread::sleep(Duration::from_millis(500));
    let kinds: Vec<String> =
        receiver.deliveries().iter().map(|delivery| delivery.kind().to_string()).collect();
    assert_eq!(kinds, ["contact.updated"]);
}

#[test]
fn a_refused_delivery_is_repeated_under_the_same_id() {
    let tenant = Tenant::new(App::shared());
    let receiver = Receiver::answering(|_, nth| Reply::status(if nth == 0 { 500 } else { 200 }));
    let secret = tenant.deliver_to(&receiver, &["contact.created"]);
    tenant.key.post("/v1/contacts", json!({})).expect(201);
    let both = wait_for("the second attempt", RETRIED, || {
        Some(receiver.deliveries()).filter(|deliveries| deliveries.len() == 2)
    });
    assert_eq!(both[0].id(), both[1].id());
    assert_eq!(both[0].body, both[1].body);
    assert!(both[1].at - both[0].at > Duration::from_secs(3));
    for delivery in &both {
        delivery.verify(&secret).unwrap();
    }
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(receiver.deliveries().len(), 2, "accepted is accepted");
}

#[test]
fn deliveries_end_with_their_account() {
    let app = App::shared();
    let receiver = Receiver::answering(|_, _| Reply::status(500));
    let watched = Watched::of(app, &receiver.url);
    watched.first_outcome();
    app.platform().delete(&format!("/platform/api/v1/accounts/{}", watched.tenant.account)).expect(200);
    let step = json!({"tenantId": watched.tenant.id, "advanceSeconds": 3600});
    app.client().post("/sandbox/clock", step).expect(200);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(receiver.deliveries().len(), 1);
}

#[test]
fn a_redirect_is_not_followed() {
    let tenant = Tenant::new(App::shared());
    let elsewhere = Receiver::start();
    let receiver = Receiver::redirecting(&elsewhere.url);
    tenant.deliver_to(&receiver, &["contact.created"]);
    tenant.key.post("/v1/contacts", json!({})).expect(201);
    receiver.wait_for("contact.created", SOON);
    std::thread::sleep(Duration::from_secs(1));
    assert!(elsewhere.deliveries().is_empty());
}

#[test]
fn a_slow_receiver_holds_nobody_else_up() {
    let app = App::shared();
    let (slow, quick) = (Tenant::new(app), Tenant::new(app));
    let sleeper = Receiver::answering(|_, _| Reply::after(Duration::from_secs(8)));
    let receiver = Receiver::start();
    slow.deliver_to(&sleeper, &["contact.created"]);
    quick.deliver_to(&receiver, &["contact.created"]);
    for _ in 0..20 {
        slow.key.post("/v1/contacts", json!({})).expect(201);
    }
    sleeper.wait_for("contact.created", SOON);
    let began = std::time::Instant::now();
    let made = quick.key.post("/v1/contacts", json!({})).expect(201);
    let delivery = receiver.wait_for("contact.created", SOON);
    assert_eq!(delivery.event["data"]["contact"]["id"], text(&made, "id"));
    assert!(began.elapsed() < SOON);
}
