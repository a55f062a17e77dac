//! `/platform/api/v1/accounts`.

use serde_json::json;
use tests::{App, Tenant, unique};

const ACCOUNTS: &str = "/platform/api/v1/accounts";

#[test]
fn an_account_is_made_read_changed_and_deleted() {
    let app = App::shared();
    let platform = app.platform();
    let request =
        json!({"name": "Acme", "locale": "pl", "custom_attributes": {"plan": "gold"}, "unknown": true});
    let made = platform.post(ACCOUNTS, request).expect(200);
    let path = format!("{ACCOUNTS}/{}", made["id"]);
    assert_eq!(
        (&made["name"], &made["locale"], &made["status"]),
        (&json!("Acme"), &json!("pl"), &json!("active"))
    );
    assert_eq!(platform.get(&path).expect(200), made);
    assert_eq!(platform.get(&format!("{path}/")).expect(200), made, "a slash at the end is ignored");
    assert_eq!(platform.get(&format!("{path}.json")).expect(200), made, "so is the suffix");
    let change = json!({"name": "Acme 2", "custom_attributes": {"seats": 5}});
    let changed = platform.patch(&path, change).expect(200);
    assert_eq!(changed["name"], "Acme 2");
    assert_eq!(changed["custom_attributes"], json!({"plan": "gold", "seats": 5}));
    platform.put(&path, json!({"name": "Acme 3"})).expect(200);
    assert_eq!(platform.get(&path).expect(200)["name"], "Acme 3");
    assert_eq!(platform.delete(&path).status, 200);
    for answer in [platform.get(&path), platform.patch(&path, json!({"name": "x"}))] {
        assert_eq!(answer.expect(404), json!({"status": 404, "error": "Not Found"}));
    }
}

#[test]
fn a_name_is_needed() {
    let refused = App::shared().platform().post(ACCOUNTS, json!({})).expect(422);
    assert_eq!(refused["attributes"], json!(["name"]));
    assert!(refused["message"].is_string() && refused["error"].is_string());
}

#[test]
fn a_deleted_account_stops_its_keys_and_tokens() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    app.platform().delete(&format!("{ACCOUNTS}/{}", tenant.account)).expect(200);
    tenant.key.get("/v1/contacts").problem(401, "auth_token_invalid");
    tenant.owner.client.get("/v1/contacts").problem(401, "auth_token_invalid");
}

#[test]
fn a_suspended_account_rests() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let path = format!("{ACCOUNTS}/{}", tenant.account);
    app.platform().patch(&path, json!({"status": "suspended"})).expect(200);
    tenant.key.get("/v1/contacts").problem(401, "auth_token_invalid");
    app.platform().patch(&path, json!({"status": "active"})).expect(200);
    tenant.key.get("/v1/contacts").expect(200);
}

#[test]
fn unknown_accounts_are_not_found_in_chatwoots_words() {
    let platform = App::shared().platform();
    for id in ["999999999", "0", "-1", "abc", "99999999999999999999999"] {
        let answer = platform.get(&format!("{ACCOUNTS}/{id}"));
        assert_eq!(answer.expect(404), json!({"status": 404, "error": "Not Found"}), "{id}");
    }
}

#[test]
fn the_token_is_needed_in_either_spelling() {
    let app = App::shared();
    let account = json!({"name": "x"});
    for client in [app.client(), app.client().with("api_access_token", &unique::word())] {
        let refused = client.post(ACCOUNTS, account.clone()).expect(401);
        assert!(refused["error"].is_string(), "{refused}");
    }
    app.client().with("api-access-token", &app.platform_token).post(ACCOUNTS, account).expect(200);
}
