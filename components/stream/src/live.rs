//! The life of one stream: what its body gives the client, piece by piece.

use crate::hub::{self, Member};
use crate::slot::Step;
use crate::visit::Ticket;
use axum::body::Body;
use bytes::Bytes;
use common::auth::Credential;
use common::{db, time};
use domain::unread;
use std::convert::Infallible;
use std::time::Duration;

/// How long to wait when the database cannot be asked.
const PAUSE: Duration = Duration::from_secs(1);
/// How often in a row it may be so before the stream ends and the client connects again.
const FAILURES: u32 = 10;

/// What a stream was opened with; it is looked at again while the stream lasts.
pub enum Access {
    Credential(Credential),
    Ticket(Ticket),
}

struct Live {
    member: Member,
    access: Access,
    failures: u32,
}

/// The body of a stream: it lasts until the client leaves, its credential ends, or its time is over.
pub fn body(member: Member, access: Access) -> Body {
    let live = Live { member, access, failures: 0 };
    Body::from_stream(futures::stream::unfold(live, |mut live| async move {
        let piece = live.next().await?;
        Some((Ok::<_, Infallible>(piece), live))
    }))
}

impl Live {
    async fn next(&mut self) -> Option<Bytes> {
        let slot = self.member.slot().clone();
        loop {
            match slot.step() {
                Step::Tell(text) => return Some(text.into()),
                Step::End => return None,
                Step::Check => {
                    if !self.is_still_admitted().await {
                        return None;
                    }
                }
                Step::CatchUp => match hub::catch_up(&slot).await {
                    Ok(()) => self.failures = 0,
                    Err(problem) => {
                        common::log!("stream not served, tried again", problem = problem);
                        self.failures = self.failures.saturating_add(1);
                        if self.failures > FAILURES {
                            return None;
                        }
                        time::sleep(PAUSE).await;
                    }
                },
                Step::CountUnread => {
                    let Some(caller) = slot.state().caller.clone() else { continue };
                    match db::read(|db| unread::summary(db, &caller)).await {
                        Ok(unread) => slot.counted(unread),
                        Err(problem) => {
                            slot.count_again();
                            common::log!("unread messages not counted", problem = problem);
                        }
                    }
                }
                Step::Wait => hub::wait(&slot).await,
            }
        }
    }

    async fn is_still_admitted(&self) -> bool {
        let slot = self.member.slot();
        let problem = match &self.access {
            Access::Credential(credential) => match credential.check().await {
                Ok(caller) if caller.tenant == slot.tenant => {
                    slot.checked(&caller);
                    return true;
                }
                Ok(_) => return false,
                Err(problem) => problem,
            },
            Access::Ticket(ticket) => match ticket.check().await {
                Ok(_) => {
                    slot.admitted();
                    return true;
                }
                Err(problem) => problem,
            },
        };
        // The database is busy: whoever was good a moment ago is not thrown out for that.
        let is_ours = problem.status.is_server_error();
        if is_ours {
            slot.unchecked(PAUSE);
        }
        is_ours
    }
}
