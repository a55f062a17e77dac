//! Bodies as Chatwoot takes them (its notes, section 1.6): JSON or a form, unknown fields ignored,
//! booleans and numbers also as texts, objects also as JSON texts.
//!
//! `multipart/form-data` is refused (415): no operation so far takes a file.

use crate::{Problem, Result, input, limits};
use http::header;
use http::request::Parts;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// Reads a body. None at all, and `null`, count as an object without fields.
pub(crate) fn body<T: DeserializeOwned>(parts: &Parts, body: &[u8]) -> Result<T> {
    match media_type(parts).as_str() {
        "application/x-www-form-urlencoded" => shape(form(body)?),
        "multipart/form-data" => Err(Problem::unsupported_media_type("application/json")),
        _ if body.is_empty() || body == b"null" => shape(Value::Object(Map::new())),
        _ => input::parse(body),
    }
}

fn media_type(parts: &Parts) -> String {
    let value =
        parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn shape<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let field = error.path().to_string();
        Problem::invalid(&field, error.into_inner().to_string())
    })
}

/// `name=x&limits[agents]=5&labels[]=a` as the object it stands for; every value is a text.
fn form(body: &[u8]) -> Result<Value> {
    let mut root = Value::Object(Map::new());
    for (name, text) in form_urlencoded::parse(body) {
        let (head, rest) = name.split_once('[').map_or((&*name, ""), |(head, rest)| (head, rest));
        let mut keys = vec![head];
        // `a[b][]` was cut at its first bracket: `b][]`.
        if !rest.is_empty() {
            let inner = rest.strip_suffix(']').ok_or_else(|| malformed(&name))?;
            keys.extend(inner.split("]["));
        }
        if keys.len() > limits::JSON_DEPTH {
            return Err(malformed(&name));
        }
        put(&mut root, &keys, text.into_owned()).ok_or_else(|| malformed(&name))?;
    }
    Ok(root)
}

fn malformed(name: &str) -> Problem {
    let shown: String = name.chars().take(64).collect();
    Problem::malformed(format!("The form field {shown} cannot be read."))
}

/// `None` where a field is a text in one place and a list or an object in another.
fn put(into: &mut Value, keys: &[&str], text: String) -> Option<()> {
    let Some((key, rest)) = keys.split_first() else {
        *into = Value::String(text);
        return Some(());
    };
    if key.is_empty() {
        if into.is_null() {
            *into = Value::Array(Vec::new());
        }
        // Lists of objects are not read: nothing takes them.
        return rest.is_empty().then(|| into.as_array_mut().map(|list| list.push(Value::String(text))))?;
    }
    if into.is_null() {
        *into = Value::Object(Map::new());
    }
    put(into.as_object_mut()?.entry(*key).or_insert(Value::Null), rest, text)
}

/// A whole number, also as a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number(pub i64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = match Value::deserialize(deserializer)? {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.map(Number).ok_or_else(|| D::Error::custom("must be a whole number"))
    }
}

/// An object that is opaque to us, also as a JSON text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes(pub Map<String, Value>);

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = match Value::deserialize(deserializer)? {
            // Through the kit, which bounds the nesting first.
            Value::String(text) => input::parse(text.as_bytes()).unwrap_or_default(),
            other => other,
        };
        match value {
            Value::Object(fields) => Ok(Attributes(fields)),
            _ => Err(D::Error::custom("must be an object")),
        }
    }
}

/// Names and whether they are on; values also as the texts `true` and `false`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features(pub Map<String, Value>);

impl<'de> Deserialize<'de> for Features {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Attributes(mut fields) = Attributes::deserialize(deserializer)?;
        for value in fields.values_mut() {
            let on = match value {
                Value::Bool(on) => Some(*on),
                Value::String(text) => text.parse().ok(),
                _ => None,
            };
            *value = Value::Bool(on.ok_or_else(|| D::Error::custom("must have the values true or false"))?);
        }
        Ok(Features(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Patch;
    use serde_json::json;

    fn parts(kind: &str) -> Parts {
        http::Request::builder().header("content-type", kind).body(()).unwrap().into_parts().0
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Account {
        #[serde(default)]
        name: Patch<String>,
        #[serde(default)]
        user_id: Option<Number>,
        #[serde(default)]
        limits: Patch<Attributes>,
        #[serde(default)]
        features: Option<Features>,
    }

    #[test]
    fn forms_and_json_say_the_same() {
        let form = b"name=A+B&user_id=7&limits%5Bagents%5D=5&limits[deep][er]=x&features[crm]=true&unknown=1";
        let form: Account = body(&parts("application/x-www-form-urlencoded; charset=utf-8"), form).unwrap();
        let json = br#"{"name":"A B","user_id":7,"limits":{"agents":"5","deep":{"er":"x"}},"features":{"crm":true},"unknown":1}"#;
        assert_eq!(form, body(&parts("application/json"), json).unwrap());
        assert_eq!(form.user_id, Some(Number(7)));
    }

    #[test]
    fn nothing_is_an_empty_object() {
        for nothing in [&b""[..], b"null", b"{}"] {
            let read: Account = body(&parts("application/json"), nothing).unwrap();
            assert_eq!((read.name, read.user_id), (Patch::Keep, None));
        }
    }

    #[test]
    fn objects_may_be_json_texts() {
        let read: Account = body(&parts("application/json"), br#"{"limits":"{\"a\":1}"}"#).unwrap();
        assert_eq!(read.limits, Patch::Set(Attributes(json!({"a": 1}).as_object().unwrap().clone())));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let status =
            |kind: &str, bytes: &[u8]| body::<Account>(&parts(kind), bytes).unwrap_err().status.as_u16();
        let form = "application/x-www-form-urlencoded";
        assert_eq!(status(form, b"limits=x&limits[a]=1"), 400);
        assert_eq!(status(form, b"limits[a=1"), 400);
        assert_eq!(status(form, format!("a{}=1", "[b]".repeat(40)).as_bytes()), 400);
        assert_eq!(status(form, b"user_id=seven"), 422);
        assert_eq!(status("application/json", br#"{"limits":"[1]"}"#), 422);
        assert_eq!(status("application/json", br#"{"features":{"a":"maybe"}}"#), 422);
        assert_eq!(status("application/json", b"{"), 400);
        assert_eq!(status("multipart/form-data; boundary=x", b"--x"), 415);
    }
}
