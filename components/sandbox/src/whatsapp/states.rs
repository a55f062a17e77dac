//! The bodies of status callbacks (channels section 3.3).

use super::envelope::{self, Customer};
use crate::json::{Node, node};
use crate::steps::{Failures, Step};
use common::time::Timestamp;
use std::time::Duration;

pub const FAILURES: Failures = Failures {
    undeliverable: (131_026, "Message undeliverable"),
    opted_out: (131_050, "Unable to deliver the message: the person stopped marketing messages"),
    window: (131_047, "Re-engagement message"),
};
/// A file of a kind that the message cannot carry.
pub const MEDIA_ERROR: (u32, &str) = (131_053, "Media upload error");

const ERROR_PAGE: &str = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/";
/// Up to v23 a status told when its conversation ends.
const CONVERSATION: Duration = Duration::from_secs(24 * 60 * 60);

/// The message that a status is about.
#[derive(Clone, Debug)]
pub struct About<'a> {
    pub id: &'a str,
    pub customer: &'a Customer,
    /// `biz_opaque_callback_data`.
    pub reference: Option<&'a str>,
    /// Anything but a template.
    pub free_form: bool,
    /// In the shape of v23.
    pub legacy: bool,
}

/// The `value` of a change that tells of one state. `priced`: it carries the price.
pub fn value(phone_number_id: &str, about: &About<'_>, step: Step, priced: bool, at: Timestamp) -> Node {
    let failed = step.error.is_some();
    let customer = about.customer;
    let category = if about.free_form { "service" } else { "utility" };
    let pricing = priced.then(|| {
        if about.free_form {
            node!({"billable": false, "pricing_model": "PMP", "type": "free_customer_service", "category": category})
        } else {
            node!({"billable": true, "pricing_model": "PMP", "type": "regular", "category": category})
        }
    });
    let conversation = (about.legacy && !failed).then(|| {
        let expires = (step.state == "sent").then(|| at.after(CONVERSATION).seconds().to_string());
        node!({
            "id": hex::encode(customer.person.key()),
            "expiration_timestamp": expires, "origin": node!({"type": category}),
        })
    });
    let errors = step.error.map(|(code, title)| {
        let details = format!("The sandbox failed this message on purpose: {title}.");
        error_list(code, title, &details, true)
    });
    let status = node!({
        "id": about.id, "status": step.state, "timestamp": at.seconds().to_string(),
        "recipient_id": customer.person.phone.as_ref(), "recipient_user_id": customer.person.user_id.as_ref(),
        "biz_opaque_callback_data": about.reference, "conversation": conversation, "pricing": pricing,
        "errors": errors,
    });
    let contacts = (!failed && !about.legacy).then(|| node!([customer.contact()]));
    envelope::value(phone_number_id, contacts, "statuses", vec![status])
}

/// The member `errors`.
pub fn error_list(code: u32, title: &str, details: &str, with_page: bool) -> Node {
    node!([node!({
        "code": code, "title": title, "message": title, "error_data": node!({"details": details}),
        "href": with_page.then_some(ERROR_PAGE),
    })])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::Step;
    use crate::whatsapp::person::Person;

    fn written(about: &About<'_>, state: &'static str, priced: bool) -> String {
        let error = (state == "failed").then_some((131_026, "Message undeliverable"));
        let step = Step { state, after: Duration::ZERO, error };
        value("31", about, step, priced, Timestamp(1_790_000_101_900)).plain()
    }

    #[test]
    fn bodies_have_the_shape_of_the_fixtures() {
        let person = Person { phone: Some("12025550147".into()), user_id: Some("US.A1".into()) };
        let customer = Customer { person, name: Some("Mira".into()), username: None };
        let mut about = About {
            id: "wamid.A",
            customer: &customer,
            reference: Some("msg_1"),
            free_form: true,
            legacy: false,
        };
        assert_eq!(
            written(&about, "sent", true),
            r#"{"messaging_product":"whatsapp","metadata":{"display_phone_number":"12025550100","phone_number_id":"31"},"contacts":[{"profile":{"name":"Mira"},"wa_id":"12025550147","user_id":"US.A1"}],"statuses":[{"id":"wamid.A","status":"sent","timestamp":"1790000101","recipient_id":"12025550147","recipient_user_id":"US.A1","biz_opaque_callback_data":"msg_1","pricing":{"billable":false,"pricing_model":"PMP","type":"free_customer_service","category":"service"}}]}"#
        );
        assert!(!written(&about, "read", false).contains("pricing"));
        let failed = written(&about, "failed", false);
        assert!(!failed.contains("contacts") && failed.contains(r#""errors":[{"code":131026"#));
        about.legacy = true;
        assert!(written(&about, "sent", true).contains(r#""expiration_timestamp":"1790086501","origin""#));
        assert!(!written(&about, "read", true).contains("expiration_timestamp"));
    }
}
