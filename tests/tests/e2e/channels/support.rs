//! What the tests of all channels share: delivering, and reading through `/v1` what became of it.

use serde_json::{Value, json};
use std::time::Duration;
use tests::client::text;
use tests::{Answer, App, Client, Tenant, callbacks, unique, wait_for};

pub const SOON: Duration = Duration::from_secs(10);

/// The secrets that Meta's callbacks are signed with.
pub fn secret_of<'a>(app: &'a App, channel: &str) -> Option<&'a str> {
    let (variable, secret) = match channel {
        "whatsapp" => ("FLOWNALLY_WHATSAPP_APP_SECRET", &app.whatsapp_app_secret),
        "instagram" => ("FLOWNALLY_INSTAGRAM_APP_SECRET", &app.instagram_app_secret),
        _ => ("FLOWNALLY_META_APP_SECRET", &app.meta_app_secret),
    };
    tests::app::known(variable, secret.as_ref())
}

/// A tenant with an inbox of a channel of Meta.
pub struct Meta {
    pub app: &'static App,
    pub tenant: Tenant,
    pub channel: &'static str,
    secret: &'static str,
    /// `ibx_…`
    pub inbox: String,
    /// Phone number id, Page id or account id.
    pub account: String,
}

impl Meta {
    /// `None`, said on stderr, where the channel's secret is not known.
    pub fn new(channel: &'static str) -> Option<Self> {
        let app = App::shared();
        let secret = secret_of(app, channel)?;
        let tenant = Tenant::new(app);
        let account = unique::digits();
        let request = match channel {
            "whatsapp" => {
                json!({"whatsapp": {"resourceIds": ["290011223344556"], "phoneNumberIds": [account]}})
            }
            channel => json!({channel: {"resourceIds": [account], "accessToken": "token-of-the-tests"}}),
        };
        let made = tenant.key.post("/v1/inboxes", request).expect(200);
        let inbox = text(&made["inboxes"][0], "id");
        Some(Meta { app, tenant, channel, secret, inbox, account })
    }

    /// Delivers a body with the right signature.
    #[track_caller]
    pub fn deliver(&self, body: &[u8]) {
        let answer = callbacks::meta(self.app, &format!("/channels/{}", self.channel), self.secret, body);
        assert_eq!(answer.status, 200, "{answer}");
    }

    #[track_caller]
    pub fn deliver_json(&self, body: &Value) {
        self.deliver(body.to_string().as_bytes());
    }
}

/// The one contact of a tenant, once there is one.
#[track_caller]
pub fn only_contact(key: &Client) -> Value {
    let contacts = wait_for("a contact", SOON, || {
        let found = key.get("/v1/contacts").expect(200)["contacts"].as_array().unwrap().clone();
        (!found.is_empty()).then_some(found)
    });
    assert_eq!(contacts.len(), 1, "{contacts:?}");
    contacts[0].clone()
}

/// The conversation of a contact's only address.
#[track_caller]
pub fn conversation_of(contact: &Value) -> String {
    let identities = contact["identities"].as_array().unwrap();
    assert_eq!(identities.len(), 1, "{contact}");
    text(&identities[0], "id").replace("idn_", "cnv_")
}

/// The messages of a conversation, oldest first; none before it begins.
pub fn messages(key: &Client, conversation: &str) -> Vec<Value> {
    let answer: Answer = key.get(&format!("/v1/conversations/{conversation}/messages"));
    if answer.status == 404 {
        return Vec::new();
    }
    let mut all = answer.expect(200)["messages"].as_array().unwrap().clone();
    all.reverse();
    all
}

/// The messages of the tenant's only contact, once there are so many.
#[track_caller]
pub fn wait_for_messages(key: &Client, count: usize) -> Vec<Value> {
    let conversation = conversation_of(&only_contact(key));
    wait_for(&format!("{count} messages"), SOON, || {
        Some(messages(key, &conversation)).filter(|all| all.len() >= count)
    })
}

/// A message by its id.
pub fn message(key: &Client, id: &str) -> Value {
    key.get(&format!("/v1/messages/{id}")).expect(200)["message"].clone()
}

/// Waits until a message is as asked.
#[track_caller]
pub fn wait_until(key: &Client, id: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, SOON, || Some(message(key, id)).filter(&wanted))
}
