//! Archiving, deleting and erasing contacts, and what that means for their conversations.

use crate::livechat::Chat;
use serde_json::{Value, json};
use std::time::Duration;
use tests::client::text;
use tests::tenant::{template_to, text_to};
use tests::{App, Inbox, Receiver, Tenant, unique, wait_for, whatsapp};

const SOON: Duration = Duration::from_secs(10);

fn ids(tenant: &Tenant, query: &str) -> Vec<String> {
    let page = tenant.key.get(&format!("/v1/contacts?{query}")).expect(200);
    page["contacts"].as_array().unwrap().iter().map(|contact| text(contact, "id")).collect()
}

/// A contact who has written: the contact's id and the conversation's.
fn with_conversation(tenant: &Tenant, inbox: &Inbox, phone: &str) -> (String, String) {
    whatsapp::customer_writes(&App::shared().client(), inbox, phone, "Hello");
    let conversation = wait_for("a conversation", SOON, || {
        let all = tenant.key.get("/v1/conversations").expect(200);
        let digits = phone.trim_start_matches('+');
        let mut all = all["conversations"].as_array().unwrap().clone().into_iter();
        all.find(|conversation| conversation["externalId"] == digits)
    });
    (text(&conversation, "contactId"), text(&conversation, "id"))
}

#[test]
fn archived_contacts_are_in_their_own_list() {
    let tenant = Tenant::new(App::shared());
    let receiver = Receiver::start();
    tenant.deliver_to(&receiver, &["contact.archived", "contact.updated"]);
    let (id, _) = tenant.contact("Anna");
    let path = format!("/v1/contacts/{id}");
    tenant.key.post(&format!("{path}/unarchive"), json!({})).problem(409, "contact_not_archived");
    tenant.key.post(&format!("{path}/archive"), json!({})).expect(204);
    tenant.key.post(&format!("{path}/archive"), json!({})).problem(409, "contact_already_archived");
    assert_eq!((ids(&tenant, ""), ids(&tenant, "archived=true")), (vec![], vec![id.clone()]));
    assert!(tenant.key.get(&path).expect(200)["archivedAt"].is_string());
    assert_eq!(ids(&tenant, "archived=true&search=ann"), std::slice::from_ref(&id));
    tenant.key.post(&format!("{path}/unarchive"), json!({})).expect(204);
    assert_eq!((ids(&tenant, ""), ids(&tenant, "archived=true")), (vec![id.clone()], vec![]));
    assert!(tenant.key.get(&path).expect(200)["archivedAt"].is_null());
    receiver.wait_for("contact.archived", SOON);
    receiver.wait_for("contact.updated", SOON);
}

#[test]
fn an_archived_contact_who_writes_is_active_again() {
    let tenant = Tenant::new(App::shared());
    let (inbox, phone) = (tenant.inbox(), unique::phone());
    let (contact, _) = with_conversation(&tenant, &inbox, &phone);
    tenant.key.post(&format!("/v1/contacts/{contact}/archive"), json!({})).expect(204);
    // Writing to them changes nothing.
    tenant.key.post("/v1/messages", text_to(&inbox, &phone, "Hi")).expect(202);
    assert_eq!(ids(&tenant, "archived=true"), std::slice::from_ref(&contact));
    whatsapp::customer_writes(&App::shared().client(), &inbox, &phone, "Still here");
    wait_for("the contact to be active", SOON, || (ids(&tenant, "") == [contact.clone()]).then_some(()));
    assert_eq!(ids(&tenant, "archived=true"), Vec::<String>::new());
}

#[test]
fn a_deleted_contact_is_gone_everywhere_and_comes_back_as_somebody_new() {
    let tenant = Tenant::new(App::shared());
    let (inbox, phone) = (tenant.inbox(), unique::phone());
    let (contact, conversation) = with_conversation(&tenant, &inbox, &phone);
    let path = format!("/v1/contacts/{contact}");
    let scheduled = json!({"inboxId": inbox.id, "content": {"type": "text", "text": {"body": "later"}},
        "sendAt": unique::time_in(2000)});
    let later = tenant.key.post(&format!("/v1/conversations/{conversation}/messages"), scheduled).expect(202);
    tenant.key.delete(&path).expect(204);
    for method in [http::Method::GET, http::Method::DELETE] {
        tenant.key.send(method, &path, None).problem(404, "contact_not_found");
    }
    for end in ["archive", "unarchive"] {
        tenant.key.post(&format!("{path}/{end}"), json!({})).problem(404, "contact_not_found");
    }
    tenant.key.patch(&path, json!({"name": "x"})).problem(404, "contact_not_found");
    tenant.key.get(&format!("/v1/conversations/{conversation}")).problem(404, "conversation_not_found");
    assert_eq!(tenant.key.get("/v1/conversations").expect(200)["conversations"], json!([]));
    let recipient = json!({"inboxId": inbox.id, "recipient": {"type": "contact", "contactId": contact},
        "content": {"type": "text", "text": {"body": "x"}}});
    tenant.key.post("/v1/messages", recipient).problem(404, "contact_not_found");
    std::thread::sleep(Duration::from_secs(3));
    let bodies: Vec<Value> =
        whatsapp::sends(&App::shared().client(), &inbox).iter().map(|send| send["body"].clone()).collect();
    assert!(bodies.is_empty(), "{} was sent: {bodies:?}", text(&later["message"], "id"));
    whatsapp::customer_writes(&App::shared().client(), &inbox, &phone, "Me again");
    wait_for("a new contact", SOON, || {
        let found = ids(&tenant, "");
        (found.len() == 1 && found[0] != contact).then_some(())
    });
}

