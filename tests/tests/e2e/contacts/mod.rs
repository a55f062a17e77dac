//! `/v1/contacts`.

mod create;
mod fields;
mod import_formats;
mod imports;
mod imports_at_size;
mod list;
mod tags;
mod tags_in_bulk;
mod update;
mod values;
