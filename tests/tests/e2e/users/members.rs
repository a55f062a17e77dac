//! `/v1/users` and `/v1/users/{userId}`; what becomes of disabled people.

use serde_json::json;
use tests::client::text;
use tests::{App, Person, Tenant};

const SESSIONS: &str = "/v1/auth/sessions";

fn disable(app: &App, person: &Person, disabled: bool) -> tests::Answer {
    app.platform().patch(&format!("/platform/api/v1/users/{}", person.number), json!({"disabled": disabled}))
}

fn sign_in(app: &App, person: &Person) -> tests::Answer {
    app.client().post(SESSIONS, json!({"email": person.email, "password": person.password}))
}

#[test]
fn everybody_is_listed_in_the_order_they_came() {
    let tenant = Tenant::new(App::shared());
    let (admin, agent) = (tenant.admin(), tenant.agent());
    let team = tenant.team("Support");
    tenant.join(&team, agent);
    let listed = agent.client.get("/v1/users").expect(200);
    let users = listed["users"].as_array().unwrap();
    let ids: Vec<String> = users.iter().map(|user| text(user, "id")).collect();
    assert_eq!(ids, [&tenant.owner.id, &admin.id, &agent.id].map(String::clone));
    assert_eq!((&users[0]["role"], &users[1]["role"]), (&json!("owner"), &json!("admin")));
    insta::assert_json_snapshot!(users[2], {
        ".id" => "[id]", ".email" => "[email]", ".joinedAt" => "[time]", ".teamIds[0]" => "[team]",
    }, @r#"
    {
      "disabled": false,
      "email": "[email]",
      "emailVerified": true,
      "id": "[id]",
      "joinedAt": "[time]",
      "name": "Test agent",
      "provider": "email",
      "role": "agent",
      "teamIds": [
        "[team]"
      ]
    }
    "#);
    assert_eq!(users[2]["teamIds"], json!([team]));
    let read = tenant.key.get(&format!("/v1/users/{}", agent.id)).expect(200);
    assert_eq!(read, users[2]);
}

#[test]
fn who_is_no_member_is_absent() {
    let app = App::shared();
    let (tenant, other) = (Tenant::new(app), Tenant::new(app));
    for id in [other.owner.id.as_str(), "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S", "x"] {
        tenant.key.get(&format!("/v1/users/{id}")).problem(404, "auth_user_not_found");
    }
    let leaver = tenant.person("agent");
    let path = format!("/v1/users/{}", leaver.id);
    tenant.key.get(&path).expect(200);
    let place =
        format!("/platform/api/v1/accounts/{}/account_users?user_id={}", tenant.account, leaver.number);
    app.platform().delete(&place).expect(200);
    tenant.key.get(&path).problem(404, "auth_user_not_found");
}

#[test]
fn a_disabled_persons_tokens_stop_at_once_and_work_again_later() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let agent = tenant.agent();
    agent.client.get("/v1/users/me").expect(200);
    assert_eq!(disable(app, agent, true).expect(200)["disabled"], true);
    agent.client.get("/v1/users/me").problem(401, "auth_token_invalid");
    agent.client.get("/v1/contacts").problem(401, "auth_token_invalid");
    sign_in(app, agent).problem(401, "auth_credentials_invalid");
    let path = format!("/v1/users/{}", agent.id);
    assert_eq!(tenant.key.get(&path).expect(200)["disabled"], true);

    assert_eq!(disable(app, agent, false).expect(200)["disabled"], false);
    agent.client.get("/v1/users/me").expect(200);
    sign_in(app, agent).expect(201);
    assert_eq!(tenant.key.get(&path).expect(200)["disabled"], false);
}

#[test]
fn the_last_owner_who_can_act_is_not_shut_out() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    disable(app, &tenant.owner, true).expect(422);
    tenant.owner.client.get("/v1/users/me").expect(200);
    let second = tenant.person("owner");
    disable(app, &tenant.owner, true).expect(200);
    tenant.owner.client.get("/v1/users/me").problem(401, "auth_token_invalid");
    disable(app, &second, true).expect(422);
    let user = format!("/platform/api/v1/users/{}", second.number);
    app.platform().delete(&user).expect(422);
    second.client.get("/v1/users/me").expect(200);
}
