//! `/v1/users/me`.

use serde_json::{Value, json};
use tests::{App, Tenant};

const ME: &str = "/v1/users/me";

#[test]
fn people_read_and_change_themselves() {
    let tenant = Tenant::new(App::shared());
    let agent = tenant.agent();
    let me = agent.client.get(ME).expect(200);
    assert_eq!(
        (&me["id"], &me["email"], &me["role"]),
        (&json!(agent.id), &json!(agent.email), &json!("agent"))
    );
    assert_eq!(tenant.key.get(&format!("/v1/users/{}", agent.id)).expect(200), me);

    // Combining marks, right-to-left, an emoji of several code points: back as they were sent.
    let name = "Zoe\u{301} \u{202e}אבג\u{202c} 👩‍👩‍👧";
    let picture = "https://app.flownally.com/avatar/zoe.png";
    let changed = agent.client.patch(ME, json!({"name": name, "avatarUrl": picture})).expect(200);
    assert_eq!((&changed["name"], &changed["avatarUrl"]), (&json!(name), &json!(picture)));
    assert_eq!(agent.client.get(ME).expect(200), changed);
    assert_eq!(agent.client.patch(ME, json!({})).expect(200), changed, "what is absent stays");
    let cleared = agent.client.patch(ME, json!({"avatarUrl": null})).expect(200);
    assert_eq!((&cleared["name"], cleared.get("avatarUrl")), (&json!(name), None));
}

#[test]
fn an_api_key_is_nobody() {
    let tenant = Tenant::new(App::shared());
    tenant.key.get(ME).problem(403, "auth_authz_user_read_self_denied");
    tenant.key.patch(ME, json!({"name": "x"})).problem(403, "auth_authz_user_update_self_denied");
}

#[test]
fn wrong_fields_are_named() {
    let tenant = Tenant::new(App::shared());
    let wrong = |body: Value| tenant.owner.client.patch(ME, body).wrong_fields(422);
    for name in [json!(""), json!("  "), json!("x".repeat(256)), json!(7)] {
        assert_eq!(wrong(json!({ "name": name })), ["name"]);
    }
    for url in [json!("lina.png"), json!("javascript:alert(1)"), json!("https://a:b@c.example/x"), json!(7)] {
        assert_eq!(wrong(json!({ "avatarUrl": url })), ["avatarUrl"]);
    }
    assert_eq!(wrong(json!({"name": "", "avatarUrl": ""})), ["name", "avatarUrl"]);
    assert_eq!(tenant.owner.client.get(ME).expect(200)["name"], "Test administrator");
}
