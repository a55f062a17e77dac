//! What the provider calls back: which states a message passes and when, and the bodies, written as Meta
//! writes them (channels sections 1.4 and 3).

use crate::graph::set;
use crate::message::Person;
use crate::recipients::Behaviour;
use crate::store::Modes;
use common::time::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

/// A message leaves this long after it was accepted.
pub const SENT_AFTER: Duration = Duration::from_millis(50);
/// It is on the device this long after it was accepted.
pub const DELIVERED_AFTER: Duration = Duration::from_millis(150);
/// The customer opens it this long after it was accepted. Real customers need not; here they do, so that
/// a developer sees the state.
pub const READ_AFTER: Duration = Duration::from_millis(400);

/// The business account that all numbers of the sandbox belong to.
const ACCOUNT_ID: &str = "290011223344556";
const DISPLAY_PHONE_NUMBER: &str = "12025550100";
const ERROR_PAGE: &str = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/";

/// One state that a message will reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    pub state: &'static str,
    pub after: Duration,
    /// Code and title, with `failed`.
    pub error: Option<(u32, &'static str)>,
}

/// The states of a message, earliest first. `free_form`: anything but a template.
pub fn plan(behaviour: Behaviour, free_form: bool, window_open: bool, modes: Modes) -> Vec<Step> {
    let step = |state, after| Step { state, after, error: None };
    let failed = |code, title| vec![Step { state: "failed", after: SENT_AFTER, error: Some((code, title)) }];
    let closed = free_form && (behaviour == Behaviour::WindowClosed || !window_open);
    let mut steps = match behaviour {
        Behaviour::Undeliverable => failed(131_026, "Message undeliverable"),
        Behaviour::Silent | Behaviour::TokenError => Vec::new(),
        _ if closed => failed(131_047, "Re-engagement message"),
        Behaviour::SentOnly => vec![step("sent", SENT_AFTER)],
        Behaviour::ReadFirst => vec![step("read", SENT_AFTER), step("sent", DELIVERED_AFTER)],
        Behaviour::Ordinary
        | Behaviour::WindowClosed
        | Behaviour::RefusedFirst { .. }
        | Behaviour::LateAnswer => {
            vec![step("sent", SENT_AFTER), step("delivered", DELIVERED_AFTER), step("read", READ_AFTER)]
        }
    };
    if modes.shuffle {
        let states: Vec<_> = steps.iter().rev().map(|step| (step.state, step.error)).collect();
        for (step, (state, error)) in steps.iter_mut().zip(states) {
            (step.state, step.error) = (state, error);
        }
    }
    if modes.callback_before_response {
        for step in &mut steps {
            step.after = Duration::ZERO;
        }
    }
    if modes.duplicate {
        steps = steps.into_iter().flat_map(|step| [step, step]).collect();
    }
    steps
}

/// The message that a status is about.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    pub id: &'a str,
    pub phone_number_id: &'a str,
    pub person: &'a Person,
    /// The customer's name, where they have written before.
    pub name: Option<&'a str>,
    /// `biz_opaque_callback_data`.
    pub reference: Option<&'a str>,
    pub free_form: bool,
}

/// The body of a status callback.
pub fn status(about: About<'_>, step: Step, at: Timestamp) -> String {
    let mut status = json!({
        "id": about.id, "status": step.state, "timestamp": at.seconds().to_string(),
        recipient_member(about.person): about.person.id(),
    });
    if let Some(reference) = about.reference {
        set(&mut status, "biz_opaque_callback_data", reference.into());
    }
    // Since webhook version v24 without `conversation`; the price comes with `sent` and `delivered`.
    if matches!(step.state, "sent" | "delivered") {
        let pricing = if about.free_form {
            json!({"billable": false, "pricing_model": "PMP", "type": "free_customer_service", "category": "service"})
        } else {
            json!({"billable": true, "pricing_model": "PMP", "type": "regular", "category": "utility"})
        };
        set(&mut status, "pricing", pricing);
    }
    if let Some((code, title)) = step.error {
        let details = format!("The sandbox failed this message on purpose: {title}.");
        let errors = json!([{
            "code": code, "title": title, "message": title, "error_data": {"details": details}, "href": ERROR_PAGE,
        }]);
        set(&mut status, "errors", errors);
    }
    let mut value = value(about.phone_number_id);
    if step.error.is_none() {
        set(&mut value, "contacts", json!([contact(about.person, about.name)]));
    }
    set(&mut value, "statuses", json!([status]));
    envelope(value)
}

/// The body of a customer's text message.
pub fn customer_text(
    phone_number_id: &str,
    person: &Person,
    name: Option<&str>,
    id: &str,
    at: Timestamp,
    text: &str,
) -> String {
    let mut message = json!({
        "id": id, "timestamp": at.seconds().to_string(), "type": "text", "text": {"body": text},
    });
    let from = if matches!(person, Person::Phone(_)) { "from" } else { "from_user_id" };
    set(&mut message, from, person.id().into());
    let mut value = value(phone_number_id);
    set(&mut value, "contacts", json!([contact(person, name)]));
    set(&mut value, "messages", json!([message]));
    envelope(value)
}

fn recipient_member(person: &Person) -> &'static str {
    if matches!(person, Person::Phone(_)) { "recipient_id" } else { "recipient_user_id" }
}

fn contact(person: &Person, name: Option<&str>) -> Value {
    let id = if matches!(person, Person::Phone(_)) { "wa_id" } else { "user_id" };
    let last = person.id().get(person.id().len().saturating_sub(4)..).unwrap_or_default();
    let name = name.map_or_else(|| format!("Customer {last}"), str::to_string);
    json!({"profile": {"name": name}, id: person.id()})
}

