//! `/internal/guard`: whether the runtime keeps requests off private networks after it has resolved a name, which
//! nothing here can do (`runtime-config.toml`). Asked by `/readyz`, which may not reach the outside itself.

use axum::Json as Answer;
use common::auth::Internal;
use common::outbound::{self, Deadlines};
use common::routes::{Operation, Routes};
use common::settings;
use common::time::Timestamp;
use serde::Serialize;
use std::cell::Cell;
use std::time::Duration;
use utoipa::ToSchema;

/// A port of this machine where nobody listens. Over https: the manifest allows that to every host, so only the
/// blocked networks can stand in the way.
const PROBE: &str = "https://127.0.0.1:1/";
const DEADLINES: Deadlines = Deadlines {
    connect: Duration::from_millis(500),
    first_byte: Duration::from_millis(500),
    total: Duration::from_millis(500),
};
/// How long an answer holds: only another start of the server changes it.
const KEEP: Duration = Duration::from_secs(60);

thread_local! {
    static LAST: Cell<Option<(Timestamp, State)>> = const { Cell::new(None) };
}

/// What stands between a webhook's name and the network of this server.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = WebhookGuardState)]
enum State {
    On,
    Missing,
    /// The probe did not get as far as the guard.
    Unknown,
}

/// The guard, and who wants to do without.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebhookGuardReport)]
pub struct Report {
    guard: State,
    /// The variable that allows webhooks to this machine: `sandbox` or `webhooks_local`.
    #[serde(skip_serializing_if = "Option::is_none")]
    local: Option<&'static str>,
}

pub fn add(routes: Routes) -> Routes {
    routes.add(
        Operation::get("/internal/guard", "readWebhookGuard")
            .internal()
            .summary("Whether requests to private networks are blocked")
            .describe(
                "Tries to reach a closed port of this machine and tells by the error whether the runtime blocks \
                 private networks. The answer holds for a minute.",
            )
            .answers::<Report>(200, "Whether the guard is on.", r#"{"guard": "on"}"#),
        read,
    )
}

async fn read(_: Internal) -> Answer<Report> {
    Answer(Report { guard: state().await, local: settings::webhooks_local().await })
}

async fn state() -> State {
    let now = Timestamp::now();
    if let Some((at, state)) = LAST.get()
        && now < at.after(KEEP)
    {
        return state;
    }
    let state = probe().await;
    LAST.set(Some((now, state)));
    state
}

/// Whether the guard kept the probe from leaving. An answer, a refused connection and silence all mean that it left.
async fn probe() -> State {
    let Ok(request) = http::Request::get(PROBE).body(Vec::new()) else { return State::Unknown };
    match outbound::send(request, DEADLINES).await {
        Err(error) if error.is_prohibited() => State::On,
        Err(error) if error.is_denied() => State::Unknown,
        _ => State::Missing,
    }
}
