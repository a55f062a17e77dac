//! What tenants hear of: events become webhook deliveries in the transaction of their cause.

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

/// The body that a receiver gets (contract section 12). Its `id` stays the same over retries.
#[derive(Serialize)]
struct Payload<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    timestamp: Timestamp,
    data: &'a RawValue,
}

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    kind: &'a str,
    payload: String,
}

/// Whether the tenant's webhook is enabled and asks for any of these types: before many events are made.
pub fn are_wanted(db: &Db<'_>, tenant: &str, kinds: &[&str]) -> Result<bool> {
    let kinds = serde_json::to_string(kinds).unwrap_or_default();
    Ok(db.touches(
        "SELECT 1 FROM webhooks w WHERE w.tenant_id = ? AND w.enabled = 1 AND EXISTS (
           SELECT 1 FROM json_each(w.event_types) t WHERE t.value IN (SELECT value FROM json_each(?)))",
        params![tenant, kinds],
    )?)
}

/// Hands events to the tenant's webhook, if it is enabled and asks for their types: one statement.
pub fn emit(db: &Db<'_>, tenant: &str, now: Timestamp, events: &[Event]) -> Result<()> {
    let ids: Vec<String> = events.iter().map(|_| id::new(id::Kind::Event)).collect();
    let mut rows = Vec::with_capacity(events.len());
    for (event, id) in events.iter().zip(&ids) {
        let payload = Payload { id, kind: event.kind, timestamp: now, data: &event.data };
        let payload =
            serde_json::to_string(&payload).map_err(|error| Problem::internal(format!("event: {error}")))?;
        rows.push(Row { id, kind: event.kind, payload });
    }
    let rows = serde_json::to_string(&rows).map_err(|error| Problem::internal(format!("event: {error}")))?;
    let added = db.touches(
        "INSERT INTO jobs (tenant_id, kind, subject, payload, due_at, created_at)
         SELECT w.tenant_id, 'deliver_webhook', e.value ->> 'id', e.value ->> 'payload', ?2, ?2
           FROM webhooks w, json_each(?3) e
          WHERE w.tenant_id = ?1 AND w.enabled = 1
            AND EXISTS (SELECT 1 FROM json_each(w.event_types) t WHERE t.value = e.value ->> 'kind')
         RETURNING 1",
        params![tenant, now, rows],
    )?;
    if added {
        background::work_is_due();
    }
    Ok(())
}
