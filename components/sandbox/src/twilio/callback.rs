//! The form of a status callback (channels section 6.2).

use super::resource::{API, SERVICE_NUMBER, carrier_date};
use common::time::Timestamp;

/// The message that a status is about.
#[derive(Clone, Debug)]
pub struct About<'a> {
    pub account_sid: &'a str,
    pub sid: &'a str,
    pub from: Option<&'a str>,
    pub to: &'a str,
    pub service: Option<&'a str>,
}

/// The fields of a callback, with the older duplicates of some, and with fields that appear without notice.
pub fn status(about: &About<'_>, state: &str, error: Option<u32>, at: Timestamp) -> Vec<(String, String)> {
    let mut fields = vec![
        ("AccountSid", about.account_sid.to_string()),
        ("ApiVersion", API.to_string()),
        ("From", about.from.unwrap_or(SERVICE_NUMBER).to_string()),
        ("To", about.to.to_string()),
    ];
    if let Some(service) = about.service {
        fields.push(("MessagingServiceSid", service.to_string()));
    }
    fields.extend([
        ("MessageSid", about.sid.to_string()),
        ("SmsSid", about.sid.to_string()),
        ("MessageStatus", state.to_string()),
        ("SmsStatus", state.to_string()),
    ]);
    if let Some(code) = error {
        fields.push(("ErrorCode", code.to_string()));
    }
    if matches!(state, "delivered" | "undelivered") {
        fields.push(("RawDlrDoneDate", carrier_date(at)));
    }
    fields.push(("InventedField", "a field that appears without notice".to_string()));
    fields.push(("InventedEmptyField", String::new()));
    fields.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}

/// A form as it goes over the wire.
pub fn form(fields: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn statuses_hold_the_fields_of_the_fixtures() {
        let about = About {
            account_sid: "AC00000000000000000000000000000001",
            sid: "SM00000000000000000000000000000042",
            from: None,
            to: "+12025550147",
            service: Some("MG00000000000000000000000000000007"),
        };
        for (state, error, at, fixture) in [
            (
                "delivered",
                None,
                "2026-09-22T13:20:01Z",
                include_str!("../../../../crates/providers/tests/fixtures/twilio/status-delivered.form.json"),
            ),
            (
                "undelivered",
                Some(30_003),
                "2026-09-22T13:23:01Z",
                include_str!(
                    "../../../../crates/providers/tests/fixtures/twilio/status-undelivered.form.json"
                ),
            ),
        ] {
            let mut made: BTreeMap<String, String> =
                status(&about, state, error, Timestamp::parse(at).unwrap()).into_iter().collect();
            assert_eq!(made.remove("InventedEmptyField").as_deref(), Some(""));
            made.remove("InventedField").unwrap();
            assert_eq!(made, serde_json::from_str::<BTreeMap<String, String>>(fixture).unwrap());
        }
    }
}
