//! `POST /v1/auth/sessions`: how people sign in, and what their tokens may do. The other files are `/v1/users` and
//! invitations.

mod identity_provider;
mod invitations;
mod me;
mod members;
mod roles;

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tests::client::text;
use tests::{App, Tenant, unique};

const SESSIONS: &str = "/v1/auth/sessions";

#[test]
fn a_person_signs_in_and_calls() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let owner = &tenant.owner;
    let request = json!({"email": owner.email, "password": owner.password});
    let session = app.client().post(SESSIONS, request).expect(201);
    insta::assert_json_snapshot!(session, {
        ".token" => "[token]", ".expiresAt" => "[time]", ".tenantId" => "[tenant]", ".user.id" => "[id]",
        ".user.email" => "[email]",
    }, @r#"
    {
      "expiresAt": "[time]",
      "tenantId": "[tenant]",
      "token": "[token]",
      "user": {
        "email": "[email]",
        "id": "[id]",
        "name": "Test administrator",
        "role": "owner"
      }
    }
    "#);
    assert_eq!(text(&session, "tenantId"), tenant.id);
    let client = app.client().bearer(&text(&session, "token"));
    client.get("/v1/contacts").expect(200);
    let upper =
        json!({"email": owner.email.to_uppercase(), "password": owner.password, "tenantId": tenant.id});
    app.client().post(SESSIONS, upper).expect(201);
}

#[test]
fn a_wrong_password_and_an_unknown_address_look_the_same() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let owner = &tenant.owner;
    let sign_in = |email: &str, tenant: Option<&str>| {
        let began = Instant::now();
        let mut request = json!({"email": email, "password": "Wrong-horse-7-battery"});
        if let Some(tenant) = tenant {
            request["tenantId"] = json!(tenant);
        }
        let mut problem = app.client().post(SESSIONS, request).problem(401, "auth_credentials_invalid");
        problem["traceId"] = Value::Null;
        (problem, began.elapsed())
    };
    let (known, with_hash) = sign_in(&owner.email, None);
    let (unknown, without_hash) = sign_in(&format!("{}@example.com", unique::word()), None);
    assert_eq!(known, unknown);
    let (named, _) = sign_in(&owner.email, Some(&tenant.id));
    assert_eq!(known, named);
    // Hashing takes tens of milliseconds; a look-up without it takes one.
    assert!(without_hash * 4 > with_hash, "{without_hash:?} and {with_hash:?}");
}

#[test]
fn a_tenant_of_others_is_no_tenant() {
    let app = App::shared();
    let (tenant, other) = (Tenant::new(app), Tenant::new(app));
    let owner = &tenant.owner;
    for id in [other.id.as_str(), "tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K"] {
        let request = json!({"email": owner.email, "password": owner.password, "tenantId": id});
        app.client().post(SESSIONS, request).problem(401, "auth_credentials_invalid");
    }
}

#[test]
fn who_belongs_to_several_tenants_names_one() {
    let app = App::shared();
    let (first, second) = (Tenant::new(app), Tenant::new(app));
    let person = first.person("agent");
    let path = format!("/platform/api/v1/accounts/{}/account_users", second.account);
    app.platform().post(&path, json!({"user_id": person.number, "role": "administrator"})).expect(200);
    let request = json!({"email": person.email, "password": person.password});
    assert_eq!(app.client().post(SESSIONS, request.clone()).wrong_fields(422), ["tenantId"]);
    for (tenant, role) in [(&first, "agent"), (&second, "admin")] {
        let mut request = request.clone();
        request["tenantId"] = json!(tenant.id);
        let session = app.client().post(SESSIONS, request).expect(201);
        assert_eq!((&session["user"]["role"], &session["tenantId"]), (&json!(role), &json!(tenant.id)));
    }
}

#[test]
fn guessing_is_slowed_down_also_for_addresses_nobody_has() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    for email in [tenant.agent().email.clone(), format!("{}@example.com", unique::word())] {
        let wrong = json!({"email": email, "password": "Wrong-horse-7-battery"});
        let answers: Vec<_> = (0..7).map(|_| app.client().post(SESSIONS, wrong.clone())).collect();
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert!(statuses[..4].iter().all(|status| *status == 401), "{statuses:?}");
        let locked = answers.iter().find(|answer| answer.status == 429).expect("the address is locked");
        assert!(locked.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0));
    }
    let owner = &tenant.owner;
    let request = json!({"email": owner.email, "password": owner.password});
    app.client().post(SESSIONS, request).expect(201);
}

#[test]
fn a_locked_address_opens_again() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let person = tenant.person("agent");
    let sign_in =
        |password: &str| app.client().post(SESSIONS, json!({"email": person.email, "password": password}));
    let locked = (0..8).map(|_| sign_in("Wrong-horse-7-battery")).find(|answer| answer.status == 429);
    let seconds: u64 = locked.expect("the address is locked").header("retry-after").parse().unwrap();
    assert_eq!(sign_in(&person.password).status, 429, "the right password waits too");
    std::thread::sleep(Duration::from_secs(seconds) + Duration::from_millis(200));
    sign_in(&person.password).expect(201);
    sign_in("Wrong-horse-7-battery").problem(401, "auth_credentials_invalid");
}

#[test]
fn who_leaves_a_tenant_is_out_at_once() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let agent = tenant.agent();
    agent.client.get("/v1/contacts").expect(200);
    let path = format!("/platform/api/v1/accounts/{}/account_users?user_id={}", tenant.account, agent.number);
    app.platform().delete(&path).expect(200);
    agent.client.get("/v1/contacts").problem(401, "auth_token_invalid");
    let request = json!({"email": agent.email, "password": agent.password});
    assert_eq!(app.client().post(SESSIONS, request).status, 403);
}

#[test]
fn a_forged_token_opens_nothing() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let token = &tenant.owner.token;
    let parts: Vec<&str> = token.split('.').collect();
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let forged = [
        format!("{none}.{}.", parts[1]),
        format!("{none}.{}.{}", parts[1], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}.{}", parts[0], parts[1], parts[2].chars().rev().collect::<String>()),
        format!("{}.{}x.{}", parts[0], parts[1], parts[2]),
        format!("{token}.{}", parts[2]),
        "a.b.c".to_string(),
    ];
    for token in forged {
        app.client().bearer(&token).get("/v1/contacts").problem(401, "auth_token_invalid");
    }
}

#[test]
fn wrong_requests_name_their_fields() {
    let app = App::shared();
    let wrong = |body: Value| app.client().post(SESSIONS, body).wrong_fields(422);
    assert!(!wrong(json!({})).is_empty());
    assert_eq!(wrong(json!({"email": 1, "password": "x"})), ["email"]);
    assert!(!wrong(json!({"email": "anna@example.com"})).is_empty());
}
