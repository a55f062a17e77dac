//! Playing WhatsApp customers.

use super::{delivered, play};
use serde_json::json;
use tests::app::known;
use tests::whatsapp::signature;
use tests::{App, Receiver, Tenant, unique};

#[test]
fn whatever_a_customer_does_is_taken() {
    let app = App::shared();
    let inbox = Tenant::new(app).inbox();
    let account = &inbox.phone_number_id;
    let from = unique::phone();
    let events = [
        json!({"text": "Is the blue one in stock? café 🙂"}),
        json!({"media": {"kind": "image", "caption": "the dent"}}),
        json!({"media": {"kind": "audio", "voice": true}}),
        json!({"location": {"latitude": 51.5, "longitude": -0.1, "name": "North counter"}}),
        json!({"contacts": [{"name": {"formatted_name": "Ilse", "first_name": "Ilse"}}]}),
        json!({"reply": {"kind": "button", "id": "slot:am", "title": "Morning"}}),
        json!({"reply": {"kind": "template", "id": "ok", "title": "Thanks"}}),
        json!({"unsupported": {"kind": "poll_creation"}}),
        json!({"raw": {"type": "invented", "invented": {"a": 1}}}),
    ];
    for event in &events {
        let mut request = event.clone();
        request["account"] = json!(account);
        request["from"] = json!(from);
        let played = play(app, "whatsapp", request);
        let body = delivered(&played);
        let message = &body["entry"][0]["changes"][0]["value"]["messages"][0];
        assert_eq!(message["from"], from.trim_start_matches('+'), "{event}");
        assert_eq!(message["id"], played["messageIds"][0]);
    }
    let batch = json!({"account": account, "from": from, "separateChanges": true, "events": events[..4]});
    let body = delivered(&play(app, "whatsapp", batch));
    assert_eq!(body["entry"][0]["changes"].as_array().unwrap().len(), 4);
}

#[test]
fn callbacks_are_signed_and_escaped_as_metas() {
    let receiver = Receiver::answering(|_, _| tests::Reply::status(200));
    let Some(app) = App::own(&[("sandbox_callback_url", &receiver.url)]) else { return };
    let Some(secret) = known("FLOWNALLY_WHATSAPP_APP_SECRET", app.whatsapp_app_secret.as_ref()) else {
        return;
    };
    let request =
        json!({"account": "31", "from": "US.7K2Q9D4M1X8Z55", "username": "@mira", "text": "café 🙂 a/b"});
    play(&app, "whatsapp", request);
    let got = receiver.deliveries().remove(0);
    assert_eq!(got.header("x-hub-signature-256"), signature(secret, &got.body));
    let body = String::from_utf8(got.body.clone()).unwrap();
    assert!(body.contains(r"caf\u00e9 \ud83d\ude42 a\/b"), "{body}");
    let value = &got.event["entry"][0]["changes"][0]["value"];
    assert_eq!(value["contacts"][0]["user_id"], "US.7K2Q9D4M1X8Z55");
    assert!(value["messages"][0].get("from").is_none(), "a person without a phone number");
}

#[test]
fn what_makes_no_sense_is_refused_field_by_field() {
    let app = App::shared();
    let wrong = |body| app.client().post("/sandbox/whatsapp/inbound", body).wrong_fields(422);
    assert_eq!(wrong(json!({"account": "31", "from": "12025550147"})), ["events"]);
    assert_eq!(wrong(json!({"account": "", "from": "", "text": "a"})), ["account", "from"]);
    assert_eq!(wrong(json!({"account": "31", "from": "anna", "text": "a"})), ["from"]);
    assert_eq!(wrong(json!({"account": "31", "from": "12025550147", "text": "a", "times": 101})), ["times"]);
    assert_eq!(
        wrong(
            json!({"account": "31", "from": "12025550147", "text": "a", "location": {"latitude": 1.0, "longitude": 1.0}})
        ),
        ["events"]
    );
    assert_eq!(wrong(json!({"account": "31", "from": "12025550147", "echo": {"text": "a"}})), ["echo"]);
    app.client().post("/sandbox/telegraph/inbound", json!({"account": "31"})).problem(404, "route_not_found");
}
