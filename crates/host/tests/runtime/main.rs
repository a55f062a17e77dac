//! Runs the real binary with real components. Run with
//! `cargo nextest run --cargo-profile host -p host`, so that Wasmtime is compiled once, not twice.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "these are tests: Clippy knows only the test functions themselves"
)]
mod client;
mod cron;
mod instances;
mod lifecycle;
mod outbound;
mod routing;
mod sqlite;
mod storage;
mod support;
