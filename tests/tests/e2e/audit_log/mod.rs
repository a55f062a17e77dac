//! `GET /v1/audit-log`: every change of people, keys, webhooks, inboxes and billing, and how it is read.

use serde_json::{Value, json};
use tests::client::text;
use tests::{App, Client, Person, Tenant, unique};

const LOG: &str = "/v1/audit-log";

fn entries(client: &Client, query: &str) -> Vec<Value> {
    client.get(&format!("{LOG}?{query}")).expect(200)["entries"].as_array().unwrap().clone()
}

/// Actor, subject and details of the latest entry of an action.
#[track_caller]
fn latest(tenant: &Tenant, action: &str) -> (String, String, Value) {
    let found = entries(&tenant.owner.client, &format!("action={action}&pageSize=1"));
    let entry = found.first().unwrap_or_else(|| panic!("no {action}"));
    assert_eq!(entry["action"], action);
    (text(&entry["actor"], "id"), text(entry, "subject"), entry["details"].clone())
}

fn count(tenant: &Tenant, action: &str) -> usize {
    entries(&tenant.owner.client, &format!("action={action}")).len()
}

#[test]
fn an_entry_says_who_did_what_to_what() {
    let tenant = Tenant::new(App::shared());
    let agent = tenant.agent();
    tenant.owner.client.put(&format!("/v1/users/{}/role", agent.id), json!({"role": "admin"})).expect(200);
    let newest = entries(&tenant.admin().client, "action=user.role_changed");
    insta::assert_json_snapshot!(newest, {
        "[].id" => "[id]", "[].createdAt" => "[time]", "[].actor.id" => "[owner]", "[].subject" => "[agent]",
    }, @r#"
    [
      {
        "action": "user.role_changed",
        "actor": {
          "id": "[owner]",
          "name": "Test administrator",
          "type": "user"
        },
        "createdAt": "[time]",
        "details": {
          "from": "agent",
          "to": "admin"
        },
        "id": "[id]",
        "subject": "[agent]"
      }
    ]
    "#);
    assert_eq!(
        (text(&newest[0]["actor"], "id"), text(&newest[0], "subject")),
        (tenant.owner.id.clone(), agent.id.clone())
    );
    // The same role again is no change.
    tenant.owner.client.put(&format!("/v1/users/{}/role", agent.id), json!({"role": "admin"})).expect(200);
    assert_eq!(count(&tenant, "user.role_changed"), 1);
}

#[test]
fn people_come_change_and_go() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let person = tenant.person("agent");
    let places = format!("/platform/api/v1/accounts/{}/account_users", tenant.account);
    let by = |action: &str| latest(&tenant, action);
    let platform = |details: Value| ("platform".to_string(), person.id.clone(), details);
    assert_eq!(by("user.added"), platform(json!({"role": "agent"})));
    app.platform().post(&places, json!({"user_id": person.number, "role": "administrator"})).expect(200);
    assert_eq!(by("user.role_changed"), platform(json!({"from": "agent", "to": "admin"})));
    app.platform().post(&places, json!({"user_id": person.number, "role": "administrator"})).expect(200);
    assert_eq!(count(&tenant, "user.role_changed"), 1);
    let user = format!("/platform/api/v1/users/{}", person.number);
    for (disabled, action) in [(true, "user.disabled"), (false, "user.enabled")] {
        for _ in 0..2 {
            app.platform().patch(&user, json!({"disabled": disabled})).expect(200);
        }
        assert_eq!(by(action), platform(json!({"role": "admin"})));
        assert_eq!(count(&tenant, action), 1);
    }
    app.platform().delete(&format!("{places}?user_id={}", person.number)).expect(200);
    assert_eq!(by("user.removed"), platform(json!({"role": "admin"})));
    app.platform().delete(&format!("{places}?user_id={}", person.number)).expect(200);
    assert_eq!(count(&tenant, "user.removed"), 1);
    let gone = tenant.person("agent");
    app.platform().delete(&format!("/platform/api/v1/users/{}", gone.number)).expect(200);
    assert_eq!(by("user.removed"), ("platform".into(), gone.id, json!({"role": "agent"})));
}

