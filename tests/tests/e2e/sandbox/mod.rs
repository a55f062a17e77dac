//! The sandbox answers as the providers do, each control has an effect, and all of it only while it is on.

mod clock;
mod controls;
mod messenger;
mod reset;
mod sms;
mod whatsapp_customers;
mod whatsapp_media;
mod whatsapp_reads;
mod whatsapp_sends;

use serde_json::{Value, json};
use tests::client::text;
use tests::{Answer, App, Client, Tenant, unique};

/// A caller with a token that the sandbox always takes.
fn provider(app: &App) -> Client {
    app.client().bearer("sandbox-token-of-the-tests")
}

/// Posts a form.
fn post_form(client: &Client, path: &str, fields: &[(&str, &str)]) -> Answer {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    client.raw(&http::Method::POST, path, Some("application/x-www-form-urlencoded"), body.as_bytes()).unwrap()
}

/// The provider's error code.
#[track_caller]
fn code(answer: &Answer) -> i64 {
    answer.json()["error"]["code"].as_i64().unwrap_or_else(|| panic!("no error: {answer}"))
}

#[test]
fn the_provider_has_errors_of_its_own_form() {
    let app = App::shared();
    let inbox = Tenant::new(app).inbox();
    let path = format!("/sandbox/whatsapp/v24.0/{}/messages", inbox.phone_number_id);
    for (token, expected) in [("wrong", 190), ("expired-token", 190)] {
        let refused = app.client().bearer(token).post(&path, json!({"messaging_product": "whatsapp"}));
        let refused = refused.expect(401);
        assert_eq!(refused["error"]["code"], json!(expected));
        assert!(refused["error"]["fbtrace_id"].is_string());
    }
    assert_eq!(code(&app.client().post(&path, json!({}))), 200);
    assert_eq!(code(&provider(app).get("/sandbox/whatsapp/v24.0/1/nothing")), 2500);
    app.client().get("/sandbox/nothing").problem(404, "route_not_found");
}

#[test]
fn it_is_absent_unless_it_is_on() {
    let Some(app) = App::own(&[("sandbox", "off")]) else { return };
    for path in [
        "/sandbox/whatsapp/1/sends",
        "/sandbox/whatsapp/1/nothing",
        "/sandbox/whatsapp/v24.0/1",
        "/sandbox/files/whatsapp/x",
    ] {
        app.client().get(path).problem(404, "route_not_found");
    }
    for path in ["/sandbox/whatsapp/v24.0/1/messages", "/sandbox/whatsapp/inbound", "/sandbox/clock"] {
        app.client().post(path, json!({"messaging_product": "whatsapp"})).problem(404, "route_not_found");
    }
}

/// Plays a customer; gives the answer, once all deliveries were taken.
#[track_caller]
fn play(app: &App, provider: &str, request: Value) -> Value {
    let played = app.client().post(&format!("/sandbox/{provider}/inbound"), request).expect(200);
    for delivery in played["deliveries"].as_array().unwrap() {
        assert_eq!(delivery["status"], 200, "not taken: {played}");
    }
    played
}

/// The body that was delivered, as JSON.
fn delivered(played: &Value) -> Value {
    serde_json::from_str(&text(played, "body")).unwrap()
}

/// A phone number id that nobody else uses.
fn number() -> String {
    unique::digits()
}
