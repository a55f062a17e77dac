//! `GET /v1/messages/{id}` and `GET /v1/conversations/{id}/messages`.

use serde_json::json;
use tests::client::text;
use tests::{App, Tenant, unique};

#[test]
fn one_message_is_read_with_its_conversation() {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let sent = tenant.send_template(&inbox, &unique::phone());
    let read = tenant.key.get(&format!("/v1/messages/{}", text(&sent["message"], "id"))).expect(200);
    for member in ["id", "createdAt", "tenantId", "conversationId", "sessionId", "senderId", "content"] {
        assert_eq!(read["message"][member], sent["message"][member], "{member}");
    }
    assert_eq!(read["conversation"], sent["conversation"]);
}

#[test]
fn a_history_is_paged_newest_first() {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let phone = unique::phone();
    let mut sent = Vec::new();
    let mut conversation = String::new();
    for _ in 0..7 {
        let accepted = tenant.send_template(&inbox, &phone);
        conversation = text(&accepted["conversation"], "id");
        sent.push(text(&accepted["message"], "id"));
    }
    sent.reverse();
    let path = format!("/v1/conversations/{conversation}/messages");
    let mut seen = Vec::new();
    let mut query = "?pageSize=3".to_string();
    loop {
        let page = tenant.key.get(&format!("{path}{query}")).expect(200);
        let messages = page["messages"].as_array().unwrap();
        assert!((1..=3).contains(&messages.len()));
        seen.extend(messages.iter().map(|message| text(message, "id")));
        match page["nextPageToken"].as_str() {
            Some(token) => query = format!("?pageSize=3&pageToken={token}"),
            None => break,
        }
    }
    assert_eq!(seen, sent);
    let whole = tenant.key.get(&path).expect(200);
    assert!(whole.get("nextPageToken").is_none());
    let other = tenant.send_template(&inbox, &unique::phone());
    let other = format!("/v1/conversations/{}/messages", text(&other["conversation"], "id"));
    let token = query.rsplit('=').next().unwrap();
    assert_eq!(tenant.key.get(&format!("{other}?pageToken={token}")).wrong_fields(400), ["pageToken"]);
}

#[test]
fn what_has_not_begun_is_not_found() {
    let tenant = Tenant::new(App::shared());
    for id in crate::conversations::absent(&tenant) {
        let path = format!("/v1/conversations/{id}/messages");
        tenant.key.get(&path).problem(404, "conversation_not_found");
        let content = json!({"type": "template", "template": {"name": "order_ready", "language": "en"}});
        tenant.key.post(&path, json!({"content": content})).problem(404, "conversation_not_found");
    }
    tenant.key.get("/v1/messages/msg_01HV8Z2G8Z3H5M9K2S6A1N0P4K").problem(404, "message_not_found");
}
