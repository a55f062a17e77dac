//! `POST /sandbox/clock`: moving a tenant's clock forward, so that nobody waits for days.
//!
//! The product itself knows one clock, the machine's. Moving a tenant's forward by some time means moving what is
//! stored of that tenant back by it: what was due in that time is due now, what expired in it has expired.

use axum::Json as Answer;
use common::db::Db;
use common::input::Json;
use common::problem::Violations;
use common::{Problem, Result, background, db, params};
use serde::{Deserialize, Serialize};

/// The longest step: 400 days.
const SECONDS_MAX: i64 = 400 * 24 * 60 * 60;

pub const DESCRIPTION: &str = "\
Moves a tenant's clock forward: everything below is moved back by so many seconds, in one transaction, and the \
scheduler is woken. Clocks only go forward; steps add up. What moves:

- jobs that wait (sends, retries, scheduled messages, given-up outcomes) and the pace of inboxes; jobs that are \
running keep their lease
- webhook deliveries that wait, how long an endpoint has been failing, and the week that events and attempts are kept
- scheduled sends (`sendAt`) that are pending
- the messaging windows: the latest customer message of each conversation and inbox
- what the providers remember of our files (30 days), and templates that are cached
- results kept for an `Idempotency-Key` (24 hours), expiries of API keys and of webhook signing keys
- in the sandbox, for the tenant's inboxes: the providers' windows, media ids and URLs (7 and 30 days, 5 minutes), \
limits counted from sends, and callbacks that wait

What does not move: times that are shown of the past (`createdAt` and the like), and tokens that carry their expiry \
in themselves, such as user tokens and signed media links. Local only: exists where the variable `sandbox` is `on`, and \
asks for no credential.";

pub const EXAMPLE: &str = r#"{"tenantId": "tn_01HV8YG6KX3Y5A2DJ95C0GX8V1", "advanceSeconds": 86400}"#;
pub const MOVED: &str = r#"{"tenantId": "tn_01HV8YG6KX3Y5A2DJ95C0GX8V1", "advancedSeconds": 86400}"#;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SandboxClock)]
pub struct Clock {
    pub tenant_id: String,
    /// 1 to 34,560,000: up to 400 days.
    pub advance_seconds: i64,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SandboxClockMoved)]
pub struct Moved {
    pub tenant_id: String,
    pub advanced_seconds: i64,
}

/// What moves of the tenant `?1`, each by `?2` milliseconds.
const STATEMENTS: &[&str] = &[
    "UPDATE jobs SET due_at = due_at - ?2 WHERE tenant_id = ?1 AND due_at IS NOT NULL AND NOT running",
    "UPDATE jobs SET slot_at = slot_at - ?2, created_at = created_at - ?2 WHERE tenant_id = ?1 AND NOT running",
    "UPDATE inbox_pace SET paused_until = max(paused_until - ?2, 0), slowed_at = max(slowed_at - ?2, 0),
            next_slot_us = max(next_slot_us - ?2 * 1000, 0), probe_at = max(probe_at - ?2, 0), cleared_at = max(cleared_at - ?2, 0)
      WHERE inbox_seq IN (SELECT seq FROM inboxes WHERE tenant_id = ?1)",
    "UPDATE messages SET send_at = send_at - ?2
      WHERE tenant_id = ?1 AND status = 0 AND direction = 'out' AND send_at IS NOT NULL",
    "UPDATE contact_inboxes SET last_inbound_at = last_inbound_at - ?2
      WHERE tenant_id = ?1 AND last_inbound_at IS NOT NULL",
    "UPDATE media_uploads SET expires_at = expires_at - ?2
      WHERE media_seq IN (SELECT seq FROM media WHERE tenant_id = ?1)",
    "UPDATE whatsapp_templates SET read_at = read_at - ?2
      WHERE inbox_seq IN (SELECT seq FROM inboxes WHERE tenant_id = ?1)",
    "UPDATE idempotency_keys SET expires_at = expires_at - ?2 WHERE tenant_id = ?1",
    "UPDATE api_keys SET expires_at = expires_at - ?2 WHERE tenant_id = ?1 AND expires_at IS NOT NULL",
    "UPDATE webhook_keys SET expires_at = expires_at - ?2 WHERE tenant_id = ?1 AND expires_at IS NOT NULL",
    "UPDATE webhook_endpoints SET next_due_at = next_due_at - ?2, open_until = open_until - ?2, failing_since = failing_since - ?2
      WHERE tenant_id = ?1",
    "UPDATE webhook_deliveries SET due_at = due_at - ?2, expires_at = expires_at - ?2 WHERE tenant_id = ?1",
    "UPDATE webhook_events SET expires_at = expires_at - ?2 WHERE tenant_id = ?1",
    "UPDATE sandbox_people SET last_inbound_at = last_inbound_at - ?2
      WHERE last_inbound_at IS NOT NULL AND account IN (SELECT external_id FROM inboxes WHERE tenant_id = ?1)",
    "UPDATE sandbox_sends SET received_at = received_at - ?2
      WHERE account IN (SELECT external_id FROM inboxes WHERE tenant_id = ?1)",
    "UPDATE sandbox_media SET expires_at = expires_at - ?2, url_expires_at = url_expires_at - ?2
      WHERE account IN (SELECT external_id FROM inboxes WHERE tenant_id = ?1)",
    "UPDATE sandbox_callbacks SET due_at = due_at - ?2, try_at = try_at - ?2
      WHERE attempts = 0 AND account IN (SELECT external_id FROM inboxes WHERE tenant_id = ?1)",
];

/// Moves the clock.
pub async fn advance(Json(body): Json<Clock>) -> Result<Answer<Moved>> {
    let mut violations = Violations::new();
    violations.check(
        (1..=SECONDS_MAX).contains(&body.advance_seconds),
        "advanceSeconds",
        "must be between 1 and 34560000",
    );
    violations.finish()?;
    let millis = body.advance_seconds.saturating_mul(1000);
    db::write(|db| move_back(db, &body.tenant_id, millis)).await?;
    background::work_is_due();
    crate::delivery::drive(vec![common::time::Timestamp::now()]);
    Ok(Answer(Moved { tenant_id: body.tenant_id, advanced_seconds: body.advance_seconds }))
}

fn move_back(db: &Db<'_>, tenant: &str, millis: i64) -> Result<()> {
    if !db.touches("SELECT 1 FROM tenants WHERE id = ?", params![tenant])? {
        return Err(Problem::not_found("tenant", tenant));
    }
    for statement in STATEMENTS {
        db.run(statement, params![tenant, millis])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_statement_runs_on_the_schema() {
        let db = rusqlite::Connection::open_in_memory().unwrap();
        for (_, file) in common::migrations::FILES {
            for statement in common::migrations::statements(file) {
                db.execute_batch(&statement).unwrap();
            }
        }
        for statement in STATEMENTS {
            db.execute(statement, rusqlite::params!["tn_1", 1000])
                .unwrap_or_else(|e| panic!("{e}: {statement}"));
        }
    }
}
