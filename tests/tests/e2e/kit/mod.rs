//! What all operations have in common.

mod idempotency;
mod migrations;
mod paging;
mod problems;
