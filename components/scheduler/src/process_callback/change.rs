//! Edits, deletions and reactions of customers.

use super::content;
use super::{Applied, Source, unconnected};
use common::Result;
use common::db::Db;
use domain::inbound::changes::{self, Change};
use providers::InboundContent;

fn applied(change: Change, what: &str, message_id: &str) -> Applied {
    match change {
        Change::Applied | Change::Late => Applied::Yes,
        Change::Unknown => Applied::Unmatched(format!("{what} of the unknown message {message_id}")),
    }
}

pub(super) fn edit(
    db: &Db<'_>,
    source: &Source,
    account: &str,
    message_id: &str,
    content: &InboundContent,
    at_ms: Option<i64>,
) -> Result<Applied> {
    let Some(inbox) = source.inbox(db, account)? else { return Ok(unconnected(account)) };
    let Some(content) = content::edited(source.channel, content) else {
        return Ok(Applied::Aside(format!("the edit of {message_id} says nothing")));
    };
    let change = changes::edit(db, &inbox, message_id, &content, source.at(at_ms))?;
    Ok(applied(change, "an edit", message_id))
}

pub(super) fn delete(
    db: &Db<'_>,
    source: &Source,
    account: &str,
    message_id: &str,
    at_ms: Option<i64>,
) -> Result<Applied> {
    let Some(inbox) = source.inbox(db, account)? else { return Ok(unconnected(account)) };
    let change = changes::delete(db, &inbox, message_id, source.at(at_ms))?;
    Ok(applied(change, "a deletion", message_id))
}

pub(super) fn react(
    db: &Db<'_>,
    source: &Source,
    account: &str,
    message_id: &str,
    emoji: Option<&str>,
    at_ms: Option<i64>,
) -> Result<Applied> {
    let Some(inbox) = source.inbox(db, account)? else { return Ok(unconnected(account)) };
    let change = changes::react(db, &inbox, message_id, emoji, source.at(at_ms))?;
    Ok(applied(change, "a reaction", message_id))
}
