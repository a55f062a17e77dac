//! Instagram: every callback fixture, and its effect.

use crate::channels::messenger::body;
use crate::channels::support::{Meta, secret_of, wait_for_messages, wait_until};
use serde_json::json;
use tests::callbacks;
use tests::client::text;
use tests::{App, unique};

#[test]
fn either_of_two_secrets_signs() {
    let app = App::shared();
    let (Some(own), Some(shared)) = (secret_of(app, "instagram"), secret_of(app, "messenger")) else {
        return;
    };
    let body = br#"{"object":"instagram","entry":[]}"#;
    for secret in [own, shared] {
        assert_eq!(callbacks::meta(app, "/channels/instagram", secret, body).status, 200);
    }
    assert_eq!(callbacks::meta(app, "/channels/instagram", "another secret", body).status, 401);
    assert_eq!(callbacks::post(&app.client(), "/channels/instagram", "application/json", body).status, 401);
}

#[test]
fn a_conversation_is_told_from_both_sides_and_taken_back() {
    let Some(meta) = Meta::new("instagram") else { return };
    let key = &meta.tenant.key;
    let (igsid, suffix) = (unique::digits(), unique::word());
    let deliver = |name: &str| {
        let replaced = [("17841400550012345", meta.account.as_str()), ("9005512345678001", &igsid)];
        meta.deliver(&body(&format!("instagram/{name}"), &replaced, &suffix));
    };
    // What is seen, reacted to and taken back comes before the messages themselves.
    deliver("in-seen-reaction-delete");
    std::thread::sleep(std::time::Duration::from_millis(300));
    deliver("in-story-reply");
    deliver("in-story-reply");
    deliver("in-echo");
    deliver("in-echo");
    let all = wait_for_messages(key, 2);
    let ours =
        all.iter().find(|message| message["senderType"] == "user").unwrap_or_else(|| panic!("{all:?}"));
    assert_eq!(ours["content"]["text"]["body"], "Yes, the green one is back tomorrow.");
    let ours = text(ours, "id");
    let done = wait_until(key, &ours, "the reading", |message| message["deliveryStatus"] == "read");
    assert!(done.get("failureReason").is_none());
    wait_until(key, &ours, "the reaction", |message| message["reactions"][0]["emoji"] == "❤️");
    let theirs = all.iter().find(|message| message["senderType"] == "customer").unwrap();
    let gone =
        wait_until(key, &text(theirs, "id"), "the deletion", |message| message["deletedAt"].is_string());
    assert_eq!(gone["content"], json!({"type": "deleted"}));
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(wait_for_messages(key, 2).len(), 2);
}
