//! `/v1/contacts`.

mod create;
mod fields;
mod list;
mod tags;
mod tags_in_bulk;
mod update;
mod values;
