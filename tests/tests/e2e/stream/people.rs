//! What comes to people: by their sight, and their own counts.

use super::{QUIET, SOON, send};
use serde_json::json;
use tests::client::text;
use tests::{App, Events, Tenant, unique, whatsapp};

#[test]
fn an_agent_hears_of_what_they_see_and_of_losing_sight() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let (inside, outside) = (tenant.person("agent"), tenant.person("agent"));
    let team = tenant.team("Red");
    tenant.join(&team, &inside);
    let inbox = tenant.inbox();
    tenant.key.put(&format!("/v1/inboxes/{}/team", inbox.id), json!({"teamId": team})).expect(200);
    let types =
        "/v1/stream?types=message.created,conversation.started,conversation.updated,conversation.removed";
    let mut sees = Events::ready(&inside.client, types);
    let mut sees_not = Events::ready(&outside.client, types);
    let mut all = Events::ready(&tenant.key, types);

    // A conversation of the team.
    let sent = tenant.send_template(&inbox, &unique::phone());
    let conversation = text(&sent["conversation"], "id");
    sees.wait_for("message.created", SOON);
    all.wait_for("message.created", SOON);
    assert!(sees_not.drain(QUIET).is_empty(), "out of sight");

    // It is assigned to the agent outside, who sees it from then on, and taken away again.
    let reassign = format!("/v1/conversations/{conversation}/reassign");
    tenant.key.post(&reassign, json!({"userId": outside.id})).expect(204);
    let gained = sees_not.wait_for("conversation.updated", SOON).json();
    assert_eq!(gained["conversation"]["id"], json!(conversation));
    sees.wait_for("conversation.updated", SOON);
    tenant.key.post(&reassign, json!({"userId": null})).expect(204);
    let lost = sees_not.wait_for("conversation.removed", SOON);
    assert_eq!(lost.json(), json!({"conversationId": conversation}));
    let kinds: Vec<String> = sees.drain(QUIET).into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds, ["conversation.updated"]);

    // Out of the team: read your lists anew, and hear nothing of it from then on.
    tenant.key.delete(&format!("/v1/teams/{team}/agents/{}", inside.id)).expect(204);
    assert_eq!(sees.wait_for("reset", SOON).json(), json!({"reason": "scope"}));
    send(&tenant, &inbox, &unique::phone());
    all.wait_for("message.created", SOON);
    assert!(sees.drain(QUIET).is_empty(), "out of the team");
    outside
        .client
        .get(&format!("/v1/stream?conversationId={conversation}"))
        .problem(404, "conversation_not_found");
}

#[test]
fn closing_is_told() {
    let tenant = Tenant::new(App::shared());
    let mut events = Events::ready(&tenant.key, "/v1/stream");
    let sent = tenant.send_template(&tenant.inbox(), &unique::phone());
    let conversation = text(&sent["conversation"], "id");
    tenant.key.post(&format!("/v1/conversations/{conversation}/close"), json!({}));
    let closed = events.wait_for("conversation.closed", SOON).json();
    assert_eq!(closed["conversation"]["id"], json!(conversation));
}

#[test]
fn a_persons_unread_count_is_told_when_it_changes() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let phone = unique::phone();
    let summary = || tenant.owner.client.get("/v1/users/me/unread-summary").expect(200);
    let mut events = Events::ready(&tenant.owner.client, "/v1/stream?types=unread");
    let mut software = Events::ready(&tenant.key, "/v1/stream?types=unread");
    assert_eq!(events.wait_for("unread", SOON).json(), summary(), "as it is, first");
    whatsapp::customer_writes(&app.client(), &inbox, &phone, "Hello");
    let one = events.wait_for("unread", SOON).json();
    assert_eq!((&one["unreadCount"], &one), (&json!(1), &summary()));
    whatsapp::customer_writes(&app.client(), &inbox, &phone, "Are you there?");
    assert_eq!(events.wait_for("unread", SOON).json()["unreadCount"], json!(2));

    let conversation = tenant.key.get("/v1/conversations").expect(200)["conversations"][0].clone();
    let path = format!("/v1/conversations/{}", text(&conversation, "id"));
    let messages = tenant.key.get(&format!("{path}/messages")).expect(200);
    let latest = text(&messages["messages"][0], "id");
    tenant.owner.client.post(&format!("{path}/read"), json!({"lastMessageId": latest})).expect(200);
    let none = events.wait_for("unread", SOON).json();
    assert_eq!(none["unreadCount"], json!(0));
    assert!(none["version"].as_i64() > one["version"].as_i64(), "{none} after {one}");
    assert!(software.drain(QUIET).is_empty(), "an API key has no count");
}
