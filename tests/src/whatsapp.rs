//! The provider's side: callbacks with its signature, and the sandbox's controls.

use crate::client::{Answer, Client, text};
use crate::{App, Inbox};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// Where the provider sends its callbacks.
pub const CALLBACK: &str = "/channels/whatsapp";

/// The provider's signature over the raw body.
pub fn signature(app_secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(app_secret.as_bytes()).unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// Delivers a callback with this signature header, or without one.
pub fn callback(app: &App, body: &[u8], signature: Option<&str>) -> Answer {
    let client = match signature {
        Some(signature) => app.client().with("x-hub-signature-256", signature),
        None => app.client(),
    };
    client.raw(&http::Method::POST, CALLBACK, Some("application/json"), body).unwrap()
}

/// A callback that carries these `messages` or `statuses` as the provider writes it.
pub fn envelope(phone_number_id: &str, members: Value) -> Value {
    let mut value = json!({
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550001111", "phone_number_id": phone_number_id},
    });
    for (name, member) in members.as_object().unwrap() {
        value[name] = member.clone();
    }
    json!({"object": "whatsapp_business_account", "entry": [{
        "id": "123456789012345", "changes": [{"field": "messages", "value": value}]}]})
}

/// A customer's text message as the provider delivers it.
pub fn inbound_text(phone_number_id: &str, from: &str, id: &str, timestamp: i64, body: &str) -> Value {
    let from = from.trim_start_matches('+');
    envelope(
        phone_number_id,
        json!({
            "contacts": [{"profile": {"name": "Anna Kowalska"}, "wa_id": from}],
            "messages": [{"from": from, "id": id, "timestamp": timestamp.to_string(), "type": "text",
                          "text": {"body": body}}],
        }),
    )
}

/// Seconds since 1970.
pub fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// Plays a customer who writes to an inbox; gives the provider's message id.
#[track_caller]
pub fn customer_writes(client: &Client, inbox: &Inbox, from: &str, body: &str) -> String {
    let path = format!("/sandbox/whatsapp/{}/customer-messages", inbox.phone_number_id);
    let written = client.post(&path, json!({"from": from, "name": "Anna Kowalska", "text": body}));
    let written = written.json();
    assert_eq!(written["deliveries"][0]["status"], 200, "the callback was not taken: {written}");
    text(&written, "messageId")
}

/// What the provider was asked to send from an inbox, newest first.
pub fn sends(client: &Client, inbox: &Inbox) -> Vec<Value> {
    let path = format!("/sandbox/whatsapp/{}/sends?limit=1000", inbox.phone_number_id);
    client.get(&path).expect(200)["sends"].as_array().expect("sends").clone()
}
