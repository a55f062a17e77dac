//! The templates that a business account has, and the rules of sending one (channels section 2.2).
//!
//! The built-in ones are in `templates.json`; a control call adds others or changes a review.

use crate::graph::Error;
use common::db::Db;
use common::{Result, params};
use serde_json::Value;

/// All templates of an account in the order of the list: the built-in ones, then those added.
pub fn all(db: &Db<'_>, account: &str) -> Result<Vec<Value>> {
    let stored: Vec<(String,)> = db.rows(
        "SELECT definition FROM sandbox_templates WHERE account = ? ORDER BY name, language LIMIT 1000",
        params![account],
    )?;
    let stored = stored.into_iter().filter_map(|(text,)| serde_json::from_str(&text).ok()).collect();
    Ok(merged(built_in(), stored))
}

fn merged(mut templates: Vec<Value>, stored: Vec<Value>) -> Vec<Value> {
    for template in stored {
        match templates.iter_mut().find(|known| is_same(known, &template)) {
            Some(known) => *known = template,
            None => templates.push(template),
        }
    }
    templates
}

fn built_in() -> Vec<Value> {
    serde_json::from_str(include_str!("templates.json")).unwrap_or_default()
}

fn is_same(a: &Value, b: &Value) -> bool {
    text(a, "name") == text(b, "name") && text(a, "language") == text(b, "language")
}

/// A text member; empty where there is none.
pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Checks the member `template` of a message against the account's templates.
///
/// # Errors
/// 131008 where a member is missing, 132001 where no approved translation has that name and language, 132015
/// and 132016 where it is paused or disabled, 132000 and 132012 where the values do not fit.
pub fn check(known: &[Value], template: &Value) -> Result<(), Error> {
    let name = template.get("name").and_then(Value::as_str).ok_or_else(|| Error::missing("template.name"))?;
    let language = template.pointer("/language/code").and_then(Value::as_str);
    let language = language.ok_or_else(|| Error::missing("template.language.code"))?;
    let found = known.iter().find(|one| text(one, "name") == name && text(one, "language") == language);
    let not_there = || {
        Error::refused(
            132_001,
            "Template name does not exist in the translation",
            format!("template name ({name}) does not exist in {language}"),
        )
    };
    let known = found.ok_or_else(not_there)?;
    match text(known, "status") {
        "APPROVED" => {}
        "PAUSED" => {
            return Err(Error::refused(132_015, "Template is paused", format!("template {name} is paused")));
        }
        "DISABLED" => {
            return Err(Error::refused(
                132_016,
                "Template is disabled",
                format!("template {name} is disabled"),
            ));
        }
        _ => return Err(not_there()),
    }
    let components = match template.get("components") {
        None => &[],
        Some(Value::Array(components)) => components.as_slice(),
        Some(_) => return Err(Error::invalid("template.components must be a list")),
    };
    check_components(known, components)
}

fn check_components(known: &Value, given: &[Value]) -> Result<(), Error> {
    let named = text(known, "parameter_format") == "NAMED";
    let parts = known.get("components").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let part = |kind: &str| parts.iter().find(|part| text(part, "type") == kind);
    for component in given {
        let kind = text(component, "type").to_ascii_lowercase();
        if !matches!(kind.as_str(), "header" | "body" | "button" | "footer") {
            return Err(mismatch(if kind.is_empty() { "component" } else { &kind }));
        }
        if kind == "footer" && !parameters(component).is_empty() {
            return Err(mismatch("footer"));
        }
    }
    let of = |kind: &str| given.iter().find(|one| text(one, "type").eq_ignore_ascii_case(kind));
    check_header(part("HEADER"), of("header"), named)?;
    let body = part("BODY").map(|part| text(part, "text")).unwrap_or_default();
    check_texts("body", body, of("body").map(parameters).unwrap_or_default(), named)?;
    let buttons = part("BUTTONS").and_then(|part| part.get("buttons")).and_then(Value::as_array);
    let buttons = buttons.map(Vec::as_slice).unwrap_or_default();
    for component in given.iter().filter(|one| text(one, "type").eq_ignore_ascii_case("button")) {
        check_button(buttons, component)?;
    }
    for (index, button) in buttons.iter().enumerate() {
        let needs = (text(button, "type") == "URL" && text(button, "url").contains("{{"))
            || text(button, "type") == "COPY_CODE";
        if needs && !given.iter().any(|one| position(one) == Some(index)) {
            return Err(count(&format!("button {index}"), 0, 1));
        }
    }
    Ok(())
}

/// A header of media or a place needs just that; one of text needs its variables.
fn check_header(known: Option<&Value>, given: Option<&Value>, named: bool) -> Result<(), Error> {
    let values = given.map(parameters).unwrap_or_default();
    let Some(known) = known else {
        return if values.is_empty() { Ok(()) } else { Err(mismatch("header")) };
    };
    let format = text(known, "format").to_ascii_lowercase();
    if format == "text" {
        return check_texts("header", text(known, "text"), values, named);
    }
    match values {
        [value] if text(value, "type") == format => match value.get(&format) {
            Some(file) if format != "location" => super::content::media(&format, file),
            Some(_) => Ok(()),
            None => Err(mismatch("header")),
        },
        [_] => Err(mismatch("header")),
        values => Err(count("header", values.len(), 1)),
    }
}

