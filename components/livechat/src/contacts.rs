//! `…/inboxes/{inbox_identifier}/contacts`

use crate::path::{CONTACT, INBOX, OfContact, OfInbox};
use axum::Json as Answer;
use common::crypto::{Sealer, Signer};
use common::db::Db;
use common::input::{Json, Query};
use common::routes::{Operation, Routes};
use common::{Result, db};
use domain::livechat::people::{self, ClientContact, ContactRequest, Proof};
use domain::livechat::{self, LiveChat, PUBSUB, Visitor};

pub fn add(routes: Routes) -> Routes {
    routes
        .add(
            Operation::post("/public/api/v1/inboxes/{inbox_identifier}/contacts", "create-a-contact")
                .summary("Create a contact")
                .describe(
                    "Makes a visitor of the inbox: keep `source_id`, it is the customer's only credential. A contact with \
                     the same identifier, email address or phone number is used again; what others said of it is shown, \
                     and changed, only with the proof that `identifier` is right (`identifier_hash`) or when the contact \
                     was made for this visitor. Where the inbox asks for proof, one that is missing or wrong is a 401. \
                     A `source_id` that is known gives the same visitor. At most 600 new visitors a minute.",
                )
                .path_param("inbox_identifier", INBOX)
                .body::<ContactRequest>(r#"{"name": "Alice", "email": "alice@acme.inc"}"#)
                .answers::<ClientContact>(200, "The visitor.", EXAMPLE)
                .problem(401, "auth_identity_not_proven", PROOF)
                .problem(404, "inbox_not_found", "There is no such live chat.")
                .problem(422, "request_validation_failed", "A field breaks a rule.")
                .problem(429, "rate_limited", "Too many new visitors.")
                .example_elsewhere("e2e livechat::people"),
            create,
        )
        .add(
            Operation::get(
                "/public/api/v1/inboxes/{inbox_identifier}/contacts/{contact_identifier}",
                "get-details-of-a-contact",
            )
            .summary("Get a contact")
            .describe("A proof may come along: from then on the visitor counts as this person.")
            .path_param("inbox_identifier", INBOX)
            .path_param("contact_identifier", CONTACT)
            .query::<Proof>()
            .answers::<ClientContact>(200, "The visitor.", EXAMPLE)
            .problem(401, "auth_identity_not_proven", PROOF)
            .problem(404, "contact_not_found", ABSENT)
            .example_elsewhere("e2e livechat::people"),
            read,
        )
        .add(
            Operation::patch(
                "/public/api/v1/inboxes/{inbox_identifier}/contacts/{contact_identifier}",
                "update-a-contact",
            )
            .summary("Update a contact")
            .describe(
                "Changes the fields that are present; `custom_attributes` are merged. `identifier` changes only with its \
                 proof: then the visitor joins the contact with that identifier. An email address or a phone number of \
                 another contact stays that contact's.",
            )
            .path_param("inbox_identifier", INBOX)
            .path_param("contact_identifier", CONTACT)
            .body::<ContactRequest>(r#"{"name": "Alice Smith", "custom_attributes": {"plan": "pro"}}"#)
            .answers::<ClientContact>(200, "The visitor.", EXAMPLE)
            .problem(401, "auth_identity_not_proven", PROOF)
            .problem(404, "contact_not_found", ABSENT)
            .problem(422, "request_validation_failed", "A field breaks a rule.")
            .example_elsewhere("e2e livechat::people"),
            update,
        )
}

const PROOF: &str = "The `identifier_hash` is missing or wrong.";
const ABSENT: &str = "There is no such visitor.";
const EXAMPLE: &str = r#"{
  "source_id": "018f2e60-5b2e-7c3a-9d4f-1a2b3c4d5e6f", "pubsub_token": "kB3v9Qh2Zs6Lw8Xe1Ty5Ru7Io0Pa4Sd3Fg6Hj9Kl2Zx",
  "id": 1, "name": "Alice", "email": "alice@acme.inc", "phone_number": null
}"#;

fn shown(db: &Db<'_>, chat: &LiveChat, visitor: &Visitor, signer: &Signer) -> Result<ClientContact> {
    let token = livechat::pubsub_token(signer, chat, &visitor.source_id);
    people::shown(db, chat, visitor, token)
}

async fn create(OfInbox(inbox): OfInbox, Json(body): Json<ContactRequest>) -> Result<Answer<ClientContact>> {
    let (sealer, signer) = (Sealer::from_settings().await?, Signer::from_settings(PUBSUB).await?);
    db::write(|db| {
        let chat = livechat::inbox(db, &inbox)?;
        let proven =
            people::prove(&chat, &sealer, body.identifier.as_deref(), body.identifier_hash.as_deref())?;
        let visitor = people::create(db, &chat, &body, proven.as_deref())?;
        shown(db, &chat, &visitor, &signer)
    })
    .await
    .map(Answer)
}

async fn read(at: OfContact, Query(proof): Query<Proof>) -> Result<Answer<ClientContact>> {
    let (sealer, signer) = (Sealer::from_settings().await?, Signer::from_settings(PUBSUB).await?);
    let (chat, proven) = db::read(|db| {
        let chat = livechat::inbox(db, &at.inbox)?;
        // Who does not exist needs no proof.
        livechat::visitor(db, &chat, &at.contact)?;
        let proven =
            people::prove(&chat, &sealer, proof.identifier.as_deref(), proof.identifier_hash.as_deref())?;
        Ok((chat, proven))
    })
    .await?;
    let visitor = match proven {
        Some(proven) => db::write(|db| people::proved(db, &chat, &at.contact, &proven)).await?,
        None => db::read(|db| livechat::visitor(db, &chat, &at.contact)).await?,
    };
    db::read(|db| shown(db, &chat, &visitor, &signer)).await.map(Answer)
}

async fn update(at: OfContact, Json(body): Json<ContactRequest>) -> Result<Answer<ClientContact>> {
    let (sealer, signer) = (Sealer::from_settings().await?, Signer::from_settings(PUBSUB).await?);
    db::write(|db| {
        let chat = livechat::inbox(db, &at.inbox)?;
        livechat::visitor(db, &chat, &at.contact)?;
        let proven =
            people::prove(&chat, &sealer, body.identifier.as_deref(), body.identifier_hash.as_deref())?;
        let visitor = people::update(db, &chat, &at.contact, &body, proven.as_deref())?;
        shown(db, &chat, &visitor, &signer)
    })
    .await
    .map(Answer)
}
