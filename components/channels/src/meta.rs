//! WhatsApp, Messenger and Instagram: one handshake and one signature (channels sections 1.3 and 1.4).
//!
//! The deployment's app secrets are variables. An inbox of another app brings its app secret along: a callback
//! signed with that is taken only if all it tells is about inboxes which have that very secret, since whoever
//! knows it must not speak for the inboxes of others.

use crate::{META_BYTES, refused};
use axum::extract::RawQuery;
use axum::response::{IntoResponse, Response};
use common::crypto::Sealer;
use common::input::Raw;
use common::routes::{Operation, Routes};
use common::{Problem, Result, db, settings};
use domain::callbacks::{self, Purpose, Received};
use domain::inboxes;
use http::{HeaderMap, StatusCode};
use providers::{CallbackError, Event, graph, instagram, messenger, whatsapp};

/// Most addresses of ours in a callback that is checked with their inboxes' own secrets.
const ADDRESSES_MAX: usize = 20;

/// What is different between the three.
struct Channel {
    name: &'static str,
    /// Variables that hold app secrets: any of them may sign.
    secrets: &'static [&'static str],
    /// Variables that hold handshake tokens.
    tokens: &'static [&'static str],
    read: fn(&[u8]) -> Result<Vec<Event>, CallbackError>,
}

const WHATSAPP: Channel = Channel {
    name: "whatsapp",
    secrets: &[
        "whatsapp_app_secret",
        "whatsapp_app_secret_previous",
        "meta_app_secret",
        "meta_app_secret_previous",
    ],
    tokens: &["whatsapp_verify_token", "meta_verify_token"],
    read: whatsapp::read_callback,
};

const MESSENGER: Channel = Channel {
    name: "messenger",
    secrets: &["meta_app_secret", "meta_app_secret_previous"],
    tokens: &["meta_verify_token"],
    read: messenger::read_callback,
};

// Which of an app's two secrets signs here was not settled (channels section 1.4): both are tried.
const INSTAGRAM: Channel = Channel {
    name: "instagram",
    secrets: &[
        "instagram_app_secret",
        "instagram_app_secret_previous",
        "meta_app_secret",
        "meta_app_secret_previous",
    ],
    tokens: &["meta_verify_token"],
    read: instagram::read_callback,
};

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .add(
            handshake_operation("/channels/whatsapp", "verifyWhatsAppCallback")
                .summary("Answer WhatsApp's handshake")
                .describe(
                    "WhatsApp sends `hub.mode=subscribe`, `hub.verify_token` and `hub.challenge` when the callback \
                     URL is set. With the right token (variable `whatsapp_verify_token`, or `meta_verify_token`) the \
                     challenge comes back.",
                ),
            |query: RawQuery| handshake(&WHATSAPP, query),
        )
        .add(
            receive_operation("/channels/whatsapp", "receiveWhatsAppCallback")
                .summary("Receive WhatsApp's callbacks")
                .describe(
                    "Messages of customers and statuses of ours, signed with the app secret: variable \
                     `whatsapp_app_secret` or `meta_app_secret`, during a rotation also the same with `_previous`, or \
                     the inbox's own. What is not understood is kept and answered with 200.",
                ),
            |headers: HeaderMap, body: Raw| receive(&WHATSAPP, headers, body),
        )
        .add(
            handshake_operation("/channels/messenger", "verifyMessengerCallback")
                .summary("Answer Messenger's handshake")
                .describe("As WhatsApp's, with the variable `meta_verify_token`."),
            |query: RawQuery| handshake(&MESSENGER, query),
        )
        .add(
            receive_operation("/channels/messenger", "receiveMessengerCallback")
                .summary("Receive Messenger's callbacks")
                .describe(
                    "Messages, echoes, taps, reactions, deliveries and readings of the Pages, signed with the app \
                     secret: variable `meta_app_secret`, `meta_app_secret_previous`, or the inbox's own.",
                ),
            |headers: HeaderMap, body: Raw| receive(&MESSENGER, headers, body),
        )
        .add(
            handshake_operation("/channels/instagram", "verifyInstagramCallback")
                .summary("Answer Instagram's handshake")
                .describe("As WhatsApp's, with the variable `meta_verify_token`."),
            |query: RawQuery| handshake(&INSTAGRAM, query),
        )
        .add(
            receive_operation("/channels/instagram", "receiveInstagramCallback")
                .summary("Receive Instagram's callbacks")
                .describe(
                    "Messages, echoes, reactions, readings and messages taken back, signed with the Instagram app \
                     secret (variable `instagram_app_secret`) or the app secret (`meta_app_secret`), during a \
                     rotation also the same with `_previous`, or the inbox's own.",
                ),
            |headers: HeaderMap, body: Raw| receive(&INSTAGRAM, headers, body),
        )
}

