//! The error codes of Messenger and Instagram (channels section 4.5).

use super::answer::{ErrorTable, provider_text};
use crate::failure::{Row, class_of_status, shorten, unknown};
use crate::{AlertReason, Failure, RetryClass};
use AlertReason::{AccountRestricted, ChannelDisconnected, PermissionMissing, TokenExpired};
use RetryClass::{Alert, Never, OtherWay, Retry, Throttled};
use serde_json::Value;

pub(crate) const TABLE: ErrorTable = ErrorTable { read: failure, unknown: UNKNOWN };

const UNKNOWN: &str = "The channel did not accept the message. Send it again later, or another one.";
const BUSY: &str = "The channel could not take the message. It was tried several times; send it again later.";
const CONTENT: &str = "The channel refused the content of this message. Check it and send it anew.";
const PERMISSION: &str = "The access token of this inbox lacks the permission to send. Connect the inbox again with all permissions.";
const RESTRICTED: &str = "Meta restricted the account of this inbox. See Meta Business Suite for the reason.";
const THREAD: &str = "Another app handles this conversation now. Take it over in the Page's inbox first.";
const THROTTLED: &str = "Too many messages were sent in a short time. Send more slowly.";
const TOKEN: &str = "The access token of this inbox is invalid or expired. Connect the inbox again.";
const UNREACHABLE: &str = "This person cannot receive messages now: they may have blocked you or left.";
const LINK: &str =
    "The Page and the Instagram account of this inbox are not linked properly. Connect the inbox again.";
const WINDOW: &str = "The time in which this person may be answered is over. Wait until they write again.";
const MEDIA: &str = "The file of this message could not be fetched in time. Check its address and size.";
const STRANGER: &str = "This account knows no such person. Wait until they write to it.";

/// Pairs of code and subcode. They win over the codes below.
const SUBCODES: &[(u32, u32, Row)] = &[
    (1, 99, Row::new(1, 1, Never, PERMISSION)),
    (10, 1_893_063, Row::new(10, 10, Alert(AccountRestricted), RESTRICTED)),
    (10, 2_018_065, Row::new(10, 10, OtherWay, WINDOW)),
    (10, 2_018_108, Row::new(10, 10, Never, UNREACHABLE)),
    (10, 2_018_278, Row::new(10, 10, OtherWay, WINDOW)),
    (10, 2_534_022, Row::new(10, 10, OtherWay, WINDOW)),
    (10, 2_534_077, Row::new(10, 10, Alert(ChannelDisconnected), LINK)),
    (100, 2_018_001, Row::new(100, 100, Never, STRANGER)),
    (100, 2_018_008, Row::new(100, 100, Retry, MEDIA).tries(2)),
    (100, 2_018_294, Row::new(100, 100, Retry, MEDIA).tries(2)),
    (100, 2_534_013, Row::new(100, 100, Alert(ChannelDisconnected), LINK)),
    (100, 2_534_014, Row::new(100, 100, Never, STRANGER)),
    (100, 2_534_029, Row::new(100, 100, Alert(AccountRestricted), RESTRICTED)),
    (100, 2_534_037, Row::new(100, 100, Never, THREAD)),
    (200, 1_545_041, Row::new(200, 200, Never, UNREACHABLE)),
    (200, 2_018_028, Row::new(200, 200, Alert(PermissionMissing), PERMISSION)),
    (
        200,
        2_534_041,
        Row::new(
            200,
            200,
            Alert(PermissionMissing),
            "The owner of the Instagram account does not allow apps to read messages. Ask them to switch it on.",
        ),
    ),
    (
        613,
        2_018_338,
        Row::new(613, 613, Alert(AccountRestricted), "Meta warned this account of a misuse of message tags."),
    ),
];

/// Codes, whatever the subcode.
const CODES: &[Row] = &[
    Row::new(1, 2, Retry, BUSY),
    Row::new(4, 4, Throttled, THROTTLED),
    Row::new(10, 10, Alert(PermissionMissing), PERMISSION),
    Row::new(17, 17, Throttled, THROTTLED),
    Row::new(32, 32, Throttled, THROTTLED),
    Row::new(100, 100, Never, CONTENT),
    Row::new(190, 190, Alert(TokenExpired), TOKEN),
    Row::new(200, 200, Alert(PermissionMissing), PERMISSION),
    Row::new(368, 368, Alert(AccountRestricted), RESTRICTED),
    Row::new(551, 551, Never, UNREACHABLE),
    Row::new(613, 613, Throttled, THROTTLED),
    Row::new(2_022, 2_022, Alert(AccountRestricted), RESTRICTED),
    Row::new(80_001, 80_002, Throttled, THROTTLED),
    Row::new(80_006, 80_006, Throttled, THROTTLED),
    Row::new(2_018_300, 2_018_300, Never, THREAD),
    Row::new(2_018_321, 2_018_321, Retry, BUSY).after_secs(60),
    Row::new(9_000_001, 9_000_001, Never, "The message that this one is about was deleted."),
];

