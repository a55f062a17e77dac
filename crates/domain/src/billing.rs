//! Billing: the state of a tenant's subscription (contract section 11).
//!
//! No payment processor is attached: whoever runs this server sets the state, by the custom attribute `billing` of
//! the account in the Platform API, and their own billing system may do it for them. What time does to it is worked
//! out when it is read, so nothing has to happen at the end of a trial or of a period.
//!
//! An inactive subscription blocks nothing; a payment issue marks the tenant's inboxes (see [`crate::inboxes`]).

use common::db::Db;
use common::problem::Violations;
use common::time::Timestamp;
use common::{Problem, Result, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// The custom attribute that holds a subscription.
pub const ATTRIBUTE: &str = "billing";
/// What an inbox is marked with.
pub const PAYMENT_ISSUE: &str = "payment_issue";
/// The plan of tenants for whom none was set.
const PLAN_DEFAULT: &str = "self_hosted";
/// Longest plan, in characters.
const PLAN_CHARS: usize = 100;

/// The states of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BillingSubscriptionStatus)]
pub enum Status {
    Unpaid,
    Initializing,
    TrialPending,
    Trialing,
    Active,
    PastDue,
    Paused,
    Incomplete,
    IncompleteExpired,
    Canceled,
}

impl Status {
    /// Whether usage is allowed: in a trial, while paid for, and while a late payment is still waited for.
    fn is_active(self) -> bool {
        matches!(self, Status::Trialing | Status::Active | Status::PastDue)
    }

    fn has_payment_issue(self) -> bool {
        matches!(self, Status::PastDue | Status::Unpaid | Status::Incomplete | Status::IncompleteExpired)
    }
}

/// The custom attribute `billing` of an account, in the words of the Platform API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    pub status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// When it ends: it was cancelled to the end of the period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_ends_at: Option<Timestamp>,
    /// Absent: only while the status is `trial_pending`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_available: Option<bool>,
}

/// The state of the tenant's subscription.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BillingStatusResponse)]
pub struct BillingStatus {
    pub status: Status,
    /// Whether usage is allowed now: while `trialing`, `active` or `past_due`.
    pub active: bool,
    #[schema(example = "professional")]
    pub plan: String,
    /// The subscription ends at `cancelAt`; until then it stays as it is.
    pub cancel_at_period_end: bool,
    /// Only while `cancelAtPeriodEnd`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_at: Option<Timestamp>,
    /// Only while `trialing`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trial_ends_at: Option<Timestamp>,
    /// A payment is late or failed: `past_due`, `unpaid`, `incomplete` or `incomplete_expired`.
    pub payment_issue: bool,
    /// Whether the self-service trial can still be started.
    pub trial_available: bool,
}

impl Default for Subscription {
    /// Nobody bills: everything is allowed.
    fn default() -> Self {
        Subscription {
            status: Status::Active,
            plan: None,
            cancel_at: None,
            trial_ends_at: None,
            trial_available: None,
        }
    }
}

impl Subscription {
    /// Reads the column of a tenant; without one nobody bills.
    pub(crate) fn read(json: Option<&str>) -> Result<Self> {
        json.map_or_else(
            || Ok(Subscription::default()),
            |json| {
                serde_json::from_str(json)
                    .map_err(|error| Problem::internal(format!("billing of a tenant: {error}")))
            },
        )
    }

    /// The status as time has made it: a period that was cancelled ends, and so does a trial, which pauses.
    fn status(&self, now: Timestamp) -> Status {
        let over = |end: Option<Timestamp>| end.is_some_and(|end| end <= now);
        match self.status {
            status if status.is_active() && over(self.cancel_at) => Status::Canceled,
            Status::Trialing if over(self.trial_ends_at) => Status::Paused,
            status => status,
        }
    }

    pub(crate) fn has_payment_issue(&self, now: Timestamp) -> bool {
        self.status(now).has_payment_issue()
    }

    fn at(&self, now: Timestamp) -> BillingStatus {
        let status = self.status(now);
        let cancel_at = self.cancel_at.filter(|_| status.is_active());
        BillingStatus {
            status,
            active: status.is_active(),
            plan: self.plan.clone().unwrap_or_else(|| PLAN_DEFAULT.into()),
            cancel_at_period_end: cancel_at.is_some(),
            cancel_at,
            trial_ends_at: self.trial_ends_at.filter(|_| status == Status::Trialing),
            payment_issue: status.has_payment_issue(),
            trial_available: self.trial_available.unwrap_or(status == Status::TrialPending),
        }
    }
}

/// The state of a tenant's subscription now.
pub fn status(db: &Db<'_>, tenant: &str) -> Result<BillingStatus> {
    let found =
        db.row::<(Option<String>,)>("SELECT t.billing FROM tenants t WHERE t.id = ?", params![tenant])?;
    let json = found.and_then(|(json,)| json);
    Ok(Subscription::read(json.as_deref())?.at(Timestamp::now()))
}

