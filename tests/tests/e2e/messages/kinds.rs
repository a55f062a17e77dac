//! Each kind of content as the provider of each channel receives it.

use crate::messages::fleet::{Line, accepted};
use serde_json::{Value, json};
use tests::client::text;
use tests::media::{PNG, upload};
use tests::provider::Told;
use tests::{App, Provider, Tenant, unique, wait_for};

fn to(line: &Line, phone: &str, content: &Value) -> Value {
    json!({
        "inboxId": line.inbox.id, "content": content,
        "recipient": {"type": "channel", "channel": "whatsapp", "externalId": phone},
    })
}

/// Sends to a customer who has written, and gives the body that came to WhatsApp, without what all have.
fn sent(line: &Line, phone: &str, request: Value) -> Value {
    let before = line.asked().len();
    let accepted = line.tenant.key.post("/v1/messages", request).expect(202);
    line.wait_accepted(&format!("/v1/messages/{}", text(&accepted["message"], "id")));
    let mut body = line.asked()[before..].last().unwrap().json();
    let body = body.as_object_mut().unwrap();
    assert_eq!(body.remove("messaging_product"), Some(json!("whatsapp")));
    assert_eq!(body.remove("to"), Some(json!(phone.trim_start_matches('+'))));
    assert_eq!(body.remove("biz_opaque_callback_data"), Some(accepted["message"]["id"].clone()));
    body.remove("recipient_type");
    Value::Object(body.clone())
}

#[test]
fn whatsapp_gets_every_kind() {
    let Some(line) = Line::new(|_, _| accepted()) else { return };
    let phone = unique::phone();
    let quoted = line.customer_writes(&phone);
    let send = |content: Value| sent(&line, &phone, to(&line, &phone, &content));

    let location = json!({"latitude": 52.2297, "longitude": 21.0122, "name": "Shop", "address": "Main St 1"});
    let body = send(json!({"type": "location", "location": location}));
    assert_eq!(body, json!({"type": "location", "location": location}));

    let cards = json!([{"name": {"formatted_name": "Anna Kowalska", "first_name": "Anna"}, "phones": [{"phone": "+48123456789", "type": "WORK"}]}]);
    let body = send(json!({"type": "contacts", "contacts": cards}));
    assert_eq!(body, json!({"type": "contacts", "contacts": cards}));

    let buttons = json!([{"id": "am", "title": "Morning"}, {"id": "pm", "title": "Evening"}]);
    let question = json!({"header": "Delivery", "body": "When?", "footer": "Any day", "buttons": buttons});
    let body = send(json!({"type": "interactive", "interactive": question}));
    assert_eq!(
        body["interactive"],
        json!({
            "type": "button", "header": {"type": "text", "text": "Delivery"}, "body": {"text": "When?"},
            "footer": {"text": "Any day"},
            "action": {"buttons": [
                {"type": "reply", "reply": {"id": "am", "title": "Morning"}},
                {"type": "reply", "reply": {"id": "pm", "title": "Evening"}}]},
        })
    );

    let rows = json!([{"id": "a", "title": "A", "description": "First"}, {"id": "b", "title": "B"}]);
    let list =
        json!({"body": "Which?", "list": {"button": "Topics", "sections": [{"title": "All", "rows": rows}]}});
    let body = send(json!({"type": "interactive", "interactive": list}));
    assert_eq!(
        body["interactive"],
        json!({
            "type": "list", "body": {"text": "Which?"},
            "action": {"button": "Topics", "sections": [{"title": "All", "rows": rows}]},
        })
    );

    let file = json!({"url": "https://shop.example/a.pdf", "mediaType": "document", "caption": "Your invoice", "filename": "invoice.pdf"});
    let body = send(json!({"type": "media", "media": file}));
    let document =
        json!({"link": "https://shop.example/a.pdf", "caption": "Your invoice", "filename": "invoice.pdf"});
    assert_eq!(body, json!({"type": "document", "document": document}));

    let history = format!("/v1/messages/{}", first_inbound(&line, &quoted));
    let mut request = to(&line, &phone, &json!({"type": "text", "text": {"body": "Answer"}}));
    request["replyToMessageId"] = line.message(&history)["id"].clone();
    let body = sent(&line, &phone, request);
    assert_eq!(body["context"], json!({"message_id": quoted}));
    assert_eq!(body["text"]["body"], "Answer");
}

/// Our id of the customer's message.
fn first_inbound(line: &Line, provider_id: &str) -> String {
    let contacts = line.tenant.key.get("/v1/contacts").expect(200);
    let identity = text(&contacts["contacts"][0]["identities"][0], "id");
    let path = format!("/v1/conversations/{}/messages", identity.replace("idn_", "cnv_"));
    let page = line.tenant.key.get(&path).expect(200);
    let messages = page["messages"].as_array().unwrap();
    text(messages.iter().find(|message| message["channelMessageId"] == provider_id).unwrap(), "id")
}

