//! `/v1/contacts`.

mod create;
mod list;
mod update;
