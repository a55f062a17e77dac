//! `GET /v1/webhooks/events` and `POST /v1/webhooks/recover`: what a receiver that was away does about it.

use super::SOON;
use serde_json::{Value, json};
use tests::client::text;
use tests::{App, Receiver, Reply, Tenant, unique, wait_for};

fn events(tenant: &Tenant, query: &str) -> (Vec<Value>, bool) {
    let page = tenant.key.get(&format!("/v1/webhooks/events{query}")).expect(200);
    (page["events"].as_array().unwrap().clone(), page["more"].as_bool().unwrap())
}

fn contacts(tenant: &Tenant, names: &[&str]) {
    for name in names {
        tenant.key.post("/v1/contacts", json!({"name": name})).expect(201);
    }
}

fn names(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| text(&event["data"]["contact"], "name")).collect()
}

fn recover(tenant: &Tenant, body: Value) -> Value {
    tenant.key.post("/v1/webhooks/recover", body).expect(200)
}

#[test]
fn events_are_read_on_after_the_last_one_known() {
    let tenant = Tenant::new(App::shared());
    contacts(&tenant, &["Before"]);
    let receiver = Receiver::start();
    tenant.deliver_to(&receiver, &["contact.created"]);
    contacts(&tenant, &["One", "Two", "Three"]);
    // Events of the types listed are kept for who is switched off, too.
    tenant.key.patch("/v1/webhooks", json!({"enabled": false})).expect(200);
    contacts(&tenant, &["Four", "Five"]);
    let (all, more) = events(&tenant, "");
    assert_eq!(
        (names(&all), more),
        (["One", "Two", "Three", "Four", "Five"].map(String::from).to_vec(), false)
    );
    let delivered = receiver.wait_until("the first event", SOON, |d| d.id() == text(&all[0], "id"));
    assert_eq!(all[0], delivered.event, "as it was delivered");
    let times: Vec<String> = all.iter().map(|event| text(event, "timestamp")).collect();
    assert!(times.is_sorted(), "{times:?}");
    let (page, more) = events(&tenant, &format!("?after={}&limit=2", text(&all[0], "id")));
    assert_eq!((names(&page), more), (vec!["Two".to_string(), "Three".to_string()], true));
    let (rest, more) = events(&tenant, &format!("?after={}", text(&page[1], "id")));
    assert_eq!((names(&rest), more), (vec!["Four".to_string(), "Five".to_string()], false));
    assert_eq!(events(&tenant, &format!("?after={}", text(&all[4], "id"))), (vec![], false));
    let unknown = "evt_01HV8ZE2G9W4P6Q8T1A3C5E7G9";
    tenant.key.get(&format!("/v1/webhooks/events?after={unknown}")).problem(404, "webhook_event_not_found");
    assert_eq!(tenant.key.get("/v1/webhooks/events?limit=0").wrong_fields(400), ["limit"]);
}

