//! The log of attempts, newest first, and trying again by hand.

use super::queue;
use super::settings::{self, Which};
use crate::events;
use common::auth::Principal;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::page::{Binding, Key, Page, Position};
use common::time::Timestamp;
use common::{Problem, Result, id, params};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = WebhookAttemptStatus)]
pub enum Status {
    /// It waits for its time, or is being made.
    Pending,
    Succeeded,
    Failed,
}

impl Status {
    const ALL: [Status; 3] = [Status::Pending, Status::Succeeded, Status::Failed];

    fn number(self) -> i64 {
        match self {
            Status::Pending => 0,
            Status::Succeeded => 1,
            Status::Failed => 2,
        }
    }

    /// Reads a name; `None` for what is none.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "pending" => Some(Status::Pending),
            "succeeded" => Some(Status::Succeeded),
            "failed" => Some(Status::Failed),
            _ => None,
        }
    }
}

/// One attempt to deliver an event to an endpoint.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookAttempt {
    #[schema(example = "wha_01HV8ZE2G9W4P6Q8T1A3C5E7G9")]
    pub id: String,
    /// The `webhook-id`: the same for all attempts of an event.
    #[schema(example = "evt_01HV8ZE2G9W4P6Q8T1A3C5E7G9")]
    pub event_id: String,
    #[schema(example = "message.created")]
    pub event_type: String,
    /// Absent for tests of a URL that is not saved, and once the endpoint was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "whk_01HV8ZE2G9W4P6Q8T1A3C5E7G9")]
    pub endpoint_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    pub status: Status,
    /// From 1.
    #[schema(example = 1)]
    pub attempt_number: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 503)]
    pub response_status: Option<u16>,
    /// Why it failed, in plain words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 84)]
    pub duration_ms: Option<i64>,
    /// When it was put into the queue.
    pub created_at: Timestamp,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempted_at: Option<Timestamp>,
    /// Of a pending one: when it is due; absent while it waits behind others of its conversation or contact. Of a
    /// failed one: when the next is due; absent when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    #[serde(skip)]
    seq: i64,
}

/// One attempt with what went over the wire.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookAttemptDetails {
    #[serde(flatten)]
    pub attempt: WebhookAttempt,
    /// The body that is signed and sent, as text; absent once the event is past its week.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_body: Option<String>,
    /// Absent while it is pending.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<std::collections::BTreeMap<String, String>>)]
    pub request_headers: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<std::collections::BTreeMap<String, String>>)]
    pub response_headers: Option<Box<RawValue>>,
    /// The first 20 kB of the answer, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_body: Option<String>,
}

/// Of `webhook_deliveries d`.
const COLUMNS: &str = "d.seq, d.id, d.event_id, d.kind,
    (SELECT w.id FROM webhook_endpoints w WHERE w.seq = d.endpoint_seq),
    coalesce(d.url, (SELECT w.url FROM webhook_endpoints w WHERE w.seq = d.endpoint_seq)),
    d.status, d.number, d.response_status, d.error, d.duration_ms, d.created_at, d.attempted_at,
    CASE WHEN d.status = 0 THEN d.due_at ELSE d.next_attempt_at END";

impl FromRow for WebhookAttempt {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(WebhookAttempt {
            seq: row.take()?,
            id: row.take()?,
            event_id: row.take()?,
            event_type: row.take()?,
            endpoint_id: row.take()?,
            url: row.take()?,
            status: match row.take::<i64>()? {
                0 => Status::Pending,
                1 => Status::Succeeded,
                _ => Status::Failed,
            },
            attempt_number: row.take()?,
            response_status: row.take()?,
            error: row.take()?,
            duration_ms: row.take()?,
            created_at: row.take()?,
            attempted_at: row.take()?,
            next_attempt_at: row.take()?,
        })
    }
}

impl FromRow for WebhookAttemptDetails {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        let attempt = WebhookAttempt::from_row(row)?;
        let json = |text: Option<String>| text.and_then(|text| RawValue::from_string(text).ok());
        Ok(WebhookAttemptDetails {
            attempt,
            request_body: row.take()?,
            request_headers: json(row.take()?),
            response_headers: json(row.take()?),
            response_body: row.take()?,
        })
    }
}

/// Which attempts to list.
#[derive(Clone, Debug, Default)]
pub struct Filter<'a> {
    pub kind: Option<&'a str>,
    pub status: Option<Status>,
    pub endpoint: Option<&'a str>,
    pub event: Option<&'a str>,
}

