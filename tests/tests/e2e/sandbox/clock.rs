//! The movable clock.

use super::{code, play, provider};
use serde_json::{Value, json};
use std::time::Duration;
use tests::client::text;
use tests::{Answer, App, Inbox, Tenant, tenant, unique, wait_for, whatsapp};

const DAY: i64 = 24 * 60 * 60;
const SOON: Duration = Duration::from_secs(20);

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
    wait_for("a text to be taken", SOON, || (send().status == 202).then_some(()));
}

/// Moves a tenant's clock.
fn advance(app: &App, tenant: &Tenant, seconds: i64) {
    let body = json!({"tenantId": tenant.id, "advanceSeconds": seconds});
    app.client().post("/sandbox/clock", body).expect(200);
}

fn message(tenant: &Tenant, id: &str) -> Value {
    tenant.key.get(&format!("/v1/messages/{id}")).expect(200)["message"].clone()
}

#[track_caller]
fn wait_status(tenant: &Tenant, id: &str, status: &str) -> Value {
    wait_for(status, SOON, || Some(message(tenant, id)).filter(|message| message["deliveryStatus"] == status))
}

/// Nothing happens for a while that is longer than what is due at once takes.
fn stays_pending(tenant: &Tenant, inbox: &Inbox, id: &str, sends: usize) {
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(message(tenant, id)["deliveryStatus"], "pending");
    assert_eq!(whatsapp::sends(&App::shared().client(), inbox).len(), sends);
}

#[test]
fn a_scheduled_message_goes_out_when_its_time_is_advanced_to() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let schedule = |hours: i64| {
        let mut request = tenant::template_to(&inbox, &unique::phone());
        request["sendAt"] = json!(unique::time_in(hours * 3_600_000));
        text(&tenant.key.post("/v1/messages", request).expect(202)["message"], "id")
    };
    let (tomorrow, next_week) = (schedule(24), schedule(7 * 24));
    advance(app, &tenant, DAY - 600);
    stays_pending(&tenant, &inbox, &tomorrow, 0);
    advance(app, &tenant, 600);
    let sent = wait_status(&tenant, &tomorrow, "read");
    assert!(sent["channelMessageId"].is_string(), "{sent}");
    stays_pending(&tenant, &inbox, &next_week, 1);
    advance(app, &tenant, 6 * DAY);
    wait_status(&tenant, &next_week, "read");
    let path = format!("/sandbox/controls/whatsapp/calls?account={}", inbox.phone_number_id);
    let calls = app.client().get(&path).expect(200)["calls"].as_array().unwrap().clone();
    let asked: Vec<String> = calls.iter().rev().map(|call| text(call, "body")).collect();
    assert_eq!(asked.len(), 2, "each once");
    assert!(asked[0].contains(&tomorrow) && asked[1].contains(&next_week), "{asked:?}");
}

#[test]
fn a_retry_comes_when_its_time_is_advanced_to() {
    let app = App::shared();
    // A sender that is throttled as a whole, and a message that failed for the moment.
    for kind in ["throttled", "unavailable"] {
        let tenant = Tenant::new(app);
        let inbox = tenant.inbox();
        let fault = json!({"account": inbox.phone_number_id, "fault": {"kind": kind, "retryAfter": 50}});
        app.client().post("/sandbox/controls/whatsapp/faults", fault).expect(200);
        let id = text(&tenant.send_template(&inbox, &unique::phone())["message"], "id");
        let calls = || {
            let path = format!("/sandbox/controls/whatsapp/calls?account={}", inbox.phone_number_id);
            app.client().get(&path).expect(200)["calls"].as_array().unwrap().len()
        };
        wait_for("the refusal", SOON, || (calls() == 1).then_some(()));
        stays_pending(&tenant, &inbox, &id, 0);
        advance(app, &tenant, 25);
        stays_pending(&tenant, &inbox, &id, 0);
        advance(app, &tenant, 25);
        wait_status(&tenant, &id, "read");
        assert_eq!((calls(), whatsapp::sends(&app.client(), &inbox).len()), (2, 1), "{kind}");
    }
}

#[test]
fn an_outcome_that_stays_unknown_is_given_up_when_its_time_is_advanced_to() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let fault = json!({"account": inbox.phone_number_id, "fault": {"kind": "empty"}});
    app.client().post("/sandbox/controls/whatsapp/faults", fault).expect(200);
    let id = text(&tenant.send_template(&inbox, &unique::phone())["message"], "id");
    stays_pending(&tenant, &inbox, &id, 0);
    advance(app, &tenant, 11 * 60);
    let failed = wait_status(&tenant, &id, "failed");
    assert!(text(&failed, "failureReason").starts_with("It may have been sent"), "{failed}");
    assert!(whatsapp::sends(&app.client(), &inbox).is_empty(), "never sent again");
}
