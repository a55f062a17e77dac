//! The Message resource, as the API shows it and as it changes (channels section 6.1).

use super::segments;
use crate::provider::Provider::Twilio;
use crate::store::sends;
use common::Result;
use common::db::Db;
use common::time::Timestamp;
use serde_json::{Value, json};

/// The number that a messaging service picks.
pub const SERVICE_NUMBER: &str = "+12025550100";
pub const API: &str = "2010-04-01";

/// A time as Twilio writes it, RFC 2822.
pub fn date(at: Timestamp) -> String {
    written(at, "%a, %d %b %Y %H:%M:%S +0000")
}

/// A carrier's own time, `YYMMDDhhmm`.
pub fn carrier_date(at: Timestamp) -> String {
    written(at, "%y%m%d%H%M")
}

fn written(at: Timestamp, format: &str) -> String {
    let time = jiff::Timestamp::from_millisecond(at.millis()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.strftime(format).to_string()
}

/// What a send request asks for.
#[derive(Clone, Debug, Default)]
pub struct New<'a> {
    pub account_sid: &'a str,
    pub sid: &'a str,
    pub to: &'a str,
    pub from: Option<&'a str>,
    pub service: Option<&'a str>,
    pub body: &'a str,
    pub media: usize,
    pub scheduled: bool,
}

/// A new message.
pub fn new(new: &New<'_>, now: Timestamp) -> Value {
    let base = format!("/{API}/Accounts/{}/Messages/{}", new.account_sid, new.sid);
    let status = match (new.scheduled, new.service) {
        (true, _) => "scheduled",
        (_, Some(_)) => "accepted",
        _ => "queued",
    };
    // A service has not chosen a sender yet, so nobody knows the parts.
    let segments = if new.service.is_some() { 0 } else { segments::count(new.body) };
    json!({
        "account_sid": new.account_sid, "api_version": API, "body": new.body, "date_created": date(now),
        "date_sent": null, "date_updated": date(now), "direction": "outbound-api", "error_code": null,
        "error_message": null, "from": new.from, "messaging_service_sid": new.service,
        "num_media": new.media.to_string(), "num_segments": segments.to_string(), "price": null,
        "price_unit": null, "sid": new.sid, "status": status,
        "subresource_uris": {"media": format!("{base}/Media.json")}, "to": new.to, "uri": format!("{base}.json"),
    })
}

/// Takes messages to new states: `delivered`, or `undelivered:30005` with its code.
pub fn progress(db: &Db<'_>, states: &[(String, String)]) -> Result<()> {
    for (id, state) in states {
        let Some(send) = sends::find(db, Twilio, id)? else { continue };
        let Some(mut resource) = send.resource.and_then(|text| serde_json::from_str(&text).ok()) else {
            continue;
        };
        apply(&mut resource, state, Timestamp::now());
        sends::set_resource(db, id, &resource.to_string())?;
    }
    Ok(())
}

pub fn apply(resource: &mut Value, state: &str, now: Timestamp) {
    let (state, code) = state.split_once(':').unwrap_or((state, ""));
    let body = resource.get("body").and_then(Value::as_str).unwrap_or_default().to_string();
    let Some(members) = resource.as_object_mut() else { return };
    let mut set = |name: &str, value: Value| drop(members.insert(name.to_string(), value));
    set("status", state.into());
    set("date_updated", date(now).into());
    if state == "sent" {
        set("date_sent", date(now).into());
        set("num_segments", segments::count(&body).to_string().into());
    }
    if let Ok(code) = code.parse::<u32>() {
        set("error_code", code.into());
        set("error_message", "The sandbox failed this message on purpose.".into());
    }
    if members.get("from").is_none_or(Value::is_null) && state != "canceled" {
        members.insert("from".into(), SERVICE_NUMBER.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_message_is_the_fixture() {
        let new = New {
            account_sid: "AC00000000000000000000000000000001",
            sid: "SM00000000000000000000000000000042",
            to: "+12025550147",
            service: Some("MG00000000000000000000000000000007"),
            body: "Your parcel leaves today.",
            ..New::default()
        };
        let fixture: Value = serde_json::from_str(include_str!(
            "../../../../crates/providers/tests/fixtures/twilio/res-created.json"
        ))
        .unwrap();
        let at = Timestamp::parse("2026-09-22T13:20:01Z").unwrap();
        let mut made = super::new(&new, at);
        assert_eq!(made, fixture);
        apply(&mut made, "undelivered:30005", at);
        assert_eq!(
            (made["status"].as_str(), made["error_code"].as_u64()),
            (Some("undelivered"), Some(30_005))
        );
        assert_eq!(made["from"], SERVICE_NUMBER);
        assert_eq!(carrier_date(at), "2609221320");
    }
}