/// A page of attempts and the token of the next.
///
/// Each filter is some ranges of an index, each in the order of the list: a page reads the head of each and merges
/// them, so its cost does not grow with the log.
pub fn list(
    db: &Db<'_>,
    tenant: &str,
    filter: &Filter<'_>,
    size: Option<u32>,
    token: Option<&str>,
) -> Result<(Vec<WebhookAttempt>, Option<String>)> {
    let binding = Binding::new(&[
        "listWebhookAttempts",
        tenant,
        filter.kind.unwrap_or_default(),
        &filter.status.map(|status| status.number().to_string()).unwrap_or_default(),
        filter.endpoint.unwrap_or_default(),
        filter.event.unwrap_or_default(),
    ]);
    let page = Page::new(size, token, binding)?;
    let before = match &page.after {
        Some(position) => position.seq,
        None => i64::MAX,
    };
    let endpoint = match filter.endpoint {
        Some(id) => settings::get(db, tenant, Which::Id(id))?.seq,
        None => 0,
    };
    let kinds: Vec<&str> = match filter.kind {
        Some(kind) => vec![kind],
        None => events::TYPES.iter().copied().chain([super::TEST]).collect(),
    };
    let statuses: Vec<i64> = match filter.status {
        Some(status) => vec![status.number()],
        None => Status::ALL.map(Status::number).to_vec(),
    };
    let sql = list_sql(filter.event.is_some(), endpoint != 0);
    let mut rows: Vec<WebhookAttempt> = db.rows(
        &sql,
        params![
            tenant,
            before,
            page.limit(),
            Timestamp::now(),
            endpoint,
            filter.event,
            json!(kinds).to_string(),
            json!(statuses).to_string()
        ],
    )?;
    let next = page.cut(&mut rows, |row| Position { key: Key::Number(row.seq), seq: row.seq });
    Ok((rows, next))
}

/// ?1 tenant, ?2 before, ?3 limit, ?4 now, ?5 endpoint or 0, ?6 event or NULL, ?7 kinds, ?8 statuses.
fn list_sql(of_event: bool, of_endpoint: bool) -> String {
    if of_event {
        // Few: the attempts of one event.
        return format!(
            "SELECT {COLUMNS} FROM webhook_deliveries d
              WHERE d.event_id = ?6 AND +d.tenant_id = ?1 AND +d.status IN (SELECT value FROM json_each(?8))
                AND +d.kind IN (SELECT value FROM json_each(?7)) AND +d.seq < ?2 AND d.expires_at > ?4
                AND (?5 = 0 OR +d.endpoint_seq = ?5)
              ORDER BY d.seq DESC LIMIT ?3"
        );
    }
    let of = if of_endpoint { "r.endpoint_seq = ?5" } else { "r.tenant_id = ?1 AND ?5 = 0" };
    // The `+` keeps SQLite from walking all of the tenant's attempts instead.
    format!(
        "SELECT {COLUMNS} FROM json_each(?7) k, json_each(?8) s JOIN webhook_deliveries d ON d.seq IN (
           SELECT r.seq FROM webhook_deliveries r
            WHERE {of} AND r.kind = k.value AND r.status = s.value AND r.seq < ?2 AND r.expires_at > ?4
            ORDER BY r.seq DESC LIMIT ?3)
          WHERE +d.tenant_id = ?1 AND ?6 IS NULL ORDER BY d.seq DESC LIMIT ?3"
    )
}

/// One attempt, whole.
pub fn get(db: &Db<'_>, tenant: &str, id: &str) -> Result<WebhookAttemptDetails> {
    let sql = format!(
        "SELECT {COLUMNS}, (SELECT e.body FROM webhook_events e WHERE e.seq = d.event_seq), d.request_headers,
                d.response_headers, d.response_body
           FROM webhook_deliveries d WHERE d.id = ? AND d.tenant_id = ? AND d.expires_at > ?"
    );
    db.row(&sql, params![id, tenant, Timestamp::now()])?
        .ok_or_else(|| Problem::not_found("webhook attempt", id))
}

/// Puts the event of an attempt into its endpoint's queue again, with the whole schedule before it; a delivery of it
/// that waits already is made now instead. Answers the pending attempt.
pub fn resend(db: &Db<'_>, caller: &Principal, id: &str) -> Result<WebhookAttempt> {
    let tenant = caller.tenant.as_str();
    let attempt = get(db, tenant, id)?.attempt;
    let found = db.row::<(i64, i64, bool)>(
        "SELECT d.event_seq, d.endpoint_seq, EXISTS (SELECT 1 FROM webhook_events e WHERE e.seq = d.event_seq)
           FROM webhook_deliveries d WHERE d.id = ? AND d.tenant_id = ?",
        params![id, tenant],
    )?;
    let endpoint = match &attempt.endpoint_id {
        Some(endpoint) if attempt.event_type != super::TEST => {
            settings::get(db, tenant, Which::Id(endpoint))?
        }
        Some(_) => {
            return Err(Problem::conflict(
                "webhook_test_not_resendable",
                "A test event is not resent: verify the webhook again.",
            ));
        }
        None => {
            return Err(Problem::conflict(
                "webhook_endpoint_removed",
                "The endpoint of this attempt is gone.",
            ));
        }
    };
    if !endpoint.enabled {
        return Err(Problem::conflict(
            "webhook_endpoint_disabled",
            "The endpoint of this attempt is switched off: enable it first.",
        ));
    }
    let Some((event_seq, endpoint_seq, true)) = found else {
        return Err(Problem::conflict(
            "webhook_event_expired",
            "The event of this attempt is past its week.",
        ));
    };
    let now = Timestamp::now();
    let waiting = db.row::<(String,)>(
        "UPDATE webhook_deliveries SET due_at = min(coalesce(due_at, ?1), ?1)
          WHERE event_id = ?2 AND endpoint_seq = ?3 AND tenant_id = ?4 AND status = 0
            AND (due_at IS NOT NULL OR lane IS NULL)
         RETURNING id",
        params![now, attempt.event_id, endpoint_seq, tenant],
    )?;
    let next = match waiting {
        Some((id,)) => id,
        None => queue_again(db, tenant, (event_seq, &attempt.event_id), endpoint_seq, now)?,
    };
    queue::hurry(db, endpoint_seq, now)?;
    Ok(get(db, tenant, &next)?.attempt)
}

