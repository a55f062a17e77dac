//! `/v1/contacts`.

mod consent;
mod count;
mod create;
mod export;
mod external;
mod fields;
mod import_formats;
mod imports;
mod imports_at_size;
mod lifecycle;
mod list;
mod merge;
mod tags;
mod tags_in_bulk;
mod update;
mod values;
