//! `POST /v1/inboxes`

use crate::answer::{Callbacks, INBOXES, InboxList};
use crate::gateway;
use axum::response::Response;
use common::Result;
use common::auth::{Principal, Role};
use common::crypto::Sealer;
use common::input::Post;
use common::routes::{Operation, Routes};
use domain::inboxes::{self, CreateInboxRequest};
use http::StatusCode;

pub fn add(routes: Routes) -> Routes {
    routes.add(
        Operation::post("/v1/inboxes", "createInbox")
            .tenant(&["inbox:create"], Role::ADMINS)
            .summary("Connect senders of one channel")
            .describe(
                "Exactly one of `whatsapp`, `messenger`, `instagram`, `text` and `sms`; each phone number, Page, account \
                 or sender becomes an inbox. All of them are connected or none. A sender belongs to one tenant, since the \
                 provider's callbacks name only it: one that is connected anywhere is refused. Tokens and secrets are \
                 kept sealed and shown by no operation; without a token the deployment's is used. `sms` is an addition \
                 to the published API, as are `name` and `secrets`: a live chat's `secrets.hmacToken` is shown in this \
                 answer only, a gateway's `secrets.callbackUrl` also as `callbackUrl` later. `GET /v1/inboxes/{id}` says where the provider is to send its callbacks.",
            )
            .body::<CreateInboxRequest>(
                r#"{"whatsapp":{"resourceIds":["123456789012345"],"phoneNumberIds":["112233445566778"]}}"#,
            )
            .answers::<InboxList>(200, "The inboxes created.", INBOXES)
            .problem(409, "inbox_already_connected", "A sender is connected already.")
            .problem(409, "inbox_limit_reached", "The tenant has too many inboxes."),
        create,
    )
}

async fn create(caller: Principal, Post { body, once }: Post<CreateInboxRequest>) -> Result<Response> {
    let sealer = Sealer::from_settings().await?;
    let callbacks = Callbacks::for_caller(&caller).await?;
    gateway::check("sms.gateway", body.sms.as_ref().and_then(|sms| sms.gateway.as_ref())).await?;
    // Body and answer hold secrets.
    once.secret()
        .write(&caller.tenant, StatusCode::OK, |db| {
            let made = inboxes::create(db, &caller, &sealer, &body)?;
            let inboxes = made.into_iter().map(|inbox| callbacks.show_secret(db, &caller.tenant, inbox));
            Ok(InboxList { inboxes: inboxes.collect::<Result<_>>()? })
        })
        .await
}
