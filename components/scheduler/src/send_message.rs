//! Sending a message to its provider (channels sections 2 and 8).
//!
//! No provider has an idempotency key, so a request whose answer is lost is not sent again: the job is marked
//! right before the request leaves, and a marked job that comes back may have been sent. What happened then is
//! learnt from a status that carries our message id, or, when none comes, a person decides.

use crate::run::{self, Turn, again_in, backoff};
use common::outbound::{self, Deadlines, SendError};
use common::time::Timestamp;
use common::{Problem, Result, db, settings};
use domain::jobs::{self, Job, Kind};
use domain::messages::MessageContent;
use domain::outgoing::{self, Outbound};
use domain::{delivery, inboxes};
use providers::{Failure, Outgoing, RetryClass, SendResult, whatsapp};
use std::time::Duration;

/// Tries of a temporary failure (channels section 8.3).
const TRIES: i64 = 6;
/// A message that waited this long is not sent any more (channels section 8.3).
const STALE: Duration = Duration::from_secs(60 * 60);
/// An inbox that its provider refuses is tried again after this long.
const ALERT_PAUSE: Duration = Duration::from_secs(5 * 60);
/// How long an unknown outcome may stay unknown, where `outcome_wait_ms` does not say.
const OUTCOME_WAIT_MS: u64 = 10 * 60 * 1000;
/// The longest a provider may take; never more than half a lease.
const TOTAL: Duration = Duration::from_secs(15);

const STATE_ACTIVE: (&str, &str) = ("active", "[]");

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
    if Timestamp::now() > outbound.accepted_at.after(STALE) {
        return fail(job, "stale", "It could not be sent within an hour. Send it again if it still matters.")
            .await;
    }
    let sender = sender(&outbound.inbox).await?;
    let request =
        match whatsapp::send_request(&sender, &outbound.to, &job.subject, None, &content(&outbound)?) {
            Ok(request) => request,
            Err(error) => {
                common::log!("message cannot be built", message = job.subject, error = error);
                return fail(
                    job,
                    "configuration",
                    "The inbox is not set up to send. Ask your administrator.",
                )
                .await;
            }
        };
    let deadlines = deadlines().await;
    if !db::write(|db| jobs::begin(db, job)).await? {
        return Ok(Turn::Lost);
    }
    match outbound::send(request, deadlines).await {
        Ok(answer) => {
            let result = whatsapp::read_answer(answer.status().as_u16(), answer.headers(), answer.body());
            settle(job, &outbound, result).await
        }
        Err(SendError::NotSent(why)) => retry(job, backoff(job.number()), &why).await,
        Err(SendError::Unknown(why)) => unknown(job, &why).await,
    }
}

async fn settle(job: &Job, outbound: &Outbound, result: SendResult) -> Result<Turn> {
    match result {
        SendResult::Accepted { provider_id, .. } => {
            end(job, |db| {
                delivery::taken_over(db, &job.tenant, &job.subject, &provider_id)?;
                let (state, reasons) = STATE_ACTIVE;
                inboxes::set_state(db, &job.tenant, outbound.inbox.seq, state, reasons).map(drop)
            })
            .await
        }
        SendResult::Unclear { provider_text } => unknown(job, &provider_text).await,
        SendResult::Refused(failure) => refused(job, outbound, &failure).await,
    }
}

async fn refused(job: &Job, outbound: &Outbound, failure: &Failure) -> Result<Turn> {
    common::log!(
        "provider refused a message",
        message = job.subject,
        code = failure.code,
        text = failure.provider_text
    );
    match failure.class {
        RetryClass::Never | RetryClass::OtherWay => fail(job, &failure.code, failure.public_reason).await,
        RetryClass::Retry if job.number() >= TRIES => fail(job, &failure.code, failure.public_reason).await,
        RetryClass::Retry | RetryClass::Throttled => {
            let wait = failure.retry_after.unwrap_or_else(|| backoff(job.number()));
            again_in(job, wait, &failure.code).await
        }
        RetryClass::Alert => {
            // One mark for the inbox, not one alert a message; its messages wait.
            let reason = if matches!(failure.code.as_str(), "190" | "0") {
                "token_expired"
            } else {
                "permission_missing"
            };
            let reasons = format!("[\"{reason}\"]");
            db::write(|db| inboxes::set_state(db, &job.tenant, outbound.inbox.seq, "degraded", &reasons))
                .await?;
            again_in(job, ALERT_PAUSE, &failure.code).await
        }
    }
}

/// The provider was not reached: as with a temporary failure.
async fn retry(job: &Job, wait: Duration, why: &str) -> Result<Turn> {
    common::log!("provider not reached", message = job.subject, why = why);
    if job.number() >= TRIES {
        return fail(job, "unreachable", "The channel could not be reached. Try again later.").await;
    }
    again_in(job, wait, why).await
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

fn content(outbound: &Outbound) -> Result<Outgoing> {
    match &outbound.content {
        MessageContent::Text { text } => Ok(Outgoing::Text { body: text.body.clone(), preview_url: true }),
        MessageContent::Template { template } => Ok(Outgoing::Template {
            name: template.name.clone(),
            language: template.language.clone(),
            components: template
                .components
                .iter()
                .map(serde_json::to_value)
                .collect::<Result<_, _>>()
                .map_err(|error| Problem::internal(error.to_string()))?,
        }),
        MessageContent::Unsupported { .. } => {
            Err(Problem::internal("unsupported content was accepted for sending"))
        }
    }
}

/// The number's connection to WhatsApp. While the sandbox is on and no other address is set, it is meant.
async fn sender(inbox: &inboxes::Address) -> Result<whatsapp::Sender> {
    let base_url = match settings::get("whatsapp_base_url").await {
        Some(url) => url,
        None if settings::sandbox().await => "http://sandbox.spin.internal/sandbox/whatsapp".into(),
        None => "https://graph.facebook.com".into(),
    };
    Ok(whatsapp::Sender {
        base_url,
        api_version: settings::get("whatsapp_api_version").await.unwrap_or_else(|| "v25.0".into()),
        phone_number_id: inbox.external_id.clone(),
        access_token: settings::required("whatsapp_access_token").await?,
        app_secret: settings::get("whatsapp_app_secret").await,
    })
}

async fn deadlines() -> Deadlines {
    let total = TOTAL.min(run::half_lease().await);
    Deadlines { connect: total.min(Duration::from_secs(5)), first_byte: total, total }
}
