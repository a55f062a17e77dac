//! Text messages: through Twilio and through any other gateway.

use crate::channels::support::{only_contact, wait_for_messages, wait_until};
use http::Method;
use serde_json::{Value, json};
use tests::callbacks::{self, encode, form};
use tests::client::text;
use tests::{App, Tenant, unique};

const AUTH_TOKEN: &str = "fixture-auth-token";

/// A tenant with an inbox at Twilio: its id.
fn twilio(app: &App) -> (Tenant, String) {
    let tenant = Tenant::new(app);
    let request = json!({"sms": {"provider": "twilio", "from": ["+12025550100"],
                                 "accountSid": "AC00000000000000000000000000000001", "authToken": AUTH_TOKEN}});
    let made = tenant.key.post("/v1/inboxes", request).expect(200);
    let inbox = text(&made["inboxes"][0], "id");
    (tenant, inbox)
}

/// Sends a text from an inbox: the message's id.
fn send(tenant: &Tenant, inbox: &str, to: &str) -> String {
    let request = json!({
        "inboxId": inbox,
        "recipient": {"type": "channel", "channel": "sms", "externalId": to},
        "content": {"type": "text", "text": {"body": "Hello"}},
    });
    text(&tenant.key.post("/v1/messages", request).expect(202)["message"], "id")
}

#[test]
fn what_twilio_did_not_sign_is_refused() {
    let app = App::shared();
    let (tenant, inbox) = twilio(app);
    let body = form("twilio/in-stop", &[]);
    for path in
        [format!("/channels/twilio/{inbox}"), format!("/channels/twilio/{inbox}/status?message=msg_1")]
    {
        let kind = "application/x-www-form-urlencoded";
        assert_eq!(callbacks::post(&app.client(), &path, kind, &body).status, 401, "not signed");
        assert_eq!(callbacks::twilio(app, &path, "another token", &body).status, 401);
        let good = callbacks::twilio_signature(AUTH_TOKEN, &format!("{}{path}", app.public_url), &body);
        let signed = app.client().with("x-twilio-signature", &good);
        let mut altered = body.clone();
        altered.extend_from_slice(b"&More=1");
        assert_eq!(callbacks::post(&signed, &path, kind, &altered).status, 401, "a parameter more");
        let mark = if path.contains('?') { '&' } else { '?' };
        assert_eq!(
            callbacks::post(&signed, &format!("{path}{mark}x=1"), kind, &body).status,
            401,
            "another URL"
        );
    }
    let nobody = "/channels/twilio/ibx_7ZZZZZZZZZZZZZZZZZZZZZZZZZ";
    assert_eq!(callbacks::twilio(app, nobody, AUTH_TOKEN, &body).status, 401, "an unknown inbox");
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(tenant.key.get("/v1/contacts").expect(200)["contacts"], json!([]));
}

/// Calls a path by GET, with a signature over the URL as Twilio was given it.
fn twilio_get(app: &App, path: &str, auth_token: &str) -> tests::Answer {
    let signature = callbacks::twilio_signature(auth_token, &format!("{}{path}", app.public_url), b"");
    app.client().with("x-twilio-signature", &signature).raw(&Method::GET, path, None, b"").unwrap()
}

fn with_query(path: &str, fields: &[u8]) -> String {
    let mark = if path.contains('?') { '&' } else { '?' };
    format!("{path}{mark}{}", String::from_utf8(fields.to_vec()).unwrap())
}

#[test]
fn what_twilio_asks_for_by_get_is_signed_too() {
    let app = App::shared();
    let (tenant, inbox) = twilio(app);
    let body = form("twilio/in-stop", &[]);
    for bare in
        [format!("/channels/twilio/{inbox}"), format!("/channels/twilio/{inbox}/status?message=msg_1")]
    {
        let path = with_query(&bare, &body);
        let unsigned = app.client().raw(&Method::GET, &path, None, b"").unwrap();
        assert_eq!(unsigned.status, 401, "not signed");
        assert_eq!(twilio_get(app, &path, "another token").status, 401);
        let good = callbacks::twilio_signature(AUTH_TOKEN, &format!("{}{path}", app.public_url), b"");
        let signed = app.client().with("x-twilio-signature", &good);
        for altered in
            [format!("{path}&More=1"), path.replace("STOP", "START"), path.replace("Body=STOP&", "")]
        {
            assert_ne!(altered, path);
            assert_eq!(signed.raw(&Method::GET, &altered, None, b"").unwrap().status, 401, "{altered}");
        }
        // The signature of a form is over its fields, not over a query that holds them.
        let of_form = callbacks::twilio_signature(AUTH_TOKEN, &format!("{}{bare}", app.public_url), &body);
        let client = app.client().with("x-twilio-signature", &of_form);
        assert_eq!(client.raw(&Method::GET, &path, None, b"").unwrap().status, 401, "a form's signature");
    }
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(tenant.key.get("/v1/contacts").expect(200)["contacts"], json!([]));
}

