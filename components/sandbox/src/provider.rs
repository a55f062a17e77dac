//! `POST /{version}/{phone-number-id}/messages`, as the WhatsApp Cloud API answers it (channels 2.1 to 2.5).

use crate::callbacks::{self, About};
use crate::delivery;
use crate::graph::Error;
use crate::message::{self, Person};
use crate::recipients::{self, Behaviour};
use crate::store::{self, Send};
use axum::Json as Answer;
use axum::extract::Path;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::input::Raw;
use common::time::{self, Timestamp};
use common::{Problem, crypto, db, id, settings};
use http::{HeaderMap, Uri, header};
use serde::Serialize;
use std::collections::HashMap;
use std::time::Duration;

/// How long a customer's message keeps the window open (channels section 2.5).
const WINDOW: Duration = Duration::from_secs(24 * 60 * 60);
/// How late the answer comes to recipients of [`Behaviour::LateAnswer`]: longer than a sender waits.
const LATE_ANSWER: Duration = Duration::from_secs(15);
/// Bytes of a message id before base64: usual, and the longest there are.
const ID_BYTES: usize = 42;
const LONG_ID_BYTES: usize = 90;

pub const DESCRIPTION: &str = "\
The WhatsApp Cloud API's send call, for local development: the adapter's base URL is `/sandbox/whatsapp`. Exists \
only where the variable `sandbox` is `on`. Errors have the provider's shape, not this API's: `{\"error\": {\"code\": …}}`.

Known templates: `order_ready` (`en`, no parameters), `delivery_update` (`en`, two), `summer_sale` (`en`, paused). A \
message other than a template to somebody who has not written for 24 hours is accepted, and fails with 131047.

Accepted messages become `sent` after 50 ms, `delivered` after 150 ms and `read` after 400 ms, by signed callbacks to \
the variable `sandbox_callback_url`. The last four digits of the recipient may ask for something else:

| ends with | what happens |
|---|---|
| 0001 | accepted, never any state |
| 0002 | sent, never delivered |
| 0003 | `read` first, then `sent`, never `delivered` |
| 0026 | fails with 131026: not on WhatsApp |
| 0047 | the window counts as closed: fails with 131047 unless it is a template |
| 0056 | refused twice with 131056 (pair limit), then accepted |
| 0429 | refused three times with 429 and 130429, then accepted |
| 0500 | refused twice with 500, then accepted |
| 0190 | refused with 190: the token is not valid |
| 0999 | accepted, but answered after 15 seconds, when no sender waits any more; the states come at once |

\
A broken connection cannot be shown otherwise: a component cannot close one. Media, the read side of templates and \
numbers, and read receipts are not there yet.";

pub const MESSAGE: &str = r#"{
  "messaging_product": "whatsapp", "recipient_type": "individual", "to": "12025550147", "type": "text",
  "text": {"preview_url": false, "body": "Hi Anna, your order is ready."},
  "biz_opaque_callback_data": "msg_01HV8YG6KX3Y5A2DJ95C0GX8V1"
}"#;

pub const ACCEPTED: &str = r#"{
  "messaging_product": "whatsapp", "contacts": [{"input": "12025550147", "wa_id": "12025550147"}],
  "messages": [{"id": "wamid.HBgLMTIwMjU1NTAxNDcVAgARGBIzRkE4QzJGMDE5QjdFNUQxMjAA"}]
}"#;

/// A message as the provider takes it. Read leniently: members that are not listed are ignored.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SandboxWhatsappMessage)]
pub struct Message {
    /// Always `whatsapp`.
    pub messaging_product: String,
    /// `individual`.
    pub recipient_type: Option<String>,
    /// Phone number with country code.
    pub to: Option<String>,
    /// Business-scoped user id, instead of `to`.
    pub recipient: Option<String>,
    /// Names the member that holds the content; `text` where absent.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// `body` of at most 4096 characters, and `preview_url`.
    pub text: Option<HashMap<String, serde_json::Value>>,
    /// `name`, `language` and `components`.
    pub template: Option<HashMap<String, serde_json::Value>>,
    /// `message_id` of the message that is quoted.
    pub context: Option<HashMap<String, serde_json::Value>>,
    /// Comes back in every state of the message; at most 512 characters.
    pub biz_opaque_callback_data: Option<String>,
}

/// The provider's answer to a message it accepted.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SandboxWhatsappAccepted)]
pub struct Accepted {
    pub messaging_product: String,
    pub contacts: Vec<Recipient>,
    pub messages: Vec<AcceptedMessage>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SandboxWhatsappRecipient)]
