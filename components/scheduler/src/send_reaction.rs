//! Bringing our reaction on a message to its provider. What is sent is the reaction as it is now, so a job that
//! runs twice, or late, does no harm.

use crate::line::{self, Refusal};
use crate::provider::{ActionResult, Provider};
use crate::run::Turn;
use crate::send_message::end;
use common::outbound::{self, SendError};
use common::{Result, db};
use domain::jobs::Job;
use domain::outgoing::{self, Outbound};
use domain::{pace, reactions};
use providers::{AlertReason, Envelope, Outgoing};

/// A reaction job's turn.
pub async fn run(job: &Job) -> Result<Turn> {
    let Some(target) = db::read(|db| outgoing::load(db, &job.tenant, &job.subject)).await? else {
        return end(job, |_| Ok(())).await;
    };
    // Never sent after all, or nobody knows: there is nothing to put an emoji on.
    let Some(message_id) = target.provider_id.clone() else { return end(job, |_| Ok(())).await };
    if target.contact_is_gone {
        return end(job, |_| Ok(())).await;
    }
    if target.wants_nothing {
        let emoji = db::read(|db| reactions::shown(db, &job.tenant, target.message_seq)).await?;
        return refused(job, &target, emoji.as_deref()).await;
    }
    if target.paced
        && let Some(turn) = line::wait_for_turn(job, &target.inbox).await?
    {
        return Ok(turn);
    }
    let emoji = db::read(|db| reactions::shown(db, &job.tenant, target.message_seq)).await?;
    let Some(provider) = Provider::of(&target.inbox, &job.subject).await? else {
        return line::alert(job, &target.inbox, AlertReason::ChannelDisconnected, "no_credentials").await;
    };
    let content = Outgoing::Reaction { message_id, emoji: emoji.clone() };
    let envelope =
        Envelope { to: &target.to, reference: "", reply_to: None, human_agent: false, content: &content };
    let request = match provider.send_request(&envelope) {
        Ok(request) => request,
        Err(error) => {
            common::log!("reaction cannot be built", message = job.subject, error = error);
            return refused(job, &target, emoji.as_deref()).await;
        }
    };
    match outbound::send(request, line::deadlines().await).await {
        Ok(answer) => match provider.read_action_answer(&answer) {
            ActionResult::Done => {
                end(job, |db| match target.success_is_news {
                    true => pace::recovered(db, &job.tenant, target.inbox.address.seq),
                    false => Ok(()),
                })
                .await
            }
            ActionResult::Refused(failure) => match line::refused(job, &target.inbox, &failure).await? {
                Refusal::Final => refused(job, &target, emoji.as_deref()).await,
                Refusal::Turn(turn) => Ok(turn),
            },
            ActionResult::Unclear => again(job, &target, emoji.as_deref(), "an answer without an id").await,
        },
        Err(SendError::NotSent(why) | SendError::Unknown(why)) => {
            again(job, &target, emoji.as_deref(), &why).await
        }
    }
}

async fn again(job: &Job, target: &Outbound, emoji: Option<&str>, why: &str) -> Result<Turn> {
    match line::not_reached(job, why).await? {
        Some(turn) => Ok(turn),
        None => refused(job, target, emoji).await,
    }
}

/// The customer does not see it: neither do our people any more.
async fn refused(job: &Job, target: &Outbound, emoji: Option<&str>) -> Result<Turn> {
    end(job, |db| match emoji {
        Some(emoji) => reactions::refused(db, &job.tenant, &job.subject, target.message_seq, emoji),
        None => Ok(()),
    })
    .await
}
