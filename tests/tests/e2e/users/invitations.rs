//! `/v1/users/invitations` and `POST /v1/auth/invitations/{token}`.

use serde_json::{Value, json};
use std::time::Duration;
use tests::client::text;
use tests::{Answer, App, Client, Tenant, unique, wait_for};

const INVITATIONS: &str = "/v1/users/invitations";
const PASSWORD: &str = "Correct-horse-7-battery";
const GONE: &str = "invitation_not_found";

fn address() -> String {
    format!("{}@example.com", unique::word())
}

/// Invites; gives the answer's body.
fn invite(caller: &Client, email: &str, role: &str) -> Value {
    caller.post(INVITATIONS, json!({"email": email, "role": role})).expect(201)
}

fn accept(token: &str, body: Value) -> Answer {
    App::shared().client().post(&format!("/v1/auth/invitations/{token}"), body)
}

fn newcomer() -> Value {
    json!({"name": "Jan Nowak", "password": PASSWORD})
}

#[test]
fn a_new_person_accepts_and_is_in() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let email = address();
    let made = invite(&tenant.owner.client, &email.to_uppercase(), "admin");
    let token = text(&made, "token");
    assert!(
        token.len() >= 43 && text(&made, "url").ends_with(&format!("/v1/auth/invitations/{token}")),
        "{made}"
    );
    insta::assert_json_snapshot!(made["invitation"], {
        ".id" => "[id]", ".email" => "[email]", ".invitedBy" => "[user]", ".createdAt" => "[time]",
        ".expiresAt" => "[time]",
    }, @r#"
    {
      "createdAt": "[time]",
      "email": "[email]",
      "expiresAt": "[time]",
      "id": "[id]",
      "invitedBy": "[user]",
      "role": "admin",
      "status": "pending"
    }
    "#);
    assert_eq!(
        (text(&made["invitation"], "email"), text(&made["invitation"], "invitedBy")),
        (email.clone(), tenant.owner.id.clone())
    );
    let listed = tenant.key.get(INVITATIONS).expect(200);
    assert_eq!(listed, json!({"invitations": [made["invitation"]]}), "without the link");

    let session = accept(&token, newcomer()).expect(201);
    assert_eq!(
        (text(&session, "tenantId"), text(&session["user"], "role")),
        (tenant.id.clone(), "admin".into())
    );
    let client = app.client().bearer(&text(&session, "token"));
    let me = client.get("/v1/users/me").expect(200);
    assert_eq!((&me["name"], &me["email"]), (&json!("Jan Nowak"), &json!(email)));
    assert_eq!(me["emailVerified"], false, "nobody vouched for the address");
    app.client().post("/v1/auth/sessions", json!({"email": email, "password": PASSWORD})).expect(201);
    assert_eq!(tenant.key.get(INVITATIONS).expect(200), json!({"invitations": []}));
    accept(&token, newcomer()).problem(404, GONE);
}

#[test]
fn somebody_known_joins_by_their_password() {
    let app = App::shared();
    let (home, tenant) = (Tenant::new(app), Tenant::new(app));
    let person = home.agent();
    let token = text(&invite(&tenant.owner.client, &person.email, "agent"), "token");
    accept(&token, json!({"password": "Wrong-horse-7-battery"})).problem(401, "auth_credentials_invalid");
    let session = accept(&token, json!({"name": "Somebody else", "password": person.password})).expect(201);
    assert_eq!(
        (text(&session, "tenantId"), text(&session["user"], "id")),
        (tenant.id.clone(), person.id.clone())
    );
    let client = app.client().bearer(&text(&session, "token"));
    assert_eq!(client.get("/v1/users/me").expect(200)["name"], "Test agent", "they keep their name");
    person.client.get("/v1/users/me").expect(200);
}

#[test]
fn guessing_a_password_is_slowed_down_with_signing_in() {
    let app = App::shared();
    let (home, tenant) = (Tenant::new(app), Tenant::new(app));
    let person = home.agent();
    let token = text(&invite(&tenant.owner.client, &person.email, "agent"), "token");
    let wrong = || accept(&token, json!({"password": "Wrong-horse-7-battery"}));
    let locked = (0..8).map(|_| wrong()).find(|answer| answer.status == 429).expect("the address is locked");
    let seconds: u64 = locked.header("retry-after").parse().unwrap();
    assert_eq!(
        accept(&token, json!({"password": person.password})).status,
        429,
        "the right password waits too"
    );
    let sign_in = json!({"email": person.email, "password": person.password});
    assert_eq!(app.client().post("/v1/auth/sessions", sign_in).status, 429, "the lock is the address's");
    wait_for("the end of the lock", Duration::from_secs(seconds + 5), || {
        (accept(&token, json!({"password": person.password})).status == 201).then_some(())
    });
}

