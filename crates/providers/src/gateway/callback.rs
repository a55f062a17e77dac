//! Delivery reports and inbound messages.
//!
//! Keys against duplicates: a report (message, state); an inbound message has the gateway's id. Where the gateway gives
//! none, it is made of the message itself, so that a repeated callback stays one message.

use super::answer::read_state;
use super::path;
use super::settings::Settings;
use crate::{CallbackError, Event, Inbound, InboundContent, InboundMedia, MediaKind, Person};
use common::crypto;
use common::time::Timestamp;
use serde_json::{Map, Value};

/// Most files of a message, and most reports of a callback.
const FILES: usize = 10;
const ITEMS: usize = 1000;
/// Times below this are seconds, above milliseconds.
const SECONDS_BELOW: i64 = 100_000_000_000;

/// Reads a delivery report. `query` (raw) and `body` (JSON or a form) are both looked into.
///
/// # Errors
/// A callback that names no message.
pub fn read_report(
    settings: &Settings,
    account: &str,
    query: &str,
    body: &[u8],
) -> Result<Vec<Event>, CallbackError> {
    let fields = &settings.report;
    let events: Vec<Event> = items(query, body, fields.list.as_deref())
        .iter()
        .filter_map(|item| {
            let id = path::text(item, &fields.provider_id);
            let reference = path::text(item, &fields.client_ref);
            if id.is_none() && reference.is_none() {
                return None;
            }
            let name = path::text(item, &fields.state)?;
            let (state, failure) = read_state(settings, &name, path::text(item, &fields.error));
            let at_ms = path::find(item, &fields.done_at).and_then(time);
            let (account, id) = (account.to_string(), id.unwrap_or_default());
            Some(Event::Status { account, id, reference, state, at_ms, failure })
        })
        .collect();
    found(events, "a report names no message or no state")
}

/// Reads an inbound message; `query` and `body` as of a report.
///
/// # Errors
/// A callback that names no sender.
pub fn read_inbound(
    settings: &Settings,
    account: &str,
    query: &str,
    body: &[u8],
) -> Result<Vec<Event>, CallbackError> {
    let fields = &settings.inbound;
    let events: Vec<Event> = items(query, body, fields.list.as_deref())
        .iter()
        .filter_map(|item| {
            let from = path::text(item, &fields.from)?;
            let text = path::text(item, &fields.text);
            let id = path::text(item, &fields.provider_id).unwrap_or_else(|| made_id(item));
            let files = path::find(item, &fields.media).map(files).unwrap_or_default();
            let content = match (text, files.is_empty()) {
                (caption, false) => InboundContent::Media { files, caption },
                (Some(body), true) => InboundContent::Text { body },
                (None, true) => InboundContent::Other { kind: "empty".into(), raw: item.clone() },
            };
            let address = from.trim_start_matches('+').to_string();
            Some(Event::Message(Inbound {
                account: account.to_string(),
                person: Person { address: Some(address), ..Person::default() },
                id,
                at_ms: path::find(item, &fields.received_at).and_then(time),
                content,
                reply_to: None,
                referral: None,
            }))
        })
        .collect();
    found(events, "a message names no sender")
}

fn found(events: Vec<Event>, otherwise: &str) -> Result<Vec<Event>, CallbackError> {
    if events.is_empty() { Err(CallbackError(otherwise.into())) } else { Ok(events) }
}

/// The reports or messages of a callback: the list at a path, a list as the whole body, or the body itself; each with
/// the fields of the query.
fn items(query: &str, body: &[u8], list: Option<&str>) -> Vec<Value> {
    let pairs = |raw: &[u8]| -> Map<String, Value> {
        form_urlencoded::parse(raw)
            .map(|(name, value)| (name.into_owned(), value.into_owned().into()))
            .collect()
    };
    let query = pairs(query.as_bytes());
    let document =
        serde_json::from_slice::<Value>(body).ok().filter(|value| value.is_object() || value.is_array());
    let document = document.unwrap_or_else(|| Value::Object(pairs(body)));
    let items = match list.and_then(|path| path::find(&document, path)).unwrap_or(&document) {
        Value::Array(items) => items.clone(),
        item => vec![item.clone()],
    };
    let complete = |item| match item {
        Value::Object(mut members) => {
            for (name, value) in &query {
                members.entry(name.clone()).or_insert_with(|| value.clone());
            }
            Value::Object(members)
        }
        other => other,
    };
    items.into_iter().take(ITEMS).map(complete).collect()
}

fn made_id(item: &Value) -> String {
    let hash = hex::encode(crypto::sha256(item.to_string().as_bytes()));
    format!("gw-{}", hash.get(..32).unwrap_or(&hash))
}

/// RFC 3339, or seconds or milliseconds since 1970.
fn time(value: &Value) -> Option<i64> {
    let number = match value {
        Value::String(text) => match text.trim().parse::<i64>() {
            Ok(number) => number,
            Err(_) => return Timestamp::parse(text.trim()).map(Timestamp::millis),
        },
        other => other.as_i64()?,
    };
    let millis = if number < SECONDS_BELOW { number.checked_mul(1000)? } else { number };
    (millis > 0).then_some(millis)
}

/// A URL, a list of URLs, or of objects with `url` and `type`.
fn files(value: &Value) -> Vec<InboundMedia> {
    let items = match value {
        Value::Array(items) => items.iter().collect(),
        item => vec![item],
    };
    items.into_iter().filter_map(file).take(FILES).collect()
}

fn file(item: &Value) -> Option<InboundMedia> {
    let member = |names: &[&str]| names.iter().find_map(|name| path::text(item, name));
    let url = match item {
        Value::String(url) => Some(url.clone()).filter(|url| !url.is_empty())?,
        _ => member(&["url"])?,
    };
    let mime = member(&["type", "mime_type", "content_type"]);
    let kind = match mime.as_deref().and_then(|mime| mime.split('/').next()) {
        Some("image") => MediaKind::Image,
        Some("video") => MediaKind::Video,
        Some("audio") => MediaKind::Audio,
        _ => MediaKind::Document,
    };
    Some(InboundMedia { kind, id: None, url: Some(url), mime, filename: None, sticker: false, voice: false })
}
