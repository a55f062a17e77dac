//! A generic SMS gateway in the canonical form (channels section 7).

pub mod inbound;
pub mod send;

use crate::json::Node as Object;
use common::routes::{Operation, Routes};

/// The gateway's own path.
pub fn add(routes: Routes) -> Routes {
    routes.add(
        Operation::post("/sandbox/sms-gateway/send", "sandboxGatewaySend")
            .summary("Send an SMS through the generic gateway's sandbox")
            .describe(send::DESCRIPTION)
            .header(
                "Authorization",
                "`Bearer`, or HTTP Basic, or `X-Api-Key`: a secret that begins with `sandbox-`.",
            )
            .body::<Object>(send::MESSAGE)
            .answers::<Object>(200, "Accepted; reports follow.", send::ACCEPTED)
            .example_elsewhere("sandbox: it needs a secret"),
        send::send,
    )
}
