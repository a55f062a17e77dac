//! Who wrote: the same person is the same contact, whatever the provider calls them.

use crate::channels::support::{Meta, SOON, conversation_of, messages, only_contact, wait_for_messages};
use serde_json::{Value, json};
use tests::client::text;
use tests::whatsapp::{envelope, now};
use tests::{unique, wait_for};

/// A text by whichever ids are given.
fn text_from(meta: &Meta, wa_id: Option<&str>, user_id: Option<&str>, body: &str) -> Value {
    let mut person = json!({"profile": {"name": "Mira Okafor"}});
    let mut message = json!({"id": format!("wamid.{}", unique::word()), "timestamp": now().to_string(), "type": "text",
                             "text": {"body": body}});
    if let Some(wa_id) = wa_id {
        person["wa_id"] = json!(wa_id);
        message["from"] = json!(wa_id);
    }
    if let Some(user_id) = user_id {
        person["user_id"] = json!(user_id);
        message["from_user_id"] = json!(user_id);
    }
    envelope(&meta.account, json!({"contacts": [person], "messages": [message]}))
}

fn bodies(all: &[Value]) -> Vec<String> {
    all.iter().map(|message| text(&message["content"]["text"], "body")).collect()
}

#[test]
fn numbers_with_two_forms_are_one_person() {
    let tail = &unique::digits()[7..15];
    for (one, other) in [
        (format!("55119{tail}").replacen("551199", "551198", 1), String::new()),
        (format!("54911{tail}"), format!("5411{tail}")),
        (format!("52155{tail}"), format!("5255{tail}")),
    ] {
        // Brazil: a mobile number, whose eight digits begin with 6 to 9.
        let (one, other) = if other.is_empty() {
            let local = format!("8{}", &tail[1..]);
            (format!("55119{local}"), format!("5511{local}"))
        } else {
            (one, other)
        };
        for (first, second) in [(&one, &other), (&other, &one)] {
            let Some(meta) = Meta::new("whatsapp") else { return };
            let key = &meta.tenant.key;
            meta.deliver_json(&text_from(&meta, Some(first), None, "one"));
            wait_for_messages(key, 1);
            meta.deliver_json(&text_from(&meta, Some(second), None, "two"));
            assert_eq!(bodies(&wait_for_messages(key, 2)), ["one", "two"], "{first} and {second}");
            assert_eq!(only_contact(key)["identities"][0]["metadata"]["phoneNumber"], format!("+{first}"));
            // A contact cannot be made with the other form, and a message to it goes to the same conversation.
            let taken = key.post("/v1/contacts", json!({"name": "Twin", "phone": format!("+{second}")}));
            taken.problem(409, "contact_phone_taken");
            let request = json!({
                "inboxId": meta.inbox,
                "recipient": {"type": "channel", "channel": "whatsapp", "externalId": format!("+{second}")},
                "content": {"type": "text", "text": {"body": "three"}},
            });
            let sent = key.post("/v1/messages", request).expect(202);
            assert_eq!(sent["conversation"]["id"], conversation_of(&only_contact(key)));
        }
    }
}

#[test]
fn a_person_known_by_number_and_by_user_id_becomes_one() {
    let Some(meta) = Meta::new("whatsapp") else { return };
    let key = &meta.tenant.key;
    let phone = unique::phone().trim_start_matches('+').to_string();
    let user_id = format!("US.{}", unique::digits());
    meta.deliver_json(&text_from(&meta, Some(&phone), None, "by number"));
    wait_for_messages(key, 1);
    meta.deliver_json(&text_from(&meta, None, Some(&user_id), "by user id"));
    wait_for("two contacts", SOON, || {
        (key.get("/v1/contacts").expect(200)["contacts"].as_array().unwrap().len() == 2).then_some(())
    });
    // Both ids together: they were one person all the time.
    meta.deliver_json(&text_from(&meta, Some(&phone), Some(&user_id), "by both"));
    wait_for("one contact", SOON, || {
        (key.get("/v1/contacts").expect(200)["contacts"].as_array().unwrap().len() == 1).then_some(())
    });
    let contact = only_contact(key);
    let all = wait_for_messages(key, 3);
    let mut said = bodies(&all);
    said.sort();
    assert_eq!(said, ["by both", "by number", "by user id"]);
    assert!(all.iter().all(|message| message["senderId"] == contact["id"]), "{all:?}");
    assert_eq!(contact["identities"][0]["metadata"]["phoneNumber"], format!("+{phone}"));
    // From now on either finds them, and the window is open.
    meta.deliver_json(&text_from(&meta, None, Some(&user_id), "again"));
    wait_for_messages(key, 4);
    let conversation = conversation_of(&only_contact(key));
    let path = format!("/v1/conversations/{conversation}/messages");
    key.post(&path, json!({"content": {"type": "text", "text": {"body": "Hello"}}})).expect(202);
}

