//! Answers that tell nothing, by the sandbox's faults and at every provider: nobody knows what became of the message,
//! so it is never sent again by itself (channels section 8.3).

use serde_json::{Value, json};
use std::sync::OnceLock;
use std::time::Duration;
use tests::client::text;
use tests::{App, Tenant, unique, wait_for};

/// A provider may take half of it; the sandbox is later than that where it is late.
const LEASE: Duration = Duration::from_secs(6);
const OUTCOME_WAIT: Duration = Duration::from_secs(3);
const LATE_MS: u64 = 8000;
const SOON: Duration = Duration::from_secs(40);
const PROVIDERS: [&str; 5] = ["whatsapp", "messenger", "instagram", "twilio", "sms-gateway"];

/// `None`, said on stderr, when the suite runs against a server elsewhere.
fn app() -> Option<&'static App> {
    static APP: OnceLock<Option<App>> = OnceLock::new();
    let (lease, wait) = (LEASE.as_millis().to_string(), OUTCOME_WAIT.as_millis().to_string());
    APP.get_or_init(|| App::own(&[("job_lease_ms", &lease), ("outcome_wait_ms", &wait)])).as_ref()
}

/// An inbox at one of the sandbox's providers, and a message from it.
struct Sent {
    app: &'static App,
    tenant: Tenant,
    provider: &'static str,
    /// As the sandbox names it.
    account: String,
    /// The path of the message.
    path: String,
}

impl Sent {
    /// Sends one message, whose call goes wrong in this way.
    fn new(app: &'static App, provider: &'static str, fault: &Value) -> Self {
        let tenant = Tenant::new(app);
        let (account, phone) = (account(provider), unique::phone());
        let made = tenant.key.post("/v1/inboxes", inbox(provider, &account)).expect(200);
        let (channel, to) = match provider {
            "messenger" | "instagram" => (provider, unique::digits()),
            "whatsapp" => (provider, phone),
            _ => ("sms", phone),
        };
        if channel == provider && channel != "whatsapp" {
            let request = json!({"account": account, "from": to, "text": "Hello"});
            app.client().post(&format!("/sandbox/{provider}/inbound"), request).expect(200);
            wait_for("the customer", SOON, || {
                let contacts = tenant.key.get("/v1/contacts").expect(200);
                (contacts["contacts"] != json!([])).then_some(())
            });
        }
        let faults = format!("/sandbox/controls/{provider}/faults");
        app.client().post(&faults, json!({"account": account, "fault": fault})).expect(200);
        let content = match provider {
            "whatsapp" => json!({"type": "template", "template": {"name": "order_ready", "language": "en"}}),
            _ => json!({"type": "text", "text": {"body": "Hello"}}),
        };
        let request = json!({
            "inboxId": made["inboxes"][0]["id"], "content": content,
            "recipient": {"type": "channel", "channel": channel, "externalId": to},
        });
        let path = format!(
            "/v1/messages/{}",
            text(&tenant.key.post("/v1/messages", request).expect(202)["message"], "id")
        );
        Sent { app, tenant, provider, account, path }
    }

    fn message(&self) -> Value {
        self.tenant.key.get(&self.path).expect(200)["message"].clone()
    }

    #[track_caller]
    fn wait_status(&self, wanted: &[&str]) -> Value {
        wait_for(&format!("{wanted:?} at {}", self.provider), SOON, || {
            Some(self.message())
                .filter(|message| wanted.contains(&message["deliveryStatus"].as_str().unwrap()))
        })
    }

    /// How often the provider was asked to send, and how often it did.
    fn asked_and_sent(&self) -> (usize, usize) {
        let controls = format!("/sandbox/controls/{}", self.provider);
        let of = |path: String, list: &str| {
            self.app.client().get(&path).expect(200)[list].as_array().unwrap().clone()
        };
        let calls = of(format!("{controls}/calls?account={}", encoded(&self.account)), "calls");
        let asked = calls.iter().filter(|call| call["method"] == "POST").count();
        (asked, of(format!("{controls}/{}/sends", encoded(&self.account)), "sends").len())
    }
}

