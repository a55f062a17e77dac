//! Messenger and Instagram, as their sandboxes play them.

use super::{code, number, provider};
use serde_json::{Value, json};
use std::time::Duration;
use tests::client::text;
use tests::{App, Receiver, Reply, wait_for};

const SETTLED: Duration = Duration::from_secs(20);

/// A server whose callbacks come here; all channels share one path.
fn start() -> Option<(App, Receiver)> {
    let receiver = Receiver::answering(|_, _| Reply::status(200));
    // The others' callbacks go to the siblings of WhatsApp's: below the receiver's own path, since tests share a server.
    let app = App::own(&[
        ("sandbox_callback_url", &format!("{}/whatsapp", receiver.url)),
        ("meta_app_secret", "meta-app-secret-of-the-tests"),
    ])?;
    Some((app, receiver))
}

fn play(app: &App, channel: &str, page: &str, from: &str, event: Value) -> Value {
    let mut request = event;
    request["account"] = json!(page);
    request["from"] = json!(from);
    let played = app.client().post(&format!("/sandbox/{channel}/inbound"), request).expect(200);
    assert_eq!(played["deliveries"][0]["status"], 200, "{played}");
    played
}

/// The events of a name that came so far.
fn events(receiver: &Receiver, name: &str) -> Vec<Value> {
    let all = receiver.deliveries();
    let events = all.iter().flat_map(|one| {
        let entry = &one.event["entry"][0];
        let list = if entry["standby"].is_array() { &entry["standby"] } else { &entry["messaging"] };
        list.as_array().cloned().unwrap_or_default()
    });
    events.filter(|event| event.get(name).is_some()).collect()
}

#[test]
fn messenger_keeps_its_rules_and_tells_of_each_message() {
    let Some((app, receiver)) = start() else { return };
    let (page, person) = (number(), format!("{}1234", number()));
    let path = format!("/sandbox/messenger/v25.0/{page}/messages");
    let message = |to: &str| {
        json!({"recipient": {"id": to}, "messaging_type": "RESPONSE",
                                    "message": {"text": "Hello", "metadata": "msg_1"}})
    };
    let client = provider(&app);
    let stranger = client.post(&path, message(&person));
    assert_eq!((code(&stranger), stranger.json()["error"]["error_subcode"].as_i64()), (100, Some(2_018_001)));
    play(&app, "messenger", &page, &person, json!({"text": "Do you deliver?"}));
    let sent = client.post(&path, message(&person)).expect(200);
    assert_eq!(sent["recipient_id"], person.as_str());
    let mid = text(&sent, "message_id");
    let of_page = |name: &str| wait_for(name, SETTLED, || events(&receiver, name).into_iter().next());
    let read = of_page("read");
    assert!(read["read"]["watermark"].is_i64());
    assert_eq!(of_page("delivery")["delivery"]["mids"], json!([mid]));
    let echo =
        events(&receiver, "message").into_iter().find(|event| event["message"]["is_echo"] == true).unwrap();
    assert_eq!(echo["message"]["mid"], mid.as_str());
    assert_eq!(echo["message"]["metadata"], "msg_1");
    assert!(echo["message"]["app_id"].is_i64());
    // A PSID means nothing to another Page.
    let other = format!("/sandbox/messenger/v25.0/{}/messages", number());
    assert_eq!(code(&client.post(&other, message(&person))), 100);
    // Magic recipients.
    for (last_four, expected, subcode) in
        [("0026", 551, 1_545_041), ("0047", 10, 2_018_278), ("0610", 10, 2_018_108)]
    {
        let refused = client.post(&path, message(&format!("730155{last_four}")));
        assert_eq!(
            (code(&refused), refused.json()["error"]["error_subcode"].as_i64()),
            (expected, Some(subcode))
        );
    }
    let retired = json!({"recipient": {"id": person}, "messaging_type": "MESSAGE_TAG", "tag": "ACCOUNT_UPDATE", "message": {"text": "a"}});
    assert_eq!(code(&client.post(&path, retired)), 100);
    // A day later only a person may answer, a week later nobody.
    let late = |days: i64| {
        let at = tests::unique::time_in(-days * 24 * 3600 * 1000);
        let person = format!("{}1234", number());
        play(&app, "messenger", &page, &person, json!({"text": "hi", "timestamp": at}));
        let tagged = json!({"recipient": {"id": person}, "messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT", "message": {"text": "a"}});
        (client.post(&path, message(&person)).status, client.post(&path, tagged).status)
    };
    assert_eq!(late(0), (200, 200));
    assert_eq!(late(2), (400, 200));
    assert_eq!(late(8), (400, 400));
    // Modes.
    let modes = format!("/sandbox/controls/messenger/{page}/modes");
    app.client().post(&modes, json!({"standby": true})).expect(200);
    let before = receiver.deliveries().len();
    play(&app, "messenger", &page, &person, json!({"text": "hi"}));
    let later = receiver.deliveries().split_off(before);
    assert!(later.iter().any(|one| one.event["entry"][0]["standby"].is_array()), "{later:?}");
}

#[test]
fn instagram_counts_bytes_and_has_no_receipt() {
    let Some((app, receiver)) = start() else { return };
    let (account, person) = (number(), format!("{}1234", number()));
    play(
        &app,
        "instagram",
        &account,
        &person,
        json!({"text": "love this!", "story": {"url": "https://a.example", "id": "1"}}),
    );
    let client = provider(&app);
    let path = format!("/sandbox/instagram/v25.0/{account}/messages");
    let message = |body: String| json!({"recipient": {"id": person}, "message": {"text": body}});
    assert_eq!(code(&client.post(&path, message("é".repeat(501)))), 100);
    let mid = text(&client.post(&path, message("é".repeat(500))).expect(200), "message_id");
    let read = wait_for("the message to be seen", SETTLED, || events(&receiver, "read").into_iter().next());
    assert_eq!(read["read"], json!({"mid": mid}));
    assert!(events(&receiver, "delivery").is_empty());
    let echo =
        events(&receiver, "message").into_iter().find(|event| event["message"]["is_echo"] == true).unwrap();
    assert!(echo["message"].get("metadata").is_none());
    // The other form of the URL.
    let me = app.client().bearer(&format!("sandbox-{account}"));
    me.post("/sandbox/instagram/v25.0/me/messages", message("hi".into())).expect(200);
    let unsent = play(&app, "instagram", &account, &person, json!({"revoke": {"messageId": "mid.1"}}));
    let body: Value = serde_json::from_str(&text(&unsent, "body")).unwrap();
    assert_eq!(body["entry"][0]["messaging"][0]["message"], json!({"mid": "mid.1", "is_deleted": true}));
}