/// Checks the custom attribute of a request; `null` is none.
pub(crate) fn check(violations: &mut Violations, attribute: &Value) -> Option<Subscription> {
    if attribute.is_null() {
        return None;
    }
    let field = |name: &str| format!("custom_attributes.{ATTRIBUTE}{name}");
    let read = serde_path_to_error::deserialize::<_, Subscription>(attribute);
    let subscription = match read {
        Ok(subscription) => subscription,
        Err(error) => {
            let path = error.path().to_string();
            let name = if path == "." { String::new() } else { format!(".{path}") };
            violations.add(field(&name), error.into_inner().to_string());
            return None;
        }
    };
    if let Some(plan) = &subscription.plan {
        violations.text(&field(".plan"), plan, PLAN_CHARS);
    }
    Some(subscription)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn at(attribute: Value) -> BillingStatus {
        let mut violations = Violations::new();
        let read = check(&mut violations, &attribute);
        violations.finish().unwrap();
        read.unwrap().at(NOW)
    }

    fn refused(attribute: Value) -> Vec<String> {
        let mut violations = Violations::new();
        check(&mut violations, &attribute);
        violations.finish().unwrap_err().errors.into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn each_state_has_its_flags() {
        // status, active, payment issue, trial available
        let table = [
            ("unpaid", false, true, false),
            ("initializing", false, false, false),
            ("trial_pending", false, false, true),
            ("trialing", true, false, false),
            ("active", true, false, false),
            ("past_due", true, true, false),
            ("paused", false, false, false),
            ("incomplete", false, true, false),
            ("incomplete_expired", false, true, false),
            ("canceled", false, false, false),
        ];
        for (status, active, payment_issue, trial_available) in table {
            let shown = at(json!({ "status": status }));
            assert_eq!(serde_json::to_value(shown.status).unwrap(), status);
            assert_eq!(
                (shown.active, shown.payment_issue, shown.trial_available),
                (active, payment_issue, trial_available),
                "{status}"
            );
        }
        assert!(at(json!({"status": "canceled", "trial_available": true})).trial_available);
    }

    #[test]
    fn a_cancelled_period_runs_to_its_end() {
        let cancelled = |status: &str, millis: i64| {
            at(json!({"status": status, "cancel_at": Timestamp(millis), "plan": "professional"}))
        };
        let before = cancelled("active", 1_000_001);
        assert_eq!((before.status, before.cancel_at_period_end), (Status::Active, true));
        assert_eq!((before.cancel_at, before.plan.as_str()), (Some(Timestamp(1_000_001)), "professional"));
        let after = cancelled("past_due", 1_000_000);
        assert_eq!(
            (after.status, after.cancel_at_period_end, after.cancel_at),
            (Status::Canceled, false, None)
        );
        assert!(!after.active && !after.payment_issue);
        // What has ended otherwise is not ended again.
        let unpaid = cancelled("unpaid", 999_999);
        assert_eq!((unpaid.status, unpaid.cancel_at), (Status::Unpaid, None));
    }

    #[test]
    fn a_trial_that_is_over_pauses() {
        let trial = |millis: i64| at(json!({"status": "trialing", "trial_ends_at": Timestamp(millis)}));
        assert_eq!(
            (trial(1_000_001).status, trial(1_000_001).trial_ends_at),
            (Status::Trialing, Some(Timestamp(1_000_001)))
        );
        let over = trial(1_000_000);
        assert_eq!((over.status, over.active, over.trial_ends_at), (Status::Paused, false, None));
        assert_eq!(
            at(json!({"status": "active", "trial_ends_at": Timestamp(2_000_000)})).trial_ends_at,
            None
        );
    }

    #[test]
    fn without_a_subscription_everything_is_allowed() {
        let shown = Subscription::read(None).unwrap().at(NOW);
        assert_eq!((shown.status, shown.active, shown.plan.as_str()), (Status::Active, true, "self_hosted"));
        assert!(check(&mut Violations::new(), &Value::Null).is_none());
    }

    #[test]
    fn each_field_has_its_rule() {
        let field = |name: &str| vec![format!("custom_attributes.billing{name}")];
        assert_eq!(refused(json!("active")), field(""));
        assert_eq!(refused(json!({})), field(""));
        assert_eq!(refused(json!({"status": "free"})), field(".status"));
        assert_eq!(refused(json!({"status": "active", "plan": " "})), field(".plan"));
        assert_eq!(refused(json!({"status": "active", "plan": "x".repeat(101)})), field(".plan"));
        assert_eq!(refused(json!({"status": "active", "cancel_at": "soon"})), field(".cancel_at"));
        assert_eq!(refused(json!({"status": "active", "trial_available": 1})), field(".trial_available"));
        assert_eq!(refused(json!({"status": "active", "seats": 3})).len(), 1);
    }
}
