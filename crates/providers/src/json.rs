//! Reading JSON leniently: what is missing or of another type counts as absent.

use serde_json::Value;

/// A member that is a text with something in it.
pub fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_string)
}

/// A member that names something: a text, or a number where a sample shows digits.
pub fn id(value: &Value, name: &str) -> Option<String> {
    match value.get(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A member that is a whole number, also written as a text.
pub fn number(value: &Value, name: &str) -> Option<i64> {
    match value.get(name)? {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_i64(),
    }
}

/// A member that is a list; anything else counts as an empty one.
pub fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