fn handshake_operation(path: &'static str, id: &'static str) -> Operation {
    Operation::get(path, id)
        .signed()
        .answers_raw(200, "text/plain", "The challenge, as it came.")
        .problem(403, "auth_signature_invalid", "The verify token is wrong.")
        .example_elsewhere("the handshake test of the channels")
}

fn receive_operation(path: &'static str, id: &'static str) -> Operation {
    Operation::post(path, id)
        .signed()
        .body_limit(META_BYTES)
        .header("X-Hub-Signature-256", "`sha256=` and the hex HMAC-SHA256 of the raw body.")
        .answers_empty(200, "Stored.")
        .problem(413, "request_too_large", "The body is larger than 4 MiB.")
        .example_elsewhere("the signature tests of the channels")
}

async fn handshake(channel: &Channel, RawQuery(query): RawQuery) -> Result<Response> {
    let tokens = values(channel.tokens).await;
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    graph::handshake(query.as_deref().unwrap_or_default(), &tokens)
        .map(IntoResponse::into_response)
        .ok_or_else(|| Problem::forbidden("auth_signature_invalid", "The verify token is wrong."))
}

async fn receive(channel: &Channel, headers: HeaderMap, Raw(body): Raw) -> Result<StatusCode> {
    let signature = headers.get("x-hub-signature-256").and_then(|value| value.to_str().ok());
    let secrets = values(channel.secrets).await;
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    let is_ours = graph::verify_signature(&secrets, signature, &body)
        || signed_by_inboxes(channel, signature, &body).await?;
    if !is_ours {
        return Err(refused("The header X-Hub-Signature-256 does not fit the body."));
    }
    let received = Received {
        channel: channel.name,
        body: &body,
        inbox_id: None,
        purpose: Purpose::Events,
        query: None,
        content_type: None,
    };
    db::write(|db| callbacks::store(db, &received)).await?;
    Ok(StatusCode::OK)
}

/// Whether the body is signed with the own secret of every inbox that it is about.
async fn signed_by_inboxes(channel: &Channel, signature: Option<&str>, body: &[u8]) -> Result<bool> {
    if signature.is_none() || !db::read(|db| inboxes::any_with_credentials(db, channel.name)).await? {
        return Ok(false);
    }
    // Not believed, only asked whose it says it is.
    let mut accounts = Vec::new();
    for event in (channel.read)(body).unwrap_or_default() {
        if matches!(event, Event::TemplateStatus { .. } | Event::Other { .. }) {
            continue; // Has no effect but a note.
        }
        match event.account() {
            Some(account) if accounts.iter().any(|known| known == account) => {}
            Some(account) => accounts.push(account.to_string()),
            None => return Ok(false),
        }
    }
    if accounts.is_empty() || accounts.len() > ADDRESSES_MAX {
        return Ok(false);
    }
    let sealer = Sealer::from_settings().await?;
    for account in &accounts {
        let connection = db::read(|db| inboxes::connection_by_address(db, channel.name, account)).await?;
        let Some(connection) = connection else { return Ok(false) };
        let credentials = connection.credentials(&sealer)?;
        let Some(secret) = credentials.app_secret() else { return Ok(false) };
        if !graph::verify_signature(&[secret], signature, body) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The variables that are set.
async fn values(names: &[&'static str]) -> Vec<String> {
    let mut values = Vec::with_capacity(names.len());
    for name in names {
        values.extend(settings::get(name).await);
    }
    values
}
