//! `sendAt`: messages that wait for their time.

use serde_json::{Value, json};
use std::time::Duration;
use tests::client::text;
use tests::tenant::template_to;
use tests::{App, Inbox, Tenant, unique, wait_for, whatsapp};

const SOON: Duration = Duration::from_secs(15);

fn schedule(tenant: &Tenant, inbox: &Inbox, phone: &str, millis: i64) -> Value {
    let mut request = template_to(inbox, phone);
    request["sendAt"] = json!(unique::time_in(millis));
    tenant.key.post("/v1/messages", request).expect(202)
}

fn read(tenant: &Tenant, sent: &Value) -> Value {
    tenant.key.get(&format!("/v1/messages/{}", text(&sent["message"], "id"))).expect(200)["message"].clone()
}

#[test]
fn a_scheduled_message_goes_out_when_it_is_due_and_holds_up_no_other() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let phone = unique::phone();
    let later = schedule(&tenant, &inbox, &phone, 3000);
    assert_eq!(later["message"]["deliveryStatus"], "pending");
    assert!(later["message"]["sendAt"].is_string());
    let now = tenant.send_template(&inbox, &phone);
    wait_for("the message that is not scheduled", SOON, || {
        (read(&tenant, &now)["deliveryStatus"] == "read").then_some(())
    });
    assert_eq!(read(&tenant, &later)["deliveryStatus"], "pending");
    wait_for("the scheduled message", SOON, || {
        (read(&tenant, &later)["deliveryStatus"] == "read").then_some(())
    });
    let references: Vec<String> =
        whatsapp::sends(&app.client(), &inbox).iter().rev().map(|send| text(send, "reference")).collect();
    assert_eq!(references, [text(&now["message"], "id"), text(&later["message"], "id")]);
}

#[test]
fn a_scheduled_message_is_not_the_conversations_last_one() {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let phone = unique::phone();
    let first = schedule(&tenant, &inbox, &phone, 600_000);
    assert_eq!(first["conversation"]["lastMessagePreview"], "");
    let sent = tenant.send_template(&inbox, &phone);
    assert_eq!(sent["conversation"]["lastMessagePreview"], "order_ready");
    let mut request = template_to(&inbox, &phone);
    request["content"]["template"]["name"] = json!("another_one");
    request["sendAt"] = json!(unique::time_in(600_000));
    let other = tenant.key.post("/v1/messages", request).expect(202);
    assert_eq!(other["conversation"]["lastMessagePreview"], "order_ready");
    let path = format!("/v1/messages/{}", text(&other["message"], "id"));
    assert_eq!(tenant.key.get(&path).expect(200)["conversation"], other["conversation"]);
}

#[test]
fn the_time_is_in_the_future_and_within_a_year() {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let at = |value: Value| {
        let mut request = template_to(&inbox, "+48123456789");
        request["sendAt"] = value;
        tenant.key.post("/v1/messages", request).wrong_fields(422)
    };
    assert_eq!(at(json!(unique::time_in(-60_000))), ["sendAt"]);
    assert_eq!(at(json!(unique::time_in(366 * 24 * 3_600_000))), ["sendAt"]);
    assert_eq!(at(json!("tomorrow")), ["sendAt"]);
    assert_eq!(at(json!(1_900_000_000)), ["sendAt"]);
}