#[test]
fn a_disabled_person_does_not_come_in_by_a_link() {
    let app = App::shared();
    let (home, tenant) = (Tenant::new(app), Tenant::new(app));
    let person = home.agent();
    let token = text(&invite(&tenant.owner.client, &person.email, "agent"), "token");
    let user = format!("/platform/api/v1/users/{}", person.number);
    app.platform().patch(&user, json!({"disabled": true})).expect(200);
    accept(&token, json!({"name": "x", "password": person.password}))
        .problem(401, "auth_credentials_invalid");
}

#[test]
fn links_end_when_they_expire_are_revoked_or_replaced() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let owner = &tenant.owner.client;
    let (email, revoked) = (address(), invite(owner, &address(), "agent"));
    let path = format!("{INVITATIONS}/{}", text(&revoked["invitation"], "id"));
    tenant.key.delete(&path).expect(204);
    tenant.key.delete(&path).problem(404, GONE);
    accept(&text(&revoked, "token"), newcomer()).problem(404, GONE);

    let (first, second) = (invite(owner, &email, "agent"), invite(owner, &email, "admin"));
    accept(&text(&first, "token"), newcomer()).problem(404, GONE);
    assert_eq!(accept(&text(&second, "token"), newcomer()).expect(201)["user"]["role"], "admin");

    for token in ["x".repeat(43), "unknown".into()] {
        accept(&token, newcomer()).problem(404, GONE);
    }
    // A suspended tenant lets nobody in.
    let third = text(&invite(owner, &address(), "agent"), "token");
    let account = format!("/platform/api/v1/accounts/{}", tenant.account);
    app.platform().patch(&account, json!({"status": "suspended"})).expect(200);
    accept(&third, newcomer()).problem(404, GONE);
    app.platform().patch(&account, json!({"status": "active"})).expect(200);
    accept(&third, newcomer()).expect(201);
}

#[test]
fn a_link_ends_with_the_authority_of_who_made_it() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let admin = tenant.admin();
    let token = text(&invite(&admin.client, &address(), "admin"), "token");
    let role =
        |role: &str| tenant.owner.client.put(&format!("/v1/users/{}/role", admin.id), json!({"role": role}));
    role("agent").expect(200);
    accept(&token, newcomer()).problem(404, GONE);
    role("admin").expect(200);
    let place =
        format!("/platform/api/v1/accounts/{}/account_users?user_id={}", tenant.account, admin.number);
    app.platform().delete(&place).expect(200);
    accept(&token, newcomer()).problem(404, GONE);
    // Of software too.
    let account = tenant.owner.client.post("/v1/service-accounts", json!({"name": "inviter"})).expect(200);
    let account = text(&account, "id");
    let (id, key) = tenant.key_of(&account, json!({"name": "one"}));
    let made = [invite(&key, &address(), "agent"), invite(&key, &address(), "agent")];
    let [first, second] = made.map(|made| text(&made, "token"));
    // Its links are the service account's, not the key's.
    tenant.owner.client.delete(&format!("/v1/api-keys/{id}")).expect(204);
    accept(&first, newcomer()).expect(201);
    tenant.owner.client.delete(&format!("/v1/service-accounts/{account}")).expect(204);
    accept(&second, newcomer()).problem(404, GONE);
    let listed = tenant.key.get(INVITATIONS).expect(200);
    let made_by: Vec<&Value> =
        listed["invitations"].as_array().unwrap().iter().map(|one| &one["invitedBy"]).collect();
    assert_eq!(made_by, [&json!(admin.id)], "who may come back keeps theirs");
}

#[test]
fn a_link_is_good_for_one_of_two_at_once() {
    let tenant = Tenant::new(App::shared());
    let token = text(&invite(&tenant.owner.client, &address(), "agent"), "token");
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let both: Vec<_> = (0..2).map(|_| scope.spawn(|| accept(&token, newcomer()).status)).collect();
        both.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [201, 404].contains(status)), "{statuses:?}");
    assert_eq!(tenant.key.get("/v1/users").expect(200)["users"].as_array().unwrap().len(), 2);
}

#[test]
fn who_may_assign_a_role_may_invite_to_it() {
    let tenant = Tenant::new(App::shared());
    let denied = "auth_authz_user_assign_role_denied";
    let owners = json!({"email": address(), "role": "owner"});
    tenant.admin().client.post(INVITATIONS, owners.clone()).problem(403, denied);
    let made = tenant.owner.client.post(INVITATIONS, owners).expect(201);
    let path = format!("{INVITATIONS}/{}", text(&made["invitation"], "id"));
    tenant.admin().client.delete(&path).problem(403, denied);
    let only = tenant.key_with(&["user:assign_role_agent"]);
    only.post(INVITATIONS, json!({"email": address(), "role": "admin"})).problem(403, denied);
    let made = only.post(INVITATIONS, json!({"email": address()})).expect(201);
    assert_eq!(made["invitation"]["role"], "agent", "the default");
    let session = accept(&text(&made, "token"), newcomer()).expect(201);
    assert_eq!(session["user"]["role"], "agent");
}

