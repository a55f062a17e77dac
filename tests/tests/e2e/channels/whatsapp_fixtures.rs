//! Every callback fixture of WhatsApp, and its effect.

use crate::channels::support::{
    Meta, conversation_of, message, messages, only_contact, wait_for_messages, wait_until,
};
use serde_json::{Value, json};
use tests::callbacks::fixture;
use tests::client::text;
use tests::unique;

/// An inbox, a customer with a number and a user id, and a suffix that makes message ids unique.
struct World {
    meta: Meta,
    phone: String,
    user_id: String,
    suffix: String,
}

impl World {
    fn new() -> Option<Self> {
        let meta = Meta::new("whatsapp")?;
        let phone = unique::phone().trim_start_matches('+').to_string();
        Some(World { meta, phone, user_id: format!("US.{}", unique::digits()), suffix: unique::word() })
    }

    /// Delivers a fixture about this customer and this inbox.
    fn deliver(&self, name: &str) {
        self.meta.deliver(&self.body(name, &[]));
    }

    fn body(&self, name: &str, replaced: &[(&str, &str)]) -> Vec<u8> {
        let mut body = String::from_utf8(fixture(&format!("whatsapp/{name}"), replaced)).unwrap();
        let wamid = format!("wamid.{}", self.suffix);
        for (old, new) in [
            ("310987654321001", self.meta.account.as_str()),
            ("12025550147", self.phone.as_str()),
            ("US.7K2Q9D4M1X8Z55", self.user_id.as_str()),
            ("US.9ZP4T7R2C6V188", self.user_id.as_str()),
            ("wamid.", wamid.as_str()),
        ] {
            body = body.replace(old, new);
        }
        body.into_bytes()
    }

    /// An id of a fixture as it is in this world.
    fn wamid(&self, id: &str) -> String {
        format!("wamid.{}{id}", self.suffix)
    }

    /// A message of ours that the provider has taken over.
    fn sent(&self) -> String {
        let request = json!({
            "inboxId": self.meta.inbox,
            "recipient": {"type": "channel", "channel": "whatsapp", "externalId": format!("+{}", self.phone)},
            "content": {"type": "template", "template": {"name": "order_ready", "language": "en"}},
        });
        let key = &self.meta.tenant.key;
        let sent = text(&key.post("/v1/messages", request).expect(202)["message"], "id");
        wait_until(key, &sent, "the provider's id", |message| message["channelMessageId"].is_string());
        sent
    }
}

#[test]
fn a_text_comes_in_as_it_was_written() {
    let Some(world) = World::new() else { return };
    world.deliver("in-text");
    let key = &world.meta.tenant.key;
    let all = wait_for_messages(key, 1);
    assert_eq!(
        all[0]["content"],
        json!({"type": "text", "text": {"body": "Hello, is the blue one in stock? café 🙂"}})
    );
    assert_eq!(all[0]["senderType"], "customer");
    assert_eq!(all[0]["channelMessageId"], world.wamid("RklYLUlOLVRFWFQtMQ=="));
    let contact = only_contact(key);
    assert_eq!(contact["name"], "Mira Okafor");
    assert_eq!(contact["identities"][0]["metadata"]["phoneNumber"], format!("+{}", world.phone));
    assert_eq!(all[0]["senderId"], contact["id"]);
}

#[test]
fn places_and_cards_come_in() {
    let Some(world) = World::new() else { return };
    world.deliver("in-location-contacts");
    let all = wait_for_messages(&world.meta.tenant.key, 2);
    let location = json!({"latitude": 51.5007, "longitude": -0.1246, "name": "North counter",
                          "address": "1 Invented Way, Testford"});
    assert_eq!(all[0]["content"], json!({"type": "location", "location": location}));
    assert_eq!(all[1]["content"]["type"], "contacts");
    assert_eq!(all[1]["content"]["contacts"][0]["name"]["formatted_name"], "Ilse Brandt");
}

