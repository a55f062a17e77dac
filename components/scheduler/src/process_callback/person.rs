//! People: other ids, and whether they want to be written to.

use super::message::sender;
use super::{Applied, Source, unconnected};
use common::Result;
use common::db::Db;
use common::time::Timestamp;
use domain::inbound::{consent as consents, person};
use providers::Person;

/// A person is known by other ids from now on.
pub(super) fn changed(
    db: &Db<'_>,
    source: &Source,
    account: &str,
    old: &Person,
    new: &Person,
) -> Result<Applied> {
    let Some(inbox) = source.inbox(db, account)? else { return Ok(unconnected(account)) };
    let known = person::changed(db, &inbox, &sender(old), &sender(new), Timestamp::now())?;
    Ok(if known { Applied::Yes } else { Applied::Aside("somebody unknown has other ids now".into()) })
}

/// A person opted in or out. Their message, where there is one, comes in the same callback and before it.
pub(super) fn consent(
    db: &Db<'_>,
    source: &Source,
    account: &str,
    who: &Person,
    opted_in: bool,
    at_ms: Option<i64>,
) -> Result<Applied> {
    let Some(inbox) = source.inbox(db, account)? else { return Ok(unconnected(account)) };
    let Some(identity_seq) = person::find(db, &inbox, &sender(who))? else {
        return Ok(Applied::Unmatched("the consent of somebody unknown".into()));
    };
    consents::set(db, &inbox.tenant, identity_seq, opted_in, source.channel, source.at(at_ms))?;
    Ok(Applied::Yes)
}
