//! Versions of a contact: a hash of all that reading it shows, so that any change gives another, whoever made it.

use super::Contact;
use common::{Problem, Result, crypto};

/// The `ETag` of a contact.
pub fn of(contact: &Contact) -> Result<String> {
    let json = serde_json::to_vec(contact).map_err(|error| Problem::internal(error.to_string()))?;
    let hash = crypto::sha256(&json);
    let short: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("\"{short}\""))
}

/// Checks the `If-Match` of a request, if it has one, against the contact as it is now: 412 when it is another
/// version than the caller's, or none.
pub fn check(expected: Option<&str>, contact: Option<&Contact>) -> Result<()> {
    let Some(expected) = expected else { return Ok(()) };
    let current = contact.map(of).transpose()?;
    let matches = current
        .is_some_and(|current| expected.split(',').map(str::trim).any(|tag| tag == "*" || tag == current));
    if matches {
        return Ok(());
    }
    Err(Problem::precondition_failed(
        "contact_changed",
        "The contact is not the version that If-Match names. Read it again and decide anew.",
    ))
}
