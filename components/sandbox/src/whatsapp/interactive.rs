//! Buttons, lists and the other interactive kinds (channels section 2.1).

use super::content::{self, length};
use crate::graph::Error;
use serde_json::Value;

const BUTTONS: std::ops::RangeInclusive<usize> = 1..=3;
const BUTTON_ID_CHARS: usize = 256;
const BUTTON_TITLE_CHARS: usize = 20;
const BODY_CHARS: usize = 1024;
const LIST_BODY_CHARS: usize = 4096;
const HEADER_CHARS: usize = 60;
const FOOTER_CHARS: usize = 60;
const SECTIONS: std::ops::RangeInclusive<usize> = 1..=10;
const ROWS: std::ops::RangeInclusive<usize> = 1..=10;
const SECTION_TITLE_CHARS: usize = 24;
const ROW_ID_CHARS: usize = 200;
const ROW_TITLE_CHARS: usize = 24;
const ROW_DESCRIPTION_CHARS: usize = 72;

/// Checks the member `interactive`.
///
/// # Errors
/// 131008 and 131009.
pub fn check(content: &Value) -> Result<(), Error> {
    let kind = content.get("type").and_then(Value::as_str);
    let kind = kind.ok_or_else(|| Error::missing("interactive.type"))?;
    let body = content.pointer("/body/text").ok_or_else(|| Error::missing("interactive.body.text"))?;
    length("interactive.body.text", body, if kind == "list" { LIST_BODY_CHARS } else { BODY_CHARS })?;
    if let Some(footer) = content.get("footer") {
        let text = footer.get("text").ok_or_else(|| Error::missing("interactive.footer.text"))?;
        length("interactive.footer.text", text, FOOTER_CHARS)?;
    }
    if let Some(header) = content.get("header") {
        check_header(kind, header)?;
    }
    let action = content.get("action").ok_or_else(|| Error::missing("interactive.action"))?;
    let name = action.get("name").and_then(Value::as_str);
    match kind {
        "button" => buttons(action),
        "list" => list(action),
        "cta_url" if name == Some("cta_url") => {
            let given =
                |name: &str| action.pointer(&format!("/parameters/{name}")).is_some_and(Value::is_string);
            if given("display_text") && given("url") {
                Ok(())
            } else {
                Err(Error::missing("interactive.action.parameters"))
            }
        }
        "location_request_message" if name == Some("send_location") => Ok(()),
        "request_contact_info" if name == Some("request_contact_info") => Ok(()),
        "cta_url" | "location_request_message" | "request_contact_info" => {
            Err(Error::invalid("interactive.action.name does not fit interactive.type"))
        }
        _ => Err(Error::invalid("interactive.type is none that the sandbox knows")),
    }
}

fn check_header(kind: &str, header: &Value) -> Result<(), Error> {
    let of = header.get("type").and_then(Value::as_str);
    match of.ok_or_else(|| Error::missing("interactive.header.type"))? {
        "text" => {
            let text = header.get("text").ok_or_else(|| Error::missing("interactive.header.text"))?;
            length("interactive.header.text", text, HEADER_CHARS)
        }
        _ if kind == "list" => Err(Error::invalid("the header of a list must be a text")),
        of @ ("image" | "video" | "document") => {
            let file = header.get(of).ok_or_else(|| Error::missing(&format!("interactive.header.{of}")))?;
            content::media(of, file)
        }
        _ => Err(Error::invalid("interactive.header.type must be text, image, video or document")),
    }
}

fn buttons(action: &Value) -> Result<(), Error> {
    let buttons = action.get("buttons").and_then(Value::as_array);
    let buttons = buttons.ok_or_else(|| Error::missing("interactive.action.buttons"))?;
    if !BUTTONS.contains(&buttons.len()) {
        return Err(Error::invalid("interactive.action.buttons must be 1 to 3"));
    }
    let mut seen = Vec::new();
    for button in buttons {
        if button.get("type").and_then(Value::as_str) != Some("reply") {
            return Err(Error::invalid("a button's type must be reply"));
        }
        let part = |name: &str| {
            button.pointer(&format!("/reply/{name}")).ok_or_else(|| Error::missing(&format!("reply.{name}")))
        };
        length("reply.id", part("id")?, BUTTON_ID_CHARS)?;
        length("reply.title", part("title")?, BUTTON_TITLE_CHARS)?;
        unique(&mut seen, part("id")?)?;
    }
    Ok(())
}

