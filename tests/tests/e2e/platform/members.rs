//! `/platform/api/v1/accounts/{account_id}/account_users`.

use serde_json::json;
use tests::{App, Person, Tenant};

fn role_of(app: &App, tenant: &Tenant, person: &Person) -> String {
    let request = json!({"email": person.email, "password": person.password, "tenantId": tenant.id});
    let session = app.client().post("/v1/auth/sessions", request).expect(201);
    tests::client::text(&session["user"], "role")
}

#[test]
fn the_first_administrator_owns_the_account() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    assert_eq!(role_of(app, &tenant, &tenant.owner), "owner");
    assert_eq!(role_of(app, &tenant, tenant.admin()), "admin");
    assert_eq!(role_of(app, &tenant, tenant.agent()), "agent");
    assert_eq!(role_of(app, &tenant, &tenant.person("owner")), "owner");
    let path = format!("/platform/api/v1/accounts/{}/account_users", tenant.account);
    let members = app.platform().get(&path).expect(200);
    let roles: Vec<&str> =
        members.as_array().unwrap().iter().map(|member| member["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["administrator", "administrator", "agent", "administrator"]);
}

#[test]
fn a_membership_is_changed_by_making_it_again() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let path = format!("/platform/api/v1/accounts/{}/account_users", tenant.account);
    let agent = tenant.agent();
    let changed =
        app.platform().post(&path, json!({"user_id": agent.number, "role": "administrator"})).expect(200);
    assert_eq!(changed["role"], "administrator");
    assert_eq!(role_of(app, &tenant, agent), "admin");
    agent.client.get("/v1/webhooks").expect(200);
    let kept = json!({"user_id": tenant.owner.number, "role": "administrator"});
    app.platform().post(&path, kept).expect(200);
    assert_eq!(role_of(app, &tenant, &tenant.owner), "owner", "an owner stays one");
}

#[test]
fn the_last_owner_stays() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let path = format!("/platform/api/v1/accounts/{}/account_users", tenant.account);
    app.platform().post(&path, json!({"user_id": tenant.owner.number, "role": "agent"})).expect(422);
    app.platform().delete(&format!("{path}?user_id={}", tenant.owner.number)).expect(422);
    assert_eq!(role_of(app, &tenant, &tenant.owner), "owner");
}

#[test]
fn unknown_users_and_roles() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let path = format!("/platform/api/v1/accounts/{}/account_users", tenant.account);
    assert_eq!(app.platform().delete(&format!("{path}?user_id=999999999")).status, 200);
    let king = json!({"user_id": tenant.owner.number, "role": "king"});
    app.platform().post(&path, king).expect(422);
    let nobody = app.platform().post(&path, json!({"user_id": 999_999_999, "role": "agent"}));
    assert!([404, 422].contains(&nobody.status), "{nobody}");
    app.platform().get("/platform/api/v1/accounts/999999999/account_users").expect(404);
}
