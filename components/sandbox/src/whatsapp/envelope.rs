//! What every callback has around it (channels section 3).

use super::person::Person;
use crate::json::{Node, node};

/// The business account that all numbers of the sandbox belong to.
pub const ACCOUNT_ID: &str = "290011223344556";
/// What every number of the sandbox shows as its own.
pub const DISPLAY_PHONE_NUMBER: &str = "12025550100";

/// A customer as callbacks show them.
#[derive(Clone, Debug, Default)]
pub struct Customer {
    pub person: Person,
    pub name: Option<String>,
    /// With its `@`.
    pub username: Option<String>,
}

impl Customer {
    /// The member of `contacts`.
    pub fn contact(&self) -> Node {
        let key = self.person.key();
        let last = key.get(key.len().saturating_sub(4)..).unwrap_or_default();
        let name = self.name.clone().unwrap_or_else(|| format!("Customer {last}"));
        node!({
            "profile": node!({"name": name, "username": self.username.as_ref()}),
            "wa_id": self.person.phone.as_ref(), "user_id": self.person.user_id.as_ref(),
        })
    }
}

/// The `value` of a change in the field `messages`.
pub fn value(phone_number_id: &str, contacts: Option<Node>, name: &str, items: Vec<Node>) -> Node {
    let mut value = node!({
        "messaging_product": "whatsapp",
        "metadata": node!({"display_phone_number": DISPLAY_PHONE_NUMBER, "phone_number_id": phone_number_id}),
        "contacts": contacts,
    });
    value.push(name, items);
    value
}

/// The whole body: changes of a field. `time`, in seconds, comes with fields other than `messages`.
pub fn body(changes: Vec<(&str, Node)>, time: Option<i64>) -> String {
    let changes: Vec<Node> =
        changes.into_iter().map(|(field, value)| node!({"field": field, "value": value})).collect();
    node!({
        "object": "whatsapp_business_account",
        "entry": node!([node!({"id": ACCOUNT_ID, "time": time, "changes": changes})]),
    })
    .meta()
}
