//! A server of these tests' own whose WhatsApp is a provider that each test scripts for its own number.

use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tests::client::text;
use tests::provider::{Asked, Told};
use tests::{App, Inbox, Provider, Tenant, unique, wait_for, whatsapp};

/// The longest a provider may take is half a lease.
pub const LEASE: Duration = Duration::from_secs(6);
/// How long an unknown outcome is waited for.
pub const OUTCOME_WAIT: Duration = Duration::from_secs(3);
pub const SOON: Duration = Duration::from_secs(40);

type Script = Box<dyn FnMut(&Asked, usize) -> Told + Send>;

fn scripts() -> MutexGuard<'static, HashMap<String, (usize, Script)>> {
    static SCRIPTS: OnceLock<Mutex<HashMap<String, (usize, Script)>>> = OnceLock::new();
    SCRIPTS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}

fn provider() -> &'static Provider {
    static PROVIDER: OnceLock<Provider> = OnceLock::new();
    PROVIDER.get_or_init(|| {
        Provider::answering(|asked, _| {
            let number = asked.path.split('/').nth(2).unwrap_or_default().to_string();
            match scripts().get_mut(&number) {
                Some((count, script)) => {
                    let told = script(asked, *count);
                    *count += 1;
                    told
                }
                None => Told::text(404, "unknown number"),
            }
        })
    })
}

/// `None`, said on stderr, when the suite runs against a server elsewhere.
pub fn app() -> Option<&'static App> {
    static APP: OnceLock<Option<App>> = OnceLock::new();
    let lease = LEASE.as_millis().to_string();
    let outcome_wait = OUTCOME_WAIT.as_millis().to_string();
    APP.get_or_init(|| {
        App::own(&[
            ("whatsapp_base_url", &provider().url),
            ("job_lease_ms", &lease),
            ("outcome_wait_ms", &outcome_wait),
            ("alert_probe_ms", "1500"),
        ])
    })
    .as_ref()
}

/// A tenant's number, and what its provider was asked.
pub struct Line {
    pub app: &'static App,
    pub tenant: Tenant,
    pub inbox: Inbox,
}

impl Line {
    /// A number whose requests are answered as `script` says, by their count from 0.
    pub fn new(script: impl FnMut(&Asked, usize) -> Told + Send + 'static) -> Option<Self> {
        let app = app()?;
        let tenant = Tenant::new(app);
        let inbox = tenant.inbox();
        let line = Line { app, tenant, inbox };
        line.answers(script);
        Some(line)
    }

    /// From now on.
    pub fn answers(&self, script: impl FnMut(&Asked, usize) -> Told + Send + 'static) {
        scripts().insert(self.inbox.phone_number_id.clone(), (0, Box::new(script)));
    }

    /// What the provider was asked for this number, in the order of arrival.
    pub fn asked(&self) -> Vec<Asked> {
        let number = format!("/{}/", self.inbox.phone_number_id);
        provider().asked().into_iter().filter(|asked| asked.path.contains(&number)).collect()
    }

    /// Sends a template: the path of the message.
    pub fn send(&self, phone: &str) -> String {
        format!("/v1/messages/{}", text(&self.tenant.send_template(&self.inbox, phone)["message"], "id"))
    }

    pub fn message(&self, path: &str) -> Value {
        self.tenant.key.get(path).expect(200)["message"].clone()
    }

    #[track_caller]
    pub fn wait(&self, path: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        wait_for(what, SOON, || Some(self.message(path)).filter(|message| wanted(message)))
    }

    /// Waits until the provider has taken a message over.
    #[track_caller]
    pub fn wait_accepted(&self, path: &str) -> Value {
        self.wait(path, "the provider's id", |message| message.get("channelMessageId").is_some())
    }

    #[track_caller]
    pub fn wait_status(&self, path: &str, status: &str) -> Value {
        self.wait(path, status, |message| message["deliveryStatus"] == status)
    }

    /// Delivers a callback with these `messages` or `statuses`.
    pub fn callback(&self, members: Value) {
        let body = whatsapp::envelope(&self.inbox.phone_number_id, members).to_string();
        let secret = self.app.whatsapp_app_secret.as_deref().unwrap();
        let signature = whatsapp::signature(secret, body.as_bytes());
        assert_eq!(whatsapp::callback(self.app, body.as_bytes(), Some(&signature)).status, 200);
    }

    /// A customer writes, and their window is open.
    #[track_caller]
    pub fn customer_writes(&self, phone: &str) -> String {
        let id = format!("wamid.{}", unique::word());
        let from = phone.trim_start_matches('+');
        self.callback(json!({
            "contacts": [{"profile": {"name": "Anna"}, "wa_id": from}],
            "messages": [{"from": from, "id": id, "timestamp": whatsapp::now().to_string(), "type": "text",
                          "text": {"body": "Hello"}}],
        }));
        wait_for("the customer's message", SOON, || {
            let found = self.tenant.key.get("/v1/contacts").expect(200);
            let contacts = found["contacts"].as_array().unwrap().clone();
            contacts
                .iter()
                .any(|contact| contact["identities"][0]["metadata"]["phoneNumber"] == format!("+{from}"))
                .then_some(())
        });
        id
    }
}

/// The provider took the message over.
pub fn accepted() -> Told {
    let id = format!("wamid.{}", unique::word());
    Told::json(200, &json!({"messaging_product": "whatsapp", "messages": [{"id": id}]}))
}

/// The provider's error object with this code.
pub fn refused(status: u16, code: i64) -> Told {
    let error = json!({"message": format!("(#{code}) no"), "type": "OAuthException", "code": code});
    Told::json(status, &json!({"error": error}))
}

/// Our message id that a send request carries.
pub fn reference(asked: &Asked) -> String {
    text(&asked.json(), "biz_opaque_callback_data")
}
