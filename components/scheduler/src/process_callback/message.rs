//! Customers' messages, and what our side wrote elsewhere.

use super::content;
use super::{Applied, Source, unconnected};
use common::Result;
use common::db::Db;
use domain::delivery::{self, Step};
use domain::inbound::person::Sender;
use domain::inbound::{self, Incoming, echo};
use domain::messages::DeliveryStatus;
use providers::{Inbound, Person};
use std::time::Duration;

/// How long an echo waits while a message of ours is on its way: it may be that one's, and come before the answer.
const ECHO_WAIT: Duration = Duration::from_secs(30);

pub(super) fn sender(person: &Person) -> Sender {
    Sender {
        address: person.address.clone(),
        user_id: person.user_id.clone(),
        name: person.name.clone(),
        username: person.username.clone(),
    }
}

fn incoming<'a>(source: &Source, inbound: &'a Inbound, is_echo: bool) -> Incoming<'a> {
    Incoming {
        provider_id: &inbound.id,
        person: sender(&inbound.person),
        parts: content::parts(source.channel, &inbound.content),
        reply_to: inbound.reply_to.as_deref(),
        referral: inbound.referral.as_ref(),
        sent_at: source.at(inbound.at_ms),
        precision_ms: source.precision_ms,
        is_echo,
        callback_seq: Some(source.callback_seq),
    }
}

/// A customer wrote.
pub(super) fn take_in(db: &Db<'_>, source: &Source, inbound: &Inbound) -> Result<Applied> {
    let Some(inbox) = source.inbox(db, &inbound.account)? else { return Ok(unconnected(&inbound.account)) };
    if sender(&inbound.person).source_id().is_none() {
        return Ok(Applied::Aside(format!("the message {} is of nobody", inbound.id)));
    }
    inbound::take_in(db, &inbox, &incoming(source, inbound, false))?;
    Ok(Applied::Yes)
}

/// Our side wrote: through the API, or from the provider's own inbox, another app, a telephone.
pub(super) fn echo(
    db: &Db<'_>,
    source: &Source,
    message: &Inbound,
    reference: Option<&str>,
) -> Result<Applied> {
    let Some(inbox) = source.inbox(db, &message.account)? else { return Ok(unconnected(&message.account)) };
    let tenant = inbox.tenant.as_str();
    let at = source.at(message.at_ms);
    let known = match delivery::by_provider_id(db, tenant, inbox.seq, &message.id)? {
        Some(known) => Some(known),
        None => echo::by_reference(db, &inbox, reference)?,
    };
    if let Some(known) = known {
        return ours(db, tenant, &known, message, at);
    }
    let who = sender(&message.person);
    if who.source_id().is_none() {
        return Ok(Applied::Aside(format!("the echo {} is to nobody", message.id)));
    }
    let waiting = echo::waiting(db, &inbox, &who)?;
    if !waiting.is_empty() {
        if source.age() < ECHO_WAIT {
            return Ok(Applied::Unmatched(format!("the echo {} may be of a message under way", message.id)));
        }
        // The answer to a send was lost, and this says the same: it is that one.
        let parts = content::parts(source.channel, &message.content);
        let same = waiting
            .iter()
            .find(|open| open.is_unknown && parts.first().is_some_and(|part| part.content == open.content));
        if let Some(open) = same {
            return ours(db, tenant, &open.message, message, at);
        }
    }
    inbound::take_in(db, &inbox, &incoming(source, message, true))?;
    Ok(Applied::Yes)
}

/// The echo of a message that we have: it was sent.
fn ours(
    db: &Db<'_>,
    tenant: &str,
    known: &str,
    message: &Inbound,
    at: common::time::Timestamp,
) -> Result<Applied> {
    let step = Step { status: DeliveryStatus::Sent, at, provider_id: Some(&message.id), failure: None };
    delivery::apply(db, tenant, known, &step)?;
    if message.at_ms.is_some() {
        delivery::sent_at(db, tenant, known, at)?;
    }
    Ok(Applied::Yes)
}
