//! What customers do, as WhatsApp tells of it (channels section 3.2).

use super::envelope::{self, Customer, DISPLAY_PHONE_NUMBER};
use super::person::Person;
use super::states::error_list;
use crate::ids;
use crate::inbound::{self, Attached, Built, Event, Inbound};
use crate::json::{Node, node};
use crate::store::people::Known;
use common::time::Timestamp;
use common::{Problem, Result};

/// What WhatsApp customers can do.
pub const KINDS: &[&str] = &[
    "text",
    "media",
    "location",
    "contacts",
    "reply",
    "reaction",
    "edit",
    "revoke",
    "unsupported",
    "order",
    "system",
    "status",
    "templateStatus",
    "raw",
];

/// Builds the callback.
pub fn build(
    body: &Inbound,
    events: &[Event],
    attached: &[Attached],
    now: Timestamp,
) -> Result<(Known, Built)> {
    let customer = customer(body)?;
    let mut built = Built { body: String::new(), received: Vec::new(), ids: Vec::new(), opened_at: None };
    let mut changes: Vec<Change> = Vec::new();
    for (event, file) in events.iter().zip(attached) {
        let at = event.timestamp.unwrap_or(now);
        if let Some(update) = &event.template_status {
            changes.push(Change::Template(update.clone(), at));
        } else if let Some(status) = &event.status {
            changes.push(Change::Statuses(
                vec![self::status(&customer, status, at)],
                status.conversation.is_some(),
            ));
        } else {
            let id = event.id.clone().unwrap_or_else(|| ids::wamid(customer.person.key()));
            let message = message(&customer, event, file, &id, at);
            if matches!(
                event.kind(),
                "text" | "media" | "location" | "contacts" | "reply" | "unsupported" | "order" | "raw"
            ) {
                built.opened_at = built.opened_at.max(Some(at));
                built.received.push(id.clone());
            }
            built.ids.push(id);
            match changes.last_mut() {
                Some(Change::Messages(messages)) if !body.separate_changes => messages.push(message),
                _ => changes.push(Change::Messages(vec![message])),
            }
        }
    }
    let mut time = None;
    let changes = changes
        .into_iter()
        .map(|change| match change {
            Change::Messages(messages) => {
                let contacts = Some(node!([customer.contact()]));
                ("messages", envelope::value(&body.account, contacts, "messages", messages))
            }
            Change::Statuses(statuses, legacy) => {
                let failed = statuses
                    .iter()
                    .any(|status| status.get("status").and_then(Node::as_str) == Some("failed"));
                let contacts = (!failed && !legacy).then(|| node!([customer.contact()]));
                ("messages", envelope::value(&body.account, contacts, "statuses", statuses))
            }
            Change::Template(value, at) => {
                time = Some(at.seconds());
                ("message_template_status_update", value)
            }
        })
        .collect();
    built.body = envelope::body(changes, time);
    Ok((inbound::known(customer.person.key(), body), built))
}

enum Change {
    Messages(Vec<Node>),
    Statuses(Vec<Node>, bool),
    Template(Node, Timestamp),
}

fn customer(body: &Inbound) -> Result<Customer> {
    let mut person = Person::default();
    if !body.from.is_empty() {
        let wrong = || {
            Problem::invalid("from", "must be a phone number with country code, or a business-scoped user id")
        };
        person = Person::parse(&body.from).ok_or_else(wrong)?;
    }
    if let Some(id) = &body.user_id {
        let wrong =
            || Problem::invalid("userId", "must be a business-scoped user id such as US.7K2Q9D4M1X8Z55");
        person.user_id = Person::user_id(id).ok_or_else(wrong)?.user_id;
    }
    Ok(Customer { person, name: body.name.clone(), username: body.username.clone() })
}

/// One member of `messages`.
fn message(customer: &Customer, event: &Event, file: &Attached, id: &str, at: Timestamp) -> Node {
    let mut message = node!({
        "from": customer.person.phone.as_ref(), "from_user_id": customer.person.user_id.as_ref(),
        "id": id, "timestamp": at.seconds().to_string(),
    });
    if let Some(Node::Object(members)) = &event.raw {
        for (name, value) in members {
            message.push(name, value);
        }
        return message;
    }
    let (kind, content) = content(event, file);
    message.push("type", kind);
    if !content.is_absent() {
        message.push(kind, content);
    }
    if event.unsupported.is_some() {
        let details = event.unsupported.as_ref().and_then(|one| one.details.clone());
        let details = details.unwrap_or_else(|| "The sandbox does not pass on this kind of message.".into());
        message.push("errors", error_list(131_051, "Message type unknown", &details, false));
    }
    if event.forwarded {
        message.push("context", node!({"forwarded": true}));
    } else if let Some(quoted) = &event.reply_to {
        message.push("context", node!({"from": DISPLAY_PHONE_NUMBER, "id": quoted}));
    }
    message.push("referral", event.referral.as_ref());
    message
}

