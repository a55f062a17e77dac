//! The error codes of WhatsApp (channels section 2.9). They come in the answer to a send, as a `failed`
//! status, or both: one table serves both.

use crate::{Failure, RetryClass};
use RetryClass::{Alert, Never, OtherWay, Retry, Throttled};
use serde_json::Value;
use std::time::Duration;

/// One number wrote to one person too fast. Only that pair waits, 4^X seconds (channels section 2.8).
pub const PAIR_LIMIT: &str = "131056";

/// Longest text of a provider that is kept, in characters.
const PROVIDER_TEXT_CHARS: usize = 500;
/// Maintenance takes at least this long (channels section 2.9).
const MAINTENANCE: Duration = Duration::from_secs(20);

const ACCOUNT_REASON: &str =
    "The WhatsApp account of this inbox may not send now. Check its state in WhatsApp Manager.";
const BUSY_REASON: &str =
    "WhatsApp could not take the message. It was tried several times; send it again later.";
const CONTENT_REASON: &str = "WhatsApp refused the content of this message. Check it and send it anew.";
const PERMISSION_REASON: &str = "The access token of this inbox lacks the permission to send. Connect the inbox again with all permissions.";
const TEMPLATE_REASON: &str =
    "The template is missing, paused or not approved in this language. Check it in WhatsApp Manager.";
const TEMPLATE_VALUES_REASON: &str =
    "The values do not fit the template. Check their number, length and format.";
const THROTTLED_REASON: &str = "Too many messages were sent in a short time. Send more slowly.";
const TOKEN_REASON: &str = "The access token of this inbox is invalid or expired. Connect the inbox again.";
pub(crate) const UNKNOWN_REASON: &str =
    "WhatsApp did not accept the message. Send it again later, or another one.";

/// First code, last code, what to do, what to tell a user.
type Entry = (u32, u32, RetryClass, &'static str);

/// Every known code, in order. Codes that are ranges have one entry.
const TABLE: &[Entry] = &[
    (0, 0, Alert, TOKEN_REASON),
    (1, 2, Retry, BUSY_REASON),
    (3, 3, Alert, PERMISSION_REASON),
    (4, 4, Throttled, THROTTLED_REASON),
    (10, 10, Alert, PERMISSION_REASON),
    (33, 33, Alert, "The phone number of this inbox was deleted. Connect another one."),
    (100, 100, Never, CONTENT_REASON),
    (190, 190, Alert, TOKEN_REASON),
    (200, 299, Alert, PERMISSION_REASON),
    (368, 368, Alert, "WhatsApp restricted the account of this inbox. See WhatsApp Manager for the reason."),
    (80_007, 80_007, Throttled, THROTTLED_REASON),
    (130_403, 130_403, Never, "Your business has blocked this person on WhatsApp. Unblock them first."),
    (130_429, 130_429, Throttled, THROTTLED_REASON),
    (130_472, 130_472, Never, "WhatsApp does not deliver marketing messages to this person."),
    (130_497, 130_497, Never, "Your account may not write to people in this country on WhatsApp."),
    (131_000, 131_000, Retry, BUSY_REASON),
    (131_005, 131_005, Alert, PERMISSION_REASON),
    (131_008, 131_009, Never, CONTENT_REASON),
    (131_016, 131_016, Retry, BUSY_REASON),
    (131_021, 131_021, Never, "The recipient is the sending number itself. Choose another recipient."),
    (131_026, 131_026, OtherWay, "This person cannot be reached on WhatsApp. Try another channel."),
    (
        131_030,
        131_030,
        Never,
        "The test number of this inbox may only write to recipients on its allow-list.",
    ),
    (
        131_031,
        131_031,
        Alert,
        "WhatsApp locked the account of this inbox. See WhatsApp Manager for the reason.",
    ),
    (131_037, 131_037, Alert, "The display name of this inbox's number is not approved by WhatsApp yet."),
    (131_042, 131_042, Alert, "WhatsApp has a problem with the payment of this account. Check its billing."),
    (
        131_045,
        131_045,
        Alert,
        "The phone number of this inbox is not registered. Register it in WhatsApp Manager.",
    ),
    (
        131_047,
        131_047,
        OtherWay,
        "More than 24 hours have passed since this person last wrote. Send a template.",
    ),
    (
        131_048,
        131_048,
        Alert,
        "WhatsApp limits this number since people reported its messages. Send less for now.",
    ),
    (
        131_049,
        131_049,
        Never,
        "WhatsApp held this marketing message back for this person. Try after 24 hours.",
    ),
    (131_050, 131_050, Never, "This person has opted out of marketing messages."),
    (131_051, 131_051, Never, "WhatsApp does not support this kind of message."),
    (131_052, 131_052, Never, "A file that this person sent could not be downloaded."),
    (131_053, 131_053, Never, "WhatsApp cannot use the file of this message. Check its type and size."),
    (
        131_056,
        131_056,
        Throttled,
        "Too many messages were sent to this person in a short time. Wait a moment.",
    ),
    (131_057, 131_057, Retry, BUSY_REASON),
    (131_063, 131_063, Never, "Marketing templates are switched off for this account."),
    (131_064, 131_064, Alert, "WhatsApp limits this account since templates were wrongly classified."),
    (132_000, 132_000, Never, TEMPLATE_VALUES_REASON),
    (132_001, 132_001, Never, TEMPLATE_REASON),
    (132_005, 132_005, Never, TEMPLATE_VALUES_REASON),
    (132_007, 132_007, Never, "The content of the template breaks a WhatsApp policy."),
    (132_008, 132_008, Never, TEMPLATE_VALUES_REASON),
    (132_012, 132_012, Never, TEMPLATE_VALUES_REASON),
    (132_015, 132_016, Never, TEMPLATE_REASON),
    (132_068, 132_068, Never, "The flow of this template is blocked. Check it in WhatsApp Manager."),
    (132_069, 132_069, Throttled, THROTTLED_REASON),
    (133_016, 133_016, Throttled, ACCOUNT_REASON),
    (135_000, 135_000, Retry, BUSY_REASON),
    (2_494_100, 2_494_100, Retry, BUSY_REASON),
];

fn find(code: u32) -> Option<&'static Entry> {
    TABLE.iter().find(|(first, last, _, _)| (*first..=*last).contains(&code))
}

