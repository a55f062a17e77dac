//! Settings are Spin variables of the component; an empty text counts as not set.

use crate::{Problem, Result};
use std::cell::RefCell;
use std::collections::HashMap;

const SANDBOX: &str = "sandbox";
const WEBHOOKS_LOCAL: &str = "webhooks_local";

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
    is_on(SANDBOX).await
}

/// The variable that allows webhooks to this machine, over http too; none of them is for production.
pub async fn webhooks_local() -> Option<&'static str> {
    if is_on(SANDBOX).await {
        return Some(SANDBOX);
    }
    is_on(WEBHOOKS_LOCAL).await.then_some(WEBHOOKS_LOCAL)
}

async fn is_on(name: &'static str) -> bool {
    get(name).await.as_deref() == Some("on")
}
