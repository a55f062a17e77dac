//! `/v1/inboxes`: the connected senders of a tenant (contract section 6).

use axum::Json as Answer;
use axum::response::Response;
use common::auth::{Principal, Role};
use common::input::Post;
use common::routes::{Operation, Routes};
use common::{Result, db};
use domain::inboxes::{self, CreateInboxRequest, Inbox};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

common::serve!(crate::routes);

/// The operations of this component.
pub fn routes() -> Routes {
    Routes::new("Inboxes")
        .add(
            Operation::get("/v1/inboxes", "getInboxes")
                .tenant(&["inbox:list"], Role::ALL)
                .summary("List the connected inboxes")
                .describe(
                    "Every connected inbox of the workspace in the order of connection, not paged: a tenant has at \
                     most 1000. An inbox id serves as the sender of outbound messages.",
                )
                .answers::<InboxList>(200, "The inboxes.", INBOXES),
            list,
        )
        .add(
            Operation::post("/v1/inboxes", "createInbox")
                .tenant(&["inbox:create"], Role::ADMINS)
                .summary("Connect numbers of one channel")
                .describe(
                    "Connects WhatsApp numbers of a business account; each phone number id becomes an inbox. All of \
                     them are connected or none. A number belongs to one tenant, since the provider's callbacks name \
                     only it: one that is connected anywhere is refused.",
                )
                .body::<CreateInboxRequest>(
                    r#"{"whatsapp":{"resourceIds":["123456789012345"],"phoneNumberIds":["112233445566778"]}}"#,
                )
                .answers::<InboxList>(200, "The inboxes created.", INBOXES)
                .problem(409, "inbox_already_connected", "A number is connected already.")
                .problem(409, "inbox_limit_reached", "The tenant has too many inboxes."),
            create,
        )
}

const INBOXES: &str = r#"{"inboxes": [{
  "id": "ibx_01HV8Y4QH7C8H1K5K0C8A2B9E4", "createdAt": "2026-04-30T09:00:00.000Z", "updatedAt": "2026-04-30T09:10:00.000Z",
  "tenantId": "tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K", "channel": "whatsapp", "externalId": "112233445566778",
  "createdBy": "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S", "name": "WhatsApp 112233445566778",
  "status": {"state": "active", "reasons": []}, "config": {"phoneNumberId": "112233445566778"}
}]}"#;

/// Inboxes of a tenant.
#[derive(Debug, Serialize, ToSchema)]
pub struct InboxList {
    inboxes: Vec<Inbox>,
}

async fn list(caller: Principal) -> Result<Answer<InboxList>> {
    let inboxes = db::read(|db| inboxes::list(db, &caller.tenant)).await?;
    Ok(Answer(InboxList { inboxes }))
}

async fn create(caller: Principal, Post { body, once }: Post<CreateInboxRequest>) -> Result<Response> {
    once.write(&caller.tenant, StatusCode::OK, |db| {
        Ok(InboxList { inboxes: inboxes::create(db, &caller, &body)? })
    })
    .await
}
