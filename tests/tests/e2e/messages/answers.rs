//! What a provider's answer to a send tells of the person it went to.

use crate::messages::fleet::{Line, SOON, refused};
use serde_json::{Value, json};
use tests::client::text;
use tests::provider::Told;
use tests::{unique, wait_for, whatsapp};

/// Taken over for a number that the provider writes in its own way.
fn accepted_for(number: &str) -> Told {
    Told::json(
        200,
        &json!({"messaging_product": "whatsapp", "contacts": [{"input": "any", "wa_id": number}],
                "messages": [{"id": format!("wamid.{}", unique::word())}]}),
    )
}

/// The message came from this number.
fn text_from(number: &str) -> Value {
    json!({"contacts": [{"profile": {"name": "Ama"}, "wa_id": number}],
           "messages": [{"id": format!("wamid.{}", unique::word()), "from": number, "type": "text",
                         "timestamp": whatsapp::now().to_string(), "text": {"body": "Hello"}}]})
}

#[test]
fn a_number_that_the_provider_rewrites_is_the_same_person() {
    let rewritten = unique::digits();
    let wa_id = rewritten.clone();
    let Some(line) = Line::new(move |_, _| accepted_for(&wa_id)) else { return };
    let path = line.send(&unique::phone());
    let sent = line.wait_accepted(&path);
    line.callback(text_from(&rewritten));
    let conversation = format!("/v1/conversations/{}/messages", text(&sent, "conversationId"));
    wait_for("the answer in the same conversation", SOON, || {
        let all = line.tenant.key.get(&conversation).expect(200);
        all["messages"]
            .as_array()
            .unwrap()
            .iter()
            .find(|message| message["senderType"] == "customer")
            .cloned()
    });
    let contacts = line.tenant.key.get("/v1/contacts").expect(200);
    assert_eq!(contacts["contacts"].as_array().unwrap().len(), 1, "{contacts}");
}

#[test]
fn a_rewritten_number_that_is_somebody_elses_stays_theirs() {
    let other = unique::digits();
    let wa_id = other.clone();
    let Some(line) = Line::new(move |_, _| accepted_for(&wa_id)) else { return };
    line.callback(text_from(&other));
    let contacts = || line.tenant.key.get("/v1/contacts").expect(200)["contacts"].as_array().unwrap().clone();
    wait_for("the other", SOON, || (contacts().len() == 1).then_some(()));
    let path = line.send(&unique::phone());
    let message = line.wait_accepted(&path);
    assert_eq!(contacts().len(), 2);
    line.tenant.key.get(&format!("/v1/conversations/{}", text(&message, "conversationId"))).expect(200);
}

#[test]
fn who_wants_no_messages_is_noted() {
    let Some(line) = Line::new(|_, _| refused(400, 131_050)) else { return };
    let path = line.send(&unique::phone());
    line.wait_status(&path, "failed");
    // No operation shows it yet.
    let database = line.app.process.as_ref().unwrap().database();
    let database = rusqlite::Connection::open(database).unwrap();
    let noted: (String, String) = database
        .query_row(
            "SELECT consent, consent_source FROM identities
              WHERE seq = (SELECT identity_seq FROM messages WHERE id = ?)",
            [path.rsplit('/').next().unwrap()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!(noted, ("opted_out".into(), "whatsapp:131050".into()));
}
