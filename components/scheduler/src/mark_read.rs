//! Telling a customer on WhatsApp that their message was read. Whoever gets it twice sees no difference, and one
//! that cannot be told is dropped: it is a courtesy.

use crate::connections;
use crate::line::{self, Refusal};
use crate::run::Turn;
use crate::send_message::end;
use common::outbound::{self, SendError};
use common::{Result, db};
use domain::jobs::Job;
use domain::outgoing;
use providers::whatsapp;

/// A job's turn.
pub async fn run(job: &Job) -> Result<Turn> {
    let done = || end(job, |_| Ok(()));
    let Some(read) = db::read(|db| outgoing::load(db, &job.tenant, &job.subject)).await? else {
        return done().await;
    };
    // The one try that a refused inbox has now and then is for messages.
    if read.alerted || read.contact_is_gone {
        return done().await;
    }
    if read.paced
        && let Some(turn) = line::wait_for_turn(job, &read.inbox).await?
    {
        return Ok(turn);
    }
    let (Some(message_id), Some(sender)) = (&read.provider_id, connections::graph(&read.inbox).await?) else {
        return done().await;
    };
    let Ok(request) = whatsapp::mark_read(&sender, message_id, false) else { return done().await };
    match outbound::send(request, line::deadlines().await).await {
        Ok(answer) => {
            let (status, headers, body) = (answer.status().as_u16(), answer.headers(), answer.body());
            match whatsapp::read_mark_answer(status, headers, body) {
                Ok(()) => done().await,
                Err(failure) => match line::refused(job, &read.inbox, &failure).await? {
                    Refusal::Turn(turn) => Ok(turn),
                    Refusal::Final => done().await,
                },
            }
        }
        Err(SendError::NotSent(why) | SendError::Unknown(why)) => match line::not_reached(job, &why).await? {
            Some(turn) => Ok(turn),
            None => done().await,
        },
    }
}
