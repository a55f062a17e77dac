//! Messages of a customer.

use super::Chat;
use serde_json::{Value, json};
use std::time::Duration;
use tests::client::text;
use tests::{App, Tenant, unique, wait_for};

#[test]
fn what_a_customer_writes_reaches_the_agents() {
    let chat = Chat::new(&json!({}));
    let anna = chat.customer(json!({"name": "Anna"}));
    let conversation = anna.conversation();
    let path = format!("{conversation}/messages");
    let written = anna.client.post(&path, json!({"content": "Hello", "echo_id": "e-1"})).expect(200);
    insta::assert_json_snapshot!(written, {".id" => "[seq]", ".created_at" => "[seconds]", ".sender.id" => "[seq]"}, @r#"
    {
      "content": "Hello",
      "content_attributes": {},
      "content_type": "text",
      "conversation_id": 1,
      "created_at": "[seconds]",
      "echo_id": "e-1",
      "id": "[seq]",
      "message_type": 0,
      "sender": {
        "id": "[seq]",
        "type": "contact"
      }
    }
    "#);
    let contact = chat.tenant.key.get("/v1/contacts").expect(200)["contacts"][0].clone();
    let identity = text(&contact["identities"][0], "id");
    let messages = chat.messages(&identity.replace("idn_", "cnv_"));
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0]["content"], json!({"type": "text", "text": {"body": "Hello"}}));
    assert_eq!((&messages[0]["senderType"], &messages[0]["senderId"]), (&json!("customer"), &contact["id"]));
    let form = anna.client.raw(
        &http::Method::POST,
        &path,
        Some("application/x-www-form-urlencoded"),
        b"content=As+a+form",
    );
    assert_eq!(form.unwrap().expect(200)["content"], "As a form");
    for wrong in [json!({}), json!({"content": " "}), json!({"content": "x".repeat(150_001)})] {
        assert_eq!(anna.client.post(&path, wrong).expect(422)["attributes"], json!(["content"]));
    }
    assert_eq!(anna.reads(&conversation).len(), 2);
}

#[test]
fn a_repeated_request_is_one_message() {
    let chat = Chat::new(&json!({}));
    let anna = chat.customer(json!({}));
    let conversation = anna.conversation();
    let path = format!("{conversation}/messages");
    let say = |content: &str, echo: &str| {
        anna.client.post(&path, json!({"content": content, "echo_id": echo})).expect(200)["id"]
            .as_i64()
            .unwrap()
    };
    let first = say("Hello", "same");
    assert_eq!(say("Hello", "same"), first);
    let second = say("Something else", "same");
    assert_ne!(second, first, "clients that give every message the same echo lose nothing");
    assert_eq!(say("Something else", "same"), second);
    assert_ne!(say("Hello", "other"), first);
    let once = anna.client.once(&unique::word());
    let by_key = || once.post(&path, json!({"content": "By key"})).expect(200)["id"].clone();
    assert_eq!(by_key(), by_key());
    assert_eq!(anna.reads(&conversation).len(), 4);
}

#[test]
fn a_hundred_at_once_are_one_message() {
    let chat = Chat::new(&json!({}));
    let anna = chat.customer(json!({}));
    let conversation = anna.conversation();
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let body = json!({"content": "Hello", "echo_id": "one"});
                    anna.client.post(&format!("{conversation}/messages"), body).expect(200);
                }
            });
        }
    });
    assert_eq!(anna.reads(&conversation).len(), 1);
}

#[test]
fn the_list_goes_back_twenty_a_call() {
    let chat = Chat::new(&json!({}));
    let anna = chat.customer(json!({}));
    let conversation = anna.conversation();
    let ids: Vec<i64> =
        (0..45).map(|n| anna.writes(&conversation, &format!("{n}"))["id"].as_i64().unwrap()).collect();
    let page = |before: Option<i64>| -> Vec<i64> {
        let query = before.map(|id| format!("?before={id}")).unwrap_or_default();
        let page = anna.client.get(&format!("{conversation}/messages{query}")).expect(200);
        page.as_array().unwrap().iter().map(|message| message["id"].as_i64().unwrap()).collect()
    };
    assert_eq!(page(None), ids[25..]);
    assert_eq!(page(Some(ids[25])), ids[5..25]);
    assert_eq!(page(Some(ids[5])), ids[..5]);
    assert_eq!(page(Some(ids[0])), Vec::<i64>::new());
    assert_eq!(anna.client.get(&conversation).expect(200)["messages"].as_array().unwrap().len(), 20);
}

