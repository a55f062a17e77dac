//! Sending through any other SMS gateway: the request as the inbox's settings ask for, the reports that come back,
//! and what each failure does. The gateway is the sandbox's, or a server of the test's own where its shape differs.

use crate::channels::support::{SOON, message, wait_until};
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tests::callbacks;
use tests::client::text;
use tests::provider::Told;
use tests::{App, Provider, Tenant, unique, wait_for};

/// The sandbox's gateway, as the scheduler reaches it.
const SANDBOX: &str = "http://sandbox.spin.internal/sandbox/sms-gateway/send";
/// Long enough for refusals that are tried again.
const SETTLED: Duration = Duration::from_secs(60);

/// A tenant with an inbox at a gateway.
struct Line {
    app: &'static App,
    tenant: Tenant,
    /// `ibx_…`
    inbox: String,
    /// The sender's name: the account in the sandbox.
    from: String,
    /// Where its callbacks go, below the public URL.
    callbacks: String,
}

impl Line {
    /// An inbox at the sandbox, with these settings beside its URL and a good credential.
    fn new(settings: Value) -> Self {
        let mut all = json!({"url": SANDBOX, "auth": {"type": "bearer", "token": "sandbox-key"}});
        for (name, value) in settings.as_object().unwrap() {
            all[name] = value.clone();
        }
        let app = App::shared();
        let tenant = Tenant::new(app);
        let from = format!("T{}", &unique::digits()[5..]);
        let request = json!({"sms": {"provider": "gateway", "from": [from], "gateway": all}});
        let made = tenant.key.post("/v1/inboxes", request).expect(200);
        let inbox = text(&made["inboxes"][0], "id");
        let shown = tenant.key.get(&format!("/v1/inboxes/{inbox}")).expect(200);
        let callbacks = text(&shown, "callbackUrl");
        let callbacks = callbacks.strip_prefix(&app.public_url).unwrap().to_string();
        Line { app, tenant, inbox, from, callbacks }
    }

    /// Sends a text: the message's id.
    fn send(&self, to: &str) -> String {
        let request = json!({
            "inboxId": self.inbox,
            "recipient": {"type": "channel", "channel": "sms", "externalId": to},
            "content": {"type": "text", "text": {"body": "Zażółć & go"}},
        });
        text(&self.tenant.key.post("/v1/messages", request).expect(202)["message"], "id")
    }

    #[track_caller]
    fn wait_status(&self, id: &str, status: &str) -> Value {
        wait_for(status, SETTLED, || {
            Some(message(&self.tenant.key, id)).filter(|message| message["deliveryStatus"] == status)
        })
    }

    /// Waits until the gateway has taken a message over: its id there.
    #[track_caller]
    fn wait_accepted(&self, id: &str) -> String {
        let taken =
            wait_until(&self.tenant.key, id, "the id", |message| message["channelMessageId"].is_string());
        text(&taken, "channelMessageId")
    }

    /// What the sandbox accepted, oldest first.
    fn sends(&self) -> Vec<Value> {
        let path = format!("/sandbox/controls/sms-gateway/{}/sends", self.from);
        let mut sends = self.app.client().get(&path).expect(200)["sends"].as_array().unwrap().clone();
        sends.reverse();
        sends
    }

    /// How often the sandbox accepted one message.
    fn accepted(&self, id: &str) -> usize {
        self.sends().iter().filter(|send| send["reference"] == id).count()
    }

    fn report_url(&self) -> String {
        format!("{}{}/report", self.app.public_url, self.callbacks)
    }

    fn modes(&self, modes: Value) {
        let path = format!("/sandbox/controls/sms-gateway/{}/modes", self.from);
        self.app.client().post(&path, modes).expect(200);
    }

    /// The gateway reports a state of a message: the status that the report was answered with.
    fn report(&self, provider_id: &str, state: &str, code: Option<u32>) -> Value {
        let status = json!({"messageId": provider_id, "state": state, "code": code});
        let request =
            json!({"account": self.from, "from": "+48601231234", "url": self.report_url(), "status": status});
        let played = self.app.client().post("/sandbox/sms-gateway/inbound", request).expect(200);
        played["deliveries"][0]["status"].clone()
    }

