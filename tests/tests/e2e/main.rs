//! End-to-end tests, one folder a resource as in `components/`, all against one server.
//!
//! [`path`] is the whole way of a message; `kit` holds what all operations have in common.

mod channels;
mod contacts;
mod inboxes;
mod kit;
mod messages;
mod path;
mod platform;
mod sandbox;
mod scheduler;
mod service_accounts;
mod users;
mod webhooks;