#[test]
fn a_file_is_uploaded_once_and_sent_by_its_id() {
    let Some(line) = Line::new(|asked, _| {
        if asked.path.contains("/media") { Told::json(200, &json!({"id": "1234567890"})) } else { accepted() }
    }) else {
        return;
    };
    let phone = unique::phone();
    line.customer_writes(&phone);
    let id = upload(&line.tenant.key, "dot.png", "image/png", PNG);
    let content = json!({"type": "media", "media": {"mediaId": id, "caption": "A dot"}});
    let accepted = line.tenant.key.post("/v1/messages", to(&line, &phone, &content)).expect(202);
    let media = &accepted["message"]["content"]["media"];
    assert_eq!((&media["mediaType"], &media["mimeType"]), (&json!("image"), &json!("image/png")));
    assert_eq!(media["fileSize"], json!(PNG.len()));
    for _ in 0..2 {
        let body = sent(&line, &phone, to(&line, &phone, &content));
        assert_eq!(body, json!({"type": "image", "image": {"id": "1234567890", "caption": "A dot"}}));
    }
    let uploads: Vec<_> = line.asked().into_iter().filter(|asked| asked.path.contains("/media")).collect();
    assert_eq!(uploads.len(), 1, "remembered");
    assert!(uploads[0].header("content-type").starts_with("multipart/form-data; boundary="));
    assert!(uploads[0].body.windows(PNG.len()).any(|window| window == PNG), "byte for byte");
    assert_eq!(uploads[0].header("content-length"), uploads[0].body.len().to_string());
}

#[test]
fn an_sms_goes_to_twilio_with_a_link_to_its_file() {
    let provider = Provider::answering(|_, _| {
        let sid = format!("SM{}{:017}", unique::digits(), 0);
        Told::json(201, &json!({"sid": sid, "status": "queued", "num_segments": "1", "error_code": null}))
    });
    let Some(app) = App::own(&[("twilio_base_url", &provider.url)]) else { return };
    let tenant = Tenant::new(&app);
    let account = format!("AC{}{:017}", unique::digits(), 0);
    let sms =
        json!({"provider": "twilio", "accountSid": account, "authToken": "secret", "from": ["+12025550100"]});
    let made = tenant.key.post("/v1/inboxes", json!({"sms": sms})).expect(200);
    let inbox = text(&made["inboxes"][0], "id");
    let phone = unique::phone();
    let send = |content: Value| {
        let recipient = json!({"type": "channel", "channel": "sms", "externalId": phone});
        tenant.key.post("/v1/messages", json!({"inboxId": inbox, "recipient": recipient, "content": content}))
    };
    let accepted = send(json!({"type": "text", "text": {"body": "Hi & bye é"}})).expect(202);
    let path = format!("/v1/messages/{}", text(&accepted["message"], "id"));
    wait_for("Twilio's id", std::time::Duration::from_secs(20), || {
        tenant.key.get(&path).expect(200)["message"].get("channelMessageId").cloned()
    });
    let asked = provider.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].path, format!("/2010-04-01/Accounts/{account}/Messages.json"));
    assert!(asked[0].header("authorization").starts_with("Basic "));
    let form: Vec<(String, String)> = form_urlencoded::parse(&asked[0].body).into_owned().collect();
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    assert_eq!(field("To"), Some(phone.clone()));
    assert_eq!(field("From").as_deref(), Some("+12025550100"));
    assert_eq!(field("Body").as_deref(), Some("Hi & bye é"));
    let callback = field("StatusCallback").unwrap();
    assert!(callback.ends_with(&format!("?message={}", text(&accepted["message"], "id"))), "{callback}");

    let id = upload(&tenant.key, "dot.png", "image/png", PNG);
    send(json!({"type": "media", "media": {"mediaId": id, "caption": "A dot"}})).expect(202);
    let form = wait_for("the second", std::time::Duration::from_secs(20), || {
        let asked = provider.asked().into_iter().nth(1)?;
        Some(form_urlencoded::parse(&asked.body).into_owned().collect::<Vec<(String, String)>>())
    });
    let link = form.iter().find(|(key, _)| key == "MediaUrl").map(|(_, value)| value.clone()).unwrap();
    let at = link.find("/media/").unwrap();
    assert_eq!(app.client().get(&link[at..]).body, PNG, "the provider can fetch it");

    for kind in ["template", "location", "contacts", "interactive"] {
        let content = json!({
            "type": kind, "template": {"name": "a", "language": "en"},
            "location": {"latitude": 1, "longitude": 1},
            "contacts": [{"name": {"formatted_name": "A", "first_name": "A"}}],
            "interactive": {"body": "?", "buttons": [{"id": "a", "title": "A"}]},
        });
        let refused = send(content).problem(422, "unsupportedChannel");
        assert_eq!(refused["messagingWindow"]["failureCode"], "unsupportedChannel", "{kind}");
    }
    let long = send(json!({"type": "text", "text": {"body": "x".repeat(1601)}}));
    assert_eq!(long.wrong_fields(422), ["content.text.body"]);
}

#[test]
fn a_customer_begins_on_messenger_and_instagram() {
    let tenant = Tenant::new(App::shared());
    for channel in ["messenger", "instagram"] {
        let account = unique::digits();
        let request = json!({channel: {"resourceIds": [account], "accessToken": "EAA-token"}});
        let inbox = text(&tenant.key.post("/v1/inboxes", request).expect(200)["inboxes"][0], "id");
        let refused = tenant.key.post(
            "/v1/messages",
            json!({
                "inboxId": inbox, "content": {"type": "text", "text": {"body": "Hi"}},
                "recipient": {"type": "channel", "channel": channel, "externalId": unique::digits()},
            }),
        );
        refused.problem(422, "unsupportedChannel");
    }
}
