//! What the WhatsApp sandbox takes and what it calls back.

use super::{code, number, play, provider};
use serde_json::{Value, json};
use std::time::Duration;
use tests::client::text;
use tests::{App, Receiver, Reply, Tenant, unique, wait_for};

const SETTLED: Duration = Duration::from_secs(20);

fn template(to: &str) -> Value {
    json!({"messaging_product": "whatsapp", "to": to, "type": "template", "biz_opaque_callback_data": "msg_1",
           "template": {"name": "order_ready", "language": {"code": "en"}}})
}

#[test]
fn limits_are_enforced_where_they_are_set() {
    let app = App::shared();
    let (client, number) = (provider(app), number());
    let path = format!("/sandbox/whatsapp/v25.0/{number}/messages");
    let modes = format!("/sandbox/controls/whatsapp/{number}/modes");
    app.client().post(&modes, json!({"pairLimit": 2})).expect(200);
    let to = unique::phone();
    client.post(&path, template(&to)).expect(200);
    client.post(&path, template(&to)).expect(200);
    assert_eq!(code(&client.post(&path, template(&to))), 131_056);
    client.post(&path, template(&unique::phone())).expect(200);
    app.client().post(&modes, json!({"throughput": 1})).expect(200);
    let refused =
        (0..20).map(|_| client.post(&path, template(&unique::phone()))).find(|sent| sent.status != 200);
    let refused = refused.expect("twenty messages in a second were taken");
    assert_eq!((refused.status, code(&refused)), (429, 130_429));
}

#[test]
fn messages_are_marked_as_read_once_they_are_known() {
    let app = App::shared();
    let (client, number) = (provider(app), number());
    let path = format!("/sandbox/whatsapp/v25.0/{number}/messages");
    let read = |id: &str| {
        let body = json!({"messaging_product": "whatsapp", "status": "read", "message_id": id, "typing_indicator": {"type": "text"}});
        client.post(&path, body)
    };
    assert_eq!(code(&read("wamid.UNKNOWN")), 131_009);
    let played = play(app, "whatsapp", json!({"account": number, "from": unique::phone(), "text": "hi"}));
    assert_eq!(read(played["messageIds"][0].as_str().unwrap()).expect(200), json!({"success": true}));
}

#[test]
fn the_window_can_be_enforced_at_once() {
    let app = App::shared();
    let (client, number, to) = (provider(app), number(), unique::phone());
    let path = format!("/sandbox/whatsapp/v25.0/{number}/messages");
    let message = json!({"messaging_product": "whatsapp", "to": to, "type": "text", "text": {"body": "hi"}});
    client.post(&path, message.clone()).expect(200);
    let modes = format!("/sandbox/controls/whatsapp/{number}/modes");
    app.client().post(&modes, json!({"refuseOutsideWindow": true})).expect(200);
    assert_eq!(code(&client.post(&path, message.clone())), 131_047);
    play(app, "whatsapp", json!({"account": number, "from": to, "text": "hi"}));
    client.post(&path, message).expect(200);
}

/// The statuses of one message that a receiver got, in order, each with its callback's number.
fn statuses(receiver: &Receiver) -> Vec<(usize, Value)> {
    let mut found = Vec::new();
    for (n, delivery) in receiver.deliveries().into_iter().enumerate() {
        for change in delivery.event["entry"][0]["changes"].as_array().unwrap() {
            for status in change["value"]["statuses"].as_array().into_iter().flatten() {
                found.push((n, status.clone()));
            }
        }
    }
    found
}

#[test]
fn modes_change_what_is_called_back() {
    let receiver = Receiver::answering(|_, _| Reply::status(200));
    let Some(app) = App::own(&[("sandbox_callback_url", &receiver.url)]) else { return };
    let client = provider(&app);
    let send = |modes: Value, expected: usize| {
        let number = number();
        app.client().post(&format!("/sandbox/controls/whatsapp/{number}/modes"), modes.clone()).expect(200);
        let before = receiver.deliveries().len();
        client
            .post(&format!("/sandbox/whatsapp/v25.0/{number}/messages"), template("12025550147"))
            .expect(200);
        wait_for("the statuses", SETTLED, || {
            (receiver.deliveries().len() >= before + expected).then_some(())
        });
        std::thread::sleep(Duration::from_millis(600));
        let got: Vec<(usize, Value)> =
            statuses(&receiver).into_iter().filter(|(n, _)| *n >= before).collect();
        let names: Vec<String> = got.iter().map(|(_, status)| text(status, "status")).collect();
        (names, got, receiver.deliveries().len() - before)
    };
    let (names, got, _) = send(json!({}), 3);
    assert_eq!(names, ["sent", "delivered", "read"]);
    assert!(got.iter().all(|(_, status)| status["biz_opaque_callback_data"] == "msg_1"));
    assert_eq!(send(json!({"dropStates": ["delivered", "read"]}), 1).0, ["sent"]);
    assert_eq!(send(json!({"shuffle": true}), 3).0, ["read", "delivered", "sent"]);
    assert_eq!(send(json!({"duplicate": true}), 6).0.len(), 6);
    let (names, _, posts) = send(json!({"merge": true}), 1);
    assert_eq!((names.len(), posts), (3, 1));
    let (_, got, _) = send(json!({"legacyStatuses": true, "dropStates": ["read"]}), 2);
    assert!(got[0].1["conversation"]["expiration_timestamp"].is_string());
}

#[test]
fn strange_callbacks_are_delivered_as_asked() {
    let app = App::shared();
    let _ = Tenant::new(app);
    let path = "/sandbox/controls/whatsapp/raw-callbacks";
    let status = |body: Value| app.client().post(path, body).expect(200)["deliveries"][0]["status"].clone();
    for wrong in [
        json!({"kind": "unknownField", "signature": null}),
        json!({"kind": "unknownField", "signature": "sha256=00"}),
        json!({"kind": "unknownField", "otherSecret": true}),
        json!({"kind": "unknownField", "alter": true}),
    ] {
        assert_eq!(status(wrong.clone()), 401, "{wrong}");
    }
    for fine in ["unknownField", "unknownType", "large"] {
        assert_eq!(status(json!({"kind": fine})), 200, "{fine}");
    }
    assert_eq!(app.client().post(path, json!({"kind": "x"})).wrong_fields(422), ["kind"]);
}
