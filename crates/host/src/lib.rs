//! Embedded runtime: serves the components of a `spin.toml` under Wasmtime, for machines without
//! Spin. It exists so that the application can be run and tested; `spin up` is what people deploy, and
//! no component may depend on something only this runtime does.
//!
//! Behaviour follows Spin 4.1. What is different on purpose:
//! - TCP_NODELAY is on, so a small response does not wait 40 ms for the client's acknowledgement.
//! - SQLite writers take turns in a fair queue ([`sqlite`]); `--statements blocking` is Spin's way.
//! - `spin-*` headers that a client sent are removed.
//! - A route given twice is an error, not the last one's.
//! - TEXT that is not UTF-8 is an error, not a panic.
//! - A trap in a component that was called by service chaining is an error for the caller, not a trap.
//! - Rows are read before they are streamed; the connection is busy until the guest took the last
//!   ones, also when there are few.
//!
//! The CLI lives in `main.rs` alone, so that editing it does not compile this library again.

mod allowed_hosts;
mod app;
pub mod blocked_networks;
mod connections;
mod cron;
mod endless;
mod engine;
mod guest_output;
mod idle_connections;
mod instances;
mod key_value;
mod manifest;
mod outbound;
mod request_headers;
mod routes;
mod run;
pub mod runtime_config;
mod server;
mod shutdown;
pub mod sqlite;
mod sqlite_api;
mod variables;

pub use app::Reuse;
pub use run::{Options, run};
