//! `PATCH` and `DELETE /v1/messages/{id}`: as long as a message waits.

use crate::messages::fleet::{self, Line, accepted, reference, refused};
use serde_json::{Value, json};
use std::time::Duration;
use tests::client::text;
use tests::tenant::template_to;
use tests::{App, Inbox, Receiver, Tenant, unique, wait_for, whatsapp};

const SOON: Duration = Duration::from_secs(15);

/// A template that waits for its time: the path of the message.
fn scheduled(tenant: &Tenant, inbox: &Inbox, phone: &str, millis: i64) -> String {
    let mut request = template_to(inbox, phone);
    request["sendAt"] = json!(unique::time_in(millis));
    request["metadata"] = json!({"order": "1", "kept": "x"});
    let sent = tenant.key.post("/v1/messages", request).expect(202);
    format!("/v1/messages/{}", text(&sent["message"], "id"))
}

fn template(name: &str) -> Value {
    json!({"type": "template", "template": {"name": name, "language": "en"}})
}

#[test]
fn a_waiting_message_is_changed() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let receiver = Receiver::start();
    tenant.deliver_to(&receiver, &["message.updated"]);
    let path = scheduled(&tenant, &inbox, &unique::phone(), 600_000);
    let before = tenant.key.get(&path).expect(200)["message"].clone();
    let metadata = json!({"order": "2"});
    let changed = tenant.key.patch(&path, json!({"metadata": metadata})).expect(200)["message"].clone();
    assert_eq!(changed["metadata"], metadata);
    assert_eq!(changed["content"], before["content"]);
    assert_eq!(changed["sendAt"], before["sendAt"]);
    assert!(changed.get("editedAt").is_none(), "the content is the same");
    receiver.wait_for("message.updated", SOON);
    let found = |pair: &str| {
        let found = tenant.key.get(&format!("/v1/messages?metadata[{pair}")).expect(200);
        found["messages"].as_array().unwrap().len()
    };
    assert_eq!((found("order]=1"), found("order]=2"), found("kept]=x")), (0, 1, 0));

    let later = unique::time_in(1_200_000);
    let changed = tenant.key.patch(&path, json!({"content": template("order_ready"), "sendAt": later}));
    let changed = changed.expect(200)["message"].clone();
    assert_eq!(changed["sendAt"], json!(later));
    assert!(changed["editedAt"].is_string());
    assert_eq!(whatsapp::sends(&app.client(), &inbox).len(), 0);

    let cleared = tenant.key.patch(&path, json!({"metadata": null, "sendAt": null})).expect(200);
    assert!(cleared["message"].get("metadata").is_none() && cleared["message"].get("sendAt").is_none());
    wait_for("the message to go out at once", SOON, || {
        (tenant.key.get(&path).expect(200)["message"]["deliveryStatus"] == "read").then_some(())
    });
    assert_eq!(whatsapp::sends(&app.client(), &inbox).len(), 1);
    tenant.key.patch(&path, json!({"metadata": {}})).problem(409, "message_already_sent");
}

#[test]
fn a_changed_message_is_checked_like_a_new_one() {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let path = scheduled(&tenant, &inbox, &unique::phone(), 600_000);
    let wrong = |body: Value| tenant.key.patch(&path, body).wrong_fields(422);
    assert_eq!(wrong(json!({"content": template("")})), ["content.template.name"]);
    assert_eq!(wrong(json!({"metadata": {"a b": "c"}})), ["metadata.a b"]);
    assert_eq!(wrong(json!({"sendAt": unique::time_in(-1000)})), ["sendAt"]);
    let free = json!({"content": {"type": "text", "text": {"body": "Hi"}}});
    tenant.key.patch(&path, free).problem(409, "messagingWindowClosed");
    assert_eq!(tenant.key.get(&path).expect(200)["message"]["deliveryStatus"], "pending");
}

#[test]
fn a_waiting_message_is_cancelled() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let phone = unique::phone();
    let path = scheduled(&tenant, &inbox, &phone, 1500);
    tenant.key.delete(&path).expect(204);
    let message = tenant.key.get(&path).expect(200)["message"].clone();
    assert_eq!(message["deliveryStatus"], "failed");
    assert_eq!(message["failureReason"], "Cancelled before it was sent.");
    assert!(message["deletedAt"].is_string());
    tenant.key.delete(&path).problem(409, "message_already_sent");
    let other = tenant.send_template(&inbox, &phone);
    let other = format!("/v1/messages/{}", text(&other["message"], "id"));
    wait_for("another message", SOON, || {
        (tenant.key.get(&other).expect(200)["message"]["deliveryStatus"] == "read").then_some(())
    });
    tenant.key.delete(&other).problem(409, "message_already_sent");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(whatsapp::sends(&app.client(), &inbox).len(), 1, "only the other one");
}

