//! `/v1/inboxes/{id}/whatsapp/templates` and `/v1/whatsapp/{wabaId}/phone-numbers`: what WhatsApp says, asked
//! through the scheduler.

use crate::answer::{ABSENT, ID};
use axum::Json as Answer;
use common::auth::{Principal, Role};
use common::input::Id;
use common::outbound::Deadlines;
use common::routes::{Operation, Routes};
use common::time::Timestamp;
use common::{Problem, Result, db, internal};
use domain::inboxes::reads::{self, PhoneNumberList, TemplateList};
use serde_json::json;
use std::time::Duration;

/// A little longer than the scheduler's own deadline for all pages.
const DEADLINES: Deadlines = Deadlines {
    connect: Duration::from_secs(2),
    first_byte: Duration::from_secs(25),
    total: Duration::from_secs(25),
};

pub fn add(routes: Routes) -> Routes {
    routes
        .add(
            Operation::get("/v1/inboxes/{id}/whatsapp/templates", "listWhatsAppTemplates")
                .tenant(&["inbox:read"], Role::ALL)
                .summary("List the WhatsApp templates of an inbox")
                .describe(
                    "Approved and pending templates of the inbox's business account, as WhatsApp lists them; only approved \
                     ones can be sent. Not paged: all pages of WhatsApp are read, and kept for a minute.",
                )
                .path_param("id", ID)
                .answers::<TemplateList>(200, "The templates.", TEMPLATES)
                .problem(404, "inbox_not_found", ABSENT)
                .problem(422, "unsupportedChannel", "The inbox is on another channel.")
                .problem(502, "provider_refused", "WhatsApp refused to list them; the detail says what to do.")
                .problem(503, "provider_unavailable", "WhatsApp did not answer in time, or asks to wait."),
            templates,
        )
        .add(
            Operation::get("/v1/whatsapp/{wabaId}/phone-numbers", "listWabaPhoneNumbers")
                .tenant(&["inbox:create"], Role::ADMINS)
                .summary("List the phone numbers of a WhatsApp business account")
                .describe(
                    "Numbers that can be connected as inboxes, as WhatsApp lists them, all pages of it. It is asked with \
                     the token of an inbox of this account where there is one, else with the deployment's, which tells \
                     nothing of accounts that only other workspaces have connected.",
                )
                .path_param("wabaId", "The WhatsApp business account.")
                .answers::<PhoneNumberList>(200, "The phone numbers.", PHONE_NUMBERS)
                .problem(404, "whatsapp_account_not_found", "WhatsApp knows no such account, or the token cannot see it.")
                .problem(502, "provider_refused", "WhatsApp refused to list them; the detail says what to do.")
                .problem(503, "provider_unavailable", "WhatsApp did not answer in time, or asks to wait."),
            phone_numbers,
        )
}

const TEMPLATES: &str = r#"{"templates": [{
  "id": "987654321", "name": "order_ready", "language": "en", "status": "APPROVED", "category": "UTILITY",
  "components": [{"type": "BODY", "text": "Hi {{1}}, your order {{2}} is ready for pickup."}]
}]}"#;

const PHONE_NUMBERS: &str = r#"{"phoneNumbers": [{
  "id": "112233445566778", "displayPhoneNumber": "+48 123 456 789", "verifiedName": "Flownally Support",
  "qualityRating": "GREEN", "codeVerificationStatus": "VERIFIED", "isRegistered": true
}]}"#;

async fn templates(caller: Principal, Id(id): Id) -> Result<Answer<TemplateList>> {
    let kept = || db::read(|db| reads::kept_templates(db, &caller.tenant, &id, Timestamp::now()));
    if let Some(templates) = kept().await? {
        return Ok(Answer(templates));
    }
    let request = json!({"tenantId": caller.tenant, "inboxId": id});
    internal::ask("/internal/whatsapp/templates", &request, DEADLINES).await?;
    let read = kept().await?;
    read.map(Answer).ok_or_else(|| Problem::internal("templates that were just read are not there"))
}

async fn phone_numbers(caller: Principal, Id(waba_id): Id) -> Result<Answer<PhoneNumberList>> {
    if !(1..=32).contains(&waba_id.len()) || !waba_id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Problem::not_found("whatsapp account", &waba_id));
    }
    let request = json!({"tenantId": caller.tenant, "wabaId": waba_id});
    let answer = internal::ask("/internal/whatsapp/phone-numbers", &request, DEADLINES).await?;
    let read = serde_json::from_slice(&answer)
        .map_err(|error| Problem::internal(format!("the scheduler's phone numbers: {error}")))?;
    Ok(Answer(read))
}
