//! What all operations have in common.

mod concurrency;
mod idempotency;
mod migrations;
mod paging;
mod problems;
