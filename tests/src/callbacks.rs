//! Callbacks of all providers, byte for byte as they arrive, with signatures made here and not by the code under test.

use crate::client::{Answer, Client};
use crate::process::repository;
use crate::{App, whatsapp};
use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use serde_json::Value;
use sha1::Sha1;

#[path = "../../crates/providers/tests/support/wire.rs"]
mod wire;

/// A fixture of the providers' crate such as `messenger/in-message`, compact as on the wire, with other texts in place of its own.
pub fn fixture(name: &str, replaced: &[(&str, &str)]) -> Vec<u8> {
    let path = repository().join("crates/providers/tests/fixtures").join(format!("{name}.json"));
    let indented =
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut body = wire::compact(&indented);
    for (old, new) in replaced {
        assert!(body.contains(old), "{name} has no {old}");
        body = body.replace(old, new);
    }
    body.into_bytes()
}

/// A fixture of a form: the fields of a JSON object of texts, form-encoded.
pub fn form(name: &str, replaced: &[(&str, &str)]) -> Vec<u8> {
    let fields: Value = serde_json::from_slice(&fixture(&format!("{name}.form"), replaced)).unwrap();
    encode(&fields)
}

/// Form-encodes a JSON object of texts.
pub fn encode(fields: &Value) -> Vec<u8> {
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    for (name, value) in fields.as_object().unwrap() {
        pairs.append_pair(name, value.as_str().unwrap());
    }
    pairs.finish().into_bytes()
}

/// Posts a body of Meta with its signature.
pub fn meta(app: &App, path: &str, secret: &str, body: &[u8]) -> Answer {
    let client = app.client().with("x-hub-signature-256", &whatsapp::signature(secret, body));
    post(&client, path, "application/json", body)
}

/// Posts a form of Twilio to a path below the public URL, with the signature of an auth token.
pub fn twilio(app: &App, path: &str, auth_token: &str, body: &[u8]) -> Answer {
    let signature = twilio_signature(auth_token, &format!("{}{path}", app.public_url), body);
    let client = app.client().with("x-twilio-signature", &signature);
    post(&client, path, "application/x-www-form-urlencoded", body)
}

pub fn post(client: &Client, path: &str, kind: &str, body: &[u8]) -> Answer {
    client.raw(&Method::POST, path, Some(kind), body).unwrap()
}

/// Twilio's signature: HMAC-SHA1 over the URL and the sorted parameters, in base64.
pub fn twilio_signature(auth_token: &str, url: &str, body: &[u8]) -> String {
    let mut fields: Vec<(String, String)> = form_urlencoded::parse(body).into_owned().collect();
    fields.sort();
    fields.dedup();
    let mut text = url.to_string();
    for (name, value) in fields {
        text.push_str(&name);
        text.push_str(&value);
    }
    let mut mac = Hmac::<Sha1>::new_from_slice(auth_token.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    base64(&mac.finalize().into_bytes())
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * place)) as usize & 63] as char;
            out.push(if place <= chunk.len() { letter } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_the_contract_shows() {
        let form = "MessageSid=SM00000000000000000000000000000042&From=%2B12025550147&To=%2B12025550100\
                    &Body=Hi+%26+bye+%C3%A9&NumMedia=0&FromZip=";
        let url = "https://hooks.example.test/sms/in?acct=7";
        let signature = twilio_signature("fixture-auth-token", url, form.as_bytes());
        assert_eq!(signature, "7ZbPP1fMgpPU/3kDnxRhQiTBrlM=");
    }
}
