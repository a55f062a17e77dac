//! The error codes of WhatsApp (channels section 2.9). They come in the answer to a send, as a `failed`
//! status, or both: one table serves both.

use crate::failure::{Row, class_of_status, shorten, unknown};
use crate::graph::answer::{ErrorTable, provider_text};
use crate::{AlertReason, Failure, RetryClass};
use AlertReason::{
    AccountRestricted, ChannelDisconnected, NumberNotRegistered, PaymentIssue, PermissionMissing,
    TokenExpired,
};
use RetryClass::{Alert, Never, OtherWay, Retry, Throttled};
use serde_json::Value;

/// The error code of a recipient who does not want marketing messages.
pub const OPTED_OUT: &str = "131050";

/// "Few tries" of the contract, the first one included.
const FEW: i64 = 3;
/// Too much to one person.
const PAIR_LIMIT: u32 = 131_056;

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
const UNKNOWN_REASON: &str = "WhatsApp did not accept the message. Send it again later, or another one.";

pub(crate) const TABLE: ErrorTable = ErrorTable { read: failure, unknown: UNKNOWN_REASON };

/// Every known code, in order. Codes that are ranges have one row.
const CODES: &[Row] = &[
    Row::new(0, 0, Alert(TokenExpired), TOKEN_REASON),
    Row::new(1, 1, Retry, BUSY_REASON).tries(FEW),
    Row::new(2, 2, Retry, BUSY_REASON),
    Row::new(3, 3, Alert(PermissionMissing), PERMISSION_REASON),
    Row::new(4, 4, Throttled, THROTTLED_REASON),
    Row::new(10, 10, Alert(PermissionMissing), PERMISSION_REASON),
    Row::new(
        33,
        33,
        Alert(ChannelDisconnected),
        "The phone number of this inbox was deleted. Connect another one.",
    ),
    Row::new(100, 100, Never, CONTENT_REASON),
    Row::new(190, 190, Alert(TokenExpired), TOKEN_REASON),
    Row::new(200, 299, Alert(PermissionMissing), PERMISSION_REASON),
    Row::new(
        368,
        368,
        Alert(AccountRestricted),
        "WhatsApp restricted the account of this inbox. See WhatsApp Manager for the reason.",
    ),
    Row::new(80_007, 80_007, Throttled, THROTTLED_REASON),
    Row::new(
        130_403,
        130_403,
        Never,
        "Your business has blocked this person on WhatsApp. Unblock them first.",
    ),
    Row::new(130_429, 130_429, Throttled, THROTTLED_REASON),
    Row::new(130_472, 130_472, Never, "WhatsApp does not deliver marketing messages to this person."),
    Row::new(130_497, 130_497, Never, "Your account may not write to people in this country on WhatsApp."),
    Row::new(131_000, 131_000, Retry, BUSY_REASON).tries(FEW),
    Row::new(131_005, 131_005, Alert(PermissionMissing), PERMISSION_REASON),
    Row::new(131_008, 131_009, Never, CONTENT_REASON),
    Row::new(131_016, 131_016, Retry, BUSY_REASON),
    Row::new(
        131_021,
        131_021,
        Never,
        "The recipient is the sending number itself. Choose another recipient.",
    ),
    Row::new(131_026, 131_026, OtherWay, "This person cannot be reached on WhatsApp. Try another channel."),
    Row::new(
        131_030,
        131_030,
        Never,
        "The test number of this inbox may only write to recipients on its allow-list.",
    ),
    Row::new(
        131_031,
        131_031,
        Alert(AccountRestricted),
        "WhatsApp locked the account of this inbox. See WhatsApp Manager for the reason.",
    ),
    Row::new(
        131_037,
        131_037,
        Alert(AccountRestricted),
        "The display name of this inbox's number is not approved by WhatsApp yet.",
    ),
    Row::new(
        131_042,
        131_042,
        Alert(PaymentIssue),
        "WhatsApp has a problem with the payment of this account. Check its billing.",
    ),
    Row::new(
        131_045,
        131_045,
        Alert(NumberNotRegistered),
        "The phone number of this inbox is not registered. Register it in WhatsApp Manager.",
    ),
    Row::new(
        131_047,
        131_047,
        OtherWay,
        "More than 24 hours have passed since this person last wrote. Send a template.",
    ),
    Row::new(
        131_048,
        131_048,
        Alert(AccountRestricted),
        "WhatsApp limits this number since people reported its messages. Send less for now.",
    ),
    Row::new(
        131_049,
        131_049,
        Never,
        "WhatsApp held this marketing message back for this person. Try after 24 hours.",
    ),
    Row::new(131_050, 131_050, Never, "This person has opted out of marketing messages."),
    Row::new(131_051, 131_051, Never, "WhatsApp does not support this kind of message."),
    Row::new(131_052, 131_052, Never, "A file that this person sent could not be downloaded."),
    Row::new(
        131_053,
        131_053,
        Never,
        "WhatsApp cannot use the file of this message. Check its type and size.",
    ),
    Row::new(
        131_056,
        131_056,
        Throttled,
        "Too many messages were sent to this person in a short time. Wait a moment.",
    ),
    Row::new(131_057, 131_057, Retry, BUSY_REASON).after_secs(20),
    Row::new(131_063, 131_063, Never, "Marketing templates are switched off for this account."),
    Row::new(
        131_064,
        131_064,
        Alert(AccountRestricted),
        "WhatsApp limits this account since templates were wrongly classified.",
    ),
    Row::new(132_000, 132_000, Never, TEMPLATE_VALUES_REASON),
    Row::new(132_001, 132_001, Never, TEMPLATE_REASON),
    Row::new(132_005, 132_005, Never, TEMPLATE_VALUES_REASON),
    Row::new(132_007, 132_007, Never, "The content of the template breaks a WhatsApp policy."),
    Row::new(132_008, 132_008, Never, TEMPLATE_VALUES_REASON),
    Row::new(132_012, 132_012, Never, TEMPLATE_VALUES_REASON),
    Row::new(132_015, 132_016, Never, TEMPLATE_REASON),
    Row::new(132_068, 132_068, Never, "The flow of this template is blocked. Check it in WhatsApp Manager."),
    Row::new(132_069, 132_069, Throttled, THROTTLED_REASON),
    Row::new(133_016, 133_016, Throttled, ACCOUNT_REASON).after_secs(60 * 60),
    Row::new(135_000, 135_000, Retry, BUSY_REASON).tries(FEW),
    Row::new(2_494_100, 2_494_100, Retry, BUSY_REASON).after_secs(20),
];

