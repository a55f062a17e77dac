//! Messenger and Instagram: what the provider receives, by how long ago the customer wrote.

use serde_json::{Value, json};
use std::time::Duration;
use tests::client::text;
use tests::media::{PNG, upload};
use tests::provider::{Asked, Told};
use tests::{App, Provider, Tenant, unique, wait_for, whatsapp};

const SECRET: &str = "meta-app-secret-of-this-test";
const SOON: Duration = Duration::from_secs(40);
const HOUR: i64 = 3600;

struct Social {
    app: App,
    tenant: Tenant,
    provider: Provider,
    channel: &'static str,
    account: String,
    inbox: String,
}

impl Social {
    fn new(channel: &'static str) -> Option<Self> {
        let provider = Provider::answering(|_, _| {
            Told::json(200, &json!({"recipient_id": "1", "message_id": format!("m_{}", unique::word())}))
        });
        let base = if channel == "messenger" { "messenger_base_url" } else { "instagram_base_url" };
        let app = App::own(&[(base, &provider.url), ("meta_app_secret", SECRET)])?;
        let tenant = Tenant::new(&app);
        let account = unique::digits();
        let login = if channel == "instagram" { json!("instagram") } else { Value::Null };
        let mut request = json!({"resourceIds": [account], "accessToken": "EAA-token"});
        if !login.is_null() {
            request["login"] = login;
        }
        let made = tenant.key.post("/v1/inboxes", json!({channel: request})).expect(200);
        let inbox = text(&made["inboxes"][0], "id");
        Some(Social { app, tenant, provider, channel, account, inbox })
    }

    /// A customer wrote so many seconds ago: their id.
    fn customer(&self, seconds_ago: i64) -> String {
        let person = unique::digits();
        let at = (whatsapp::now() - seconds_ago) * 1000;
        let object = if self.channel == "messenger" { "page" } else { "instagram" };
        let body = json!({"object": object, "entry": [{"id": self.account, "time": at, "messaging": [{
            "sender": {"id": person}, "recipient": {"id": self.account}, "timestamp": at,
            "message": {"mid": format!("m_{}", unique::word()), "text": "Hello"}}]}]});
        let body = body.to_string();
        let client =
            self.app.client().with("x-hub-signature-256", &whatsapp::signature(SECRET, body.as_bytes()));
        let path = format!("/channels/{}", self.channel);
        let answer =
            client.raw(&http::Method::POST, &path, Some("application/json"), body.as_bytes()).unwrap();
        assert_eq!(answer.status, 200, "{answer}");
        wait_for("the customer's message", SOON, || {
            let contacts = self.tenant.key.get("/v1/contacts").expect(200).to_string();
            contacts.contains(&person).then_some(())
        });
        person
    }

    fn send(&self, person: &str, content: Value) -> tests::Answer {
        let recipient = json!({"type": "channel", "channel": self.channel, "externalId": person});
        let request = json!({"inboxId": self.inbox, "recipient": recipient, "content": content});
        self.tenant.key.post("/v1/messages", request)
    }

    /// Sends, waits until it is sent, and gives the message and what came to the provider.
    fn sent(&self, person: &str, content: Value) -> (Value, Asked) {
        let accepted = self.send(person, content).expect(202)["message"].clone();
        let path = format!("/v1/messages/{}", text(&accepted, "id"));
        let message = wait_for("the message to be sent", SOON, || {
            let message = self.tenant.key.get(&path).expect(200)["message"].clone();
            (message["deliveryStatus"] == "sent").then_some(message)
        });
        (message, self.provider.asked().pop().unwrap())
    }
}

fn words(body: &str) -> Value {
    json!({"type": "text", "text": {"body": body}})
}

#[test]
fn messenger_gets_texts_files_quick_replies_and_reactions() {
    let Some(social) = Social::new("messenger") else { return };
    let person = social.customer(0);
    let (message, asked) = social.sent(&person, words("Hi"));
    let path = asked.path.split('?').next().unwrap_or_default();
    assert!(path.ends_with(&format!("/{}/messages", social.account)), "{path}");
    assert_eq!(
        asked.json(),
        json!({
            "recipient": {"id": person}, "messaging_type": "RESPONSE",
            "message": {"text": "Hi", "metadata": message["id"]},
        })
    );
    let id = upload(&social.tenant.key, "dot.png", "image/png", PNG);
    let (_, asked) = social.sent(&person, json!({"type": "media", "media": {"mediaId": id}}));
    let attachment = asked.json()["message"]["attachment"].clone();
    assert_eq!(attachment["type"], "image");
    let link = text(&attachment["payload"], "url");
    assert_eq!(social.app.client().get(&link[link.find("/media/").unwrap()..]).body, PNG);

    let buttons = json!([{"id": "am", "title": "Morning"}]);
    let question = json!({"type": "interactive", "interactive": {"body": "When?", "buttons": buttons}});
    let (_, asked) = social.sent(&person, question);
    let replies = json!([{"content_type": "text", "title": "Morning", "payload": "am"}]);
    assert_eq!(asked.json()["message"]["quick_replies"], replies);

    let path = format!("/v1/messages/{}/reactions", text(&message, "id"));
    social.tenant.key.post(&path, json!({"emoji": "👍"})).expect(200);
    let told = wait_for("the reaction", SOON, || {
        Some(social.provider.asked().pop()?.json()).filter(|body| body["sender_action"] == "react")
    });
    assert_eq!(told["payload"]["message_id"], message["channelMessageId"]);

    let caption = json!({"type": "media", "media": {"mediaId": id, "caption": "x"}});
    assert_eq!(social.send(&person, caption).wrong_fields(422), ["content.media.caption"]);
    assert_eq!(social.send(&person, words(&"x".repeat(2000))).wrong_fields(422), ["content.text.body"]);
    let template = json!({"type": "template", "template": {"name": "a", "language": "en"}});
    social.send(&person, template).problem(422, "unsupportedChannel");
}

#[test]
fn a_person_answers_within_seven_days_with_the_tag() {
    for channel in ["messenger", "instagram"] {
        let Some(social) = Social::new(channel) else { return };
        let (_, asked) = social.sent(&social.customer(HOUR), words("Hi"));
        assert!(asked.json().get("tag").is_none(), "inside 24 hours: {}", asked.json());
        let (_, asked) = social.sent(&social.customer(25 * HOUR), words("Hi"));
        assert_eq!(asked.json()["messaging_type"], "MESSAGE_TAG");
        assert_eq!(asked.json()["tag"], "HUMAN_AGENT");
        let late = social.send(&social.customer(8 * 24 * HOUR), words("Hi"));
        let late = late.problem(409, "messagingWindowClosed");
        assert_eq!(late["messagingWindow"]["forActor"], "AGENT");
    }
}

#[test]
fn instagram_counts_bytes_and_knows_no_quotes() {
    let Some(social) = Social::new("instagram") else { return };
    let person = social.customer(0);
    let (message, asked) = social.sent(&person, words(&"é".repeat(500)));
    assert_eq!(asked.json()["message"]["text"], json!("é".repeat(500)));
    assert_eq!(asked.json()["recipient"], json!({"id": person}));
    assert_eq!(social.send(&person, words(&"é".repeat(501))).wrong_fields(422), ["content.text.body"]);
    let recipient = json!({"type": "channel", "channel": "instagram", "externalId": person});
    let quoting = social.tenant.key.post(
        "/v1/messages",
        json!({"inboxId": social.inbox, "recipient": recipient, "content": words("Hi"), "replyToMessageId": message["id"]}),
    );
    quoting.problem(422, "unsupportedChannel");
}
