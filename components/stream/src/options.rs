//! What a deployment may set, and this component's limits.

use common::settings;
use domain::streams::Limits;
use std::time::Duration;

/// How often an instance looks at the feed while it has streams. Half of it is what an event waits on average.
pub const LOOK: Duration = Duration::from_millis(100);
/// How often a silent stream finds out whether its client is still there.
pub const PROBE: Duration = Duration::from_secs(5);
/// How often a person's unread messages are counted at most.
pub const UNREAD: Duration = Duration::from_secs(1);
/// How long a place lasts without renewal.
pub const LEASE: Duration = Duration::from_secs(90);
/// How often places are renewed.
pub const RENEW: Duration = Duration::from_secs(30);
/// What may wait for one client, in bytes. Beyond it the client is told from the feed at its own pace.
pub const WAITING_BYTES: usize = 256 * 1024;
/// Rows told at a time.
pub const BATCH: u32 = 100;
/// How long clients are asked to wait before they connect again, in milliseconds.
pub const RETRY_MS: u32 = 1_000;

/// The variables.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Silence is broken after this.
    pub heartbeat: Duration,
    /// Credentials are checked again after this.
    pub recheck: Duration,
    /// A client that takes nothing for so long is cut off.
    pub stall: Duration,
    pub limits: Limits,
}

impl Options {
    pub async fn read() -> Self {
        let limits = Limits {
            per_tenant: number("stream_max_per_tenant", 1_000).await,
            per_person: number("stream_max_per_user", 100).await,
        };
        Options {
            heartbeat: milliseconds("stream_heartbeat_ms", 15_000).await,
            recheck: milliseconds("stream_recheck_ms", 25_000).await,
            stall: milliseconds("stream_stall_ms", 30_000).await,
            limits,
        }
    }
}

async fn number(name: &'static str, default: i64) -> i64 {
    settings::get(name).await.and_then(|text| text.parse().ok()).unwrap_or(default)
}

async fn milliseconds(name: &'static str, default: i64) -> Duration {
    Duration::from_millis(u64::try_from(number(name, default).await).unwrap_or_default().max(1))
}
