//! End-to-end tests, one folder a resource as in `components/`, all against one server.
//!
//! [`path`] is the whole way of a message; `kit` holds what all operations have in common.

mod audit_log;
mod billing;
mod channels;
mod contacts;
mod conversations;
mod inboxes;
mod kit;
mod livechat;
mod media;
mod messages;
mod path;
mod platform;
mod sandbox;
mod scheduler;
mod service_accounts;
mod stream;
mod teams;
mod users;
mod webhooks;
