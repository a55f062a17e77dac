//! The messaging window: free text needs a message of the customer within 24 hours.

use serde_json::json;
use std::time::Duration;
use tests::client::text;
use tests::tenant::text_to;
use tests::{App, Tenant, unique, wait_for, whatsapp};

const SOON: Duration = Duration::from_secs(5);

#[test]
fn a_text_needs_an_open_window() {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let phone = unique::phone();
    tenant.send_template(&inbox, &phone);
    let refused = tenant.key.post("/v1/messages", text_to(&inbox, &phone, "Hi"));
    let mut refused = refused.problem(409, "messagingWindowClosed");
    assert!(refused["traceId"].as_str().is_some_and(|trace| trace.len() == 55));
    refused["traceId"] = json!("[trace]");
    insta::assert_json_snapshot!(refused, { ".detail" => "[detail]" }, @r#"
    {
      "code": "messagingWindowClosed",
      "detail": "[detail]",
      "instance": "/v1/messages",
      "messagingWindow": {
        "failureCode": "messagingWindowClosed",
        "forActor": "AGENT",
        "state": "CLOSED"
      },
      "status": 409,
      "title": "Conflict",
      "traceId": "[trace]",
      "type": "https://docs.flownally.com/problems/messagingWindowClosed"
    }
    "#);
}

#[test]
fn the_window_is_of_one_inbox_and_one_person() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let (first, second) = (tenant.inbox(), tenant.inbox());
    let (anna, bob) = (unique::phone(), unique::phone());
    whatsapp::customer_writes(&app.client(), &first, &anna, "Hello");
    wait_for("the window to open", SOON, || {
        (tenant.key.post("/v1/messages", text_to(&first, &anna, "Hi Anna")).status == 202).then_some(())
    });
    let closed = "messagingWindowClosed";
    tenant.key.post("/v1/messages", text_to(&second, &anna, "Hi Anna")).problem(409, closed);
    tenant.key.post("/v1/messages", text_to(&first, &bob, "Hi Bob")).problem(409, closed);
}

#[test]
fn a_message_of_yesterday_opens_nothing() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let phone = unique::phone();
    let path = format!("/sandbox/whatsapp/{}/customer-messages", inbox.phone_number_id);
    let old = json!({"from": phone, "text": "Hello", "timestamp": "2020-01-01T12:00:00Z"});
    app.client().post(&path, old);
    wait_for("the old message", SOON, || {
        let contacts = tenant.key.get("/v1/contacts").expect(200);
        (contacts["contacts"].as_array().unwrap().len() == 1).then_some(())
    });
    let refused = tenant.key.post("/v1/messages", text_to(&inbox, &phone, "Hi"));
    refused.problem(409, "messagingWindowClosed");
    let sent = tenant.send_template(&inbox, &phone);
    let history = format!("/v1/conversations/{}/messages", text(&sent["conversation"], "id"));
    let messages = tenant.key.get(&history).expect(200);
    let written = text(&messages["messages"][1], "createdAt");
    assert!(
        written.starts_with("2020-01-01T12:00:00."),
        "the provider's time counts, to its second: {written}"
    );
}

#[test]
fn the_only_inbox_that_is_left_brings_its_own_window() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let (kept, gone) = (tenant.inbox(), tenant.inbox());
    let phone = unique::phone();
    whatsapp::customer_writes(&app.client(), &kept, &phone, "Hello");
    whatsapp::customer_writes(&app.client(), &gone, &phone, "Hello again");
    let contact = wait_for("both messages", SOON, || {
        let contacts = tenant.key.get("/v1/contacts").expect(200);
        let contact = contacts["contacts"].get(0)?;
        let conversation = text(&contact["identities"][0], "id").replace("idn_", "cnv_");
        let path = format!("/v1/conversations/{conversation}/messages");
        let messages = tenant.key.get(&path).expect(200)["messages"].clone();
        (messages.as_array().unwrap().len() == 2).then(|| text(contact, "id"))
    });
    tenant.key.delete(&format!("/v1/inboxes/{}", gone.id)).expect(204);
    // No inbox is named and the last one is gone: the only one left is meant, and its window is open.
    let content = json!({"type": "text", "text": {"body": "Hi"}});
    let request = json!({"recipient": {"type": "contact", "contactId": contact}, "content": content});
    let sent = tenant.key.post("/v1/messages", request).expect(202);
    wait_for("the message", SOON, || (!whatsapp::sends(&app.client(), &kept).is_empty()).then_some(()));
    assert_eq!(whatsapp::sends(&app.client(), &kept)[0]["reference"], sent["message"]["id"]);
}