#[test]
fn a_flood_is_refused() {
    let chat = Chat::new(&json!({}));
    let anna = chat.customer(json!({}));
    let conversation = anna.conversation();
    for n in 0..200 {
        anna.writes(&conversation, &format!("{n}"));
    }
    let path = format!("{conversation}/messages");
    let refused = anna.client.post(&path, json!({"content": "one more"})).expect(422);
    assert!(text(&refused, "error").contains("Too many messages"), "{refused}");
}

#[test]
fn a_question_is_answered_by_a_choice() {
    let chat = Chat::new(&json!({}));
    let anna = chat.customer(json!({}));
    let conversation = anna.conversation();
    let written = anna.writes(&conversation, "I need a slot");
    let contact = chat.tenant.key.get("/v1/contacts").expect(200)["contacts"][0].clone();
    let v1 = text(&contact["identities"][0], "id").replace("idn_", "cnv_");
    let question = json!({"content": {"type": "interactive", "interactive": {
        "body": "Which slot suits you?",
        "buttons": [{"id": "slot:am", "title": "Morning"}, {"id": "slot:pm", "title": "Afternoon"}]}}});
    chat.tenant.key.post(&format!("/v1/conversations/{v1}/messages"), question).expect(202);
    let question =
        wait_for("the question", Duration::from_secs(10), || anna.reads(&conversation).get(1).cloned());
    assert_eq!(question["content_type"], "input_select");
    assert_eq!(
        question["content_attributes"]["items"],
        json!([{"title": "Morning", "value": "slot:am"}, {"title": "Afternoon", "value": "slot:pm"}])
    );
    let path = format!("{conversation}/messages/{}", question["id"]);
    let answer = |values: Value| anna.client.patch(&path, json!({"submitted_values": values}));
    answer(json!([{"value": "slot:night"}])).expect(422);
    answer(json!({"csat_survey_response": {"rating": 5}})).expect(422);
    answer(json!([])).expect(422);
    let chosen = json!([{"title": "Morning", "value": "slot:am"}]);
    for _ in 0..2 {
        assert_eq!(answer(chosen.clone()).expect(200)["content_attributes"]["submitted_values"], chosen);
    }
    let messages = chat.messages(&v1);
    assert_eq!(messages.len(), 3, "the same choice comes in once: {messages:?}");
    let reply = messages.iter().find(|message| message["content"]["type"] == "reply").unwrap();
    assert_eq!(reply["content"]["reply"], json!({"id": "slot:am", "title": "Morning"}));
    assert_eq!(reply["senderType"], "customer");
    let own = format!("{conversation}/messages/{}", written["id"]);
    anna.client.patch(&own, json!({"submitted_values": chosen})).expect(404);
}

#[test]
fn what_waits_for_its_time_is_not_shown() {
    let chat = Chat::new(&json!({}));
    let anna = chat.customer(json!({}));
    let conversation = anna.conversation();
    anna.writes(&conversation, "Hello");
    let contact = chat.tenant.key.get("/v1/contacts").expect(200)["contacts"][0].clone();
    let v1 = text(&contact["identities"][0], "id").replace("idn_", "cnv_");
    let later =
        json!({"content": {"type": "text", "text": {"body": "Later"}}, "sendAt": unique::time_in(3_600_000)});
    chat.tenant.key.post(&format!("/v1/conversations/{v1}/messages"), later).expect(202);
    assert_eq!(anna.reads(&conversation).len(), 1);
    assert_eq!(anna.client.get(&conversation).expect(200)["messages"].as_array().unwrap().len(), 1);
}