#[test]
fn what_was_missed_is_brought_back_in_its_order_and_nothing_twice() {
    let tenant = Tenant::new(App::shared());
    let receiver = Receiver::start();
    tenant.deliver_to(&receiver, &["contact.created"]);
    contacts(&tenant, &["Heard"]);
    receiver.wait_for("contact.created", SOON);
    wait_for("its outcome", SOON, || {
        let page = tenant.key.get("/v1/webhooks/attempts?status=succeeded").expect(200);
        (page["attempts"].as_array().unwrap().len() == 1).then_some(())
    });
    tenant.key.patch("/v1/webhooks", json!({"enabled": false})).expect(200);
    let missed: Vec<String> = (0..12).map(|number| format!("Missed {number:02}")).collect();
    contacts(&tenant, &missed.iter().map(String::as_str).collect::<Vec<_>>());
    let since = unique::time_in(-60_000);
    let body = json!({"since": since});
    tenant.key.post("/v1/webhooks/recover", body.clone()).problem(409, "webhook_endpoint_disabled");
    let counted = recover(&tenant, json!({"since": since, "dryRun": true}));
    assert_eq!(
        (&counted["status"], &counted["missed"], &counted["more"]),
        (&json!("counted"), &json!(12), &json!(false))
    );
    assert!(counted.get("id").is_none());
    assert_eq!(receiver.deliveries().len(), 1, "a dry run sends nothing");

    tenant.key.patch("/v1/webhooks", json!({"enabled": true})).expect(200);
    let begun = recover(&tenant, body.clone());
    let path = format!("/v1/webhooks/recover/{}", text(&begun, "id"));
    let done = wait_for("the recovery", SOON, || {
        Some(tenant.key.get(&path).expect(200)).filter(|recovery| recovery["status"] == "completed")
    });
    assert_eq!((&done["seen"], &done["recovered"]), (&json!(13), &json!(12)), "{done}");
    assert!(done["finishedAt"].is_string());
    let came = wait_for("all events", SOON, || {
        Some(receiver.deliveries()).filter(|deliveries| deliveries.len() == 13)
    });
    let mut heard: Vec<String> =
        came.iter().skip(1).map(|delivery| text(&delivery.event["data"]["contact"], "name")).collect();
    heard.sort();
    assert_eq!(heard, missed);
    wait_for("their outcomes", SOON, || {
        let page = tenant.key.get("/v1/webhooks/attempts?status=succeeded").expect(200);
        (page["attempts"].as_array().unwrap().len() == 13).then_some(())
    });
    assert_eq!(recover(&tenant, json!({"since": since, "dryRun": true}))["missed"], 0);
    let again = recover(&tenant, body);
    let path = format!("/v1/webhooks/recover/{}", text(&again, "id"));
    wait_for("the second recovery", SOON, || {
        Some(tenant.key.get(&path).expect(200))
            .filter(|recovery| recovery["status"] == "completed" && recovery["recovered"] == 0)
    });
    assert_eq!(receiver.deliveries().len(), 13);
}

#[test]
fn what_was_given_up_is_brought_back() {
    let tenant = Tenant::new(App::shared());
    let receiver = Receiver::answering(|_, nth| {
        if nth == 0 {
            Reply::status(500).with("webhook-delivery", "abort-message")
        } else {
            Reply::status(200)
        }
    });
    tenant.deliver_to(&receiver, &["contact.created"]);
    contacts(&tenant, &["Given up"]);
    wait_for("its failure", SOON, || {
        let page = tenant.key.get("/v1/webhooks/attempts?status=failed").expect(200);
        (page["attempts"].as_array().unwrap().len() == 1).then_some(())
    });
    recover(&tenant, json!({"since": unique::time_in(-60_000)}));
    wait_for("the second delivery", SOON, || (receiver.deliveries().len() == 2).then_some(()));
}

#[test]
fn wrong_requests_are_named() {
    let tenant = Tenant::new(App::shared());
    let post = |body: Value| tenant.key.post("/v1/webhooks/recover", body);
    let now = unique::time_in(-1000);
    post(json!({"since": now})).problem(409, "webhook_not_configured");
    tenant.deliver_to(&Receiver::start(), &["contact.created"]);
    let week_ago = unique::time_in(-7 * 24 * 3_600_000 - 60_000);
    for since in [week_ago, unique::time_in(60_000)] {
        assert_eq!(post(json!({"since": since})).wrong_fields(422), ["since"]);
    }
    assert_eq!(post(json!({})).wrong_fields(422), ["since"]);
    assert_eq!(post(json!({"since": "yesterday"})).wrong_fields(422), ["since"]);
    let foreign = text(
        &Tenant::new(App::shared())
            .key
            .post("/v1/webhooks/endpoints", json!({"url": "https://example.com/"}))
            .expect(201),
        "id",
    );
    post(json!({"since": now, "endpointId": foreign})).problem(404, "webhook_endpoint_not_found");
    tenant
        .key
        .get("/v1/webhooks/recover/whr_01HV8ZE2G9W4P6Q8T1A3C5E7G9")
        .problem(404, "webhook_recovery_not_found");
}
