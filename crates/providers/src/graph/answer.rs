//! Answers of the Graph API: error objects, waiting times, pages (channels sections 1.2 and 2.7).

use crate::failure::{WAIT_MAX, class_of_status, retry_after, unknown, waiting};
use crate::json::text;
use crate::{Failure, SendResult};
use http::HeaderMap;
use serde_json::Value;
use std::time::Duration;

/// One page of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// The cursor of the next page; `None` on the last one. Opaque and short-lived.
    pub after: Option<String>,
}

/// How a channel reads an error object; with the HTTP status of an answer, without one in a callback.
pub(crate) type Errors = fn(&Value, Option<u16>) -> Failure;

/// What a channel knows about errors.
#[derive(Clone, Copy)]
pub(crate) struct ErrorTable {
    pub read: Errors,
    /// The public reason of a failure that no table knows.
    pub unknown: &'static str,
}

/// Reads an answer: the JSON of a success, or the failure. A success that is no JSON is `Value::Null`.
pub(crate) fn read(
    table: ErrorTable,
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Value, Failure> {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    if (200..300).contains(&status) {
        return Ok(json.unwrap_or_default());
    }
    let failure = match json.as_ref().map(|json| json.get("error").unwrap_or(json)) {
        Some(error) if error.get("code").is_some() => (table.read)(error, Some(status)),
        // No error object: something before the API answered, a proxy or a page of HTML.
        other => unknown(
            format!("http_{status}"),
            &format!("HTTP {status} without an error object"),
            class_of_status(status, other.is_some()),
            table.unknown,
        ),
    };
    Err(waiting(failure, regain(headers)))
}

/// Reads an answer that must tell something. A success that does not tell it is a temporary failure: nothing was
/// changed by reading, or a change can be done twice.
pub(crate) fn read_as<T>(
    table: ErrorTable,
    (status, headers, body): (u16, &HeaderMap, &[u8]),
    find: impl FnOnce(&Value) -> Option<T>,
) -> Result<T, Failure> {
    let json = read(table, status, headers, body)?;
    find(&json).ok_or_else(|| {
        let text = format!("HTTP {status} without what was asked for");
        unknown("unclear".into(), &text, crate::RetryClass::Retry, table.unknown)
    })
}

/// Reads the answer to a send request.
pub(crate) fn read_send(
    table: ErrorTable,
    (status, headers, body): (u16, &HeaderMap, &[u8]),
    accepted: impl FnOnce(&Value) -> Option<SendResult>,
) -> SendResult {
    match read(table, status, headers, body) {
        Ok(json) => accepted(&json).unwrap_or_else(|| SendResult::Unclear {
            provider_text: format!("HTTP {status} without a message id"),
        }),
        Err(failure) => SendResult::Refused(failure),
    }
}

/// Reads a page. `after` counts only where a `next` is there: the last page may have cursors too.
pub(crate) fn page<T>(json: &Value, item: impl Fn(&Value) -> Option<T>) -> Option<Page<T>> {
    let items = json.get("data")?.as_array()?.iter().filter_map(item).collect();
    let paging = json.get("paging");
    let more = paging.and_then(|paging| text(paging, "next")).is_some();
    let after = paging.and_then(|paging| text(paging.get("cursors")?, "after")).filter(|_| more);
    Some(Page { items, after })
}

/// How long a throttled sender must wait: `Retry-After` in seconds, or the longest
/// `estimated_time_to_regain_access` of `X-Business-Use-Case-Usage`, in minutes (channels section 1.2).
fn regain(headers: &HeaderMap) -> Option<Duration> {
    let usage: Option<Value> = headers
        .get("x-business-use-case-usage")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| serde_json::from_str(value).ok());
    let minutes = usage.as_ref().and_then(Value::as_object).and_then(|objects| {
        let entries = objects.values().filter_map(Value::as_array).flatten();
        entries.filter_map(|entry| entry.get("estimated_time_to_regain_access")?.as_u64()).max()
    });
    let regain = minutes
        .filter(|minutes| *minutes > 0)
        .map(|minutes| Duration::from_secs(minutes.saturating_mul(60)).min(WAIT_MAX));
    retry_after(headers).max(regain)
}

/// What an error object says, for the log.
pub(crate) fn provider_text(error: &Value) -> String {
    let message = ["message", "title"].iter().find_map(|name| error.get(name)?.as_str()).unwrap_or_default();
    let details = error.pointer("/error_data/details").and_then(Value::as_str).unwrap_or_default();
    match (message, details) {
        ("", details) => details.to_string(),
        (message, "") => message.to_string(),
        (message, details) => format!("{message}: {details}"),
    }
}
