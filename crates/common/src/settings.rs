//! Settings are Spin variables of the component; an empty text counts as not set.

use crate::{Problem, Result};
use std::cell::RefCell;
use std::collections::HashMap;

thread_local! {
    static KNOWN: RefCell<HashMap<&'static str, Option<String>>> = RefCell::new(HashMap::new());
}

/// The value of a variable; read once an instance.
pub async fn get(name: &'static str) -> Option<String> {
    if let Some(known) = KNOWN.with_borrow(|known| known.get(name).cloned()) {
        return known;
    }
    let value = spin_sdk::variables::get(name).await.ok().filter(|value| !value.is_empty());
    KNOWN.with_borrow_mut(|known| known.insert(name, value.clone()));
    value
}

/// The value of a variable that must be set; the error names it in the log only.
pub async fn required(name: &'static str) -> Result<String> {
    get(name).await.ok_or_else(|| Problem::internal(format!("the variable {name} is not set")))
}

/// Whether the local sandbox is on: plain http to this machine is allowed then.
pub async fn sandbox() -> bool {
    get("sandbox").await.as_deref() == Some("on")
}
