//! What may be sent: the limits of each kind, and what each channel can carry (channels sections 2.1, 4.1,
//! 5.1 and 6.1).

use super::{
    ContactCards, InteractiveChoice, InteractiveContent, LocationContent, MediaContent, MediaType,
    MessageContent, TemplateContent,
};
use common::Result;
use common::problem::Violations;

/// Longest text, in characters (channels section 2.1).
pub const TEXT_CHARS: usize = 4096;
/// Longest template name, in characters.
pub const TEMPLATE_NAME_CHARS: usize = 512;
/// Most components of a template.
pub const TEMPLATE_COMPONENTS: usize = 20;
/// Most values in one component of a template.
const TEMPLATE_PARAMETERS: usize = 50;
const CAPTION_CHARS: usize = 1024;
const FILENAME_CHARS: usize = 240;
const URL_CHARS: usize = 2048;
const BUTTONS: usize = 3;
const BUTTON_TITLE_CHARS: usize = 20;
const BUTTON_ID_CHARS: usize = 256;
const BUTTONS_BODY_CHARS: usize = 1024;
const HEADER_CHARS: usize = 60;
const FOOTER_CHARS: usize = 60;
const LIST_BODY_CHARS: usize = 4096;
const LIST_BUTTON_CHARS: usize = 20;
const SECTIONS: usize = 10;
const SECTION_TITLE_CHARS: usize = 24;
/// In all sections together.
const ROWS: usize = 10;
const ROW_ID_CHARS: usize = 200;
const ROW_TITLE_CHARS: usize = 24;
const ROW_DESCRIPTION_CHARS: usize = 72;
const PLACE_CHARS: usize = 1000;
/// Most address cards in one message.
const CARDS: usize = 50;
/// Messenger takes texts under 2000 characters.
const MESSENGER_CHARS: usize = 1999;
/// Instagram counts bytes.
const INSTAGRAM_BYTES: usize = 1000;
const SMS_CHARS: usize = 1600;

const TEXT: &str = "content.text.body";

/// What keeps a channel from carrying a content.
#[derive(Debug)]
pub enum Carried {
    Yes,
    /// Not in this form: the fields to change.
    Not(Violations),
    /// The channel has nothing of the kind; the field and why.
    Unsupported(&'static str, String),
}

impl MessageContent {
    /// Checks what a caller wants to send, whatever the channel.
    pub fn validate(&self) -> Result<()> {
        let mut violations = Violations::new();
        match self {
            MessageContent::Text { text } => violations.text(TEXT, &text.body, TEXT_CHARS),
            MessageContent::Template { template } => check_template(&mut violations, template),
            MessageContent::Media { media } => check_media(&mut violations, media),
            MessageContent::Interactive { interactive } => check_interactive(&mut violations, interactive),
            MessageContent::Location { location } => check_location(&mut violations, location),
            MessageContent::Contacts { contacts } => check_contacts(&mut violations, contacts),
            MessageContent::Reply { .. }
            | MessageContent::Unsupported { .. }
            | MessageContent::Deleted {} => {
                violations.add("content.type", "cannot be sent: it is what customers' messages show");
            }
        }
        violations.finish()
    }

