//! A tenant with one of everything, for paths and bodies that name things.

use serde_json::{Value, json};
use std::sync::OnceLock;
use tests::client::text;
use tests::{App, Inbox, Tenant, imports, media, unique, wait_for, whatsapp};

pub struct World {
    pub tenant: Tenant,
    pub inbox: Inbox,
    pub contact: String,
    pub phone: String,
    pub conversation: String,
    pub message: String,
    pub session: String,
    /// An uploaded file; its bytes are JSON.
    pub media: String,
    /// A team that nothing is routed to, with the owner in it.
    pub team: String,
    /// To be deleted by whoever wants to.
    pub service_account: String,
    /// A key of it.
    pub api_key: String,
    /// A custom field of contacts whose id no other world has, and one of properties.
    pub fields: [String; 2],
    /// A tag that no contact has.
    pub tag: String,
    /// An import of contacts.
    pub import: String,
    /// An open invitation to be an agent.
    pub invitation: String,
    /// A plain member; made with the first use.
    member: OnceLock<tests::Person>,
    /// A merge of two contacts; made with the first use.
    merge: OnceLock<String>,
    /// A webhook endpoint; made with the first use.
    endpoint: OnceLock<String>,
}

impl World {
    pub fn new(app: &App) -> Self {
        let tenant = Tenant::new(app);
        let inbox = tenant.inbox();
        let (contact, phone) = tenant.contact("Anna Kowalska");
        // Those that the examples name, then those for paths.
        tenant.fields(&["Lifecycle stage", "Preferred store"]);
        let field = json!({"name": unique::word(), "type": "text"});
        let fields = ["contacts", "properties"].map(|of| {
            text(&tenant.key.post(&format!("/v1/{of}/custom-fields"), field.clone()).expect(201), "id")
        });
        let sent = tenant.send_template(&inbox, &phone);
        let service =
            tenant.owner.client.post("/v1/service-accounts", json!({"name": "of the world"})).expect(200);
        let service_account = text(&service, "id");
        let team = tenant.team("of the world");
        tenant.join(&team, &tenant.owner);
        let import = imports::send(&tenant.key, b"name\n");
        let tag = tenant.tag("of the world");
        let invited = json!({"email": format!("{}@example.com", unique::word())});
        let invited = tenant.owner.client.post("/v1/users/invitations", invited).expect(201);
        let (api_key, _) = tenant.key_of(&service_account, json!({"name": "of the world"}));
        World {
            conversation: text(&sent["conversation"], "id"),
            message: text(&sent["message"], "id"),
            team,
            session: text(&sent["message"], "sessionId"),
            media: media::upload(&tenant.key, "a.json", "application/json", b"{\"a\":1}"),
            tenant,
            inbox,
            contact,
            phone,
            service_account,
            api_key,
            fields,
            tag,
            import,
            invitation: text(&invited["invitation"], "id"),
            member: OnceLock::new(),
            merge: OnceLock::new(),
            endpoint: OnceLock::new(),
        }
    }

    /// The contact's identity: the conversation's id says which.
    pub fn identity(&self) -> String {
        self.conversation.replace("cnv_", "idn_")
    }

    pub fn merge(&self) -> &str {
        self.merge.get_or_init(|| {
            let ((into, _), (from, _)) = (self.tenant.contact("Two"), self.tenant.contact("One"));
            let path = format!("/v1/contacts/{into}/merge");
            text(&self.tenant.key.post(&path, json!({"contactId": from})).expect(200), "mergeId")
        })
    }

    /// Nobody listens there.
    pub fn endpoint(&self) -> &str {
        self.endpoint.get_or_init(|| {
            let wanted =
                json!({"enabled": true, "url": "http://127.0.0.1:9/", "eventTypes": ["contact.updated"]});
            text(&self.tenant.key.post("/v1/webhooks/endpoints", wanted).expect(201), "id")
        })
    }

    /// An attempt: a test of a URL where nobody listens.
    pub fn attempt(&self) -> String {
        self.tenant.key.post("/v1/webhooks/verify", json!({"url": "http://127.0.0.1:9/"})).expect(200);
        let log = self.tenant.key.get("/v1/webhooks/attempts?eventType=webhook.test").expect(200);
        text(&log["attempts"][0], "id")
    }

    /// A recovery of the endpoint.
    pub fn recovery(&self) -> String {
        let wanted = json!({"since": unique::time_in(-3_600_000), "endpointId": self.endpoint()});
        text(&self.tenant.key.post("/v1/webhooks/recover", wanted).expect(200), "id")
    }

    pub fn member(&self) -> &tests::Person {
        self.member.get_or_init(|| self.tenant.person("agent"))
    }

    /// Opens the messaging window of the conversation.
    pub fn open_window(&self, app: &App) {
        whatsapp::customer_writes(&app.client(), &self.inbox, &self.phone, "Hello");
        let path = format!("/v1/conversations/{}/messages", self.conversation);
        wait_for("the customer's message", std::time::Duration::from_secs(5), || {
            (self.tenant.key.get(&path).expect(200)["messages"].as_array().unwrap().len() == 2).then_some(())
        });
    }

    /// An example with the ids of this world in place of those in the documentation.
    pub fn adapt(&self, example: &Value) -> Value {
        match example {
            Value::Object(members) => {
                members.iter().map(|(name, value)| (name.clone(), self.adapt_member(name, value))).collect()
            }
            Value::Array(members) => members.iter().map(|member| self.adapt(member)).collect(),
            Value::String(text) => json!(self.adapt_text(text)),
            other => other.clone(),
        }
    }

    fn adapt_member(&self, name: &str, value: &Value) -> Value {
        match (name, value) {
            ("user_id", Value::Number(_)) => json!(self.member().number),
            ("phoneNumberIds", Value::Array(_)) => json!([unique::digits()]),
            ("since", Value::String(_)) => json!(unique::time_in(-3_600_000)),
            ("expiresAt", Value::String(_)) => json!(unique::time_in(3_600_000)),
            ("email", Value::String(_)) => json!(self.tenant.owner.email),
            ("password", Value::String(_)) => json!(self.tenant.owner.password),
            _ => self.adapt(value),
        }
    }

    fn adapt_text(&self, text: &str) -> String {
        let own = match text.split_once('_').map(|(prefix, _)| prefix) {
            Some("tn") => &self.tenant.id,
            Some("ibx") => &self.inbox.id,
            Some("con") => &self.contact,
            Some("cnv") => &self.conversation,
            Some("msg") => &self.message,
            Some("ses") => &self.session,
            Some("tag") => &self.tag,
            Some("team") => &self.team,
            Some("svc") => &self.service_account,
            Some("key") => &self.api_key,
            Some("inv") => &self.invitation,
            Some("mda") => &self.media,
            Some("whk") => return self.endpoint().to_string(),
            Some("usr") => &self.tenant.owner.id,
            _ => return text.to_string(),
        };
        own.clone()
    }
}
