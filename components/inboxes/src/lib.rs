//! `/v1/inboxes`: the connected senders of a tenant (contract section 6).

mod answer;
mod change;
mod connect;
mod gateway;
mod team;
mod whatsapp;

use axum::Json as Answer;
use common::auth::{Principal, Role};
use common::input::Id;
use common::routes::{Operation, Routes};
use common::{Result, db};
use domain::inboxes::{self, Inbox};

common::serve!(crate::routes);

/// The operations of this component.
pub fn routes() -> Routes {
    let routes = Routes::new("Inboxes")
        .add(
            Operation::get("/v1/inboxes", "getInboxes")
                .tenant(&["inbox:list"], Role::ALL)
                .summary("List the connected inboxes")
                .describe(
                    "Every connected inbox of the workspace in the order of connection, not paged: a tenant has at \
                     most 1000. An inbox id serves as the sender of outbound messages.",
                )
                .answers::<answer::InboxList>(200, "The inboxes.", answer::INBOXES),
            list,
        )
        .add(
            Operation::get("/v1/inboxes/{id}", "getInbox")
                .tenant(&["inbox:read"], Role::ALL)
                .summary("Get an inbox")
                .describe(
                    "One connected inbox; an addition to the published API. Administrators also see `callbackUrl`: where \
                     the provider is to send its callbacks.",
                )
                .path_param("id", answer::ID)
                .answers::<Inbox>(200, "The inbox.", answer::INBOX)
                .problem(404, "inbox_not_found", answer::ABSENT),
            read,
        );
    whatsapp::add(team::add(change::add(connect::add(routes))))
}

async fn list(caller: Principal) -> Result<Answer<answer::InboxList>> {
    let inboxes = db::read(|db| inboxes::list(db, &caller.tenant)).await?;
    Ok(Answer(answer::InboxList { inboxes }))
}

async fn read(caller: Principal, Id(id): Id) -> Result<Answer<Inbox>> {
    let callbacks = answer::Callbacks::for_caller(&caller).await?;
    db::read(|db| callbacks.show(db, &caller.tenant, inboxes::find(db, &caller.tenant, &id)?))
        .await
        .map(Answer)
}