#[test]
fn twilio_may_bring_texts_and_statuses_by_get() {
    let app = App::shared();
    let (tenant, inbox) = twilio(app);
    let sid = |name: &str| format!("{name}{:0>32}", unique::digits());
    let words = [("STOP", "Hi & bye é"), ("SM00000000000000000000000000000052", &*sid("SM"))];
    let path = with_query(&format!("/channels/twilio/{inbox}"), &form("twilio/in-stop", &words));
    for _ in 0..2 {
        let answer = twilio_get(app, &path, AUTH_TOKEN);
        assert_eq!((answer.status, answer.body.as_slice()), (200, b"<Response></Response>".as_slice()));
        assert!(answer.header("content-type").starts_with("text/xml"), "{answer}");
    }
    let all = wait_for_messages(&tenant.key, 1);
    assert_eq!(all[0]["content"]["text"]["body"], "Hi & bye é");

    let message = send(&tenant, &inbox, "+12025550147");
    let replaced = [("SM00000000000000000000000000000042", &*sid("SM"))];
    let status = form("twilio/status-delivered", &replaced);
    let path = with_query(&format!("/channels/twilio/{inbox}/status?message={message}"), &status);
    assert_eq!(twilio_get(app, &path, AUTH_TOKEN).status, 200);
    let delivered =
        wait_until(&tenant.key, &message, "the delivery", |message| message["deliveryStatus"] == "delivered");
    assert_eq!(delivered["channelMessageId"], replaced[0].1);
    std::thread::sleep(std::time::Duration::from_millis(300));
    let of_customer = |message: &&Value| message["senderType"] == "customer";
    assert_eq!(wait_for_messages(&tenant.key, 1).iter().filter(of_customer).count(), 1, "once");
}

#[test]
fn twilio_brings_texts_and_files_once() {
    let app = App::shared();
    let (tenant, inbox) = twilio(app);
    let path = format!("/channels/twilio/{inbox}");
    for name in ["twilio/in-mms", "twilio/in-stop", "twilio/in-mms", "twilio/in-stop"] {
        let answer = callbacks::twilio(app, &path, AUTH_TOKEN, &form(name, &[]));
        assert_eq!(
            (answer.status, answer.body.as_slice()),
            (200, b"<Response></Response>".as_slice()),
            "{answer}"
        );
        assert!(answer.header("content-type").starts_with("text/xml"), "{answer}");
    }
    let all = wait_for_messages(&tenant.key, 2);
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(wait_for_messages(&tenant.key, 2).len(), 2);
    let file =
        all.iter().find(|message| message["content"]["type"] == "media").unwrap_or_else(|| panic!("{all:?}"));
    assert_eq!(file["content"]["media"]["caption"], "see photo");
    assert_eq!(file["content"]["media"]["mimeType"], "image/jpeg");
    assert_eq!(file["channelMessageId"], "MM00000000000000000000000000000051");
    assert!(all.iter().any(|message| message["content"]["text"]["body"] == "STOP"), "{all:?}");
    let contact = only_contact(&tenant.key);
    assert_eq!(contact["identities"][0]["channel"], "sms");
    assert_eq!(contact["identities"][0]["metadata"]["phoneNumber"], "+12025550147");
}

#[test]
fn twilio_tells_how_far_a_message_is() {
    let app = App::shared();
    let (tenant, inbox) = twilio(app);
    let message = send(&tenant, &inbox, "+12025550147");
    let path = format!("/channels/twilio/{inbox}/status?message={message}");
    let sid = format!("SM{:0>32}", unique::digits());
    let tell = |name: &str| {
        let mut replaced = vec![("SM00000000000000000000000000000042", sid.as_str())];
        if name.ends_with("undelivered") {
            // An unknown handset, which no further try reaches.
            replaced.push(("30003", "30005"));
        }
        assert_eq!(callbacks::twilio(app, &path, AUTH_TOKEN, &form(name, &replaced)).status, 200)
    };
    tell("twilio/status-undelivered");
    let failed =
        wait_until(&tenant.key, &message, "the failure", |message| message["deliveryStatus"] == "failed");
    assert!(failed["failureReason"].is_string(), "{failed}");
    tell("twilio/status-delivered");
    wait_until(&tenant.key, &message, "the delivery", |message| message["deliveryStatus"] == "delivered");
    tell("twilio/status-undelivered");
    std::thread::sleep(std::time::Duration::from_millis(500));
    wait_until(&tenant.key, &message, "the delivery", |message| message["deliveryStatus"] == "delivered");
}

