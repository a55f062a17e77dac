//! `POST /{version}/{page-id}/messages` of Messenger and Instagram (channels sections 4.1 and 5.1).

use super::events::{self, APP_ID, Echoed};
use super::message::{self, Action, Reach};
use crate::credentials::{self, OPEN, parameter};
use crate::delivery;
use crate::graph::{self, Error, check_version};
use crate::ids;
use crate::json::Node;
use crate::provider::Provider;
use crate::recipients::{self, Behaviour};
use crate::steps::{self, Failures, Step};
use crate::store::accounts::{self, Settings};
use crate::store::callbacks::Planned;
use crate::store::media::{self, Media};
use crate::store::people;
use crate::store::sends::{self, Send};
use crate::target::{self, Target};
use axum::Json as Answer;
use common::input::Raw;
use common::time::Timestamp;
use common::{Problem, db};
use http::{HeaderMap, Uri, header};
use serde_json::{Value, json};
use std::time::Duration;

/// How long after a person's last message one may answer, and how long with a tag (channels section 4.2).
const WINDOW: Duration = Duration::from_secs(24 * 60 * 60);
const TAG_WINDOW: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How long an attachment id is known.
const KEEP_ATTACHMENT: Duration = Duration::from_secs(90 * 24 * 60 * 60);

pub const DESCRIPTION: &str = "\
The Send API, for development: the adapter's base URL is `/sandbox/messenger` or `/sandbox/instagram`. Errors have the \
provider's shape. `account` is the Page or Instagram account; `me` stands for the one in a token `sandbox-{account}`. \
For Instagram through a linked Page, the mode `linkedAccount` of the Page names the Instagram account that webhooks show.

A person exists once they have written (`POST /sandbox/{provider}/inbound`), and for that account only: 100/2018001 \
otherwise. 24 hours after their last message only the tag `HUMAN_AGENT` gets through, up to seven days: 10/2018278. \
Retired tags answer 100. Instagram texts have at most 1000 bytes.

What was sent comes back as an echo after 50 ms (with `app_id` and `metadata` on Messenger), is delivered after 150 ms \
(Messenger only) and read after 400 ms (Messenger: a watermark; Instagram: the message). The last four digits of the \
recipient may ask for something else:

| ends with | what happens |
|---|---|
| 0001 | accepted, never any callback |
| 0002 | echo, never delivered |
| 0003 | read first, then the echo |
| 0026 | refused with 551/1545041: cannot receive now |
| 0047 | refused with 10/2018278: outside the window |
| 0056 | refused twice with 613, then accepted |
| 0429 | refused three times with 613, then accepted |
| 0500 | refused twice with 500, then accepted |
| 0190 | refused with 190: the token is not valid |
| 0610 | refused with 10/2018108: wants no messages |
| 0999 | accepted, but answered after 15 seconds; the callbacks come at once |

All others are sent, delivered where the channel tells of it, and read.";

pub const MESSAGE: &str = r#"{
  "recipient": {"id": "7301550100421234"}, "messaging_type": "RESPONSE",
  "message": {"text": "Yes, we do.", "metadata": "msg_01HV8YG6KX3Y5A2DJ95C0GX8V1"}
}"#;

pub const ACCEPTED: &str =
    r#"{"recipient_id": "7301550100421234", "message_id": "m_FixOut0000000000000000000000000001"}"#;

/// No failure comes later: these providers refuse at once.
const FAILURES: Failures = Failures { undeliverable: (551, ""), opted_out: (10, ""), window: (10, "") };

/// The account of a request: the path's, or the one that a token `sandbox-{account}` names for `me`.
pub fn account(path: &str, headers: &HeaderMap, query: &str) -> Result<String, Error> {
    if path != "me" {
        return Ok(path.to_string());
    }
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| value.split_once(' ')).map(|(_, token)| token.trim().to_string());
    let token = bearer.or_else(|| parameter(query, "access_token")).unwrap_or_default();
    let named =
        token.strip_prefix(OPEN).filter(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()));
    named.map(str::to_string).ok_or_else(|| Error::unknown_object("me"))
}

