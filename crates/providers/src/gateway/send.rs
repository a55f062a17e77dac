//! The send request.

use super::path;
use super::settings::{Auth, Encoding, Method, Numbers, SendFields, Settings};
use crate::{BuildError, Envelope, Outgoing};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue, Request, header};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

/// Longest text, in characters: what ten parts of plain letters hold.
const TEXT_CHARS: usize = 1530;

/// Who sends, and through which gateway.
#[derive(Clone, Debug)]
pub struct Sender {
    pub settings: Settings,
    /// The sender number or name.
    pub from: String,
    /// Absolute URL for delivery reports.
    pub callback_url: Option<String>,
}

/// Whether a gateway can carry this content: texts only.
fn check(content: &Outgoing) -> Result<(), BuildError> {
    match content {
        Outgoing::Text { body, .. } if body.chars().count() <= TEXT_CHARS => Ok(()),
        Outgoing::Text { .. } => Err(BuildError::Unsupported("a text of more than 1530 characters")),
        _ => Err(BuildError::Unsupported("anything but texts")),
    }
}

/// Builds the send request. `envelope.to` is the number as digits, with or without `+`. SMS quotes nothing: `reply_to`
/// is left out.
///
/// # Errors
/// A setting cannot stand in a URL or a header, or the content is no text.
pub fn send_request(sender: &Sender, envelope: &Envelope<'_>) -> Result<Request<Vec<u8>>, BuildError> {
    check(envelope.content)?;
    let settings = &sender.settings;
    let fields = Fields(fields(sender, envelope));
    let mut url = fill_in(&settings.url, sender, envelope);
    let mut query = form_urlencoded::Serializer::new(String::new());
    let mut body = Vec::new();
    let mut content_type = None;
    match settings.encoding {
        Encoding::Json => {
            body = fields.json().map_err(|_| BuildError::Setting("fields"))?;
            content_type = Some("application/json");
        }
        Encoding::Form => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            body = form.extend_pairs(fields.texts()).finish().into_bytes();
            content_type = Some("application/x-www-form-urlencoded");
        }
        Encoding::Query => {
            query.extend_pairs(fields.texts());
        }
    }
    if let Auth::Query { name, value } = &settings.auth {
        query.append_pair(name, value);
    }
    let query = query.finish();
    if !query.is_empty() {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(&query);
    }
    let method = match settings.method {
        Method::Post => http::Method::POST,
        Method::Put => http::Method::PUT,
        Method::Get => http::Method::GET,
    };
    let mut request = Request::builder().method(method).uri(url);
    if let Some(content_type) = content_type {
        request = request.header(header::CONTENT_TYPE, content_type);
    }
    if let Some((name, value)) = authorization(&settings.auth)? {
        request = request.header(name, value);
    }
    request.body(body).map_err(|_| BuildError::Setting("URL"))
}

/// The fields by the gateway's names, in the order of the contract; those without a name or a value are left out.
fn fields(sender: &Sender, envelope: &Envelope<'_>) -> Vec<(String, Value)> {
    let Settings { fields: names, constants, validity_seconds, .. } = &sender.settings;
    let SendFields { client_ref, to, from, text, encoding, validity_seconds: validity, callback_url } = names;
    let body = match envelope.content {
        Outgoing::Text { body, .. } => body.as_str(),
        _ => "",
    };
    let values = [
        (client_ref, Value::from(envelope.reference)),
        (to, number(sender, envelope).into()),
        (from, sender.from.as_str().into()),
        (text, body.into()),
        (encoding, "auto".into()),
        (validity, (*validity_seconds).into()),
        (callback_url, sender.callback_url.as_deref().unwrap_or_default().into()),
    ];
    let set = |(name, value): &(&String, Value)| !name.is_empty() && value.as_str() != Some("");
    let named = values.into_iter().filter(set).map(|(name, value)| (name.clone(), value));
    named.chain(constants.iter().map(|(name, value)| (name.clone(), value.clone()))).collect()
}

fn number(sender: &Sender, envelope: &Envelope<'_>) -> String {
    let digits = envelope.to.trim_start_matches('+');
    match sender.settings.numbers {
        Numbers::E164 => format!("+{digits}"),
        Numbers::Digits => digits.to_string(),
    }
}

/// Replaces `{to}`, `{from}` and `{client_ref}` in the URL.
fn fill_in(url: &str, sender: &Sender, envelope: &Envelope<'_>) -> String {
    let escape =
        |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20");
    let mut url = url.to_string();
    for (name, value) in [
        ("{to}", number(sender, envelope)),
        ("{from}", sender.from.clone()),
        ("{client_ref}", envelope.reference.to_string()),
    ] {
        if url.contains(name) {
            url = url.replace(name, &escape(&value));
        }
    }
    url
}

fn authorization(auth: &Auth) -> Result<Option<(HeaderName, HeaderValue)>, BuildError> {
    let (name, value) = match auth {
        Auth::None | Auth::Query { .. } => return Ok(None),
        Auth::Basic { user, password } => {
            (header::AUTHORIZATION, format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
        }
        Auth::Bearer { token } => (header::AUTHORIZATION, format!("Bearer {token}")),
        Auth::Header { name, value } => {
            let name = name.parse().map_err(|_| BuildError::Setting("name of the auth header"))?;
            (name, value.clone())
        }
    };
    let mut value = HeaderValue::from_str(&value).map_err(|_| BuildError::Setting("secret"))?;
    value.set_sensitive(true);
    Ok(Some((name, value)))
}

/// Named values, in order.
struct Fields(Vec<(String, Value)>);

impl Fields {
    /// As JSON: members in order, or nested where a name is a pointer.
    fn json(&self) -> serde_json::Result<Vec<u8>> {
        if !self.0.iter().any(|(name, _)| path::is_nested(name)) {
            return serde_json::to_vec(self);
        }
        let mut document = Value::Object(serde_json::Map::new());
        for (name, value) in &self.0 {
            let pointer = if path::is_nested(name) { name.clone() } else { format!("/{name}") };
            path::put(&mut document, &pointer, value.clone());
        }
        serde_json::to_vec(&document)
    }

    fn texts(&self) -> impl Iterator<Item = (&str, String)> {
        self.0.iter().map(|(name, value)| {
            (name.as_str(), value.as_str().map_or_else(|| value.to_string(), str::to_string))
        })
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
