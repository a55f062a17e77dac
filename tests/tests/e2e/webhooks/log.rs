//! `GET /v1/webhooks/attempts`, one attempt, and sending one again.

use super::SOON;
use super::attempts::Watched;
use serde_json::{Value, json};
use std::time::Duration;
use tests::client::text;
use tests::{App, Receiver, Reply, Tenant, wait_for};

const WEEK: f64 = 7.0 * 24.0 * 3600.0;

fn list(tenant: &Tenant, query: &str) -> Vec<Value> {
    let page = tenant.key.get(&format!("/v1/webhooks/attempts{query}")).expect(200);
    page["attempts"].as_array().unwrap().clone()
}

fn ids(attempts: &[Value]) -> Vec<String> {
    attempts.iter().map(|attempt| text(attempt, "id")).collect()
}

/// A tenant with four accepted events of two types and a refused one that waits for its next try.
fn busy() -> (Tenant, Receiver) {
    let tenant = Tenant::new(App::shared());
    let receiver = Receiver::answering(|delivery, _| {
        let refused = delivery.event["data"]["contact"]["name"] == "Refused";
        Reply::status(if refused { 503 } else { 200 })
    });
    tenant.deliver_to(&receiver, &["contact.created", "contact.updated"]);
    let made = tenant.key.post("/v1/contacts", json!({"name": "One"})).expect(201);
    for name in ["Two", "Three"] {
        tenant.key.patch(&format!("/v1/contacts/{}", text(&made, "id")), json!({"name": name})).expect(200);
    }
    tenant.key.post("/v1/contacts", json!({"name": "Refused"})).expect(201);
    tenant.key.patch(&format!("/v1/contacts/{}", text(&made, "id")), json!({"name": "Four"})).expect(200);
    wait_for("all to be tried", SOON, || {
        (list(&tenant, "?status=succeeded").len() == 4 && list(&tenant, "?status=failed").len() == 1)
            .then_some(())
    });
    (tenant, receiver)
}

#[test]
fn filters_narrow_together() {
    let (tenant, _receiver) = busy();
    let all = list(&tenant, "");
    assert_eq!(all.len(), 6);
    let count = |query: &str| list(&tenant, query).len();
    assert_eq!((count("?status=pending"), count("?status=failed"), count("?status=succeeded")), (1, 1, 4));
    assert_eq!((count("?eventType=contact.created"), count("?eventType=contact.updated")), (3, 3));
    assert_eq!(count("?eventType=contact.created&status=succeeded"), 1);
    assert_eq!(count("?eventType=message.created"), 0);
    assert_eq!(count("?eventType=webhook.test"), 0);
    let endpoint = text(&tenant.key.get("/v1/webhooks").expect(200), "id");
    assert_eq!(ids(&list(&tenant, &format!("?endpointId={endpoint}"))), ids(&all));
    assert_eq!(count(&format!("?endpointId={endpoint}&status=failed")), 1);
    let failed = list(&tenant, "?status=failed").remove(0);
    let event = text(&failed, "eventId");
    let of_event = list(&tenant, &format!("?eventId={event}"));
    assert_eq!(of_event.len(), 2);
    assert_eq!((&of_event[0]["status"], &of_event[0]["attemptNumber"]), (&json!("pending"), &json!(2)));
    assert_eq!(of_event[0]["nextAttemptAt"], failed["nextAttemptAt"]);
    assert_eq!(count(&format!("?eventId={event}&status=pending")), 1);
    assert_eq!(count("?eventId=evt_01HV8ZE2G9W4P6Q8T1A3C5E7G9"), 0);
    for attempt in &all {
        assert_eq!(attempt["endpointId"], json!(endpoint));
        assert!(attempt["url"].is_string() && attempt["createdAt"].is_string(), "{attempt}");
    }
}

