//! What may be sent: each kind's limits by field, and what goes along with a message.

use serde_json::{Value, json};
use tests::client::text;
use tests::tenant::template_to;
use tests::{App, Tenant, unique};

fn with(member: &str, value: Value) -> Vec<String> {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let mut request = template_to(&inbox, "+48123456789");
    request[member] = value;
    tenant.key.post("/v1/messages", request).wrong_fields(422)
}

#[test]
fn wrong_content_is_named_by_its_field() {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let refused = |content: Value| {
        let mut request = template_to(&inbox, "+48123456789");
        request["content"] = content;
        tenant.key.post("/v1/messages", request).wrong_fields(422)
    };
    let interactive = |members: Value| json!({"type": "interactive", "interactive": members});
    let button = |n: usize| json!({"id": n.to_string(), "title": n.to_string()});
    let four: Vec<Value> = (0..4).map(button).collect();
    assert_eq!(refused(interactive(json!({"body": "?", "buttons": four}))), ["content.interactive.buttons"]);
    assert_eq!(refused(interactive(json!({"body": "?"}))), ["content.interactive.buttons"]);
    assert_eq!(refused(interactive(json!({"buttons": [button(1)]}))), ["content"]);
    assert_eq!(refused(json!({"type": "media", "media": {}})), ["content.media.mediaId"]);
    assert_eq!(refused(json!({"type": "media", "media": {"mediaId": "mda_x"}})), ["content.media.mediaId"]);
    let location = json!({"type": "location", "location": {"latitude": 91, "longitude": 0}});
    assert_eq!(refused(location), ["content.location.latitude"]);
    let cards = json!({"type": "contacts", "contacts": [{"name": {"formatted_name": "Anna"}}]});
    assert_eq!(refused(cards), ["content.contacts[0].name"]);
    for inbound in ["deleted", "reply", "unsupported"] {
        let content =
            json!({"type": inbound, "reply": {"id": "a", "title": "A"}, "unsupported": {"kind": "x"}});
        assert_eq!(refused(content), ["content.type"], "{inbound}");
    }
}

#[test]
fn metadata_is_kept_with_the_message_and_has_its_limits() {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let mut request = template_to(&inbox, &unique::phone());
    request["metadata"] = json!({"order.id": "A-1", "empty": ""});
    let sent = tenant.key.post("/v1/messages", request).expect(202);
    assert_eq!(sent["message"]["metadata"], json!({"order.id": "A-1", "empty": ""}));
    let path = format!("/v1/messages/{}", text(&sent["message"], "id"));
    assert_eq!(tenant.key.get(&path).expect(200)["message"]["metadata"], sent["message"]["metadata"]);

    let many: serde_json::Map<String, Value> = (0..21).map(|n| (format!("k{n}"), json!("v"))).collect();
    assert_eq!(with("metadata", json!(many)), ["metadata"]);
    assert_eq!(with("metadata", json!({"a b": "v"})), ["metadata.a b"]);
    assert_eq!(with("metadata", json!({"": "v"})), ["metadata."]);
    assert_eq!(with("metadata", json!({"k": "x".repeat(501)})), ["metadata.k"]);
    assert_eq!(with("metadata", json!({"k": 5})).len(), 1);
    assert_eq!(with("metadata", json!(["a"])), ["metadata"]);
}

#[test]
fn a_message_quotes_one_of_its_conversation() {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let phone = unique::phone();
    let first = text(&tenant.send_template(&inbox, &phone)["message"], "id");
    let elsewhere = text(&tenant.send_template(&inbox, &unique::phone())["message"], "id");
    let mut request = template_to(&inbox, &phone);
    request["replyToMessageId"] = json!(first);
    let sent = tenant.key.post("/v1/messages", request.clone()).expect(202);
    assert_eq!(sent["message"]["replyToMessageId"], json!(first));
    let path = format!("/v1/messages/{}", text(&sent["message"], "id"));
    assert_eq!(tenant.key.get(&path).expect(200)["message"]["replyToMessageId"], json!(first));
    for other in [elsewhere.as_str(), "msg_01HV8Z2G8Z3H5M9K2S6A1N0P4K", "x"] {
        request["replyToMessageId"] = json!(other);
        assert_eq!(tenant.key.post("/v1/messages", request.clone()).wrong_fields(422), ["replyToMessageId"]);
    }
}

#[test]
fn numbers_grow_with_each_message() {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let seqs: Vec<i64> = (0..5)
        .map(|_| tenant.send_template(&inbox, &unique::phone())["message"]["seq"].as_i64().unwrap())
        .collect();
    assert!(seqs.is_sorted_by(|a, b| a < b), "{seqs:?}");
}