/// The variables of a text, each with a value that has something in it.
fn check_texts(place: &str, pattern: &str, values: &[Value], named: bool) -> Result<(), Error> {
    let expected: Vec<&str> = pattern
        .split("{{")
        .skip(1)
        .filter_map(|rest| rest.split_once("}}"))
        .map(|(name, _)| name.trim())
        .collect();
    if values.len() != expected.len() {
        return Err(count(place, values.len(), expected.len()));
    }
    for value in values {
        let filled = match text(value, "type") {
            "text" => !text(value, "text").trim().is_empty(),
            "currency" => value.pointer("/currency/fallback_value").is_some_and(Value::is_string),
            "date_time" => value.pointer("/date_time/fallback_value").is_some_and(Value::is_string),
            _ => false,
        };
        let name = value.get("parameter_name").and_then(Value::as_str);
        let placed = if named { name.is_some_and(|name| expected.contains(&name)) } else { name.is_none() };
        if !filled || !placed {
            return Err(mismatch(place));
        }
    }
    Ok(())
}

fn check_button(known: &[Value], given: &Value) -> Result<(), Error> {
    let index = position(given).ok_or_else(|| Error::missing("template.components.index"))?;
    let known = known.get(index).ok_or_else(|| mismatch("button"))?;
    let (of, value) = match text(known, "type") {
        "QUICK_REPLY" => ("quick_reply", "payload"),
        "URL" => ("url", "text"),
        "COPY_CODE" => ("copy_code", "coupon_code"),
        "FLOW" => ("flow", "action"),
        _ => return Err(mismatch("button")),
    };
    match parameters(given) {
        [one] if text(given, "sub_type").eq_ignore_ascii_case(of) && one.get(value).is_some() => Ok(()),
        _ => Err(mismatch("button")),
    }
}

/// A button's place from 0, which is written as a text or as a number.
fn position(component: &Value) -> Option<usize> {
    let index = component.get("index")?;
    index.as_str().and_then(|text| text.parse().ok()).or_else(|| usize::try_from(index.as_u64()?).ok())
}

fn parameters(component: &Value) -> &[Value] {
    component.get("parameters").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn count(place: &str, given: usize, expected: usize) -> Error {
    Error::refused(
        132_000,
        "Number of parameters does not match the expected number of params",
        format!(
            "{place}: number of localizable_params ({given}) does not match the expected number of params ({expected})"
        ),
    )
}

fn mismatch(place: &str) -> Error {
    Error::refused(
        132_012,
        "Parameter format does not match format in the created template",
        format!("{place}: a parameter has another format than the template's"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn code(template: Value) -> u32 {
        check(&built_in(), &template).map_or_else(|error| error.code, |()| 0)
    }

    fn update(components: Value) -> Value {
        json!({"name": "delivery_update", "language": {"code": "en"}, "components": components})
    }

    #[test]
    fn name_language_and_status_must_fit() {
        assert_eq!(code(json!({"name": "order_ready", "language": {"code": "en"}})), 0);
        assert_eq!(code(json!({"name": "order_ready", "language": {"code": "en_GB"}})), 132_001);
        assert_eq!(code(json!({"name": "unheard_of", "language": {"code": "en"}})), 132_001);
        assert_eq!(code(json!({"name": "summer_sale", "language": {"code": "en"}})), 132_015);
        assert_eq!(
            code(json!({"name": "autumn_offer", "language": {"code": "en_GB"}})),
            132_001,
            "not approved"
        );
        assert_eq!(code(json!({"name": "order_ready", "language": "en"})), 131_008);
        assert_eq!(code(json!({"language": {"code": "en"}})), 131_008);
        assert_eq!(code(json!(null)), 131_008);
        let disabled = json!({"name": "order_ready", "language": "en", "status": "DISABLED"});
        let known = merged(built_in(), vec![disabled]);
        let error = check(&known, &json!({"name": "order_ready", "language": {"code": "en"}})).unwrap_err();
        assert_eq!((error.code, known.len()), (132_016, built_in().len()));
    }

    #[test]
    fn number_and_format_of_the_values_must_fit() {
        let text = |text: &str| json!({"type": "text", "text": text});
        assert_eq!(code(update(json!([{"type": "body", "parameters": [text("Mira"), text("#981")]}]))), 0);
        assert_eq!(code(update(json!([{"type": "BODY", "parameters": [text("Mira"), text("#981")]}]))), 0);
        assert_eq!(code(update(json!([{"type": "body", "parameters": [text("Mira")]}]))), 132_000);
        assert_eq!(code(update(json!([]))), 132_000);
        assert_eq!(code(update(json!([{"type": "body", "parameters": [text("Mira"), text(" ")]}]))), 132_012);
        assert_eq!(
            code(update(json!([{"type": "body", "parameters": [text("a"), {"type": "image"}]}]))),
            132_012
        );
        assert_eq!(code(update(json!([{"type": "header", "parameters": [text("a")]}]))), 132_012);
        assert_eq!(code(update(json!("x"))), 131_009);
        let needless = json!({"name": "order_ready", "language": {"code": "en"},
                              "components": [{"type": "body", "parameters": [text("a")]}]});
        assert_eq!(code(needless), 132_000);
    }

    #[test]
    fn headers_buttons_and_names_must_fit() {
        for fixture in [
            include_str!("../../../../crates/providers/tests/fixtures/whatsapp/out-template.json"),
            include_str!("../../../../crates/providers/tests/fixtures/whatsapp/out-template-named.json"),
        ] {
            let message: Value = serde_json::from_str(fixture).unwrap();
            assert_eq!(code(message["template"].clone()), 0, "{fixture}");
            for n in 0..message["template"]["components"].as_array().unwrap().len() {
                let mut less = message["template"].clone();
                let gone = less["components"].as_array_mut().unwrap().remove(n);
                let expected = if gone["sub_type"] == "quick_reply" { 0 } else { 132_000 };
                assert_eq!(code(less), expected, "without {gone}");
            }
        }
    }
}
