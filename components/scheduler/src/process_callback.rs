//! Working off a stored callback: its messages come in, its statuses are applied, the rest is noted.
//!
//! Everything in it can be done twice without harm, so a callback that names a message not yet known
//! (statuses can beat the answer to the send) is simply worked off again a little later.

use crate::run::Turn;
use crate::send_message::end;
use common::db::{self, Db};
use common::time::Timestamp;
use common::{Problem, Result};
use domain::delivery::{self, Step};
use domain::inbound::{self, Incoming};
use domain::jobs::{self, Job};
use domain::messages::{DeliveryStatus, MessageContent, TextContent, UnsupportedContent};
use domain::{callbacks, inboxes};
use providers::whatsapp::{self, Event};
use providers::{Failure, InboundContent, State};
use std::time::Duration;

/// How long a status waits for its message (channels section 8.2).
const UNMATCHED_KEEP: Duration = Duration::from_secs(15 * 60);
/// WhatsApp's times are whole seconds.
const PRECISION_MS: i64 = 1000;

/// What WhatsApp calls kinds that are no messages of their own: kept in the stored callback only.
const NO_MESSAGES: &[&str] = &["reaction", "edit", "revoke", "system"];

/// A callback job's turn.
pub async fn run(job: &Job) -> Result<Turn> {
    let Some((channel, body, received_at)) = db::read(|db| callbacks::load(db, &job.subject)).await? else {
        return end(job, |_| Ok(())).await;
    };
    if channel != "whatsapp" {
        return end(job, |db| callbacks::processed(db, &job.subject, Some("unknown channel"))).await;
    }
    let events = match whatsapp::read_callback(&body) {
        Ok(events) => events,
        Err(error) => {
            return end(job, |db| callbacks::processed(db, &job.subject, Some(&error.to_string()))).await;
        }
    };
    let now = Timestamp::now();
    let may_wait = now < received_at.after(UNMATCHED_KEEP);
    db::write(|db| {
        let mut aside = Vec::new();
        let mut unmatched = false;
        for event in &events {
            match apply(db, event)? {
                Applied::Yes => {}
                Applied::Aside(note) => aside.push(note),
                Applied::Unmatched(id) => {
                    unmatched = true;
                    aside.push(format!("status of the unknown message {id}"));
                }
            }
        }
        if unmatched && may_wait {
            let due = now.after(Duration::from_secs(u64::try_from(job.number()).unwrap_or(1).min(60)));
            let own = jobs::retry(db, job, due, "a status names a message that is not known yet")?;
            return if own { Ok(Turn::Again) } else { Err(lost()) };
        }
        if !jobs::finish(db, job)? {
            return Err(lost());
        }
        aside.truncate(20);
        let note = (!aside.is_empty()).then(|| aside.join("; "));
        callbacks::processed(db, &job.subject, note.as_deref())?;
        Ok(Turn::Done)
    })
    .await
}

/// Undoes what was applied: another worker has the job and applies the same.
fn lost() -> Problem {
    Problem::internal("the lease of a callback was lost")
}

enum Applied {
    Yes,
    /// Kept in the stored callback only, and why.
    Aside(String),
    /// The message is not known, at least not yet.
    Unmatched(String),
}

fn apply(db: &Db<'_>, event: &Event) -> Result<Applied> {
    match event {
        Event::Inbound { phone_number_id, sender, id, timestamp_ms, content, .. } => {
            let Some(inbox) = inboxes::by_address(db, "whatsapp", phone_number_id)? else {
                return Ok(Applied::Aside(format!("message to the unconnected number {phone_number_id}")));
            };
            let Some(address) = sender.wa_id.as_deref().or(sender.user_id.as_deref()) else {
                return Ok(Applied::Aside(format!("message {id} of nobody")));
            };
            let Some(content) = take_content(content) else {
                return Ok(Applied::Aside(format!("{id} is no message of its own")));
            };
            let sent_at = timestamp_ms.map_or_else(Timestamp::now, Timestamp);
            let name = sender.name.as_deref();
            let incoming =
                Incoming { provider_id: id, address, name, content, sent_at, precision_ms: PRECISION_MS };
            inbound::take_in(db, &inbox, &incoming)?;
            Ok(Applied::Yes)
        }
        Event::Status { phone_number_id, id, reference, state, timestamp_ms, failure, .. } => {
            let Some(inbox) = inboxes::by_address(db, "whatsapp", phone_number_id)? else {
                return Ok(Applied::Aside(format!("status for the unconnected number {phone_number_id}")));
            };
            let Some(status) = status(state) else {
                return Ok(Applied::Aside(format!("unknown status of {id}")));
            };
            let tenant = inbox.tenant.as_str();
            let known = delivery::by_provider_id(db, tenant, inbox.seq, id)?;
            let Some(message) = known.or_else(|| reference.clone()) else {
                return Ok(Applied::Unmatched(id.clone()));
            };
            let step = Step {
                status,
                at: timestamp_ms.map_or_else(Timestamp::now, Timestamp),
                provider_id: Some(id),
                failure: failure
                    .as_ref()
                    .map(|Failure { code, public_reason, .. }| (code.as_str(), *public_reason)),
            };
            let found = delivery::apply(db, tenant, &message, &step)?;
            Ok(if found { Applied::Yes } else { Applied::Unmatched(id.clone()) })
        }
        Event::Other { kind, .. } => Ok(Applied::Aside(format!("{kind} is kept as it came"))),
    }
}

fn take_content(content: &InboundContent) -> Option<MessageContent> {
    match content {
        InboundContent::Text { body } => {
            Some(MessageContent::Text { text: TextContent { body: body.clone() } })
        }
        InboundContent::Other { kind, .. } if NO_MESSAGES.contains(&kind.as_str()) => None,
        InboundContent::Other { kind, .. } => {
            Some(MessageContent::Unsupported { unsupported: UnsupportedContent { kind: kind.clone() } })
        }
    }
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
