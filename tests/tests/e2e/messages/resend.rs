//! A failure that a callback tells of and that passes: the message goes out once more.

use serde_json::{Value, json};
use std::time::Duration;
use tests::client::text;
use tests::{App, Inbox, Tenant, unique, wait_for, whatsapp};

const SOON: Duration = Duration::from_secs(15);
/// The sandbox accepts messages to numbers that end so, and tells no state of them.
const SILENT: &str = "0001";

/// A signed status of the provider.
fn status(app: &App, secret: &str, inbox: &Inbox, id: &str, state: &str, code: Option<u32>) {
    let mut status =
        json!({"id": id, "status": state, "timestamp": whatsapp::now().to_string(), "recipient_id": "1"});
    if let Some(code) = code {
        status["errors"] = json!([{"code": code, "title": "of the test"}]);
    }
    let body = whatsapp::envelope(&inbox.phone_number_id, json!({"statuses": [status]})).to_string();
    whatsapp::callback(app, body.as_bytes(), Some(&whatsapp::signature(secret, body.as_bytes()))).expect(200);
}

fn message(tenant: &Tenant, id: &str) -> Value {
    tenant.key.get(&format!("/v1/messages/{id}")).expect(200)["message"].clone()
}

/// The provider's id of a message, once it is another than `old`.
fn provider_id(tenant: &Tenant, id: &str, old: Option<&str>) -> String {
    wait_for("the provider's id", SOON, || {
        let known = message(tenant, id)["channelMessageId"].as_str()?.to_string();
        (Some(known.as_str()) != old).then_some(known)
    })
}

#[test]
fn a_failure_that_passes_is_sent_again_once_for_each_time_it_is_told() {
    let app = App::shared();
    let Some(secret) = tests::app::known("FLOWNALLY_WHATSAPP_APP_SECRET", app.whatsapp_app_secret.as_ref())
    else {
        return;
    };
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let to = unique::phone_ending(SILENT);
    let sent = tenant.send_template(&inbox, &to);
    let id = text(&sent["message"], "id");
    let first = provider_id(&tenant, &id, None);

    // Temporarily down, told three times.
    for _ in 0..3 {
        status(app, secret, &inbox, &first, "failed", Some(131_016));
    }
    let second = provider_id(&tenant, &id, Some(&first));
    assert_eq!(message(&tenant, &id)["deliveryStatus"], "pending");
    // What comes late of the first send changes nothing.
    status(app, secret, &inbox, &first, "failed", Some(131_016));
    status(app, secret, &inbox, &first, "sent", None);
    status(app, secret, &inbox, &second, "delivered", None);
    wait_for("the delivery of the second send", SOON, || {
        (message(&tenant, &id)["deliveryStatus"] == "delivered").then_some(())
    });
    assert_eq!(message(&tenant, &id)["channelMessageId"], json!(second));
    let sends = whatsapp::sends(&app.client(), &inbox);
    assert_eq!(sends.len(), 2, "{sends:?}");
}

#[test]
fn a_failure_that_does_not_pass_is_final() {
    let app = App::shared();
    let Some(secret) = tests::app::known("FLOWNALLY_WHATSAPP_APP_SECRET", app.whatsapp_app_secret.as_ref())
    else {
        return;
    };
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let to = unique::phone_ending(SILENT);
    let id = text(&tenant.send_template(&inbox, &to)["message"], "id");
    let first = provider_id(&tenant, &id, None);
    status(app, secret, &inbox, &first, "failed", Some(131_026));
    wait_for("the failure", SOON, || (message(&tenant, &id)["deliveryStatus"] == "failed").then_some(()));
    assert_eq!(whatsapp::sends(&app.client(), &inbox).len(), 1);
}