#[test]
fn the_number_of_a_deleted_contact_is_free() {
    let tenant = Tenant::new(App::shared());
    let (id, phone) = tenant.contact("First");
    tenant.key.delete(&format!("/v1/contacts/{id}")).expect(204);
    let second = tenant.key.post("/v1/contacts", json!({"name": "Second", "phone": phone})).expect(201);
    assert_eq!(second["identities"][0]["metadata"]["phoneNumber"], json!(phone));
}

#[test]
fn an_erased_person_leaves_nothing() {
    let tenant = Tenant::new(App::shared());
    let (inbox, phone) = (tenant.inbox(), unique::phone());
    let (contact, conversation) = with_conversation(&tenant, &inbox, &phone);
    let messages = tenant.key.get(&format!("/v1/conversations/{conversation}/messages")).expect(200);
    let message = text(&messages["messages"][0], "id");
    let path = format!("/v1/contacts/{contact}?erase=true");
    tenant.agent().client.delete(&path).problem(403, "auth_authz_contact_erase_denied");
    assert_eq!(
        tenant.key.delete(&format!("/v1/contacts/{contact}?erase=maybe")).wrong_fields(400),
        ["erase"]
    );
    tenant.key.delete(&path).expect(204);
    tenant.key.delete(&path).problem(404, "contact_not_found");
    tenant.key.get(&format!("/v1/contacts/{contact}")).problem(404, "contact_not_found");
    let digits = phone.trim_start_matches('+');
    assert_eq!(ids(&tenant, &format!("search={digits}")), Vec::<String>::new());
    // Whoever has the number next is told nothing of it.
    let new = tenant.key.post("/v1/contacts", json!({"phone": phone})).expect(201);
    let sent = tenant.key.post("/v1/messages", template_to(&inbox, &phone)).expect(202);
    assert_eq!(sent["conversation"]["contactId"], new["id"]);
    assert_ne!(text(&sent["conversation"], "id"), conversation);
    wait_for("the message to be erased", SOON, || {
        let answer = tenant.key.get(&format!("/v1/messages/{message}"));
        let gone = answer.status == 404 || answer.json()["message"]["content"]["type"] == "deleted";
        gone.then_some(())
    });
}

#[test]
fn what_was_deleted_can_be_erased_still() {
    let tenant = Tenant::new(App::shared());
    let (id, _) = tenant.contact("Anna");
    tenant.key.delete(&format!("/v1/contacts/{id}")).expect(204);
    tenant.key.delete(&format!("/v1/contacts/{id}?erase=true")).expect(204);
    tenant.key.delete(&format!("/v1/contacts/{id}?erase=true")).problem(404, "contact_not_found");
}

#[test]
fn all_messages_of_an_erased_person_are_emptied() {
    let Some(app) = App::own(&[]) else { return };
    let chat = Chat::of(Tenant::new(&app), &app, &json!({}));
    let key = &chat.tenant.key;
    // Two conversations of one person, each longer than what is emptied at once.
    for name in ["Anna", "Anna again"] {
        let customer = chat.customer(json!({"name": name}));
        customer.writes(&customer.conversation(), "Hello");
        let to = text(&customer.contact, "source_id");
        for number in 0..230 {
            let request = json!({
                "inboxId": chat.inbox,
                "recipient": {"type": "channel", "channel": "text", "externalId": to},
                "content": {"type": "text", "text": {"body": number.to_string()}},
            });
            key.post("/v1/messages", request).expect(202);
        }
    }
    let both = ids(&chat.tenant, "orderDirection=asc");
    key.post(&format!("/v1/contacts/{}/merge", both[0]), json!({"contactId": both[1]})).expect(200);
    key.delete(&format!("/v1/contacts/{}?erase=true", both[0])).expect(204);
    let database = rusqlite::Connection::open(app.process.as_ref().unwrap().database()).unwrap();
    let number = |sql: &str| database.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    wait_for("the end of the job", Duration::from_secs(30), || {
        (number("SELECT count(*) FROM jobs WHERE kind = 'erase_contact'") == 0).then_some(())
    });
    assert_eq!(number("SELECT count(*) FROM messages"), 462);
    assert_eq!(number("SELECT count(*) FROM messages WHERE content ->> 'type' <> 'deleted'"), 0);
}
