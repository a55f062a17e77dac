//! A tenant with people, keys and inboxes, all made through the API.

use crate::client::{Client, text};
use crate::{App, Receiver, unique};
use serde_json::{Value, json};
use std::sync::OnceLock;

/// A person who has signed in.
#[derive(Clone)]
pub struct Person {
    /// `usr_…`
    pub id: String,
    /// The number that the Platform API shows.
    pub number: i64,
    pub email: String,
    pub password: String,
    /// Calls with the person's token.
    pub client: Client,
    /// The token itself.
    pub token: String,
}

/// A connected WhatsApp number.
#[derive(Clone, Debug)]
pub struct Inbox {
    /// `ibx_…`
    pub id: String,
    pub phone_number_id: String,
}

/// A workspace of its own.
pub struct Tenant {
    /// `tn_…`
    pub id: String,
    /// The number that the Platform API shows.
    pub account: i64,
    /// An API key with everything that the role admin allows.
    pub key: Client,
    /// The service account that the keys belong to: `svc_…`.
    pub service_account: String,
    pub owner: Person,
    platform: Client,
    anonymous: Client,
    admin: OnceLock<Person>,
    agent: OnceLock<Person>,
}

impl Tenant {
    /// A new account with an owner, a service account and a key.
    #[track_caller]
    pub fn new(app: &App) -> Self {
        let (platform, anonymous) = (app.platform(), app.client());
        let account = platform.post("/platform/api/v1/accounts", json!({"name": unique::word()})).expect(200);
        let account = account["id"].as_i64().expect("a number as id");
        let (owner, id) = person(&platform, &anonymous, account, "administrator");
        let service = owner.client.post("/v1/service-accounts", json!({"name": "tests"})).expect(200);
        let service_account = text(&service, "id");
        let mut tenant = Tenant {
            id,
            account,
            key: anonymous.clone(),
            service_account,
            owner,
            platform,
            anonymous,
            admin: OnceLock::new(),
            agent: OnceLock::new(),
        };
        tenant.key = tenant.new_key(json!({"name": "everything"})).1;
        tenant
    }

    /// The second administrator of the account: an admin.
    pub fn admin(&self) -> &Person {
        self.admin.get_or_init(|| self.person("administrator"))
    }

    pub fn agent(&self) -> &Person {
        self.agent.get_or_init(|| self.person("agent"))
    }

    /// One more member, with a role as the Platform API names it.
    #[track_caller]
    pub fn person(&self, role: &str) -> Person {
        person(&self.platform, &self.anonymous, self.account, role).0
    }

    /// One more key of the service account by this request: its id and a client that uses it.
    #[track_caller]
    pub fn new_key(&self, request: Value) -> (String, Client) {
        self.key_of(&self.service_account, request)
    }

    /// One more key of any service account of the tenant.
    #[track_caller]
    pub fn key_of(&self, service_account: &str, request: Value) -> (String, Client) {
        let path = format!("/v1/service-accounts/{service_account}/api-keys");
        let made = self.owner.client.post(&path, request).expect(200);
        (text(&made["apiKey"], "id"), self.anonymous.bearer(&text(&made, "plaintextKey")))
    }

    /// A key that may do what these scopes name and nothing else.
    #[track_caller]
    pub fn key_with(&self, scopes: &[&str]) -> Client {
        self.new_key(json!({"name": "scoped", "scopes": scopes})).1
    }

    /// A key of a new service account with this role.
    #[track_caller]
    pub fn key_as(&self, role: &str) -> Client {
        let made =
            self.owner.client.post("/v1/service-accounts", json!({"name": role, "role": role})).expect(200);
        self.key_of(&text(&made, "id"), json!({"name": role})).1
    }

    /// A key that was revoked.
    #[track_caller]
    pub fn revoked_key(&self) -> Client {
        let (id, client) = self.new_key(json!({"name": "revoked"}));
        self.owner.client.delete(&format!("/v1/api-keys/{id}")).expect(204);
        client
    }

