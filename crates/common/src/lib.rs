//! The platform kit: what every component needs and none should write twice.
//!
//! | module | what |
//! |---|---|
//! | [`entry`] | the `wasi:http` export: request in, router, body written before the head returns |
//! | [`routes`] | operations: method, path, rights, documentation and handler in one place |
//! | [`auth`] | who calls: API keys, user tokens, roles and scopes |
//! | [`chatwoot`] | the manners of the Chatwoot API: errors, bodies, paths |
//! | [`problem`] | errors as problem documents (RFC 9457) |
//! | [`form`] | forms with files, read while they arrive |
//! | [`input`] | JSON bodies, query strings and path ids, checked field by field |
//! | [`page`] | keyset paging with tokens bound to their query |
//! | [`idempotency`] | `Idempotency-Key` on POST |
//! | [`db`] | one SQLite connection an instance, transactions, row mapping, migrations |
//! | [`kv`] | the key-value store: bytes too large for the database |
//! | [`outbound`] | HTTP requests with deadlines |
//! | [`background`] | work after the response |
//! | [`id`], [`time`], [`crypto`], [`settings`], [`limits`] | small things |
//!
//! Only this crate calls the Spin SDK.

pub mod auth;
pub mod background;
pub mod chatwoot;
pub mod crypto;
pub mod db;
pub mod entry;
pub mod form;
pub mod id;
pub mod idempotency;
pub mod input;
pub mod internal;
pub mod kv;
pub mod limits;
pub mod log;
pub mod migrations;
#[cfg(not(target_family = "wasm"))]
pub mod openapi;
pub mod outbound;
pub mod page;
pub mod problem;
pub mod routes;
pub mod settings;
pub mod time;

pub use problem::{Problem, Result};

#[doc(hidden)]
pub use spin_sdk;