    fn inbox_status(&self) -> Value {
        self.tenant.key.get("/v1/inboxes").expect(200)["inboxes"][0]["status"].clone()
    }
}

#[test]
fn a_text_goes_out_in_the_canonical_shape_and_its_reports_come_back() {
    let line = Line::new(json!({}));
    let to = unique::phone();
    let id = line.send(&to);
    let delivered = line.wait_status(&id, "delivered");
    let sends = line.sends();
    assert_eq!(sends.len(), 1, "{sends:?}");
    let fields = json!({
        "client_ref": id, "to": to, "from": line.from, "text": "Zażółć & go", "encoding": "auto", "validity_s": "600",
        "callback_url": line.report_url(),
    });
    assert_eq!(sends[0]["body"], fields);
    assert_eq!(delivered["channelMessageId"], sends[0]["id"]);
}

#[test]
fn bodies_and_credentials_are_as_configured() {
    // What is set, where the fields are to be found, and what they are.
    let cases = [
        (
            json!({"encoding": "form", "numbers": "digits", "validitySeconds": 60,
                   "auth": {"type": "basic", "user": "anna", "password": "sandbox-key"},
                   "constants": {"product": "alerts"}, "fields": {"encoding": "", "clientRef": "client_ref"}}),
            "application/x-www-form-urlencoded",
            true,
        ),
        (
            json!({"encoding": "query", "auth": {"type": "query", "name": "api_key", "value": "sandbox-key"}}),
            "",
            false,
        ),
        (
            json!({"auth": {"type": "header", "name": "X-Api-Key", "value": "sandbox-key"},
                   "constants": {"priority": 2}, "fields": {"validitySeconds": ""}}),
            "application/json",
            true,
        ),
    ];
    for (mut settings, kind, in_body) in cases {
        let mark = unique::word();
        settings["url"] = json!(format!("{SANDBOX}?mark={mark}"));
        let line = Line::new(settings.clone());
        let to = unique::phone();
        let id = line.send(&to);
        line.wait_status(&id, "delivered");
        let path = format!("/sandbox/controls/sms-gateway/calls?path={mark}");
        let calls = line.app.client().get(&path).expect(200)["calls"].as_array().unwrap().clone();
        assert_eq!(calls.len(), 1, "{settings}");
        let (url, body) = (text(&calls[0], "path"), text(&calls[0], "body"));
        let given = |raw: &str| -> serde_json::Map<String, Value> {
            form_urlencoded::parse(raw.as_bytes())
                .map(|(name, value)| (name.into_owned(), json!(value)))
                .collect()
        };
        let mut fields = match (in_body, kind) {
            (false, _) => given(url.split_once('?').unwrap().1),
            (true, "application/json") => serde_json::from_str(&body).unwrap(),
            (true, _) => given(&body),
        };
        assert_eq!(body.is_empty(), !in_body, "{body}");
        fields.remove("mark");
        let mut expected = json!({"client_ref": id, "from": line.from, "text": "Zażółć & go",
                                  "callback_url": line.report_url()});
        let more = match kind {
            "application/json" => json!({"to": to, "encoding": "auto", "priority": 2}),
            "" => json!({"to": to, "encoding": "auto", "validity_s": "600", "api_key": "-"}),
            _ => json!({"to": to.trim_start_matches('+'), "validity_s": "60", "product": "alerts"}),
        };
        for (name, value) in more.as_object().unwrap() {
            expected[name] = value.clone();
        }
        assert_eq!(Value::Object(fields), expected, "{settings}");
        assert_eq!(calls[0]["headers"]["content-type"].as_str().unwrap_or_default(), kind);
    }
}