#[test]
fn invitations_are_told() {
    let tenant = Tenant::new(App::shared());
    let owner = &tenant.owner;
    let email = format!("{}@example.com", unique::word());
    let invite =
        || owner.client.post("/v1/users/invitations", json!({"email": email, "role": "admin"})).expect(201);
    let first = text(&invite()["invitation"], "id");
    let (actor, subject, details) = latest(&tenant, "invitation.created");
    assert_eq!((actor, subject, &details["role"]), (owner.id.clone(), first.clone(), &json!("admin")));
    let second = invite();
    assert_eq!(latest(&tenant, "invitation.revoked").1, first, "a later one replaces it");
    let body = json!({"name": "Jan", "password": "Correct-horse-7-battery"});
    let path = format!("/v1/auth/invitations/{}", text(&second, "token"));
    let session = App::shared().client().post(&path, body).expect(201);
    let id = text(&session["user"], "id");
    let expected = json!({"userId": id, "role": "admin", "invitedBy": owner.id});
    assert_eq!(latest(&tenant, "invitation.accepted"), (id, text(&second["invitation"], "id"), expected));
    let third = owner.client.post("/v1/users/invitations", json!({"email": format!("x{email}")})).expect(201);
    let third = text(&third["invitation"], "id");
    tenant.key.delete(&format!("/v1/users/invitations/{third}")).expect(204);
    let (actor, subject, _) = latest(&tenant, "invitation.revoked");
    assert_eq!((actor, subject), (tenant.service_account.clone(), third));
}

#[test]
fn service_accounts_and_keys_are_told() {
    let tenant = Tenant::new(App::shared());
    let owner = &tenant.owner;
    let account =
        owner.client.post("/v1/service-accounts", json!({"name": "CRM", "role": "agent"})).expect(200);
    let account = text(&account, "id");
    let expected = json!({"name": "CRM", "role": "agent"});
    assert_eq!(
        latest(&tenant, "service_account.created"),
        (owner.id.clone(), account.clone(), expected.clone())
    );
    let (key, _) = tenant.key_of(&account, json!({"name": "Frankfurt", "scopes": ["tag:list"]}));
    let (actor, subject, details) = latest(&tenant, "api_key.created");
    assert_eq!((actor, subject), (owner.id.clone(), key.clone()));
    assert_eq!((&details["name"], &details["scopes"]), (&json!("Frankfurt"), &json!(["tag:list"])));
    assert_eq!((&details["serviceAccountId"], text(&details, "prefix").len()), (&json!(account), 12));
    for _ in 0..2 {
        tenant.key.delete(&format!("/v1/api-keys/{key}")).expect(204);
    }
    let (actor, subject, _) = latest(&tenant, "api_key.revoked");
    assert_eq!((actor, subject, count(&tenant, "api_key.revoked")), (tenant.service_account.clone(), key, 1));
    // Without `scopes` it has those of the role.
    let (unlimited, client) = tenant.key_of(&account, json!({"name": "Berlin"}));
    let scopes = latest(&tenant, "api_key.created").2["scopes"].clone();
    assert_eq!(scopes.as_array().map(Vec::len), Some(40), "{scopes}");
    client.get("/v1/contacts").expect(200);
    let (other, _) = tenant.key_of(&account, json!({"name": "Hamburg"}));
    owner.client.delete(&format!("/v1/service-accounts/{account}")).expect(204);
    assert_eq!(latest(&tenant, "service_account.deleted"), (owner.id.clone(), account.clone(), expected));
    // Its keys end with it; the one that had ended is not told again.
    let revoked = entries(&owner.client, "action=api_key.revoked");
    let mut told: Vec<(&str, &str)> = revoked[..2]
        .iter()
        .map(|entry| (entry["subject"].as_str().unwrap(), entry["details"]["name"].as_str().unwrap()))
        .collect();
    told.sort_unstable_by_key(|(_, name)| *name);
    assert_eq!(told, [(unlimited.as_str(), "Berlin"), (other.as_str(), "Hamburg")]);
    assert_eq!((revoked.len(), &revoked[0]["details"]["serviceAccountId"]), (3, &json!(account)));
    assert!(revoked[..2].iter().all(|entry| entry["actor"]["id"] == json!(owner.id)), "{revoked:?}");
}

#[test]
fn the_invitations_of_a_deleted_service_account_are_told() {
    let tenant = Tenant::new(App::shared());
    let invited = json!({"email": format!("{}@example.com", unique::word())});
    let made = tenant.key.post("/v1/users/invitations", invited).expect(201);
    tenant.owner.client.delete(&format!("/v1/service-accounts/{}", tenant.service_account)).expect(204);
    let (actor, subject, details) = latest(&tenant, "invitation.revoked");
    assert_eq!((actor, subject), (tenant.owner.id.clone(), text(&made["invitation"], "id")));
    let expected = (&made["invitation"]["email"], &json!("agent"));
    assert_eq!((&details["email"], &details["role"]), expected);
}

