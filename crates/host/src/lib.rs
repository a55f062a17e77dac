//! Embedded runtime: serves the components of a `spin.toml` under Wasmtime, for machines without
//! Spin. It exists so that the application can be run and tested; `spin up` is what people deploy, and
//! no component may depend on something only this runtime does.
//!
//! Behaviour follows Spin 4.1. What is different on purpose: TCP_NODELAY is on, SQLite writers take
//! turns in a fair queue ([`sqlite`]), client-sent `spin-*` headers are removed, a route given twice is
//! an error, and text in SQLite that is not UTF-8 is an error instead of a panic.
//!
//! The CLI lives in `main.rs` alone, so that editing it does not compile this library again.
#![allow(clippy::print_stderr, reason = "this is a command line program")]

mod allowed_hosts;
mod app;
pub mod blocked_networks;
mod connections;
mod cron;
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
mod server;
mod shutdown;
pub mod sqlite;
mod sqlite_api;
mod variables;

pub use app::Reuse;
pub use run::{Options, run};