    /// Whether a channel can carry it. `provider` tells the SMS providers apart; of a file its `media_type`
    /// must be known by now.
    pub fn carried_by(&self, channel: &str, provider: Option<&str>) -> Carried {
        let mut violations = Violations::new();
        match (channel, self) {
            ("whatsapp", _) => {}
            ("messenger", MessageContent::Text { text }) => {
                chars(&mut violations, TEXT, &text.body, MESSENGER_CHARS, "Messenger");
            }
            ("messenger", MessageContent::Interactive { interactive }) if interactive.list.is_none() => {
                let field = "content.interactive.body";
                chars(&mut violations, field, &interactive.body, MESSENGER_CHARS, "Messenger");
                absent(&mut violations, "header", interactive.header.as_deref());
                absent(&mut violations, "footer", interactive.footer.as_deref());
            }
            ("instagram", MessageContent::Text { text }) => {
                violations.check(
                    text.body.len() <= INSTAGRAM_BYTES,
                    TEXT,
                    "must be at most 1000 bytes on Instagram",
                );
            }
            ("messenger" | "instagram", MessageContent::Media { media }) => {
                violations.check(
                    media.caption.is_none(),
                    "content.media.caption",
                    "is not known on this channel: send a text beside the file",
                );
            }
            ("sms", MessageContent::Text { text }) => {
                chars(&mut violations, TEXT, &text.body, SMS_CHARS, "SMS");
            }
            ("sms", MessageContent::Media { .. }) if provider == Some("twilio") => {}
            (
                "text",
                MessageContent::Text { .. }
                | MessageContent::Media { .. }
                | MessageContent::Interactive { .. },
            ) => {}
            _ => {
                let channel = if channel == "text" { "live chat" } else { channel };
                return Carried::Unsupported(
                    "content.type",
                    format!("{} is not known on {channel}", self.kind()),
                );
            }
        }
        if violations.is_empty() { Carried::Yes } else { Carried::Not(violations) }
    }

    /// The `type` as callers write it.
    pub const fn kind(&self) -> &'static str {
        match self {
            MessageContent::Text { .. } => "text",
            MessageContent::Template { .. } => "template",
            MessageContent::Media { .. } => "media",
            MessageContent::Interactive { .. } => "interactive",
            MessageContent::Location { .. } => "location",
            MessageContent::Contacts { .. } => "contacts",
            MessageContent::Reply { .. } => "reply",
            MessageContent::Unsupported { .. } => "unsupported",
            MessageContent::Deleted {} => "deleted",
        }
    }
}

/// Whether a message can quote another there.
pub fn can_quote(channel: &str) -> bool {
    matches!(channel, "whatsapp" | "messenger" | "text")
}

/// Whether an emoji can be put on a message there.
pub fn can_react(channel: &str) -> bool {
    matches!(channel, "whatsapp" | "messenger" | "instagram" | "text")
}

fn chars(violations: &mut Violations, field: &str, text: &str, max: usize, channel: &str) {
    if text.chars().count() > max {
        violations.add(field, format!("must be at most {max} characters on {channel}"));
    }
}

fn absent(violations: &mut Violations, name: &str, value: Option<&str>) {
    violations.check(value.is_none(), &format!("content.interactive.{name}"), "is not known on this channel");
}

fn optional(violations: &mut Violations, field: &str, value: Option<&str>, max: usize) {
    if let Some(value) = value {
        violations.text(field, value, max);
    }
}

fn check_template(violations: &mut Violations, template: &TemplateContent) {
    violations.text("content.template.name", &template.name, TEMPLATE_NAME_CHARS);
    let language = &template.language;
    violations.check(
        (2..=16).contains(&language.len())
            && language.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'),
        "content.template.language",
        "must be a language code such as en or pt_BR",
    );
    let components = &template.components;
    violations.check(
        components.len() <= TEMPLATE_COMPONENTS,
        "content.template.components",
        "must have at most 20 components",
    );
    for (at, component) in components.iter().enumerate().take(TEMPLATE_COMPONENTS) {
        let field = format!("content.template.components[{at}]");
        let kind = component.kind.to_ascii_lowercase();
        violations.check(
            matches!(
                kind.as_str(),
                "header" | "body" | "button" | "footer" | "carousel" | "limited_time_offer"
            ),
            &format!("{field}.type"),
            "must be header, body or button",
        );
        if kind == "button" {
            violations.check(
                component.sub_type.is_some(),
                &format!("{field}.sub_type"),
                "must say which kind of button",
            );
            let index = component.index.as_deref().unwrap_or_default();
            violations.check(
                (1..=2).contains(&index.len()) && index.bytes().all(|b| b.is_ascii_digit()),
                &format!("{field}.index"),
                "must be the button's place from 0, as text",
            );
        }
        violations.check(
            component.parameters.len() <= TEMPLATE_PARAMETERS,
            &format!("{field}.parameters"),
            "must have at most 50 values",
        );
        for (at, parameter) in component.parameters.iter().enumerate().take(TEMPLATE_PARAMETERS) {
            violations.check(
                parameter.get("type").is_some_and(serde_json::Value::is_string),
                &format!("{field}.parameters[{at}].type"),
                "must name the kind of value, such as text",
            );
        }
    }
}