#[test]
fn one_behind_another_in_its_conversation_is_cancelled_and_the_rest_goes_on() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    // The first is refused for some seconds, so the others wait behind it.
    let phone = unique::phone_ending("0056");
    let sent: Vec<String> =
        (0..3).map(|_| text(&tenant.send_template(&inbox, &phone)["message"], "id")).collect();
    tenant.key.delete(&format!("/v1/messages/{}", sent[1])).expect(204);
    let references = wait_for("the first and the last", Duration::from_secs(60), || {
        let sends = whatsapp::sends(&app.client(), &inbox);
        let references: Vec<String> = sends.iter().rev().map(|send| text(send, "reference")).collect();
        (references.len() == 2).then_some(references)
    });
    assert_eq!(references, [sent[0].clone(), sent[2].clone()]);
}

#[test]
fn who_does_not_see_a_conversation_cannot_change_its_messages() {
    let (tenant, other) = (Tenant::new(App::shared()), Tenant::new(App::shared()));
    let inbox = tenant.inbox();
    let path = scheduled(&tenant, &inbox, &unique::phone(), 600_000);
    other.key.patch(&path, json!({"metadata": {}})).problem(404, "message_not_found");
    other.key.delete(&path).problem(404, "message_not_found");
    let reaction = json!({"emoji": "👍"});
    other.key.post(&format!("{path}/reactions"), reaction).problem(404, "message_not_found");
}

#[test]
fn racing_a_cancel_against_the_send_has_one_winner() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let mut cancelled = 0;
    for _ in 0..20 {
        let sent = tenant.send_template(&inbox, &unique::phone());
        let path = format!("/v1/messages/{}", text(&sent["message"], "id"));
        match tenant.key.delete(&path).status {
            204 => cancelled += 1,
            409 => {}
            other => panic!("{other}"),
        }
    }
    let sends = || whatsapp::sends(&app.client(), &inbox).len();
    wait_for("the others", SOON, || (sends() >= 20 - cancelled).then_some(()));
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(sends(), 20 - cancelled);
}

/// A customer writes, named by whichever ids are given.
fn customer_writes(line: &Line, wa_id: Option<&str>, user_id: Option<&str>) {
    let mut person = json!({"profile": {"name": "Mira"}});
    let mut message = json!({"id": format!("wamid.{}", unique::word()), "timestamp": whatsapp::now().to_string(),
                             "type": "text", "text": {"body": "Hello"}});
    if let Some(wa_id) = wa_id {
        person["wa_id"] = json!(wa_id);
        message["from"] = json!(wa_id);
    }
    if let Some(user_id) = user_id {
        person["user_id"] = json!(user_id);
        message["from_user_id"] = json!(user_id);
    }
    line.callback(json!({"contacts": [person], "messages": [message]}));
}

/// The conversations of the tenant's contacts, newest contact first, once there are so many contacts.
#[track_caller]
fn conversations(line: &Line, count: usize) -> Vec<String> {
    wait_for("the contacts", fleet::SOON, || {
        let found = line.tenant.key.get("/v1/contacts").expect(200)["contacts"].as_array().unwrap().clone();
        (found.len() == count).then(|| {
            found.iter().map(|one| text(&one["identities"][0], "id").replace("idn_", "cnv_")).collect()
        })
    })
}

#[test]
fn what_waits_for_a_person_who_becomes_another_is_still_changed_and_cancelled() {
    let Some(line) = Line::new(|_, number| match number {
        0 => refused(429, 130_429).with("retry-after", "8"),
        _ => accepted(),
    }) else {
        return;
    };
    let key = &line.tenant.key;
    let (phone, user_id) = (unique::phone(), format!("US.{}", unique::digits()));
    let phone = phone.trim_start_matches('+');
    let send = |conversation: &str, body: &str| {
        let request = json!({"content": {"type": "text", "text": {"body": body}}});
        let sent = key.post(&format!("/v1/conversations/{conversation}/messages"), request).expect(202);
        format!("/v1/messages/{}", text(&sent["message"], "id"))
    };
    customer_writes(&line, None, Some(&user_id));
    let by_user_id = conversations(&line, 1).remove(0);
    let waiting: Vec<String> = ["A", "B", "C"].iter().map(|body| send(&by_user_id, body)).collect();
    wait_for("the refusal", fleet::SOON, || (!line.asked().is_empty()).then_some(()));
    customer_writes(&line, Some(phone), None);
    conversations(&line, 2);
    // Both ids together: they were one person all the time.
    customer_writes(&line, Some(phone), Some(&user_id));
    let merged = conversations(&line, 1).remove(0);
    key.delete(&waiting[1]).expect(204);
    let changed = json!({"content": {"type": "text", "text": {"body": "C, changed"}}});
    key.patch(&waiting[2], changed).expect(200);
    let last = send(&merged, "D");
    for path in [&waiting[0], &waiting[2], &last] {
        line.wait_accepted(path);
    }
    let asked: Vec<(String, Value)> =
        line.asked().iter().map(|one| (reference(one), one.json()["text"]["body"].clone())).collect();
    let id = |path: &String| path.rsplit('/').next().unwrap().to_string();
    let expected = [(&waiting[0], "A"), (&waiting[0], "A"), (&waiting[2], "C, changed"), (&last, "D")];
    assert_eq!(asked, expected.map(|(path, body)| (id(path), json!(body))));
}
