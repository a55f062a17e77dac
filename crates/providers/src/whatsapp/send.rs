//! Sending: `POST /{phone-number-id}/messages` (channels sections 2.1 to 2.4).

use super::errors;
use crate::{BuildError, Failure, Outgoing, RetryClass, SendResult};
use common::crypto;
use http::{HeaderMap, HeaderValue, Request, header};
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;

/// Longest wait that is taken over from a provider's headers.
const REGAIN_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Who sends: one phone number of a business account, and where its provider is.
#[derive(Clone)]
pub struct Sender {
    /// `https://graph.facebook.com`, or a sandbox; without the version.
    pub base_url: String,
    /// `v25.0`.
    pub api_version: String,
    pub phone_number_id: String,
    pub access_token: String,
    /// With it every call carries `appsecret_proof` (channels section 1.1).
    pub app_secret: Option<String>,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the secrets: this may reach a log.
        f.debug_struct("Sender")
            .field("base_url", &self.base_url)
            .field("api_version", &self.api_version)
            .field("phone_number_id", &self.phone_number_id)
            .finish_non_exhaustive()
    }
}

// The order of the members is the one of the documentation and of the fixtures.
#[derive(Serialize)]
struct Message<'a> {
    messaging_product: &'static str,
    recipient_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient: Option<&'a str>,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Context<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<Template<'a>>,
    biz_opaque_callback_data: &'a str,
}

#[derive(Serialize)]
struct Context<'a> {
    message_id: &'a str,
}

#[derive(Serialize)]
struct Text<'a> {
    preview_url: bool,
    body: &'a str,
}

#[derive(Serialize)]
struct Template<'a> {
    name: &'a str,
    language: Language<'a>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    components: &'a [Value],
}

#[derive(Serialize)]
struct Language<'a> {
    code: &'a str,
}

/// Builds the send request.
///
/// `to` is a phone number (digits, `+` allowed) or a business-scoped user id. `reference` is our message
/// id: every status of the message carries it back. `reply_to` is the provider's id of the quoted message.
///
/// # Errors
/// A setting of the sender cannot stand in a URL or a header.
pub fn send_request(
    sender: &Sender,
    to: &str,
    reference: &str,
    reply_to: Option<&str>,
    content: &Outgoing,
) -> Result<Request<Vec<u8>>, BuildError> {
    let is_user_id = is_business_scoped_user_id(to);
    let mut message = Message {
        messaging_product: "whatsapp",
        recipient_type: "individual",
        to: (!is_user_id).then_some(to),
        recipient: is_user_id.then_some(to),
        kind: "text",
        context: reply_to.map(|message_id| Context { message_id }),
        text: None,
        template: None,
        biz_opaque_callback_data: reference,
    };
    match content {
        Outgoing::Text { body, preview_url } => {
            message.text = Some(Text { preview_url: *preview_url, body });
        }
        Outgoing::Template { name, language, components } => {
            message.kind = "template";
            message.template = Some(Template { name, language: Language { code: language }, components });
        }
    }
    let body = serde_json::to_vec(&message).map_err(|_| BuildError("content"))?;
    Request::post(url(sender, "messages")?)
        .header(header::AUTHORIZATION, bearer(&sender.access_token)?)
        .header(header::CONTENT_TYPE, "application/json")
        .body(body)
        .map_err(|_| BuildError("base URL"))
}

/// `US.7K2Q9D4M1X8Z55`: two letters, a dot, the rest (channels section 3.1).
fn is_business_scoped_user_id(text: &str) -> bool {
    text.split_once('.')
        .is_some_and(|(country, _)| country.len() == 2 && country.bytes().all(|b| b.is_ascii_alphabetic()))
}

