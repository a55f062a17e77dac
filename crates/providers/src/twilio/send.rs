//! Sending: `POST /2010-04-01/Accounts/{AccountSid}/Messages.json` (channels section 6.1).

use super::errors;
use crate::failure::{class_of_status, retry_after, unknown, waiting};
use crate::json::text;
use crate::{BuildError, Envelope, Failure, Media, MediaSource, Outgoing, RetryClass, SendResult, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, Request, header};
use serde_json::Value;

/// Longest body, in characters.
const TEXT_CHARS: usize = 1600;

/// Who sends: a number or a messaging service of an account.
#[derive(Clone)]
pub struct Sender {
    /// `https://api.twilio.com`, or a sandbox.
    pub base_url: String,
    /// `AC…`, in the URL.
    pub account_sid: String,
    /// For Basic authentication: the account SID or an API key SID.
    pub user: String,
    /// The auth token or the API key's secret.
    pub secret: String,
    pub from: From,
    /// Absolute URL for status callbacks. Must hold our message id in its query: `?message=msg_…`.
    pub status_callback: Option<String>,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the secret: this may reach a log.
        f.debug_struct("Sender")
            .field("base_url", &self.base_url)
            .field("account_sid", &self.account_sid)
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

/// What a message comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// E.164 with `+`, a short code or an alphanumeric sender.
    Number(String),
    /// `MG…`: a messaging service that picks the sender.
    Service(String),
}

impl From {
    /// A service where the text looks like one (`MG` and 32 hex digits), else a number.
    pub fn parse(text: &str) -> Self {
        let digits = text.strip_prefix("MG").filter(|rest| rest.len() == 32);
        if digits.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit())) {
            From::Service(text.into())
        } else {
            From::Number(text.into())
        }
    }
}

impl Sender {
    pub(super) fn basic(&self) -> Result<HeaderValue, BuildError> {
        let pair = STANDARD.encode(format!("{}:{}", self.user, self.secret));
        let mut value =
            HeaderValue::from_str(&format!("Basic {pair}")).map_err(|_| BuildError::Setting("secret"))?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// The URL of the account's messages.
    fn url(&self) -> Result<String, BuildError> {
        // The SID comes from tenants: it must not reach other paths or hosts.
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric());
        if !plain(&self.account_sid) {
            return Err(BuildError::Setting("account SID"));
        }
        let base = self.base_url.trim_end_matches('/');
        Ok(format!("{base}/2010-04-01/Accounts/{}/Messages.json", self.account_sid))
    }
}

/// Whether Twilio can carry this content: texts, and files by link (MMS) whose caption becomes the text.
fn check(content: &Outgoing) -> Result<(), BuildError> {
    let fits = |text: &str| text.chars().count() <= TEXT_CHARS;
    match content {
        Outgoing::Text { body, .. } if fits(body) => Ok(()),
        Outgoing::Text { .. } => Err(BuildError::Unsupported("a text of more than 1600 characters")),
        Outgoing::Media(Media { source: MediaSource::Id(_), .. }) => {
            Err(BuildError::Unsupported("a file without a link"))
        }
        Outgoing::Media(media) if media.caption.as_deref().is_none_or(fits) => Ok(()),
        Outgoing::Media(_) => Err(BuildError::Unsupported("a caption of more than 1600 characters")),
        Outgoing::Template { .. } => Err(BuildError::Unsupported("templates")),
        Outgoing::Reaction { .. } => Err(BuildError::Unsupported("reactions")),
        Outgoing::Interactive(_) => Err(BuildError::Unsupported("buttons and lists")),
        Outgoing::Location { .. } => Err(BuildError::Unsupported("locations")),
        Outgoing::Contacts(_) => Err(BuildError::Unsupported("address cards")),
    }
}

