//! How endpoints are doing.

use super::settings::{self, DisabledReason, WebhookSettings};
use crate::events;
use common::Result;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::params;
use common::time::Timestamp;
use serde::Serialize;
use serde_json::json;
use std::time::Duration;
use utoipa::ToSchema;

/// Attempts that are looked at: the latest of the last day.
const SAMPLE: i64 = 1_000;
const SAMPLE_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// Deliveries of a backlog that are counted.
const BACKLOG_MAX: i64 = 10_000;

/// How an endpoint is doing, by its latest attempts: at most 1,000, of at most the last 24 hours.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookStats {
    #[schema(example = "whk_01HV8ZE2G9W4P6Q8T1A3C5E7G9")]
    pub endpoint_id: Option<String>,
    pub url: Option<String>,
    pub enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<DisabledReason>,
    /// Attempts looked at.
    #[schema(example = 1000)]
    pub attempts: i64,
    /// Share of them that succeeded, 0 to 1; absent without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 0.998)]
    pub success_rate: Option<f64>,
    /// Half of the exchanges took no longer, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 45)]
    pub p50_ms: Option<i64>,
    /// 99 of 100 exchanges took no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 310)]
    pub p99_ms: Option<i64>,
    /// Deliveries that wait, tries again included: at most 10,000 are counted.
    #[schema(example = 3)]
    pub backlog: i64,
    /// When the event happened that waits longest, of those counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_waiting_at: Option<Timestamp>,
    /// Failed attempts since the last success.
    #[schema(example = 0)]
    pub failures_in_a_row: i64,
    /// After many of them nothing is sent before this time; then one delivery tries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<Timestamp>,
}

struct State {
    failures: i64,
    open_until: Option<Timestamp>,
    backlog: i64,
    oldest: Option<Timestamp>,
}

impl FromRow for State {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(State {
            failures: row.take()?,
            open_until: row.take()?,
            backlog: row.take()?,
            oldest: row.take()?,
        })
    }
}

/// All endpoints of a tenant, oldest first.
pub fn list(db: &Db<'_>, tenant: &str) -> Result<Vec<WebhookStats>> {
    settings::list(db, tenant)?.into_iter().map(|endpoint| of(db, tenant, endpoint)).collect()
}

fn of(db: &Db<'_>, tenant: &str, endpoint: WebhookSettings) -> Result<WebhookStats> {
    let now = Timestamp::now();
    // The head of each range of the log's index, merged.
    let kinds: Vec<&str> = events::TYPES.to_vec();
    let sample = db.rows::<(i64, i64)>(
        "SELECT d.status, d.duration_ms FROM json_each(?1) k, json_each('[1, 2]') s JOIN webhook_deliveries d ON d.seq IN (
           SELECT r.seq FROM webhook_deliveries r
            WHERE r.endpoint_seq = ?2 AND r.kind = k.value AND r.status = s.value ORDER BY r.seq DESC LIMIT ?3)
          WHERE +d.tenant_id = ?4 AND d.attempted_at >= ?5 ORDER BY d.seq DESC LIMIT ?3",
        params![json!(kinds).to_string(), endpoint.seq, SAMPLE, tenant, now.before(SAMPLE_AGE)],
    )?;
    let state = db.row::<State>(
        "SELECT w.failures, w.open_until,
                (SELECT count(*) FROM (SELECT 1 FROM webhook_deliveries d
                                        WHERE d.endpoint_seq = w.seq AND d.kind IN (SELECT value FROM json_each(?1))
                                          AND d.status = 0 LIMIT ?2)),
                (SELECT e.created_at FROM webhook_events e WHERE e.seq = (
                   SELECT min(x.event_seq) FROM (SELECT d.event_seq FROM webhook_deliveries d
                                                  WHERE d.endpoint_seq = w.seq AND d.kind IN (SELECT value FROM json_each(?1))
                                                    AND d.status = 0 LIMIT ?2) x))
           FROM webhook_endpoints w WHERE w.seq = ?3 AND w.tenant_id = ?4",
        params![json!(kinds).to_string(), BACKLOG_MAX, endpoint.seq, tenant],
    )?;
    let succeeded = sample.iter().filter(|(status, _)| *status == 1).count();
    let mut durations: Vec<i64> = sample.iter().map(|(_, millis)| *millis).collect();
    durations.sort_unstable();
    #[allow(clippy::cast_precision_loss, reason = "at most a thousand")]
    let success_rate = (!sample.is_empty()).then(|| succeeded as f64 / sample.len() as f64);
    Ok(WebhookStats {
        endpoint_id: endpoint.id,
        url: endpoint.url,
        enabled: endpoint.enabled,
        disabled_reason: endpoint.disabled_reason,
        attempts: i64::try_from(sample.len()).unwrap_or_default(),
        success_rate,
        p50_ms: percentile(&durations, 50),
        p99_ms: percentile(&durations, 99),
        backlog: state.as_ref().map_or(0, |state| state.backlog),
        oldest_waiting_at: state.as_ref().and_then(|state| state.oldest),
        failures_in_a_row: state.as_ref().map_or(0, |state| state.failures),
        paused_until: state.and_then(|state| state.open_until).filter(|until| *until > now),
    })
}

/// The value that so many of a hundred do not exceed, of sorted ones.
fn percentile(sorted: &[i64], percent: usize) -> Option<i64> {
    let at = sorted.len().saturating_mul(percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_of_the_sample() {
        let hundred: Vec<i64> = (1..=100).collect();
        assert_eq!((percentile(&hundred, 50), percentile(&hundred, 99)), (Some(50), Some(99)));
        assert_eq!(
            (percentile(&[7], 50), percentile(&[7], 99), percentile(&[], 50)),
            (Some(7), Some(7), None)
        );
        assert_eq!(percentile(&[1, 2, 3], 99), Some(3));
    }
}