#[test]
fn taps_come_in_as_replies_that_quote_our_message() {
    let Some(world) = World::new() else { return };
    let key = &world.meta.tenant.key;
    let sent = world.sent();
    let wamid = text(&message(key, &sent), "channelMessageId");
    let body = String::from_utf8(world.body("in-template-button", &[])).unwrap();
    world.meta.deliver(body.replace(&world.wamid("RklYLU9VVC0x"), &wamid).as_bytes());
    world.deliver("in-interactive-reply");
    let all = wait_for_messages(key, 4);
    let replies: Vec<&Value> = all.iter().filter(|message| message["senderType"] == "customer").collect();
    assert_eq!(replies.len(), 3, "{all:?}");
    let of = |id: &str| {
        replies
            .iter()
            .find(|reply| reply["content"]["reply"]["id"] == id)
            .unwrap_or_else(|| panic!("{id}: {all:?}"))
    };
    assert_eq!(of("parcel:981:ok")["content"]["reply"]["title"], "Thanks");
    assert_eq!(of("parcel:981:ok")["replyToMessageId"], sent.as_str());
    assert_eq!(of("slot:am")["content"]["reply"], json!({"id": "slot:am", "title": "Morning"}));
    assert_eq!(of("t:track")["content"]["reply"]["description"], "Needs the order number");
    // What they quote is not ours.
    assert!(of("slot:am").get("replyToMessageId").is_none());
}

#[test]
fn a_reaction_is_put_on_our_message_and_taken_off_again_in_any_order() {
    let Some(world) = World::new() else { return };
    let key = &world.meta.tenant.key;
    let sent = world.sent();
    let wamid = text(&message(key, &sent), "channelMessageId");
    let reaction = |second: i64, emoji: &str| {
        let message = json!({"from": world.phone, "id": unique::word(), "timestamp": (1_790_000_000 + second).to_string(),
                             "type": "reaction", "reaction": {"message_id": wamid, "emoji": emoji}});
        world
            .meta
            .deliver_json(&tests::whatsapp::envelope(&world.meta.account, json!({"messages": [message]})));
    };
    let emojis = |message: &Value| -> Vec<String> {
        let all = message["reactions"].as_array().cloned().unwrap_or_default();
        all.iter().map(|reaction| text(reaction, "emoji")).collect()
    };
    reaction(10, "👍");
    let one = wait_until(key, &sent, "the reaction", |message| emojis(message) == ["👍"]);
    assert_eq!(one["reactions"][0]["senderType"], "customer");
    reaction(20, "❤️");
    wait_until(key, &sent, "the other one", |message| emojis(message) == ["❤️"]);
    reaction(40, "");
    wait_until(key, &sent, "none", |message| emojis(message).is_empty());
    // Late and repeated ones change nothing.
    reaction(30, "😮");
    reaction(10, "👍");
    reaction(50, "🙏");
    wait_until(key, &sent, "the last one", |message| emojis(message) == ["🙏"]);

    // The fixture: put on and taken off in one body.
    let body = String::from_utf8(world.body("in-reaction", &[])).unwrap();
    world.meta.deliver(body.replace(&world.wamid("RklYLU9VVC0x"), &wamid).as_bytes());
    wait_until(key, &sent, "none", |message| emojis(message).is_empty());
    assert!(messages(key, &conversation_of(&only_contact(key))).len() == 1, "a reaction is no message");
}

#[test]
fn a_reaction_waits_for_the_message_it_is_on() {
    let Some(world) = World::new() else { return };
    let key = &world.meta.tenant.key;
    let id = format!("wamid.{}", unique::word());
    let message = json!({"from": world.phone, "id": unique::word(), "timestamp": "1790000009", "type": "reaction",
                         "reaction": {"message_id": id, "emoji": "👍"}});
    world.meta.deliver_json(&tests::whatsapp::envelope(&world.meta.account, json!({"messages": [message]})));
    std::thread::sleep(std::time::Duration::from_millis(500));
    let inbound =
        tests::whatsapp::inbound_text(&world.meta.account, &world.phone, &id, 1_790_000_005, "Hello");
    world.meta.deliver_json(&inbound);
    let all = wait_for_messages(key, 1);
    wait_until(key, &text(&all[0], "id"), "the reaction", |message| message["reactions"][0]["emoji"] == "👍");
}

