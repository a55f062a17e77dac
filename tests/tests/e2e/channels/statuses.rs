//! How far messages of ours have come, by what providers tell.

use crate::channels::support::{Meta, SOON, message, wait_until};
use serde_json::{Value, json};
use tests::client::text;
use tests::whatsapp::envelope;
use tests::{unique, wait_for};

/// Sends a template to somebody the sandbox tells no statuses of, and waits for the provider's id.
fn sent(meta: &Meta) -> (String, String) {
    let request = json!({
        "inboxId": meta.inbox,
        "recipient": {"type": "channel", "channel": "whatsapp", "externalId": unique::phone_ending("0001")},
        "content": {"type": "template", "template": {"name": "order_ready", "language": "en"}},
    });
    let id = text(&meta.tenant.key.post("/v1/messages", request).expect(202)["message"], "id");
    let known = wait_until(&meta.tenant.key, &id, "the provider's id", |message| {
        message["channelMessageId"].is_string()
    });
    let wamid = text(&known, "channelMessageId");
    (id, wamid)
}

fn status(wamid: &str, state: &str, second: i64) -> Value {
    let mut status = json!({"id": wamid, "status": state, "timestamp": (1_790_000_100 + second).to_string(),
                            "recipient_id": "12025550147"});
    if state == "failed" {
        status["errors"] = json!([{"code": 131026, "title": "Message undeliverable"}]);
    }
    status
}

/// All orders of a list.
fn orders<T: Clone>(of: &[T]) -> Vec<Vec<T>> {
    if of.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for at in 0..of.len() {
        let mut rest = of.to_vec();
        let first = rest.remove(at);
        for mut order in orders(&rest) {
            order.insert(0, first.clone());
            all.push(order);
        }
    }
    all
}

#[test]
fn statuses_in_every_order_end_in_the_same_state() {
    let Some(meta) = Meta::new("whatsapp") else { return };
    let key = &meta.tenant.key;
    for (states, end) in [
        (vec![("sent", 1), ("delivered", 2), ("read", 3)], "read"),
        (vec![("sent", 1), ("failed", 2), ("delivered", 3)], "delivered"),
        (vec![("sent", 1), ("failed", 2)], "failed"),
    ] {
        let messages: Vec<_> = orders(&states).into_iter().map(|order| (sent(&meta), order)).collect();
        for ((_, wamid), order) in &messages {
            // One body a status, each after the other, and the first one twice.
            for (state, second) in order.iter().chain(order.first()) {
                meta.deliver_json(&envelope(
                    &meta.account,
                    json!({"statuses": [status(wamid, state, *second)]}),
                ));
            }
        }
        for ((id, _), order) in &messages {
            wait_until(key, id, &format!("{end} after {order:?}"), |message| {
                message["deliveryStatus"] == end
            });
        }
        std::thread::sleep(std::time::Duration::from_millis(1500));
        for ((id, _), order) in &messages {
            let last = message(key, id);
            assert_eq!(last["deliveryStatus"], end, "{order:?}: {last}");
            assert_eq!(last["failureReason"].is_string(), end == "failed", "{order:?}: {last}");
        }
    }
}

#[test]
fn a_status_that_beats_the_answer_to_the_send_finds_its_message() {
    let Some(meta) = Meta::new("whatsapp") else { return };
    let key = &meta.tenant.key;
    let request = json!({
        "inboxId": meta.inbox,
        "recipient": {"type": "channel", "channel": "whatsapp", "externalId": unique::phone_ending("0001")},
        "content": {"type": "template", "template": {"name": "order_ready", "language": "en"}},
    });
    let id = text(&key.post("/v1/messages", request).expect(202)["message"], "id");
    // The provider's id is not known here yet, or another one: our own id is what counts.
    let mut early = status(&format!("wamid.{}", unique::word()), "delivered", 1);
    early["biz_opaque_callback_data"] = json!(id);
    meta.deliver_json(&envelope(&meta.account, json!({"statuses": [early]})));
    wait_until(key, &id, "the delivery", |message| message["deliveryStatus"] == "delivered");
}

#[test]
fn a_batch_of_messages_and_statuses_and_nonsense_is_taken_piece_by_piece() {
    let Some(meta) = Meta::new("whatsapp") else { return };
    let key = &meta.tenant.key;
    let (id, wamid) = sent(&meta);
    let from = unique::phone().trim_start_matches('+').to_string();
    let suffix = unique::word();
    let texts: Vec<Value> = (0..150)
        .map(|number| {
            json!({"from": from, "id": format!("wamid.{suffix}{number}"), "timestamp": (1_790_000_000 + number).to_string(),
                   "type": "text", "text": {"body": format!("number {number}")}})
        })
        .collect();
    let statuses =
        [status(&wamid, "read", 9), status("wamid.of.nobody", "read", 9), json!({"id": 7}), json!("odd")];
    let mut body = envelope(&meta.account, json!({"messages": texts, "statuses": statuses}));
    body["entry"]
        .as_array_mut()
        .unwrap()
        .push(json!({"id": "1", "changes": [{"field": "new", "value": [1]}, null]}));
    meta.deliver_json(&body);
    wait_until(key, &id, "the reading", |message| message["deliveryStatus"] == "read");
    let search = format!("/v1/contacts?search={from}");
    let contact = wait_for("the customer", SOON, || {
        key.get(&search).expect(200)["contacts"].as_array().unwrap().first().cloned()
    });
    let conversation = text(&contact["identities"][0], "id").replace("idn_", "cnv_");
    let path = format!("/v1/conversations/{conversation}/messages?pageSize=100");
    let mut all: Vec<Value> = Vec::new();
    wait_for("all messages", SOON, || {
        let first = key.get(&path).expect(200);
        all = first["messages"].as_array().unwrap().clone();
        let next = first["nextPageToken"].as_str()?;
        let second = key.get(&format!("{path}&pageToken={next}")).expect(200);
        all.extend(second["messages"].as_array().unwrap().clone());
        (all.len() == 150).then_some(())
    });
    let bodies: Vec<String> =
        all.iter().rev().map(|message| text(&message["content"]["text"], "body")).collect();
    let expected: Vec<String> = (0..150).map(|number| format!("number {number}")).collect();
    assert_eq!(bodies, expected);
}
