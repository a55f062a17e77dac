//! `POST /v1/messages/{id}/reactions`.

use crate::messages::fleet::{Line, SOON, accepted, refused};
use serde_json::{Value, json};
use tests::client::text;
use tests::tenant::text_to;
use tests::{Receiver, unique, wait_for};

/// The emoji that the provider was told to put on the message, in order.
fn told(line: &Line) -> Vec<String> {
    let reactions =
        line.asked().into_iter().map(|asked| asked.json()).filter(|body| body["type"] == "reaction");
    reactions.map(|body| text(&body["reaction"], "emoji")).collect()
}

/// A conversation with an open window and an accepted message: its path.
fn conversation(line: &Line) -> String {
    let phone = unique::phone();
    line.customer_writes(&phone);
    let sent = line.tenant.key.post("/v1/messages", text_to(&line.inbox, &phone, "Hi")).expect(202);
    let path = format!("/v1/messages/{}", text(&sent["message"], "id"));
    line.wait_accepted(&path);
    path
}

#[test]
fn a_reaction_is_put_replaced_and_taken_off() {
    let Some(line) = Line::new(|_, _| accepted()) else { return };
    let receiver = Receiver::start();
    line.tenant.deliver_to(&receiver, &["message.updated"]);
    let path = conversation(&line);
    let react = |body: Value| line.tenant.key.post(&format!("{path}/reactions"), body);
    let put = react(json!({"emoji": "👍"})).expect(200)["reaction"].clone();
    assert_eq!(put["messageId"], line.message(&path)["id"]);
    assert_eq!(
        (text(&put, "senderType"), text(&put, "senderId")),
        ("user".into(), line.tenant.service_account.clone())
    );
    assert_eq!(line.message(&path)["reactions"], json!([put]));
    wait_for("the first", SOON, || (told(&line) == ["👍"]).then_some(()));
    let body = line.asked().last().unwrap().json();
    assert_eq!(body["reaction"]["message_id"], line.message(&path)["channelMessageId"]);

    let replaced = react(json!({"emoji": "❤️"})).expect(200)["reaction"].clone();
    assert_eq!(replaced["id"], put["id"], "one a sender and message");
    wait_for("the second", SOON, || (told(&line) == ["👍", "❤️"]).then_some(()));
    assert_eq!(line.message(&path)["reactions"].as_array().unwrap().len(), 1);

    react(json!({"emoji": "❤️", "removed": true})).expect(200);
    wait_for("the end", SOON, || (told(&line) == ["👍", "❤️", ""]).then_some(()));
    assert!(line.message(&path).get("reactions").is_none());
    react(json!({"emoji": "❤️", "removed": true})).problem(404, "reaction_not_found");
    receiver.wait_until("the event with the reaction", SOON, |delivery| {
        delivery.event["data"]["message"]["reactions"][0]["emoji"] == "❤️"
    });
    for wrong in ["", "ok", "👍 👍"] {
        assert_eq!(react(json!({"emoji": wrong})).wrong_fields(422), ["emoji"], "{wrong}");
    }
}

#[test]
fn a_reaction_needs_an_open_window_and_a_message_that_arrived() {
    let Some(line) = Line::new(|_, number| if number == 0 { accepted() } else { refused(400, 131_026) })
    else {
        return;
    };
    let closed = line.send(&unique::phone());
    line.wait_accepted(&closed);
    let react = |path: &str| line.tenant.key.post(&format!("{path}/reactions"), json!({"emoji": "👍"}));
    react(&closed).problem(409, "messagingWindowClosed");
    let failed = line.send(&unique::phone());
    line.wait_status(&failed, "failed");
    react(&failed).problem(409, "message_not_delivered");
}

/// Notes that the customer, the tenant's only one, wants nothing more.
fn opt_out(line: &Line) {
    let contact = line.tenant.key.get("/v1/contacts").expect(200)["contacts"][0].clone();
    let (id, identity) = (text(&contact, "id"), text(&contact["identities"][0], "id"));
    let path = format!("/v1/contacts/{id}/identities/{identity}/consent");
    line.tenant.key.put(&path, json!({"state": "optedOut"})).expect(200);
}

#[test]
fn a_reaction_that_waits_when_its_customer_opts_out_does_not_stay() {
    let Some(line) =
        Line::new(
            |asked, _| if asked.json()["type"] == "reaction" { refused(500, 131_000) } else { accepted() },
        )
    else {
        return;
    };
    let path = conversation(&line);
    line.tenant.key.post(&format!("{path}/reactions"), json!({"emoji": "👍"})).expect(200);
    wait_for("the first try", SOON, || (!told(&line).is_empty()).then_some(()));
    line.answers(|_, _| accepted());
    opt_out(&line);
    line.wait(&path, "the reaction to go", |message| message.get("reactions").is_none());
    assert_eq!(told(&line).len(), 1, "nothing more is sent");
}

#[test]
fn a_reaction_is_taken_off_after_an_opt_out_and_nothing_is_sent() {
    let Some(line) = Line::new(|_, _| accepted()) else { return };
    let path = conversation(&line);
    let react = |body: Value| line.tenant.key.post(&format!("{path}/reactions"), body);
    react(json!({"emoji": "👍"})).expect(200);
    wait_for("the first", SOON, || (told(&line) == ["👍"]).then_some(()));
    opt_out(&line);
    react(json!({"emoji": "❤️"})).problem(409, "recipient_opted_out");
    react(json!({"emoji": "👍", "removed": true})).expect(200);
    assert!(line.message(&path).get("reactions").is_none());
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(told(&line), ["👍"]);
}

#[test]
fn a_reaction_that_the_provider_refuses_does_not_stay() {
    let Some(line) =
        Line::new(
            |asked, _| {
                if asked.json()["type"] == "reaction" { refused(400, 131_009) } else { accepted() }
            },
        )
    else {
        return;
    };
    let path = conversation(&line);
    line.tenant.key.post(&format!("{path}/reactions"), json!({"emoji": "👍"})).expect(200);
    line.wait(&path, "the reaction to go", |message| message.get("reactions").is_none());
}
