//! The events of the last week, for receivers that were away.

use super::queue;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::time::Timestamp;
use common::{Problem, Result, params};
use serde_json::json;
use serde_json::value::RawValue;

/// Events on a page when the caller names no number, and at most.
const LIMIT: u32 = 100;
const LIMIT_MAX: u32 = 500;
/// Bytes of events on a page: one is always on it.
const PAGE_BYTES: usize = 2 * 1024 * 1024;

struct Event {
    seq: i64,
    body: String,
}

impl FromRow for Event {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Event { seq: row.take()?, body: row.take()? })
    }
}

/// A page of events, oldest first, each as it is delivered.
#[derive(Debug)]
pub struct Events {
    pub events: Vec<Box<RawValue>>,
    /// Whether there are more after these.
    pub more: bool,
}

/// The events after one, or all that are kept.
pub fn after(db: &Db<'_>, tenant: &str, after: Option<&str>, limit: Option<u32>) -> Result<Events> {
    if limit == Some(0) {
        return Err(Problem::parameter("limit", "must be at least 1"));
    }
    let limit = limit.unwrap_or(LIMIT).min(LIMIT_MAX);
    let from = match after {
        None => 0,
        Some(id) => position(db, tenant, id)?,
    };
    let mut rows: Vec<Event> = db.rows(
        "SELECT seq, body FROM webhook_events
          WHERE tenant_id = ? AND seq > ? AND kind <> 'webhook.test' AND expires_at > ? ORDER BY seq LIMIT ?",
        params![tenant, from, Timestamp::now(), limit.saturating_add(1)],
    )?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut bytes = 0_usize;
    let fits = rows
        .iter()
        .take(wanted)
        .take_while(|row| {
            bytes = bytes.saturating_add(row.body.len());
            bytes <= PAGE_BYTES
        })
        .count()
        .max(1);
    let more = rows.len() > fits;
    rows.truncate(fits);
    let events = rows
        .into_iter()
        .map(|row| {
            RawValue::from_string(row.body)
                .map_err(|error| Problem::internal(format!("event {}: {error}", row.seq)))
        })
        .collect::<Result<_>>()?;
    Ok(Events { events, more })
}

fn position(db: &Db<'_>, tenant: &str, id: &str) -> Result<i64> {
    let found = db.row::<(i64,)>(
        "SELECT seq FROM webhook_events WHERE id = ? AND tenant_id = ? AND expires_at > ?",
        params![id, tenant, Timestamp::now()],
    )?;
    found.map(|(seq,)| seq).ok_or_else(|| {
        Problem::not_found("webhook event", id)
            .with_detail("There is no such event, or it is older than a week: without `after` the list begins with the oldest.")
    })
}

/// Deletes events and attempts that are past their week, a bounded piece of the oldest; answers how many.
pub fn forget(db: &Db<'_>, now: Timestamp, limit: u32) -> Result<usize> {
    // The head only: rows are in the order of their expiry but for those of a sandbox's clock.
    let mut deliveries: Vec<(i64, i64, Option<String>)> = db.rows(
        "DELETE FROM webhook_deliveries WHERE seq IN (
           SELECT seq FROM (SELECT seq, expires_at FROM webhook_deliveries ORDER BY seq LIMIT ?1) WHERE expires_at < ?2)
         RETURNING status, endpoint_seq, lane",
        params![limit, now],
    )?;
    let events = db.rows::<(String,)>(
        "DELETE FROM webhook_events WHERE seq IN (
           SELECT seq FROM (SELECT seq, expires_at FROM webhook_events ORDER BY seq LIMIT ?1) WHERE expires_at < ?2)
         RETURNING id",
        params![limit, now],
    )?;
    // Tries again came later than their event, and would outlive it.
    let ids: Vec<&str> = events.iter().map(|(id,)| id.as_str()).collect();
    deliveries.extend(db.rows::<(i64, i64, Option<String>)>(
        "DELETE FROM webhook_deliveries WHERE event_id IN (SELECT value FROM json_each(?)) AND status = 0
         RETURNING status, endpoint_seq, lane",
        params![json!(ids).to_string()],
    )?);
    // One that waited may have been the first of its lane.
    for (status, endpoint, lane) in &deliveries {
        if let (0, Some(lane)) = (status, lane)
            && !queue::is_busy(db, *endpoint, lane)?
        {
            queue::start_next(db, *endpoint, lane, now)?;
        }
    }
    Ok(deliveries.len().saturating_add(events.len()))
}
