//! The error codes of Twilio (channels section 6.6). They come in the answer to a send or in a status callback: one
//! table serves both.

use crate::failure::{Row, class_of_status, unknown};
use crate::{AlertReason, Failure, RetryClass};
use AlertReason::{AccountRestricted, NumberNotRegistered, TokenExpired};
use RetryClass::{Alert, Never, Retry, Throttled};

/// The error code of a recipient who does not want messages.
pub const OPTED_OUT: &str = "21610";

pub const UNKNOWN: &str = "The SMS was not delivered. Send it again later.";

const ACCOUNT: &str = "The Twilio account of this inbox may not send now. Check it in Twilio's console.";
const BUSY: &str = "The SMS could not be handed on. It was tried several times; send it again later.";
const CREDENTIALS: &str =
    "Twilio refused the account SID or the secret of this inbox. Connect the inbox again.";
const CONTENT: &str = "Twilio refused the content of this SMS. Check its text and files.";
const FILTERED: &str = "The carrier took this SMS for unwanted and did not deliver it. Change its text.";
const NUMBER: &str = "The recipient's number is not valid or cannot receive SMS.";
const SENDER: &str = "The sender of this inbox is not one of its Twilio account, or cannot send SMS.";
const THROTTLED: &str = "Too many messages were sent in a short time. Send more slowly.";
const UNREACHABLE: &str = "The recipient's phone could not be reached.";
const UNREGISTERED: &str =
    "The sender of this inbox is not registered for this country. Register it with Twilio.";

/// A long wait: carriers tell no time.
const LATER_SECS: u64 = 15 * 60;
const DAY_SECS: u64 = 24 * 60 * 60;

/// Every known code, in order.
const CODES: &[Row] = &[
    Row::new(14_107, 14_107, Throttled, THROTTLED),
    Row::new(20_003, 20_003, Alert(TokenExpired), CREDENTIALS),
    Row::new(20_404, 20_404, Alert(AccountRestricted), ACCOUNT),
    Row::new(20_429, 20_429, Throttled, THROTTLED),
    Row::new(20_500, 20_500, Retry, BUSY),
    Row::new(20_503, 20_503, Retry, BUSY),
    Row::new(21_211, 21_211, Never, NUMBER),
    Row::new(21_212, 21_212, Alert(NumberNotRegistered), SENDER),
    Row::new(21_217, 21_217, Never, NUMBER),
    Row::new(
        21_408,
        21_408,
        Never,
        "SMS to this country are switched off in the Twilio account of this inbox.",
    ),
    Row::new(21_602, 21_602, Never, CONTENT),
    Row::new(21_603, 21_603, Alert(NumberNotRegistered), SENDER),
    Row::new(21_604, 21_604, Never, NUMBER),
    Row::new(21_606, 21_606, Alert(NumberNotRegistered), SENDER),
    Row::new(21_608, 21_608, Never, "A trial account of Twilio may only write to numbers verified there."),
    Row::new(21_610, 21_610, Never, "This person has opted out of messages from this number."),
    Row::new(21_611, 21_611, Throttled, THROTTLED),
    Row::new(21_612, 21_612, Never, "There is no way from the sender of this inbox to this number."),
    Row::new(21_614, 21_614, Never, NUMBER),
    Row::new(21_617, 21_617, Never, CONTENT),
    Row::new(21_619, 21_620, Never, CONTENT),
    Row::new(21_623, 21_623, Never, CONTENT),
    Row::new(21_659, 21_659, Alert(NumberNotRegistered), SENDER),
    Row::new(21_701, 21_701, Alert(NumberNotRegistered), SENDER),
    Row::new(21_703, 21_703, Alert(NumberNotRegistered), SENDER),
    Row::new(30_001, 30_001, Throttled, THROTTLED),
    Row::new(30_002, 30_002, Alert(AccountRestricted), ACCOUNT),
    Row::new(30_003, 30_003, Retry, UNREACHABLE).tries(3).after_secs(LATER_SECS),
    Row::new(30_004, 30_004, Never, "The recipient or their carrier blocks this SMS."),
    Row::new(30_005, 30_005, Never, "The recipient's number does not exist or is switched off."),
    Row::new(
        30_006,
        30_006,
        Never,
        "The recipient's number is a landline or of a carrier that cannot be reached.",
    ),
    Row::new(30_007, 30_007, Never, FILTERED),
    Row::new(30_008, 30_008, Retry, UNKNOWN).tries(2),
    Row::new(30_009, 30_009, Retry, BUSY),
    Row::new(30_010, 30_010, Never, "The SMS costs more than the highest price that is set."),
    Row::new(30_017, 30_017, Retry, BUSY),
    Row::new(30_018, 30_018, Alert(NumberNotRegistered), UNREGISTERED),
    Row::new(30_019, 30_019, Never, CONTENT),
    Row::new(30_022, 30_022, Throttled, THROTTLED),
    Row::new(30_023, 30_023, Throttled, THROTTLED).after_secs(DAY_SECS),
    Row::new(30_024, 30_024, Alert(NumberNotRegistered), UNREGISTERED),
    Row::new(30_032, 30_032, Alert(NumberNotRegistered), UNREGISTERED),
    Row::new(30_034, 30_034, Alert(NumberNotRegistered), UNREGISTERED),
    Row::new(30_036, 30_036, Retry, BUSY),
    Row::new(30_410, 30_410, Retry, BUSY),
    Row::new(30_450, 30_450, Never, FILTERED),
    Row::new(63_017, 63_017, Throttled, THROTTLED),
    Row::new(63_038, 63_038, Throttled, THROTTLED),
];

