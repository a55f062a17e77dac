//! `/channels`: what providers call. Here what is common to them, by the example of WhatsApp; each has a file of
//! its own for what it tells.

mod gateway;
mod instagram;
mod media;
mod messenger;
mod people;
mod sms;
mod statuses;
mod support;
mod twilio_media;
mod whatsapp_files;
mod whatsapp_fixtures;

use serde_json::json;
use std::time::Duration;
use tests::app::known;
use tests::client::{Framing, post_large, text};
use tests::whatsapp::{self, callback, envelope, inbound_text, now, signature};
use tests::{App, Inbox, Tenant, unique, wait_for};

const SOON: Duration = Duration::from_secs(10);

/// The provider's secret; tests that need it pass where it is not known.
fn secret(app: &App) -> Option<&str> {
    known("FLOWNALLY_WHATSAPP_APP_SECRET", app.whatsapp_app_secret.as_ref())
}

/// The texts of all messages of a tenant's only contact, oldest first.
fn texts(tenant: &Tenant, phone: &str) -> Vec<String> {
    let search = phone.trim_start_matches('+');
    let contacts = tenant.key.get(&format!("/v1/contacts?search={search}")).expect(200);
    let Some(identity) = contacts["contacts"][0]["identities"][0]["id"].as_str() else { return Vec::new() };
    let path = format!("/v1/conversations/{}/messages", identity.replace("idn_", "cnv_"));
    let answer = tenant.key.get(&path);
    if answer.status == 404 {
        return Vec::new();
    }
    let messages = answer.expect(200)["messages"].as_array().unwrap().clone();
    let body = |message: &serde_json::Value| {
        message["content"]["text"]["body"].as_str().unwrap_or(&text(&message["content"], "type")).to_string()
    };
    messages.iter().rev().map(body).collect()
}

fn deliver(app: &App, secret: &str, body: &serde_json::Value) -> u16 {
    let body = body.to_string();
    callback(app, body.as_bytes(), Some(&signature(secret, body.as_bytes()))).status
}

#[test]
fn what_is_not_signed_right_is_refused_and_not_stored() {
    let app = App::shared();
    let Some(secret) = secret(app) else { return };
    let tenant = Tenant::new(app);
    let (inbox, phone) = (tenant.inbox(), unique::phone());
    let body = inbound_text(&inbox.phone_number_id, &phone, &unique::word(), now(), "Hello").to_string();
    let good = signature(secret, body.as_bytes());
    let wrong = [
        None,
        Some(String::new()),
        Some("sha256=".to_string()),
        Some(signature("another secret", body.as_bytes())),
        Some(good.replace("sha256=", "sha1=")),
        Some(good.replace("sha256=", "")),
        Some(format!("{}0", &good[..good.len() - 1]))
            .filter(|altered| *altered != good)
            .or(Some("sha256=0".into())),
        Some(signature(secret, format!("{body} ").as_bytes())),
    ];
    for signature in wrong {
        let refused = callback(app, body.as_bytes(), signature.as_deref());
        assert_eq!(refused.status, 401, "{signature:?}: {refused}");
    }
    std::thread::sleep(Duration::from_millis(500));
    assert!(texts(&tenant, &phone).is_empty());
    assert_eq!(callback(app, body.as_bytes(), Some(&good)).status, 200, "the right one is taken");
    wait_for("the message", SOON, || (texts(&tenant, &phone) == ["Hello"]).then_some(()));
}

#[test]
fn one_message_enters_once_however_often_it_is_delivered() {
    let app = App::shared();
    let Some(secret) = secret(app) else { return };
    let tenant = Tenant::new(app);
    let (inbox, phone) = (tenant.inbox(), unique::phone());
    let body = inbound_text(&inbox.phone_number_id, &phone, &unique::word(), now(), "Once");
    std::thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| assert_eq!(deliver(app, secret, &body), 200));
        }
    });
    let marker = inbound_text(&inbox.phone_number_id, &phone, &unique::word(), now() + 2, "Marker");
    assert_eq!(deliver(app, secret, &marker), 200);
    wait_for("both messages", SOON, || texts(&tenant, &phone).contains(&"Marker".to_string()).then_some(()));
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(texts(&tenant, &phone), ["Once", "Marker"]);
}

#[test]
fn a_body_of_three_megabytes_is_taken() {
    let app = App::shared();
    let Some(secret) = secret(app) else { return };
    let tenant = Tenant::new(app);
    let (inbox, phone) = (tenant.inbox(), unique::phone());
    let mut body = inbound_text(&inbox.phone_number_id, &phone, &unique::word(), now(), "Hello");
    body["entry"][0]["changes"][0]["value"]["more"] = json!("x".repeat(3 * 1024 * 1024));
    assert_eq!(deliver(app, secret, &body), 200);
    wait_for("the message", SOON, || (texts(&tenant, &phone) == ["Hello"]).then_some(()));
}