fn value(phone_number_id: &str) -> Value {
    json!({
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": DISPLAY_PHONE_NUMBER, "phone_number_id": phone_number_id},
    })
}

fn envelope(value: Value) -> String {
    write(&json!({
        "object": "whatsapp_business_account",
        "entry": [{"id": ACCOUNT_ID, "changes": [{"value": value, "field": "messages"}]}],
    }))
}

/// JSON as Meta writes it: compact, everything outside ASCII as `\uXXXX` with lower-case digits, `/` as
/// `\/`. A receiver that parses before it checks the signature fails here as it would there.
fn write(json: &Value) -> String {
    let compact = json.to_string();
    let mut out = String::with_capacity(compact.len());
    for c in compact.chars() {
        match c {
            // Outside texts JSON has neither slashes nor other than ASCII.
            '/' => out.push_str("\\/"),
            c if c.is_ascii() => out.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipients::behaviour;

    const PLAIN: Modes = Modes { duplicate: false, shuffle: false, callback_before_response: false };

    fn states(person: &str, free_form: bool, window_open: bool, modes: Modes) -> Vec<(&'static str, u64)> {
        let steps = plan(behaviour(person), free_form, window_open, modes);
        steps.iter().map(|step| (step.state, step.after.as_millis() as u64)).collect()
    }

    #[test]
    fn recipients_decide_the_states() {
        let plain = |person| states(person, true, true, PLAIN);
        let all = [("sent", 50), ("delivered", 150), ("read", 400)];
        assert_eq!(plain("12025550147"), all);
        assert_eq!(plain("12025550429"), all);
        assert_eq!(plain("12025550999"), all);
        assert_eq!(plain("12025550001"), []);
        assert_eq!(plain("12025550002"), [("sent", 50)]);
        assert_eq!(plain("12025550003"), [("read", 50), ("sent", 150)]);
        assert_eq!(plain("12025550026"), [("failed", 50)]);
        assert_eq!(plain("12025550047"), [("failed", 50)]);
        assert_eq!(states("12025550047", false, true, PLAIN), all, "templates need no window");
        let code =
            |person, window_open| plan(behaviour(person), true, window_open, PLAIN)[0].error.unwrap().0;
        assert_eq!(code("12025550026", true), 131_026);
        assert_eq!(code("12025550047", true), 131_047);
        assert_eq!(code("12025550147", false), 131_047);
        assert_eq!(states("12025550147", false, false, PLAIN), all);
    }

    #[test]
    fn modes_change_number_order_and_time() {
        let of = |modes| states("12025550147", true, true, modes);
        assert_eq!(of(Modes { shuffle: true, ..PLAIN }), [("read", 50), ("delivered", 150), ("sent", 400)]);
        assert_eq!(
            of(Modes { callback_before_response: true, ..PLAIN }),
            [("sent", 0), ("delivered", 0), ("read", 0)]
        );
        assert_eq!(of(Modes { duplicate: true, ..PLAIN }).len(), 6);
    }

    #[test]
    fn json_is_written_as_meta_writes_it() {
        // The contract's vector, channels section 1.4.
        assert_eq!(write(&json!({"t": "café 😀 a/b"})), r#"{"t":"caf\u00e9 \ud83d\ude00 a\/b"}"#);
        let odd = json!({"a": "\" \\ \n \u{7f} \u{1f} \u{2028}"});
        let written = write(&odd);
        assert!(written.is_ascii());
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), odd);
    }

    #[test]
    fn bodies_have_the_shape_of_the_fixtures() {
        let person = Person::Phone("12025550147".into());
        let about = About {
            id: "wamid.A",
            phone_number_id: "31",
            person: &person,
            name: Some("Mira"),
            reference: Some("msg_1"),
            free_form: true,
        };
        let steps = plan(Behaviour::Ordinary, true, true, PLAIN);
        let value = |body: String| -> Value {
            let json: Value = serde_json::from_str(&body).unwrap();
            json["entry"][0]["changes"][0]["value"].clone()
        };
        let sent = value(status(about, steps[0], Timestamp(1_790_000_101_900)));
        assert_eq!(sent["metadata"]["phone_number_id"], "31");
        assert_eq!(sent["contacts"][0], json!({"profile": {"name": "Mira"}, "wa_id": "12025550147"}));
        assert_eq!(
            sent["statuses"][0],
            json!({"id": "wamid.A", "status": "sent", "timestamp": "1790000101", "recipient_id": "12025550147",
                   "biz_opaque_callback_data": "msg_1",
                   "pricing": {"billable": false, "pricing_model": "PMP", "type": "free_customer_service", "category": "service"}})
        );
        let read = value(status(about, steps[2], Timestamp(0)));
        assert!(read["statuses"][0].get("pricing").is_none());
        let failed = plan(Behaviour::Undeliverable, true, true, PLAIN)[0];
        let failed = value(status(about, failed, Timestamp(0)));
        assert!(failed.get("contacts").is_none(), "left out with failed");
        assert_eq!(failed["statuses"][0]["errors"][0]["code"], 131_026);

        let user = Person::UserId("US.A1".into());
        let message = value(customer_text("31", &user, None, "wamid.B", Timestamp(5_000), "Hi"));
        assert_eq!(message["contacts"][0], json!({"profile": {"name": "Customer S.A1"}, "user_id": "US.A1"}));
        assert_eq!(
            message["messages"][0],
            json!({"from_user_id": "US.A1", "id": "wamid.B", "timestamp": "5", "type": "text", "text": {"body": "Hi"}})
        );
    }
}