#[test]
fn the_webhook_and_its_keys_are_told() {
    let tenant = Tenant::new(App::shared());
    let key = &tenant.key;
    let secret_url = "https://hooks.example.com/services/T0000/B0000/verysecretpath";
    let change = json!({"enabled": true, "url": secret_url, "eventTypes": ["message.created"]});
    let made = key.patch("/v1/webhooks", change.clone()).expect(200);
    let (actor, subject, details) = latest(&tenant, "webhook.updated");
    assert_eq!((actor, subject), (tenant.service_account.clone(), text(&made, "id")));
    assert_eq!((&details["from"]["enabled"], &details["to"]["enabled"]), (&json!(false), &json!(true)));
    assert_eq!(
        (&details["to"]["host"], &details["to"]["eventTypes"]),
        (&json!("hooks.example.com"), &json!(["message.created"]))
    );
    key.patch("/v1/webhooks", change).expect(200);
    assert_eq!(count(&tenant, "webhook.updated"), 1, "what changes nothing is no change");
    key.patch("/v1/webhooks", json!({"url": "https://hooks.example.com/elsewhere"})).expect(200);
    assert_eq!(count(&tenant, "webhook.updated"), 2, "another path of the same host is one");
    for _ in 0..2 {
        key.get("/v1/webhooks/signing-keys").expect(200);
    }
    assert_eq!(count(&tenant, "webhook_signing_key.created"), 1);
    let rotated = key.post("/v1/webhooks/signing-keys/rotate", json!({})).expect(200);
    let (_, subject, details) = latest(&tenant, "webhook_signing_key.rotated");
    assert_eq!((subject, details), (text(&rotated["signingKey"], "id"), json!({"version": 2})));
    for _ in 0..2 {
        key.delete("/v1/webhooks").expect(204);
    }
    assert_eq!(
        (latest(&tenant, "webhook.deleted").1, count(&tenant, "webhook.deleted")),
        (text(&made, "id"), 1)
    );
}

#[test]
fn inboxes_are_told() {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let path = format!("/v1/inboxes/{}", inbox.id);
    let told = |action: &str| {
        let (actor, subject, details) = latest(&tenant, action);
        assert_eq!((actor, subject), (tenant.service_account.clone(), inbox.id.clone()), "{action}");
        details
    };
    let connected = told("inbox.connected");
    assert_eq!(
        (&connected["channel"], &connected["externalId"]),
        (&json!("whatsapp"), &json!(inbox.phone_number_id))
    );
    tenant.key.patch(&path, json!({"name": "Support"})).expect(200);
    let changed = told("inbox.updated");
    assert_eq!((&changed["to"]["name"], &changed["credentialsChanged"]), (&json!("Support"), &json!(false)));
    tenant.key.patch(&path, json!({"name": "Support"})).expect(200);
    assert_eq!(count(&tenant, "inbox.updated"), 1);
    tenant.key.patch(&path, json!({"credentials": {"accessToken": "EAAJBexample"}})).expect(200);
    assert_eq!(told("inbox.updated")["credentialsChanged"], true);
    let team = tenant.team("Support");
    for _ in 0..2 {
        tenant.key.put(&format!("{path}/team"), json!({"teamId": team})).expect(200);
    }
    assert_eq!(told("inbox.team_changed"), json!({"from": null, "to": team}));
    for _ in 0..2 {
        tenant.key.delete(&format!("{path}/team")).expect(200);
    }
    assert_eq!(told("inbox.team_changed"), json!({"from": team, "to": null}));
    assert_eq!(count(&tenant, "inbox.team_changed"), 2);
    tenant.key.delete(&path).expect(204);
    assert_eq!(told("inbox.deleted")["name"], "Support");
}

#[test]
fn billing_is_told() {
    let tenant = Tenant::new(App::shared());
    let path = format!("/platform/api/v1/accounts/{}", tenant.account);
    let change = json!({"custom_attributes": {"billing": {"status": "past_due", "plan": "professional"}}});
    for _ in 0..2 {
        App::shared().platform().patch(&path, change.clone()).expect(200);
    }
    App::shared().platform().patch(&path, json!({"custom_attributes": {"seats": 2}})).expect(200);
    let expected = json!({"from": null, "to": {"status": "past_due", "plan": "professional"}});
    assert_eq!(latest(&tenant, "billing.updated"), ("platform".into(), tenant.id.clone(), expected));
    assert_eq!(count(&tenant, "billing.updated"), 1);
}

