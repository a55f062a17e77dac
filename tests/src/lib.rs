//! The harness of the end-to-end tests. They talk HTTP to the real components on the real host; the
//! only stand-ins are the provider (our sandbox component) and a webhook receiver (a real server).
//!
//! | module | what |
//! |---|---|
//! | [`app`] | the app under test: started here, or one that runs elsewhere |
//! | [`callbacks`] | what providers send, byte for byte, and their signatures |
//! | [`client`] | requests and readable assertions on answers |
//! | [`document`] | every answer is checked against `openapi.json` |
//! | [`imports`] | CSV files of contacts |
//! | [`media`] | files as forms |
//! | [`tenant`] | a tenant with people, keys and inboxes |
//! | [`receiver`] | a webhook receiver |
//! | [`raw_receiver`] | one that resets, stalls, floods or talks nonsense |
//! | [`whatsapp`] | the provider's side: its signature, the sandbox's controls |
//! | [`provider`] | a provider that answers as it is told |
//! | [`sse`] | a client of Server-Sent Events |
//! | [`wait`] | waiting with a deadline |
//!
//! Where the app runs:
//! * by default the tests start `FLOWNALLY_HOST_BIN` (default `$CARGO_TARGET_DIR/host/flownally-host`)
//!   with the components of `FLOWNALLY_COMPONENTS` on a free port and a fresh data folder;
//! * with `FLOWNALLY_BASE_URL` and `FLOWNALLY_PLATFORM_TOKEN` they use that server. Tests that need
//!   one of `FLOWNALLY_TICK_TOKEN`, `FLOWNALLY_JWT_SECRET` and `FLOWNALLY_WHATSAPP_APP_SECRET`, or a
//!   server of their own, say so and pass when they cannot have it. `FLOWNALLY_RECEIVER_PORT` fixes
//!   the port of the webhook receiver.
//!
//! `FLOWNALLY_STATEMENTS=blocking` runs everything with SQLite driven as Spin drives it.

pub mod app;
pub mod callbacks;
pub mod client;
pub mod document;
pub mod imports;
pub mod media;
pub mod process;
pub mod provider;
pub mod raw_receiver;
pub mod receiver;
pub mod sse;
pub mod tenant;
pub mod unique;
pub mod wait;
pub mod whatsapp;

pub use app::App;
pub use client::{Answer, Client};
pub use provider::{Provider, Told};
pub use raw_receiver::{Conduct, RawReceiver};
pub use receiver::{Delivery, Receiver, Reply};
pub use sse::Events;
pub use tenant::{Inbox, Person, Tenant};
pub use wait::wait_for;
