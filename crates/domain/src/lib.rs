//! What the business does: records, rules and SQL, one module a resource.
//!
//! Every function takes the tenant, or a principal that carries it, before anything else: there is no
//! way to find a row by its id alone. Functions that change something take a [`common::db::Db`] that is
//! inside a transaction, so that a handler composes them into one effect.

pub mod accounts;
pub mod callbacks;
pub mod contacts;
pub mod conversations;
pub mod delivery;
pub mod events;
pub mod inbound;
pub mod inboxes;
pub mod jobs;
pub mod messages;
pub mod outgoing;
pub mod phone;
pub mod recipients;
pub mod service_accounts;
pub mod users;
pub mod webhooks;
