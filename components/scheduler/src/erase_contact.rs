//! Erasing what is left of a person: messages and files, a piece a transaction, so that writers need not wait.

use crate::long_work;
use crate::run::Turn;
use common::Result;
use domain::contacts::lifecycle;
use domain::jobs::Job;

pub async fn run(job: &Job) -> Result<Turn> {
    long_work::run(job, lifecycle::erase_step).await
}