#[test]
fn pages_lead_to_the_end_newest_first() {
    let (tenant, _receiver) = busy();
    let all = ids(&list(&tenant, ""));
    for filter in ["", "&status=succeeded", "&eventType=contact.updated"] {
        let whole = ids(&list(&tenant, &format!("?limit=100{filter}")));
        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let page = tenant
                .key
                .get(&format!("/v1/webhooks/attempts?limit=2{filter}&pageToken={token}"))
                .expect(200);
            let attempts = page["attempts"].as_array().unwrap();
            assert!(attempts.len() <= 2);
            seen.extend(ids(attempts));
            match page["nextPageToken"].as_str() {
                Some(next) => token = next.to_string(),
                None => break,
            }
        }
        assert_eq!(seen, whole, "{filter}");
    }
    // Newest first: the pending try was added last.
    assert_eq!(ids(&list(&tenant, "?status=pending"))[0], all[0]);
}

#[test]
fn wrong_parameters_are_named() {
    let tenant = Tenant::new(App::shared());
    let wrong = |query: &str| tenant.key.get(&format!("/v1/webhooks/attempts{query}")).wrong_fields(400);
    assert_eq!(wrong("?status=done"), ["status"]);
    assert_eq!(wrong("?eventType=contact.exploded"), ["eventType"]);
    assert_eq!(wrong("?limit=0"), ["limit"]);
    assert_eq!(wrong("?pageToken=nope"), ["pageToken"]);
    tenant
        .key
        .get("/v1/webhooks/attempts?endpointId=whk_01HV8ZE2G9W4P6Q8T1A3C5E7G9")
        .problem(404, "webhook_endpoint_not_found");
}

#[test]
fn another_tenant_sees_nothing() {
    let (tenant, _receiver) = busy();
    let other = Tenant::new(App::shared());
    let attempt = ids(&list(&tenant, ""))[0].clone();
    let endpoint = text(&tenant.key.get("/v1/webhooks").expect(200), "id");
    let event = text(&list(&tenant, "")[0], "eventId");
    assert!(list(&other, "").is_empty());
    assert!(list(&other, &format!("?eventId={event}")).is_empty());
    let foreign = |path: &str| other.key.get(path);
    foreign(&format!("/v1/webhooks/attempts/{attempt}")).problem(404, "webhook_attempt_not_found");
    foreign(&format!("/v1/webhooks/attempts?endpointId={endpoint}"))
        .problem(404, "webhook_endpoint_not_found");
    foreign(&format!("/v1/webhooks/events?after={event}")).problem(404, "webhook_event_not_found");
    other
        .key
        .post(&format!("/v1/webhooks/attempts/{attempt}/resend"), json!({}))
        .problem(404, "webhook_attempt_not_found");
}

#[test]
fn an_attempt_tells_what_went_over_the_wire() {
    let receiver = Receiver::answering(|_, _| Reply::status(503).with("x-reason", "full").body("try later"));
    let watched = Watched::at(&receiver.url);
    let details = watched.details(&watched.first_outcome());
    let delivery = receiver.wait_for("contact.created", SOON);
    assert_eq!(details["requestBody"].as_str().unwrap().as_bytes(), delivery.body);
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature", "content-type", "user-agent"] {
        assert_eq!(details["requestHeaders"][name], json!(delivery.header(name)), "{name}");
    }
    assert_eq!(details["responseHeaders"]["x-reason"], "full");
    assert_eq!(details["responseBody"], "try later");
    assert_eq!(details["error"], "the receiver answered 503");
}

#[test]
fn a_waiting_delivery_is_resent_at_once() {
    let receiver = Receiver::answering(|_, nth| Reply::status(if nth < 2 { 500 } else { 200 }));
    let watched = Watched::at(&receiver.url);
    let first = watched.first_outcome();
    // The second try comes by itself; the third would be five minutes later.
    watched.pass(10.0);
    let second = watched.outcome(2);
    let resent = watched
        .tenant
        .key
        .post(&format!("/v1/webhooks/attempts/{}/resend", text(&first, "id")), json!({}))
        .expect(202);
    assert_eq!((&resent["status"], &resent["attemptNumber"]), (&json!("pending"), &json!(3)));
    assert_eq!(resent["eventId"], second["eventId"]);
    let third = watched.outcome(3);
    assert_eq!((&third["status"], &third["id"]), (&json!("succeeded"), &resent["id"]));
}

