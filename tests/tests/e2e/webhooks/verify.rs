//! `POST /v1/webhooks/verify`: a signed test event and what came of it.

use http::Method;
use serde_json::json;
use tests::client::text;
use tests::{App, Receiver, Reply, Tenant};

#[test]
fn a_success_at_the_saved_url_verifies_it() {
    let tenant = Tenant::new(App::shared());
    let receiver = Receiver::start();
    let secret = tenant.deliver_to(&receiver, &["contact.created"]);
    let outcome = tenant.key.send(Method::POST, "/v1/webhooks/verify", None).expect(200);
    assert_eq!((&outcome["success"], &outcome["responseStatus"]), (&json!(true), &json!(204)));
    assert!(outcome["durationMs"].is_u64() && outcome.get("error").is_none(), "{outcome}");
    let delivery = receiver.deliveries().remove(0);
    delivery.verify(&secret).unwrap();
    assert_eq!(delivery.kind(), "webhook.test");
    assert_eq!(tenant.key.get("/v1/webhooks").expect(200)["verified"], true);
    let log = tenant.key.get("/v1/webhooks/attempts?eventType=webhook.test").expect(200);
    let attempt = &log["attempts"][0];
    assert_eq!((&attempt["status"], &attempt["eventId"]), (&json!("succeeded"), &json!(delivery.id())));
    let path = format!("/v1/webhooks/attempts/{}/resend", text(attempt, "id"));
    tenant.key.post(&path, json!({})).problem(409, "webhook_test_not_resendable");
    assert_eq!(
        tenant.key.get("/v1/webhooks/events").expect(200)["events"],
        json!([]),
        "no event of the source"
    );
    // A new URL has yet to prove itself.
    let moved = tenant.key.patch("/v1/webhooks", json!({"url": Receiver::start().url})).expect(200);
    assert_eq!(moved["verified"], false);
}

#[test]
fn a_failure_says_why() {
    let tenant = Tenant::new(App::shared());
    let receiver = Receiver::answering(|_, _| Reply::status(500));
    tenant.deliver_to(&receiver, &[]);
    let outcome = tenant.key.post("/v1/webhooks/verify", json!({})).expect(200);
    assert_eq!((&outcome["success"], &outcome["responseStatus"]), (&json!(false), &json!(500)));
    assert_eq!(outcome["error"], "the receiver answered 500");
    assert_eq!(tenant.key.get("/v1/webhooks").expect(200)["verified"], false);
    let nobody = tenant.key.post("/v1/webhooks/verify", json!({"url": "http://127.0.0.1:9/"})).expect(200);
    assert_eq!((&nobody["success"], &nobody["error"]), (&json!(false), &json!("the connection was refused")));
    assert!(nobody.get("responseStatus").is_none());
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(receiver.deliveries().len(), 1, "a test is not repeated");
}

#[test]
fn another_url_is_tested_and_not_verified() {
    let tenant = Tenant::new(App::shared());
    let receiver = Receiver::start();
    tenant.key.patch("/v1/webhooks", json!({"url": "https://example.com/"})).expect(200);
    let outcome = tenant.key.post("/v1/webhooks/verify", json!({"url": receiver.url})).expect(200);
    assert_eq!(outcome["success"], true);
    assert_eq!(tenant.key.get("/v1/webhooks").expect(200)["verified"], false);
    let attempt = tenant.key.get("/v1/webhooks/attempts").expect(200)["attempts"][0].clone();
    assert!(attempt.get("endpointId").is_none() && attempt["url"] == json!(receiver.url), "{attempt}");
}

#[test]
fn without_a_url_there_is_nothing_to_test() {
    let tenant = Tenant::new(App::shared());
    assert_eq!(tenant.key.post("/v1/webhooks/verify", json!({})).wrong_fields(422), ["url"]);
    let inside = json!({"url": "https://10.0.0.1/"});
    assert_eq!(tenant.key.post("/v1/webhooks/verify", inside).wrong_fields(422), ["url"]);
    let broken =
        tenant.key.raw(&Method::POST, "/v1/webhooks/verify", Some("application/json"), b"{").unwrap();
    broken.problem(400, "request_malformed");
}

#[test]
fn an_endpoint_is_tested_with_its_own_key() {
    let tenant = Tenant::new(App::shared());
    let receiver = Receiver::start();
    let add = |url: &str| tenant.key.post("/v1/webhooks/endpoints", json!({"url": url})).expect(201);
    add("https://example.com/main");
    let endpoint = text(&add(&receiver.url), "id");
    let path = format!("/v1/webhooks/endpoints/{endpoint}");
    assert_eq!(tenant.key.post(&format!("{path}/verify"), json!({})).expect(200)["success"], true);
    let keys = tenant.key.get(&format!("{path}/signing-keys")).expect(200);
    receiver.deliveries()[0].verify(&text(&keys["signingKeys"][0], "plaintextKey")).unwrap();
    assert_eq!(tenant.key.get(&path).expect(200)["verified"], true);
    assert_eq!(tenant.key.get("/v1/webhooks").expect(200)["verified"], false);
}
