//! Working off an import: the file is read once to count its rows, then batch by batch (`domain::imports`).

use crate::run::{self, Turn};
use crate::send_message::end;
use common::time::{self, Timestamp};
use common::{Problem, Result, db};
use domain::imports::source::{Source, Trouble};
use domain::imports::{self, BATCH_ROWS, COLUMNS_MAX, Import, Layout, State, columns};
use domain::jobs::{self, Job};
use std::time::Duration;

/// How long an import works before others get their turn: ticks wait for it.
const TURN: Duration = Duration::from_secs(2);
/// Between two batches, so that other writers find the database free.
const PAUSE: Duration = Duration::from_millis(5);
/// Rows that are counted at a time.
const COUNTED: usize = 5000;
/// Tries after errors of ours before an import counts as failed.
const TRIES: i64 = 8;
const ENDLESS: &str = "A row is longer than 4 MiB: is a quote never closed?";
const BROKEN: &str = "The file could not be read to its end. Send it again.";

/// An import job's turn.
pub async fn run(job: &Job) -> Result<Turn> {
    let found = db::read(|db| match imports::find(db, &job.tenant, &job.subject) {
        Ok(import) => Ok(Some(import)),
        Err(problem) if problem.status == 404 => Ok(None),
        Err(problem) => Err(problem),
    });
    let open = |import: &Import| matches!(import.state, State::Pending | State::Processing);
    let Some(mut import) = found.await?.filter(open) else {
        return end(job, |_| Ok(())).await;
    };
    match work(job, &mut import).await {
        Err(Trouble::EndlessRow) => end(job, |db| imports::fail(db, &import, ENDLESS)).await,
        Err(Trouble::Ours(problem)) if job.number() >= TRIES => {
            common::log!("import given up", import = import.id, problem = problem);
            end(job, |db| imports::fail(db, &import, BROKEN)).await
        }
        Err(Trouble::Ours(problem)) => Err(problem),
        Ok(turn) => Ok(turn),
    }
}

async fn work(job: &Job, import: &mut Import) -> Result<Turn, Trouble> {
    let over = Timestamp::now().after(TURN);
    if import.state == State::Pending
        && let Some(turn) = prepare(job, import).await?
    {
        return Ok(turn);
    }
    let mut source = import.source();
    loop {
        let records = source.rows(BATCH_ROWS).await?;
        let (now, lease) = (Timestamp::now(), run::lease().await);
        // Due at once for whoever is next, when the turn is over.
        let due = if now < over { now.after(lease) } else { now };
        let turn = db::write(|db| {
            let is_end = records.is_empty();
            let own = if is_end { jobs::finish(db, job)? } else { jobs::extend(db, job, due)? };
            if !own {
                return Ok(Some(Turn::Lost));
            }
            import.work_off(db, &records, source.position())?;
            Ok(if is_end { Some(Turn::Done) } else { (now >= over).then_some(Turn::Again) })
        })
        .await?;
        if let Some(turn) = turn {
            return Ok(turn);
        }
        time::sleep(PAUSE).await;
    }
}

/// Reads the file to its end, to say how many rows there are before any of them counts. `Some` where that was all.
async fn prepare(job: &Job, import: &mut Import) -> Result<Option<Turn>, Trouble> {
    let mut source = import.source();
    let layout = layout(&mut source).await?;
    let rows = count(job, &mut source).await?;
    let until = Timestamp::now().after(run::lease().await);
    let turn = db::write(|db| {
        if !jobs::extend(db, job, until)? {
            return Ok(Some(Turn::Lost));
        }
        if import.prepared(db, layout, rows)? {
            return Ok(None);
        }
        jobs::finish(db, job)?;
        Ok(Some(Turn::Done))
    })
    .await?;
    Ok(turn)
}

async fn layout(source: &mut Source) -> Result<Layout, Trouble> {
    let line = source.first_line().await?;
    let (separator, is_note) = columns::separator(&line);
    source.set_separator(separator);
    if is_note {
        source.skip(line.len());
    }
    let first = source.rows(1).await?;
    let header = first.first().map(|record| {
        // One more than there may be is enough to tell.
        record.iter().take(COLUMNS_MAX + 1).map(|cell| cell.trim().to_string()).collect()
    });
    Ok(Layout { separator, header: header.unwrap_or_default(), position: source.position() })
}

async fn count(job: &Job, source: &mut Source) -> Result<i64, Trouble> {
    let mut rows = 0_i64;
    let half_lease = run::half_lease().await;
    let mut leased = Timestamp::now();
    loop {
        let found = source.rows(COUNTED).await?.len();
        if found == 0 {
            return Ok(rows);
        }
        rows = rows.saturating_add(i64::try_from(found).unwrap_or(i64::MAX));
        let now = Timestamp::now();
        if now > leased.after(half_lease) {
            let until = now.after(run::lease().await);
            if !db::write(|db| jobs::extend(db, job, until)).await? {
                return Err(Problem::unavailable("the lease of an import was lost").into());
            }
            leased = now;
        }
        time::sleep(Duration::from_millis(1)).await;
    }
}
