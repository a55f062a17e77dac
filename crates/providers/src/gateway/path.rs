//! Finding and putting values in JSON.
//!
//! A path is a JSON pointer (`/messages/0/id`, RFC 6901) or dotted (`messages.0.id`); the pointer that is empty (`/`
//! alone would be a member without a name) is written `.` and means the whole document.

use serde_json::{Map, Value};

/// Deepest path, and highest place in a list: settings must not make huge documents.
const DEPTH: usize = 10;

fn steps(path: &str) -> Vec<String> {
    let split: Vec<&str> = match path.strip_prefix('/') {
        Some(rest) => rest.split('/').collect(),
        None if path == "." => Vec::new(),
        None => path.trim_start_matches("$.").split('.').collect(),
    };
    split.into_iter().map(|step| step.replace("~1", "/").replace("~0", "~")).collect()
}

/// Whether a path can be used.
pub fn is_valid(path: &str) -> bool {
    let steps = steps(path);
    !path.is_empty()
        && steps.len() <= DEPTH
        && steps
            .iter()
            .all(|step| !step.is_empty() && step.len() <= 100 && index(step).is_none_or(|n| n < DEPTH))
}

fn index(step: &str) -> Option<usize> {
    step.bytes().all(|b| b.is_ascii_digit()).then(|| step.parse().ok()).flatten()
}

/// The value at a path.
pub fn find<'a>(document: &'a Value, path: &str) -> Option<&'a Value> {
    steps(path).iter().try_fold(document, |value, step| match value {
        Value::Object(members) => members.get(step),
        Value::Array(items) => items.get(index(step)?),
        _ => None,
    })
}

/// The text at a path: a text, a number or a truth value; nothing else, and not an empty one.
pub fn text(document: &Value, path: &str) -> Option<String> {
    match find(document, path)? {
        Value::String(text) => Some(text.trim().to_string()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

/// Puts a value at a path, with the objects and lists that lead there.
pub fn put(document: &mut Value, path: &str, value: Value) {
    put_at(document, &steps(path), value);
}

fn put_at(place: &mut Value, steps: &[String], value: Value) {
    let Some((step, rest)) = steps.split_first() else {
        *place = value;
        return;
    };
    match index(step).filter(|n| *n < DEPTH) {
        Some(n) => {
            if !place.is_array() {
                *place = Value::Array(Vec::new());
            }
            let Value::Array(items) = place else { return };
            while items.len() <= n {
                items.push(Value::Null);
            }
            if let Some(item) = items.get_mut(n) {
                put_at(item, rest, value);
            }
        }
        None => {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            let Value::Object(members) = place else { return };
            put_at(members.entry(step.clone()).or_insert(Value::Null), rest, value);
        }
    }
}

/// Whether a name is a path into nested JSON, not the name of a member.
pub fn is_nested(name: &str) -> bool {
    name.starts_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn finds_by_pointer_and_by_dots() {
        let document = json!({"messages": [{"id": 7, "a.b": "x", "ok": true}], "empty": " "});
        for path in ["/messages/0/id", "messages.0.id", "$.messages.0.id"] {
            assert_eq!(text(&document, path).as_deref(), Some("7"), "{path}");
        }
        assert_eq!(text(&document, "/messages/0/a.b").as_deref(), Some("x"));
        assert_eq!(text(&document, "messages.0.ok").as_deref(), Some("true"));
        assert_eq!(text(&json!("OK 5"), ".").as_deref(), Some("OK 5"));
        for path in ["empty", "messages", "messages.1.id", "messages.x", "none.deeper", "/"] {
            assert_eq!(text(&document, path), None, "{path}");
        }
    }

    #[test]
    fn puts_where_nothing_was() {
        let mut document = json!({});
        put(&mut document, "/messages/0/destinations/0/to", json!("1"));
        put(&mut document, "/messages/0/text", json!("x"));
        assert_eq!(document, json!({"messages": [{"destinations": [{"to": "1"}], "text": "x"}]}));
        put(&mut document, "/messages/text", json!("y"));
        assert_eq!(
            document,
            json!({"messages": {"text": "y"}}),
            "a wrong path overwrites, and does not panic"
        );
    }

    #[test]
    fn refuses_paths_that_lead_too_far() {
        assert!(is_valid("/a/0/b") && is_valid("a.b") && is_valid("."));
        for path in ["", "/", "a..b", "/a/4000000000", "a.b.c.d.e.f.g.h.i.j.k"] {
            assert!(!is_valid(path), "{path}");
        }
    }
}
