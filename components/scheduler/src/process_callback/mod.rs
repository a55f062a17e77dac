//! Working off a stored callback: what it tells is applied event by event, the rest is noted.
//!
//! | file | events |
//! |---|---|
//! | `message` | customers' messages, and echoes of ours |
//! | `content` | what a message says, in our form |
//! | `status` | how far a message of ours has come: statuses, watermarks, seen |
//! | `change` | edits, deletions, reactions |
//! | `person` | other ids of a person, consent |
//! | `account` | faults of an account, templates |
//!
//! Everything in it can be done twice without harm. An event about a message that is not known yet (statuses can
//! beat the answer to the send, reactions their message) waits and is tried again, for a quarter of an hour.
//! A callback can hold a thousand events: they are applied in short transactions, each of which records in the
//! job how far it came. An event that fails by an error of ours does not hold up the others for ever: after
//! some tries each is applied by itself, and what fails then is noted.

mod account;
mod change;
mod content;
mod message;
mod person;
mod progress;
mod status;

use crate::run::{self, Turn};
use crate::send_message::end;
use common::crypto::Sealer;
use common::db::{self, Db};
use common::time::Timestamp;
use common::{Problem, Result};
use domain::callbacks::{self, Callback, Purpose};
use domain::inboxes::{self, Address, Credentials};
use domain::jobs::{self, Job};
use progress::Progress;
use providers::{Event, gateway, instagram, messenger, twilio, whatsapp};
use std::time::Duration;

/// How long an event waits for its message (channels section 8.2).
const UNMATCHED_KEEP: Duration = Duration::from_secs(15 * 60);
/// Most events applied in one transaction.
const CHUNK: usize = 50;
/// Turns that may end with an error of ours before every event is applied by itself.
const ERRORS_MAX: i64 = 4;

/// Where events come from.
#[derive(Debug)]
struct Source {
    /// As inboxes name it.
    channel: &'static str,
    /// The inbox that the callback's URL named; otherwise each event names an address.
    inbox_id: Option<String>,
    callback_seq: i64,
    received_at: Timestamp,
    /// How exact the provider's times are, in milliseconds.
    precision_ms: i64,
}

impl Source {
    /// Whose inbox an event is about.
    fn inbox(&self, db: &Db<'_>, account: &str) -> Result<Option<Address>> {
        match &self.inbox_id {
            Some(id) => Ok(inboxes::connection_by_id(db, id)?.map(|connection| connection.address)),
            None => inboxes::by_address(db, self.channel, account),
        }
    }

    /// The provider's time, or that of arrival.
    fn at(&self, at_ms: Option<i64>) -> Timestamp {
        at_ms.map_or(self.received_at, Timestamp)
    }

    fn age(&self) -> Duration {
        let age = Timestamp::now().millis().saturating_sub(self.received_at.millis());
        Duration::from_millis(u64::try_from(age).unwrap_or_default())
    }
}

/// What became of an event.
#[derive(Debug)]
enum Applied {
    Yes,
    /// Kept in the stored callback only, and why.
    Aside(String),
    /// The message it is about is not known, at least not yet.
    Unmatched(String),
}

/// An event for an address that nobody connected, or has disconnected.
fn unconnected(account: &str) -> Applied {
    Applied::Aside(format!("for the unconnected address {account}"))
}

/// A callback job's turn.
pub async fn run(job: &Job) -> Result<Turn> {
    let Some(callback) = db::read(|db| callbacks::load(db, &job.subject)).await? else {
        return end(job, |_| Ok(())).await;
    };
    let (source, events) = match read(job, &callback).await? {
        Ok(read) => read,
        Err(why) => return end(job, |db| callbacks::processed(db, &job.subject, Some(&why))).await,
    };
    let mut progress = Progress::read(job.payload.as_deref());
    let errors = job.failures.saturating_sub(progress.waits);
    let chunk_size = if errors >= ERRORS_MAX { 1 } else { CHUNK };
    let queue = progress.begin(events.len());
    let mut chunks = queue.chunks(chunk_size).peekable();
    while let Some(chunk) = chunks.next() {
        let is_last = chunks.peek().is_none();
        let lease = Timestamp::now().after(run::lease().await);
        let done = db::write(|db| {
            let mut done = progress.clone();
            for at in chunk {
                if let Some(event) = events.get(*at) {
                    done.note(*at, apply(db, &source, event)?);
                }
            }
            let turn = if is_last { close(db, job, &source, &mut done)? } else { None };
            if turn.is_none() && !jobs::advance(db, job, &done.to_json(), lease)? {
                return Err(lost());
            }
            Ok((done, turn))
        })
        .await;
        match done {
            Ok((_, Some(turn))) => return Ok(turn),
            Ok((done, None)) => progress = done,
            Err(problem) if chunk_size == 1 && problem.status != 503 => {
                common::log!(
                    "an event of a callback was left aside",
                    callback = job.subject,
                    problem = problem
                );
                for at in chunk {
                    progress.note(*at, Applied::Aside(format!("event {at} failed: {problem}")));
                }
            }
            Err(problem) => return Err(problem),
        }
    }
    // Only where there was nothing to do, or the last event failed.
    db::write(|db| {
        let mut done = progress.clone();
        close(db, job, &source, &mut done)?.ok_or_else(lost)
    })
    .await
}