fn encoded(account: &str) -> String {
    account.replace('+', "%2B")
}

/// An account that nobody else has.
fn account(provider: &str) -> String {
    match provider {
        "twilio" => unique::phone(),
        "sms-gateway" => format!("T{}", &unique::digits()[5..]),
        _ => unique::digits(),
    }
}

/// The request that connects it.
fn inbox(provider: &str, account: &str) -> Value {
    let social = json!({"resourceIds": [account], "accessToken": "sandbox-token"});
    match provider {
        "whatsapp" => json!({"whatsapp": {"resourceIds": ["290011223344556"], "phoneNumberIds": [account]}}),
        "messenger" => json!({"messenger": social}),
        "instagram" => {
            let mut social = social;
            social["login"] = json!("instagram");
            json!({"instagram": social})
        }
        "twilio" => json!({"sms": {"provider": "twilio", "from": [account], "authToken": "sandbox-token",
                                   "accountSid": format!("AC{:0>32}", unique::digits())}}),
        _ => json!({"sms": {"provider": "gateway", "from": [account], "gateway": {
            "url": "http://sandbox.spin.internal/sandbox/sms-gateway/send",
            "auth": {"type": "bearer", "token": "sandbox-key"}}}}),
    }
}

/// One message at each provider, all under way at the same time.
fn at_every_provider(fault: &Value) -> Option<Vec<Sent>> {
    let app = app()?;
    Some(std::thread::scope(|scope| {
        let sending: Vec<_> =
            PROVIDERS.iter().map(|provider| scope.spawn(move || Sent::new(app, provider, fault))).collect();
        sending.into_iter().map(|one| one.join().unwrap()).collect()
    }))
}

/// It may have been sent: said so, and the provider is asked no second time.
fn ends_unknown(fault: &Value) {
    let Some(all) = at_every_provider(fault) else { return };
    for sent in &all {
        let failed = sent.wait_status(&["failed"]);
        let reason = text(&failed, "failureReason");
        assert!(reason.starts_with("It may have been sent"), "{}: {failed}", sent.provider);
    }
    std::thread::sleep(LEASE);
    for sent in &all {
        assert_eq!(sent.asked_and_sent(), (1, 0), "{} {fault}", sent.provider);
        let state = &sent.tenant.key.get("/v1/inboxes").expect(200)["inboxes"][0]["status"]["state"];
        assert_eq!(state, "active", "{}: the account is not to blame", sent.provider);
    }
}

#[test]
fn an_endless_answer_is_none() {
    ends_unknown(&json!({"kind": "endless"}));
}

#[test]
fn an_empty_answer_is_none() {
    ends_unknown(&json!({"kind": "empty"}));
}

#[test]
fn garbage_is_no_answer() {
    ends_unknown(&json!({"kind": "garbage"}));
}

#[test]
fn a_refusal_that_comes_too_late_is_not_heard() {
    ends_unknown(&json!({"kind": "lateRefusal", "delayMs": LATE_MS}));
}

#[test]
fn an_answer_that_comes_too_late_is_learnt_from_what_is_called_back() {
    let Some(all) = at_every_provider(&json!({"kind": "slow", "delayMs": LATE_MS})) else { return };
    // Instagram's echoes carry nothing of ours: there it stays unknown.
    let (silent, telling): (Vec<&Sent>, _) = all.iter().partition(|sent| sent.provider == "instagram");
    for sent in &telling {
        let learnt = sent.wait_status(&["sent", "delivered", "read"]);
        assert!(learnt["channelMessageId"].is_string(), "{}: {learnt}", sent.provider);
    }
    for sent in &silent {
        let failed = sent.wait_status(&["failed"]);
        assert!(text(&failed, "failureReason").starts_with("It may have been sent"), "{failed}");
    }
    std::thread::sleep(LEASE + OUTCOME_WAIT);
    for sent in &all {
        assert_eq!(sent.asked_and_sent(), (1, 1), "{}", sent.provider);
    }
    for sent in &telling {
        assert_ne!(sent.message()["deliveryStatus"], "failed", "{}", sent.provider);
    }
}
