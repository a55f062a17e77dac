//! `/readyz`: whether the server can work, and what its operator should know.

use axum::Json as Answer;
use common::outbound::Deadlines;
use common::routes::{Operation, Routes};
use common::{Problem, Result, db, internal};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// A probe waits no longer for what does not decide.
const DEADLINES: Deadlines = Deadlines {
    connect: Duration::from_secs(1),
    first_byte: Duration::from_secs(1),
    total: Duration::from_secs(1),
};
const NO_GUARD: &str = "Private networks are not blocked: a webhook whose name resolves to an inner address is \
                        delivered there. Start the server with --runtime-config-file runtime-config.toml.";

/// How the server is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    #[schema(example = "ready")]
    status: &'static str,
    /// Whether the runtime blocks private networks after it has resolved a name: `on`, `missing`, or `unknown` while
    /// the scheduler does not answer or may not try it.
    #[schema(example = "on")]
    webhook_guard: String,
    /// The variable that allows webhooks to this machine, where one is on: `sandbox` or `webhooks_local`.
    #[serde(skip_serializing_if = "Option::is_none")]
    webhooks_local: Option<String>,
    /// What should be put right; nothing that keeps the server from working.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<&'static str>,
}

/// What the scheduler says of the guard.
#[derive(Deserialize)]
struct Guard {
    guard: String,
    local: Option<String>,
}

pub fn add(routes: Routes) -> Routes {
    routes.add(
        Operation::get("/readyz", "getReadiness")
            .summary("Whether the server can work")
            .describe(
                "Reads from the database, bringing its schema up to date first: for readiness probes. Also says \
                 whether the runtime blocks private networks, the guard of webhooks; that it is missing is a warning \
                 and makes nobody unready.",
            )
            .answers::<Readiness>(200, "It can.", r#"{"status": "ready", "webhookGuard": "on"}"#),
        ready,
    )
}

async fn ready() -> Result<Answer<Readiness>> {
    let found = db::read(|db| Ok(db.row::<(i64,)>("SELECT count(*) FROM schema_migrations", &[])?)).await?;
    if found.is_none_or(|(count,)| count == 0) {
        return Err(Problem::unavailable("the database has no schema"));
    }
    let guard = guard().await.unwrap_or_else(|problem| {
        common::log!("guard of webhooks not known", problem = problem);
        Guard { guard: "unknown".into(), local: None }
    });
    Ok(Answer(readiness(guard)))
}

async fn guard() -> Result<Guard> {
    let answer = internal::read("/internal/guard", DEADLINES).await?;
    serde_json::from_slice(&answer).map_err(|error| Problem::internal(error.to_string()))
}

fn readiness(Guard { guard, local }: Guard) -> Readiness {
    // Who wants webhooks to this machine does without the guard on purpose.
    let is_warned = guard == "missing" && local.is_none();
    let warnings = if is_warned { vec![NO_GUARD] } else { Vec::new() };
    Readiness { status: "ready", webhook_guard: guard, webhooks_local: local, warnings }
}
