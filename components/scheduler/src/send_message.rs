//! Sending a message to its provider (channels section 8), whichever it is.
//!
//! No provider has an idempotency key, so a request whose answer is lost is not sent again: the job is marked
//! right before the request leaves, and a marked job that comes back may have been sent. What happened then is
//! learnt from a status that carries our message id, or, when none comes, a person decides.

use crate::line::{self, Refusal};
use crate::provider::Provider;
use crate::run::Turn;
use crate::send_media::{self, Source};
use common::outbound::{self, SendError};
use common::time::Timestamp;
use common::{Problem, Result, db, settings};
use domain::content::InteractiveChoice;
use domain::conversations::needs_human_agent_tag;
use domain::delivery::{self, Step};
use domain::inbound::{consent, person};
use domain::jobs::{self, Job, Kind};
use domain::messages::{DeliveryStatus, MessageContent};
use domain::outgoing::{self, Outbound};
use domain::{pace, resend, scheduled};
use providers::{
    AlertReason, Choice, Choices, Envelope, Failure, Interactive, Media, Outgoing, Section, SendResult,
};
use std::time::Duration;

/// A message that waited this long is not sent any more (channels section 8.3).
const STALE: Duration = Duration::from_secs(60 * 60);
/// How long an unknown outcome may stay unknown, where `outcome_wait_ms` does not say.
const OUTCOME_WAIT_MS: u64 = 10 * 60 * 1000;

/// A send job's turn.
pub async fn run(job: &Job) -> Result<Turn> {
    let Some(outbound) = db::read(|db| outgoing::load(db, &job.tenant, &job.subject)).await? else {
        return fail(job, "inbox_gone", "The inbox was disconnected before the message was sent.").await;
    };
    if !outbound.pending {
        return end(job, |_| Ok(())).await;
    }
    if job.broken_off {
        // The last worker died between the request and its answer: nobody knows whether it was sent.
        return unknown(job, "the worker stopped before the provider answered").await;
    }
    if outbound.contact_is_gone {
        return fail(job, "contact_gone", "The contact was deleted before the message was sent.").await;
    }
    if outbound.is_unwanted {
        return fail(job, "recipient_opted_out", "The recipient does not want messages on this channel.")
            .await;
    }
    if outbound.paced
        && let Some(turn) = line::wait_for_turn(job, &outbound.inbox).await?
    {
        return Ok(turn);
    }
    // While the provider refuses the account, messages wait as long as it takes.
    if !outbound.alerted && Timestamp::now() > outbound.fresh_since.after(STALE) {
        return fail(job, "stale", "It could not be sent within an hour. Send it again if it still matters.")
            .await;
    }
    let Some(provider) = Provider::of(&outbound.inbox, &job.subject).await? else {
        return line::alert(job, &outbound.inbox, AlertReason::ChannelDisconnected, "no_credentials").await;
    };
    let content = match content(&provider, job, &outbound).await? {
        Ok(content) => content,
        Err(turn) => return Ok(turn),
    };
    let channel = outbound.inbox.address.channel.as_str();
    let envelope = Envelope {
        to: &outbound.to,
        reference: &job.subject,
        reply_to: outbound.reply_to.as_deref(),
        human_agent: needs_human_agent_tag(channel, outbound.last_inbound_at, Timestamp::now()),
        content: &content,
    };
    let request = match provider.send_request(&envelope) {
        Ok(request) => request,
        Err(error) => return unbuilt(job, &error).await,
    };
    let deadlines = line::deadlines().await;
    if !db::write(|db| jobs::begin(db, job)).await? {
        return Ok(Turn::Lost);
    }
    match outbound::send(request, deadlines).await {
        Ok(answer) => settle(job, &outbound, provider.read_answer(&answer)).await,
        Err(SendError::NotSent(why)) => not_reached(job, &why).await,
        Err(SendError::Unknown(why)) => unknown(job, &why).await,
    }
}

async fn settle(job: &Job, outbound: &Outbound, result: SendResult) -> Result<Turn> {
    match result {
        SendResult::Accepted { provider_id, recipient_id, state } => {
            end(job, |db| {
                // A callback was faster: this send has failed already, and the next one is planned.
                if resend::is_outdated(db, &job.tenant, &job.subject, &provider_id)? {
                    return Ok(());
                }
                delivery::taken_over(db, &job.tenant, &job.subject, &provider_id)?;
                if let Some(number) = recipient_id.filter(|number| *number != outbound.to) {
                    person::rewritten(db, &job.tenant, &job.subject, &number)?;
                }
                if state == Some(providers::State::Sent) {
                    let at = Timestamp::now();
                    let step = Step { status: DeliveryStatus::Sent, at, provider_id: None, failure: None };
                    delivery::apply(db, &job.tenant, &job.subject, &step)?;
                }
                if outbound.success_is_news {
                    pace::recovered(db, &job.tenant, outbound.inbox.address.seq)?;
                }
                Ok(())
            })
            .await
        }
        SendResult::Unclear { provider_text } => unknown(job, &provider_text).await,
        SendResult::Refused(failure) => refused(job, outbound, &failure).await,
    }
}

async fn refused(job: &Job, outbound: &Outbound, failure: &Failure) -> Result<Turn> {
    match line::refused(job, &outbound.inbox, failure).await? {
        Refusal::Turn(turn) => Ok(turn),
        Refusal::Final => {
            if let MessageContent::Media { media } = &outbound.content {
                // It may be the provider's id of the file that is no good any more.
                send_media::forget(&job.tenant, outbound, media).await?;
            }
            end(job, |db| {
                delivery::fail(db, &job.tenant, &job.subject, &failure.code, failure.public_reason)?;
                if failure.is_opt_out() {
                    let source = consent::source(&outbound.inbox.address.channel, &failure.code);
                    consent::refused(db, &job.tenant, &job.subject, &source, Timestamp::now())?;
                }
                Ok(())
            })
            .await
        }
    }
}

