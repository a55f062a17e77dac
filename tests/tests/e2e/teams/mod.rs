//! `/v1/teams`: the teams themselves. What agents see through them is in `conversations::visibility`.

mod agents;

use serde_json::{Value, json};
use tests::client::text;
use tests::{App, Tenant};

#[test]
fn a_team_is_made_read_changed_and_deleted() {
    let tenant = Tenant::new(App::shared());
    let request = json!({"name": "Support", "description": "First line."});
    let made = tenant.key.post("/v1/teams", request).expect(201);
    let path = format!("/v1/teams/{}", text(&made, "id"));
    assert!(text(&made, "id").starts_with("team_"));
    assert_eq!(made["agentIds"], json!([]));
    assert_eq!(made["tenantId"], tenant.id.as_str());
    assert_eq!(tenant.agent().client.get(&path).expect(200), made);

    let renamed = tenant.key.put(&path, json!({"name": "Help"})).expect(200);
    assert_eq!((&renamed["name"], &renamed["description"]), (&json!("Help"), &json!("First line.")));
    let bare = tenant.key.put(&path, json!({"description": null})).expect(200);
    assert_eq!((&bare["name"], bare.get("description")), (&json!("Help"), None));
    assert_eq!(tenant.key.put(&path, json!({})).expect(200), bare);

    tenant.key.delete(&path).expect(204);
    tenant.key.delete(&path).problem(404, "team_not_found");
    tenant.key.get(&path).problem(404, "team_not_found");
    tenant.key.put(&path, json!({"name": "x"})).problem(404, "team_not_found");
}

#[test]
fn wrong_fields_are_named() {
    let tenant = Tenant::new(App::shared());
    let path = format!("/v1/teams/{}", tenant.team("Support"));
    let long = json!({"name": "x".repeat(201), "description": "x".repeat(1001)});
    assert_eq!(tenant.key.post("/v1/teams", long.clone()).wrong_fields(422), ["name", "description"]);
    assert_eq!(tenant.key.put(&path, long).wrong_fields(422), ["name", "description"]);
    assert_eq!(tenant.key.post("/v1/teams", json!({"name": " "})).wrong_fields(422), ["name"]);
    assert_eq!(tenant.key.put(&path, json!({"name": ""})).wrong_fields(422), ["name"]);
    tenant.key.post("/v1/teams", json!({})).expect(422);
}

#[test]
fn teams_are_paged_oldest_first_with_their_number() {
    let tenant = Tenant::new(App::shared());
    let made: Vec<String> = (0..5).map(|n| tenant.team(&format!("Team {n}"))).collect();
    let mut seen = Vec::new();
    let mut path = "/v1/teams?pageSize=2".to_string();
    loop {
        let page: Value = tenant.agent().client.get(&path).expect(200);
        assert_eq!(page["totalSize"], 5);
        seen.extend(page["teams"].as_array().unwrap().iter().map(|team| text(team, "id")));
        match page["nextPageToken"].as_str() {
            Some(token) => path = format!("/v1/teams?pageSize=2&pageToken={token}"),
            None => break,
        }
    }
    assert_eq!(seen, made);
    let stranger = Tenant::new(App::shared());
    assert_eq!(stranger.key.get("/v1/teams").expect(200), json!({"teams": [], "totalSize": 0}));
    assert_eq!(stranger.key.get(&path).wrong_fields(400), ["pageToken"]);
}

#[test]
fn one_key_makes_one_team() {
    let tenant = Tenant::new(App::shared());
    let key = tenant.key.once("team-1");
    let first = key.post("/v1/teams", json!({"name": "Support"})).expect(201);
    assert_eq!(key.post("/v1/teams", json!({"name": "Support"})).expect(201), first);
    assert_eq!(tenant.key.get("/v1/teams").expect(200)["totalSize"], 1);
}
