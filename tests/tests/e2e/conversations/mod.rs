//! `/v1/conversations`: lists, details, assignment, closing, reading, and who sees what.

mod close;
mod details;
mod list;
mod read;
mod reassign;
mod unread;
mod visibility;

use serde_json::{Value, json};
use std::time::Duration;
use tests::client::text;
use tests::{App, Client, Inbox, Tenant, unique, wait_for, whatsapp};

const SOON: Duration = Duration::from_secs(10);

/// Ids of conversations that are none: not begun yet, of nobody, of another kind, nonsense.
pub fn absent(tenant: &Tenant) -> [String; 4] {
    let (contact, _) = tenant.contact("Anna");
    let contact = tenant.key.get(&format!("/v1/contacts/{contact}")).expect(200);
    let not_begun = text(&contact["identities"][0], "id").replace("idn_", "cnv_");
    let nobody = "01HV8Y7YF5J4Y7M9M7T3H3X2A1";
    [not_begun, format!("cnv_{nobody}"), format!("idn_{nobody}"), "x".into()]
}

/// A customer with a conversation.
struct Customer {
    phone: String,
    /// `cnv_…`
    conversation: String,
}

impl Customer {
    /// Somebody new writes to an inbox.
    #[track_caller]
    fn writes(app: &App, tenant: &Tenant, inbox: &Inbox, body: &str) -> Self {
        let phone = unique::phone();
        whatsapp::customer_writes(&app.client(), inbox, &phone, body);
        let digits = phone.trim_start_matches('+');
        let conversation = wait_for("the conversation", SOON, || {
            let page = tenant.key.get("/v1/conversations?pageSize=100").expect(200);
            let mut found = page["conversations"].as_array().unwrap().iter();
            found.find(|conversation| conversation["externalId"] == digits).map(|found| text(found, "id"))
        });
        Customer { phone, conversation }
    }

    /// The same customer writes again; gives the id of the message.
    #[track_caller]
    fn writes_again(&self, app: &App, tenant: &Tenant, inbox: &Inbox, body: &str) -> String {
        whatsapp::customer_writes(&app.client(), inbox, &self.phone, body);
        self.message(tenant, body)
    }

    /// The id of a message by its text; waits for it.
    #[track_caller]
    fn message(&self, tenant: &Tenant, body: &str) -> String {
        wait_for("a message", SOON, || {
            let messages = self.messages(&tenant.key);
            let found = messages.iter().find(|message| message["content"]["text"]["body"] == body);
            found.map(|message| text(message, "id"))
        })
    }

    /// The latest hundred messages, newest first.
    #[track_caller]
    fn messages(&self, client: &Client) -> Vec<Value> {
        let page = client.get(&self.path("/messages?pageSize=100")).expect(200);
        page["messages"].as_array().unwrap().clone()
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/conversations/{}{rest}", self.conversation)
    }

    /// The conversation as this caller sees it.
    #[track_caller]
    fn details(&self, client: &Client) -> Value {
        client.get(&self.path("")).expect(200)
    }

    #[track_caller]
    fn reads(&self, client: &Client, message: &str) -> Value {
        client.post(&self.path("/read"), json!({"lastMessageId": message})).expect(200)
    }

    #[track_caller]
    fn close(&self, client: &Client) -> Value {
        client.post(&self.path("/close"), json!({})).expect(200)
    }

    #[track_caller]
    fn assign(&self, client: &Client, user: &str) {
        client.post(&self.path("/reassign"), json!({"userId": user})).expect(204);
    }
}

/// The ids on all pages of a list of conversations.
#[track_caller]
fn ids(client: &Client, query: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut path = format!("/v1/conversations?{query}");
    loop {
        let page = client.get(&path).expect(200);
        ids.extend(page["conversations"].as_array().unwrap().iter().map(|one| text(one, "id")));
        match page["nextPageToken"].as_str() {
            Some(token) => path = format!("/v1/conversations?{query}&pageToken={token}"),
            None => return ids,
        }
    }
}

/// The caller's total of unread messages, and its version.
#[track_caller]
fn badge(client: &Client) -> (i64, i64) {
    let summary = client.get("/v1/users/me/unread-summary").expect(200);
    (summary["unreadCount"].as_i64().unwrap(), summary["version"].as_i64().unwrap())
}