async fn not_reached(job: &Job, why: &str) -> Result<Turn> {
    match line::not_reached(job, why).await? {
        Some(turn) => Ok(turn),
        None => fail(job, "unreachable", "The channel could not be reached. Try again later.").await,
    }
}

async fn unbuilt(job: &Job, error: &providers::BuildError) -> Result<Turn> {
    common::log!("message cannot be built", message = job.subject, error = error);
    fail(job, "configuration", "The inbox is not set up to send this. Ask your administrator.").await
}

async fn fail(job: &Job, code: &str, reason: &str) -> Result<Turn> {
    end(job, |db| delivery::fail(db, &job.tenant, &job.subject, code, reason)).await
}

/// Ends the job with the outcome unknown, and plans the moment to give up on learning it.
async fn unknown(job: &Job, why: &str) -> Result<Turn> {
    common::log!("outcome of a send is unknown", message = job.subject, why = why);
    let millis =
        settings::get("outcome_wait_ms").await.and_then(|text| text.parse().ok()).unwrap_or(OUTCOME_WAIT_MS);
    let due = Timestamp::now().after(Duration::from_millis(millis));
    end(job, |db| {
        delivery::outcome_unknown(db, &job.tenant, &job.subject)?;
        jobs::add(db, &job.tenant, Kind::GiveUpOnOutcome, None, &job.subject, due)
    })
    .await
}

/// Fails a message that no status has told of.
pub async fn give_up(job: &Job) -> Result<Turn> {
    end(job, |db| {
        if delivery::is_unknown(db, &job.tenant, &job.subject)? {
            let reason = "It may have been sent: the channel's answer was lost. Ask the customer before you send it again.";
            delivery::fail(db, &job.tenant, &job.subject, "outcome_unknown", reason)?;
        }
        Ok(())
    })
    .await
}

/// The time of a scheduled message has come.
pub async fn release(job: &Job) -> Result<Turn> {
    end(job, |db| scheduled::release(db, &job.tenant, &job.subject, Timestamp::now())).await
}

/// Ends a job with what is recorded of it, unless its lease was lost.
pub async fn end(job: &Job, record: impl FnOnce(&db::Db<'_>) -> Result<()>) -> Result<Turn> {
    db::write(|db| {
        if !jobs::finish(db, job)? {
            return Ok(Turn::Lost);
        }
        record(db)?;
        Ok(Turn::Done)
    })
    .await
}

/// The content as providers take it; a file is brought to where the provider finds it. The turn, when that is
/// the end of it for now.
async fn content(
    provider: &Provider,
    job: &Job,
    outbound: &Outbound,
) -> Result<std::result::Result<Outgoing, Turn>> {
    Ok(Ok(match &outbound.content {
        MessageContent::Text { text } => Outgoing::Text { body: text.body.clone(), preview_url: true },
        MessageContent::Template { template } => Outgoing::Template {
            name: template.name.clone(),
            language: template.language.clone(),
            components: template
                .components
                .iter()
                .map(serde_json::to_value)
                .collect::<Result<_, _>>()
                .map_err(|error| Problem::internal(error.to_string()))?,
        },
        MessageContent::Media { media } => {
            let source = match send_media::source(provider, &job.tenant, outbound, media).await? {
                Source::Is(source) => source,
                Source::Refused(failure) => return refused(job, outbound, &failure).await.map(Err),
                Source::NotReached(why) => return not_reached(job, &why).await.map(Err),
                Source::Unbuilt(error) => return unbuilt(job, &error).await.map(Err),
                Source::Gone => {
                    let reason = "The file was deleted before the message was sent.";
                    return fail(job, "media_gone", reason).await.map(Err);
                }
            };
            Outgoing::Media(Media {
                kind: send_media::kind(media.media_type),
                source,
                caption: media.caption.clone(),
                filename: media.filename.clone(),
                sticker: media.sticker,
                voice: media.voice,
            })
        }
        MessageContent::Interactive { interactive } => {
            let choices = match &interactive.list {
                None => Choices::Buttons(interactive.buttons.iter().map(choice).collect()),
                Some(list) => Choices::List {
                    button: list.button.clone(),
                    sections: list
                        .sections
                        .iter()
                        .map(|section| Section {
                            title: section.title.clone(),
                            rows: section.rows.iter().map(choice).collect(),
                        })
                        .collect(),
                },
            };
            Outgoing::Interactive(Interactive {
                header: interactive.header.clone(),
                body: interactive.body.clone(),
                footer: interactive.footer.clone(),
                choices,
            })
        }
        MessageContent::Location { location } => Outgoing::Location {
            latitude: location.latitude,
            longitude: location.longitude,
            name: location.name.clone(),
            address: location.address.clone(),
        },
        MessageContent::Contacts { contacts } => Outgoing::Contacts(contacts.clone()),
        MessageContent::Reply { .. } | MessageContent::Unsupported { .. } | MessageContent::Deleted {} => {
            return Err(Problem::internal("content that cannot be sent was accepted"));
        }
    }))
}

fn choice(choice: &InteractiveChoice) -> Choice {
    Choice { id: choice.id.clone(), title: choice.title.clone(), description: choice.description.clone() }
}