/// Checks a request to `/{version}/{path}{edge}`: its version and its credential. Answers whose it is: [`account`].
async fn authorize(
    provider: Provider,
    (version, path, edge): (&str, &str, &str),
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<String, Error> {
    check_version(version, &format!("/{version}/{path}{edge}"))?;
    let query = uri.query().unwrap_or_default();
    credentials::meta(provider, headers, query).await?;
    account(path, headers, query)
}

/// Sends a message or an action.
pub async fn send(
    provider: Provider,
    (version, path): (String, String),
    uri: Uri,
    headers: HeaderMap,
    body: Result<Raw, Problem>,
) -> Result<Answer<Value>, Error> {
    let own = authorize(provider, (&version, &path, "/messages"), &uri, &headers).await?;
    let Raw(body) = body?;
    let json = graph::json(&body)?;
    let message = message::parse(provider, &json)?;
    let behaviour = recipients::behaviour(&message.to);
    if behaviour == Behaviour::TokenError {
        return Err(Error::bad_token());
    }
    let page = db::read(|db| accounts::settings(db, provider, &own)).await?;
    let own = page.linked_account.unwrap_or(own);
    let kind = match &message.action {
        Action::Message { kind, .. } => kind.clone(),
        Action::Sender => "action".into(),
    };
    let mid = if provider == Provider::Instagram { ids::instagram_mid() } else { ids::messenger_mid() };
    let send = Send {
        id: mid,
        account: own.clone(),
        recipient: message.to.clone(),
        kind,
        body: String::from_utf8_lossy(&body).into_owned(),
        reference: json.pointer("/message/metadata").and_then(Value::as_str).map(str::to_string),
        received_at: Timestamp::now(),
        resource: None,
    };
    let target = target::meta(provider, &own).await?;
    let moments =
        db::write(|db| accept(db, provider, &message, &json, behaviour, &send, target.as_ref())).await??;
    delivery::follow(moments, send.received_at, behaviour).await?;
    if message.action == Action::Sender {
        return Ok(Answer(json!({"recipient_id": message.to})));
    }
    let mut answer = json!({"recipient_id": message.to, "message_id": send.id});
    if json.pointer("/message/attachment/payload/is_reusable").and_then(Value::as_bool) == Some(true)
        && let Some(members) = answer.as_object_mut()
    {
        members.insert("attachment_id".into(), remember(provider, &own).await?.into());
    }
    Ok(Answer(answer))
}

/// Refuses the message, or records it with all its callbacks; answers when they are due.
fn accept(
    db: &db::Db<'_>,
    provider: Provider,
    message: &message::Message,
    json: &Value,
    behaviour: Behaviour,
    send: &Send,
    target: Option<&Target>,
) -> common::Result<Result<Vec<Timestamp>, Error>> {
    let refused = |code, subcode, text| Ok(Err(Error::with_subcode(code, Some(subcode), text)));
    match behaviour {
        Behaviour::Undeliverable => return refused(551, 1_545_041, "This person isn't available right now."),
        Behaviour::OptedOut => {
            return refused(10, 2_018_108, "This person isn't receiving messages from you.");
        }
        Behaviour::WindowClosed => return refused(10, 2_018_278, OUTSIDE),
        _ => {}
    }
    let Some(known) = people::find(db, provider, &send.account, &send.recipient)? else {
        return refused(100, 2_018_001, "No matching user found");
    };
    if let Behaviour::RefusedFirst { times, refusal } = behaviour
        && people::refuses(db, provider, &send.account, &send.recipient, known.refusals, times)?
    {
        return Ok(Err(refusal.of(provider)));
    }
    let reach = if message.reach == Reach::Tag { TAG_WINDOW } else { WINDOW };
    if known.last_inbound_at.is_none_or(|last| send.received_at >= last.after(reach)) {
        return refused(10, 2_018_278, OUTSIDE);
    }
    let Action::Message { attachment_ids, .. } = &message.action else {
        sends::add(db, provider, send)?;
        return Ok(Ok(Vec::new()));
    };
    for id in attachment_ids {
        let found = media::find(db, provider, id, send.received_at)?;
        if found.is_none_or(|file| file.account != send.account) {
            return refused(100, 2_018_074, "Invalid attachment_id");
        }
    }
    sends::add(db, provider, send)?;
    let Some(target) = target else { return Ok(Ok(Vec::new())) };
    let settings = accounts::settings(db, provider, &send.account)?;
    let mut steps = steps::plan(behaviour, false, FAILURES, &settings);
    // There is no delivery receipt on Instagram.
    steps.retain(|step| provider == Provider::Messenger || step.state != "delivered");
    delivery::schedule(db, callbacks_of(target, &settings, send, json, &steps), &settings).map(Ok)
}

const OUTSIDE: &str = "This message is sent outside of allowed window.";

fn callbacks_of(
    target: &Target,
    settings: &Settings,
    send: &Send,
    json: &Value,
    steps: &[Step],
) -> Vec<Planned> {
    let events = steps.iter().map(|step| {
        let at = send.received_at.after(step.after);
        (at, event(target.provider, settings, send, json, step.state, at))
    });
    let planned = |(at, list)| {
        target.planned(events::body(target.provider, &target.account, settings.standby, list, at), at)
    };
    steps::bodies(events, settings).into_iter().map(planned).collect()
}

/// The event that tells of a state.
fn event(
    provider: Provider,
    settings: &Settings,
    send: &Send,
    json: &Value,
    state: &str,
    at: Timestamp,
) -> Node {
    let (own, person) = (send.account.as_str(), send.recipient.as_str());
    match state {
        "sent" => {
            let attachments: Option<Node> = json
                .pointer("/message/attachments")
                .cloned()
                .or_else(|| json.pointer("/message/attachment").map(|one| json!([one])))
                .and_then(|value| serde_json::from_value(value).ok());
            let echoed = Echoed {
                mid: send.id.clone(),
                text: json.pointer("/message/text").and_then(Value::as_str).map(str::to_string),
                attachments,
                app_id: Some(APP_ID),
                metadata: send.reference.clone(),
            };
            events::event(own, person, at, "message", events::echo(provider, &echoed))
        }
        "delivered" => {
            let mids = (!settings.watermark_only).then(|| vec![Node::from(&send.id)]);
            let content = crate::json::node!({"mids": mids, "watermark": at.millis()});
            events::event(person, own, at, "delivery", content)
        }
        _ if provider == Provider::Instagram => {
            events::event(person, own, at, "read", crate::json::node!({"mid": &send.id}))
        }
        _ => events::event(person, own, at, "read", crate::json::node!({"watermark": at.millis()})),
    }
}

/// Makes an attachment id known.
async fn remember(provider: Provider, account: &str) -> Result<String, Error> {
    let now = Timestamp::now();
    let file = Media {
        id: ids::digits(),
        account: account.to_string(),
        mime: "application/octet-stream".into(),
        size: 0,
        sha256: String::new(),
        expires_at: now.after(KEEP_ATTACHMENT),
        url_key: ids::url_key(),
        url_expires_at: now,
    };
    db::write(|db| media::add(db, provider, &file)).await?;
    Ok(file.id)
}

/// Takes an attachment ahead of the messages that name it.
pub async fn attachment(
    provider: Provider,
    (version, path): (String, String),
    uri: Uri,
    headers: HeaderMap,
    body: Result<Raw, Problem>,
) -> Result<Answer<Value>, Error> {
    let own = authorize(provider, (&version, &path, "/message_attachments"), &uri, &headers).await?;
    let Raw(body) = body?;
    let json = graph::json(&body)?;
    let one = json.pointer("/message/attachment");
    let one = one.ok_or_else(|| Error::parameter("The parameter message[attachment] is required"))?;
    message::attachment(provider, one, &mut Vec::new())?;
    Ok(Answer(json!({"attachment_id": remember(provider, &own).await?})))
}

/// A person's profile, or the Page's or account's own.
pub async fn node(
    provider: Provider,
    (version, id): (String, String),
    uri: Uri,
    headers: HeaderMap,
) -> Result<Answer<Value>, Error> {
    let id = authorize(provider, (&version, &id, ""), &uri, &headers).await?;
    let known: Option<(Option<String>, Option<String>)> = db::read(|db| {
        Ok(db.row(
            "SELECT name, username FROM sandbox_people WHERE provider = ? AND person = ? LIMIT 1",
            common::params![provider.as_str(), id],
        )?)
    })
    .await?;
    let last = id.get(id.len().saturating_sub(4)..).unwrap_or_default();
    let shown = match known {
        Some((name, username)) => {
            let name = name.unwrap_or_else(|| format!("Customer {last}"));
            let (first, rest) = name.split_once(' ').unwrap_or((&name, ""));
            json!({"id": id, "name": name, "first_name": first, "last_name": rest,
                   "username": username.unwrap_or_else(|| format!("customer{last}"))})
        }
        None if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) => {
            json!({"id": id, "user_id": id, "name": "Example Shop", "username": "example.shop"})
        }
        None => return Err(Error::unknown_object(&id)),
    };
    let fields = parameter(uri.query().unwrap_or_default(), "fields");
    let standard = ["id", "name", "first_name", "last_name"];
    Ok(Answer(crate::paging::fields(&shown, fields.as_deref(), &standard)))
}

/// Subscribes the app: always so here.
pub async fn subscribe(
    provider: Provider,
    (version, path): (String, String),
    uri: Uri,
    headers: HeaderMap,
) -> Result<Answer<Value>, Error> {
    check_version(&version, &format!("/{version}/{path}/subscribed_apps"))?;
    credentials::meta(provider, &headers, uri.query().unwrap_or_default()).await?;
    Ok(Answer(json!({"success": true})))
}
