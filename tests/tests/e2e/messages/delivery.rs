//! What becomes of an accepted message, by what the provider says. The last four digits of a number
//! decide what the sandbox does with it.

use serde_json::{Value, json};
use std::time::Duration;
use tests::client::text;
use tests::tenant::text_to;
use tests::{App, Inbox, Tenant, unique, wait_for, whatsapp};

/// Includes the retries of refused sends.
const SETTLED: Duration = Duration::from_secs(20);
/// A send without an answer is given up after 15 seconds.
const GIVEN_UP: Duration = Duration::from_secs(17);

struct Sent {
    tenant: Tenant,
    inbox: Inbox,
    path: String,
}

fn send_to(last_four: &str) -> Sent {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let sent = tenant.send_template(&inbox, &unique::phone_ending(last_four));
    let path = format!("/v1/messages/{}", text(&sent["message"], "id"));
    Sent { tenant, inbox, path }
}

impl Sent {
    fn message(&self) -> Value {
        self.tenant.key.get(&self.path).expect(200)["message"].clone()
    }

    fn wait(&self, status: &str) -> Value {
        wait_for(&format!("the status {status}"), SETTLED, || {
            Some(self.message()).filter(|message| message["deliveryStatus"] == status)
        })
    }

    fn provider_got(&self) -> usize {
        whatsapp::sends(&App::shared().client(), &self.inbox).len()
    }
}

#[test]
fn a_message_that_is_never_delivered_stays_sent() {
    let sent = send_to("0002");
    sent.wait("sent");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(sent.message()["deliveryStatus"], "sent");
}

#[test]
fn accepted_by_the_provider_is_not_pending_for_ever() {
    let sent = send_to("0001");
    wait_for("the provider's id", SETTLED, || sent.message().get("channelMessageId").cloned());
    assert_eq!(sent.provider_got(), 1);
}

#[test]
fn a_reading_implies_the_delivery() {
    let sent = send_to("0003");
    sent.wait("read");
}

#[test]
fn a_failure_says_why_in_public_words() {
    let sent = send_to("0026");
    let failed = sent.wait("failed");
    assert_public(&text(&failed, "failureReason"));
    assert_eq!(sent.provider_got(), 1, "never sent again");
}

#[test]
fn a_window_that_only_the_provider_knows_to_be_closed_fails_the_text() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let phone = unique::phone_ending("0047");
    whatsapp::customer_writes(&app.client(), &inbox, &phone, "Hello");
    let accepted = wait_for("the window to open", SETTLED, || {
        let answer = tenant.key.post("/v1/messages", text_to(&inbox, &phone, "Hi"));
        (answer.status == 202).then(|| answer.json())
    });
    let path = format!("/v1/messages/{}", text(&accepted["message"], "id"));
    let sent = Sent { tenant, inbox, path };
    assert_public(&text(&sent.wait("failed"), "failureReason"));
}

/// For the tenant's people: words, and none of the provider's codes.
fn assert_public(reason: &str) {
    assert!(reason.len() > 20 && !reason.contains("131"), "{reason}");
}

#[test]
fn a_refused_credential_marks_the_inbox_and_the_message_waits() {
    let sent = send_to("0190");
    let status = wait_for("the mark", SETTLED, || {
        let inboxes = sent.tenant.key.get("/v1/inboxes").expect(200);
        Some(inboxes["inboxes"][0]["status"].clone()).filter(|status| status["state"] != "active")
    });
    assert_eq!(status, json!({"state": "degraded", "reasons": ["token_expired"]}));
    assert_eq!(sent.message()["deliveryStatus"], "pending");
}

#[test]
fn throttling_and_server_errors_are_tried_again() {
    for last_four in ["0500", "0056", "0429"] {
        let sent = send_to(last_four);
        wait_for("the message to be read", Duration::from_secs(60), || {
            (sent.message()["deliveryStatus"] == "read").then_some(())
        });
        assert_eq!(sent.provider_got(), 1, "accepted once: {last_four}");
    }
}

#[test]
fn statuses_in_any_order_end_in_read() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let modes = format!("/sandbox/controls/whatsapp/{}/modes", inbox.phone_number_id);
    let all = json!({"duplicate": true, "shuffle": true, "callbackBeforeResponse": true});
    app.client().post(&modes, all);
    let sent: Vec<String> =
        (0..5).map(|_| text(&tenant.send_template(&inbox, &unique::phone())["message"], "id")).collect();
    for id in sent {
        wait_for("the message to be read", SETTLED, || {
            let message = tenant.key.get(&format!("/v1/messages/{id}")).expect(200)["message"].clone();
            (message["deliveryStatus"] == "read").then_some(())
        });
    }
}

#[test]
fn a_lost_answer_is_learnt_from_the_status_and_nothing_is_sent_again() {
    // The sandbox accepts, and answers when nobody waits for it any more.
    let sent = send_to("0999");
    let read = sent.wait("read");
    assert!(read.get("channelMessageId").is_some());
    std::thread::sleep(GIVEN_UP);
    assert_eq!(sent.provider_got(), 1);
    assert_eq!(sent.message()["deliveryStatus"], "read");
}
