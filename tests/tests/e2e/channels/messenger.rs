//! Messenger: every callback fixture, and its effect.

use crate::channels::support::{
    Meta, conversation_of, messages, only_contact, secret_of, wait_for_messages, wait_until,
};
use serde_json::{Value, json};
use tests::callbacks::{self, fixture};
use tests::client::text;
use tests::{App, Tenant, unique};

/// A fixture about a Page, a person and messages of this test.
pub fn body(name: &str, replaced: &[(&str, &str)], suffix: &str) -> Vec<u8> {
    let mut body = String::from_utf8(fixture(name, &[])).unwrap();
    for (old, new) in replaced {
        body = body.replace(old, new);
    }
    for id in ["m_Fix", "aWdf"] {
        body = body.replace(id, &format!("{id}{suffix}"));
    }
    body.into_bytes()
}

struct World {
    meta: Meta,
    psid: String,
    suffix: String,
}

impl World {
    fn new() -> Option<Self> {
        Some(World { meta: Meta::new("messenger")?, psid: unique::digits(), suffix: unique::word() })
    }

    fn deliver(&self, name: &str) {
        let replaced = [("108800551234567", self.meta.account.as_str()), ("7301550100420001", &self.psid)];
        self.meta.deliver(&body(&format!("messenger/{name}"), &replaced, &self.suffix));
    }
}

#[test]
fn handshake_and_signature() {
    let app = App::shared();
    let (Some(secret), Some(previous)) =
        (secret_of(app, "messenger"), app.meta_app_secret_previous.as_deref())
    else {
        return;
    };
    let body = br#"{"object":"page","entry":[]}"#;
    let path = "/channels/messenger";
    for secret in [secret, previous] {
        assert_eq!(callbacks::meta(app, path, secret, body).status, 200);
    }
    for wrong in ["another secret", ""] {
        assert_eq!(callbacks::meta(app, path, wrong, body).status, 401, "{wrong}");
    }
    assert_eq!(callbacks::post(&app.client(), path, "application/json", body).status, 401, "not signed");
    // Instagram's own secret is none of Messenger's.
    if let Some(other) = secret_of(app, "instagram") {
        assert_eq!(callbacks::meta(app, path, other, body).status, 401);
    }
    let Some(token) = app.meta_verify_token.as_deref() else { return };
    for path in ["/channels/messenger", "/channels/instagram", "/channels/whatsapp"] {
        let shake = |token: &str| {
            app.client()
                .get(&format!("{path}?hub.mode=subscribe&hub.verify_token={token}&hub.challenge=4711"))
        };
        assert_eq!(shake(token).body, b"4711", "{path}");
        assert_eq!(shake("guess").status, 403, "{path}");
    }
}

#[test]
fn an_inbox_with_a_secret_of_its_own_speaks_for_itself_only() {
    let app = App::shared();
    let (tenant, other) = (Tenant::new(app), Tenant::new(app));
    let (page, theirs) = (unique::digits(), unique::digits());
    let own = "the-secret-of-an-app-of-the-customers";
    let connect = |tenant: &Tenant, page: &str, secret: &str| {
        let request =
            json!({"messenger": {"resourceIds": [page], "accessToken": "token", "appSecret": secret}});
        tenant.key.post("/v1/inboxes", request).expect(200);
    };
    connect(&tenant, &page, own);
    connect(&other, &theirs, "another-secret-of-another-app");
    let suffix = unique::word();
    let about = |page: &str| body("messenger/in-message", &[("108800551234567", page)], &suffix);
    assert_eq!(callbacks::meta(app, "/channels/messenger", own, &about(&page)).status, 200);
    wait_for_messages(&tenant.key, 1);
    assert_eq!(callbacks::meta(app, "/channels/messenger", own, &about(&theirs)).status, 401);
    let mut both: Value = serde_json::from_slice(&about(&page)).unwrap();
    let second: Value = serde_json::from_slice(&about(&theirs)).unwrap();
    both["entry"].as_array_mut().unwrap().push(second["entry"][0].clone());
    assert_eq!(callbacks::meta(app, "/channels/messenger", own, both.to_string().as_bytes()).status, 401);
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(other.key.get("/v1/contacts").expect(200)["contacts"], json!([]));
}

#[test]
fn a_conversation_is_told_from_both_sides() {
    let Some(world) = World::new() else { return };
    let key = &world.meta.tenant.key;
    // Written in the Page's own inbox: told twice, shown once.
    world.deliver("in-echo");
    let first = wait_for_messages(key, 1);
    world.deliver("in-echo");
    assert_eq!(first[0]["senderType"], "user");
    assert_eq!(first[0]["senderId"], world.meta.inbox);
    assert_eq!(first[0]["deliveryStatus"], "sent");
    let ours = text(&first[0], "id");

    world.deliver("in-message");
    let all = wait_for_messages(key, 3);
    let words = all
        .iter()
        .find(|message| message["content"]["type"] == "text" && message["senderType"] == "customer");
    let words = words.unwrap_or_else(|| panic!("{all:?}"));
    assert_eq!(words["content"]["text"]["body"], "Do you deliver on Sunday?");
    assert_eq!(words["replyToMessageId"], ours.as_str());
    let picture = all.iter().find(|message| message["content"]["type"] == "media").unwrap();
    assert_eq!(picture["content"]["media"]["mediaType"], "image");
    assert!(text(&picture["content"]["media"], "mediaId").starts_with("mda_"), "{picture}");

    world.deliver("in-delivery-read");
    wait_until(key, &ours, "the reading", |message| message["deliveryStatus"] == "read");
    world.deliver("in-reaction");
    wait_until(key, &ours, "the reaction", |message| message["reactions"][0]["emoji"] == "❤️");

    world.deliver("in-postback");
    let all = wait_for_messages(key, 4);
    let tap = all.iter().find(|message| message["content"]["type"] == "reply").unwrap();
    assert_eq!(tap["content"]["reply"], json!({"id": "start", "title": "Get started"}));
    assert_eq!(tap["metadata"]["referral.ref"], "poster-7");
    let contact = only_contact(key);
    assert_eq!(contact["identities"][0]["metadata"]["externalId"], world.psid);
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(messages(key, &conversation_of(&contact)).len(), 4);
}
