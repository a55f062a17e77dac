//! `/v1/billing`: the state of the tenant's subscription (contract section 11).

use axum::Json as Answer;
use common::auth::{Principal, Role};
use common::routes::{Operation, Routes};
use common::{Result, db};
use domain::billing::{self, BillingStatus};

common::serve!(crate::routes);

/// The operations of this component.
pub fn routes() -> Routes {
    Routes::new("Billing").add(
        Operation::get("/v1/billing/status", "getBillingStatus")
            .tenant(&["billing:read"], Role::ADMINS)
            .summary("Read the subscription state of the workspace with its access and payment flags")
            .describe(
                "No payment processor is attached: who runs this server sets the state by the custom attribute `billing` \
                 of the account in the Platform API, and without it everything is allowed (`active`, plan \
                 `self_hosted`). `active` is true while `trialing`, `active` or `past_due`; `paymentIssue` while \
                 `past_due`, `unpaid`, `incomplete` or `incomplete_expired`, and every inbox is shown as `degraded` with \
                 the reason `payment_issue` then. Nothing is blocked: messages go out in every state. At `cancelAt` the \
                 state becomes `canceled`; a trial that ends becomes `paused`.",
            )
            .answers::<BillingStatus>(200, "The state of the subscription.", STATUS),
        read,
    )
}

const STATUS: &str = r#"{
  "status": "active", "active": true, "plan": "professional", "cancelAtPeriodEnd": false, "paymentIssue": false,
  "trialAvailable": false
}"#;

async fn read(caller: Principal) -> Result<Answer<BillingStatus>> {
    db::read(|db| billing::status(db, &caller.tenant)).await.map(Answer)
}
