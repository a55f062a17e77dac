//! What tenants hear of: events become rows and webhook deliveries in the transaction of their cause.

use crate::webhooks;
use common::db::Db;
use common::time::Timestamp;
use common::{Problem, Result, background, id, params};
use serde::Serialize;
use serde_json::value::RawValue;

/// The published event types (contract section 12), in their order.
pub const TYPES: &[&str] = &[
    "contact.created",
    "contact.updated",
    "contact.archived",
    "conversation.started",
    "conversation.updated",
    "conversation.closed",
    "message.created",
    "message.updated",
];

/// Something that happened.
#[derive(Debug)]
pub struct Event {
    kind: &'static str,
    data: Box<RawValue>,
}

impl Event {
    /// `kind` is one of [`TYPES`]; `data` what the contract shows for it, such as `{"contact": …}`.
    pub fn new(kind: &'static str, data: &impl Serialize) -> Result<Self> {
        let data = serde_json::value::to_raw_value(data)
            .map_err(|error| Problem::internal(format!("the event {kind} is no JSON: {error}")))?;
        Ok(Event { kind, data })
    }
}

#[derive(Serialize)]
struct Row<'a> {
    id: String,
    kind: &'a str,
    /// JSON in a string: SQLite passes it on as it is.
    data: &'a str,
}

/// Whether an endpoint of the tenant lists any of these types: before many events are made.
pub fn are_wanted(db: &Db<'_>, tenant: &str, kinds: &[&str]) -> Result<bool> {
    let kinds = serde_json::to_string(kinds).unwrap_or_default();
    Ok(db.touches(
        "SELECT 1 FROM webhook_endpoints w WHERE w.tenant_id = ? AND EXISTS (
           SELECT 1 FROM json_each(w.event_types) t WHERE t.value IN (SELECT value FROM json_each(?)))",
        params![tenant, kinds],
    )?)
}

/// Writes events, in the transaction of their cause: one statement, whose trigger writes their deliveries. Events that
/// no endpoint of the tenant lists are not written.
///
/// The body (contract section 12) is made here, to the byte that is signed and sent, on every attempt the same. Its
/// `timestamp` is `now`, or that of the event before where a clock went back: their order is the order of the source.
pub fn emit(db: &Db<'_>, tenant: &str, now: Timestamp, events: &[Event]) -> Result<()> {
    let rows: Vec<Row<'_>> = events
        .iter()
        .map(|event| Row { id: id::new(id::Kind::Event), kind: event.kind, data: event.data.get() })
        .collect();
    let rows = serde_json::to_string(&rows).map_err(|error| Problem::internal(format!("event: {error}")))?;
    let added = db.touches(EMIT, params![tenant, now, webhooks::KEEP_MS, rows])?;
    if added {
        background::work_is_due();
    }
    Ok(())
}

const EMIT: &str = r#"
    INSERT INTO webhook_events (id, tenant_id, kind, created_at, expires_at, body)
    SELECT x.id, ?1, x.kind, x.at, x.at + ?3,
           '{"id":"' || x.id || '","type":"' || x.kind || '","timestamp":"'
             || strftime('%Y-%m-%dT%H:%M:%fZ', x.at / 1000.0, 'unixepoch') || '","data":' || x.data || '}'
      FROM (SELECT e.value ->> 'id' AS id, e.value ->> 'kind' AS kind, e.value ->> 'data' AS data,
                   max(?2, coalesce((SELECT l.created_at FROM webhook_events l
                                      WHERE l.tenant_id = ?1 ORDER BY l.seq DESC LIMIT 1), 0)) AS at
              FROM json_each(?4) e
             WHERE EXISTS (SELECT 1 FROM webhook_endpoints w
                            WHERE w.tenant_id = ?1 AND instr(w.event_types, '"' || (e.value ->> 'kind') || '"') > 0)) x
    RETURNING 1"#;
