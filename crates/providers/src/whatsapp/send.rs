//! Sending: `POST /{phone-number-id}/messages` (channels sections 2.1 to 2.4).

use super::{body, errors};
use crate::graph::{Sender, answer};
use crate::json::text;
use crate::{BuildError, Envelope, SendResult};
use http::{HeaderMap, Request};
use serde::Serialize;
use serde_json::Value;

/// Builds the send request.
///
/// `to` is a phone number (digits, `+` allowed) or a business-scoped user id.
///
/// # Errors
/// A setting of the sender cannot stand in a URL or a header, or WhatsApp cannot carry the content.
pub fn send_request(sender: &Sender, envelope: &Envelope<'_>) -> Result<Request<Vec<u8>>, BuildError> {
    sender.post(sender.edge("messages")?, &body::message(envelope)?)
}

#[derive(Serialize)]
struct Read<'a> {
    messaging_product: &'static str,
    status: &'static str,
    message_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    typing_indicator: Option<Typing>,
}

#[derive(Serialize)]
struct Typing {
    #[serde(rename = "type")]
    kind: &'static str,
}

/// Marks a customer's message, and those before it, as read; with `typing` shows that we write, until our next
/// message or for 25 seconds (channels section 2.3).
///
/// # Errors
/// A setting of the sender cannot stand in a URL or a header.
pub fn mark_read(sender: &Sender, message_id: &str, typing: bool) -> Result<Request<Vec<u8>>, BuildError> {
    let typing_indicator = typing.then_some(Typing { kind: "text" });
    let read = Read { messaging_product: "whatsapp", status: "read", message_id, typing_indicator };
    sender.post(sender.edge("messages")?, &read)
}

/// Reads the answer to a send request.
pub fn read_answer(status: u16, headers: &HeaderMap, body: &[u8]) -> SendResult {
    answer::read_send(errors::TABLE, (status, headers, body), accepted)
}

fn accepted(json: &Value) -> Option<SendResult> {
    let provider_id = text(json.pointer("/messages/0")?, "id")?;
    let contact = json.pointer("/contacts/0");
    let recipient_id =
        contact.and_then(|contact| text(contact, "wa_id").or_else(|| text(contact, "user_id")));
    Some(SendResult::Accepted { provider_id, recipient_id, state: None })
}

