//! Erasing what is left of a person: messages and files, a piece a transaction, so that writers need not wait.

use crate::run::Turn;
use common::time::{self, Timestamp};
use common::{Problem, Result, db};
use domain::contacts::lifecycle;
use domain::jobs::{self, Job};
use std::time::Duration;

/// Pieces of one turn; the rest has the next.
const PIECES: u32 = 20;
/// Between two pieces, so that other writers find the database free.
const PAUSE: Duration = Duration::from_millis(5);

pub async fn run(job: &Job) -> Result<Turn> {
    for _ in 0..PIECES {
        if db::write(|db| lifecycle::erase_step(db, &job.tenant, &job.subject)).await? {
            let own = db::write(|db| jobs::finish(db, job)).await?;
            return Ok(if own { Turn::Done } else { Turn::Lost });
        }
        time::sleep(PAUSE).await;
    }
    let own = db::write(|db| jobs::extend(db, job, Timestamp::now())).await?;
    if own { Ok(Turn::Again) } else { Err(Problem::internal("the lease of an erasure was lost")) }
}