fn url(sender: &Sender, edge: &str) -> Result<String, BuildError> {
    // These come from tenants: they must not reach other paths or hosts.
    let plain = |text: &str| {
        !text.is_empty()
            && text != ".."
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    if !plain(&sender.api_version) {
        return Err(BuildError("API version"));
    }
    if !plain(&sender.phone_number_id) {
        return Err(BuildError("phone number id"));
    }
    let base = sender.base_url.trim_end_matches('/');
    let mut url = format!("{base}/{}/{}/{edge}", sender.api_version, sender.phone_number_id);
    if let Some(secret) = sender.app_secret.as_deref().filter(|secret| !secret.is_empty()) {
        let proof = crypto::hmac_sha256(secret.as_bytes(), &[sender.access_token.as_bytes()]);
        url.push_str("?appsecret_proof=");
        url.push_str(&hex::encode(proof));
    }
    Ok(url)
}

fn bearer(token: &str) -> Result<HeaderValue, BuildError> {
    let mut value =
        HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| BuildError("access token"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Reads the answer to a send request.
pub fn read_answer(status: u16, headers: &HeaderMap, body: &[u8]) -> SendResult {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    if (200..300).contains(&status) {
        return accepted(json.as_ref()).unwrap_or_else(|| SendResult::Unclear {
            provider_text: format!("HTTP {status} without a message id"),
        });
    }
    let mut failure = match json.as_ref().map(|json| json.get("error").unwrap_or(json)) {
        Some(error) if error.get("code").is_some() => errors::failure(error, Some(status)),
        // No error object: something before the API answered, a proxy or a page of HTML.
        other => Failure {
            code: format!("http_{status}"),
            provider_text: format!("HTTP {status} without an error object"),
            class: errors::class_of_status(status, other.is_some()),
            public_reason: errors::UNKNOWN_REASON,
            retry_after: None,
        },
    };
    if matches!(failure.class, RetryClass::Retry | RetryClass::Throttled) {
        failure.retry_after = failure.retry_after.max(regain(headers));
    }
    SendResult::Refused(failure)
}

fn accepted(json: Option<&Value>) -> Option<SendResult> {
    let json = json?;
    let provider_id = json.pointer("/messages/0/id")?.as_str().filter(|id| !id.is_empty())?.to_string();
    let contact = json.pointer("/contacts/0");
    let recipient_id = contact
        .and_then(|contact| contact.get("wa_id").or_else(|| contact.get("user_id")))
        .and_then(Value::as_str)
        .map(str::to_string);
    Some(SendResult::Accepted { provider_id, recipient_id })
}

/// How long a throttled sender must wait: `Retry-After` in seconds, or the longest
/// `estimated_time_to_regain_access` of `X-Business-Use-Case-Usage`, in minutes (channels section 1.2).
fn regain(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let seconds = text("retry-after").and_then(|value| value.trim().parse::<u64>().ok());
    let usage: Option<Value> =
        text("x-business-use-case-usage").and_then(|value| serde_json::from_str(value).ok());
    let minutes = usage.as_ref().and_then(Value::as_object).and_then(|objects| {
        let entries = objects.values().filter_map(Value::as_array).flatten();
        entries.filter_map(|entry| entry.get("estimated_time_to_regain_access")?.as_u64()).max()
    });
    let longest = seconds.max(minutes.map(|minutes| minutes.saturating_mul(60)))?;
    (longest > 0).then(|| Duration::from_secs(longest).min(REGAIN_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::whatsapp::fixtures;

    fn sender() -> Sender {
        Sender {
            base_url: "https://graph.facebook.com/".into(),
            api_version: "v25.0".into(),
            phone_number_id: "310987654321001".into(),
            access_token: "FIXTURE-PAGE-TOKEN".into(),
            app_secret: None,
        }
    }

    fn text(body: &str, preview_url: bool) -> Outgoing {
        Outgoing::Text { body: body.into(), preview_url }
    }

    fn body_of(request: &Request<Vec<u8>>) -> Value {
        serde_json::from_slice(request.body()).unwrap()
    }

    #[test]
    fn a_text_reply_is_byte_for_byte_the_fixture() {
        let content = text("Your parcel leaves today: https://shop.example.test/t/981", true);
        let request = send_request(
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
        assert_eq!(String::from_utf8(request.into_body()).unwrap(), fixtures::read("out-text-reply"));
    }

    #[test]
    fn templates_are_the_fixtures_also_to_a_user_id() {
        for (name, to) in [("out-template", "12025550147"), ("out-template-named", "US.7K2Q9D4M1X8Z55")] {
            let mut expected: Value = serde_json::from_str(&fixtures::read(name)).unwrap();
            expected["biz_opaque_callback_data"] = "msg_1".into();
            let template = &expected["template"];
            let content = Outgoing::Template {
                name: template["name"].as_str().unwrap().into(),
                language: template["language"]["code"].as_str().unwrap().into(),
                components: template["components"].as_array().unwrap().clone(),
            };
            let request = send_request(&sender(), to, "msg_1", None, &content).unwrap();
            assert_eq!(body_of(&request), expected, "{name}");
        }
        let bare = Outgoing::Template { name: "a".into(), language: "en".into(), components: vec![] };
        let request = send_request(&sender(), "1", "m", None, &bare).unwrap();
        assert_eq!(
            body_of(&request)["template"],
            serde_json::json!({"name": "a", "language": {"code": "en"}})
        );
    }

    #[test]
    fn the_proof_is_the_vector_of_the_contract() {
        let sender = Sender { app_secret: Some("fixture-app-secret".into()), ..sender() };
        let request = send_request(&sender, "1", "m", None, &text("a", false)).unwrap();
        assert_eq!(
            request.uri().query(),
            Some("appsecret_proof=0b3405545fa2d6d178325bee1376362ec55368e802a0148244bc07cb81da98b2")
        );
    }

    #[test]
    fn settings_cannot_leave_their_place() {
        let build = |sender: Sender| send_request(&sender, "1", "m", None, &text("a", false)).unwrap_err().0;
        assert_eq!(build(Sender { phone_number_id: "1/../../2".into(), ..sender() }), "phone number id");
        assert_eq!(build(Sender { phone_number_id: "..".into(), ..sender() }), "phone number id");
        assert_eq!(build(Sender { phone_number_id: String::new(), ..sender() }), "phone number id");
        assert_eq!(build(Sender { api_version: "v1?x=".into(), ..sender() }), "API version");
        assert_eq!(build(Sender { access_token: "a\r\nX-Evil: 1".into(), ..sender() }), "access token");
        assert_eq!(build(Sender { base_url: "http://a b".into(), ..sender() }), "base URL");
        assert!(!format!("{:?}", sender()).contains("FIXTURE-PAGE-TOKEN"));
    }

    #[test]
    fn reads_acceptance() {
        let headers = HeaderMap::new();
        let result = read_answer(200, &headers, fixtures::read("res-send-accepted").as_bytes());
        let (provider_id, recipient_id) = ("wamid.RklYLU9VVC0x".to_string(), Some("12025550147".to_string()));
        assert_eq!(result, SendResult::Accepted { provider_id, recipient_id });
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
        let failure = refused(400, &none, &fixtures::read("res-error-rate-limit"));
        assert_eq!((failure.code.as_str(), failure.class), ("130429", RetryClass::Throttled));
        assert!(failure.provider_text.contains("throughput of this number"));
        let failure = refused(401, &none, &fixtures::read("res-error-token"));
        assert_eq!((failure.code.as_str(), failure.class), ("190", RetryClass::Alert));
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