/// Reads the answer to [`mark_read`].
///
/// # Errors
/// Why it was refused.
pub fn read_mark_answer(status: u16, headers: &HeaderMap, body: &[u8]) -> Result<(), crate::Failure> {
    answer::read(errors::TABLE, status, headers, body).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use crate::{Failure, Outgoing, RetryClass};

    fn sender() -> Sender {
        Sender {
            base_url: "https://graph.facebook.com/".into(),
            api_version: "v25.0".into(),
            node: "310987654321001".into(),
            access_token: "FIXTURE-PAGE-TOKEN".into(),
            app_secret: None,
        }
    }

    fn text(body: &str, preview_url: bool) -> Outgoing {
        Outgoing::Text { body: body.into(), preview_url }
    }

    fn build(
        sender: &Sender,
        to: &str,
        reference: &str,
        reply_to: Option<&str>,
        content: &Outgoing,
    ) -> Result<Request<Vec<u8>>, BuildError> {
        send_request(sender, &Envelope { to, reference, reply_to, human_agent: false, content })
    }

    fn body_of(request: &Request<Vec<u8>>) -> Value {
        serde_json::from_slice(request.body()).unwrap()
    }

    #[test]
    fn a_text_reply_is_byte_for_byte_the_fixture() {
        let content = text("Your parcel leaves today: https://shop.example.test/t/981", true);
        let request = build(
            &sender(),
            "12025550147",
            "msg_01HZX0000000000000000001",
            Some("wamid.RklYLUlOLVRFWFQtMQ=="),
            &content,
        )
        .unwrap();
        assert_eq!(request.method(), "POST");
        assert_eq!(request.uri(), "https://graph.facebook.com/v25.0/310987654321001/messages");
        assert_eq!(request.headers()["authorization"], "Bearer FIXTURE-PAGE-TOKEN");
        assert_eq!(request.headers()["content-type"], "application/json");
        assert_eq!(
            String::from_utf8(request.into_body()).unwrap(),
            fixtures::read("whatsapp/out-text-reply")
        );
    }

    #[test]
    fn templates_are_the_fixtures_also_to_a_user_id() {
        for (name, to) in [("out-template", "12025550147"), ("out-template-named", "US.7K2Q9D4M1X8Z55")] {
            let mut expected: Value =
                serde_json::from_str(&fixtures::read(&format!("whatsapp/{name}"))).unwrap();
            expected["biz_opaque_callback_data"] = "msg_1".into();
            let template = &expected["template"];
            let content = Outgoing::Template {
                name: template["name"].as_str().unwrap().into(),
                language: template["language"]["code"].as_str().unwrap().into(),
                components: template["components"].as_array().unwrap().clone(),
            };
            let request = build(&sender(), to, "msg_1", None, &content).unwrap();
            assert_eq!(body_of(&request), expected, "{name}");
        }
        let bare = Outgoing::Template { name: "a".into(), language: "en".into(), components: vec![] };
        let request = build(&sender(), "1", "m", None, &bare).unwrap();
        assert_eq!(
            body_of(&request)["template"],
            serde_json::json!({"name": "a", "language": {"code": "en"}})
        );
    }

    #[test]
    fn the_proof_is_the_vector_of_the_contract() {
        let sender = Sender { app_secret: Some("fixture-app-secret".into()), ..sender() };
        let request = build(&sender, "1", "m", None, &text("a", false)).unwrap();
        assert_eq!(
            request.uri().query(),
            Some("appsecret_proof=0b3405545fa2d6d178325bee1376362ec55368e802a0148244bc07cb81da98b2")
        );
    }

    #[test]
    fn settings_cannot_leave_their_place() {
        let build = |sender: Sender| match build(&sender, "1", "m", None, &text("a", false)) {
            Err(BuildError::Setting(name)) => name,
            other => panic!("{other:?}"),
        };
        assert_eq!(build(Sender { node: "1/../../2".into(), ..sender() }), "id");
        assert_eq!(build(Sender { node: "..".into(), ..sender() }), "id");
        assert_eq!(build(Sender { node: String::new(), ..sender() }), "id");
        assert_eq!(build(Sender { api_version: "v1?x=".into(), ..sender() }), "API version");
        assert_eq!(build(Sender { access_token: "a\r\nX-Evil: 1".into(), ..sender() }), "access token");
        assert_eq!(build(Sender { base_url: "http://a b".into(), ..sender() }), "base URL");
        assert!(!format!("{:?}", sender()).contains("FIXTURE-PAGE-TOKEN"));
    }

    #[test]
    fn reads_acceptance() {
        let headers = HeaderMap::new();
        let result = read_answer(200, &headers, fixtures::read("whatsapp/res-send-accepted").as_bytes());
        let (provider_id, recipient_id) = ("wamid.RklYLU9VVC0x".to_string(), Some("12025550147".to_string()));
        assert_eq!(result, SendResult::Accepted { provider_id, recipient_id, state: None });
        let by_user = br#"{"contacts":[{"input":"US.A","user_id":"US.A"}],"messages":[{"id":"wamid.A"}]}"#;
        let SendResult::Accepted { recipient_id, .. } = read_answer(200, &headers, by_user) else { panic!() };
        assert_eq!(recipient_id.as_deref(), Some("US.A"));
    }

    #[test]
    fn a_success_without_an_id_is_unclear_and_never_sent_again() {
        for body in ["", "<html>", "{}", r#"{"messages":[]}"#, r#"{"messages":[{"id":""}]}"#, "[1]"] {
            let result = read_answer(200, &HeaderMap::new(), body.as_bytes());
            assert!(matches!(result, SendResult::Unclear { .. }), "{body}");
        }
    }

    fn refused(status: u16, headers: &HeaderMap, body: &str) -> Failure {
        match read_answer(status, headers, body.as_bytes()) {
            SendResult::Refused(failure) => failure,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn reads_refusals() {
        let none = HeaderMap::new();
        let failure = refused(400, &none, &fixtures::read("whatsapp/res-error-rate-limit"));
        assert_eq!((failure.code.as_str(), failure.class), ("130429", RetryClass::Throttled));
        assert!(failure.provider_text.contains("throughput of this number"));
        let failure = refused(401, &none, &fixtures::read("whatsapp/res-error-token"));
        assert_eq!(
            (failure.code.as_str(), failure.class),
            ("190", RetryClass::Alert(crate::AlertReason::TokenExpired))
        );
        let failure = refused(503, &none, "<html>busy</html>");
        assert_eq!((failure.code.as_str(), failure.class), ("http_503", RetryClass::Retry));
        assert_eq!(refused(400, &none, "<html>").class, RetryClass::Retry);
        assert_eq!(refused(400, &none, "{}").class, RetryClass::Never);
        assert_eq!(refused(429, &none, "{}").class, RetryClass::Throttled);
    }

    #[test]
    fn takes_over_the_time_to_wait() {
        let wait = |name: &'static str, value: &str, body: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            refused(429, &headers, body).retry_after.map(|duration| duration.as_secs())
        };
        let throttled = r#"{"error":{"code":130429,"message":"x"}}"#;
        assert_eq!(wait("retry-after", "7", throttled), Some(7));
        assert_eq!(wait("retry-after", "0", throttled), None);
        assert_eq!(wait("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT", throttled), None);
        assert_eq!(wait("retry-after", "99999999", throttled), Some(86_400));
        let usage = r#"{"1":[{"type":"messages","estimated_time_to_regain_access":2},{"estimated_time_to_regain_access":5}]}"#;
        assert_eq!(wait("x-business-use-case-usage", usage, throttled), Some(300));
        assert_eq!(wait("x-business-use-case-usage", "nonsense", throttled), None);
        assert_eq!(wait("retry-after", "7", r#"{"error":{"code":100}}"#), None, "never means never");
        assert_eq!(
            wait("retry-after", "7", r#"{"error":{"code":131057}}"#),
            Some(20),
            "maintenance takes longer"
        );
    }
}
