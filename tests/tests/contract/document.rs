//! `openapi.json` is what the tables say, and says everything.

use crate::tables;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use tests::process::repository;

const METHODS: &[&str] = &["get", "post", "put", "patch", "delete"];

/// Every operation with its method and path, for messages.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in METHODS {
            if let Some(operation) = item.get(method) {
                all.push((format!("{} {path}", method.to_uppercase()), operation));
            }
        }
    }
    all
}

#[test]
fn the_committed_document_is_fresh() {
    let path = repository().join("openapi.json");
    let made = format!("{:#}\n", tables::document());
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(&path, made).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == made,
        "openapi.json is stale. Make it again with: UPDATE_OPENAPI=1 FLOWNALLY_TESTS=e2e scripts/test fresh"
    );
}

#[test]
fn every_operation_is_described() {
    let document = tables::document();
    let mut faults = Vec::new();
    let mut ids = BTreeSet::new();
    for (name, operation) in operations(&document) {
        let mut fault = |holds: bool, what: &str| {
            if !holds {
                faults.push(format!("{name}: {what}"));
            }
        };
        let words = |member: &str| operation[member].as_str().unwrap_or_default().trim();
        fault(
            words("summary").len() >= 5 && !words("summary").ends_with('.'),
            "a summary without a full stop",
        );
        fault(
            words("description").len() >= 10 && words("description").ends_with('.'),
            "a description in sentences",
        );
        fault(ids.insert(words("operationId")), "an operationId of its own");
        fault(operation.get("security").is_some(), "security");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let described = parameter["description"].as_str().is_some_and(|text| text.len() > 5);
            fault(
                described || parameter.get("$ref").is_some(),
                &format!("a description of {}", parameter["name"]),
            );
        }
        let responses = operation["responses"].as_object().unwrap();
        // A part of a file is the same success as the whole; a redirect leads to one.
        let is_success = |status: &str| status == "307" || status.starts_with('2') && status != "206";
        let successes = responses.keys().filter(|status| is_success(status)).count();
        fault(successes == 1, "one success");
    }
    assert!(faults.is_empty(), "missing:\n{}", faults.join("\n"));
}

#[test]
fn tenant_operations_name_scopes_and_roles() {
    for operation in tables::operations() {
        if let common::auth::Access::Tenant { scopes, roles } = operation.access {
            assert!(!scopes.is_empty() && !roles.is_empty(), "{}", operation.id);
        }
    }
}

#[test]
fn no_schema_is_a_bare_object() {
    let document = tables::document();
    let mut faults = Vec::new();
    find_bare_objects(&document, "#", &mut faults);
    assert!(faults.is_empty(), "bare objects:\n{}", faults.join("\n"));
}

fn find_bare_objects(value: &Value, at: &str, faults: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            if is_bare_object(members) {
                faults.push(at.to_string());
            }
            for (name, member) in members {
                // Examples are values, not schemas.
                if name != "example" && name != "examples" {
                    find_bare_objects(member, &format!("{at}/{name}"), faults);
                }
            }
        }
        Value::Array(members) => {
            for (number, member) in members.iter().enumerate() {
                find_bare_objects(member, &format!("{at}/{number}"), faults);
            }
        }
        _ => {}
    }
}

fn is_bare_object(schema: &Map<String, Value>) -> bool {
    let kind = &schema.get("type");
    let is_object = match kind {
        Some(Value::String(kind)) => kind == "object",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        _ => false,
    };
    is_object
        && !["properties", "additionalProperties", "oneOf", "allOf"]
            .iter()
            .any(|says| schema.contains_key(*says))
}

#[test]
fn every_body_and_answer_has_a_valid_example() {
    let document = tables::document();
    let mut faults = Vec::new();
    for (name, operation) in operations(&document) {
        let mut contents = vec![("the body".to_string(), &operation["requestBody"]["content"])];
        for (status, response) in operation["responses"].as_object().unwrap() {
            if status.starts_with('2') {
                contents.push((format!("the answer {status}"), &response["content"]));
            }
        }
        for (of, content) in contents {
            let Some(media) = content.get("application/json") else { continue };
            // What is not made by us from a type has no schema: the document itself.
            if media["schema"].get("$ref").is_none() {
                continue;
            }
            match media.get("example") {
                None => faults.push(format!("{name}: {of} has no example")),
                Some(example) => {
                    let validator = tests::document::validator(&document, &media["schema"]);
                    for error in validator.iter_errors(example) {
                        faults
                            .push(format!("{name}: the example of {of}: {}: {error}", error.instance_path()));
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_schema_that_is_named_exists() {
    let document = tables::document();
    let mut named = BTreeSet::new();
    find_references(&document, &mut named);
    for reference in named {
        let pointer = reference.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference} is named and does not exist");
    }
}

fn find_references(value: &Value, named: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            named.extend(members.get("$ref").and_then(Value::as_str).map(str::to_string));
            members.values().for_each(|member| find_references(member, named));
        }
        Value::Array(members) => members.iter().for_each(|member| find_references(member, named)),
        _ => {}
    }
}