/// The kind, and the member of its name.
fn content<'a>(event: &'a Event, file: &Attached) -> (&'a str, Node) {
    if let Some(text) = &event.text {
        return ("text", node!({"body": text}));
    }
    if let Some(media) = &event.media {
        let content = node!({
            "caption": media.caption.as_ref(), "filename": media.filename.as_ref(), "mime_type": file.mime.as_ref(),
            "sha256": file.sha256.as_ref(), "id": file.id.as_ref(), "voice": media.voice, "animated": media.animated,
            "url": file.url.as_ref(),
        });
        return (&media.kind, content);
    }
    if let Some(place) = &event.location {
        let content = node!({
            "latitude": place.latitude, "longitude": place.longitude, "name": place.name.as_ref(),
            "address": place.address.as_ref(), "url": place.url.as_ref(),
        });
        return ("location", content);
    }
    if let Some(cards) = &event.contacts {
        return ("contacts", Node::Array(cards.clone()));
    }
    if let Some(reply) = &event.reply {
        return match reply.kind.as_str() {
            "template" => ("button", node!({"payload": &reply.id, "text": &reply.title})),
            "flow" => (
                "interactive",
                node!({"type": "nfm_reply", "nfm_reply": node!({"name": "flow", "body": &reply.title, "response_json": &reply.id})}),
            ),
            kind => {
                let kind = if kind == "list" { "list_reply" } else { "button_reply" };
                let chosen = node!({"id": &reply.id, "title": &reply.title, "description": reply.description.as_ref()});
                let mut content = node!({"type": kind});
                content.push(kind, chosen);
                ("interactive", content)
            }
        };
    }
    if let Some(reaction) = &event.reaction {
        return ("reaction", node!({"message_id": &reaction.message_id, "emoji": reaction.emoji.as_ref()}));
    }
    if let Some(edit) = &event.edit {
        let message = node!({"type": "text", "text": node!({"body": &edit.text})});
        return ("edit", node!({"original_message_id": &edit.message_id, "message": message}));
    }
    if let Some(revoke) = &event.revoke {
        return ("revoke", node!({"original_message_id": &revoke.message_id}));
    }
    if let Some(order) = &event.order {
        return ("order", order.clone());
    }
    if let Some(system) = &event.system {
        return ("system", system.clone());
    }
    let unsupported = event.unsupported.as_ref().and_then(|one| one.kind.as_ref());
    ("unsupported", unsupported.map(|kind| node!({"type": kind})).into())
}

