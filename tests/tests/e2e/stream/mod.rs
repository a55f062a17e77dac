//! `GET /v1/stream`: live updates as Server-Sent Events.

mod access;
mod cost;
mod events;
mod lifecycle;
mod people;
mod resume;
mod visitor;

use std::time::Duration;
use tests::client::text;
use tests::{Inbox, Tenant};

/// An event comes within this time of its cause, also on a busy machine.
const SOON: Duration = Duration::from_secs(10);
/// Nothing comes within this time: several looks at the feed.
const QUIET: Duration = Duration::from_millis(800);

/// Sends a template to a number: the message's id.
#[track_caller]
fn send(tenant: &Tenant, inbox: &Inbox, to: &str) -> String {
    text(&tenant.send_template(inbox, to)["message"], "id")
}

/// Only the events of new messages.
const CREATED: &str = "/v1/stream?types=message.created";