#[test]
fn members_are_not_invited_and_stay_what_they_are() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let again = json!({"email": tenant.agent().email});
    tenant.key.post(INVITATIONS, again).problem(409, "user_already_member");
    // Who becomes one before the link is used.
    let home = Tenant::new(app);
    let person = home.agent();
    let token = text(&invite(&tenant.owner.client, &person.email, "admin"), "token");
    let path = format!("/platform/api/v1/accounts/{}/account_users", tenant.account);
    app.platform().post(&path, json!({"user_id": person.number, "role": "agent"})).expect(200);
    accept(&token, json!({"password": person.password})).problem(409, "user_already_member");
    assert_eq!(tenant.key.get(&format!("/v1/users/{}", person.id)).expect(200)["role"], "agent");
}

#[test]
fn an_address_taken_by_invitation_is_given_back_by_the_platform() {
    let app = App::shared();
    let (intruder, victim) = (Tenant::new(app), Tenant::new(app));
    let email = address();
    let former =
        accept(&text(&invite(&intruder.owner.client, &email, "agent"), "token"), newcomer()).expect(201);
    let former = app.client().bearer(&text(&former, "token"));
    let picture = json!({"avatarUrl": "https://pictures.example.com/intruder.png"});
    former.patch("/v1/users/me", picture).expect(200);
    // The platform adds the real person elsewhere: the password chosen before must not open that.
    let own = "Another-horse-8-battery";
    let user = json!({"name": "The real one", "email": email, "password": own});
    let user = app.platform().post("/platform/api/v1/users", user).expect(200);
    assert_eq!(user["name"], "The real one");
    let path = format!("/platform/api/v1/accounts/{}/account_users", victim.account);
    app.platform().post(&path, json!({"user_id": user["id"], "role": "agent"})).expect(200);
    let sign_in = |password: &str| {
        let body = json!({"email": email, "password": password, "tenantId": victim.id});
        app.client().post("/v1/auth/sessions", body)
    };
    sign_in(PASSWORD).problem(401, "auth_credentials_invalid");
    let session = sign_in(own).expect(201);
    let me = app.client().bearer(&text(&session, "token")).get("/v1/users/me").expect(200);
    assert_eq!(me["emailVerified"], true);
    // Nothing is left of who had the address: neither their place in the other tenant, nor their picture.
    assert!(me["avatarUrl"].is_null(), "{me}");
    former.get("/v1/users/me").problem(401, "auth_token_invalid");
    assert_eq!(intruder.key.get("/v1/users").expect(200)["users"].as_array().unwrap().len(), 1);
    let body = json!({"email": email, "password": own, "tenantId": intruder.id});
    app.client().post("/v1/auth/sessions", body).problem(401, "auth_credentials_invalid");
    let told = intruder.key.get("/v1/audit-log?action=user.removed").expect(200);
    assert_eq!(told["entries"].as_array().unwrap().len(), 1, "{told}");
}

#[test]
fn who_came_by_invitation_is_out_when_the_platform_gives_their_address_a_password() {
    let app = App::shared();
    let (intruder, email) = (Tenant::new(app), address());
    let session =
        accept(&text(&invite(&intruder.owner.client, &email, "agent"), "token"), newcomer()).expect(201);
    let former = app.client().bearer(&text(&session, "token"));
    let other = json!({"name": "Other", "email": address(), "password": PASSWORD});
    let other = app.platform().post("/platform/api/v1/users", other).expect(200);
    let other = format!("/platform/api/v1/users/{}", other["id"]);
    let members = format!("/platform/api/v1/accounts/{}/account_users", intruder.account);
    let members = app.platform().get(&members).expect(200);
    let number = members.as_array().unwrap().last().unwrap()["user_id"].clone();
    let path = format!("/platform/api/v1/users/{number}");
    let before = app.platform().get(&path).expect(200);
    assert_eq!(before["email"], email);
    let link = text(&app.platform().get(&format!("{path}/login")).expect(200), "url");
    former.get("/v1/users/me").expect(200);

    let own = "Another-horse-8-battery";
    let after = app.platform().patch(&path, json!({"password": own})).expect(200);
    assert_ne!(after["access_token"], before["access_token"]);
    former.get("/v1/users/me").problem(401, "auth_token_invalid");
    let token = link.split("sso_auth_token=").nth(1).unwrap();
    let by_link = json!({"email": email, "ssoAuthToken": token});
    app.client().post("/v1/auth/sessions", by_link).problem(401, "auth_credentials_invalid");
    // Tokens tell seconds only.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let session =
        app.client().post("/v1/auth/sessions", json!({"email": email, "password": own})).expect(201);
    app.client().bearer(&text(&session, "token")).get("/v1/users/me").expect(200);

    // An address that the platform vouches for is taken; one that nobody does is given to whom the platform says.
    let refused = app.platform().patch(&other, json!({"email": email})).expect(422);
    assert_eq!(refused["attributes"], json!(["email"]));
    let taken = address();
    let session =
        accept(&text(&invite(&intruder.owner.client, &taken, "agent"), "token"), newcomer()).expect(201);
    assert_eq!(app.platform().patch(&other, json!({"email": taken})).expect(200)["email"], taken);
    let gone = app.client().bearer(&text(&session, "token"));
    gone.get("/v1/users/me").problem(401, "auth_token_invalid");
}