#[test]
fn a_batch_is_taken_in_by_the_providers_time() {
    let app = App::shared();
    let Some(secret) = secret(app) else { return };
    let tenant = Tenant::new(app);
    let (inbox, phone) = (tenant.inbox(), unique::phone());
    let from = phone.trim_start_matches('+');
    let message = |second: i64, body: &str| {
        json!({"from": from, "id": unique::word(), "timestamp": (now() - 100 + second).to_string(), "type": "text",
               "text": {"body": body}})
    };
    let sticker = json!({"from": from, "id": unique::word(), "timestamp": (now() - 50).to_string(), "type": "sticker",
                         "sticker": {"id": "1", "mime_type": "image/webp"}});
    let members = json!({
        "contacts": [{"profile": {"name": "Anna"}, "wa_id": from}],
        "messages": [message(3, "third"), message(1, "first"), message(2, "second"), sticker],
    });
    assert_eq!(deliver(app, secret, &envelope(&inbox.phone_number_id, members)), 200);
    let all =
        wait_for("four messages", SOON, || Some(texts(&tenant, &phone)).filter(|texts| texts.len() == 4));
    assert_eq!(all, ["first", "second", "third", "media"]);
    let contact = tenant.key.get("/v1/contacts").expect(200)["contacts"][0].clone();
    assert_eq!(contact["name"], "Anna");
}

#[test]
fn what_nobody_knows_is_taken_and_left_aside() {
    let app = App::shared();
    let Some(secret) = secret(app) else { return };
    let nobody = inbound_text(&unique::digits(), "+48123456789", &unique::word(), now(), "Hello");
    let status = json!({"statuses": [{"id": "wamid.unknown", "status": "delivered", "timestamp": "1700000000",
                                      "recipient_id": "48123456789"}]});
    let odd = json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [
        {"field": "from_the_future", "value": {"x": [1, 2, 3]}}]}], "more": true});
    for body in [nobody, envelope(&unique::digits(), status), odd, json!({"object": "page", "entry": []})] {
        assert_eq!(deliver(app, secret, &body), 200, "{body}");
    }
}

#[test]
fn what_is_no_callback_is_refused() {
    let app = App::shared();
    let Some(secret) = secret(app) else { return };
    for body in ["", "{", "no json"] {
        let answer = callback(app, body.as_bytes(), Some(&signature(secret, body.as_bytes())));
        assert!([200, 400].contains(&answer.status), "{body:?}: {answer}");
    }
    let huge = vec![b'x'; 5 * 1024 * 1024];
    let signed = app.client().with("x-hub-signature-256", &signature(secret, &huge));
    assert_eq!(post_large(&signed, whatsapp::CALLBACK, &huge, Framing::Length), 413);
}

#[test]
fn a_status_of_another_tenants_message_changes_nothing() {
    let app = App::shared();
    let Some(secret) = secret(app) else { return };
    let (tenant, other) = (Tenant::new(app), Tenant::new(app));
    let (inbox, theirs): (Inbox, Inbox) = (tenant.inbox(), other.inbox());
    let sent = tenant.send_template(&inbox, &unique::phone_ending("0001"));
    let id = text(&sent["message"], "id");
    let path = format!("/v1/messages/{id}");
    let wamid = wait_for("the provider's id", SOON, || {
        tenant.key.get(&path).expect(200)["message"]["channelMessageId"].as_str().map(str::to_string)
    });
    let status = json!({"statuses": [{"id": wamid, "status": "read", "timestamp": now().to_string(),
                                      "biz_opaque_callback_data": id}]});
    assert_eq!(deliver(app, secret, &envelope(&theirs.phone_number_id, status.clone())), 200);
    std::thread::sleep(Duration::from_millis(700));
    assert_ne!(tenant.key.get(&path).expect(200)["message"]["deliveryStatus"], "read");
    assert_eq!(deliver(app, secret, &envelope(&inbox.phone_number_id, status)), 200);
    wait_for("the reading", SOON, || {
        (tenant.key.get(&path).expect(200)["message"]["deliveryStatus"] == "read").then_some(())
    });
}

#[test]
fn the_handshake_echoes_the_challenge_of_who_knows_the_token() {
    let app = App::shared();
    let Some(token) = known("FLOWNALLY_WHATSAPP_VERIFY_TOKEN", app.whatsapp_verify_token.as_ref()) else {
        return;
    };
    let path = |token: &str| {
        format!("{}?hub.mode=subscribe&hub.verify_token={token}&hub.challenge=1158201444", whatsapp::CALLBACK)
    };
    let echoed = app.client().get(&path(token));
    assert_eq!((echoed.status, echoed.body.as_slice()), (200, b"1158201444".as_slice()), "{echoed}");
    for wrong in ["", "guess"] {
        let refused = app.client().get(&path(wrong));
        assert!([401, 403].contains(&refused.status), "{refused}");
        assert!(!String::from_utf8_lossy(&refused.body).contains("1158201444"), "{refused}");
    }
}
