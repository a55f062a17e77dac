//! Webhooks: where a tenant hears of what happens, signed after Standard Webhooks 1.0 (contract section 12).
//!
//! An event is a row, inserted with its deliveries in the transaction of its cause ([`crate::events`]). The pending
//! row of [`attempts`] is a delivery's place in the queue; when it was made it becomes the record of the attempt. A
//! worker leases an *endpoint*, not a delivery: so an endpoint has one worker, which bounds what is in flight, keeps
//! lanes in order, and writes the outcomes of many deliveries in one transaction. A dead endpoint costs its own
//! worker's time and nobody else's.
//!
//! | module | what |
//! |---|---|
//! | [`address`] | where webhooks may go |
//! | [`attempts`] | the log of attempts, and trying again by hand |
//! | [`history`] | the events of the last week |
//! | [`keys`] | signing keys and signatures |
//! | [`queue`] | leasing endpoints, and what becomes of deliveries |
//! | [`recovery`] | bringing back what an endpoint missed |
//! | [`schedule`] | when a failed delivery is tried again |
//! | [`settings`] | endpoints and their settings |
//! | [`stats`] | how endpoints are doing |

pub mod address;
pub mod attempts;
pub mod history;
pub mod keys;
pub mod queue;
pub mod recovery;
pub mod schedule;
pub mod settings;
pub mod stats;

use std::time::Duration;

/// How long events and attempts are kept.
pub const KEEP: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The same in milliseconds.
pub(crate) const KEEP_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// The type of the event that tests a webhook.
pub const TEST: &str = "webhook.test";