/// One member of `statuses`.
fn status(customer: &Customer, status: &inbound::Status, at: Timestamp) -> Node {
    let errors = status.code.map(|code| {
        let title = status.title.as_deref().unwrap_or("Message undeliverable");
        let details = status.details.as_deref().unwrap_or("The sandbox was asked to fail this message.");
        error_list(code, title, details, true)
    });
    node!({
        "id": &status.message_id, "status": &status.state, "timestamp": at.seconds().to_string(),
        "recipient_id": customer.person.phone.as_ref(), "recipient_user_id": customer.person.user_id.as_ref(),
        "biz_opaque_callback_data": status.reference.as_ref(), "conversation": status.conversation.as_ref(),
        "pricing": status.pricing.as_ref(), "errors": errors,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Builds the callback of a request as `POST /sandbox/whatsapp/inbound` takes it.
    fn built(request: &str) -> String {
        let body: Inbound =
            serde_json::from_str(request).unwrap_or_else(|error| panic!("{error}: {request}"));
        let events = body.events.clone().unwrap_or_else(|| vec![body.event.clone()]);
        let attached: Vec<Attached> = events
            .iter()
            .map(|event| {
                event.media.as_ref().map(|media| Attached {
                    id: media.id.clone(),
                    url: media.url.clone(),
                    mime: media.mime_type.clone(),
                    sha256: media.sha256.clone(),
                    ..Attached::default()
                })
            })
            .map(Option::unwrap_or_default)
            .collect();
        build(&body, &events, &attached, Timestamp(1)).unwrap().1.body
    }

    macro_rules! fixture {
        ($name:literal) => {
            serde_json::from_str::<Node>(include_str!(concat!(
                "../../../../crates/providers/tests/fixtures/whatsapp/",
                $name,
                ".json"
            )))
            .unwrap()
            .meta()
        };
    }

    const MIRA: &str = r#""account": "310987654321001", "from": "+1 202-555-0147", "name": "Mira Okafor", "userId": "US.7K2Q9D4M1X8Z55""#;

    fn mira(rest: &str) -> String {
        built(&format!("{{{MIRA}, {rest}}}"))
    }

    fn at(seconds: u32) -> String {
        format!(r#""timestamp": "{}""#, Timestamp::from_seconds(i64::from(seconds)).rfc3339())
    }

    #[test]
    fn texts_files_and_places_are_the_fixtures() {
        assert_eq!(
            mira(&format!(
                r#""id": "wamid.RklYLUlOLVRFWFQtMQ==", {}, "text": "Hello, is the blue one in stock? café 🙂""#,
                at(1_790_000_001)
            )),
            fixture!("in-text")
        );
        assert_eq!(
            mira(&format!(
                r#""id": "wamid.RklYLUlOLUlNRy0x", {}, "media": {{"kind": "image", "caption": "the dent", "mimeType": "image/jpeg",
                  "sha256": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "id": "740022110099887",
                  "url": "https://media.example.test/whatsapp_business/attachments/?mid=740022110099887"}}"#,
                at(1_790_000_011)
            )),
            fixture!("in-image")
        );
        let batch = format!(
            r#""events": [
              {{"id": "wamid.RklYLUlOLURPQy0x", {}, "media": {{"kind": "document", "caption": "signed", "filename": "form.pdf", "mimeType": "application/pdf", "sha256": "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=", "id": "740022110099901"}}}},
              {{"id": "wamid.RklYLUlOLVZPSUNFLTE=", {}, "media": {{"kind": "audio", "mimeType": "audio/ogg; codecs=opus", "sha256": "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=", "id": "740022110099902", "voice": true}}}},
              {{"id": "wamid.RklYLUlOLVZJREVPLTE=", {}, "forwarded": true, "media": {{"kind": "video", "mimeType": "video/mp4", "sha256": "Q0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0M=", "id": "740022110099903"}}}},
              {{"id": "wamid.RklYLUlOLVNUSUNLLTE=", {}, "media": {{"kind": "sticker", "mimeType": "image/webp", "sha256": "REREREREREREREREREREREREREREREREREREREREREQ=", "id": "740022110099904", "animated": false}}}}]"#,
            at(1_790_000_021),
            at(1_790_000_022),
            at(1_790_000_023),
            at(1_790_000_024)
        );
        assert_eq!(mira(&batch), fixture!("in-media-batch"));
        let places = format!(
            r#""events": [
              {{"id": "wamid.RklYLUlOLUxPQy0x", {}, "location": {{"latitude": 51.5007, "longitude": -0.1246, "name": "North counter", "address": "1 Invented Way, Testford"}}}},
              {{"id": "wamid.RklYLUlOLVZDQVJELTE=", {}, "contacts": [{{"name": {{"formatted_name": "Ilse Brandt", "first_name": "Ilse"}}, "phones": [{{"phone": "+1 202-555-0163", "wa_id": "12025550163", "type": "CELL"}}]}}]}}]"#,
            at(1_790_000_031),
            at(1_790_000_032)
        );
        assert_eq!(mira(&places), fixture!("in-location-contacts"));
    }

    #[test]
    fn taps_reactions_and_edges_are_the_fixtures() {
        assert_eq!(
            mira(&format!(
                r#""id": "wamid.RklYLUlOLUJUTi0x", {}, "replyTo": "wamid.RklYLU9VVC0x", "reply": {{"kind": "template", "id": "parcel:981:ok", "title": "Thanks"}}"#,
                at(1_790_000_041)
            )),
            fixture!("in-template-button")
        );
        let taps = format!(
            r#""separateChanges": true, "events": [
              {{"id": "wamid.RklYLUlOLUJSLTE=", {}, "replyTo": "wamid.RklYLU9VVC0y", "reply": {{"kind": "button", "id": "slot:am", "title": "Morning"}}}},
              {{"id": "wamid.RklYLUlOLUxSLTE=", {}, "replyTo": "wamid.RklYLU9VVC0z", "reply": {{"kind": "list", "id": "t:track", "title": "Track a parcel", "description": "Needs the order number"}}}}]"#,
            at(1_790_000_051),
            at(1_790_000_052)
        );
        assert_eq!(mira(&taps), fixture!("in-interactive-reply"));
        let reactions = format!(
            r#""separateChanges": true, "events": [
              {{"id": "wamid.RklYLUlOLVJFQUNULTE=", {}, "reaction": {{"messageId": "wamid.RklYLU9VVC0x", "emoji": "❤️"}}}},
              {{"id": "wamid.RklYLUlOLVJFQUNULTI=", {}, "reaction": {{"messageId": "wamid.RklYLU9VVC0x"}}}}]"#,
            at(1_790_000_061),
            at(1_790_000_065)
        );
        assert_eq!(mira(&reactions), fixture!("in-reaction"));
        assert_eq!(
            mira(&format!(
                r#""id": "wamid.RklYLUlOLVVOUy0x", {}, "unsupported": {{"kind": "poll_creation", "details": "Invented detail: this kind of message is not passed on."}}"#,
                at(1_790_000_071)
            )),
            fixture!("in-unsupported")
        );
        let changes = format!(
            r#""events": [
              {{"id": "wamid.RklYLUlOLUVESVQtMQ==", {}, "edit": {{"messageId": "wamid.RklYLUlOLVRFWFQtMQ==", "text": "Hello, is the green one in stock?"}}}},
              {{"id": "wamid.RklYLUlOLVJFVk9LRS0x", {}, "revoke": {{"messageId": "wamid.RklYLUlOLVRFWFQtMQ=="}}}}]"#,
            at(1_790_000_091),
            at(1_790_000_095)
        );
        assert_eq!(mira(&changes), fixture!("in-edit-revoke"));
        assert_eq!(
            built(&format!(
                r#"{{"account": "310987654321001", "from": "US.9ZP4T7R2C6V188", "name": "Jo Lind", "username": "@jolind",
                  "id": "wamid.RklYLUlOLVVTRVJOQU1FLTE=", {}, "text": "I saw your ad", "referral": {{
                  "source_url": "https://fb.example.test/ad/55", "source_id": "120200000000055", "source_type": "ad",
                  "headline": "Autumn offer", "body": "Two for one", "media_type": "image",
                  "image_url": "https://cdn.example.test/ad/55.jpg", "ctwa_clid": "FixClickId55"}}}}"#,
                at(1_790_000_081)
            )),
            fixture!("in-username-referral")
        );
    }

    #[test]
    fn statuses_are_the_fixtures() {
        let priced = r#""pricing": {"billable": false, "pricing_model": "PMP", "type": "free_customer_service", "category": "service"}"#;
        let state = |name: &str, seconds: u32, more: &str| {
            format!(
                r#"{{{}, "status": {{"messageId": "wamid.RklYLU9VVC0x", "state": "{name}", "reference": "msg_01HZX0000000000000000001"{more}}}}}"#,
                at(seconds)
            )
        };
        let lifecycle = format!(
            r#""separateChanges": true, "events": [{}, {}, {}]"#,
            state("read", 1_790_000_109, ""),
            state("sent", 1_790_000_101, &format!(", {priced}")),
            state("delivered", 1_790_000_104, &format!(", {priced}"))
        );
        assert_eq!(mira(&lifecycle), fixture!("in-status-lifecycle"));
        let phone_only = r#""account": "310987654321001", "from": "12025550147""#;
        assert_eq!(
            built(&format!(
                r#"{{{phone_only}, {}, "status": {{"messageId": "wamid.RklYLU9VVC00", "state": "sent",
                  "conversation": {{"id": "5a1f00c2d3e4b5968778", "expiration_timestamp": "1790086511", "origin": {{"type": "utility"}}}},
                  "pricing": {{"billable": true, "pricing_model": "PMP", "type": "regular", "category": "utility"}}}}}}"#,
                at(1_790_000_111)
            )),
            fixture!("in-status-sent-legacy")
        );
        assert_eq!(
            built(&format!(
                r#"{{{phone_only}, {}, "status": {{"messageId": "wamid.RklYLU9VVC01", "state": "failed", "reference": "msg_01HZX0000000000000000005",
                  "code": 131047, "title": "Re-engagement message", "details": "Invented detail: the reply window for this person is closed."}}}}"#,
                at(1_790_000_121)
            )),
            fixture!("in-status-failed")
        );
        assert_eq!(
            built(&format!(
                r#"{{"account": "310987654321001", {}, "templateStatus": {{"event": "REJECTED", "message_template_id": 880011000000103,
                  "message_template_name": "autumn_offer", "message_template_language": "en_GB", "reason": "INVALID_FORMAT",
                  "message_template_category": "MARKETING", "rejection_info": {{"reason": "Invented: two variables touch each other.",
                  "recommendation": "Invented: put words between them."}}}}}}"#,
                at(1_790_000_131)
            )),
            fixture!("in-template-status")
        );
    }
}