/// Settings of a gateway whose requests, answers and reports are all unlike the canonical shape.
fn another_shape(url: &str) -> Value {
    json!({
        "url": format!("{url}/sms/{{from}}/send"), "method": "PUT", "numbers": "digits",
        "auth": {"type": "header", "name": "Authorization", "value": "App key-1"},
        "fields": {"to": "/messages/0/destinations/0/to", "text": "/messages/0/text", "from": "/messages/0/from",
                   "clientRef": "/messages/0/ref", "encoding": "", "validitySeconds": "/messages/0/validity",
                   "callbackUrl": "/messages/0/notify"},
        "constants": {"/tracking/type": "none"},
        "answer": {"success": [200, 200], "successPath": "messages.0.ok", "successValues": [true],
                   "id": "/messages/0/id", "state": "messages.0.status", "errorCode": "messages.0.code"},
        "errors": {"E7": "throttled", "E9": "never"},
        "states": {"SEEN_BY_HANDSET": "delivered", "BURNT": "failed"},
        "report": {"list": "results", "providerId": "id", "clientRef": "ref", "state": "status.name",
                   "error": "status.code", "doneAt": "at"},
        "callbackAuth": {"type": "hmac", "name": "X-Sig", "secret": "report-secret", "algorithm": "sha256",
                         "format": "hex", "prefix": "v1="},
    })
}

#[test]
fn a_gateway_of_another_shape_is_spoken_to_in_its_own_words() {
    let provider = Provider::answering(|_, number| {
        // It is busy, in its own way of saying so, then takes the message, then refuses the next one.
        let answer = match number {
            0 => json!({"messages": [{"ok": false, "code": "E7"}]}),
            1 => json!({"messages": [{"ok": true, "id": "own-1", "status": "QUEUED"}]}),
            _ => json!({"messages": [{"ok": false, "code": "E9"}]}),
        };
        Told::json(200, &answer).with("retry-after", "1")
    });
    let line = Line::new(another_shape(&provider.url));
    let to = unique::phone();
    let id = line.send(&to);
    assert_eq!(line.wait_accepted(&id), "own-1");
    let asked = provider.asked();
    assert_eq!(asked.len(), 2, "busy, then taken");
    let body = json!({
        "messages": [{"destinations": [{"to": to.trim_start_matches('+')}], "text": "Zażółć & go", "from": line.from,
                      "ref": id, "validity": 600, "notify": line.report_url()}],
        "tracking": {"type": "none"},
    });
    for asked in &asked {
        assert_eq!(
            (&asked.method, asked.path.as_str()),
            (&Method::PUT, &*format!("/sms/{}/send", line.from))
        );
        assert_eq!(asked.header("authorization"), "App key-1");
        assert_eq!(asked.json(), body);
    }
    assert_eq!(message(&line.tenant.key, &id)["deliveryStatus"], "pending", "QUEUED says nothing");

    // A report must be signed.
    let report =
        json!({"results": [{"id": "own-1", "status": {"name": "SEEN_BY_HANDSET"}, "at": 1_790_000_000}]});
    let report = report.to_string();
    let post = |signature: &str| {
        let client = line.app.client().with("x-sig", signature);
        let path = format!("{}/report", line.callbacks);
        callbacks::post(&client, &path, "application/json", report.as_bytes()).status
    };
    let hex = tests::whatsapp::signature("report-secret", report.as_bytes()).replace("sha256=", "");
    assert_eq!(post(""), 401);
    assert_eq!(post(&hex), 401, "without what stands before it");
    assert_eq!(post(&format!("v1={}", hex.replace(|c: char| c.is_ascii_digit(), "0"))), 401);
    assert_eq!(message(&line.tenant.key, &id)["deliveryStatus"], "pending");
    assert_eq!(post(&format!("v1={hex}")), 200);
    line.wait_status(&id, "delivered");

    let refused = line.send(&unique::phone());
    let failed = line.wait_status(&refused, "failed");
    assert!(!text(&failed, "failureReason").contains("E9"), "public words: {failed}");
    assert_eq!(provider.asked().len(), 3, "tried once");
}

#[test]
fn reports_are_checked_by_the_gateways_signature() {
    let hmac = json!({"type": "hmac", "name": "X-Signature", "secret": "s1", "format": "base64"});
    let line = Line::new(json!({"callbackAuth": hmac}));
    let sign = |secret: &str| {
        line.modes(json!({"signature": {"header": "X-Signature", "secret": secret, "encoding": "base64"}}));
    };
    sign("another");
    let id = line.send(&unique::phone());
    line.wait_accepted(&id);
    let attempts = format!("/sandbox/controls/sms-gateway/{}/attempts", line.from);
    let refused = wait_for("both reports", SOON, || {
        let got = line.app.client().get(&attempts).expect(200)["attempts"].as_array().unwrap().clone();
        (got.len() == 2).then_some(got)
    });
    assert!(refused.iter().all(|attempt| attempt["status"] == 401), "{refused:?}");
    assert_eq!(message(&line.tenant.key, &id)["deliveryStatus"], "pending");
    sign("s1");
    let id = line.send(&unique::phone());
    line.wait_status(&id, "delivered");
}

