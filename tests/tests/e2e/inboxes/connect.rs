//! Connecting senders of every channel, and what happens to their secrets.

use serde_json::{Value, json};
use tests::client::text;
use tests::{App, Tenant, unique};

fn sid(prefix: &str) -> String {
    format!("{prefix}{}{:017}", unique::digits(), 0)
}

/// Connects and gives the only inbox.
#[track_caller]
fn connect(tenant: &Tenant, request: Value) -> Value {
    let made = tenant.key.post("/v1/inboxes", request).expect(200);
    assert_eq!(made["inboxes"].as_array().unwrap().len(), 1, "{made}");
    made["inboxes"][0].clone()
}

#[test]
fn each_channel_says_what_it_knows_the_sender_by() {
    let tenant = Tenant::new(App::shared());
    let page = unique::digits();
    let made = connect(&tenant, json!({"messenger": {"resourceIds": [page], "accessToken": "EAA-page"}}));
    assert_eq!((&made["channel"], &made["externalId"]), (&json!("messenger"), &json!(page)));
    assert_eq!(made["config"], json!({"pageId": page}));

    let account = unique::digits();
    let request = json!({"name": "Shop", "instagram": {"resourceIds": [account], "login": "instagram"}});
    let made = connect(&tenant, request);
    assert_eq!((&made["channel"], &made["externalId"]), (&json!("instagram"), &json!(account)));
    assert_eq!(made["config"], json!({"accountId": account, "login": "instagram"}));
    assert_eq!(made["name"], "Shop");

    let from = format!("+1{}", &unique::digits()[5..]);
    let sms = json!({"provider": "twilio", "accountSid": sid("AC"), "authToken": "t", "from": [from]});
    let made = connect(&tenant, json!({"sms": sms}));
    assert_eq!((&made["channel"], &made["externalId"]), (&json!("sms"), &json!(from)));
    assert_eq!(made["config"], json!({"provider": "twilio", "from": from}));

    let service = sid("MG");
    let sms = json!({"provider": "twilio", "accountSid": sid("AC"), "authToken": "t", "messagingServiceSid": service});
    let made = connect(&tenant, json!({"sms": sms}));
    assert_eq!(made["config"], json!({"provider": "twilio", "messagingServiceSid": service}));

    let text_inbox = connect(&tenant, json!({"text": {"name": "Website"}}));
    assert_eq!((&text_inbox["channel"], &text_inbox["config"]), (&json!("text"), &json!({})));
    assert_eq!(text_inbox["name"], "Website");
    assert_eq!(text(&text_inbox, "externalId").len(), 24);
    assert!(text_inbox["secrets"]["hmacToken"].as_str().unwrap().len() >= 32);

    let all = tenant.key.get("/v1/inboxes").expect(200);
    assert_eq!(all["inboxes"].as_array().unwrap().len(), 5);
    assert!(!all.to_string().contains("hmacToken"), "shown once");
}

#[test]
fn exactly_one_channel_with_right_fields() {
    let tenant = Tenant::new(App::shared());
    let wrong = |body: Value| tenant.key.post("/v1/inboxes", body).wrong_fields(422);
    assert_eq!(wrong(json!({"text": {"name": "a"}, "messenger": {"resourceIds": ["1"]}})), ["body"]);
    assert_eq!(wrong(json!({"messenger": {"resourceIds": []}})), ["messenger.resourceIds"]);
    assert_eq!(wrong(json!({"text": {}})), ["text"]);
    assert_eq!(wrong(json!({"sms": {"provider": "pigeon"}})), ["sms.provider"]);
    assert_eq!(
        wrong(json!({"sms": {"provider": "twilio"}})),
        ["sms.from", "sms.accountSid", "sms.authToken"]
    );
    assert_eq!(wrong(json!({"sms": {"provider": "gateway", "from": ["EXAMPLE"]}})), ["sms.gateway"]);
    assert_eq!(tenant.key.get("/v1/inboxes").expect(200), json!({"inboxes": []}));
}

#[test]
fn one_idempotency_key_makes_one_live_chat_with_one_secret() {
    let tenant = Tenant::new(App::shared());
    let key = tenant.key.once(&unique::word());
    let first = key.post("/v1/inboxes", json!({"text": {"name": "Chat"}})).expect(200);
    let second = key.post("/v1/inboxes", json!({"text": {"name": "Chat"}}));
    assert_eq!(second.expect(200), first);
    assert_eq!(tenant.key.get("/v1/inboxes").expect(200)["inboxes"].as_array().unwrap().len(), 1);
}

