//! How far messages of ours have come.

use super::{Applied, Source, unconnected};
use crate::line::{TRIES, pair_wait};
use crate::run::backoff;
use common::Result;
use common::db::Db;
use common::time::Timestamp;
use domain::delivery::{self, Step, Watermark};
use domain::inbound::consent;
use domain::inbound::person::{self, Sender};
use domain::inboxes::Address;
use domain::messages::DeliveryStatus;
use domain::{pace, resend};
use providers::{Failure, RetryClass, State};
use std::time::Duration;

/// What a provider says of one message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Report<'a> {
    /// The provider's id.
    pub id: &'a str,
    /// Our id.
    pub reference: Option<&'a str>,
    pub state: &'a State,
    pub failure: Option<&'a Failure>,
}

/// One message moved on.
pub(super) fn apply(
    db: &Db<'_>,
    source: &Source,
    account: &str,
    report: &Report<'_>,
    at_ms: Option<i64>,
) -> Result<Applied> {
    let Some(inbox) = source.inbox(db, account)? else { return Ok(unconnected(account)) };
    let Some(status) = status(report.state) else {
        return Ok(Applied::Aside(format!("{:?} of {} changes nothing", report.state, report.id)));
    };
    let tenant = inbox.tenant.as_str();
    let at = source.at(at_ms);
    let known = delivery::by_provider_id(db, tenant, inbox.seq, report.id)?;
    let unmatched = || Applied::Unmatched(format!("a status of the unknown message {}", report.id));
    let Some(message) = known.as_deref().or(report.reference) else { return Ok(unmatched()) };
    let is_delivery = matches!(status, DeliveryStatus::Delivered | DeliveryStatus::Read);
    if !is_delivery && resend::is_outdated(db, tenant, message, report.id)? {
        return Ok(Applied::Aside(format!("{} was sent again since", report.id)));
    }
    if let Some(failure) = report.failure
        && send_again(db, &inbox, message, report.id, failure)?
    {
        return Ok(Applied::Yes);
    }
    let step = Step {
        status,
        at,
        provider_id: Some(report.id),
        failure: report.failure.map(|failure| (failure.code.as_str(), failure.public_reason)),
    };
    if !delivery::apply(db, tenant, message, &step)? {
        return Ok(unmatched());
    }
    if let Some(failure) = report.failure {
        failed(db, &inbox, message, failure, at)?;
    }
    Ok(Applied::Yes)
}

/// Plans another send after a failure that passes; `false` when the message has failed for good.
fn send_again(db: &Db<'_>, inbox: &Address, message: &str, id: &str, failure: &Failure) -> Result<bool> {
    let passes = matches!(failure.class, RetryClass::Retry | RetryClass::Throttled | RetryClass::Alert(_));
    let now = Timestamp::now();
    let tries = failure.tries_max.unwrap_or(TRIES).min(TRIES);
    let tenant = inbox.tenant.as_str();
    let resends = if passes { resend::allowed(db, tenant, message, tries, now)? } else { None };
    let Some(resends) = resends else { return Ok(false) };
    let after = |usual: Duration| now.after(failure.retry_after.unwrap_or(usual));
    let due = match failure.class {
        RetryClass::Throttled if failure.pair_only => after(pair_wait(resends)),
        RetryClass::Throttled => pace::throttled(db, (inbox.seq, &inbox.channel), failure.retry_after, now)?,
        _ => after(backoff(resends.saturating_add(1))),
    };
    if let RetryClass::Alert(reason) = failure.class {
        super::account::alert(db, inbox, reason)?;
    }
    common::log!("provider could not deliver a message yet", message = message, code = failure.code);
    resend::plan(db, tenant, message, id, &failure.code, due)?;
    Ok(true)
}

/// What a failure says beyond its message: of the person, of the account.
fn failed(db: &Db<'_>, inbox: &Address, message: &str, failure: &Failure, at: Timestamp) -> Result<()> {
    common::log!(
        "provider could not deliver a message",
        message = message,
        code = failure.code,
        text = failure.provider_text
    );
    if failure.is_opt_out() {
        let source = consent::source(&inbox.channel, &failure.code);
        consent::refused(db, &inbox.tenant, message, &source, at)?;
    }
    if let RetryClass::Alert(reason) = failure.class {
        super::account::alert(db, inbox, reason)?;
    }
    Ok(())
}

/// All that was sent to a person up to a time was delivered or read.
pub(super) fn watermark(
    db: &Db<'_>,
    source: &Source,
    account: &str,
    who: &str,
    state: &State,
    up_to_ms: i64,
    at_ms: Option<i64>,
) -> Result<Applied> {
    let Some(inbox) = source.inbox(db, account)? else { return Ok(unconnected(account)) };
    let Some(status @ (DeliveryStatus::Delivered | DeliveryStatus::Read)) = status(state) else {
        return Ok(Applied::Aside("a watermark of another kind than delivered and read".into()));
    };
    let Some(identity_seq) = person::find(db, &inbox, &by_address(who))? else {
        return Ok(Applied::Aside("a watermark of somebody who is not known".into()));
    };
    let up_to = Timestamp(up_to_ms);
    let mark = Watermark {
        inbox_seq: inbox.seq,
        identity_seq,
        status,
        up_to,
        slack_ms: delivery::CLOCK_SLACK_MS,
        at: at_ms.map_or(up_to, Timestamp),
    };
    delivery::watermark(db, &inbox.tenant, &mark)?;
    Ok(Applied::Yes)
}

/// A message of ours and those before it were seen.
pub(super) fn seen(
    db: &Db<'_>,
    source: &Source,
    account: &str,
    who: &str,
    message_id: &str,
    at_ms: Option<i64>,
) -> Result<Applied> {
    let Some(inbox) = source.inbox(db, account)? else { return Ok(unconnected(account)) };
    let tenant = inbox.tenant.as_str();
    let unmatched = || Applied::Unmatched(format!("the unknown message {message_id} was seen"));
    let Some(message) = delivery::by_provider_id(db, tenant, inbox.seq, message_id)? else {
        return Ok(unmatched());
    };
    let at = source.at(at_ms);
    let step = Step { status: DeliveryStatus::Read, at, provider_id: Some(message_id), failure: None };
    delivery::apply(db, tenant, &message, &step)?;
    let identity = person::find(db, &inbox, &by_address(who))?;
    if let (Some(identity_seq), Some(up_to)) = (identity, delivery::moment(db, tenant, &message)?) {
        let status = DeliveryStatus::Read;
        let mark = Watermark { inbox_seq: inbox.seq, identity_seq, status, up_to, slack_ms: 0, at };
        delivery::watermark(db, tenant, &mark)?;
    }
    Ok(Applied::Yes)
}

fn by_address(address: &str) -> Sender {
    Sender { address: Some(address.to_string()), ..Sender::default() }
}

fn status(state: &State) -> Option<DeliveryStatus> {
    match state {
        State::Sent => Some(DeliveryStatus::Sent),
        State::Delivered => Some(DeliveryStatus::Delivered),
        State::Read => Some(DeliveryStatus::Read),
        State::Failed => Some(DeliveryStatus::Failed),
        State::Other(_) => None,
    }
}