#[test]
fn what_was_refused_is_not_told() {
    let tenant = Tenant::new(App::shared());
    let before = entries(&tenant.owner.client, "pageSize=100");
    let admin = tenant.admin();
    admin.client.put(&format!("/v1/users/{}/role", tenant.owner.id), json!({"role": "agent"})).expect(403);
    tenant.key.post("/v1/users/invitations", json!({"email": "nobody"})).expect(422);
    tenant.key.delete("/v1/api-keys/key_01HV8ZE9V3S5A7C9E1G3J5M7P9").expect(404);
    // Two senders, of which one is connected elsewhere: neither is.
    let taken = tenant.inbox().phone_number_id;
    let senders = json!({"whatsapp": {"resourceIds": ["1"], "phoneNumberIds": [unique::digits(), taken]}});
    tenant.key.post("/v1/inboxes", senders).expect(409);
    let told: Vec<String> =
        entries(&tenant.owner.client, "pageSize=100").iter().map(|entry| text(entry, "action")).collect();
    assert_eq!(told.len(), before.len() + 2, "only the admin who came and the first inbox: {told:?}");
    assert_eq!(told[..2], ["inbox.connected", "user.added"]);
}

#[test]
fn secrets_are_never_in_it() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let mut secrets = vec![tenant.owner.token.clone(), tenant.owner.password.clone()];
    let path = format!("/v1/service-accounts/{}/api-keys", tenant.service_account);
    let made = tenant.owner.client.post(&path, json!({"name": "x"})).expect(200);
    secrets.push(text(&made, "plaintextKey"));
    let invited = json!({"email": format!("{}@example.com", unique::word())});
    secrets.push(text(&tenant.key.post("/v1/users/invitations", invited).expect(201), "token"));
    let url = "https://hooks.example.com/services/verysecretpath?code=anothersecret";
    tenant.key.patch("/v1/webhooks", json!({"enabled": true, "url": url})).expect(200);
    secrets.extend(["verysecretpath".into(), "anothersecret".into()]);
    let keys = tenant.key.get("/v1/webhooks/signing-keys").expect(200);
    secrets.push(text(&keys["signingKeys"][0], "plaintextKey"));
    let rotated = tenant.key.post("/v1/webhooks/signing-keys/rotate", json!({})).expect(200);
    secrets.push(text(&rotated["signingKey"], "plaintextKey"));
    let chat = tenant.key.post("/v1/inboxes", json!({"text": {"name": "Website chat"}})).expect(200);
    secrets.push(text(&chat["inboxes"][0]["secrets"], "hmacToken"));
    let rotate = json!({"credentials": {"rotateHmacToken": true}});
    let chat_path = format!("/v1/inboxes/{}", text(&chat["inboxes"][0], "id"));
    secrets.push(text(&tenant.key.patch(&chat_path, rotate).expect(200)["secrets"], "hmacToken"));
    let tokens = json!({"credentials": {"accessToken": "EAAJBverysecret", "appSecret": "appverysecret"}});
    tenant.key.patch(&format!("/v1/inboxes/{}", tenant.inbox().id), tokens).expect(200);
    secrets.extend(["EAAJBverysecret".into(), "appverysecret".into()]);
    let log = tenant.key.get(&format!("{LOG}?pageSize=100")).expect(200).to_string();
    assert!(log.contains("inbox.updated") && log.contains("invitation.created"), "{log}");
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret} is in {log}");
    }
}

#[test]
fn filters_narrow_together() {
    let tenant = Tenant::new(App::shared());
    let (owner, key) = (&tenant.owner, &tenant.key);
    let (first, _) = tenant.new_key(json!({"name": "by the owner"}));
    let path = format!("/v1/service-accounts/{}/api-keys", tenant.service_account);
    let second = text(&key.post(&path, json!({"name": "by the key"})).expect(200)["apiKey"], "id");
    let subjects = |query: &str| -> Vec<String> {
        entries(key, query).iter().map(|entry| text(entry, "subject")).collect()
    };
    assert_eq!(subjects("action=api_key.created")[..2], [second.clone(), first.clone()], "newest first");
    assert_eq!(
        subjects(&format!("actor={}&action=api_key.created", tenant.service_account)),
        std::slice::from_ref(&second)
    );
    assert_eq!(subjects(&format!("subject={first}")), std::slice::from_ref(&first));
    assert_eq!(subjects(&format!("subject={first}&actor={}", owner.id)), std::slice::from_ref(&first));
    assert!(subjects(&format!("subject={first}&actor={}", tenant.service_account)).is_empty());
    assert!(entries(key, "actor=platform").iter().all(|entry| entry["actor"]["type"] == "platform"));
    let at = |subject: &str| text(&entries(key, &format!("subject={subject}"))[0], "createdAt");
    let (from, to) = (at(&first), at(&second));
    assert!(subjects(&format!("from={from}")).contains(&first), "from is included");
    if from != to {
        assert!(!subjects(&format!("to={from}")).contains(&first), "to is not");
        assert_eq!(subjects(&format!("from={from}&to={to}")), [first]);
    }
    assert!(subjects(&format!("from={}", unique::time_in(60_000))).is_empty());
    // Another tenant sees none of it.
    let other = Tenant::new(App::shared());
    assert!(entries(&other.key, &format!("subject={second}")).is_empty());
}

