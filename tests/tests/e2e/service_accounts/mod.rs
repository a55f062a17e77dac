//! `/v1/service-accounts` and `/v1/api-keys`.

use serde_json::{Value, json};
use std::time::Duration;
use tests::client::text;
use tests::{App, Client, Tenant, wait_for};

const EVERYTHING: &str = "/v1/contacts";

#[test]
fn a_service_account_is_made_listed_and_deleted() {
    let tenant = Tenant::new(App::shared());
    let request = json!({"name": "CRM sync", "description": "Keeps contacts in sync."});
    let made = tenant.owner.client.post("/v1/service-accounts", request).expect(200);
    insta::assert_json_snapshot!(made, {
        ".id" => "[id]", ".tenantId" => "[tenant]", ".createdAt" => "[time]", ".updatedAt" => "[time]",
    }, @r#"
    {
      "createdAt": "[time]",
      "description": "Keeps contacts in sync.",
      "id": "[id]",
      "isActive": true,
      "name": "CRM sync",
      "role": "admin",
      "tenantId": "[tenant]",
      "updatedAt": "[time]"
    }
    "#);
    let listed = tenant.key.get("/v1/service-accounts").expect(200);
    assert_eq!(listed["serviceAccounts"].as_array().unwrap().last(), Some(&made), "oldest first");

    let id = text(&made, "id");
    let (_, client) = tenant.key_of(&id, json!({"name": "one"}));
    client.get(EVERYTHING).expect(200);
    tenant.owner.client.delete(&format!("/v1/service-accounts/{id}")).expect(204);
    client.get(EVERYTHING).problem(401, "auth_token_invalid");
    let gone = "service_account_not_found";
    tenant.owner.client.delete(&format!("/v1/service-accounts/{id}")).problem(404, gone);
    tenant.owner.client.get(&format!("/v1/service-accounts/{id}/api-keys")).problem(404, gone);
    let listed = tenant.key.get("/v1/service-accounts").expect(200);
    assert!(listed["serviceAccounts"].as_array().unwrap().iter().all(|account| account["id"] != made["id"]));
}

#[test]
fn a_key_is_shown_once_and_listed_without_its_text() {
    let tenant = Tenant::new(App::shared());
    let path = format!("/v1/service-accounts/{}/api-keys", tenant.service_account);
    let made =
        tenant.owner.client.post(&path, json!({"name": "Frankfurt", "scopes": ["contact:list"]})).expect(200);
    let plaintext = text(&made, "plaintextKey");
    assert!(plaintext.starts_with("fln_live_") && plaintext.len() == 52, "{plaintext}");
    assert!(plaintext.starts_with(&text(&made["apiKey"], "prefix")));
    insta::assert_json_snapshot!(made["apiKey"], {
        ".id" => "[id]", ".serviceAccountId" => "[id]", ".createdAt" => "[time]", ".prefix" => "[prefix]",
    }, @r#"
    {
      "createdAt": "[time]",
      "id": "[id]",
      "name": "Frankfurt",
      "prefix": "[prefix]",
      "scopes": [
        "contact:list"
      ],
      "serviceAccountId": "[id]"
    }
    "#);
    let listed = tenant.key.get(&path).expect(200);
    assert_eq!(listed["apiKeys"].as_array().unwrap().last(), Some(&made["apiKey"]), "newest last");
    assert!(!listed.to_string().contains(&plaintext));
}

#[test]
fn a_revoked_key_stops_at_once_and_stays_listed() {
    let tenant = Tenant::new(App::shared());
    let (id, client) = tenant.new_key(json!({"name": "short"}));
    client.get(EVERYTHING).expect(200);
    for _ in 0..2 {
        tenant.owner.client.delete(&format!("/v1/api-keys/{id}")).expect(204);
        client.get(EVERYTHING).problem(401, "auth_token_invalid");
    }
    let path = format!("/v1/service-accounts/{}/api-keys", tenant.service_account);
    let listed = tenant.key.get(&path).expect(200);
    let key = listed["apiKeys"].as_array().unwrap().iter().find(|key| key["id"] == json!(id)).unwrap();
    assert!(key.get("revokedAt").is_some());
    tenant.key.delete("/v1/api-keys/key_01HV8ZE9V3S5A7C9E1G3J5M7P9").problem(404, "api_key_not_found");
}

#[test]
fn a_key_ends_when_it_said() {
    let tenant = Tenant::new(App::shared());
    let soon = tests::unique::time_in(1500);
    let (_, client) = tenant.new_key(json!({"name": "short", "expiresAt": soon}));
    client.get(EVERYTHING).expect(200);
    wait_for("the end of the key", Duration::from_secs(5), || {
        (client.get(EVERYTHING).status == 401).then_some(())
    });
}

#[test]
fn a_key_can_do_what_its_scopes_say() {
    let tenant = Tenant::new(App::shared());
    let client = tenant.key_with(&["contact:list", "contact:create"]);
    client.get("/v1/contacts").expect(200);
    let made = client.post("/v1/contacts", json!({})).expect(201);
    let denied = client.get(&format!("/v1/contacts/{}", text(&made, "id")));
    denied.problem(403, "auth_authz_contact_read_denied");
    client.get("/v1/webhooks").problem(403, "auth_authz_webhook_read_denied");
}

#[test]
fn the_use_of_a_key_is_noted() {
    let tenant = Tenant::new(App::shared());
    let (id, client) = tenant.new_key(json!({"name": "used"}));
    client.get(EVERYTHING).expect(200);
    let path = format!("/v1/service-accounts/{}/api-keys", tenant.service_account);
    wait_for("lastUsedAt", Duration::from_secs(5), || {
        let listed = tenant.key.get(&path).expect(200);
        let key =
            listed["apiKeys"].as_array().unwrap().iter().find(|key| key["id"] == json!(id)).unwrap().clone();
        key.get("lastUsedAt").cloned()
    });
}

#[test]
fn the_use_of_a_key_is_written_once_a_minute() {
    let tenant = Tenant::new(App::shared());
    let (id, client) = tenant.new_key(json!({"name": "busy"}));
    let path = format!("/v1/service-accounts/{}/api-keys", tenant.service_account);
    let last_used = || {
        let listed = tenant.owner.client.get(&path).expect(200);
        let keys = listed["apiKeys"].as_array().unwrap();
        keys.iter().find(|key| key["id"] == json!(id)).unwrap().get("lastUsedAt").cloned()
    };
    assert_eq!(last_used(), None);
    client.get(EVERYTHING).expect(200);
    let first = wait_for("lastUsedAt", Duration::from_secs(5), last_used);
    // It is written after the response: time enough for one that should not be.
    for _ in 0..5 {
        client.get(EVERYTHING).expect(200);
        std::thread::sleep(Duration::from_millis(150));
    }
    assert_eq!(last_used(), Some(first));
}

#[test]
fn a_key_without_scopes_has_all_of_its_role() {
    let tenant = Tenant::new(App::shared());
    for (role, scopes) in [("owner", 59), ("admin", 59), ("agent", 40)] {
        let account =
            tenant.owner.client.post("/v1/service-accounts", json!({"name": role, "role": role})).expect(200);
        let path = format!("/v1/service-accounts/{}/api-keys", text(&account, "id"));
        let made = tenant.owner.client.post(&path, json!({"name": "all"})).expect(200);
        let all = made["apiKey"]["scopes"].as_array().unwrap();
        assert_eq!(all.len(), scopes, "{role}");
        assert_eq!(all.contains(&json!("webhook:update")), role != "agent");
        assert_eq!(tenant.owner.client.get(&path).expect(200)["apiKeys"][0]["scopes"], json!(all));
    }
}

/// Paths of several components: each has instances of its own.
const COMPONENTS: &[&str] = &[
    "/v1/contacts",
    "/v1/inboxes",
    "/v1/conversations",
    "/v1/teams",
    "/v1/webhooks",
    "/v1/users",
    "/v1/service-accounts",
];

/// Statuses of many requests at once, which take several instances of each component.
fn everywhere(client: &Client) -> Vec<u16> {
    std::thread::scope(|scope| {
        let calls: Vec<_> = (0..6)
            .flat_map(|_| COMPONENTS)
            .map(|path| scope.spawn(move || client.get(path).status))
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    })
}

#[test]
fn a_key_that_ended_is_out_everywhere_also_where_it_was_known() {
    let tenant = Tenant::new(App::shared());
    let account = tenant.owner.client.post("/v1/service-accounts", json!({"name": "gone"})).expect(200);
    let account = text(&account, "id");
    let (id, revoked) = tenant.key_of(&account, json!({"name": "one"}));
    let (_, deleted) = tenant.key_of(&account, json!({"name": "two"}));
    for key in [&revoked, &deleted] {
        assert_eq!(everywhere(key), vec![200; 6 * COMPONENTS.len()]);
    }
    tenant.owner.client.delete(&format!("/v1/api-keys/{id}")).expect(204);
    assert_eq!(everywhere(&revoked), vec![401; 6 * COMPONENTS.len()], "revoked");
    assert_eq!(everywhere(&deleted), vec![200; 6 * COMPONENTS.len()], "the other key is not concerned");
    tenant.owner.client.delete(&format!("/v1/service-accounts/{account}")).expect(204);
    assert_eq!(everywhere(&deleted), vec![401; 6 * COMPONENTS.len()], "its account is deleted");
}

#[test]
fn nobody_hands_out_more_than_they_have() {
    let tenant = Tenant::new(App::shared());
    let admin = &tenant.admin().client;
    let refused = admin.post("/v1/service-accounts", json!({"name": "x", "role": "owner"}));
    assert_eq!(refused.status, 403, "{refused}");
    let owned =
        tenant.owner.client.post("/v1/service-accounts", json!({"name": "x", "role": "owner"})).expect(200);
    let path = format!("/v1/service-accounts/{}/api-keys", text(&owned, "id"));
    let refused = admin.post(&path, json!({"name": "x"}));
    assert_eq!(refused.status, 403, "an admin cannot become owner by a key: {refused}");
    let owned = format!("/v1/service-accounts/{}", text(&owned, "id"));
    admin.delete(&owned).problem(403, "auth_authz_user_assign_role_denied");
    tenant.owner.client.get(&format!("{owned}/api-keys")).expect(200);
    tenant.owner.client.delete(&owned).expect(204);

    let limited = tenant.key_with(&["api_key:create", "contact:list"]);
    let own = format!("/v1/service-accounts/{}/api-keys", tenant.service_account);
    let refused = limited.post(&own, json!({"name": "x", "scopes": ["message:create"]}));
    refused.problem(403, "auth_authz_api_key_create_denied");
    let made = limited.post(&own, json!({"name": "x"})).expect(200);
    assert_eq!(made["apiKey"]["scopes"], json!(["api_key:create", "contact:list"]), "no more than the maker");
}

#[test]
fn roles_limit_keys() {
    let tenant = Tenant::new(App::shared());
    let agent = tenant.key_as("agent");
    agent.get("/v1/contacts").expect(200);
    assert_eq!(agent.get("/v1/webhooks").status, 403);
    let account =
        tenant.owner.client.post("/v1/service-accounts", json!({"name": "x", "role": "agent"})).expect(200);
    let path = format!("/v1/service-accounts/{}/api-keys", text(&account, "id"));
    let wrong = tenant.owner.client.post(&path, json!({"name": "x", "scopes": ["webhook:read"]}));
    assert_eq!(wrong.wrong_fields(422), ["scopes[0]"]);
}

#[test]
fn wrong_requests_name_their_fields() {
    let tenant = Tenant::new(App::shared());
    let wrong = |path: &str, body: Value| tenant.owner.client.post(path, body).wrong_fields(422);
    let accounts = "/v1/service-accounts";
    assert_eq!(wrong(accounts, json!({"name": " "})), ["name"]);
    assert_eq!(wrong(accounts, json!({"name": "x", "description": "x".repeat(1001)})), ["description"]);
    assert_eq!(wrong(accounts, json!({"name": "x", "role": "king"})), ["role"]);
    let keys = format!("/v1/service-accounts/{}/api-keys", tenant.service_account);
    assert_eq!(wrong(&keys, json!({"name": ""})), ["name"]);
    assert_eq!(wrong(&keys, json!({"name": "x", "expiresAt": "2020-01-01T00:00:00Z"})), ["expiresAt"]);
    assert_eq!(wrong(&keys, json!({"name": "x", "expiresAt": "tomorrow"})), ["expiresAt"]);
    assert_eq!(wrong(&keys, json!({"name": "x", "scopes": []})), ["scopes"]);
    assert_eq!(wrong(&keys, json!({"name": "x", "scopes": ["contact:list", "contact:fly"]})), ["scopes[1]"]);
}