#[test]
fn an_accepted_event_can_be_delivered_again() {
    let receiver = Receiver::start();
    let watched = Watched::at(&receiver.url);
    let first = watched.first_outcome();
    let path = format!("/v1/webhooks/attempts/{}/resend", text(&first, "id"));
    let key = watched.tenant.key.once("again");
    let resent = key.post(&path, json!({})).expect(202);
    assert_eq!(key.post(&path, json!({})).expect(202), resent, "one key resends once");
    assert_eq!(resent["attemptNumber"], 1);
    assert_ne!(resent["id"], first["id"]);
    watched.outcome(2);
    let deliveries = receiver.deliveries();
    assert_eq!(deliveries.len(), 2);
    assert_eq!((deliveries[0].id(), &deliveries[0].body), (deliveries[1].id(), &deliveries[1].body));
}

#[test]
fn what_has_nowhere_to_go_is_not_resent() {
    let receiver = Receiver::start();
    let watched = Watched::at(&receiver.url);
    let attempt = watched.first_outcome();
    let key = &watched.tenant.key;
    let path = format!("/v1/webhooks/attempts/{}/resend", text(&attempt, "id"));
    key.patch("/v1/webhooks", json!({"enabled": false})).expect(200);
    key.post(&path, json!({})).problem(409, "webhook_endpoint_disabled");
    key.delete("/v1/webhooks").expect(204);
    key.post(&path, json!({})).problem(409, "webhook_endpoint_removed");
    let kept = key.get(&format!("/v1/webhooks/attempts/{}", text(&attempt, "id"))).expect(200);
    assert!(kept.get("endpointId").is_none() && kept["url"] == json!(receiver.url), "{kept}");
}

#[test]
fn after_a_week_nothing_is_left() {
    let receiver = Receiver::answering(|_, _| Reply::status(500));
    let watched = Watched::at(&receiver.url);
    let attempt = watched.first_outcome();
    let (id, event) = (text(&attempt, "id"), text(&attempt, "eventId"));
    let key = &watched.tenant.key;
    watched.pass(WEEK - 60.0);
    // The schedule has long passed: the second try comes, and the event is still there.
    watched.outcome(2);
    assert_eq!(key.get("/v1/webhooks/events").expect(200)["events"].as_array().unwrap().len(), 1);
    watched.pass(120.0);
    std::thread::sleep(Duration::from_millis(300));
    assert!(list(&watched.tenant, "").is_empty());
    key.get(&format!("/v1/webhooks/attempts/{id}")).problem(404, "webhook_attempt_not_found");
    key.get(&format!("/v1/webhooks/events?after={event}")).problem(404, "webhook_event_not_found");
    assert_eq!(key.get("/v1/webhooks/events").expect(200)["events"], json!([]));
}

#[test]
fn what_is_past_its_week_is_deleted() {
    let Some(mut app) = App::own(&[]) else { return };
    let receiver = Receiver::answering(|_, _| Reply::status(500));
    let watched = Watched::of(&app, &receiver.url);
    watched.first_outcome();
    let database = app.process().database();
    let rows = || {
        let database = rusqlite::Connection::open(&database).unwrap();
        let sql = "SELECT (SELECT count(*) FROM webhook_events) + (SELECT count(*) FROM webhook_deliveries)";
        database.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(rows(), 3, "the event, its first attempt and the next");
    watched.tenant.key.patch("/v1/webhooks", json!({"enabled": false})).expect(200);
    watched.pass(WEEK + 60.0);
    // A new instance cleans up with its first tick.
    app.process().kill();
    app.process().start_again();
    wait_for("the rows to be gone", Duration::from_secs(15), || (rows() == 0).then_some(()));
}
