//! `/v1/teams/{id}/agents`.

use serde_json::json;
use tests::{App, Tenant};

#[test]
fn people_join_and_leave_a_team() {
    let tenant = Tenant::new(App::shared());
    let team = tenant.team("Support");
    let path = format!("/v1/teams/{team}");
    let agents = format!("{path}/agents");
    let (agent, owner) = (tenant.agent(), &tenant.owner);
    let joined = tenant.key.post(&agents, json!({"userId": agent.id})).expect(201);
    assert_eq!(joined["agentIds"], json!([agent.id]));
    // A second time changes nothing.
    assert_eq!(tenant.key.post(&agents, json!({"userId": agent.id})).expect(201), joined);
    tenant.join(&team, owner);
    assert_eq!(tenant.key.get(&path).expect(200)["agentIds"], json!([agent.id, owner.id]));

    let listed = agent.client.get(&agents).expect(200);
    let first = &listed["agents"][0];
    assert_eq!(first["id"], agent.id.as_str());
    assert_eq!(first["teamIds"], json!([team]));
    assert_eq!((&first["role"], &first["email"]), (&json!("agent"), &json!(agent.email)));
    assert_eq!((&first["disabled"], &first["emailVerified"]), (&json!(false), &json!(true)));
    assert_eq!(listed["agents"][1]["role"], "owner");

    tenant.key.delete(&format!("{agents}/{}", agent.id)).expect(204);
    tenant.key.delete(&format!("{agents}/{}", agent.id)).problem(404, "agent_not_found");
    assert_eq!(tenant.key.get(&path).expect(200)["agentIds"], json!([owner.id]));
}

#[test]
fn only_members_of_the_tenant_join() {
    let tenant = Tenant::new(App::shared());
    let stranger = Tenant::new(App::shared());
    let agents = format!("/v1/teams/{}/agents", tenant.team("Support"));
    for user in [stranger.owner.id.as_str(), "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S", "x", ""] {
        assert_eq!(tenant.key.post(&agents, json!({"userId": user})).wrong_fields(422), ["userId"], "{user}");
    }
    assert_eq!(tenant.key.get(&agents).expect(200), json!({"agents": []}));
    // A team of another tenant does not exist.
    let foreign = format!("/v1/teams/{}/agents", stranger.team("Support"));
    tenant.key.get(&foreign).problem(404, "team_not_found");
    let join = json!({"userId": tenant.owner.id});
    tenant.key.post(&foreign, join).problem(404, "team_not_found");
    tenant.key.delete(&format!("{foreign}/{}", stranger.owner.id)).problem(404, "team_not_found");
}

#[test]
fn who_leaves_the_tenant_leaves_its_teams() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let team = tenant.team("Support");
    let leaver = tenant.person("agent");
    tenant.join(&team, &leaver);
    tenant.join(&team, tenant.agent());
    let path =
        format!("/platform/api/v1/accounts/{}/account_users?user_id={}", tenant.account, leaver.number);
    app.platform().delete(&path).expect(200);
    assert_eq!(
        tenant.key.get(&format!("/v1/teams/{team}")).expect(200)["agentIds"],
        json!([tenant.agent().id])
    );
    let join = json!({"userId": leaver.id});
    assert_eq!(tenant.key.post(&format!("/v1/teams/{team}/agents"), join).wrong_fields(422), ["userId"]);
}
