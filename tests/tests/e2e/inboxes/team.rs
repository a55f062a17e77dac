//! The team of an inbox: where new conversations go.

use serde_json::json;
use tests::{App, Tenant, unique};

#[test]
fn only_a_team_of_the_workspace_is_taken() {
    let tenant = Tenant::new(App::shared());
    let path = format!("/v1/inboxes/{}/team", tenant.inbox().id);
    let set = |team: &str| tenant.key.put(&path, json!({"teamId": team}));
    assert_eq!(set("team_01HV8Y6W0W4T5A8S9V7Q2P1M3G").wrong_fields(422), ["teamId"]);
    assert_eq!(tenant.key.put(&path, json!({})).wrong_fields(422), ["body"]);
    let cleared = tenant.key.delete(&path).expect(200);
    assert!(cleared.get("teamId").is_none());
    let other = Tenant::new(App::shared());
    other.key.delete(&path).problem(404, "inbox_not_found");
    other.key.put(&path, json!({"teamId": "team_x"})).problem(404, "inbox_not_found");
}

#[test]
fn new_conversations_go_to_the_team_and_its_agents() {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let team = tenant.team("Support");
    let path = format!("/v1/inboxes/{}/team", inbox.id);
    let set = tenant.key.put(&path, json!({"teamId": team})).expect(200);
    assert_eq!(set["teamId"], json!(team));
    assert_eq!(tenant.key.get("/v1/inboxes").expect(200)["inboxes"][0]["teamId"], json!(team));
    let inside = tenant.send_template(&inbox, &unique::phone())["conversation"]["id"].clone();
    let inside = format!("/v1/conversations/{}", inside.as_str().unwrap());
    assert_eq!(tenant.key.get(&inside).expect(200)["teamId"], json!(team));
    tenant.agent().client.get(&inside).problem(404, "conversation_not_found");
    assert!(tenant.key.delete(&path).expect(200).get("teamId").is_none());
    let outside = tenant.send_template(&inbox, &unique::phone())["conversation"]["id"].clone();
    let outside = format!("/v1/conversations/{}", outside.as_str().unwrap());
    assert!(tenant.key.get(&outside).expect(200).get("teamId").is_none());
    tenant.agent().client.get(&outside).expect(200);
    assert_eq!(tenant.key.get(&inside).expect(200)["teamId"], json!(team), "it stays where it is");
}
