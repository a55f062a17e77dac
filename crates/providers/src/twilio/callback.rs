//! Inbound messages and status callbacks (channels sections 6.2 and 6.3).
//!
//! Both come to the URL of an inbox: that, not `account`, tells whose they are. Keys against duplicates: an inbound
//! message has `MessageSid`; a status (`MessageSid`, `MessageStatus`). They carry no time.

use super::send::state;
use crate::{CallbackError, Event, Inbound, InboundContent, InboundMedia, MediaKind, Person};
use serde_json::Value;
use std::collections::BTreeMap;

/// Most files of a message.
const FILES: usize = 10;

/// Words by which people stop messages, and start them again (Twilio's defaults).
const STOP: &[&str] = &["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"];
const START: &[&str] = &["START", "YES", "UNSTOP"];

/// Reads an inbound message or a status callback whose signature was checked. `query` is the raw query of the
/// callback URL: `message=msg_…` becomes the status' reference, and of a GET it is everything.
///
/// # Errors
/// A body that has no message in it.
pub fn read_callback(query: &str, body: &[u8]) -> Result<Vec<Event>, CallbackError> {
    let given: Fields = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let mut fields: Fields = form_urlencoded::parse(body).into_owned().collect();
    if body.is_empty() {
        fields = given.clone();
    }
    let Some(id) = ["MessageSid", "SmsSid", "SmsMessageSid"].iter().find_map(|name| get(&fields, name))
    else {
        return Err(CallbackError("there is no MessageSid".into()));
    };
    let status = get(&fields, "MessageStatus").or_else(|| get(&fields, "SmsStatus")).unwrap_or("received");
    if matches!(status, "received" | "receiving") {
        return Ok(inbound(id, &fields));
    }
    let code = get(&fields, "ErrorCode").unwrap_or_default();
    let (state, failure) = state(status, code, get(&fields, "ErrorMessage").unwrap_or_default());
    let account = get(&fields, "From").unwrap_or_default().to_string();
    let mut events = Vec::new();
    if failure.as_ref().is_some_and(crate::Failure::is_opt_out) {
        events.extend(consent(&account, get(&fields, "To"), false));
    }
    let reference = given.get("message").filter(|id| !id.is_empty()).cloned();
    let (id, at_ms) = (id.to_string(), None);
    events.push(Event::Status { account, id, reference, state, at_ms, failure });
    Ok(events)
}

type Fields = BTreeMap<String, String>;

/// A field with something in it: many are there and empty.
fn get<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    fields.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

fn inbound(id: &str, fields: &Fields) -> Vec<Event> {
    let account = get(fields, "To").unwrap_or_default().to_string();
    let Some(from) = get(fields, "From") else {
        return vec![Event::Other { kind: "message".into(), account: Some(account), raw: raw(fields) }];
    };
    let body = get(fields, "Body");
    let files = files(fields);
    let content = match (body, files.is_empty()) {
        (body, false) => InboundContent::Media { files, caption: body.map(str::to_string) },
        (Some(body), true) => InboundContent::Text { body: body.to_string() },
        (None, true) => InboundContent::Other { kind: "empty".into(), raw: raw(fields) },
    };
    let mut events = vec![Event::Message(Inbound {
        account: account.clone(),
        person: person(from),
        id: id.to_string(),
        at_ms: None,
        content,
        reply_to: None,
        referral: None,
    })];
    events.extend(wish(fields).and_then(|opted_in| consent(&account, Some(from), opted_in)));
    events
}

fn raw(fields: &Fields) -> Value {
    Value::Object(fields.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect())
}

fn person(number: &str) -> Person {
    Person { address: Some(number.trim_start_matches('+').to_string()), ..Person::default() }
}

fn consent(account: &str, number: Option<&str>, opted_in: bool) -> Option<Event> {
    let (account, person) = (account.to_string(), person(number?));
    Some(Event::Consent { account, person, opted_in, at_ms: None })
}

/// Whether they stop messages or want them again: by Twilio's word, else by the default words.
fn wish(fields: &Fields) -> Option<bool> {
    if let Some(kind) = get(fields, "OptOutType") {
        return match kind {
            "STOP" => Some(false),
            "START" => Some(true),
            _ => None,
        };
    }
    let word = get(fields, "Body")?.trim().to_ascii_uppercase();
    if STOP.contains(&word.as_str()) { Some(false) } else { START.contains(&word.as_str()).then_some(true) }
}

fn files(fields: &Fields) -> Vec<InboundMedia> {
    (0..FILES)
        .filter_map(|n| {
            let url = get(fields, &format!("MediaUrl{n}"))?.to_string();
            let mime = get(fields, &format!("MediaContentType{n}")).map(str::to_string);
            let kind = match mime.as_deref().and_then(|mime| mime.split('/').next()) {
                Some("image") => MediaKind::Image,
                Some("video") => MediaKind::Video,
                Some("audio") => MediaKind::Audio,
                _ => MediaKind::Document,
            };
            Some(InboundMedia {
                kind,
                id: None,
                url: Some(url),
                mime,
                filename: None,
                sticker: false,
                voice: false,
            })
        })
        .collect()
}
