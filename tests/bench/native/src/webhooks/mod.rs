//! How fast webhooks are, measured from both ends.

pub mod deliver;
pub mod events;
pub mod receive;
pub mod tenants;

use crate::client::Failed;
use std::future::Future;
use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since 1970.
fn micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Runs something to its end on all cores.
fn run(work: impl Future<Output = Result<(), Failed>>) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(work).map_err(|error| -> Box<dyn std::error::Error> { error })
}

/// Runs so many workers side by side; the first error of any.
async fn side_by_side<F>(count: usize, worker: impl Fn() -> F) -> Result<(), Failed>
where
    F: Future<Output = Result<(), Failed>> + Send + 'static,
{
    let workers: Vec<_> = (0..count).map(|_| tokio::spawn(worker())).collect();
    for worker in workers {
        worker.await??;
    }
    Ok(())
}