/// Ends the turn: later again for events that wait for their message, or for good.
fn close(db: &Db<'_>, job: &Job, source: &Source, progress: &mut Progress) -> Result<Option<Turn>> {
    if progress.is_waiting() && source.age() < UNMATCHED_KEEP {
        progress.waits = progress.waits.saturating_add(1);
        let seconds = u64::try_from(progress.waits).unwrap_or(1).min(60);
        let due = Timestamp::now().after(Duration::from_secs(seconds));
        let own = jobs::advance(db, job, &progress.to_json(), due)?
            && jobs::retry(db, job, due, "an event is about a message that is not known yet")?;
        return if own { Ok(Some(Turn::Again)) } else { Err(lost()) };
    }
    if !jobs::finish(db, job)? {
        return Err(lost());
    }
    callbacks::processed(db, &job.subject, progress.summary().as_deref())?;
    Ok(Some(Turn::Done))
}

/// Undoes what was applied: another worker has the job and applies the same.
fn lost() -> Problem {
    Problem::unavailable("the lease of a callback was lost")
}

/// The events of a callback; the inner error says why there are none for ever.
async fn read(job: &Job, callback: &Callback) -> Result<Result<(Source, Vec<Event>), String>> {
    let query = callback.query.as_deref().unwrap_or_default();
    let (channel, precision_ms, events) = match callback.channel.as_str() {
        // WhatsApp's times are whole seconds.
        "whatsapp" => ("whatsapp", 1000, whatsapp::read_callback(&callback.body)),
        "messenger" => ("messenger", 1, messenger::read_callback(&callback.body)),
        "instagram" => ("instagram", 1, instagram::read_callback(&callback.body)),
        "twilio" => ("sms", 1, twilio::read_callback(query, &callback.body)),
        "gateway" => {
            let Some((settings, account)) = gateway_settings(callback).await? else {
                return Ok(Err("the gateway's inbox is gone".into()));
            };
            let read = match callback.purpose {
                Purpose::Status => gateway::read_report(&settings, &account, query, &callback.body),
                _ => gateway::read_inbound(&settings, &account, query, &callback.body),
            };
            ("sms", 1000, read)
        }
        other => return Ok(Err(format!("the channel {other} is not known"))),
    };
    let source = Source {
        channel,
        inbox_id: callback.inbox_id.clone(),
        callback_seq: callbacks::seq(&job.subject),
        received_at: callback.received_at,
        precision_ms,
    };
    Ok(events.map(|events| (source, events)).map_err(|error| error.to_string()))
}

/// How to read a gateway's callback, and the address it is for; `None` when its inbox is gone.
async fn gateway_settings(callback: &Callback) -> Result<Option<(gateway::Settings, String)>> {
    let Some(id) = callback.inbox_id.as_deref() else { return Ok(None) };
    let Some(connection) = db::read(|db| inboxes::connection_by_id(db, id)).await? else { return Ok(None) };
    let sealer = Sealer::from_settings().await?;
    let Credentials::Gateway { settings, .. } = connection.credentials(&sealer)? else { return Ok(None) };
    // serde's words could quote a secret.
    let settings = serde_json::from_value(settings)
        .map_err(|_| Problem::internal(format!("the gateway settings of {id} cannot be read")))?;
    Ok(Some((settings, connection.address.external_id)))
}

fn apply(db: &Db<'_>, source: &Source, event: &Event) -> Result<Applied> {
    match event {
        Event::Message(inbound) => message::take_in(db, source, inbound),
        Event::Echo { message, reference } => message::echo(db, source, message, reference.as_deref()),
        Event::Edit { account, message_id, content, at_ms } => {
            change::edit(db, source, account, message_id, content, *at_ms)
        }
        Event::Delete { account, message_id, at_ms } => {
            change::delete(db, source, account, message_id, *at_ms)
        }
        Event::Reaction { account, message_id, emoji, at_ms, .. } => {
            change::react(db, source, account, message_id, emoji.as_deref(), *at_ms)
        }
        Event::Status { account, id, reference, state, at_ms, failure } => {
            let report =
                status::Report { id, reference: reference.as_deref(), state, failure: failure.as_ref() };
            status::apply(db, source, account, &report, *at_ms)
        }
        Event::Watermark { account, person, state, up_to_ms, at_ms } => {
            status::watermark(db, source, account, person, state, *up_to_ms, *at_ms)
        }
        Event::SeenUpTo { account, person, message_id, at_ms } => {
            status::seen(db, source, account, person, message_id, *at_ms)
        }
        Event::PersonChanged { account, old, new } => person::changed(db, source, account, old, new),
        Event::Consent { account, person, opted_in, at_ms } => {
            person::consent(db, source, account, person, *opted_in, *at_ms)
        }
        Event::Fault { account, failure } => account::fault(db, source, account, failure),
        Event::TemplateStatus { account, name, language, event, reason } => {
            account::template(db, account, (name, language), event, reason.as_deref())
        }
        Event::Other { kind, .. } => Ok(Applied::Aside(format!("{kind} is kept as it came"))),
    }
}
