//! Jobs of many short steps, each a transaction that also notes how far the job is: whoever takes it over after a
//! kill goes on behind the last step.

use crate::run::{self, Turn};
use common::time::{self, Timestamp};
use common::{Result, db};
use domain::jobs::{self, Job, Step};
use std::time::Duration;

/// How long a job works before others get their turn: ticks wait for it.
const TURN: Duration = Duration::from_secs(2);
/// Between two steps, so that other writers find the database free.
const PAUSE: Duration = Duration::from_millis(5);

/// Does steps until there are no more, or until the turn is over. A step gets what the one before left.
pub async fn run(job: &Job, step: impl Fn(&db::Db<'_>, &Job, Option<&str>) -> Result<Step>) -> Result<Turn> {
    let end = Timestamp::now().after(TURN);
    let mut left = job.payload.clone();
    loop {
        let until = Timestamp::now().after(run::lease().await);
        let turn = db::write(|db| {
            if !jobs::extend(db, job, until)? {
                return Ok(Some(Turn::Lost));
            }
            match step(db, job, left.as_deref())? {
                Step::Done => {
                    jobs::finish(db, job)?;
                    return Ok(Some(Turn::Done));
                }
                Step::More(next) => left = next,
            }
            // Due at once for whoever is next, when the turn is over.
            let now = Timestamp::now();
            let due = if now < end { until } else { now };
            match &left {
                Some(left) => jobs::advance(db, job, left, due)?,
                None => jobs::extend(db, job, due)?,
            };
            Ok((now >= end).then_some(Turn::Again))
        })
        .await?;
        if let Some(turn) = turn {
            return Ok(turn);
        }
        time::sleep(PAUSE).await;
    }
}