fn check_media(violations: &mut Violations, media: &MediaContent) {
    match (&media.media_id, &media.url) {
        (Some(_), None) => {}
        (None, Some(url)) => {
            violations.check(
                is_public_url(url),
                "content.media.url",
                "must be an https URL that the provider can fetch, of at most 2048 characters",
            );
            violations.check(
                media.media_type.is_some(),
                "content.media.mediaType",
                "must be given with a url: image, document, video or audio",
            );
        }
        (None, None) => violations.add("content.media.mediaId", "must be given, or a url instead"),
        (Some(_), Some(_)) => violations.add("content.media.url", "must not be given together with mediaId"),
    }
    optional(violations, "content.media.caption", media.caption.as_deref(), CAPTION_CHARS);
    optional(violations, "content.media.filename", media.filename.as_deref(), FILENAME_CHARS);
    if let Some(kind) = media.media_type {
        check_media_kind(violations, media, kind);
    }
}

/// What goes with which kind of file; again when an upload has told its kind.
pub(crate) fn check_media_kind(violations: &mut Violations, media: &MediaContent, kind: MediaType) {
    violations.check(
        !media.sticker || kind == MediaType::Image,
        "content.media.sticker",
        "is for images only",
    );
    violations.check(!media.voice || kind == MediaType::Audio, "content.media.voice", "is for audio only");
    violations.check(
        media.caption.is_none() || (kind != MediaType::Audio && !media.sticker),
        "content.media.caption",
        "is not known for audio and stickers",
    );
}

fn is_public_url(text: &str) -> bool {
    text.len() <= URL_CHARS
        && url::Url::parse(text).is_ok_and(|url| {
            url.scheme() == "https"
                && url.host().is_some()
                && url.username().is_empty()
                && url.password().is_none()
        })
}

fn check_interactive(violations: &mut Violations, interactive: &InteractiveContent) {
    optional(violations, "content.interactive.header", interactive.header.as_deref(), HEADER_CHARS);
    optional(violations, "content.interactive.footer", interactive.footer.as_deref(), FOOTER_CHARS);
    let body = "content.interactive.body";
    match (&interactive.list, interactive.buttons.as_slice()) {
        (None, []) => violations.add("content.interactive.buttons", "must be given, or a list instead"),
        (Some(_), [_, ..]) => {
            violations.add("content.interactive.list", "must not be given together with buttons");
        }
        (None, buttons) => {
            violations.text(body, &interactive.body, BUTTONS_BODY_CHARS);
            check_buttons(violations, buttons);
        }
        (Some(list), []) => {
            violations.text(body, &interactive.body, LIST_BODY_CHARS);
            violations.text("content.interactive.list.button", &list.button, LIST_BUTTON_CHARS);
            check_sections(violations, &list.sections);
        }
    }
}

fn check_buttons(violations: &mut Violations, buttons: &[InteractiveChoice]) {
    let field = "content.interactive.buttons";
    violations.check(buttons.len() <= BUTTONS, field, "must be at most 3");
    for (at, button) in buttons.iter().enumerate().take(BUTTONS) {
        violations.text(&format!("{field}[{at}].id"), &button.id, BUTTON_ID_CHARS);
        violations.text(&format!("{field}[{at}].title"), &button.title, BUTTON_TITLE_CHARS);
        violations.check(
            button.description.is_none(),
            &format!("{field}[{at}].description"),
            "is for rows of a list only",
        );
        let before = || buttons.iter().take(at);
        violations.check(
            !before().any(|other| other.id == button.id),
            &format!("{field}[{at}].id"),
            "must differ from those before",
        );
        violations.check(
            !before().any(|other| other.title == button.title),
            &format!("{field}[{at}].title"),
            "must differ from those before",
        );
    }
}

