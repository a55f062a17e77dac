//! `POST /v1/messages`: who can be written to, and what.

use serde_json::{Value, json};
use tests::client::text;
use tests::tenant::template_to;
use tests::{App, Tenant, unique, wait_for, whatsapp};

fn template() -> Value {
    json!({"type": "template", "template": {"name": "order_ready", "language": "en"}})
}

#[test]
fn a_template_opens_a_conversation_with_a_new_contact() {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let sent = tenant.key.post("/v1/messages", template_to(&inbox, "+48123456789")).expect(202);
    insta::assert_json_snapshot!(sent, {
        ".message.id" => "[id]", ".message.createdAt" => "[time]", ".message.updatedAt" => "[time]",
        ".message.tenantId" => "[tenant]", ".message.conversationId" => "[conversation]",
        ".message.sessionId" => "[session]", ".message.senderId" => "[service account]",
        ".message.seq" => "[seq]", ".conversation.id" => "[conversation]", ".conversation.inboxId" => "[inbox]",
        ".conversation.contactId" => "[contact]", ".conversation.lastMessageAt" => "[time]",
    }, @r#"
    {
      "conversation": {
        "channel": "whatsapp",
        "contactId": "[contact]",
        "externalId": "48123456789",
        "id": "[conversation]",
        "inboxId": "[inbox]",
        "lastMessageAt": "[time]",
        "lastMessagePreview": "order_ready",
        "lastMessageSender": "user"
      },
      "message": {
        "content": {
          "template": {
            "language": "en",
            "name": "order_ready"
          },
          "type": "template"
        },
        "conversationId": "[conversation]",
        "createdAt": "[time]",
        "deliveryStatus": "pending",
        "id": "[id]",
        "senderId": "[service account]",
        "senderType": "user",
        "seq": "[seq]",
        "sessionId": "[session]",
        "tenantId": "[tenant]",
        "updatedAt": "[time]"
      }
    }
    "#);
    assert_eq!(sent["message"]["tenantId"], json!(tenant.id));
    assert_eq!(sent["message"]["senderId"], json!(tenant.service_account));
    assert_eq!(sent["message"]["conversationId"], sent["conversation"]["id"]);
    assert_eq!(sent["conversation"]["inboxId"], json!(inbox.id));
    let contact = text(&sent["conversation"], "contactId");
    let contact = tenant.key.get(&format!("/v1/contacts/{contact}")).expect(200);
    assert_eq!(contact["identities"][0]["metadata"], json!({"phoneNumber": "+48123456789"}));
    let identity = text(&contact["identities"][0], "id");
    assert_eq!(text(&sent["conversation"], "id"), identity.replace("idn_", "cnv_"), "one ulid for both");
}

#[test]
fn plus_and_digits_are_the_same_address() {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let with = tenant.send_template(&inbox, "+48123456789");
    let without = tenant.send_template(&inbox, "48123456789");
    assert_eq!(with["conversation"]["id"], without["conversation"]["id"]);
    assert_eq!(with["message"]["sessionId"], without["message"]["sessionId"]);
}

#[test]
fn a_contact_and_a_conversation_are_recipients_too() {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let (contact, _) = tenant.contact("Anna");
    let to_contact = json!({"recipient": {"type": "contact", "contactId": contact}, "content": template()});
    let first = tenant.key.post("/v1/messages", to_contact).expect(202);
    assert_eq!(first["conversation"]["contactId"], json!(contact));
    assert_eq!(first["conversation"]["contactName"], "Anna");
    assert_eq!(first["conversation"]["inboxId"], json!(inbox.id), "the tenant has one inbox");
    let conversation = text(&first["conversation"], "id");
    let to_conversation =
        json!({"recipient": {"type": "conversation", "conversationId": conversation}, "content": template()});
    let second = tenant.key.post("/v1/messages", to_conversation).expect(202);
    assert_eq!(second["conversation"]["id"], json!(conversation));
    let path = format!("/v1/conversations/{conversation}/messages");
    let third = tenant.key.post(&path, json!({"content": template()})).expect(202);
    assert_eq!(third["conversation"]["id"], json!(conversation));
}

#[test]
fn a_person_sends_under_its_own_name() {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let agent = tenant.agent();
    let sent = agent.client.post("/v1/messages", template_to(&inbox, &unique::phone())).expect(202);
    assert_eq!(sent["message"]["senderType"], "user");
    assert_eq!(sent["message"]["senderId"], json!(agent.id));
}

#[test]
fn the_first_message_to_an_address_needs_an_inbox() {
    let tenant = Tenant::new(App::shared());
    tenant.inbox();
    let mut request = template_to(&tenant.inbox(), &unique::phone());
    request.as_object_mut().unwrap().remove("inboxId");
    let refused = tenant.key.post("/v1/messages", request).problem(422, "inboxRequired");
    assert_eq!(refused["messagingWindow"]["failureCode"], "inboxRequired");
    assert_eq!(tenant.key.get("/v1/contacts").expect(200)["contacts"], json!([]), "nothing half-made stays");
}

#[test]
fn a_contact_without_an_address_cannot_be_written_to() {
    let tenant = Tenant::new(App::shared());
    tenant.inbox();
    let contact = text(&tenant.key.post("/v1/contacts", json!({"name": "Anna"})).expect(201), "id");
    let request = json!({"recipient": {"type": "contact", "contactId": contact}, "content": template()});
    assert_eq!(tenant.key.post("/v1/messages", request).wrong_fields(422), ["recipient.contactId"]);
}

#[test]
fn the_things_of_another_tenant_do_not_exist() {
    let (tenant, other) = (Tenant::new(App::shared()), Tenant::new(App::shared()));
    let (own, theirs) = (tenant.inbox(), other.inbox());
    let (contact, phone) = other.contact("Theirs");
    let conversation = text(&other.send_template(&theirs, &phone)["conversation"], "id");
    let send = |inbox: &str, recipient: Value| {
        tenant
            .key
            .post("/v1/messages", json!({"inboxId": inbox, "recipient": recipient, "content": template()}))
    };
    let to_contact = |id: &str| json!({"type": "contact", "contactId": id});
    send(&own.id, to_contact(&contact)).problem(404, "contact_not_found");
    let to_conversation = json!({"type": "conversation", "conversationId": conversation});
    send(&own.id, to_conversation).problem(404, "conversation_not_found");
    let path = format!("/v1/conversations/{conversation}/messages");
    tenant.key.post(&path, json!({"content": template()})).problem(404, "conversation_not_found");
    let (mine, _) = tenant.contact("Mine");
    let foreign = send(&theirs.id, to_contact(&mine));
    let missing = send("ibx_01HV8Y4QH7C8H1K5K0C8A2B9E4", to_contact(&mine));
    assert_eq!(foreign.wrong_fields(422), ["inboxId"]);
    assert_eq!(foreign.status, missing.status);
}

#[test]
fn wrong_requests_name_their_fields() {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let with = |name: &str, value: Value| {
        let mut request = template_to(&inbox, "+48123456789");
        request[name] = value;
        tenant.key.post("/v1/messages", request).wrong_fields(422)
    };
    let text = |body: &str| json!({"type": "text", "text": {"body": body}});
    assert_eq!(with("content", text("")), ["content.text.body"]);
    assert_eq!(with("content", text(&"x".repeat(4097))), ["content.text.body"]);
    let language = json!({"type": "template", "template": {"name": "x", "language": ""}});
    assert_eq!(with("content", language), ["content.template.language"]);
    let whom = |channel: &str, id: &str| json!({"type": "channel", "channel": channel, "externalId": id});
    assert_eq!(with("recipient", whom("whatsapp", "not a number")), ["recipient.externalId"]);
    assert_eq!(with("recipient", whom("fax", "1")), ["recipient.channel"]);
    for unknown in [json!({"type": "fax"}), json!({}), json!("text"), Value::Null] {
        assert_eq!(with("content", unknown.clone()).len(), 1, "{unknown}");
        assert_eq!(with("recipient", unknown.clone()).len(), 1, "{unknown}");
    }
    assert_eq!(tenant.key.get("/v1/contacts").expect(200)["contacts"], json!([]));
}

#[test]
fn messages_to_one_person_go_out_in_order() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let phone = unique::phone();
    let accepted: Vec<String> =
        (0..10).map(|_| text(&tenant.send_template(&inbox, &phone)["message"], "id")).collect();
    let sent = wait_for("all to be sent", std::time::Duration::from_secs(10), || {
        let sends = whatsapp::sends(&app.client(), &inbox);
        (sends.len() == accepted.len()).then_some(sends)
    });
    let references: Vec<String> = sent.iter().rev().map(|send| text(send, "reference")).collect();
    assert_eq!(references, accepted);
}
