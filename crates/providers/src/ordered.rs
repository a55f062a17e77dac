//! JSON in the order of the providers' documentation.
//!
//! What callers hand through (a template's values, address cards) lies in maps that sort their members by name. A
//! request shows them as the documentation does, so that bodies can be compared byte for byte.

use serde::{Serialize, Serializer};
use serde_json::Value;

/// Members in the order in which they are written; others follow by name.
const ORDER: &[&str] = &[
    "name",
    "formatted_name",
    "first_name",
    "middle_name",
    "last_name",
    "prefix",
    "suffix",
    "phone",
    "email",
    "url",
    "street",
    "city",
    "state",
    "zip",
    "country",
    "country_code",
    "type",
    "sub_type",
    "index",
    "wa_id",
    "parameter_name",
    "text",
    "id",
    "link",
    "parameters",
    "fallback_value",
    "code",
    "amount_1000",
    "phones",
    "emails",
    "org",
    "company",
    "department",
    "title",
    "addresses",
    "urls",
    "birthday",
    "latitude",
    "longitude",
    "address",
    "caption",
    "filename",
];

/// A value to be written in order.
#[derive(Clone, Copy, Debug)]
pub struct InOrder<'a>(pub &'a Value);

impl Serialize for InOrder<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Array(items) => serializer.collect_seq(items.iter().map(InOrder)),
            Value::Object(members) => {
                let mut members: Vec<_> =
                    members.iter().map(|(name, value)| (name, InOrder(value))).collect();
                members.sort_by_key(|(name, _)| {
                    ORDER.iter().position(|known| known == name).unwrap_or(ORDER.len())
                });
                serializer.collect_map(members)
            }
            other => other.serialize(serializer),
        }
    }
}
