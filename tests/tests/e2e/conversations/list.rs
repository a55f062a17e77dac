//! `GET /v1/conversations`: order, pages, filters.

use super::{Customer, ids};
use serde_json::json;
use tests::client::text;
use tests::{App, Tenant};

#[test]
fn an_empty_list_is_a_list() {
    let tenant = Tenant::new(App::shared());
    assert_eq!(tenant.key.get("/v1/conversations").expect(200), json!({"conversations": []}));
}

#[test]
fn an_entry_shows_the_conversation_and_its_state() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let customer = Customer::writes(app, &tenant, &inbox, "Hello");
    let page = tenant.owner.client.get("/v1/conversations").expect(200);
    let mut entry = page["conversations"][0].clone();
    assert_eq!(entry["id"], customer.conversation.as_str());
    assert_eq!(entry["externalId"], customer.phone.trim_start_matches('+'));
    assert_eq!(entry["inboxId"], inbox.id.as_str());
    for member in ["id", "externalId", "inboxId", "contactId", "lastMessageAt", "sessionId"] {
        entry[member] = json!(format!("[{member}]"));
    }
    insta::assert_json_snapshot!(entry, @r#"
    {
      "channel": "whatsapp",
      "contactId": "[contactId]",
      "contactName": "Anna Kowalska",
      "externalId": "[externalId]",
      "id": "[id]",
      "inboxId": "[inboxId]",
      "lastMessageAt": "[lastMessageAt]",
      "lastMessagePreview": "Hello",
      "lastMessageSender": "customer",
      "name": "Anna Kowalska",
      "sessionId": "[sessionId]",
      "status": "open",
      "unreadCount": 1
    }
    "#);
}

#[test]
fn pages_go_on_where_the_last_one_ended_in_both_orders() {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let made: Vec<String> = (0..7)
        .map(|_| text(&tenant.send_template(&inbox, &tests::unique::phone())["conversation"], "id"))
        .collect();
    // Open and closed ones lie in one order.
    for conversation in made.iter().step_by(2) {
        tenant.key.post(&format!("/v1/conversations/{conversation}/close"), json!({})).expect(200);
    }
    let newest: Vec<String> = made.iter().rev().cloned().collect();
    assert_eq!(ids(&tenant.key, "pageSize=2"), newest);
    assert_eq!(ids(&tenant.key, "pageSize=2&sort=oldest"), made);
    assert_eq!(ids(&tenant.key, "pageSize=100"), newest);
    assert_eq!(ids(&tenant.key, "pageSize=2&status=closed"), [&*made[6], &*made[4], &*made[2], &*made[0]]);
    assert_eq!(ids(&tenant.key, "pageSize=1&status=open"), [&*made[5], &*made[3], &*made[1]]);
    assert_eq!(ids(&tenant.key, "status=open,closed"), newest);
    // A new message brings a conversation to the top.
    let sent = tenant.key.post(
        &format!("/v1/conversations/{}/messages", made[1]),
        json!({"content": {"type": "template", "template": {"name": "order_ready", "language": "en"}}}),
    );
    sent.expect(202);
    assert_eq!(ids(&tenant.key, "")[0], made[1]);

    let page = tenant.key.get("/v1/conversations?pageSize=2").expect(200);
    let token = text(&page, "nextPageToken");
    for query in ["sort=oldest", "status=open", "unread=true", "assignedUserId=none"] {
        let other = format!("/v1/conversations?{query}&pageToken={token}");
        assert_eq!(tenant.key.get(&other).wrong_fields(400), ["pageToken"], "{query}");
    }
    let other = format!("/v1/conversations?pageToken={token}");
    assert_eq!(tenant.owner.client.get(&other).wrong_fields(400), ["pageToken"], "another caller");
}

#[test]
fn unknown_values_are_named() {
    let tenant = Tenant::new(App::shared());
    for (query, field) in [
        ("status=pending", "status"),
        ("status=open,gone", "status"),
        ("sort=up", "sort"),
        ("interacted=1", "interacted"),
        ("unread=yes", "unread"),
        ("channel=fax", "channel"),
        ("pageSize=0", "pageSize"),
        ("pageSize=x", "pageSize"),
        ("pageToken=x", "pageToken"),
    ] {
        let answer = tenant.key.get(&format!("/v1/conversations?{query}"));
        assert_eq!(answer.wrong_fields(400), [field], "{query}");
    }
    tenant.key.get("/v1/conversations?pageSize=1000&interacted=false&unread=false&unknown=1").expect(200);
}

#[test]
fn filters_choose_and_combine() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let (first, second) = (tenant.inbox(), tenant.inbox());
    let anna = Customer::writes(app, &tenant, &first, "Hello");
    let bob = Customer::writes(app, &tenant, &second, "Hello");
    let cid = text(&tenant.send_template(&second, &tests::unique::phone())["conversation"], "id");
    let agent = tenant.agent();
    anna.assign(&tenant.key, &agent.id);

    let of = |query: &str| ids(&agent.client, query);
    assert_eq!(of("assignedUserId=me"), [&*anna.conversation]);
    assert_eq!(of(&format!("assignedUserId={}", agent.id)), [&*anna.conversation]);
    assert_eq!(of("assignedUserId=none"), [&*cid, &*bob.conversation]);
    assert_eq!(of(&format!("inboxId={}", first.id)), [&*anna.conversation]);
    assert_eq!(of(&format!("inboxId={}&sort=oldest", second.id)), [&*bob.conversation, &*cid]);
    assert_eq!(of("channel=sms,text"), Vec::<String>::new());
    assert_eq!(of("channel=whatsapp&channel=sms").len(), 3);
    let contact = text(&bob.details(&tenant.key), "contactId");
    assert_eq!(of(&format!("contactId={contact}")), [&*bob.conversation]);
    assert_eq!(of(&format!("contactId={contact}&inboxId={}", first.id)), Vec::<String>::new());
    for nothing in ["inboxId=ibx_x", "contactId=con_x", "teamId=team_x", "assignedUserId=usr_x"] {
        assert_eq!(of(nothing), Vec::<String>::new(), "{nothing}");
    }

    // Unread is the caller's own.
    assert_eq!(of("unread=true"), [&*bob.conversation, &*anna.conversation]);
    bob.reads(&agent.client, &bob.message(&tenant, "Hello"));
    assert_eq!(of("unread=true"), [&*anna.conversation]);
    assert_eq!(of("unread=true&status=closed"), Vec::<String>::new());
    assert_eq!(of("unread=true&assignedUserId=none"), Vec::<String>::new());
    assert_eq!(ids(&tenant.owner.client, "unread=true").len(), 2);

    // Who has written where.
    assert_eq!(of("interacted=true"), Vec::<String>::new());
    assert_eq!(ids(&tenant.key, "interacted=true"), [&*cid]);
    let reply = json!({"content": {"type": "text", "text": {"body": "Hi"}}});
    agent.client.post(&anna.path("/messages"), reply).expect(202);
    assert_eq!(of("interacted=true"), [&*anna.conversation]);
    assert_eq!(of("interacted=true&status=closed"), Vec::<String>::new());
}

#[test]
fn another_tenant_sees_its_own_only() {
    let app = App::shared();
    let (tenant, other) = (Tenant::new(app), Tenant::new(app));
    let customer = Customer::writes(app, &tenant, &tenant.inbox(), "Hello");
    assert_eq!(ids(&other.key, ""), Vec::<String>::new());
    let contact = text(&customer.details(&tenant.key), "contactId");
    assert_eq!(ids(&other.key, &format!("contactId={contact}")), Vec::<String>::new());
}