/// Reads an error object, of an answer (with its HTTP status) or of a `failed` status (without).
pub(crate) fn failure(error: &Value, status: Option<u16>) -> Failure {
    let number = crate::json::number(error, "code").and_then(|code| u32::try_from(code).ok());
    let text = provider_text(error);
    if let Some((number, row)) = number.and_then(|number| Some((number, Row::find(CODES, number)?))) {
        return Failure { pair_only: number == PAIR_LIMIT, ..row.failure(number.to_string(), &text) };
    }
    let code = match (number, error.get("code")) {
        (Some(number), _) => number.to_string(),
        (None, Some(other)) => shorten(&other.as_str().map_or_else(|| other.to_string(), str::to_string)),
        (None, None) => "unknown".into(),
    };
    let class = match error.get("is_transient").and_then(Value::as_bool) {
        Some(true) => Retry,
        // A status has no HTTP status: the message is lost, and what we do not know we do not repeat.
        _ => status.map_or(Never, |status| class_of_status(status, true)),
    };
    unknown(code, &text, class, UNKNOWN_REASON)
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
            (Alert(TokenExpired), &[0, 190]),
            (Alert(PermissionMissing), &[3, 10, 200, 250, 299, 131_005]),
            (Alert(AccountRestricted), &[368, 131_031, 131_037, 131_048, 131_064]),
            (Alert(PaymentIssue), &[131_042]),
            (Alert(NumberNotRegistered), &[131_045]),
            (Alert(ChannelDisconnected), &[33]),
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
                assert!(Row::find(CODES, *code).is_some(), "{code} is missing");
                assert_eq!(class(*code), *expected, "{code}");
            }
        }
        let listed: usize = contract.iter().map(|(_, codes)| codes.len()).sum();
        let known: usize = CODES
            .iter()
            .map(
                |Row { codes: (first, last), .. }| {
                    if *first == 200 { 3 } else { (last - first + 1) as usize }
                },
            )
            .sum();
        assert_eq!(listed, known, "the table has a code that this test does not");
    }

    #[test]
    fn the_table_is_in_order_and_its_reasons_are_for_users() {
        assert!(CODES.windows(2).all(|pair| pair[0].codes.1 < pair[1].codes.0));
        for Row { codes: (code, _), reason, .. } in CODES {
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
        assert_eq!(failure(&json!({"code": 3}), Some(500)).class, Alert(PermissionMissing));
    }

    #[test]
    fn fewer_tries_and_waits_are_as_the_contract_says() {
        let of = |code: u32| failure(&json!({"code": code}), Some(400));
        for code in [1, 131_000, 135_000] {
            assert_eq!(of(code).tries_max, Some(3), "{code}");
        }
        for code in [2, 131_016, 131_057] {
            assert_eq!(of(code).tries_max, None, "{code}");
        }
        let wait = |code| of(code).retry_after.map(|wait| wait.as_secs());
        assert_eq!((wait(131_057), wait(2_494_100), wait(133_016)), (Some(20), Some(20), Some(3600)));
        assert_eq!(wait(131_016), None);
        assert!(of(131_050).is_opt_out());
        assert!(!of(131_049).is_opt_out());
    }

    #[test]
    fn odd_codes_are_read() {
        assert_eq!(failure(&json!({"code": "131047"}), None).class, OtherWay);
        assert_eq!(failure(&json!({"code": "E_NEW"}), None).code, "E_NEW");
        assert_eq!(failure(&json!({"code": -1}), None).code, "-1");
        assert_eq!(failure(&json!({}), None).code, "unknown");
        assert_eq!(failure(&json!("text"), None).code, "unknown");
        let long = failure(&json!({"code": 1, "message": "é".repeat(2000)}), None);
        assert_eq!(long.provider_text.chars().count(), 500);
        assert_eq!(
            failure(&json!({"code": 131_057}), None).retry_after,
            Some(std::time::Duration::from_secs(20))
        );
        assert!(failure(&json!({"code": 131_056}), None).pair_only);
        assert!(!failure(&json!({"code": 130_429}), None).pair_only);
    }
}