/// A form as browsers send it.
fn form(fields: &[(&str, &str)], files: &[(&str, &str, &[u8])]) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    for (name, value) in fields {
        let part = format!("--limit\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    for (filename, kind, bytes) in files {
        let head = format!(
            "--limit\r\ncontent-disposition: form-data; name=\"attachments[]\"; filename=\"{filename}\"\r\n\
             content-type: {kind}\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--limit--\r\n");
    ("multipart/form-data; boundary=limit".into(), body)
}

#[test]
fn files_come_along_and_are_read_by_both_sides() {
    let chat = Chat::new(&json!({}));
    let anna = chat.customer(json!({}));
    let conversation = anna.conversation();
    let path = format!("{conversation}/messages");
    let (kind, body) = form(
        &[("content", "Two pictures"), ("echo_id", "p1")],
        &[("one.png", "image/png", tests::media::PNG), ("two.pdf", "application/pdf", tests::media::PDF)],
    );
    let send = || anna.client.raw(&http::Method::POST, &path, Some(&kind), &body).unwrap().expect(200);
    let sent = send();
    assert_eq!((&sent["content"], &sent["echo_id"]), (&json!("Two pictures"), &json!("p1")));
    let file = &sent["attachments"][0];
    assert_eq!((&file["file_type"], &file["extension"]), (&json!("image"), &json!("png")));
    assert_eq!(file["file_size"], json!(tests::media::PNG.len()));
    assert_eq!(send()["id"], sent["id"], "the same echo is the same message");
    let messages = anna.reads(&conversation);
    assert_eq!(messages.len(), 2, "a message a file: {messages:?}");
    assert_eq!(messages[1]["attachments"][0]["file_type"], "file");
    assert_eq!(messages[1]["content"], Value::Null);

    // The link needs no token; it is absolute, below the server's public URL.
    let url = text(file, "data_url");
    let link = &url[url.find("/media/").unwrap()..];
    let read = anna.client.raw(&http::Method::GET, link, None, b"").unwrap();
    assert_eq!((read.status, read.body.as_slice()), (200, tests::media::PNG));

    let contact = chat.tenant.key.get("/v1/contacts").expect(200)["contacts"][0].clone();
    let v1 = chat.messages(&text(&contact["identities"][0], "id").replace("idn_", "cnv_"));
    assert_eq!(v1.len(), 2);
    let picture = v1.iter().find(|message| message["content"]["media"]["mediaType"] == "image").unwrap();
    assert_eq!(picture["content"]["media"]["caption"], "Two pictures");
    let url = text(&picture["content"]["media"], "url");
    let read = chat.tenant.key.raw(&http::Method::GET, &url, None, b"").unwrap();
    assert_eq!((read.status, read.body.as_slice()), (200, tests::media::PNG));
}

#[test]
fn a_form_that_breaks_a_rule_leaves_nothing() {
    let chat = Chat::new(&json!({}));
    let anna = chat.customer(json!({}));
    let conversation = anna.conversation();
    let path = format!("{conversation}/messages");
    let send = |path: &str, body: (String, Vec<u8>)| {
        anna.client.raw(&http::Method::POST, path, Some(&body.0), &body.1).unwrap().status
    };
    let many = [("x.png", "image/png", tests::media::PNG); 16];
    assert_eq!(send(&path, form(&[], &many)), 422);
    assert_eq!(send(&path, form(&[("content", " ")], &[])), 422);
    let (kind, mut cut) = form(&[], &[("x.png", "image/png", tests::media::PNG)]);
    cut.truncate(cut.len() - 20);
    assert_eq!(send(&path, (kind, cut)), 400);
    let elsewhere = path.replace(&anna.path, &format!("{}/contacts/nobody", chat.path));
    assert_eq!(send(&elsewhere, form(&[], &many[..1])), 404);
    assert_eq!(anna.reads(&conversation), Vec::<Value>::new());
    assert_eq!(send(&path, form(&[("content", "only words")], &[])), 200);
}

#[test]
fn files_are_as_large_as_the_variables_allow() {
    let limit = tests::media::PDF.len().to_string();
    let settings: &[(&str, &str)] = &[("media_document_bytes", &limit), ("media_image_bytes", "10")];
    let Some(app) = App::own(settings) else { return };
    let chat = Chat::of(Tenant::new(&app), &app, &json!({}));
    let anna = chat.customer(json!({}));
    let conversation = anna.conversation();
    let send = |name: &str, kind: &str, bytes: &[u8]| {
        let (kind, body) = form(&[], &[(name, kind, bytes)]);
        let path = format!("{conversation}/messages");
        anna.client.raw(&http::Method::POST, &path, Some(&kind), &body).unwrap().status
    };
    assert_eq!(send("one.png", "image/png", tests::media::PNG), 413);
    assert_eq!(send("two.pdf", "application/pdf", &[tests::media::PDF, b" "].concat()), 413);
    assert_eq!(anna.reads(&conversation), Vec::<Value>::new());
    assert_eq!(send("two.pdf", "application/pdf", tests::media::PDF), 200);
}

#[test]
fn files_of_a_reused_echo_are_stored_once() {
    let chat = Chat::new(&json!({}));
    let anna = chat.customer(json!({}));
    let conversation = anna.conversation();
    let path = format!("{conversation}/messages");
    anna.client.post(&path, json!({"content": "Hello", "echo_id": "1"})).expect(200);
    let (kind, body) = form(
        &[("echo_id", "1")],
        &[("one.png", "image/png", tests::media::PNG), ("two.pdf", "application/pdf", tests::media::PDF)],
    );
    for _ in 0..2 {
        anna.client.raw(&http::Method::POST, &path, Some(&kind), &body).unwrap().expect(200);
    }
    assert_eq!(anna.reads(&conversation).len(), 3);
}
