//! The settings of a generic SMS gateway, checked by the module that uses them and, since they name a host that
//! this server will call, like every address that a tenant gives.

use common::problem::Violations;
use common::{Result, settings};
use domain::webhooks::address::Guard;
use providers::gateway::Settings;
use serde_json::Value;

/// The sandbox's gateway, for local runs.
const SANDBOX: &str = "http://sandbox.spin.internal/";

/// 422 naming what is wrong below `field`; settings that are absent are another's business.
pub async fn check(field: &str, given: Option<&Value>) -> Result<()> {
    let Some(given) = given.filter(|given| given.is_object()) else { return Ok(()) };
    let mut violations = Violations::new();
    match serde_json::from_value::<Settings>(given.clone()) {
        Ok(read) => {
            let local = settings::sandbox().await;
            let is_sandbox = local && read.url.starts_with(SANDBOX);
            if let Err(rule) = Guard::new(local).check(&read.url)
                && !is_sandbox
            {
                violations.add(format!("{field}.url"), rule);
            }
            for (below, rule) in read.validate() {
                violations.add(format!("{field}.{below}"), rule);
            }
        }
        Err(error) => violations.add(field, shape(&error)),
    }
    violations.finish()
}

/// What serde says of a wrong shape, without the values it quotes: they may be secrets.
fn shape(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let named = ["missing field", "unknown field"].iter().any(|known| text.starts_with(known));
    if named { text } else { "is not of the shape of gateway settings".into() }
}
