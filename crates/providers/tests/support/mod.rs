//! What the tests of all providers share.

#![allow(dead_code, clippy::unwrap_used, clippy::panic, reason = "not every test uses everything")]

mod wire;

use providers::{BuildError, Envelope, Outgoing};
use serde_json::Value;

/// This package's folder, as cargo says it at run time: clones that share a target folder may share this binary.
pub fn package() -> String {
    std::env::var("CARGO_MANIFEST_DIR").unwrap()
}

/// A fixture as it is stored: its path below `tests/fixtures`, without `.json`.
pub fn stored(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/{name}.json", package());
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A fixture as JSON.
pub fn json(name: &str) -> Value {
    serde_json::from_slice(&stored(name)).unwrap()
}

/// A fixture as it is on the wire: [`wire::compact`], and escapes outside ASCII become the characters, as requests
/// write them.
pub fn compact(name: &str) -> String {
    unescape(&wire::compact(&String::from_utf8(stored(name)).unwrap()))
}

fn unescape(text: &str) -> String {
    let (mut units, mut rest, mut out) = (Vec::new(), text, String::new());
    while let Some(start) = rest.find("\\u") {
        let (before, after) = rest.split_at(start);
        if !before.is_empty() {
            out.push_str(&String::from_utf16(&units).unwrap());
            units.clear();
            out.push_str(before);
        }
        units.push(u16::from_str_radix(&after[2..6], 16).unwrap());
        rest = &after[6..];
    }
    out.push_str(&String::from_utf16(&units).unwrap());
    out.push_str(rest);
    out
}

/// A form fixture: its fields in the order of the file.
pub fn form(name: &str) -> Vec<(String, String)> {
    json(name)
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_string()))
        .collect()
}

/// A form fixture as a body.
pub fn form_body(name: &str) -> Vec<u8> {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(form(name)).finish().into_bytes()
}

pub fn envelope<'a>(to: &'a str, content: &'a Outgoing) -> Envelope<'a> {
    Envelope { to, reference: "", reply_to: None, human_agent: false, content }
}

/// The body of a request that could be built.
pub fn body(request: Result<http::Request<Vec<u8>>, BuildError>) -> String {
    String::from_utf8(request.unwrap().into_body()).unwrap()
}
