//! SMS: Twilio and the generic gateway.

use super::post_form;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tests::client::text;
use tests::{Answer, App, Client, Receiver, Reply, Tenant, unique, wait_for};

const SETTLED: Duration = Duration::from_secs(20);
const SID: &str = "AC00000000000000000000000000000001";

/// A caller with HTTP Basic credentials.
fn basic(app: &App, user: &str, password: &str) -> Client {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    app.client().with("authorization", &format!("Basic {encoded}"))
}

fn path(rest: &str) -> String {
    format!("/sandbox/twilio/2010-04-01/Accounts/{SID}/{rest}")
}

fn form(body: &[u8]) -> BTreeMap<String, String> {
    form_urlencoded::parse(body).into_owned().collect()
}

/// The signature of channels section 6.4, made apart from the sandbox's own code.
fn signature(token: &str, url: &str, body: &[u8]) -> String {
    use base64::Engine as _;
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(token.as_bytes()).unwrap();
    mac.update(url.as_bytes());
    for (name, value) in form(body) {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}

fn send(client: &Client, to: &str, from: (&str, &str), callback: &str) -> Answer {
    post_form(
        client,
        &path("Messages.json"),
        &[("To", to), from, ("Body", "Hi & bye é"), ("StatusCallback", callback)],
    )
}

#[test]
fn twilio_takes_a_message_and_reports_it_signed() {
    let app = App::shared();
    let token = format!("sandbox-{}", unique::word());
    let client = basic(app, SID, &token);
    let receiver = Receiver::answering(|_, _| Reply::status(204));
    let url = format!("{}?message=msg_1", receiver.url);
    let sent =
        send(&client, &unique::phone(), ("MessagingServiceSid", "MG00000000000000000000000000000007"), &url);
    let sent = sent.expect(201);
    assert_eq!((sent["status"].as_str(), sent["num_segments"].as_str()), (Some("accepted"), Some("0")));
    let states = wait_for("the callbacks", SETTLED, || {
        let got = receiver.deliveries();
        (got.len() == 3).then_some(got)
    });
    let mut names = Vec::new();
    for callback in &states {
        assert_eq!(callback.header("x-twilio-signature"), signature(&token, &url, &callback.body));
        let fields = form(&callback.body);
        assert_eq!(fields["MessageSid"], text(&sent, "sid"));
        assert_eq!(
            (&fields["SmsSid"], &fields["SmsStatus"]),
            (&fields["MessageSid"], &fields["MessageStatus"])
        );
        assert_eq!(fields["InventedEmptyField"], "");
        names.push(fields["MessageStatus"].clone());
    }
    // On a busy machine two may be due at once, and overtake each other as Twilio's do.
    names.sort();
    assert_eq!(names, ["delivered", "queued", "sent"]);
    let read = client.get(&path(&format!("Messages/{}.json", text(&sent, "sid")))).expect(200);
    assert_eq!((read["status"].as_str(), read["num_segments"].as_str()), (Some("delivered"), Some("1")));
    let direct = send(&client, &unique::phone(), ("From", "+12025550100"), &url).expect(201);
    assert_eq!((direct["status"].as_str(), direct["num_segments"].as_str()), (Some("queued"), Some("1")));
}

#[test]
fn twilio_refuses_in_its_own_words() {
    let app = App::shared();
    let client = basic(app, SID, "sandbox-x");
    let refused = |client: &Client, to: &str| {
        let answer = send(client, to, ("From", "+12025550100"), "https://a.example/x");
        (answer.status, answer.json()["code"].as_i64().unwrap())
    };
    assert_eq!(refused(&app.client(), "+12025550147"), (401, 20_003));
    assert_eq!(refused(&basic(app, SID, "wrong"), "+12025550147"), (401, 20_003));
    assert_eq!(refused(&basic(app, "AC1", "sandbox-x"), "+12025550147"), (401, 20_003), "another account");
    assert_eq!(refused(&client, "12025550147"), (400, 21_211));
    assert_eq!(refused(&client, "+12025550610"), (400, 21_610));
    let to = unique::phone_ending("0429");
    for _ in 0..3 {
        assert_eq!(refused(&client, &to), (429, 20_429));
    }
    assert_eq!(send(&client, &to, ("From", "+12025550100"), "https://a.example/x").status, 201);
    assert_eq!(client.get(&path("Messages/SM1.json")).json()["code"], 20_404);
    client.get(&format!("/sandbox/twilio/2010-04-01/Accounts/{SID}.json")).expect(200);
}

#[test]
fn twilio_lists_and_cancels() {
    let app = App::shared();
    let client = basic(app, SID, "sandbox-x");
    let to = unique::phone();
    for _ in 0..3 {
        send(&client, &to, ("From", "+12025550100"), "https://a.example/x");
    }
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("To", &to)
        .append_pair("PageSize", "2")
        .finish();
    let page = client.get(&path(&format!("Messages.json?{query}"))).expect(200);
    assert_eq!(page["messages"].as_array().unwrap().len(), 2);
    let next = format!("/sandbox/twilio{}", text(&page, "next_page_uri"));
    let last = client.get(&next).expect(200);
    assert_eq!((last["messages"].as_array().unwrap().len(), &last["next_page_uri"]), (1, &Value::Null));
    let scheduled = post_form(
        &client,
        &path("Messages.json"),
        &[
            ("To", &to),
            ("MessagingServiceSid", "MG00000000000000000000000000000007"),
            ("Body", "later"),
            ("SendAt", &unique::time_in(3_600_000)),
            ("ScheduleType", "fixed"),
        ],
    );
    let scheduled = scheduled.expect(201);
    assert_eq!(scheduled["status"], "scheduled");
    let one = path(&format!("Messages/{}.json", text(&scheduled, "sid")));
    assert_eq!(post_form(&client, &one, &[("Status", "canceled")]).expect(200)["status"], "canceled");
}

#[test]
fn who_wrote_stop_gets_nothing_until_they_write_start() {
    let app = App::shared();
    let client = basic(app, SID, "sandbox-x");
    let receiver = Receiver::answering(|_, _| Reply::status(200));
    let (own, person) = (unique::phone_ending("7777"), unique::phone());
    let write = |body: &str| {
        let request = json!({"account": own, "from": person, "accountSid": SID, "authToken": "sandbox-x",
                             "url": receiver.url, "text": body});
        let played = app.client().post("/sandbox/twilio/inbound", request).expect(200);
        assert_eq!(played["deliveries"][0]["status"], 200);
        form(&receiver.deliveries().last().unwrap().body)
    };
    let status = || send(&client, &person, ("From", &own), "https://a.example/x").status;
    assert!(!write("hello").contains_key("OptOutType"));
    assert_eq!(status(), 201);
    assert_eq!(write("Stop")["OptOutType"], "STOP");
    assert_eq!(status(), 400);
    assert_eq!(write("START")["OptOutType"], "START");
    assert_eq!(status(), 201);
    let last = receiver.deliveries().pop().unwrap();
    assert_eq!(last.header("x-twilio-signature"), signature("sandbox-x", &receiver.url, &last.body));
}

#[test]
fn the_generic_gateway_takes_any_encoding_and_reports() {
    let app = App::shared();
    let receiver = Receiver::answering(|_, _| Reply::status(200));
    let from = unique::word();
    let modes = format!("/sandbox/controls/sms-gateway/{from}/modes");
    app.client()
        .post(&modes, json!({"signature": {"header": "X-Signature", "secret": "s", "encoding": "base64"}}))
        .expect(200);
    let client = app.client().with("x-api-key", "sandbox-key");
    let to = unique::phone();
    let sent = client.post(
        "/sandbox/sms-gateway/send",
        json!({"client_ref": "msg_1", "to": to, "from": from, "text": "Hi", "callback_url": receiver.url}),
    );
    let sent = sent.expect(200);
    assert_eq!((sent["state"].as_str(), sent["segments"].as_i64()), (Some("ENROUTE"), Some(1)));
    let reports = wait_for("the reports", SETTLED, || {
        let got = receiver.deliveries();
        (got.len() == 2).then_some(got)
    });
    let states: Vec<&str> = reports.iter().map(|report| report.event["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["ACCEPTD", "DELIVRD"]);
    assert_eq!(reports[0].event["client_ref"], "msg_1");
    assert_eq!(reports[0].event["provider_id"], sent["provider_id"]);
    assert!(!reports[0].header("x-signature").is_empty());
    let as_form =
        post_form(&client, "/sandbox/sms-gateway/send", &[("to", &to), ("from", &from), ("text", "Hi")]);
    assert_eq!(as_form.status, 200);
    assert_eq!(app.client().post("/sandbox/sms-gateway/send", json!({})).status, 401);
    let played = app.client().post(
        "/sandbox/sms-gateway/inbound",
        json!({"account": from, "from": to, "url": receiver.url, "text": "Yes"}),
    );
    assert_eq!(played.expect(200)["deliveries"][0]["status"], 200);
    let last = receiver.deliveries().pop().unwrap();
    assert_eq!((last.event["text"].as_str(), last.event["from"].as_str()), (Some("Yes"), Some(to.as_str())));
}

#[test]
fn an_account_that_shows_api_keys_only_signs_with_a_token_that_is_known() {
    let app = App::shared();
    let sid = format!("AC{:0>32}", unique::digits());
    let path = format!("/sandbox/twilio/2010-04-01/Accounts/{sid}/Messages.json");
    let key = basic(app, "SK00000000000000000000000000000001", "sandbox-secret-of-the-key");
    let signed_with = |token: &str| {
        let receiver = Receiver::answering(|_, _| Reply::status(204));
        let fields = [
            ("To", &*unique::phone()),
            ("From", "+12025550100"),
            ("Body", "Hi"),
            ("StatusCallback", &receiver.url),
        ];
        assert_eq!(post_form(&key, &path, &fields).status, 201);
        let got = receiver.wait_until("a callback", SETTLED, |_| true);
        assert_eq!(got.header("x-twilio-signature"), signature(token, &receiver.url, &got.body), "{token}");
    };
    signed_with(&format!("sandbox-{sid}"));
    // The token that the account shows, once it does.
    assert_eq!(basic(app, &sid, "sandbox-shown").get(&path).status, 200);
    signed_with("sandbox-shown");
    // The one that is set, which a call must then bring.
    let modes = format!("/sandbox/controls/twilio/{sid}/modes");
    app.client().post(&modes, json!({"authToken": "set-by-the-test"})).expect(200);
    signed_with("set-by-the-test");
    assert_eq!(basic(app, &sid, "sandbox-shown").get(&path).status, 401);
    assert_eq!(basic(app, &sid, "set-by-the-test").get(&path).status, 200);
}

#[test]
fn statuses_reach_an_inbox_that_sends_with_an_api_key() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let (number, sid) = (unique::phone(), format!("AC{:0>32}", unique::digits()));
    let request = json!({"sms": {
        "provider": "twilio", "from": [number], "accountSid": sid, "authToken": format!("sandbox-{sid}"),
        "apiKeySid": "SK00000000000000000000000000000001", "apiKeySecret": "sandbox-secret-of-the-key"}});
    let made = tenant.key.post("/v1/inboxes", request).expect(200);
    let request = json!({
        "inboxId": made["inboxes"][0]["id"], "content": {"type": "text", "text": {"body": "Hello"}},
        "recipient": {"type": "channel", "channel": "sms", "externalId": unique::phone()},
    });
    let sent = text(&tenant.key.post("/v1/messages", request).expect(202)["message"], "id");
    wait_for("the delivery", SETTLED, || {
        let message = tenant.key.get(&format!("/v1/messages/{sent}")).expect(200)["message"].clone();
        (message["deliveryStatus"] == "delivered").then_some(())
    });
}