/// One that waits in its lane stays the one.
fn queue_again(
    db: &Db<'_>,
    tenant: &str,
    (event_seq, event_id): (i64, &str),
    endpoint_seq: i64,
    now: Timestamp,
) -> Result<String> {
    let behind = db.row::<(String,)>(
        "SELECT id FROM webhook_deliveries WHERE event_id = ? AND endpoint_seq = ? AND tenant_id = ? AND status = 0",
        params![event_id, endpoint_seq, tenant],
    )?;
    if let Some((id,)) = behind {
        return Ok(id);
    }
    let id = id::new(id::Kind::WebhookAttempt);
    db.run(
        "INSERT INTO webhook_deliveries (id, tenant_id, endpoint_seq, event_seq, event_id, kind, due_at, created_at, expires_at)
         SELECT ?1, ?2, ?3, e.seq, e.id, e.kind, ?4, ?4, e.expires_at FROM webhook_events e WHERE e.seq = ?5 AND e.tenant_id = ?2",
        params![id, tenant, endpoint_seq, now, event_seq],
    )?;
    Ok(id)
}

/// The attempt of a test, as it is recorded.
pub struct Test<'a> {
    /// The saved endpoint, unless another URL was tested.
    pub endpoint_seq: i64,
    pub event: &'a str,
    pub body: &'a str,
    pub attempt: &'a super::queue::Attempt,
}

impl std::fmt::Debug for Test<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Test").field("event", &self.event).finish_non_exhaustive()
    }
}

/// Records a test and its event.
pub fn record_test(db: &Db<'_>, tenant: &str, test: &Test<'_>) -> Result<()> {
    let (attempt, now) = (test.attempt, Timestamp::now());
    let expires = now.after(super::KEEP);
    let event = db.row::<(i64,)>(
        "INSERT INTO webhook_events (id, tenant_id, kind, body, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)
         RETURNING seq",
        params![test.event, tenant, super::TEST, test.body, attempt.at, expires],
    )?;
    let status = if attempt.error.is_none() { Status::Succeeded } else { Status::Failed };
    Ok(db.run(
        "INSERT INTO webhook_deliveries
           (id, tenant_id, endpoint_seq, event_seq, event_id, kind, status, url, request_headers, response_status,
            response_headers, response_body, error, duration_ms, created_at, attempted_at, expires_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            id::new(id::Kind::WebhookAttempt),
            tenant,
            test.endpoint_seq,
            event.map_or(0, |(seq,)| seq),
            test.event,
            super::TEST,
            status.number(),
            attempt.url,
            attempt.request_headers,
            attempt.response_status,
            attempt.response_headers,
            attempt.response_body,
            attempt.error,
            attempt.duration_ms,
            now,
            attempt.at,
            expires
        ],
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_read_the_head_of_each_range_and_no_log() {
        let db = crate::tests::schema();
        for (of_event, of_endpoint) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut statement =
                db.prepare(&format!("EXPLAIN QUERY PLAN {}", list_sql(of_event, of_endpoint))).unwrap();
            let plan: Vec<String> = statement
                .query_map([rusqlite::types::Null; 8], |row| row.get(3))
                .unwrap()
                .map(Result::unwrap)
                .collect();
            let plan = plan.join("\n");
            let wanted = match (of_event, of_endpoint) {
                (true, _) => "SEARCH d USING INDEX webhook_deliveries_by_event (event_id=?",
                (false, true) => "webhook_deliveries_by_endpoint (endpoint_seq=? AND kind=? AND status=?",
                (false, false) => "webhook_deliveries_by_tenant (tenant_id=? AND kind=? AND status=?",
            };
            assert!(plan.contains(wanted), "{plan}");
            assert!(of_event || plan.contains("SEARCH d USING INTEGER PRIMARY KEY"), "{plan}");
            assert!(!plan.contains("SCAN d") && !plan.contains("SCAN r"), "{plan}");
        }
    }
}
