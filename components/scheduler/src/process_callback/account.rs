//! What concerns no single message: faults of an account, templates.

use super::{Applied, Source, unconnected};
use common::Result;
use common::db::Db;
use common::time::Timestamp;
use domain::inboxes::{self, Address};
use domain::pace;
use providers::{AlertReason, Failure, RetryClass};
use std::time::Duration;

/// An inbox that its provider refuses is tried again after this long.
const PROBE: Duration = Duration::from_secs(5 * 60);

/// Something is wrong with an account or a number.
pub(super) fn fault(db: &Db<'_>, source: &Source, account: &str, failure: &Failure) -> Result<Applied> {
    let Some(inbox) = source.inbox(db, account)? else { return Ok(unconnected(account)) };
    common::log!(
        "provider reports a fault",
        inbox = inbox.id,
        code = failure.code,
        text = failure.provider_text
    );
    if let RetryClass::Alert(reason) = failure.class {
        alert(db, &inbox, reason)?;
    }
    Ok(Applied::Aside(format!("the fault {} of the account {account}", failure.code)))
}

/// Marks the inbox and stops its queue, once: its messages wait.
pub(super) fn alert(db: &Db<'_>, inbox: &Address, reason: AlertReason) -> Result<()> {
    pace::alert(db, &inbox.tenant, inbox.seq, reason.as_str(), PROBE, Timestamp::now()).map(drop)
}

/// A template was approved, rejected, paused and so on: noted, and what is remembered of the account's templates
/// is forgotten.
pub(super) fn template(
    db: &Db<'_>,
    account: &str,
    (name, language): (&str, &str),
    event: &str,
    reason: Option<&str>,
) -> Result<Applied> {
    inboxes::reads::forget_templates(db, account)?;
    let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    Ok(Applied::Aside(format!("the template {name} in {language} is {event}{reason}")))
}
