//! Faults, records, reset, reviews, the handshake.

use super::{code, number, play, provider};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tests::{App, unique};

fn template(to: &str) -> Value {
    json!({"messaging_product": "whatsapp", "to": to, "type": "template",
           "template": {"name": "order_ready", "language": {"code": "en"}}})
}

#[test]
fn calls_go_wrong_as_asked_and_are_noted() {
    let app = App::shared();
    let (client, number) = (provider(app), number());
    let path = format!("/sandbox/whatsapp/v25.0/{number}/messages");
    let faults = "/sandbox/controls/whatsapp/faults";
    let ask = |body: Value| app.client().post(faults, body).expect(200);
    let to = unique::phone();
    ask(
        json!({"times": 2, "path": number, "recipient": to, "fault": {"kind": "throttled", "retryAfter": 7}}),
    );
    client.post(&path, template(&unique::phone())).expect(200);
    for _ in 0..2 {
        let refused = client.post(&path, template(&to));
        assert_eq!((refused.status, code(&refused), refused.header("retry-after")), (429, 130_429, "7"));
    }
    client.post(&path, template(&to)).expect(200);
    ask(json!({"path": number, "fault": {"kind": "unavailable"}}));
    let html = client.post(&path, template(&to));
    assert_eq!((html.status, html.header("content-type")), (503, "text/html"));
    ask(json!({"path": number, "fault": {"kind": "garbage"}}));
    let garbage = client.post(&path, template(&to));
    assert!(garbage.status == 200 && serde_json::from_slice::<Value>(&garbage.body).is_err());
    ask(json!({"path": number, "fault": {"kind": "slow", "delayMs": 700}}));
    let began = Instant::now();
    client.post(&path, template(&to)).expect(200);
    assert!(began.elapsed() >= Duration::from_millis(700));
    ask(json!({"path": number, "fault": {"kind": "status", "status": 418, "body": "{}"}}));
    assert_eq!(client.post(&path, template(&to)).status, 418);
    assert_eq!(app.client().post(faults, json!({"fault": {"kind": "x"}})).wrong_fields(422), ["fault.kind"]);

    let calls = app.client().get(&format!("/sandbox/controls/whatsapp/calls?path={number}")).expect(200);
    let calls = calls["calls"].as_array().unwrap();
    let statuses: Vec<i64> = calls.iter().rev().map(|call| call["status"].as_i64().unwrap()).collect();
    assert_eq!(statuses, [200, 429, 429, 200, 503, 200, 200, 418]);
    assert!(calls[0]["body"].as_str().unwrap().contains("order_ready"));
    assert!(calls[0]["headers"].get("authorization").is_none());
}

#[test]
fn callbacks_are_noted_try_by_try() {
    let app = App::shared();
    let number = number();
    play(app, "whatsapp", json!({"account": number, "from": unique::phone(), "text": "hi"}));
    let path = format!("/sandbox/controls/whatsapp/{number}/attempts");
    let attempts = app.client().get(&path).expect(200)["attempts"].clone();
    assert_eq!(attempts.as_array().unwrap().len(), 1);
    assert_eq!(attempts[0]["status"], 200);
    assert!(attempts[0]["headers"]["x-hub-signature-256"].is_string());
    app.client().post("/sandbox/controls/whatsapp/reset", json!({"account": number})).expect(200);
    assert_eq!(app.client().get(&path).expect(200)["attempts"], json!([]));
}

#[test]
fn a_review_decides_whether_a_template_can_be_sent() {
    let app = App::shared();
    let (client, number, name) = (provider(app), number(), unique::word());
    let path = format!("/sandbox/whatsapp/v25.0/{number}/messages");
    let mut message = template(&unique::phone());
    message["template"]["name"] = json!(name);
    assert_eq!(code(&client.post(&path, message.clone())), 132_001);
    let review = |status: &str| {
        let body = json!({"name": name, "language": "en", "status": status});
        let reviewed = app.client().post("/sandbox/controls/whatsapp/templates", body).expect(200);
        assert_eq!(reviewed["deliveries"][0]["status"], 200);
    };
    review("APPROVED");
    client.post(&path, message.clone()).expect(200);
    review("PAUSED");
    assert_eq!(code(&client.post(&path, message)), 132_015);
    let listed = client.get(&format!("/sandbox/whatsapp/v25.0/1/message_templates?name={name}")).expect(200);
    assert_eq!(listed["data"][0]["status"], "PAUSED");
}

#[test]
fn the_handshake_asks_our_own_receiver() {
    let app = App::shared();
    let asked = app.client().post("/sandbox/controls/whatsapp/handshake", json!({})).expect(200);
    assert_eq!(asked, json!({"registered": true, "status": 200}));
}