    /// Connects a WhatsApp number that no other tenant has.
    #[track_caller]
    pub fn inbox(&self) -> Inbox {
        let phone_number_id = unique::digits();
        let request =
            json!({"whatsapp": {"resourceIds": ["123456789012345"], "phoneNumberIds": [phone_number_id]}});
        let made = self.key.post("/v1/inboxes", request).expect(200);
        Inbox { id: text(&made["inboxes"][0], "id"), phone_number_id }
    }

    /// A contact with a number of its own: its id and the number.
    #[track_caller]
    pub fn contact(&self, name: &str) -> (String, String) {
        let phone = unique::phone();
        let made = self.key.post("/v1/contacts", json!({"name": name, "phone": phone})).expect(201);
        (text(&made, "id"), phone)
    }

    /// Defines text fields for contacts: their ids.
    #[track_caller]
    pub fn fields(&self, names: &[&str]) -> Vec<String> {
        names.iter().map(|name| self.field(name, "text")).collect()
    }

    /// Defines a field for contacts: its id.
    #[track_caller]
    pub fn field(&self, name: &str, kind: &str) -> String {
        let request = json!({"name": name, "type": kind});
        text(&self.key.post("/v1/contacts/custom-fields", request).expect(201), "id")
    }

    /// A new tag: its id.
    #[track_caller]
    pub fn tag(&self, name: &str) -> String {
        text(&self.key.post("/v1/tags", json!({"name": name})).expect(201), "id")
    }

    /// A new team without agents: its id.
    #[track_caller]
    pub fn team(&self, name: &str) -> String {
        text(&self.key.post("/v1/teams", json!({"name": name})).expect(201), "id")
    }

    /// Puts somebody into a team.
    #[track_caller]
    pub fn join(&self, team: &str, person: &Person) {
        self.key.post(&format!("/v1/teams/{team}/agents"), json!({"userId": person.id})).expect(201);
    }

    /// Sends the template `order_ready` to a number: the answer's body.
    #[track_caller]
    pub fn send_template(&self, inbox: &Inbox, to: &str) -> Value {
        self.key.post("/v1/messages", template_to(inbox, to)).expect(202)
    }

    /// Has events of these types delivered to a receiver; gives the signing secret `whsec_…`.
    #[track_caller]
    pub fn deliver_to(&self, receiver: &Receiver, event_types: &[&str]) -> String {
        let request = json!({"enabled": true, "url": receiver.url, "eventTypes": event_types});
        self.key.patch("/v1/webhooks", request).expect(200);
        let keys = self.key.get("/v1/webhooks/signing-keys").expect(200);
        text(&keys["signingKeys"][0], "plaintextKey")
    }
}

/// A request that sends the template `order_ready` to a number.
pub fn template_to(inbox: &Inbox, to: &str) -> Value {
    json!({
        "inboxId": inbox.id,
        "recipient": {"type": "channel", "channel": "whatsapp", "externalId": to},
        "content": {"type": "template", "template": {"name": "order_ready", "language": "en"}},
    })
}

/// A request that sends a text to a number.
pub fn text_to(inbox: &Inbox, to: &str, body: &str) -> Value {
    json!({
        "inboxId": inbox.id,
        "recipient": {"type": "channel", "channel": "whatsapp", "externalId": to},
        "content": {"type": "text", "text": {"body": body}},
    })
}

/// Makes a user, adds it to the account, signs in: the person and the tenant's id.
#[track_caller]
fn person(platform: &Client, anonymous: &Client, account: i64, role: &str) -> (Person, String) {
    let (email, password) =
        (format!("{}@example.com", unique::word()), "Correct-horse-7-battery".to_string());
    let user = json!({"name": format!("Test {role}"), "email": email, "password": password});
    let user = platform.post("/platform/api/v1/users", user).expect(200);
    let number = user["id"].as_i64().expect("a number as id");
    let path = format!("/platform/api/v1/accounts/{account}/account_users");
    platform.post(&path, json!({"user_id": number, "role": role})).expect(200);
    let session = anonymous.post("/v1/auth/sessions", json!({"email": email, "password": password}));
    let session = if session.status == 201 { session.expect(201) } else { session.expect(200) };
    let token = text(&session, "token");
    let id = text(&session["user"], "id");
    let person = Person { id, number, email, password, client: anonymous.bearer(&token), token };
    (person, text(&session, "tenantId"))
}
