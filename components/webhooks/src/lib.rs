//! `/v1/webhooks`: where a tenant hears of what happens, and what came of it (contract section 12).
//!
//! `/v1/webhooks` itself speaks of the tenant's main endpoint; `/v1/webhooks/endpoints` of all of them.

mod attempts;
mod endpoints;
mod events;
mod keys;
mod recovery;
mod settings;
mod stats;
mod verify;

use common::routes::Routes;

common::serve!(crate::routes);

/// What a missing endpoint is told as.
const ABSENT: &str = "There is no such webhook endpoint.";
/// The path parameter of an endpoint.
const ID: &str = "The endpoint.";

/// The operations of this component.
pub fn routes() -> Routes {
    let routes = settings::add(Routes::new("Webhooks"));
    let routes = verify::add(keys::add(routes));
    let routes = recovery::add(events::add(attempts::add(routes)));
    stats::add(endpoints::add(routes))
}