/// Reads an error object. The code of the failure is `code` or `code/subcode`.
pub(crate) fn failure(error: &Value, status: Option<u16>) -> Failure {
    let member = |name: &str| {
        let number = crate::json::number(error, name)?;
        u32::try_from(number).ok()
    };
    let subcode = member("error_subcode").filter(|subcode| *subcode > 0);
    let text = provider_text(error);
    let Some(code) = member("code") else {
        let given = error.get("code").map_or_else(|| "unknown".into(), Value::to_string);
        let class = status.map_or(Never, |status| class_of_status(status, true));
        return unknown(shorten(given.trim_matches('"')), &text, class, UNKNOWN);
    };
    let name = subcode.map_or_else(|| code.to_string(), |subcode| format!("{code}/{subcode}"));
    let pair = SUBCODES.iter().find(|(first, second, _)| *first == code && Some(*second) == subcode);
    if let Some(row) = pair.map(|(_, _, row)| row).or_else(|| Row::find(CODES, code)) {
        return row.failure(name, &text);
    }
    let class = match error.get("is_transient").and_then(Value::as_bool) {
        Some(true) => Retry,
        _ => status.map_or(Never, |status| class_of_status(status, true)),
    };
    unknown(name, &text, class, UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(code: u32, subcode: Option<u32>) -> Failure {
        failure(&json!({"code": code, "error_subcode": subcode, "message": "x"}), Some(400))
    }

    /// Section 4.5 once more, written down apart from the tables.
    #[test]
    fn every_code_has_the_class_of_the_contract() {
        let contract: &[(RetryClass, &[(u32, u32)])] = &[
            (Alert(TokenExpired), &[(190, 0), (190, 463)]),
            (Alert(PermissionMissing), &[(10, 0), (200, 0), (200, 2_018_028), (200, 2_534_041)]),
            (OtherWay, &[(10, 2_018_278), (10, 2_534_022), (10, 2_018_065)]),
            (Never, &[(10, 2_018_108), (551, 0), (551, 1_545_041), (200, 1_545_041)]),
            (Alert(AccountRestricted), &[(10, 1_893_063), (2022, 0), (368, 0), (100, 2_534_029)]),
            (Alert(ChannelDisconnected), &[(10, 2_534_077), (100, 2_534_013)]),
            (Never, &[(100, 2_018_001), (100, 2_534_014)]),
            (Never, &[(100, 2_534_015), (100, 2_018_047), (100, 2_018_074), (100, 2_018_109), (100, 0)]),
            (Retry, &[(100, 2_018_008), (100, 2_018_294), (2_018_321, 0)]),
            (Never, &[(2_018_300, 0), (100, 2_534_037), (1, 99), (9_000_001, 0)]),
            (
                Throttled,
                &[
                    (4, 0),
                    (17, 0),
                    (32, 0),
                    (613, 0),
                    (613, 2_534_040),
                    (80_001, 0),
                    (80_002, 0),
                    (80_006, 0),
                ],
            ),
            (Alert(AccountRestricted), &[(613, 2_018_338)]),
            (Retry, &[(1, 0), (2, 0)]),
        ];
        for (class, codes) in contract {
            for (code, subcode) in *codes {
                let subcode = (*subcode > 0).then_some(*subcode);
                assert_eq!(of(*code, subcode).class, *class, "{code}/{subcode:?}");
            }
        }
        let all: Vec<(u32, u32)> = contract.iter().flat_map(|(_, codes)| codes.iter().copied()).collect();
        for (code, subcode, _) in SUBCODES {
            assert!(all.contains(&(*code, *subcode)), "{code}/{subcode} is not in the contract");
        }
        for row in CODES {
            for code in row.codes.0..=row.codes.1 {
                assert!(all.contains(&(code, 0)), "{code} is not in the contract");
            }
        }
        assert!(SUBCODES.is_sorted_by_key(|(code, subcode, _)| (*code, *subcode)));
        assert!(CODES.windows(2).all(|pair| pair[0].codes.1 < pair[1].codes.0));
    }

    #[test]
    fn fewer_tries_and_waits_are_as_the_contract_says() {
        assert_eq!(of(100, Some(2_018_008)).tries_max, Some(2));
        assert_eq!(of(2_018_321, None).retry_after.unwrap().as_secs(), 60);
        assert_eq!(of(10, Some(2_018_278)).code, "10/2018278");
        assert_eq!(of(10, Some(0)).code, "10");
    }

    #[test]
    fn unknown_codes_are_decided_by_the_status() {
        let with = |status| failure(&json!({"code": 777, "error_subcode": 5}), Some(status));
        assert_eq!((with(400).class, with(500).class, with(429).class), (Never, Retry, Throttled));
        assert_eq!(with(400).code, "777/5");
        assert_eq!(failure(&json!({"code": 777, "is_transient": true}), Some(400)).class, Retry);
        assert_eq!(failure(&json!({"code": "E_NEW"}), None).code, "E_NEW");
        assert_eq!(failure(&json!({}), None).code, "unknown");
    }

    #[test]
    fn reasons_are_for_users() {
        for row in CODES.iter().chain(SUBCODES.iter().map(|(_, _, row)| row)) {
            assert!(row.reason.ends_with('.') && row.reason.len() < 160, "{:?}", row.codes);
            assert!(!row.reason.contains("Graph") && !row.reason.contains('#'), "{:?}", row.codes);
        }
    }
}
