//! `GET /v1/users/me/unread-count` and `/v1/users/me/unread-summary`.

use super::{Customer, badge};
use serde_json::json;
use tests::{App, Tenant};

#[test]
fn nothing_is_unread_at_first() {
    let tenant = Tenant::new(App::shared());
    assert_eq!(tenant.owner.client.get("/v1/users/me/unread-count").expect(200), json!({"unreadCount": 0}));
    assert_eq!(badge(&tenant.owner.client), (0, 0));
}

#[test]
fn software_has_no_badge() {
    let tenant = Tenant::new(App::shared());
    for path in ["/v1/users/me/unread-count", "/v1/users/me/unread-summary"] {
        tenant.key.get(path).problem(403, "auth_authz_user_read_self_denied");
        tenant.key_as("agent").get(path).problem(403, "auth_authz_user_read_self_denied");
    }
}

#[test]
fn what_is_nobodys_counts_for_all_and_what_is_assigned_for_one() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let (owner, agent) = (&tenant.owner, tenant.agent());
    let customer = Customer::writes(app, &tenant, &inbox, "Hello");
    let mut version = badge(&owner.client).1;
    let mut grown = |why: &str| {
        let now = badge(&owner.client).1;
        assert!(now > version, "{why}: {now} is not above {version}");
        version = now;
    };
    assert_eq!((badge(&owner.client).0, badge(&agent.client).0), (1, 1));
    customer.writes_again(app, &tenant, &inbox, "Are you there?");
    grown("a message");
    assert_eq!((badge(&owner.client).0, badge(&agent.client).0), (2, 2));
    customer.assign(&tenant.key, &agent.id);
    grown("an assignment");
    assert_eq!((badge(&owner.client).0, badge(&agent.client).0), (0, 2));
    // Not in the total, and still unread where one looks.
    assert_eq!(customer.details(&owner.client)["unreadCount"], 2);
    customer.reads(&agent.client, &customer.message(&tenant, "Hello"));
    grown("reading");
    assert_eq!(agent.client.get("/v1/users/me/unread-count").expect(200), json!({"unreadCount": 1}));
    customer.close(&tenant.key);
    grown("closing");
    assert_eq!((badge(&owner.client).0, badge(&agent.client).0), (0, 0));
    customer.writes_again(app, &tenant, &inbox, "Once more");
    grown("a new session");
    assert_eq!((badge(&owner.client).0, badge(&agent.client).0), (1, 1));
}

#[test]
fn totals_follow_teams() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let team = tenant.team("Support");
    tenant.key.put(&format!("/v1/inboxes/{}/team", inbox.id), json!({"teamId": team})).expect(200);
    Customer::writes(app, &tenant, &inbox, "Hello");
    let agent = tenant.agent();
    let (total, version) = badge(&agent.client);
    assert_eq!((total, badge(&tenant.owner.client).0), (0, 1));
    tenant.join(&team, agent);
    let joined = badge(&agent.client);
    assert!(joined.0 == 1 && joined.1 > version, "{joined:?} after {version}");
    tenant.key.delete(&format!("/v1/teams/{team}/agents/{}", agent.id)).expect(204);
    let left = badge(&agent.client);
    assert!(left.0 == 0 && left.1 > joined.1, "{left:?} after {joined:?}");
}
