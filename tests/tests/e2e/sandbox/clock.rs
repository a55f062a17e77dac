//! The movable clock.

use super::{code, play, provider};
use serde_json::json;
use tests::client::text;
use tests::{Answer, App, Tenant, tenant, unique, wait_for, whatsapp};

const DAY: i64 = 24 * 60 * 60;

#[test]
fn a_window_closes_and_files_expire_without_waiting() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let from = unique::phone();
    whatsapp::customer_writes(&app.client(), &inbox, &from, "hello");
    let played = play(
        app,
        "whatsapp",
        json!({"account": inbox.phone_number_id, "from": from, "media": {"kind": "image"}}),
    );
    let body: serde_json::Value = serde_json::from_str(&text(&played, "body")).unwrap();
    let media = text(&body["entry"][0]["changes"][0]["value"]["messages"][0]["image"], "id");
    let file = |media: &str| provider(app).get(&format!("/sandbox/whatsapp/v25.0/{media}"));
    assert_eq!(file(&media).status, 200);
    let send = || tenant.key.post("/v1/messages", tenant::text_to(&inbox, &from, "hello"));
    open(&send);
    let advance = |seconds: i64| {
        let body = json!({"tenantId": tenant.id, "advanceSeconds": seconds});
        app.client().post("/sandbox/clock", body).expect(200)
    };
    assert_eq!(advance(DAY)["advancedSeconds"], DAY);
    let refused = send();
    assert_eq!(refused.status, 409, "{refused}");
    assert_eq!(file(&media).status, 200);
    advance(6 * DAY);
    assert_eq!(code(&file(&media)), 100);
    // Writing again opens it again.
    whatsapp::customer_writes(&app.client(), &inbox, &from, "still there");
    open(&send);
}

/// Waits until a text can be sent.
fn open(send: &impl Fn() -> Answer) {
    wait_for("a text to be taken", std::time::Duration::from_secs(20), || {
        (send().status == 202).then_some(())
    });
}