#[test]
fn an_edit_changes_a_message_and_a_deletion_empties_it() {
    let Some(world) = World::new() else { return };
    let key = &world.meta.tenant.key;
    // Both come before what they are about: they wait for it.
    world.deliver("in-edit-revoke");
    world.deliver("in-text");
    let all = wait_for_messages(key, 1);
    let id = text(&all[0], "id");
    let gone = wait_until(key, &id, "the deletion", |message| message["deletedAt"].is_string());
    assert_eq!(gone["content"], json!({"type": "deleted"}));
    let edited = gone["editedAt"].as_str();
    assert_eq!(edited, Some("2026-09-21T14:14:51.000Z"), "edited before it was taken back");
    let search = key.get(&format!("/v1/contacts?search={}", world.phone)).expect(200);
    assert_eq!(search["contacts"].as_array().unwrap().len(), 1);

    // An edit alone: the new words show, also in the conversation.
    let Some(other) = World::new() else { return };
    let key = &other.meta.tenant.key;
    other.deliver("in-text");
    let id = text(&wait_for_messages(key, 1)[0], "id");
    let body: Value = serde_json::from_slice(&other.body("in-edit-revoke", &[])).unwrap();
    let mut edit = body.clone();
    edit["entry"][0]["changes"][0]["value"]["messages"].as_array_mut().unwrap().truncate(1);
    other.meta.deliver_json(&edit);
    let edited = wait_until(key, &id, "the edit", |message| message["editedAt"].is_string());
    assert_eq!(edited["content"]["text"]["body"], "Hello, is the green one in stock?");
    let conversation = key.get(&format!("/v1/messages/{id}")).expect(200)["conversation"].clone();
    assert_eq!(conversation["lastMessagePreview"], "Hello, is the green one in stock?");
    // The older words, delivered again, do not come back.
    other.deliver("in-text");
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(message(key, &id)["content"]["text"]["body"], "Hello, is the green one in stock?");
}

#[test]
fn a_kind_without_a_form_is_shown_as_unsupported() {
    let Some(world) = World::new() else { return };
    world.deliver("in-unsupported");
    let all = wait_for_messages(&world.meta.tenant.key, 1);
    assert_eq!(all[0]["content"]["type"], "unsupported", "{all:?}");
}

#[test]
fn a_person_without_a_number_comes_in_with_where_they_came_from() {
    let Some(world) = World::new() else { return };
    world.deliver("in-username-referral");
    let key = &world.meta.tenant.key;
    let all = wait_for_messages(key, 1);
    assert_eq!(all[0]["content"]["text"]["body"], "I saw your ad");
    assert_eq!(all[0]["metadata"]["referral.source_id"], "120200000000055");
    assert_eq!(all[0]["metadata"]["referral.ctwa_clid"], "FixClickId55");
    let contact = only_contact(key);
    assert_eq!(contact["name"], "Jo Lind");
    let metadata = &contact["identities"][0]["metadata"];
    assert_eq!(metadata["externalId"], world.user_id);
    assert!(metadata["phoneNumber"].is_null(), "{contact}");
}

#[test]
fn a_templates_verdict_and_an_unknown_field_are_taken() {
    let Some(world) = World::new() else { return };
    world.deliver("in-template-status");
    world
        .meta
        .deliver_json(&json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [
        {"field": "from_the_future", "value": {"phone_number_id": world.meta.account}}]}]}));
    world.deliver("in-text");
    wait_for_messages(&world.meta.tenant.key, 1);
}

#[test]
fn statuses_of_the_fixtures_reach_our_messages() {
    let Some(world) = World::new() else { return };
    // A recipient whose messages get no status from the sandbox.
    let world = World { phone: unique::phone_ending("0001").trim_start_matches('+').to_string(), ..world };
    let key = &world.meta.tenant.key;
    for (fixture, ours, their, status) in [
        ("in-status-lifecycle", "msg_01HZX0000000000000000001", "RklYLU9VVC0x", "read"),
        ("in-status-sent-legacy", "", "RklYLU9VVC00", "sent"),
        ("in-status-failed", "msg_01HZX0000000000000000005", "RklYLU9VVC01", "failed"),
    ] {
        let sent = world.sent();
        let wamid = text(&message(key, &sent), "channelMessageId");
        let body = String::from_utf8(world.body(fixture, &[])).unwrap().replace(&world.wamid(their), &wamid);
        let body = if ours.is_empty() { body } else { body.replace(ours, &sent) };
        world.meta.deliver(body.as_bytes());
        let done = wait_until(key, &sent, status, |message| message["deliveryStatus"] == status);
        assert_eq!(done["failureReason"].is_string(), status == "failed", "{done}");
    }
}