/// Reads an error object, of an answer (with its HTTP status) or of a `failed` status (without).
pub(crate) fn failure(error: &Value, status: Option<u16>) -> Failure {
    let number = match error.get("code") {
        Some(Value::String(text)) => text.trim().parse::<u32>().ok(),
        Some(code) => code.as_u64().and_then(|code| u32::try_from(code).ok()),
        None => None,
    };
    let known = number.and_then(find);
    let (class, public_reason) = match known {
        Some((_, _, class, reason)) => (*class, *reason),
        None if error.get("is_transient").and_then(Value::as_bool) == Some(true) => (Retry, UNKNOWN_REASON),
        // A status has no HTTP status: the message is lost, and what we do not know we do not repeat.
        None => (status.map_or(Never, |status| class_of_status(status, true)), UNKNOWN_REASON),
    };
    let code = match (number, error.get("code")) {
        (Some(number), _) => number.to_string(),
        (None, Some(other)) => shorten(&other.as_str().map_or_else(|| other.to_string(), str::to_string)),
        (None, None) => "unknown".into(),
    };
    let maintenance = matches!(number, Some(131_057 | 2_494_100));
    Failure {
        code,
        provider_text: provider_text(error),
        class,
        public_reason,
        retry_after: maintenance.then_some(MAINTENANCE),
    }
}

/// Where no known code decides: a body that is no JSON, or a 5xx, is temporary; 429 is throttling.
pub(crate) fn class_of_status(status: u16, is_json: bool) -> RetryClass {
    match status {
        429 => Throttled,
        400..500 if is_json => Never,
        _ => Retry,
    }
}

