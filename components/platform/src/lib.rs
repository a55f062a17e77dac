//! `/platform/api/v1`: how whoever runs this server provisions tenants and people (Chatwoot notes 5.1 to
//! 5.3). Paths, bodies and errors are Chatwoot's; what goes beyond is marked as an addition.
//!
//! Chatwoot knows several platform apps, each with its own objects. We have one, the variable
//! `platform_token`, and everything is its own.

mod account_users;
mod accounts;
mod users;

use common::routes::Routes;

common::serve!(crate::routes);

/// Whose idempotency keys they are: the platform's, not a tenant's.
const SCOPE: &str = "platform";

/// The operations of this component.
pub fn routes() -> Routes {
    let routes = Routes::new("Platform (Chatwoot)").chatwoot();
    users::add(account_users::add(accounts::add(routes)))
}
