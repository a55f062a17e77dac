//! What is known of files, and deleting them.

use super::store;
use std::time::Duration;
use tests::client::text;
use tests::media::{PNG, upload};
use tests::{App, Tenant, wait_for};

#[test]
fn a_deleted_file_is_gone() {
    let tenant = Tenant::new(App::shared());
    let id = upload(&tenant.key, "a.png", "image/png", PNG);
    let path = format!("/v1/media/{id}");
    tenant.agent().client.delete(&path).expect(204);
    tenant.key.get(&path).problem(404, "media_not_found");
    tenant.key.get(&format!("/media/{}/uploads/{id}", tenant.id)).problem(404, "media_not_found");
    tenant.key.delete(&path).problem(404, "media_not_found");
    tenant.key.post(&format!("{path}/links"), serde_json::json!({})).problem(404, "media_not_found");
}

#[test]
fn a_file_that_a_message_still_needs_stays() {
    let Some(app) = App::own(&[("wake", "off"), ("tick_authority", "127.0.0.1:9")]) else { return };
    let tenant = Tenant::new(&app);
    let (inbox, (_, phone)) = (tenant.inbox(), tenant.contact("Anna"));
    let id = upload(&tenant.key, "a.png", "image/png", PNG);
    let message = text(&tenant.send_template(&inbox, &phone)["message"], "id");
    // A template whose head is a picture of ours, as sending knows it.
    let head =
        format!(r#"[{{"type":"header","parameters":[{{"type":"image","image":{{"mediaId":"{id}"}}}}]}}]"#);
    let content = "json_set(content, '$.template.components', json('";
    store::change(&app, &format!("UPDATE messages SET content = {content}{head}')) WHERE id = '{message}'"));
    let path = format!("/v1/media/{id}");
    tenant.key.delete(&path).problem(409, "media_in_use");
    let internal = app.internal().unwrap();
    wait_for("the send", Duration::from_secs(10), || {
        internal.post("/internal/tick", serde_json::json!({})).expect(200);
        let message = tenant.key.get(&format!("/v1/messages/{message}")).expect(200);
        (message["message"]["deliveryStatus"] != "pending").then_some(())
    });
    tenant.key.delete(&path).expect(204);
}

#[test]
fn who_sees_not_the_conversation_sees_not_its_files() {
    let Some(app) = App::own(&[]) else { return };
    let tenant = Tenant::new(&app);
    let (inbox, (_, phone)) = (tenant.inbox(), tenant.contact("Anna"));
    tenant.send_template(&inbox, &phone);
    let id = upload(&tenant.key, "a.png", "image/png", PNG);
    store::change(
        &app,
        "UPDATE media SET source = 'theirs', identity_seq = (SELECT max(seq) FROM identities)",
    );
    let (path, bytes) = (format!("/v1/media/{id}"), format!("/media/{}/uploads/{id}", tenant.id));
    let agent = &tenant.agent().client;
    assert_eq!((agent.get(&path).status, agent.get(&bytes).status), (200, 200));
    agent.delete(&path).problem(403, "auth_authz_media_delete_denied");
    // Now the conversation is a team's that the agent is no member of.
    store::change(&app, "UPDATE identities SET team_id = 'team_of_others'");
    for refused in [agent.get(&path), agent.get(&bytes), agent.delete(&path)] {
        refused.problem(404, "media_not_found");
    }
    agent.post(&format!("{path}/links"), serde_json::json!({})).problem(404, "media_not_found");
    assert_eq!(tenant.admin().client.get(&bytes).body, PNG);
    tenant.admin().client.delete(&path).expect(204);
}

#[test]
fn a_customers_file_says_how_far_it_is() {
    let Some(app) = App::own(&[]) else { return };
    let tenant = Tenant::new(&app);
    let id = upload(&tenant.key, "a.png", "image/png", PNG);
    let (path, bytes) = (format!("/v1/media/{id}"), format!("/media/{}/uploads/{id}", tenant.id));
    store::change(&app, "UPDATE media SET state = 'pending', size = NULL, source = 'theirs'");
    let pending = tenant.key.get(&path).expect(200);
    assert_eq!((&pending["state"], pending.get("fileSize")), (&"pending".into(), None));
    let answer = tenant.key.get(&bytes);
    answer.problem(409, "media_pending");
    assert_eq!(answer.header("retry-after"), "1");
    store::change(&app, "UPDATE media SET state = 'failed', failure = 'The channel does not have it.'");
    assert_eq!(tenant.key.get(&path).expect(200)["failureReason"], "The channel does not have it.");
    tenant.key.get(&bytes).problem(404, "media_not_found");
}