#[test]
fn each_end_of_a_send_is_told() {
    let line = Line::new(json!({}));
    let to = |last_four: &str| line.send(&unique::phone_ending(last_four));
    let [silent, sent, undelivered, opted_out, late] = ["0001", "0002", "0026", "0610", "0999"].map(to);
    line.wait_status(&sent, "sent");
    for id in [&undelivered, &opted_out] {
        let failed = line.wait_status(id, "failed");
        let reason = text(&failed, "failureReason");
        assert!(reason.contains("gateway") && !reason.contains("opted_out"), "public words: {failed}");
    }
    // Its answer is lost; the reports name our own id.
    let learnt = line.wait_status(&late, "delivered");
    assert!(learnt["channelMessageId"].is_string(), "{learnt}");
    line.wait_accepted(&silent);
    assert_eq!(message(&line.tenant.key, &silent)["deliveryStatus"], "pending");
    for id in [&silent, &sent, &undelivered, &late] {
        assert_eq!(line.accepted(id), 1);
    }
    assert_eq!(line.accepted(&opted_out), 0);
    assert_eq!(line.inbox_status()["state"], "active", "failures of messages, not of the account");
}

#[test]
fn refusals_that_pass_are_tried_again() {
    for (last_four, calls) in [("0429", 4), ("0500", 3)] {
        let mark = unique::word();
        let line = Line::new(json!({"url": format!("{SANDBOX}?mark={mark}")}));
        let id = line.send(&unique::phone_ending(last_four));
        line.wait_status(&id, "delivered");
        let path = format!("/sandbox/controls/sms-gateway/calls?path={mark}");
        let all = line.app.client().get(&path).expect(200)["calls"].as_array().unwrap().clone();
        assert_eq!((all.len(), line.accepted(&id)), (calls, 1), "{last_four}");
    }
}

#[test]
fn a_refused_account_waits_and_says_why() {
    let line = Line::new(json!({}));
    let id = line.send(&unique::phone_ending("0190"));
    let status =
        wait_for("the mark", SOON, || Some(line.inbox_status()).filter(|it| it["state"] != "active"));
    assert_eq!(status, json!({"state": "degraded", "reasons": ["token_expired"]}));
    assert_eq!(message(&line.tenant.key, &id)["deliveryStatus"], "pending");

    // A code that the settings call the account's fault.
    let line = Line::new(json!({"errors": {"opted_out": "alert"}}));
    let id = line.send(&unique::phone_ending("0610"));
    let status =
        wait_for("the mark", SOON, || Some(line.inbox_status()).filter(|it| it["state"] != "active"));
    assert_eq!(status["reasons"], json!(["account_restricted"]));
    assert_eq!(message(&line.tenant.key, &id)["deliveryStatus"], "pending");
}

#[test]
fn a_message_that_expired_at_the_gateway_goes_out_again() {
    let line = Line::new(json!({"errors": {"077": "retry"}}));
    for (state, code) in [("EXPIRED", None), ("UNDELIV", Some(77))] {
        let id = line.send(&unique::phone_ending("0001"));
        let first = line.wait_accepted(&id);
        assert_eq!(line.report(&first, state, code), 200);
        wait_until(&line.tenant.key, &id, "the second send", |message| {
            message["channelMessageId"].as_str().is_some_and(|now| now != first)
        });
        assert_eq!(line.accepted(&id), 2, "{state}");
        let second = line.wait_accepted(&id);
        // Late words about the first send change nothing.
        assert_eq!(line.report(&first, "UNDELIV", None), 200);
        assert_eq!(line.report(&second, "DELIVRD", None), 200);
        line.wait_status(&id, "delivered");
        assert_eq!(line.accepted(&id), 2, "{state}");
    }
}
