//! Renaming, renewing credentials, the team, disconnecting.

use serde_json::json;
use std::time::Duration;
use tests::client::text;
use tests::tenant::text_to;
use tests::{App, Tenant, unique, wait_for};

#[test]
fn an_inbox_is_renamed_and_gets_a_new_token() {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let path = format!("/v1/inboxes/{}", inbox.id);
    let token = unique::word();
    let changed =
        tenant.key.patch(&path, json!({"name": " Support ", "credentials": {"accessToken": token}}));
    assert!(!changed.to_string().contains(&token), "{changed}");
    assert_eq!(changed.expect(200)["name"], "Support");
    assert_eq!(tenant.key.get(&path).expect(200)["name"], "Support");
    let wrong = |body| tenant.key.patch(&path, body).wrong_fields(422);
    assert_eq!(wrong(json!({"name": ""})), ["name"]);
    assert_eq!(wrong(json!({"hmacMandatory": true})), ["hmacMandatory"]);
    assert_eq!(wrong(json!({"credentials": {"authToken": "x"}})), ["credentials.authToken"]);
    assert_eq!(wrong(json!({"credentials": {"rotateHmacToken": true}})), ["credentials.rotateHmacToken"]);
    assert_eq!(wrong(json!({"credentials": {"accessToken": "a b"}})), ["credentials.accessToken"]);
    let other = Tenant::new(App::shared());
    other.key.patch(&path, json!({"name": "mine"})).problem(404, "inbox_not_found");
}

#[test]
fn a_live_chat_gets_a_new_hmac_token_shown_once() {
    let tenant = Tenant::new(App::shared());
    let made = tenant.key.post("/v1/inboxes", json!({"text": {"name": "Chat"}})).expect(200);
    let (id, first) = (text(&made["inboxes"][0], "id"), text(&made["inboxes"][0]["secrets"], "hmacToken"));
    let path = format!("/v1/inboxes/{id}");
    let mandatory = tenant.key.patch(&path, json!({"hmacMandatory": true})).expect(200);
    assert_eq!(mandatory["config"], json!({"hmacMandatory": true}));
    assert!(mandatory.get("secrets").is_none());
    let renewed = tenant.key.patch(&path, json!({"credentials": {"rotateHmacToken": true}})).expect(200);
    let second = text(&renewed["secrets"], "hmacToken");
    assert!(second != first && second.len() >= 32);
    assert!(tenant.key.get(&path).expect(200).get("secrets").is_none());
}

#[test]
fn an_inbox_that_its_provider_refused_recovers_with_new_credentials() {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let path = format!("/v1/inboxes/{}", inbox.id);
    // The sandbox answers this recipient as if the token had expired.
    tenant.send_template(&inbox, &unique::phone_ending("0190"));
    wait_for("a degraded inbox", Duration::from_secs(10), || {
        (tenant.key.get(&path).expect(200)["status"]["state"] == "degraded").then_some(())
    });
    let renewed = tenant.key.patch(&path, json!({"credentials": {"accessToken": null}})).expect(200);
    assert_eq!(renewed["status"], json!({"state": "active", "reasons": []}));
    // The message that waited is tried again at once, not after the pause: it is refused again.
    wait_for("another try", Duration::from_secs(10), || {
        (tenant.key.get(&path).expect(200)["status"]["state"] == "degraded").then_some(())
    });
}

#[test]
fn a_disconnected_inbox_is_gone_and_its_history_stays() {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let phone = unique::phone();
    let sent = tenant.send_template(&inbox, &phone);
    let (conversation, message) = (text(&sent["conversation"], "id"), text(&sent["message"], "id"));
    let stuck = tenant.send_template(&inbox, &unique::phone_ending("0190"));
    let stuck = format!("/v1/messages/{}", text(&stuck["message"], "id"));
    let path = format!("/v1/inboxes/{}", inbox.id);
    wait_for("a degraded inbox", Duration::from_secs(10), || {
        (tenant.key.get(&path).expect(200)["status"]["state"] == "degraded").then_some(())
    });
    assert_eq!(tenant.key.get(&stuck).expect(200)["message"]["deliveryStatus"], "pending");

    let other = Tenant::new(App::shared());
    other.key.delete(&path).problem(404, "inbox_not_found");
    tenant.key.delete(&path).expect(204);
    tenant.key.delete(&path).problem(404, "inbox_not_found");
    tenant.key.get(&path).problem(404, "inbox_not_found");
    assert_eq!(tenant.key.get("/v1/inboxes").expect(200), json!({"inboxes": []}));

    let failed = wait_for("the end of the message that waited", Duration::from_secs(10), || {
        let message = tenant.key.get(&stuck).expect(200)["message"].clone();
        (message["deliveryStatus"] == "failed").then_some(message)
    });
    assert!(text(&failed, "failureReason").contains("disconnected"), "{failed}");
    tenant.key.get(&format!("/v1/messages/{message}")).expect(200);
    let history = tenant.key.get(&format!("/v1/conversations/{conversation}/messages")).expect(200);
    assert_eq!(history["messages"].as_array().unwrap().len(), 1);

    let text = json!({"content": {"type": "text", "text": {"body": "Hello?"}}});
    let refused = tenant.key.post(&format!("/v1/conversations/{conversation}/messages"), text);
    refused.problem(422, "inboxRequired");
    let refused = tenant.key.post("/v1/messages", text_to(&inbox, &phone, "Hello?"));
    assert_eq!(refused.wrong_fields(422), ["inboxId"]);

    // Somebody else may have the number now.
    let request = json!({"whatsapp": {"resourceIds": ["1"], "phoneNumberIds": [inbox.phone_number_id]}});
    other.key.post("/v1/inboxes", request).expect(200);
}

#[test]
fn what_customers_write_to_a_disconnected_inbox_is_not_stored() {
    let Some(secret) = App::shared().whatsapp_app_secret.clone() else { return };
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let phone = unique::phone();
    let sent = tenant.send_template(&inbox, &phone);
    let history = format!("/v1/conversations/{}/messages", text(&sent["conversation"], "id"));
    tenant.key.delete(&format!("/v1/inboxes/{}", inbox.id)).expect(204);
    let now = tests::whatsapp::now();
    let body = tests::whatsapp::inbound_text(&inbox.phone_number_id, &phone, &unique::word(), now, "Hi");
    let body = body.to_string().into_bytes();
    let signature = tests::whatsapp::signature(&secret, &body);
    assert_eq!(tests::whatsapp::callback(App::shared(), &body, Some(&signature)).status, 200);
    // A second customer's message, to an inbox that is there, is worked off after it.
    let other = tenant.inbox();
    tests::whatsapp::customer_writes(&App::shared().client(), &other, &unique::phone(), "Hello");
    wait_for("the second message", Duration::from_secs(10), || {
        let contacts = tenant.key.get("/v1/contacts").expect(200);
        (contacts["contacts"].as_array().unwrap().len() == 2).then_some(())
    });
    assert_eq!(tenant.key.get(&history).expect(200)["messages"].as_array().unwrap().len(), 1);
}