/// A tenant with an inbox at a gateway that speaks the canonical shape: the inbox and the path of its callbacks.
fn gateway(app: &App) -> (Tenant, String, String) {
    let tenant = Tenant::new(app);
    let request = json!({"sms": {"provider": "gateway", "from": ["EXAMPLE"],
                                 "gateway": {"url": "https://gateway.example.test/send"}}});
    let made = tenant.key.post("/v1/inboxes", request).expect(200);
    let inbox = text(&made["inboxes"][0], "id");
    let shown = tenant.key.get(&format!("/v1/inboxes/{inbox}")).expect(200);
    let url = text(&shown, "callbackUrl");
    let path = url.strip_prefix(&app.public_url).unwrap_or_else(|| panic!("{url} is elsewhere")).to_string();
    (tenant, inbox, path)
}

fn inbound(body: &str) -> Value {
    json!({"provider_id": format!("gw-{}", unique::digits()), "from": "+12025550147", "to": "EXAMPLE", "text": body,
           "received_at": "2026-09-22T13:21:40Z"})
}

#[test]
fn a_gateway_must_know_its_url() {
    let app = App::shared();
    let (tenant, inbox, path) = gateway(app);
    let body = inbound("Hello").to_string();
    let post = |path: &str| callbacks::post(&app.client(), path, "application/json", body.as_bytes()).status;
    for end in ["", "/report"] {
        assert_eq!(post(&format!("/channels/sms/{inbox}/guess{end}")), 401);
        assert_eq!(post(&format!("/channels/sms/ibx_7ZZZZZZZZZZZZZZZZZZZZZZZZZ/guess{end}")), 401);
        let by_get =
            app.client().raw(&Method::GET, &format!("/channels/sms/{inbox}/guess{end}?text=x"), None, b"");
        assert_eq!(by_get.unwrap().status, 401);
    }
    assert_eq!(tenant.key.get("/v1/contacts").expect(200)["contacts"], json!([]));
    assert_eq!(post(&path), 200);
    wait_for_messages(&tenant.key, 1);
}

#[test]
fn a_gateway_brings_texts_as_json_form_or_query_and_reports() {
    let app = App::shared();
    let (tenant, inbox, path) = gateway(app);
    let post = |path: &str, kind: &str, body: &[u8]| {
        let answer = callbacks::post(&app.client(), path, kind, body);
        assert_eq!(answer.status, 200, "{answer}");
    };
    let (as_json, as_form, as_query) = (inbound("as JSON"), inbound("as a form"), inbound("as a query"));
    post(&path, "application/json", as_json.to_string().as_bytes());
    post(&path, "application/json", as_json.to_string().as_bytes());
    post(&path, "application/x-www-form-urlencoded", &encode(&as_form));
    let query = String::from_utf8(encode(&as_query)).unwrap();
    let by_get = app.client().raw(&Method::GET, &format!("{path}?{query}"), None, b"").unwrap();
    assert_eq!(by_get.status, 200, "{by_get}");
    let all = wait_for_messages(&tenant.key, 3);
    let mut said: Vec<String> = all.iter().map(|message| text(&message["content"]["text"], "body")).collect();
    said.sort();
    assert_eq!(said, ["as JSON", "as a form", "as a query"]);

    let message = send(&tenant, &inbox, "+12025550147");
    let report = callbacks::fixture("sms-generic/in-dlr", &[("msg_01HZX0000000000000000301", &message)]);
    post(&format!("{path}/report"), "application/json", &report);
    wait_until(&tenant.key, &message, "the failure", |message| message["deliveryStatus"] == "failed");
    // The state may still get better, never worse.
    let delivered = String::from_utf8(report.clone()).unwrap().replace("UNDELIV", "DELIVRD");
    post(&format!("{path}/report"), "application/json", delivered.as_bytes());
    wait_until(&tenant.key, &message, "the delivery", |message| message["deliveryStatus"] == "delivered");
}
