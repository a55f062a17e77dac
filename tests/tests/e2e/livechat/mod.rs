//! `/public/api/v1`: live chat as its customers use it, in the manner of Chatwoot's Client API.

mod people;
mod texts;
mod threads;

use serde_json::{Value, json};
use tests::client::text;
use tests::{App, Client, Tenant};

/// A live-chat inbox.
pub struct Chat {
    pub tenant: Tenant,
    /// `ibx_…`
    pub inbox: String,
    pub hmac_token: String,
    /// `/public/api/v1/inboxes/<identifier>`
    pub path: String,
    /// Without a credential.
    pub client: Client,
}

/// A customer of it.
#[derive(Clone)]
pub struct Customer {
    pub client: Client,
    /// `…/contacts/<source_id>`
    pub path: String,
    pub contact: Value,
}

impl Chat {
    pub fn new(more: &Value) -> Self {
        Self::of(Tenant::new(App::shared()), App::shared(), more)
    }

    pub fn of(tenant: Tenant, app: &App, more: &Value) -> Self {
        let mut inbox = json!({"name": "Website chat"});
        inbox.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let made = tenant.key.post("/v1/inboxes", json!({"text": inbox})).expect(200)["inboxes"][0].clone();
        Chat {
            inbox: text(&made, "id"),
            hmac_token: text(&made["secrets"], "hmacToken"),
            path: format!("/public/api/v1/inboxes/{}", text(&made, "externalId")),
            client: app.client(),
            tenant,
        }
    }

    #[track_caller]
    pub fn customer(&self, contact: Value) -> Customer {
        let contact = self.client.post(&format!("{}/contacts", self.path), contact).expect(200);
        let path = format!("{}/contacts/{}", self.path, text(&contact, "source_id"));
        Customer { client: self.client.clone(), path, contact }
    }

    /// What the site of the tenant computes for a customer who is signed in there.
    pub fn hash(&self, identifier: &str) -> String {
        use hmac::{Hmac, KeyInit, Mac};
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(self.hmac_token.as_bytes()).unwrap();
        mac.update(identifier.as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }

    /// The only conversation of the tenant, as v1 shows it in a message of it.
    pub fn messages(&self, conversation: &str) -> Vec<Value> {
        let path = format!("/v1/conversations/{conversation}/messages");
        self.tenant.key.get(&path).expect(200)["messages"].as_array().unwrap().clone()
    }
}

impl Customer {
    /// Opens a conversation: its path.
    #[track_caller]
    pub fn conversation(&self) -> String {
        let path = format!("{}/conversations", self.path);
        let made = self.client.post(&path, json!({})).expect(200);
        format!("{path}/{}", made["id"])
    }

    #[track_caller]
    pub fn writes(&self, conversation: &str, content: &str) -> Value {
        self.client.post(&format!("{conversation}/messages"), json!({"content": content})).expect(200)
    }

    #[track_caller]
    pub fn reads(&self, conversation: &str) -> Vec<Value> {
        let messages = self.client.get(&format!("{conversation}/messages")).expect(200);
        messages.as_array().unwrap().clone()
    }
}
