//! `POST /v1/conversations/{id}/reassign`.

use super::Customer;
use serde_json::json;
use std::time::Duration;
use tests::{App, Receiver, Tenant};

#[test]
fn a_conversation_is_handed_over_and_taken_back() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let receiver = Receiver::start();
    let customer = Customer::writes(app, &tenant, &tenant.inbox(), "Hello");
    tenant.deliver_to(&receiver, &["conversation.updated"]);
    let (agent, admin) = (tenant.agent(), tenant.admin());
    customer.assign(&agent.client, &admin.id);
    assert_eq!(customer.details(&agent.client)["assignedUserId"], admin.id.as_str());
    let told = receiver.wait_for("conversation.updated", super::SOON);
    let conversation = &told.event["data"]["conversation"];
    assert_eq!(conversation["id"], customer.conversation.as_str());
    assert_eq!(conversation["assignedUserId"], admin.id.as_str());
    assert_eq!((&conversation["status"], conversation.get("unreadCount")), (&json!("open"), None));

    // The same again tells nobody.
    customer.assign(&tenant.key, &admin.id);
    tenant.key.post(&customer.path("/reassign"), json!({"userId": null})).expect(204);
    assert!(customer.details(&agent.client).get("assignedUserId").is_none());
    tests::wait_for("the second event", super::SOON, || (receiver.deliveries().len() == 2).then_some(()));
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(receiver.deliveries().len(), 2);
}

#[test]
fn only_members_get_conversations() {
    let app = App::shared();
    let (tenant, stranger) = (Tenant::new(app), Tenant::new(app));
    let customer = Customer::writes(app, &tenant, &tenant.inbox(), "Hello");
    let path = customer.path("/reassign");
    for user in [stranger.owner.id.as_str(), "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S", &tenant.service_account, ""] {
        assert_eq!(tenant.key.post(&path, json!({"userId": user})).wrong_fields(422), ["userId"], "{user}");
    }
    tenant.key.post(&path, json!({})).expect(422);
    tenant.key.post(&path, json!({"userId": 5})).expect(422);
    // Who left is no member; what they had is nobody's.
    let leaver = tenant.person("agent");
    customer.assign(&tenant.key, &leaver.id);
    let members = format!("/platform/api/v1/accounts/{}/account_users", tenant.account);
    app.platform().delete(&format!("{members}?user_id={}", leaver.number)).expect(200);
    assert!(customer.details(&tenant.key).get("assignedUserId").is_none());
    assert_eq!(tenant.key.post(&path, json!({"userId": leaver.id})).wrong_fields(422), ["userId"]);
}

#[test]
fn a_closed_conversation_is_nobodys() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let customer = Customer::writes(app, &tenant, &inbox, "Hello");
    customer.assign(&tenant.key, &tenant.owner.id);
    customer.close(&tenant.key);
    let to = json!({"userId": tenant.agent().id});
    tenant.key.post(&customer.path("/reassign"), to).problem(409, "conversation_not_open");
    // The assignment ends with its session.
    customer.writes_again(app, &tenant, &inbox, "Once more");
    let details = customer.details(&tenant.key);
    assert_eq!((&details["status"], details.get("assignedUserId")), (&json!("open"), None));
}

#[test]
fn one_key_reassigns_once() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let customer = Customer::writes(app, &tenant, &tenant.inbox(), "Hello");
    let key = tenant.key.once("reassign-1");
    let to = json!({"userId": tenant.owner.id});
    key.post(&customer.path("/reassign"), to.clone()).expect(204);
    customer.assign(&tenant.key, &tenant.admin().id);
    let again = key.post(&customer.path("/reassign"), to);
    assert_eq!((again.status, again.header("idempotent-replay")), (204, "true"));
    assert_eq!(customer.details(&tenant.key)["assignedUserId"], tenant.admin().id.as_str());
}
