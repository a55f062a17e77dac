//! The scheduler: does the work that outlives requests (DESIGN section 5).
//!
//! It is woken by the other components after they have answered, and by the clock's tick. The same code
//! runs in both cases. It is the only component that talks to providers and to tenants' webhooks, so it
//! alone holds their secrets and the right to reach the outside.

mod connections;
mod deliveries;
mod erase_contact;
mod fetch_media;
mod guard;
mod housekeeping;
mod import_contacts;
mod line;
mod long_work;
mod mark_read;
mod process_callback;
mod provider;
mod provider_reads;
mod run;
mod send_media;
mod send_message;
mod send_reaction;

use axum::Json as Answer;
use common::auth::Internal;
use common::routes::{Operation, Routes};
use common::{Result, background};
use http::StatusCode;

common::serve!(crate::routes);

/// The operations of this component.
pub fn routes() -> Routes {
    let routes = Routes::new("Scheduler")
        .add(
            Operation::post("/internal/tick", "tick")
                .internal()
                .summary("Do what is due")
                .describe(
                    "Works off due jobs for at most ten seconds, taking from each tenant in turn, and answers what \
                     was done and what still waits. Call it once a second from the clock, a Kubernetes CronJob or \
                     anything else that can reach a URL. Ticks may overlap: a job is claimed by one of them.",
                )
                .answers::<run::Report>(
                    200,
                    "What was done and what waits.",
                    r#"{"done": [{"kind": "send_message", "count": 2}], "retried": 0, "waiting": [{"kind": "release_message", "due": 0, "later": 1}], "webhookEndpointsDue": 0, "durationMs": 12}"#,
                ),
            tick,
        )
        .add(
            Operation::post("/internal/wake", "wake")
                .internal()
                .summary("Start what is due")
                .describe("Answers at once and works afterwards. Our own components call it when a job was added.")
                .answers_empty(202, "Started."),
            wake,
        );
    deliveries::verify::add(provider_reads::add(guard::add(routes)))
}

async fn wake(_: Internal) -> StatusCode {
    background::spawn(run::pump());
    background::spawn(deliveries::pump());
    StatusCode::ACCEPTED
}

async fn tick(_: Internal) -> Result<Answer<run::Report>> {
    housekeeping::run().await;
    deliveries::pump().await;
    run::tick().await.map(Answer)
}
