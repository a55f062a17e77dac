//! Reading the log of attempts.

use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;
use tests::client::text;
use tests::{App, Tenant, wait_for};

pub const MINUTE: f64 = 60.0;
pub const HOUR: f64 = 60.0 * MINUTE;
/// Between the end of an attempt and the noting of its outcome, in seconds, on a busy machine.
const SLACK: f64 = 3.0;
/// A receiver may take fifteen seconds.
const OUTCOME: Duration = Duration::from_secs(30);

/// A tenant whose new contacts are told to one URL.
pub struct Watched {
    pub tenant: Tenant,
    pub secret: String,
}

impl Watched {
    pub fn at(url: &str) -> Self {
        Self::of(App::shared(), url)
    }

    pub fn of(app: &App, url: &str) -> Self {
        let tenant = Tenant::new(app);
        let settings = json!({"enabled": true, "url": url, "eventTypes": ["contact.created"]});
        tenant.key.patch("/v1/webhooks", settings).expect(200);
        let keys = tenant.key.get("/v1/webhooks/signing-keys").expect(200);
        Watched { tenant, secret: text(&keys["signingKeys"][0], "plaintextKey") }
    }

    /// An event.
    pub fn happen(&self) {
        self.tenant.key.post("/v1/contacts", json!({})).expect(201);
    }

    /// Time passes for this tenant.
    pub fn pass(&self, seconds: f64) {
        let step = json!({"tenantId": self.tenant.id, "advanceSeconds": seconds as i64});
        self.tenant.key.post("/sandbox/clock", step).expect(200);
    }

    /// Attempts that were made, newest first.
    pub fn attempts(&self) -> Vec<Value> {
        let page = self.tenant.key.get("/v1/webhooks/attempts?limit=100").expect(200);
        let all = page["attempts"].as_array().unwrap().iter();
        all.filter(|attempt| attempt["status"] != "pending").cloned().collect()
    }

    /// An event, and the outcome of its first attempt.
    pub fn first_outcome(&self) -> Value {
        self.happen();
        self.outcome(1)
    }

    /// The outcome of the attempt of this number, counted over all events.
    pub fn outcome(&self, number: usize) -> Value {
        wait_for("the outcome of an attempt", OUTCOME, || {
            let attempts = self.attempts();
            attempts.len().checked_sub(number).map(|at| attempts[at].clone())
        })
    }

    /// All that is known of an attempt.
    pub fn details(&self, attempt: &Value) -> Value {
        self.tenant.key.get(&format!("/v1/webhooks/attempts/{}", text(attempt, "id"))).expect(200)
    }

    /// The next attempt comes after a gap of the schedule, with its jitter of a fifth.
    #[track_caller]
    pub fn assert_next_after(&self, attempt: &Value, gap: f64) {
        self.assert_next_between(attempt, gap * 0.8, gap * 1.2);
    }

    /// The next attempt comes so many seconds after the end of this one.
    #[track_caller]
    pub fn assert_next_between(&self, attempt: &Value, least: f64, most: f64) {
        let wait = next_after(attempt);
        assert!(
            (least - 0.01..=most + SLACK).contains(&wait),
            "after {wait} s, not {least} to {most}: {attempt}"
        );
    }
}

/// Seconds from the end of an attempt to the next.
#[track_caller]
pub fn next_after(attempt: &Value) -> f64 {
    let time = |name: &str| -> Timestamp { text(attempt, name).parse().unwrap() };
    let took = attempt["durationMs"].as_f64().unwrap() / 1e3;
    time("nextAttemptAt").duration_since(time("attemptedAt")).as_secs_f64() - took
}
