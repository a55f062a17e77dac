//! Endpoints that fail for long, and how endpoints are doing.

use super::SOON;
use super::attempts::Watched;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tests::{App, Receiver, Reply, Tenant, wait_for};

const DAY: f64 = 24.0 * 3600.0;

fn settings(watched: &Watched) -> Value {
    watched.tenant.key.get("/v1/webhooks").expect(200)
}

fn stats(tenant: &Tenant) -> Value {
    tenant.key.get("/v1/webhooks/stats").expect(200)["endpoints"][0].clone()
}

#[test]
fn five_days_of_failures_switch_an_endpoint_off() {
    let well = Arc::new(AtomicBool::new(false));
    let state = well.clone();
    let receiver =
        Receiver::answering(move |_, _| Reply::status(if state.load(Ordering::Relaxed) { 200 } else { 500 }));
    let watched = Watched::at(&receiver.url);
    for _ in 0..10 {
        watched.happen();
    }
    watched.outcome(10);
    watched.pass(5.0 * DAY - 3600.0);
    let tried = watched.attempts().len();
    watched.outcome(tried.max(11));
    assert_eq!(settings(&watched)["enabled"], true, "not yet five days");
    watched.pass(2.0 * 3600.0);
    let off = wait_for("the endpoint to be off", SOON, || {
        Some(settings(&watched)).filter(|settings| settings["enabled"] == false)
    });
    assert_eq!(off["disabledReason"], "failing");
    assert!(off["disabledAt"].is_string());
    let log = watched.tenant.key.get("/v1/audit-log?action=webhook.disabled").expect(200);
    let entry = &log["entries"][0];
    assert_eq!((&entry["subject"], &entry["details"]["reason"]), (&off["id"], &json!("failing")));
    assert_eq!(entry["actor"]["type"], "system");

    // Switched on again, it goes on with what waited, and a single failure is no reason any more.
    well.store(true, Ordering::Relaxed);
    let on = watched.tenant.key.patch("/v1/webhooks", json!({"enabled": true})).expect(200);
    assert!(on.get("disabledReason").is_none() && on.get("disabledAt").is_none(), "{on}");
    watched.pass(DAY);
    wait_for("what waited", SOON, || {
        let page = watched.tenant.key.get("/v1/webhooks/attempts?status=succeeded").expect(200);
        (page["attempts"].as_array().unwrap().len() == 10).then_some(())
    });
}

#[test]
fn a_quiet_endpoint_is_no_dead_one() {
    let receiver = Receiver::answering(|_, _| Reply::status(500));
    let watched = Watched::at(&receiver.url);
    watched.first_outcome();
    watched.pass(6.0 * DAY);
    watched.outcome(2);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(settings(&watched)["enabled"], true, "two failures are not five days of failures");
}

#[test]
fn what_the_old_address_answers_is_not_held_against_the_new_one() {
    let old = Receiver::answering(|_, _| Reply { after: Duration::from_secs(3), ..Reply::status(410) });
    let new = Receiver::start();
    let watched = Watched::at(&old.url);
    watched.happen();
    wait_for("the delivery to the old address", SOON, || (old.deliveries().len() == 1).then_some(()));
    watched.tenant.key.patch("/v1/webhooks", json!({"url": new.url})).expect(200);
    let refused = watched.outcome(1);
    assert_eq!((&refused["status"], &refused["url"]), (&json!("failed"), &json!(old.url)));
    assert_eq!(settings(&watched)["enabled"], true);
    watched.happen();
    new.wait_for("contact.created", SOON);
}

#[test]
fn a_success_ends_the_five_days() {
    let receiver = Receiver::answering(|_, nth| Reply::status(if nth == 1 { 200 } else { 500 }));
    let watched = Watched::at(&receiver.url);
    watched.first_outcome();
    watched.pass(4.0 * DAY);
    assert_eq!(watched.outcome(2)["status"], "succeeded");
    watched.happen();
    watched.outcome(3);
    watched.pass(2.0 * DAY);
    watched.outcome(4);
    assert_eq!(settings(&watched)["enabled"], true);
}

#[test]
fn after_ten_failures_one_delivery_tries_for_all() {
    let well = Arc::new(AtomicBool::new(false));
    let state = well.clone();
    let receiver =
        Receiver::answering(move |_, _| Reply::status(if state.load(Ordering::Relaxed) { 200 } else { 500 }));
    let watched = Watched::at(&receiver.url);
    for _ in 0..30 {
        watched.happen();
    }
    let paused = wait_for("the breaker", SOON, || {
        Some(stats(&watched.tenant)).filter(|stats| stats["pausedUntil"].is_string())
    });
    assert!(paused["failuresInARow"].as_i64().unwrap() >= 10, "{paused}");
    assert_eq!(paused["backlog"], 30);
    std::thread::sleep(Duration::from_millis(500));
    let before = receiver.deliveries().len();
    assert!((10..=14).contains(&before), "{before}: those in flight end");
    // Half-open: one tries, fails, and it is closed to all others again.
    watched.pass(31.0);
    wait_for("the probe", SOON, || (receiver.deliveries().len() > before).then_some(()));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(receiver.deliveries().len(), before + 1);
    well.store(true, Ordering::Relaxed);
    watched.pass(301.0);
    wait_for("all deliveries", Duration::from_secs(15), || {
        let stats = stats(&watched.tenant);
        (stats["backlog"] == 0 && stats["failuresInARow"] == 0).then_some(())
    });
}

#[test]
fn figures_are_those_of_the_attempts() {
    let receiver = Receiver::answering(|_, nth| Reply::status(if nth % 4 == 3 { 500 } else { 200 }));
    let watched = Watched::at(&receiver.url);
    assert_eq!(stats(&watched.tenant)["attempts"], 0);
    assert!(stats(&watched.tenant).get("successRate").is_none());
    for number in 1..=8 {
        watched.happen();
        watched.outcome(number);
    }
    let stats = stats(&watched.tenant);
    assert_eq!((&stats["attempts"], &stats["successRate"]), (&json!(8), &json!(0.75)), "{stats}");
    assert_eq!((&stats["backlog"], &stats["enabled"]), (&json!(2), &json!(true)));
    assert!(stats["p50Ms"].as_i64().unwrap() <= stats["p99Ms"].as_i64().unwrap());
    let failed = &watched.tenant.key.get("/v1/webhooks/attempts?status=failed").expect(200)["attempts"];
    let first_failed = failed.as_array().unwrap().last().unwrap();
    let event = first_failed["eventId"].as_str().unwrap();
    let events = watched.tenant.key.get("/v1/webhooks/events").expect(200);
    let source = events["events"].as_array().unwrap().iter().find(|e| e["id"] == event).unwrap().clone();
    assert_eq!(stats["oldestWaitingAt"], source["timestamp"]);
    assert_eq!(Tenant::new(App::shared()).key.get("/v1/webhooks/stats").expect(200)["endpoints"], json!([]));
}