#[test]
fn open_invitations_are_paged_newest_first() {
    let tenant = Tenant::new(App::shared());
    let made: Vec<String> =
        (0..5).map(|_| text(&invite(&tenant.key, &address(), "agent")["invitation"], "id")).collect();
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = tenant.key.get(&format!("{INVITATIONS}?pageSize=2{token}")).expect(200);
        seen.extend(page["invitations"].as_array().unwrap().iter().map(|one| text(one, "id")));
        let Some(next) = page["nextPageToken"].as_str() else { break };
        token = format!("&pageToken={next}");
        invite(&tenant.key, &address(), "agent");
    }
    assert_eq!(seen, made.into_iter().rev().collect::<Vec<_>>());
    for (query, field) in
        [("pageSize=0", "pageSize"), ("pageSize=x", "pageSize"), ("pageToken=x", "pageToken")]
    {
        assert_eq!(tenant.key.get(&format!("{INVITATIONS}?{query}")).wrong_fields(400), [field]);
    }
}

#[test]
fn an_expired_link_is_listed_and_opens_nothing() {
    let tenant = Tenant::new(App::shared());
    let made = tenant.key.post(INVITATIONS, json!({"email": address(), "expiresInSeconds": 1})).expect(201);
    wait_for("the end of the link", Duration::from_secs(5), || {
        let listed = tenant.key.get(INVITATIONS).expect(200);
        assert_eq!(listed["invitations"][0]["id"], made["invitation"]["id"]);
        (listed["invitations"][0]["status"] == "expired").then_some(())
    });
    accept(&text(&made, "token"), newcomer()).problem(404, GONE);
}

#[test]
fn wrong_requests_name_their_fields() {
    let tenant = Tenant::new(App::shared());
    let wrong = |body: Value| tenant.key.post(INVITATIONS, body).wrong_fields(422);
    for email in ["", "jan", "a b@example.com"] {
        assert_eq!(wrong(json!({ "email": email })), ["email"], "{email}");
    }
    assert_eq!(wrong(json!({"email": address(), "role": "boss"})), ["role"]);
    for seconds in [0, 2_592_001] {
        assert_eq!(wrong(json!({"email": address(), "expiresInSeconds": seconds})), ["expiresInSeconds"]);
    }
    let token = text(&invite(&tenant.key, &address(), "agent"), "token");
    let refused = |body: Value| accept(&token, body).wrong_fields(422);
    assert_eq!(refused(json!({"password": PASSWORD})), ["name"]);
    assert_eq!(refused(json!({"name": " ", "password": "weak"})), ["name", "password"]);
    assert_eq!(refused(json!({"name": "x".repeat(256), "password": PASSWORD})), ["name"]);
    assert_eq!(refused(json!({"name": "Jan", "password": 1})), ["password"]);
    accept(&token, newcomer()).expect(201);
}

#[test]
fn a_repeat_with_the_same_key_shows_the_link_again() {
    let tenant = Tenant::new(App::shared());
    let once = tenant.key.once(&unique::word());
    let body = json!({"email": address()});
    let made = once.post(INVITATIONS, body.clone()).expect(201);
    assert_eq!(once.post(INVITATIONS, body).expect(201), made);
    accept(&text(&made, "token"), newcomer()).expect(201);
}

#[test]
fn a_lesser_role_gets_no_link_of_a_greater_one() {
    let tenant = Tenant::new(App::shared());
    let (email, key) = (address(), unique::word());
    let body = json!({"email": email, "role": "owner"});
    let made = tenant.owner.client.once(&key).post("/v1/users/invitations", body.clone()).expect(201);
    let admin = &tenant.admin().client;
    // Neither by repeating the owner's request, nor by inviting the same address anew.
    let repeated = admin.once(&key).post("/v1/users/invitations", body);
    repeated.problem(403, "auth_authz_user_assign_role_denied");
    let anew = admin.post("/v1/users/invitations", json!({"email": email, "role": "agent"}));
    anew.problem(403, "auth_authz_user_assign_role_denied");
    accept(&text(&made, "token"), newcomer()).expect(201);
}