#[test]
fn callback_urls_are_for_administrators() {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let path = format!("/v1/inboxes/{}", inbox.id);
    let seen = tenant.key.get(&path).expect(200);
    assert!(text(&seen, "callbackUrl").ends_with("/channels/whatsapp"), "{seen}");
    let mut listed = tenant.key.get("/v1/inboxes").expect(200)["inboxes"][0].clone();
    listed["callbackUrl"] = seen["callbackUrl"].clone();
    assert_eq!(listed, seen);
    let gateway = json!({"sms": {"provider": "gateway", "from": ["SHOP"], "gateway": gateway_settings("k")}});
    let gateway = connect(&tenant, gateway);
    let told = text(&gateway["secrets"], "callbackUrl");
    let gateway = text(&gateway, "id");
    let path = format!("/v1/inboxes/{gateway}");
    let url = text(&tenant.key.get(&path).expect(200), "callbackUrl");
    assert_eq!(url, told, "where to have the gateway send what customers write");
    let (_, secret) = url.rsplit_once('/').unwrap();
    assert!(url.contains(&format!("/channels/sms/{gateway}/")) && secret.len() >= 32, "{url}");
    let agent = tenant.agent().client.get(&path).expect(200);
    assert!(agent.get("callbackUrl").is_none() && !agent.to_string().contains(secret));
    Tenant::new(App::shared()).key.get(&path).problem(404, "inbox_not_found");
}

fn gateway_settings(token: &str) -> Value {
    json!({
        "method": "POST", "url": "https://gateway.example/send", "encoding": "json",
        "auth": {"type": "bearer", "token": token}
    })
}

/// Every file of the server's data folder, the log among them.
fn contains(folder: &std::path::Path, needle: &str) -> Option<String> {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if let Some(found) = contains(&path, needle) {
                return Some(found);
            }
        } else {
            let bytes = std::fs::read(&path).unwrap();
            if bytes.windows(needle.len()).any(|window| window == needle.as_bytes()) {
                return Some(path.display().to_string());
            }
        }
    }
    None
}

#[test]
fn secrets_are_in_no_answer_and_nowhere_on_disk() {
    let Some(mut app) = App::own(&[]) else { return };
    let tenant = Tenant::new(&app);
    let key = tenant.key.once(&unique::word());
    let secret = |name: &str| format!("plaintext-{name}-{}", unique::word());
    let (token, app_secret) = (secret("token"), secret("app"));
    let (auth_token, api_secret, bearer) = (secret("auth"), secret("api"), secret("bearer"));
    let requests = [
        json!({"whatsapp": {"resourceIds": ["1"], "phoneNumberIds": ["2"], "accessToken": token, "appSecret": app_secret}}),
        json!({"sms": {"provider": "twilio", "accountSid": sid("AC"), "authToken": auth_token, "from": ["SHOP"],
                       "apiKeySid": sid("SK"), "apiKeySecret": api_secret}}),
        json!({"sms": {"provider": "gateway", "from": ["OTHER"], "gateway": gateway_settings(&bearer)}}),
        json!({"text": {"name": "Chat"}}),
    ];
    let mut secrets = vec![token, app_secret, auth_token, api_secret, bearer];
    let mut callback_secret = String::new();
    for (at, request) in requests.iter().enumerate() {
        let made = key.once(&format!("k{at}")).post("/v1/inboxes", request.clone());
        for secret in &secrets {
            assert!(!made.to_string().contains(secret), "{made}");
        }
        let made = made.expect(200);
        if let Some(hmac_token) = made["inboxes"][0]["secrets"]["hmacToken"].as_str() {
            secrets.push(hmac_token.to_string());
        }
        if let Some(url) = made["inboxes"][0]["secrets"]["callbackUrl"].as_str() {
            callback_secret = url.rsplit_once('/').unwrap().1.to_string();
        }
        let again = tenant.key.get(&format!("/v1/inboxes/{}", text(&made["inboxes"][0], "id")));
        for secret in &secrets {
            assert!(!again.to_string().contains(secret), "{again}");
        }
    }
    let listed = tenant.key.get("/v1/inboxes").to_string();
    let data = app.process().data.clone();
    let known = tenant.key.get("/v1/inboxes").expect(200)["inboxes"][0]["id"].as_str().unwrap().to_string();
    assert!(contains(&data, &known).is_some(), "this looks where the database is");
    assert!(callback_secret.len() >= 32);
    secrets.push(callback_secret);
    for secret in &secrets {
        assert!(!listed.contains(secret));
        assert_eq!(contains(&data, secret), None, "{secret}");
    }
}
