//! All operations of all components.

use common::openapi;
use common::routes::{Operation, Routes};
use serde_json::Value;

const DESCRIPTION: &str = include_str!("description.md");

/// Every component's table, in the order of the document.
pub fn tables() -> Vec<Routes> {
    vec![
        contacts::routes(),
        messaging::routes(),
        inboxes::routes(),
        media::routes(),
        stream::routes(),
        teams::routes(),
        webhooks::routes(),
        service_accounts::routes(),
        users::routes(),
        billing::routes(),
        audit_log::routes(),
        platform::routes(),
        livechat::routes(),
        channels::routes(),
        scheduler::routes(),
        sandbox::routes(),
        docs::routes(),
    ]
}

/// Every operation. The tables live as long as the process.
pub fn operations() -> Vec<&'static Operation> {
    tables().iter().flat_map(|routes| routes.table().to_vec()).collect()
}

/// The OpenAPI document.
pub fn document() -> Value {
    openapi::document(env!("CARGO_PKG_VERSION"), DESCRIPTION.trim(), &tables())
}