#[test]
fn wrong_parameters_are_named() {
    let tenant = Tenant::new(App::shared());
    for (query, field) in [
        ("action=api_key.eaten", "action"),
        ("from=yesterday", "from"),
        ("to=5", "to"),
        ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to"),
        ("pageSize=0", "pageSize"),
        ("pageToken=x", "pageToken"),
    ] {
        assert_eq!(tenant.key.get(&format!("{LOG}?{query}")).wrong_fields(400), [field], "{query}");
    }
    let page = tenant.key.get(&format!("{LOG}?pageSize=1")).expect(200);
    let token = text(&page, "nextPageToken");
    let other = format!("{LOG}?pageSize=1&action=api_key.created&pageToken={token}");
    assert_eq!(tenant.key.get(&other).wrong_fields(400), ["pageToken"], "a token is good for its own query");
}

#[test]
fn a_walk_sees_every_entry_once_while_others_come() {
    let tenant = Tenant::new(App::shared());
    let teams = [tenant.team("One"), tenant.team("Two")];
    let inbox = tenant.inbox();
    let path = format!("/v1/inboxes/{}/team", inbox.id);
    let change = |number: usize| tenant.key.put(&path, json!({"teamId": teams[number % 2]})).expect(200);
    (0..15).for_each(|number| drop(change(number)));
    let ids = |page: &Value| -> Vec<String> {
        page["entries"].as_array().unwrap().iter().map(|entry| text(entry, "id")).collect()
    };
    for query in ["", "&action=inbox.team_changed", &format!("&subject={}", inbox.id)] {
        let before = ids(&tenant.key.get(&format!("{LOG}?pageSize=100{query}")).expect(200));
        assert!(before.len() >= 15);
        let (mut seen, mut token, mut number) = (Vec::new(), String::new(), 15);
        loop {
            let page = tenant.key.get(&format!("{LOG}?pageSize=4{query}{token}")).expect(200);
            seen.extend(ids(&page));
            let Some(next) = page["nextPageToken"].as_str() else { break };
            token = format!("&pageToken={next}");
            change(number);
            number += 1;
        }
        assert_eq!(seen, before, "{query}");
    }
}

#[test]
fn agents_and_narrow_keys_do_not_read_it() {
    let tenant = Tenant::new(App::shared());
    let denied = "auth_authz_audit_log_read_denied";
    let agent: &Person = tenant.agent();
    agent.client.get(LOG).problem(403, denied);
    tenant.key_with(&["user:list", "api_key:list"]).get(LOG).problem(403, denied);
    tenant.key_with(&["audit_log:read"]).get(LOG).expect(200);
}

#[test]
fn merges_and_erasures_of_contacts_are_told() {
    let tenant = Tenant::new(App::shared());
    let ((into, _), (from, _)) = (tenant.contact("Anna"), tenant.contact("Anna K."));
    let path = format!("/v1/contacts/{into}");
    let merged = tenant.key.post(&format!("{path}/merge"), json!({"contactId": from})).expect(200);
    let merge = text(&merged, "mergeId");
    let (_, subject, details) = latest(&tenant, "contact.merged");
    assert_eq!((subject, details), (into.clone(), json!({"mergeId": merge, "mergedContactId": from})));
    tenant.key.post(&format!("/v1/contacts/merges/{merge}/undo"), json!({})).expect(200);
    let (_, subject, details) = latest(&tenant, "contact.merge_undone");
    assert_eq!((subject, details), (into.clone(), json!({"mergeId": merge, "restoredContactId": from})));
    tenant.owner.client.delete(&format!("{path}?erase=true")).expect(204);
    let (actor, subject, details) = latest(&tenant, "contact.erased");
    assert_eq!((actor, subject), (tenant.owner.id.clone(), into));
    assert_eq!(details, json!({"contacts": 1}), "nothing of the person");
}
