//! Files that customers send by MMS: their URL is the account's and redirects to a place that wants no credential.

use crate::channels::support::{SOON, wait_for_messages, wait_until};
use http::Method;
use serde_json::{Value, json};
use tests::client::text;
use tests::media::PNG;
use tests::provider::Told;
use tests::{App, Client, Provider, Tenant, unique, wait_for};

/// A tenant with an inbox at an account of Twilio that nobody else has.
struct Line {
    tenant: Tenant,
    inbox: String,
    number: String,
    account_sid: String,
    auth_token: String,
}

impl Line {
    fn new(app: &App) -> Self {
        let tenant = Tenant::new(app);
        let number = unique::phone();
        let account_sid = format!("AC{:0>32}", unique::digits());
        let auth_token = format!("sandbox-{}", unique::word());
        let request = json!({"sms": {"provider": "twilio", "from": [number], "accountSid": account_sid,
                                     "authToken": auth_token}});
        let made = tenant.key.post("/v1/inboxes", request).expect(200);
        Line { inbox: text(&made["inboxes"][0], "id"), tenant, number, account_sid, auth_token }
    }

    /// A customer sends a photo: the URL in the callback.
    fn receive(&self, app: &App, media: Value) -> String {
        let request = json!({
            "account": self.number, "from": unique::phone(), "inboxId": self.inbox, "accountSid": self.account_sid,
            "authToken": self.auth_token, "media": media,
        });
        let played = app.client().post("/sandbox/twilio/inbound", request).expect(200);
        assert_eq!(played["deliveries"][0]["status"], 200, "{played}");
        let body = text(&played, "body");
        form_urlencoded::parse(body.as_bytes())
            .find(|(name, _)| name == "MediaUrl0")
            .expect("a MediaUrl0")
            .1
            .into_owned()
    }

    /// The message that a customer sent, once its file is here.
    fn arrived(&self) -> Value {
        let message = text(&wait_for_messages(&self.tenant.key, 1)[0], "id");
        wait_until(&self.tenant.key, &message, "the file", |message| {
            message["content"]["media"]["url"].is_string()
        })
    }

    fn basic(&self, client: &Client, password: &str) -> Client {
        use base64::Engine as _;
        let pair = format!("{}:{password}", self.account_sid);
        let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
        client.with("authorization", &format!("Basic {encoded}"))
    }
}

fn png() -> Value {
    use base64::Engine as _;
    let data = base64::engine::general_purpose::STANDARD.encode(PNG);
    json!({"kind": "image", "caption": "see photo", "data": data})
}

#[test]
fn a_photo_arrives_in_the_conversation() {
    let app = App::shared();
    let line = Line::new(app);
    line.receive(app, png());
    let message = line.arrived();
    let media = &message["content"]["media"];
    assert_eq!(
        (&media["caption"], &media["mimeType"]),
        (&json!("see photo"), &json!("image/png")),
        "{media}"
    );
    assert_eq!(media["fileSize"], PNG.len(), "{media}");
    let file = line.tenant.key.get(&text(media, "url"));
    assert_eq!((file.status, file.header("content-type"), file.body.as_slice()), (200, "image/png", PNG));
}

#[test]
fn the_sandbox_asks_for_the_account_and_redirects_to_where_nobody_is_asked() {
    let app = App::shared();
    let line = Line::new(app);
    let url = line.receive(app, png());
    let path = &url[url.find("/sandbox/").expect("a path of the sandbox")..];
    let get = |client: &Client, path: &str| client.raw(&Method::GET, path, None, b"").unwrap();
    let anonymous = app.client();
    let owner = line.basic(&anonymous, &line.auth_token);
    for stranger in [&anonymous, &line.basic(&anonymous, "guess"), &anonymous.bearer(&line.auth_token)] {
        let refused = get(stranger, path);
        assert_eq!((refused.status, &refused.json()["code"]), (401, &json!(20_003)), "{refused}");
        assert!(refused.header("www-authenticate").starts_with("Basic"), "{refused}");
    }
    let another = Line::new(app);
    assert_eq!(get(&another.basic(&anonymous, &another.auth_token), path).status, 401, "another account");
    for unknown in [path.replace("/Media/ME", "/Media/ME0"), path.replace("/Messages/MM", "/Messages/MM0")] {
        assert_eq!(get(&owner, &unknown).status, 404, "{unknown}");
    }
    let redirected = get(&owner, path);
    assert_eq!((redirected.status, redirected.body.len()), (307, 0), "{redirected}");
    let to = redirected.header("location");
    let to = &to[to.find("/sandbox/files/").expect("another place")..];
    let bytes = get(&anonymous, to);
    assert_eq!((bytes.status, bytes.body.as_slice()), (200, PNG));
    let leaked = get(&owner, to);
    assert_eq!(leaked.status, 400, "a credential came along: {leaked}");
}

#[test]
fn credentials_go_to_the_providers_own_host_only() {
    let elsewhere = Provider::answering(|_, _| Told { body: PNG.to_vec(), ..Told::text(200, "") });
    let location = format!("{}/cdn/photo?Signature=abc", elsewhere.url);
    let provider = Provider::answering(move |_, _| Told::text(307, "").with("location", &location));
    let Some(app) = App::own(&[("twilio_base_url", &provider.url)]) else { return };
    let line = Line::new(&app);
    let path = format!("/2010-04-01/Accounts/{}/Messages/MM1/Media/ME1", line.account_sid);
    line.receive(
        &app,
        json!({"kind": "image", "mimeType": "image/png", "url": format!("{}{path}", provider.url)}),
    );
    line.arrived();
    let asked = provider.asked();
    assert_eq!((asked.len(), asked[0].path.as_str()), (1, path.as_str()));
    assert!(asked[0].header("authorization").starts_with("Basic "), "the account is asked for");
    let followed = elsewhere.asked();
    assert_eq!((followed.len(), followed[0].path.as_str()), (1, "/cdn/photo?Signature=abc"));
    for (name, value) in &followed[0].headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        assert!(!value.contains("Basic") && !value.contains(&line.auth_token), "{name}: {value} came along");
    }

    // A URL on another host gets no credential, and no call.
    let line = Line::new(&app);
    line.receive(&app, json!({"kind": "image", "url": format!("{}{path}", elsewhere.url)}));
    let message = wait_for_messages(&line.tenant.key, 1)[0].clone();
    let record = format!("/v1/media/{}", text(&message["content"]["media"], "mediaId"));
    let failed = wait_for("the failure", SOON, || {
        Some(line.tenant.key.get(&record).expect(200)).filter(|file| file["state"] == "failed")
    });
    assert!(text(&failed, "failureReason").contains("address"), "{failed}");
    assert_eq!(elsewhere.asked().len(), 1, "nothing more was asked there");
}

#[test]
fn a_file_that_its_account_does_not_get_yet_comes_later() {
    let provider = Provider::answering(|_, number| match number {
        0 => Told::json(401, &json!({"code": 20_003, "message": "Authenticate", "status": 401})),
        _ => Told { body: PNG.to_vec(), ..Told::text(200, "") },
    });
    let Some(app) = App::own(&[("twilio_base_url", &provider.url)]) else { return };
    let line = Line::new(&app);
    line.receive(&app, json!({"kind": "image", "url": format!("{}/photo", provider.url)}));
    line.arrived();
    assert_eq!(provider.asked().len(), 2);
}