pub struct Recipient {
    /// As the request had it.
    pub input: String,
    /// The phone number in digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wa_id: Option<String>,
    /// The business-scoped user id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SandboxWhatsappAcceptedMessage)]
pub struct AcceptedMessage {
    /// `wamid.` and base64.
    pub id: String,
    /// `accepted`, with templates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_status: Option<String>,
}

/// Sends a message.
pub async fn send(
    Path((version, phone_number_id)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Raw, Problem>,
) -> Result<Answer<Accepted>, Error> {
    if !is_version(&version) {
        return Err(Error::unknown_path(&format!("/{version}/{phone_number_id}/messages")));
    }
    authorize(&headers, uri.query().unwrap_or_default()).await?;
    let Raw(body) = body?;
    let message = message::parse(&body)?;
    let behaviour = recipients::behaviour(message.person.id());
    if behaviour == Behaviour::TokenError {
        return Err(Error::bad_token());
    }
    let send = Send {
        id: message_id(message.person.id()),
        recipient: message.person.id().to_string(),
        kind: message.kind.clone(),
        body: String::from_utf8_lossy(&body).into_owned(),
        reference: message.reference.clone(),
        received_at: Timestamp::now(),
    };
    // Without a URL nothing is called back; a message to nowhere is still accepted.
    let app_secret = match settings::get("sandbox_callback_url").await {
        Some(_) => Some(settings::required("whatsapp_app_secret").await?),
        None => None,
    };
    let moments = db::write(|db| {
        accept(db, &phone_number_id, &message.person, behaviour, &send, app_secret.as_deref())
    })
    .await??;
    if moments.iter().any(|moment| *moment <= send.received_at) {
        // The mode `callbackBeforeResponse`: whatever is not answered with 200 now is tried again later.
        delivery::deliver_due(u32::MAX).await?;
    }
    delivery::drive(moments);
    if behaviour == Behaviour::LateAnswer {
        time::sleep(LATE_ANSWER).await;
    }
    Ok(Answer(answer(message.input, &message.person, send)))
}

/// Records the message with all its callbacks, or refuses it; answers when the callbacks are due.
fn accept(
    db: &db::Db<'_>,
    phone_number_id: &str,
    person: &Person,
    behaviour: Behaviour,
    send: &Send,
    app_secret: Option<&str>,
) -> common::Result<Result<Vec<Timestamp>, Error>> {
    let context = store::context(db, phone_number_id, person.id())?;
    if let Behaviour::RefusedFirst { times, refusal } = behaviour {
        let refuse = context.refusals < times;
        let refusals = if refuse { context.refusals.saturating_add(1) } else { 0 };
        store::set_refusals(db, phone_number_id, person.id(), refusals)?;
        if refuse {
            return Ok(Err(refusal.into()));
        }
    }
    store::add_send(db, phone_number_id, send)?;
    let Some(app_secret) = app_secret else { return Ok(Ok(Vec::new())) };
    let free_form = send.kind != "template";
    let window_open = context.last_inbound_at.is_some_and(|last| send.received_at < last.after(WINDOW));
    let about = About {
        id: &send.id,
        phone_number_id,
        person,
        name: context.name.as_deref(),
        reference: send.reference.as_deref(),
        free_form,
    };
    let mut moments = Vec::new();
    let planned: Vec<_> = callbacks::plan(behaviour, free_form, window_open, context.modes)
        .into_iter()
        .map(|step| {
            let due_at = send.received_at.after(step.after);
            moments.push(due_at);
            delivery::planned(app_secret, callbacks::status(about, step, due_at), due_at)
        })
        .collect();
    store::schedule(db, &planned, None)?;
    moments.dedup();
    Ok(Ok(moments))
}

fn answer(input: String, person: &Person, send: Send) -> Accepted {
    let (wa_id, user_id) = match person {
        Person::Phone(digits) => (Some(digits.clone()), None),
        Person::UserId(id) => (None, Some(id.clone())),
    };
    let message_status = (send.kind == "template").then(|| "accepted".to_string());
    Accepted {
        messaging_product: "whatsapp".into(),
        contacts: vec![Recipient { input, wa_id, user_id }],
        messages: vec![AcceptedMessage { id: send.id, message_status }],
    }
}

/// `v25.0`.
fn is_version(text: &str) -> bool {
    let number = |text: &str| (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.strip_prefix('v').and_then(|rest| rest.split_once('.')).is_some_and(|(a, b)| number(a) && number(b))
}

/// The token as a bearer or as the parameter `access_token`, and `appsecret_proof` where it is given.
async fn authorize(headers: &HeaderMap, query: &str) -> Result<(), Error> {
    let parameter = |name: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| value.split_once(' ')).map(|(_, token)| token.trim().to_string());
    let token = bearer.or_else(|| parameter("access_token")).ok_or_else(Error::no_token)?;
    let expected = settings::required("whatsapp_access_token").await?;
    if !crypto::equal(&crypto::sha256(token.as_bytes()), &crypto::sha256(expected.as_bytes())) {
        return Err(Error::bad_token());
    }
    if let Some(proof) = parameter("appsecret_proof") {
        let app_secret = settings::required("whatsapp_app_secret").await?;
        let expected = hex::encode(crypto::hmac_sha256(app_secret.as_bytes(), &[token.as_bytes()]));
        if !crypto::equal(proof.as_bytes(), expected.as_bytes()) {
            return Err(Error::bad_proof());
        }
    }
    Ok(())
}

/// An id of the provider's look: `wamid.` and base64 of the person and random bytes. One in eight is as
/// long as they get, 126 characters: a column or a rule that is too narrow shows at once.
pub fn message_id(person: &str) -> String {
    let mut random = [0_u8; LONG_ID_BYTES];
    id::fill_random(&mut random);
    let length = if random.first().is_some_and(|byte| byte % 8 == 0) { LONG_ID_BYTES } else { ID_BYTES };
    let mut bytes = vec![0x1d, 0x18, 0x0b];
    bytes.extend(person.bytes().take(16));
    bytes.extend([0x15, 0x02, 0x00, 0x11, 0x18]);
    bytes.extend(random);
    bytes.truncate(length);
    format!("wamid.{}", STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn versions_look_as_the_providers() {
        assert!(is_version("v25.0"));
        for text in ["25.0", "v25", "v25.0.1", "vx.0", "v.", "", "v25.0000"] {
            assert!(!is_version(text), "{text}");
        }
    }

    #[test]
    fn ids_are_unique_and_some_are_long() {
        let ids: HashSet<String> = (0..1000).map(|_| message_id("12025550147")).collect();
        assert_eq!(ids.len(), 1000);
        let lengths: HashSet<usize> = ids.iter().map(String::len).collect();
        assert_eq!(lengths, HashSet::from([62, 126]));
        assert!(ids.iter().all(|id| id.starts_with("wamid.HRgL")));
    }
}
