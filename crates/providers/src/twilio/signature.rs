//! `X-Twilio-Signature` (channels section 6.4).

use crate::hmac::hmac_sha1;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::crypto;
use std::collections::{BTreeMap, BTreeSet};

/// Whether `X-Twilio-Signature` fits. `url` is the public URL that Twilio was given, with its query, from our
/// settings and not from the request; `body` the raw body, empty for a GET. Several auth tokens may be valid during a
/// rotation. A URL with `bodySHA256` is that of a JSON body.
pub fn verify_signature(auth_tokens: &[&str], header: Option<&str>, url: &str, body: &[u8]) -> bool {
    let Some(given) = header.and_then(|header| STANDARD.decode(header.trim()).ok()) else { return false };
    let parameters = match body_hash(url) {
        Some(hash) if !hash_fits(&hash, body) => return false,
        Some(_) => Vec::new(),
        None => parameters(body),
    };
    let urls = with_and_without_port(url);
    // Tries everything, so that the time does not tell what fitted.
    let mut fits = false;
    for token in auth_tokens.iter().filter(|token| !token.is_empty()) {
        for url in &urls {
            let expected = hmac_sha1(token.as_bytes(), &[url.as_bytes(), &parameters]);
            fits |= crypto::equal(&expected, &given);
        }
    }
    fits
}

fn body_hash(url: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(name, _)| name == "bodySHA256").map(|(_, value)| value.into_owned())
}

fn hash_fits(hash: &str, body: &[u8]) -> bool {
    hex::decode(hash).is_ok_and(|hash| crypto::equal(&crypto::sha256(body), &hash))
}

/// All parameters of a form, also unknown ones: by name, then value, each value once, with nothing between.
fn parameters(body: &[u8]) -> Vec<u8> {
    let mut sorted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(body).into_owned() {
        sorted.entry(name).or_default().insert(value);
    }
    let mut out = Vec::new();
    for (name, values) in &sorted {
        for value in values {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(value.as_bytes());
        }
    }
    out
}

/// The URL as it is, with the default port of its scheme, and without any: signers differ.
fn with_and_without_port(url: &str) -> Vec<String> {
    let mut urls = vec![url.to_string()];
    let Some((scheme, rest)) = url.split_once("://") else { return urls };
    let port = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    // `[::1]` has colons inside.
    let host_end = authority.rfind(']').map_or(0, |bracket| bracket.saturating_add(1));
    let host = match authority.rfind(':').filter(|colon| *colon >= host_end) {
        Some(colon) => authority.get(..colon).unwrap_or(authority),
        None => authority,
    };
    if host == authority {
        urls.push(format!("{scheme}://{host}:{port}{path}"));
    } else {
        urls.push(format!("{scheme}://{host}{path}"));
    }
    urls
}
