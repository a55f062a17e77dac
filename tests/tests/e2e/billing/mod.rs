//! `GET /v1/billing/status`, set by the Platform API, and what it does to inboxes.

use serde_json::{Value, json};
use std::time::Duration;
use tests::{Answer, App, Tenant, unique, wait_for};

const STATUS: &str = "/v1/billing/status";

fn set(tenant: &Tenant, billing: Value) -> Answer {
    let path = format!("/platform/api/v1/accounts/{}", tenant.account);
    App::shared().platform().patch(&path, json!({"custom_attributes": {"billing": billing}}))
}

fn status(tenant: &Tenant) -> Value {
    tenant.key.get(STATUS).expect(200)
}

#[test]
fn without_a_subscription_everything_is_allowed() {
    let tenant = Tenant::new(App::shared());
    insta::assert_json_snapshot!(status(&tenant), @r#"
    {
      "active": true,
      "cancelAtPeriodEnd": false,
      "paymentIssue": false,
      "plan": "self_hosted",
      "status": "active",
      "trialAvailable": false
    }
    "#);
    assert_eq!(tenant.admin().client.get(STATUS).expect(200), status(&tenant));
    tenant.agent().client.get(STATUS).problem(403, "auth_authz_billing_read_denied");
}

#[test]
fn each_state_has_its_flags_and_its_effect_on_inboxes() {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    // status, active, payment issue, trial available
    let states = [
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
    for (state, active, issue, trial) in states {
        set(&tenant, json!({"status": state, "plan": "professional"})).expect(200);
        let expected = json!({
            "status": state, "active": active, "plan": "professional", "cancelAtPeriodEnd": false,
            "paymentIssue": issue, "trialAvailable": trial,
        });
        assert_eq!(status(&tenant), expected);
        let mark = match issue {
            true => json!({"state": "degraded", "reasons": ["payment_issue"]}),
            false => json!({"state": "active", "reasons": []}),
        };
        assert_eq!(
            tenant.key.get(&format!("/v1/inboxes/{}", inbox.id)).expect(200)["status"],
            mark,
            "{state}"
        );
        assert_eq!(tenant.key.get("/v1/inboxes").expect(200)["inboxes"][0]["status"], mark, "{state}");
        // Nothing is blocked.
        tenant.send_template(&inbox, &unique::phone());
    }
    // An inbox that is connected meanwhile is marked too.
    set(&tenant, json!({"status": "past_due"})).expect(200);
    let made = tenant.key.post("/v1/inboxes", json!({"text": {"name": "Website chat"}})).expect(200);
    assert_eq!(made["inboxes"][0]["status"]["reasons"], json!(["payment_issue"]));
    // Renaming it does not make the mark its own.
    let path = format!("/v1/inboxes/{}", inbox.id);
    tenant.key.patch(&path, json!({"name": "Renamed"})).expect(200);
    set(&tenant, Value::Null).expect(200);
    assert_eq!(tenant.key.get(&path).expect(200)["status"], json!({"state": "active", "reasons": []}));
    assert_eq!(status(&tenant)["plan"], "self_hosted");
}

#[test]
fn a_cancelled_period_and_a_trial_run_to_their_end() {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let soon = unique::time_in(1500);
    set(&tenant, json!({"status": "past_due", "cancel_at": soon})).expect(200);
    let before = status(&tenant);
    assert_eq!((&before["cancelAtPeriodEnd"], &before["cancelAt"]), (&json!(true), &json!(soon)));
    assert_eq!((&before["status"], &before["active"]), (&json!("past_due"), &json!(true)));
    let after = wait_for("the end of the period", Duration::from_secs(5), || {
        Some(status(&tenant)).filter(|status| status["status"] == "canceled")
    });
    let expected = json!({
        "status": "canceled", "active": false, "plan": "self_hosted", "cancelAtPeriodEnd": false,
        "paymentIssue": false, "trialAvailable": false,
    });
    assert_eq!(after, expected);
    assert_eq!(tenant.key.get(&format!("/v1/inboxes/{}", inbox.id)).expect(200)["status"]["state"], "active");

    let soon = unique::time_in(1500);
    set(&tenant, json!({"status": "trialing", "trial_ends_at": soon})).expect(200);
    let trial = status(&tenant);
    assert_eq!((&trial["active"], &trial["trialEndsAt"]), (&json!(true), &json!(soon)));
    let after = wait_for("the end of the trial", Duration::from_secs(5), || {
        Some(status(&tenant)).filter(|status| status["status"] == "paused")
    });
    assert_eq!((&after["active"], after.get("trialEndsAt")), (&json!(false), None));
}

#[test]
fn the_attribute_is_checked_kept_and_replaced_as_a_whole() {
    let tenant = Tenant::new(App::shared());
    let good = json!({"status": "trial_pending", "plan": "professional", "trial_available": false});
    let answer = set(&tenant, good.clone()).expect(200);
    assert_eq!(answer["custom_attributes"]["billing"], good);
    for (wrong, field) in [
        (json!("active"), ""),
        (json!({"plan": "professional"}), ""),
        (json!({"status": "free"}), ".status"),
        (json!({"status": "active", "plan": ""}), ".plan"),
        (json!({"status": "active", "cancel_at": "soon"}), ".cancel_at"),
        (json!({"status": "active", "trial_ends_at": 5}), ".trial_ends_at"),
        (json!({"status": "active", "trial_available": "yes"}), ".trial_available"),
    ] {
        let refused = set(&tenant, wrong).expect(422);
        assert_eq!(refused["attributes"], json!([format!("custom_attributes.billing{field}")]));
    }
    assert_eq!(
        (&status(&tenant)["status"], &status(&tenant)["trialAvailable"]),
        (&json!("trial_pending"), &json!(false))
    );
    // Another attribute leaves it alone; a new value forgets the plan of the old one.
    let path = format!("/platform/api/v1/accounts/{}", tenant.account);
    App::shared().platform().patch(&path, json!({"custom_attributes": {"seats": 5}})).expect(200);
    assert_eq!(status(&tenant)["plan"], "professional");
    set(&tenant, json!({"status": "active"})).expect(200);
    assert_eq!(status(&tenant)["plan"], "self_hosted");
    // A new account may bring it along.
    let account = json!({"name": unique::word(), "custom_attributes": {"billing": {"status": "free"}}});
    App::shared().platform().post("/platform/api/v1/accounts", account).expect(422);
}