fn check_sections(violations: &mut Violations, sections: &[super::InteractiveSection]) {
    let field = "content.interactive.list.sections";
    violations.check(!sections.is_empty(), field, "must not be empty");
    violations.check(sections.len() <= SECTIONS, field, "must be at most 10");
    let rows: usize = sections.iter().map(|section| section.rows.len()).sum();
    violations.check(rows <= ROWS, field, "must have at most 10 rows in all");
    let mut ids: Vec<&str> = Vec::new();
    for (at, section) in sections.iter().enumerate().take(SECTIONS) {
        let field = format!("{field}[{at}]");
        match &section.title {
            Some(title) => violations.text(&format!("{field}.title"), title, SECTION_TITLE_CHARS),
            None => violations.check(
                sections.len() == 1,
                &format!("{field}.title"),
                "must be given where there are several sections",
            ),
        }
        violations.check(!section.rows.is_empty(), &format!("{field}.rows"), "must not be empty");
        for (at, row) in section.rows.iter().enumerate().take(ROWS) {
            let field = format!("{field}.rows[{at}]");
            violations.text(&format!("{field}.id"), &row.id, ROW_ID_CHARS);
            violations.text(&format!("{field}.title"), &row.title, ROW_TITLE_CHARS);
            let description = row.description.as_deref();
            optional(violations, &format!("{field}.description"), description, ROW_DESCRIPTION_CHARS);
            violations.check(
                !ids.contains(&row.id.as_str()),
                &format!("{field}.id"),
                "must differ from those before",
            );
            ids.push(&row.id);
        }
    }
}

fn check_location(violations: &mut Violations, location: &LocationContent) {
    violations.check(
        (-90.0..=90.0).contains(&location.latitude),
        "content.location.latitude",
        "must be -90 to 90 degrees",
    );
    violations.check(
        (-180.0..=180.0).contains(&location.longitude),
        "content.location.longitude",
        "must be -180 to 180 degrees",
    );
    optional(violations, "content.location.name", location.name.as_deref(), PLACE_CHARS);
    optional(violations, "content.location.address", location.address.as_deref(), PLACE_CHARS);
}

