//! `/platform/api/v1/users`.

use serde_json::{Value, json};
use tests::client::text;
use tests::{App, unique};

const USERS: &str = "/platform/api/v1/users";
const PASSWORD: &str = "Correct-horse-7-battery";

fn user() -> Value {
    let email = format!("{}@Example.com", unique::word());
    App::shared()
        .platform()
        .post(USERS, json!({"name": "Anna", "email": email, "password": PASSWORD}))
        .expect(200)
}

#[test]
fn a_user_is_made_read_changed_and_deleted() {
    let platform = App::shared().platform();
    let made = user();
    assert!(made["id"].is_i64());
    assert_eq!(made["name"], "Anna");
    assert_eq!(text(&made, "email"), text(&made, "email").to_lowercase());
    assert!(text(&made, "access_token").len() >= 24);
    let path = format!("{USERS}/{}", made["id"]);
    assert_eq!(platform.get(&path).expect(200)["access_token"], made["access_token"]);
    let changed = platform.patch(&path, json!({"name": "Anna Nowak", "display_name": "Anka"})).expect(200);
    assert_eq!((&changed["name"], &changed["display_name"]), (&json!("Anna Nowak"), &json!("Anka")));
    assert_eq!(platform.delete(&path).status, 200);
    platform.get(&path).expect(404);
}

#[test]
fn a_known_address_answers_its_user_unchanged() {
    let platform = App::shared().platform();
    let made = user();
    let again = json!({"name": "Other", "email": text(&made, "email").to_uppercase(), "password": PASSWORD});
    let found = platform.post(USERS, again).expect(200);
    assert_eq!((&found["id"], &found["name"]), (&made["id"], &json!("Anna")));
}

#[test]
fn the_same_user_sixteen_times_at_once_is_one() {
    let platform = App::shared().platform();
    let request =
        json!({"name": "Anna", "email": format!("{}@example.com", unique::word()), "password": PASSWORD});
    let mut ids: Vec<i64> = std::thread::scope(|scope| {
        let posts: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| platform.post(USERS, request.clone()).expect(200)["id"].as_i64().unwrap())
            })
            .collect();
        posts.into_iter().map(|post| post.join().unwrap()).collect()
    });
    ids.dedup();
    assert_eq!(ids.len(), 1);
}

#[test]
fn weak_passwords_and_wrong_addresses_are_refused() {
    let platform = App::shared().platform();
    let email = || format!("{}@example.com", unique::word());
    for password in ["Ab1!", "alllower-1!", "ALLUPPER-1!", "NoDigits!!", "NoSpecial11"] {
        let refused =
            platform.post(USERS, json!({"name": "x", "email": email(), "password": password})).expect(422);
        assert_eq!(refused["attributes"], json!(["password"]), "{password}");
    }
    for email in ["", "nobody", "a@", "@b.example", "a b@example.com"] {
        let refused =
            platform.post(USERS, json!({"name": "x", "email": email, "password": PASSWORD})).expect(422);
        assert_eq!(refused["attributes"], json!(["email"]), "{email}");
    }
}

#[test]
fn a_login_link_signs_in_once() {
    let app = App::shared();
    let tenant = tests::Tenant::new(app);
    let login = app.platform().get(&format!("{USERS}/{}/login", tenant.owner.number)).expect(200);
    let url = text(&login, "url");
    let token = url.split("sso_auth_token=").nth(1).expect("a token in the link");
    assert_eq!(token.len(), 64, "{url}");
    let request = json!({"email": tenant.owner.email, "ssoAuthToken": token});
    let session = app.client().post("/v1/auth/sessions", request.clone()).expect(201);
    assert_eq!(text(&session, "tenantId"), tenant.id);
    app.client().post("/v1/auth/sessions", request).problem(401, "auth_credentials_invalid");
}

#[test]
fn a_deleted_user_is_out() {
    let app = App::shared();
    let tenant = tests::Tenant::new(app);
    let agent = tenant.agent();
    app.platform().delete(&format!("{USERS}/{}", agent.number)).expect(200);
    agent.client.get("/v1/contacts").problem(401, "auth_token_invalid");
    let request = json!({"email": agent.email, "password": agent.password});
    app.client().post("/v1/auth/sessions", request).problem(401, "auth_credentials_invalid");
}
