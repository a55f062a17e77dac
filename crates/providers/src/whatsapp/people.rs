//! Who wrote (channels section 3.1).

use crate::json::text;
use crate::{Event, Person};
use serde_json::Value;

/// Who wrote: the message's own ids, completed by the entry of `contacts` that shares one with it.
/// Either id may be missing, not both.
pub fn sender(people: &[Value], message: &Value) -> Option<Person> {
    find(people, text(message, "from"), text(message, "from_user_id"))
}

/// Whose preference it is.
pub fn of_preference(people: &[Value], preference: &Value) -> Option<Person> {
    find(people, text(preference, "wa_id"), text(preference, "user_id"))
}

fn find(people: &[Value], wa_id: Option<String>, user_id: Option<String>) -> Option<Person> {
    let same = |own: &Option<String>, person: &Value, name: &str| own.is_some() && text(person, name) == *own;
    let person =
        people.iter().find(|person| same(&wa_id, person, "wa_id") || same(&user_id, person, "user_id"));
    let of_person = |name: &str| person.and_then(|person| text(person, name));
    let profile = |name: &str| person?.get("profile").and_then(|profile| text(profile, name));
    let found = Person {
        name: profile("name"),
        username: profile("username"),
        address: wa_id.clone().or_else(|| of_person("wa_id")),
        user_id: user_id.clone().or_else(|| of_person("user_id")),
    };
    is_known(&found).then_some(found)
}

fn is_known(person: &Person) -> bool {
    person.address.is_some() || person.user_id.is_some()
}

/// A system message that a person has a new number, and with it a new user id, or only that.
pub fn changed(number: &str, sender: Person, system: &Value) -> Option<Event> {
    if !matches!(text(system, "type")?.as_str(), "user_changed_number" | "user_changed_user_id") {
        return None;
    }
    let new = Person {
        address: text(system, "wa_id").or_else(|| text(system, "new_wa_id")),
        user_id: text(system, "user_id"),
        ..Person::default()
    };
    let old = Person { user_id: text(system, "previous_user_id").or(sender.user_id), ..sender };
    is_known(&new).then(|| Event::PersonChanged { account: number.to_string(), old, new })
}

/// The same as a callback of its own: `user_id: {previous, current}`.
pub fn user_id_update(number: &str, update: &Value) -> Option<Event> {
    let ids = update.get("user_id")?;
    let address = text(update, "wa_id");
    let old = Person { address: address.clone(), user_id: text(ids, "previous"), ..Person::default() };
    let new = Person { address, user_id: Some(text(ids, "current")?), ..Person::default() };
    is_known(&old).then(|| Event::PersonChanged { account: number.to_string(), old, new })
}