/// `formatted_name` and one more part of the name are needed (channels section 2.1).
fn check_contacts(violations: &mut Violations, cards: &ContactCards) {
    let field = "content.contacts";
    violations.check(!cards.is_empty(), field, "must not be empty");
    violations.check(cards.len() <= CARDS, field, "must be at most 50");
    for (at, card) in cards.iter().enumerate().take(CARDS) {
        let name = card.get("name");
        let part = |part: &str| {
            name.and_then(|name| name.get(part)?.as_str()).is_some_and(|text| !text.trim().is_empty())
        };
        violations.check(
            part("formatted_name"),
            &format!("{field}[{at}].name.formatted_name"),
            "must not be empty",
        );
        let others = ["first_name", "last_name", "middle_name", "suffix", "prefix"];
        violations.check(
            others.into_iter().any(part),
            &format!("{field}[{at}].name"),
            "must have one more part, such as first_name",
        );
        for list in ["phones", "emails", "addresses", "urls"] {
            violations.check(
                card.get(list).is_none_or(|list| list.as_array().is_some_and(|list| list.len() <= 20)),
                &format!("{field}[{at}].{list}"),
                "must be a list of at most 20",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn content(json: Value) -> MessageContent {
        serde_json::from_value(json).unwrap()
    }

    fn wrong(json: Value) -> Vec<String> {
        match content(json).validate() {
            Ok(()) => Vec::new(),
            Err(problem) => problem.errors.into_iter().map(|error| error.field).collect(),
        }
    }

    fn media(members: Value) -> Value {
        json!({"type": "media", "media": members})
    }

    fn interactive(members: Value) -> Value {
        json!({"type": "interactive", "interactive": members})
    }

    #[test]
    fn a_file_is_named_by_its_id_or_a_public_url() {
        assert_eq!(wrong(media(json!({"mediaId": "mda_1"}))), [""; 0]);
        assert_eq!(wrong(media(json!({"url": "https://example.com/a.png", "mediaType": "image"}))), [""; 0]);
        assert_eq!(wrong(media(json!({}))), ["content.media.mediaId"]);
        assert_eq!(wrong(media(json!({"mediaId": "a", "url": "https://a.b/c"}))), ["content.media.url"]);
        assert_eq!(wrong(media(json!({"url": "https://a.b/c"}))), ["content.media.mediaType"]);
        for url in ["http://a.b/c", "ftp://a.b", "https://u:p@a.b/", "https://", "a", "file:///etc/passwd"] {
            let fields = wrong(media(json!({"url": url, "mediaType": "image"})));
            assert_eq!(fields, ["content.media.url"], "{url}");
        }
        let long = "x".repeat(1025);
        assert_eq!(wrong(media(json!({"mediaId": "a", "caption": long}))), ["content.media.caption"]);
        let voice = media(json!({"mediaId": "a", "mediaType": "image", "voice": true}));
        assert_eq!(wrong(voice), ["content.media.voice"]);
        let audio = media(json!({"mediaId": "a", "mediaType": "audio", "caption": "x"}));
        assert_eq!(wrong(audio), ["content.media.caption"]);
    }

    #[test]
    fn buttons_have_their_limits() {
        let buttons = |buttons: Value| wrong(interactive(json!({"body": "Which?", "buttons": buttons})));
        let one = |id: &str, title: &str| json!({"id": id, "title": title});
        let base = "content.interactive.buttons";
        assert_eq!(buttons(json!([one("a", "A"), one("b", "B"), one("c", "C")])), [""; 0]);
        assert_eq!(buttons(json!([])), [base]);
        let four: Vec<Value> = (0..4).map(|n| one(&n.to_string(), &n.to_string())).collect();
        assert_eq!(buttons(json!(four)), [base]);
        assert_eq!(buttons(json!([one("", "A")])), [format!("{base}[0].id")]);
        assert_eq!(buttons(json!([one(&"x".repeat(257), "A")])), [format!("{base}[0].id")]);
        assert_eq!(buttons(json!([one("a", &"x".repeat(21))])), [format!("{base}[0].title")]);
        assert_eq!(buttons(json!([one("a", "A"), one("a", "B")])), [format!("{base}[1].id")]);
        assert_eq!(buttons(json!([one("a", "A"), one("b", "A")])), [format!("{base}[1].title")]);
        let body = wrong(interactive(json!({"body": "x".repeat(1025), "buttons": [one("a", "A")]})));
        assert_eq!(body, ["content.interactive.body"]);
        let head = json!({"body": "x", "header": "x".repeat(61), "footer": "x".repeat(61), "buttons": [one("a", "A")]});
        assert_eq!(wrong(interactive(head)), ["content.interactive.header", "content.interactive.footer"]);
    }

    #[test]
    fn a_list_has_ten_rows_in_all() {
        let row = |n: usize| json!({"id": n.to_string(), "title": n.to_string()});
        let list = |sections: Value| {
            wrong(interactive(json!({"body": "Which?", "list": {"button": "Topics", "sections": sections}})))
        };
        let base = "content.interactive.list.sections";
        let rows = |from: usize, to: usize| (from..to).map(row).collect::<Vec<_>>();
        assert_eq!(list(json!([{"rows": rows(0, 10)}])), [""; 0]);
        let two = |second: usize| json!([{"title": "A", "rows": rows(0, 5)}, {"title": "B", "rows": rows(5, second)}]);
        assert_eq!(list(two(10)), [""; 0]);
        assert_eq!(list(two(11)), [base]);
        assert_eq!(list(json!([{"rows": []}])), [format!("{base}[0].rows")]);
        assert_eq!(list(json!([])), [base]);
        let untitled = json!([{"title": "A", "rows": rows(0, 1)}, {"rows": rows(1, 2)}]);
        assert_eq!(list(untitled), [format!("{base}[1].title")]);
        assert_eq!(list(json!([{"rows": [row(1), row(1)]}])), [format!("{base}[0].rows[1].id")]);
    }

    #[test]
    fn places_and_cards_are_complete() {
        let location = |latitude: f64, longitude: f64| {
            wrong(json!({"type": "location", "location": {"latitude": latitude, "longitude": longitude}}))
        };
        assert_eq!(location(-90.0, 180.0), [""; 0]);
        assert_eq!(location(90.1, -180.1), ["content.location.latitude", "content.location.longitude"]);
        let cards = |name: Value| wrong(json!({"type": "contacts", "contacts": [{"name": name}]}));
        assert_eq!(cards(json!({"formatted_name": "Anna Kowalska", "first_name": "Anna"})), [""; 0]);
        assert_eq!(cards(json!({"formatted_name": "Anna"})), ["content.contacts[0].name"]);
        assert_eq!(cards(json!({"first_name": "Anna"})), ["content.contacts[0].name.formatted_name"]);
        assert_eq!(wrong(json!({"type": "contacts", "contacts": []})), ["content.contacts"]);
    }

    #[test]
    fn what_customers_send_cannot_be_sent() {
        for content in [
            json!({"type": "reply", "reply": {"id": "a", "title": "A"}}),
            json!({"type": "unsupported", "unsupported": {"kind": "poll"}}),
            json!({"type": "deleted"}),
        ] {
            assert_eq!(wrong(content), ["content.type"]);
        }
    }

    #[test]
    fn each_channel_carries_what_it_can() {
        let text = |n: usize| content(json!({"type": "text", "text": {"body": "é".repeat(n)}}));
        let carried = |content: &MessageContent, channel: &str, provider: Option<&str>| match content
            .carried_by(channel, provider)
        {
            Carried::Yes => "yes",
            Carried::Not(_) => "not so",
            Carried::Unsupported(..) => "unsupported",
        };
        for (channel, most) in [("messenger", 1999), ("instagram", 500), ("sms", 1600)] {
            assert_eq!(carried(&text(most), channel, None), "yes", "{channel}");
            assert_eq!(carried(&text(most + 1), channel, None), "not so", "{channel}");
        }
        let template = content(json!({"type": "template", "template": {"name": "a", "language": "en"}}));
        let file = content(media(json!({"mediaId": "a"})));
        let captioned = content(media(json!({"mediaId": "a", "caption": "x"})));
        let buttons = content(interactive(json!({"body": "?", "buttons": [{"id": "a", "title": "A"}]})));
        let place = content(json!({"type": "location", "location": {"latitude": 1.0, "longitude": 1.0}}));
        for channel in ["messenger", "instagram", "sms", "text"] {
            assert_eq!(carried(&template, channel, None), "unsupported");
            assert_eq!(carried(&place, channel, None), "unsupported");
        }
        assert_eq!(carried(&file, "sms", Some("twilio")), "yes");
        assert_eq!(carried(&file, "sms", Some("gateway")), "unsupported");
        assert_eq!(carried(&captioned, "whatsapp", None), "yes");
        assert_eq!(carried(&captioned, "messenger", None), "not so");
        assert_eq!(carried(&buttons, "messenger", None), "yes");
        assert_eq!(carried(&buttons, "instagram", None), "unsupported");
        assert_eq!(carried(&buttons, "sms", None), "unsupported");
    }
}
