//! The path that must work: from an API call over the provider and back to a signed webhook. Nobody
//! calls the tick in it: everything happens by itself, in time.

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tests::client::text;
use tests::tenant::{template_to, text_to};
use tests::{App, Receiver, Tenant, unique, wait_for, whatsapp};

/// Sent, delivered and read within this time of the send.
const DELIVERED: Duration = Duration::from_secs(2);
/// A webhook arrives within this time of its cause.
const WEBHOOK: Duration = Duration::from_secs(5);

#[test]
fn a_message_goes_out_and_the_answer_comes_in() {
    // With a clock that reaches nobody, where the server is ours.
    let own = App::own(&[("tick_authority", "127.0.0.1:9")]);
    let app = own.as_ref().unwrap_or_else(|| App::shared());
    let tenant = Tenant::new(app);
    let receiver = Receiver::start();
    let types = ["contact.created", "conversation.started", "message.created", "message.updated"];
    let secret = tenant.deliver_to(&receiver, &types);
    let phone = unique::phone();

    // 1. Connect a number, create Anna, send her a template; a text is refused outside the window.
    let inbox = tenant.inbox();
    let anna = tenant.key.post("/v1/contacts", json!({"name": "Anna Kowalska", "phone": phone})).expect(201);
    let anna = text(&anna, "id");
    let refused = tenant.key.post("/v1/messages", text_to(&inbox, &phone, "Hi Anna"));
    let refused = refused.problem(409, "messagingWindowClosed");
    assert_eq!(
        refused["messagingWindow"],
        json!({"state": "CLOSED", "forActor": "AGENT", "failureCode": "messagingWindowClosed"})
    );
    let began = Instant::now();
    let accepted = tenant.key.post("/v1/messages", template_to(&inbox, &phone)).expect(202);
    let message = text(&accepted["message"], "id");
    let conversation = text(&accepted["conversation"], "id");
    assert_eq!(accepted["message"]["deliveryStatus"], "pending");
    assert_eq!(accepted["message"]["conversationId"], json!(conversation));
    assert_eq!(accepted["conversation"]["contactId"], json!(anna));

    // 2. It reaches the provider in its wire format, and its callbacks reach us.
    let path = format!("/v1/messages/{message}");
    let mut seen: Vec<String> = Vec::new();
    let read = wait_for("the message to be read", DELIVERED, || {
        let message = tenant.key.get(&path).expect(200)["message"].clone();
        let status = text(&message, "deliveryStatus");
        if seen.last() != Some(&status) {
            seen.push(status.clone());
        }
        (status == "read").then_some(message)
    });
    assert!(began.elapsed() < DELIVERED, "read after {:?}", began.elapsed());
    assert_in_order(&seen);
    let sends = whatsapp::sends(&app.client(), &inbox);
    assert_eq!(sends.len(), 1);
    assert_eq!(sends[0]["id"], read["channelMessageId"]);
    assert!(text(&read, "channelMessageId").starts_with("wamid."));
    assert_eq!(sends[0]["reference"], json!(message));
    insta::assert_json_snapshot!(sends[0]["body"], {
        ".to" => "[phone]", ".biz_opaque_callback_data" => "[message]",
    }, @r#"
    {
      "biz_opaque_callback_data": "[message]",
      "messaging_product": "whatsapp",
      "recipient_type": "individual",
      "template": {
        "language": {
          "code": "en"
        },
        "name": "order_ready"
      },
      "to": "[phone]",
      "type": "template"
    }
    "#);

    // 3. Anna answers: her message is there once, the window is open, and a text goes out.
    let wamid = whatsapp::customer_writes(&app.client(), &inbox, &phone, "On my way");
    let history = format!("/v1/conversations/{conversation}/messages");
    let inbound = wait_for("Anna's answer", DELIVERED, || {
        let messages = tenant.key.get(&history).expect(200)["messages"].as_array().unwrap().clone();
        messages.into_iter().find(|message| message["senderType"] == "customer")
    });
    assert_eq!(inbound["channelMessageId"], json!(wamid));
    assert_eq!(inbound["senderId"], json!(anna));
    assert_eq!(inbound["content"], json!({"type": "text", "text": {"body": "On my way"}}));
    let again = json!({"from": phone, "text": "On my way", "id": wamid, "times": 2});
    let again_path = format!("/sandbox/whatsapp/{}/customer-messages", inbox.phone_number_id);
    app.client().post(&again_path, again);
    let content = json!({"type": "text", "text": {"body": "See you soon, Anna!"}});
    let reply = tenant.key.post(&history, json!({"content": content})).expect(202);
    let reply = text(&reply["message"], "id");
    wait_for("the text to be read", DELIVERED, || {
        let found = tenant.key.get(&format!("/v1/messages/{reply}")).expect(200);
        (found["message"]["deliveryStatus"] == "read").then_some(())
    });
    let messages = tenant.key.get(&history).expect(200);
    let ids: Vec<Value> = messages["messages"].as_array().unwrap().iter().map(|m| m["id"].clone()).collect();
    assert_eq!(ids, [json!(reply), inbound["id"].clone(), json!(message)], "newest first, each once");

    // 4. The tenant's receiver hears of it all, signed.
    for kind in types {
        receiver.wait_for(kind, WEBHOOK);
    }
    let told = receiver.wait_until("the reading of the template", WEBHOOK, |delivery| {
        let told = &delivery.event["data"]["message"];
        delivery.kind() == "message.updated"
            && told["id"] == json!(message)
            && told["deliveryStatus"] == "read"
    });
    assert_eq!(told.event["data"]["conversation"]["id"], json!(conversation));
    receiver.wait_until("the event of Anna's answer", WEBHOOK, |delivery| {
        delivery.kind() == "message.created" && delivery.event["data"]["message"]["id"] == inbound["id"]
    });
    let created = receiver.wait_for("contact.created", WEBHOOK);
    assert_eq!(created.event["data"]["contact"]["id"], json!(anna));
    let started = receiver.matching(|delivery| delivery.kind() == "conversation.started");
    assert_eq!(started.len(), 1, "a conversation starts once");
    assert_eq!(started[0].event["data"]["conversation"]["id"], json!(conversation));
    for delivery in receiver.deliveries() {
        delivery.verify(&secret).unwrap_or_else(|error| panic!("{error}: {delivery:?}"));
        assert_eq!(delivery.event["id"], delivery.id());
    }
}

/// Statuses may be skipped between two looks, but never go back.
fn assert_in_order(seen: &[String]) {
    let rank =
        |status: &String| ["pending", "sent", "delivered", "read"].iter().position(|known| known == status);
    let ranks: Vec<Option<usize>> = seen.iter().map(rank).collect();
    assert!(ranks.iter().all(Option::is_some) && ranks.is_sorted(), "{seen:?}");
}
