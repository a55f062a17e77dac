//! The templates that the sandbox's business account has, and the rules of sending one (channels 2.2).

use crate::graph::Error;
use serde_json::Value;

/// A template in one language.
#[derive(Debug)]
struct Template {
    name: &'static str,
    language: &'static str,
    status: &'static str,
    /// `{{1}}` stands for the first parameter.
    body: &'static str,
}

const TEMPLATES: &[Template] = &[
    Template {
        name: "order_ready",
        language: "en",
        status: "APPROVED",
        body: "Hi, your order is ready for pickup.",
    },
    Template {
        name: "delivery_update",
        language: "en",
        status: "APPROVED",
        body: "Hi {{1}}, your parcel {{2}} is on its way.",
    },
    Template {
        name: "summer_sale",
        language: "en",
        status: "PAUSED",
        body: "The summer sale begins tomorrow.",
    },
];

impl Template {
    fn parameters(&self) -> usize {
        self.body.matches("{{").count()
    }
}

/// Checks the member `template` of a message.
///
/// # Errors
/// 131008 where a member is missing, 132001 where no translation has that name and language, 132015 where
/// it is paused, 132000 and 132012 where the values do not fit.
pub fn check(template: &Value) -> Result<(), Error> {
    let name = template.get("name").and_then(Value::as_str).ok_or_else(|| Error::missing("template.name"))?;
    let language = template.pointer("/language/code").and_then(Value::as_str);
    let language = language.ok_or_else(|| Error::missing("template.language.code"))?;
    let found = TEMPLATES.iter().find(|known| known.name == name && known.language == language);
    let Some(known) = found else {
        return Err(Error::refused(
            132_001,
            "Template name does not exist in the translation",
            format!("template name ({name}) does not exist in {language}"),
        ));
    };
    if known.status != "APPROVED" {
        return Err(Error::refused(132_015, "Template is paused", format!("template {name} is paused")));
    }
    let components = match template.get("components") {
        None => &[],
        Some(Value::Array(components)) => components.as_slice(),
        Some(_) => return Err(Error::invalid("template.components must be a list")),
    };
    let mut given = 0;
    for component in components {
        let parameters =
            component.get("parameters").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        match component.get("type").and_then(Value::as_str).map(str::to_ascii_lowercase).as_deref() {
            Some("body") => {
                check_texts(parameters)?;
                given = parameters.len();
            }
            // None of these templates has a header or a button with variables.
            _ if parameters.is_empty() => {}
            kind => return Err(format_mismatch(kind.unwrap_or("component"))),
        }
    }
    let expected = known.parameters();
    if given == expected {
        return Ok(());
    }
    Err(Error::refused(
        132_000,
        "Number of parameters does not match the expected number of params",
        format!(
            "body: number of localizable_params ({given}) does not match the expected number of params ({expected})"
        ),
    ))
}

/// Positional texts, each with something in it.
fn check_texts(parameters: &[Value]) -> Result<(), Error> {
    for parameter in parameters {
        let is_text = parameter.get("type").and_then(Value::as_str) == Some("text");
        let text = parameter.get("text").and_then(Value::as_str).unwrap_or_default();
        if !is_text || text.trim().is_empty() || parameter.get("parameter_name").is_some() {
            return Err(format_mismatch("body"));
        }
    }
    Ok(())
}

fn format_mismatch(place: &str) -> Error {
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
        check(&template).map_or_else(|error| error.code, |()| 0)
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
        assert_eq!(code(json!({"name": "order_ready", "language": "en"})), 131_008);
        assert_eq!(code(json!({"language": {"code": "en"}})), 131_008);
        assert_eq!(code(json!(null)), 131_008);
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
}