fn list(action: &Value) -> Result<(), Error> {
    let button = action.get("button").ok_or_else(|| Error::missing("interactive.action.button"))?;
    length("interactive.action.button", button, BUTTON_TITLE_CHARS)?;
    let sections = action.get("sections").and_then(Value::as_array);
    let sections = sections.ok_or_else(|| Error::missing("interactive.action.sections"))?;
    if !SECTIONS.contains(&sections.len()) {
        return Err(Error::invalid("interactive.action.sections must be 1 to 10"));
    }
    let (mut rows, mut seen) = (0_usize, Vec::new());
    for section in sections {
        match section.get("title") {
            Some(title) => length("section.title", title, SECTION_TITLE_CHARS)?,
            None if sections.len() > 1 => return Err(Error::missing("section.title")),
            None => {}
        }
        let own = section.get("rows").and_then(Value::as_array);
        let own = own.filter(|rows| !rows.is_empty()).ok_or_else(|| Error::missing("section.rows"))?;
        rows = rows.saturating_add(own.len());
        for row in own {
            let part = |name: &str| row.get(name).ok_or_else(|| Error::missing(&format!("row.{name}")));
            length("row.id", part("id")?, ROW_ID_CHARS)?;
            length("row.title", part("title")?, ROW_TITLE_CHARS)?;
            if let Some(description) = row.get("description") {
                length("row.description", description, ROW_DESCRIPTION_CHARS)?;
            }
            unique(&mut seen, part("id")?)?;
        }
    }
    if ROWS.contains(&rows) { Ok(()) } else { Err(Error::invalid("a list has at most 10 rows in all")) }
}

fn unique<'a>(seen: &mut Vec<&'a Value>, id: &'a Value) -> Result<(), Error> {
    if seen.contains(&id) {
        return Err(Error::invalid("two choices have the same id"));
    }
    seen.push(id);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn code(content: Value) -> u32 {
        check(&content).map_or_else(|error| error.code, |()| 0)
    }

    fn buttons(count: usize, title: &str) -> Value {
        let all: Vec<Value> = (0..count)
            .map(|n| json!({"type": "reply", "reply": {"id": format!("b{n}"), "title": title}}))
            .collect();
        json!({"type": "button", "body": {"text": "?"}, "action": {"buttons": all}})
    }

    fn list(sections: usize, rows: usize) -> Value {
        let all: Vec<Value> = (0..sections)
            .map(|s| {
                let rows: Vec<Value> =
                    (0..rows).map(|r| json!({"id": format!("{s}.{r}"), "title": "t"})).collect();
                json!({"title": "s", "rows": rows})
            })
            .collect();
        json!({"type": "list", "body": {"text": "?"}, "action": {"button": "Pick", "sections": all}})
    }

    #[test]
    fn counts_and_lengths_are_the_providers() {
        assert_eq!(code(buttons(3, "Morning")), 0);
        assert_eq!(code(buttons(4, "Morning")), 131_009);
        assert_eq!(code(buttons(0, "Morning")), 131_009);
        assert_eq!(code(buttons(1, &"x".repeat(21))), 131_009);
        assert_eq!(code(list(2, 5)), 0);
        assert_eq!(code(list(2, 6)), 131_009, "at most ten rows in all");
        assert_eq!(code(list(11, 1)), 131_009);
        let mut untitled = list(2, 1);
        untitled["action"]["sections"][1].as_object_mut().unwrap().remove("title");
        assert_eq!(code(untitled), 131_008);
        let mut image = list(1, 1);
        image["header"] = json!({"type": "image", "image": {"id": "1"}});
        assert_eq!(code(image), 131_009, "the header of a list is a text");
        assert_eq!(
            code(json!({"type": "location_request_message", "body": {"text": "Where?"},
                               "action": {"name": "send_location"}})),
            0
        );
        assert_eq!(code(json!({"type": "cta_url", "body": {"text": "?"}, "action": {"name": "x"}})), 131_009);
    }
}
