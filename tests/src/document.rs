//! Every answer that a test gets is checked against the committed `openapi.json`: the status must be
//! one that the operation documents, and the body must be valid under its schema.

use crate::client::Answer;
use crate::process::repository;
use http::Method;
use jsonschema::Validator;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

/// The document, read once.
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let path = repository().join("openapi.json");
        let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_slice(&text).unwrap()
    })
}

/// The operation that answers this path; fixed words win over parameters.
pub fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let method = method.as_str().to_ascii_lowercase();
    let paths = document()["paths"].as_object()?;
    let matching = paths.iter().filter(|(template, _)| matches(template, path));
    let best = matching.min_by_key(|(template, _)| template.matches('{').count())?;
    best.1.get(&method)
}

fn matches(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template.iter().zip(&path).all(|(t, p)| t == p || (t.starts_with('{') && !p.is_empty()))
}

/// What speaks a provider's language answers with the provider's errors, which are not documented here.
const PROVIDERS: &[&str] = &[
    "/sandbox/whatsapp/v",
    "/sandbox/messenger/v",
    "/sandbox/instagram/v",
    "/sandbox/twilio/2010",
    "/sandbox/sms-gateway/send",
    "/sandbox/files/",
];

/// Panics when an answer is not what the document promises. Paths and methods that it does not have
/// are the business of the test that calls them.
#[track_caller]
pub fn check(method: &Method, path: &str, answer: &Answer) {
    let Some(operation) = operation(method, path) else { return };
    if PROVIDERS.iter().any(|own| path.starts_with(own)) || is_absent(answer) {
        return;
    }
    let documented = &operation["responses"][answer.status.to_string()];
    assert!(documented.is_object(), "openapi.json does not document this status: {answer}");
    let Some(content) = documented.get("content").and_then(Value::as_object) else {
        assert!(answer.body.is_empty(), "openapi.json documents no body: {answer}");
        return;
    };
    check_code(documented, answer);
    let kind = answer.header("content-type").split(';').next().unwrap_or_default();
    // Files come as what they are.
    if content.contains_key("*/*") {
        return;
    }
    let media =
        content.get(kind).unwrap_or_else(|| panic!("openapi.json does not document {kind:?}: {answer}"));
    // What is not made from a type, such as the document itself, has no schema of its own.
    if kind.ends_with("json")
        && media["schema"].get("$ref").is_some()
        && let Err(problems) = validate(&media["schema"], &answer.json())
    {
        panic!("not as in openapi.json: {problems}\n{answer}");
    }
}

/// A problem's code must be among those documented for its status.
#[track_caller]
fn check_code(documented: &Value, answer: &Answer) {
    if answer.header("content-type") != "application/problem+json" {
        return;
    }
    let problem = answer.json();
    let code = problem["code"].as_str().unwrap_or_default();
    // These name the scope: one line stands for all of them.
    let code = if code.starts_with("auth_authz_") { "auth_authz_denied" } else { code };
    let listed = documented["description"].as_str().unwrap_or_default().contains(&format!("`{code}`"));
    assert!(listed, "openapi.json does not document this code: {answer}");
}

/// Whether there is no such path: the sandbox, while it is off.
fn is_absent(answer: &Answer) -> bool {
    answer.status == 404 && String::from_utf8_lossy(&answer.body).contains("\"code\":\"route_not_found\"")
}

/// Validates a value under a schema of the document.
pub fn validate(schema: &Value, value: &Value) -> Result<(), String> {
    let validator = validator(document(), schema);
    let problems: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
}

/// A validator of a schema that refers into `document`; made once for each schema.
pub fn validator(document: &Value, schema: &Value) -> Arc<Validator> {
    static MADE: OnceLock<Mutex<HashMap<String, Arc<Validator>>>> = OnceLock::new();
    let mut made = MADE.get_or_init(Mutex::default).lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let key = schema.to_string();
    if let Some(validator) = made.get(&key) {
        return validator.clone();
    }
    let whole = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "allOf": [schema],
        "components": document["components"],
    });
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&whole)
        .unwrap_or_else(|error| panic!("schema {schema}: {error}"));
    let validator = Arc::new(validator);
    made.insert(key, validator.clone());
    validator
}