/// Builds the send request. `envelope.to` is the number as digits, with or without `+`. SMS quotes nothing:
/// `reply_to` is left out.
///
/// # Errors
/// A setting of the sender cannot stand in a URL or a header, or Twilio cannot carry the content.
pub fn send_request(sender: &Sender, envelope: &Envelope<'_>) -> Result<Request<Vec<u8>>, BuildError> {
    check(envelope.content)?;
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("To", &format!("+{}", envelope.to.trim_start_matches('+')));
    match &sender.from {
        From::Number(number) => form.append_pair("From", number),
        From::Service(sid) => form.append_pair("MessagingServiceSid", sid),
    };
    let (body, link) = match envelope.content {
        Outgoing::Text { body, .. } => (Some(body.as_str()), None),
        Outgoing::Media(Media { source: MediaSource::Link(link), caption, .. }) => {
            (caption.as_deref(), Some(link.as_str()))
        }
        _ => return Err(BuildError::Unsupported("this content")),
    };
    form.extend_pairs(body.map(|body| ("Body", body)));
    form.extend_pairs(link.map(|link| ("MediaUrl", link)));
    form.extend_pairs(sender.status_callback.as_deref().map(|url| ("StatusCallback", url)));
    Request::post(sender.url()?)
        .header(header::AUTHORIZATION, sender.basic()?)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(form.finish().into_bytes())
        .map_err(|_| BuildError::Setting("base URL"))
}

/// Reads the answer to a send request: 201 with the message.
pub fn read_answer(status: u16, headers: &HeaderMap, body: &[u8]) -> SendResult {
    let message = match read(status, headers, body) {
        Ok(message) => message,
        Err(failure) => return SendResult::Refused(failure),
    };
    match text(&message, "sid") {
        Some(provider_id) => {
            let (state, failure) = progress(&message);
            match failure {
                Some(failure) => SendResult::Refused(failure),
                None => SendResult::Accepted {
                    provider_id,
                    recipient_id: text(&message, "to").map(|to| to.trim_start_matches('+').to_string()),
                    state: (!matches!(state, State::Other(_))).then_some(state),
                },
            }
        }
        None => SendResult::Unclear { provider_text: format!("HTTP {status} without a message SID") },
    }
}

fn progress(message: &Value) -> (State, Option<Failure>) {
    let status = text(message, "status").unwrap_or_default();
    let code = match message.get("error_code") {
        Some(Value::Number(code)) => code.to_string(),
        Some(Value::String(code)) => code.clone(),
        _ => String::new(),
    };
    state(&status, &code, &text(message, "error_message").unwrap_or_default())
}

/// What a status of Twilio means (channels section 8.1), with the reason of a failed one.
pub(super) fn state(status: &str, code: &str, provider_text: &str) -> (State, Option<Failure>) {
    match status {
        "sent" => (State::Sent, None),
        "delivered" | "partially_delivered" => (State::Delivered, None),
        "read" => (State::Read, None),
        "undelivered" | "failed" => {
            let text = if provider_text.is_empty() { status } else { provider_text };
            (State::Failed, Some(errors::failure(code, text, None)))
        }
        "canceled" => {
            let reason = "The scheduled SMS was cancelled at Twilio.";
            (State::Failed, Some(unknown("canceled".into(), status, RetryClass::Never, reason)))
        }
        // accepted, scheduled, queued, sending: on its way.
        other => (State::Other(other.to_string()), None),
    }
}

fn read(status: u16, headers: &HeaderMap, body: &[u8]) -> Result<Value, Failure> {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    if (200..300).contains(&status) {
        return Ok(json.unwrap_or_default());
    }
    let code = json.as_ref().and_then(|json| crate::json::number(json, "code"));
    let failure = match (code, &json) {
        (Some(code), Some(json)) => {
            errors::failure(&code.to_string(), &text(json, "message").unwrap_or_default(), Some(status))
        }
        // No error object: something before the API answered, a proxy or a page of HTML.
        _ => unknown(
            format!("http_{status}"),
            &format!("HTTP {status} without an error code"),
            class_of_status(status, json.is_some()),
            errors::UNKNOWN,
        ),
    };
    Err(waiting(failure, retry_after(headers)))
}