fn provider_text(error: &Value) -> String {
    let message = ["message", "title"].iter().find_map(|name| error.get(name)?.as_str()).unwrap_or_default();
    let details = error.pointer("/error_data/details").and_then(Value::as_str).unwrap_or_default();
    shorten(
        match (message, details) {
            ("", details) => details.to_string(),
            (message, "") => message.to_string(),
            (message, details) => format!("{message}: {details}"),
        }
        .as_str(),
    )
}

fn shorten(text: &str) -> String {
    text.chars().take(PROVIDER_TEXT_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn class(code: u32) -> RetryClass {
        failure(&json!({"code": code}), Some(400)).class
    }

    /// Section 2.9 once more, written down apart from the table.
    #[test]
    fn every_code_has_the_class_of_the_contract() {
        let contract: &[(RetryClass, &[u32])] = &[
            (
                Alert,
                &[
                    0, 190, 3, 10, 200, 250, 299, 131_005, 368, 131_031, 131_042, 131_045, 33, 131_037,
                    131_048, 131_064,
                ],
            ),
            (Retry, &[1, 2, 131_016, 131_000, 135_000, 131_057, 2_494_100]),
            (Throttled, &[4, 80_007, 130_429, 131_056, 132_069, 133_016]),
            (OtherWay, &[131_026, 131_047]),
            (
                Never,
                &[
                    130_497, 131_049, 130_472, 131_050, 130_403, 131_051, 131_052, 131_053, 100, 131_008,
                    131_009, 131_021, 131_030, 131_063, 132_000, 132_001, 132_005, 132_007, 132_008, 132_012,
                    132_015, 132_016, 132_068,
                ],
            ),
        ];
        for (expected, codes) in contract {
            for code in *codes {
                assert!(find(*code).is_some(), "{code} is missing");
                assert_eq!(class(*code), *expected, "{code}");
            }
        }
        let listed: usize = contract.iter().map(|(_, codes)| codes.len()).sum();
        let known: usize = TABLE
            .iter()
            .map(|(first, last, ..)| if *first == 200 { 3 } else { (last - first + 1) as usize })
            .sum();
        assert_eq!(listed, known, "the table has a code that this test does not");
    }

    #[test]
    fn the_table_is_in_order_and_its_reasons_are_for_users() {
        assert!(TABLE.windows(2).all(|pair| pair[0].1 < pair[1].0));
        for (code, _, _, reason) in TABLE {
            assert!(reason.ends_with('.') && reason.len() < 160, "{code}");
            assert!(
                !reason.contains("Graph") && !reason.contains("OAuth") && !reason.contains('#'),
                "{code}"
            );
        }
    }

    #[test]
    fn unknown_codes_are_decided_by_the_status() {
        let with = |status| failure(&json!({"code": 999_999, "message": "new"}), status).class;
        assert_eq!(with(Some(400)), Never);
        assert_eq!(with(Some(404)), Never);
        assert_eq!(with(Some(429)), Throttled);
        assert_eq!(with(Some(500)), Retry);
        assert_eq!(with(None), Never);
        assert_eq!(failure(&json!({"code": 999_999, "is_transient": true}), Some(400)).class, Retry);
        // A known code decides whatever the status is.
        assert_eq!(failure(&json!({"code": 130_429}), Some(400)).class, Throttled);
        assert_eq!(failure(&json!({"code": 3}), Some(500)).class, Alert);
    }

    #[test]
    fn odd_codes_are_read() {
        assert_eq!(failure(&json!({"code": "131047"}), None).class, OtherWay);
        assert_eq!(failure(&json!({"code": "E_NEW"}), None).code, "E_NEW");
        assert_eq!(failure(&json!({"code": -1}), None).code, "-1");
        assert_eq!(failure(&json!({}), None).code, "unknown");
        assert_eq!(failure(&json!("text"), None).code, "unknown");
        let long = failure(&json!({"code": 1, "message": "é".repeat(2000)}), None);
        assert_eq!(long.provider_text.chars().count(), PROVIDER_TEXT_CHARS);
        assert_eq!(failure(&json!({"code": 131_057}), None).retry_after, Some(MAINTENANCE));
        assert_eq!(PAIR_LIMIT.parse::<u32>().map(class), Ok(Throttled));
    }
}
