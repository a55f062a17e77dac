//! `PUT /v1/contacts/{contactId}/identities/{identityId}/consent`.

use crate::CONTACT;
use axum::Json as Answer;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use common::auth::{Principal, Role};
use common::input::Json;
use common::routes::{Operation, Routes};
use common::{Result, db};
use domain::contacts::Contact;
use domain::inbound::consent::{self, SetConsentRequest};

pub fn routes() -> Routes {
    Routes::new("Contacts").add(
        Operation::put("/v1/contacts/{contactId}/identities/{identityId}/consent", "setIdentityConsent")
            .tenant(&["contact:update"], Role::ALL)
            .summary("Set whether a person wants messages at an address")
            .describe(
                "Sets the consent of one identity of a contact. Customers set it too: STOP and its kin opt out, START \
                 opts in, on WhatsApp and SMS, and providers tell of opt-outs. Sends to an identity that is `optedOut` \
                 are refused with `recipient_opted_out`, also those that were accepted before and wait. WhatsApp's own \
                 marketing preference stops templates only. Emits `contact.updated`.",
            )
            .path_param("contactId", "The contact, `con_…`.")
            .path_param("identityId", "One of its identities, `idn_…`.")
            .body::<SetConsentRequest>(r#"{"state":"optedOut","source":"phone call"}"#)
            .answers::<Contact>(200, "The contact after the change.", CONTACT)
            .problem(404, "contact_not_found", "There is no such contact in this tenant.")
            .problem(404, "identity_not_found", "The contact has no such identity."),
        set,
    )
}

async fn set(
    caller: Principal,
    path: Result<Path<(String, String)>, PathRejection>,
    Json(body): Json<SetConsentRequest>,
) -> Result<Answer<Contact>> {
    let (contact, identity) = crate::fields::two_ids(path)?;
    db::write(|db| consent::set_by(db, &caller, &contact, &identity, &body)).await.map(Answer)
}