#[test]
fn a_user_id_learns_its_number() {
    let Some(meta) = Meta::new("whatsapp") else { return };
    let key = &meta.tenant.key;
    let phone = unique::phone().trim_start_matches('+').to_string();
    let user_id = format!("US.{}", unique::digits());
    meta.deliver_json(&text_from(&meta, None, Some(&user_id), "one"));
    wait_for_messages(key, 1);
    meta.deliver_json(&text_from(&meta, Some(&phone), Some(&user_id), "two"));
    wait_for_messages(key, 2);
    assert_eq!(only_contact(key)["identities"][0]["metadata"]["phoneNumber"], format!("+{phone}"));
}

#[test]
fn a_number_that_changed_hands_is_somebody_else() {
    let Some(meta) = Meta::new("whatsapp") else { return };
    let key = &meta.tenant.key;
    let phone = unique::phone().trim_start_matches('+').to_string();
    let (before, after) = (format!("US.{}", unique::digits()), format!("US.{}", unique::digits()));
    meta.deliver_json(&text_from(&meta, Some(&phone), Some(&before), "the old owner"));
    wait_for_messages(key, 1);
    let old = only_contact(key);
    meta.deliver_json(&text_from(&meta, Some(&phone), Some(&after), "the new owner"));
    let new = wait_for("the new owner", SOON, || {
        let all = key.get("/v1/contacts").expect(200)["contacts"].as_array().unwrap().clone();
        all.into_iter().find(|contact| contact["id"] != old["id"])
    });
    assert_eq!(new["identities"][0]["metadata"]["phoneNumber"], format!("+{phone}"));
    assert_eq!(bodies(&messages(key, &conversation_of(&new))), ["the new owner"]);
    let old = key.get(&format!("/v1/contacts/{}", text(&old, "id"))).expect(200);
    assert!(old["identities"][0]["metadata"]["phoneNumber"].is_null(), "{old}");
}

#[test]
fn a_changed_number_keeps_its_person() {
    let Some(meta) = Meta::new("whatsapp") else { return };
    let key = &meta.tenant.key;
    let (old, new) = (unique::phone(), unique::phone());
    let (old, new) = (old.trim_start_matches('+'), new.trim_start_matches('+'));
    let (before, after) = (format!("US.{}", unique::digits()), format!("US.{}", unique::digits()));
    meta.deliver_json(&text_from(&meta, Some(old), Some(&before), "one"));
    wait_for_messages(key, 1);
    let system = json!({"from": old, "from_user_id": before, "id": format!("wamid.{}", unique::word()),
        "timestamp": now().to_string(), "type": "system",
        "system": {"type": "user_changed_number", "wa_id": new, "user_id": after, "body": "Mira changed from one to another"}});
    meta.deliver_json(&envelope(&meta.account, json!({"messages": [system]})));
    wait_for("the new number", SOON, || {
        (only_contact(key)["identities"][0]["metadata"]["phoneNumber"] == format!("+{new}")).then_some(())
    });
    meta.deliver_json(&text_from(&meta, Some(new), Some(&after), "two"));
    assert_eq!(bodies(&wait_for_messages(key, 2)), ["one", "two"]);
    only_contact(key);
}

#[test]
fn a_customer_who_writes_while_the_session_is_closed_opens_the_next() {
    let Some(meta) = Meta::new("whatsapp") else { return };
    let key = &meta.tenant.key;
    let phone = unique::phone().trim_start_matches('+').to_string();
    meta.deliver_json(&text_from(&meta, Some(&phone), None, "first"));
    wait_for_messages(key, 1);
    let conversation = conversation_of(&only_contact(key));
    let close = format!("/v1/conversations/{conversation}/close");
    // Closing and writing at the same moment, several times.
    for round in 0..10 {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                meta.deliver_json(&text_from(&meta, Some(&phone), None, &format!("round {round}")))
            });
            scope.spawn(|| {
                let closed = key.send(http::Method::POST, &close, None);
                assert!([200, 409].contains(&closed.status), "{closed}");
            });
        });
    }
    let all = wait_for_messages(key, 11);
    assert_eq!(all.len(), 11, "{all:?}");
    assert!(all.iter().all(|message| message["sessionId"].is_string()));
}