/// The failure of a code; with the HTTP status of an answer, without one in a callback.
pub fn failure(code: &str, text: &str, status: Option<u16>) -> Failure {
    let code = code.trim();
    if let Some(row) = code.parse().ok().and_then(|number| Row::find(CODES, number)) {
        return row.failure(code.to_string(), text);
    }
    let class = match status {
        // A callback has no HTTP status: the message is lost, and what we do not know we do not repeat.
        None => Never,
        Some(401) => Alert(TokenExpired),
        Some(status) => class_of_status(status, true),
    };
    let name = if code.is_empty() { "unknown".to_string() } else { crate::failure::shorten(code) };
    unknown(name, text, class, if status == Some(401) { CREDENTIALS } else { UNKNOWN })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: u32) -> Failure {
        failure(&code.to_string(), "x", Some(400))
    }

    /// Section 6.6 once more, written down apart from the table.
    #[test]
    fn every_code_has_the_class_of_the_contract() {
        let contract: &[(RetryClass, &[u32])] = &[
            (Alert(TokenExpired), &[20_003]),
            (Alert(AccountRestricted), &[20_404, 30_002]),
            (Throttled, &[20_429, 14_107, 21_611, 30_001, 30_022, 30_023, 63_017, 63_038]),
            (Retry, &[20_500, 20_503, 30_003, 30_008, 30_009, 30_017, 30_410, 30_036]),
            (
                Never,
                &[
                    21_211, 21_614, 21_217, 21_408, 21_602, 21_617, 21_619, 21_604, 21_608, 21_610, 21_612,
                    21_620, 21_623, 30_004, 30_005, 30_006, 30_007, 30_010, 30_019, 30_450,
                ],
            ),
            (
                Alert(NumberNotRegistered),
                &[21_212, 21_603, 21_606, 21_659, 21_701, 21_703, 30_018, 30_024, 30_032, 30_034],
            ),
        ];
        for (class, codes) in contract {
            for code in *codes {
                assert!(Row::find(CODES, *code).is_some(), "{code} is missing");
                assert_eq!(of(*code).class, *class, "{code}");
            }
        }
        let listed: usize = contract.iter().map(|(_, codes)| codes.len()).sum();
        let known: u32 = CODES.iter().map(|row| row.codes.1 - row.codes.0 + 1).sum();
        assert_eq!(listed, known as usize, "the table has a code that this test does not");
        assert!(CODES.windows(2).all(|pair| pair[0].codes.1 < pair[1].codes.0));
    }

    #[test]
    fn fewer_tries_and_waits_are_as_the_contract_says() {
        assert_eq!(
            (of(30_003).tries_max, of(30_008).tries_max, of(30_009).tries_max),
            (Some(3), Some(2), None)
        );
        assert_eq!(of(30_023).retry_after.unwrap().as_secs(), 24 * 60 * 60);
        assert!(of(21_610).is_opt_out());
    }

    #[test]
    fn unknown_codes_are_decided_by_the_status() {
        let class = |status| failure("99999", "x", status).class;
        assert_eq!(
            (class(Some(400)), class(Some(503)), class(Some(429)), class(None)),
            (Never, Retry, Throttled, Never)
        );
        assert_eq!(class(Some(401)), Alert(TokenExpired));
        assert_eq!(failure("", "x", None).code, "unknown");
    }

    #[test]
    fn reasons_are_for_users() {
        for row in CODES {
            assert!(row.reason.ends_with('.') && row.reason.len() < 160, "{:?}", row.codes);
        }
    }
}
