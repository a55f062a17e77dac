//! `GET /v1/conversations/{id}`: the state and the messaging window.

use super::Customer;
use serde_json::{Value, json};
use tests::client::text;
use tests::{App, Tenant, unique};

#[test]
fn a_customers_message_opens_the_window_for_agents_and_bots() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let customer = Customer::writes(app, &tenant, &inbox, "Hello");
    let details = customer.details(&tenant.owner.client);
    assert_eq!((&details["status"], &details["unreadCount"]), (&json!("open"), &json!(1)));
    let window = &details["messagingWindow"];
    assert_eq!((&window["state"], &window["forActor"]), (&json!("OPEN"), &json!("AGENT")));
    assert!(window["expiresAt"].is_string() && window.get("failureCode").is_none(), "{window}");
    assert_eq!(&details["messagingWindows"][0], window);
    assert_eq!(details["messagingWindows"][1]["forActor"], "BOT");
    assert_eq!(details["messagingWindows"][1]["expiresAt"], window["expiresAt"]);
    // The same as the list shows, and beyond it the windows.
    let mut without = details.clone();
    let members: &mut serde_json::Map<String, Value> = without.as_object_mut().unwrap();
    members.remove("messagingWindow");
    members.remove("messagingWindows");
    let listed = tenant.owner.client.get("/v1/conversations").expect(200);
    assert_eq!(listed["conversations"][0], without);
    assert_eq!(details["sessionId"], customer.messages(&tenant.key)[0]["sessionId"]);
}

#[test]
fn without_a_customers_message_the_window_is_closed() {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let sent = tenant.send_template(&inbox, &unique::phone());
    let path = format!("/v1/conversations/{}", text(&sent["conversation"], "id"));
    let details = tenant.key.get(&path).expect(200);
    assert_eq!(
        details["messagingWindow"],
        json!({"state": "CLOSED", "forActor": "AGENT", "failureCode": "messagingWindowClosed"})
    );
    assert_eq!((&details["status"], &details["unreadCount"]), (&json!("open"), &json!(0)));
}

#[test]
fn without_an_inbox_nobody_can_write() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let customer = Customer::writes(app, &tenant, &inbox, "Hello");
    tenant.key.delete(&format!("/v1/inboxes/{}", inbox.id)).expect(204);
    let details = customer.details(&tenant.key);
    for (at, actor) in ["AGENT", "BOT"].into_iter().enumerate() {
        assert_eq!(
            details["messagingWindows"][at],
            json!({"state": "CLOSED", "forActor": actor, "failureCode": "inboxRequired"})
        );
    }
    // The only other inbox of the channel takes its place; the customer has not written to it.
    tenant.inbox();
    assert_eq!(customer.details(&tenant.key)["messagingWindow"]["failureCode"], "messagingWindowClosed");
    // Of two, one must be named.
    tenant.inbox();
    assert_eq!(customer.details(&tenant.key)["messagingWindow"]["failureCode"], "inboxRequired");
}

#[test]
fn what_has_not_begun_is_not_found() {
    let tenant = Tenant::new(App::shared());
    for id in super::absent(&tenant) {
        let path = format!("/v1/conversations/{id}");
        tenant.key.get(&path).problem(404, "conversation_not_found");
        tenant.key.post(&format!("{path}/close"), json!({})).problem(404, "conversation_not_found");
        let read = json!({"lastMessageId": "msg_x"});
        tenant.key.post(&format!("{path}/read"), read).problem(404, "conversation_not_found");
        let to = json!({"userId": tenant.owner.id});
        tenant.key.post(&format!("{path}/reassign"), to).problem(404, "conversation_not_found");
    }
}
