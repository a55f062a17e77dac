//! Control: looking at what happened and changing what will. Not the providers' paths; no credential is asked for.

pub mod accounts;
pub mod customer_messages;
pub mod handshake;
pub mod log;
pub mod raw;
pub mod templates;

use crate::delivery::Answer as Tried;
use crate::store::sends;
use axum::Json as Answer;
use common::auth::Internal;
use common::time::Timestamp;
use common::{Result, db};
use serde::Serialize;
use std::time::Duration;

/// How long accepted messages, calls and attempts are kept.
const KEEP: Duration = Duration::from_secs(24 * 60 * 60);
/// How many of each kind a tick forgets at most.
const FORGET: u32 = 1000;
/// Batches of callbacks that a tick sends at most.
const TICK_BATCHES: u32 = 16;

/// One try to deliver a callback.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SandboxDelivery)]
pub struct Delivery {
    /// The HTTP status of the answer; `null` where there was none.
    pub status: Option<u16>,
    /// Why there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl From<Tried> for Delivery {
    fn from(tried: Tried) -> Self {
        Delivery { status: tried.status, error: tried.error }
    }
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SandboxTicked)]
pub struct Ticked {
    /// Callbacks that were taken.
    pub delivered: u32,
    /// Callbacks that will be tried again.
    pub postponed: u32,
}

/// Sends what is due.
pub async fn tick(_: Internal) -> Result<Answer<Ticked>> {
    let done = crate::delivery::deliver_due(TICK_BATCHES).await?;
    let now = Timestamp::now();
    db::write(|db| sends::forget(db, now.before(KEEP), now, FORGET)).await?;
    Ok(Answer(Ticked { delivered: done.delivered, postponed: done.postponed }))
}
