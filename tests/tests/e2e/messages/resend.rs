//! A failure that a callback tells of and that passes: the message goes out once more.

use serde_json::{Value, json};
use std::time::Duration;
use tests::client::text;
use tests::{App, Inbox, Tenant, unique, wait_for, whatsapp};

const SOON: Duration = Duration::from_secs(15);
/// The sandbox accepts messages to numbers that end so, and tells no state of them.
const SILENT: &str = "0001";

/// A message that the provider took over and tells no state of.
struct Silent {
    app: &'static App,
    /// Signs callbacks.
    secret: &'static str,
    tenant: Tenant,
    inbox: Inbox,
    id: String,
    /// The provider's id of the first send.
    first: String,
}

impl Silent {
    /// `None` where the app secret is not known.
    fn sent() -> Option<Self> {
        let app = App::shared();
        let secret = tests::app::known("FLOWNALLY_WHATSAPP_APP_SECRET", app.whatsapp_app_secret.as_ref())?;
        let tenant = Tenant::new(app);
        let inbox = tenant.inbox();
        let sent = tenant.send_template(&inbox, &unique::phone_ending(SILENT));
        let id = text(&sent["message"], "id");
        let mut message = Silent { app, secret, tenant, inbox, id, first: String::new() };
        message.first = message.provider_id(None);
        Some(message)
    }

    /// A signed status of the provider.
    fn status(&self, provider_id: &str, state: &str, code: Option<u32>) {
        let now = whatsapp::now().to_string();
        let mut status = json!({"id": provider_id, "status": state, "timestamp": now, "recipient_id": "1"});
        if let Some(code) = code {
            status["errors"] = json!([{"code": code, "title": "of the test"}]);
        }
        let body = whatsapp::envelope(&self.inbox.phone_number_id, json!({"statuses": [status]})).to_string();
        let signature = whatsapp::signature(self.secret, body.as_bytes());
        whatsapp::callback(self.app, body.as_bytes(), Some(&signature)).expect(200);
    }

    fn read(&self) -> Value {
        self.tenant.key.get(&format!("/v1/messages/{}", self.id)).expect(200)["message"].clone()
    }

    /// The provider's id, once it is another than `old`.
    fn provider_id(&self, old: Option<&str>) -> String {
        wait_for("the provider's id", SOON, || {
            let known = self.read()["channelMessageId"].as_str()?.to_string();
            (Some(known.as_str()) != old).then_some(known)
        })
    }

    fn wait_until(&self, state: &str) {
        wait_for(state, SOON, || (self.read()["deliveryStatus"] == state).then_some(()));
    }

    fn sends(&self) -> usize {
        whatsapp::sends(&self.app.client(), &self.inbox).len()
    }
}

#[test]
fn a_failure_that_passes_is_sent_again_once_for_each_time_it_is_told() {
    let Some(message) = Silent::sent() else { return };
    // Temporarily down, told three times.
    for _ in 0..3 {
        message.status(&message.first, "failed", Some(131_016));
    }
    let second = message.provider_id(Some(&message.first));
    assert_eq!(message.read()["deliveryStatus"], "pending");
    // What comes late of the first send changes nothing.
    message.status(&message.first, "failed", Some(131_016));
    message.status(&message.first, "sent", None);
    message.status(&second, "delivered", None);
    message.wait_until("delivered");
    assert_eq!(message.read()["channelMessageId"], json!(second));
    assert_eq!(message.sends(), 2);
}

#[test]
fn a_failure_that_does_not_pass_is_final() {
    let Some(message) = Silent::sent() else { return };
    message.status(&message.first, "failed", Some(131_026));
    message.wait_until("failed");
    assert_eq!(message.sends(), 1);
}
