//! The answer to a send request.

use super::path;
use super::send::Sender;
use super::settings::{ErrorRule, ReportState, Settings};
use crate::failure::{class_of_status, retry_after, unknown, waiting};
use crate::{AlertReason, Failure, RetryClass, SendResult, State};
use http::HeaderMap;
use serde_json::Value;

/// Longest id of a message that is taken over, in characters.
const ID_CHARS: usize = 200;

const ACCOUNT: &str =
    "The SMS gateway of this inbox refuses its account. Check it with the gateway's operator.";
const BUSY: &str =
    "The SMS gateway could not take the message. It was tried several times; send it again later.";
const CREDENTIALS: &str = "The SMS gateway refused the credentials of this inbox. Connect the inbox again.";
const EXPIRED: &str = "The recipient's phone could not be reached in time. Send the SMS again later.";
const REFUSED: &str = "The SMS gateway did not accept or deliver the message. Check its number and text.";
const THROTTLED: &str = "Too many messages were sent in a short time. Send more slowly.";

/// Reads the answer to a send request. A body that is no JSON counts as one text: its path is `.`.
pub fn read_answer(sender: &Sender, status: u16, headers: &HeaderMap, body: &[u8]) -> SendResult {
    let settings = &sender.settings;
    let rules = &settings.answer;
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let is_json = json.is_some();
    let document = json.unwrap_or_else(|| Value::String(String::from_utf8_lossy(body).trim().to_string()));
    let is_success = (rules.success.0..=rules.success.1).contains(&status);
    let says_so = rules.success_path.as_deref().is_none_or(|path| {
        let given = path::find(&document, path);
        given.is_some_and(|given| rules.success_values.contains(given))
    });
    let text = |path: &Option<String>| path.as_deref().and_then(|path| path::text(&document, path));
    let words = || text(&rules.error_text).unwrap_or_else(|| format!("HTTP {status}"));
    if !is_success {
        let code = text(&rules.error_code);
        let failure = refused(settings, code, &words(), class_of_status(status, is_json), status);
        return SendResult::Refused(waiting(failure, retry_after(headers)));
    }
    if !says_so {
        // It answered in its own way that it did not take the message; what is no JSON tells nothing.
        return match text(&rules.error_code) {
            code if is_json => {
                SendResult::Refused(refused(settings, code, &words(), RetryClass::Never, status))
            }
            _ => SendResult::Unclear { provider_text: format!("HTTP {status} without the sign of success") },
        };
    }
    let is_id = |id: &String| id.chars().count() <= ID_CHARS && !id.chars().any(char::is_control);
    let Some(provider_id) = path::text(&document, &rules.id).filter(is_id) else {
        return SendResult::Unclear { provider_text: format!("HTTP {status} without a message id") };
    };
    let (state, failure) = text(&rules.state).map_or((State::Other(String::new()), None), |name| {
        read_state(settings, &name, text(&rules.error_code))
    });
    match failure {
        Some(failure) => SendResult::Refused(failure),
        None => SendResult::Accepted {
            provider_id,
            recipient_id: None,
            state: (!matches!(state, State::Other(_))).then_some(state),
        },
    }
}

fn refused(settings: &Settings, code: Option<String>, text: &str, class: RetryClass, status: u16) -> Failure {
    let rule = code.as_deref().and_then(|code| settings.errors.get(code)).map(|rule| rule.class());
    let class = match (rule, status) {
        (Some(class), _) => class,
        (None, 401) => ErrorRule::Token.class(),
        (None, _) => class,
    };
    unknown(code.unwrap_or_else(|| format!("http_{status}")), text, class, reason(class))
}

const fn reason(class: RetryClass) -> &'static str {
    match class {
        RetryClass::Retry => BUSY,
        RetryClass::Throttled => THROTTLED,
        RetryClass::Alert(AlertReason::TokenExpired) => CREDENTIALS,
        RetryClass::Alert(_) => ACCOUNT,
        RetryClass::Never | RetryClass::OtherWay => REFUSED,
    }
}

/// What a state means: by the settings, else by the standard names; with the reason of a failed one.
pub fn read_state(settings: &Settings, name: &str, error: Option<String>) -> (State, Option<Failure>) {
    let set = settings.states.get(name).or_else(|| {
        let same = |(known, _): &(&String, &ReportState)| known.eq_ignore_ascii_case(name);
        settings.states.iter().find(same).map(|(_, state)| state)
    });
    let failed = |default: RetryClass, public_reason: Option<&'static str>| {
        let rule = error.as_deref().and_then(|code| settings.errors.get(code)).map(|rule| rule.class());
        let class = rule.unwrap_or(default);
        let code = error.clone().unwrap_or_else(|| name.to_string());
        let public_reason = public_reason.unwrap_or_else(|| reason(class));
        (State::Failed, Some(unknown(code, name, class, public_reason)))
    };
    match set.copied().or_else(|| standard(name)) {
        Some(ReportState::Sent) => (State::Sent, None),
        Some(ReportState::Delivered) => (State::Delivered, None),
        Some(ReportState::Read) => (State::Read, None),
        Some(ReportState::Expired) => failed(RetryClass::Retry, Some(EXPIRED)),
        Some(ReportState::Failed) => failed(RetryClass::Never, None),
        Some(ReportState::Pending) | None => (State::Other(name.to_string()), None),
    }
}

/// The names of SMPP (channels section 7). `UNKNOWN` and others keep the state.
fn standard(name: &str) -> Option<ReportState> {
    match name.to_ascii_uppercase().as_str() {
        "SCHEDULED" | "ENROUTE" => Some(ReportState::Pending),
        "ACCEPTD" => Some(ReportState::Sent),
        "DELIVRD" => Some(ReportState::Delivered),
        "EXPIRED" => Some(ReportState::Expired),
        "UNDELIV" | "REJECTD" | "DELETED" | "SKIPPED" => Some(ReportState::Failed),
        _ => None,
    }
}
