//! Who hears what, and for how long.

use super::{CREATED, SOON, send};
use serde_json::json;
use std::time::{Duration, Instant};
use tests::{App, Events, Tenant, unique};

#[test]
fn a_revoked_key_ends_its_streams_and_no_others() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let (id, client) = tenant.new_key(json!({"name": "to be revoked"}));
    let mut events = Events::ready(&client, "/v1/stream");
    let mut others = Events::ready(&tenant.key, CREATED);
    let began = Instant::now();
    tenant.owner.client.delete(&format!("/v1/api-keys/{id}")).expect(204);
    events.wait_for_end(SOON);
    assert!(began.elapsed() < Duration::from_secs(5), "it went on for {:?}", began.elapsed());
    client.get("/v1/stream").problem(401, "auth_token_invalid");
    send(&tenant, &tenant.inbox(), &unique::phone());
    others.wait_for("message.created", SOON);
}

#[test]
fn a_key_that_expires_ends_its_streams() {
    let Some(app) = App::own(&[("stream_recheck_ms", "500")]) else { return };
    let tenant = Tenant::new(&app);
    let (_, client) = tenant.new_key(json!({"name": "short", "expiresAt": unique::time_in(3000)}));
    let mut events = Events::ready(&client, "/v1/stream");
    events.wait_for_end(SOON);
    client.get("/v1/stream").problem(401, "auth_token_invalid");
}

#[test]
fn a_removed_member_is_out_at_once() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let agent = tenant.person("agent");
    let mut events = Events::ready(&agent.client, "/v1/stream");
    let path = format!("/platform/api/v1/accounts/{}/account_users", tenant.account);
    app.platform().delete(&format!("{path}?user_id={}", agent.number)).expect(200);
    events.wait_for_end(SOON);
    agent.client.get("/v1/stream").problem(401, "auth_token_invalid");
}

#[test]
fn a_person_and_a_workspace_have_only_so_many_streams() {
    let limits =
        [("stream_max_per_user", "3"), ("stream_max_per_tenant", "5"), ("stream_heartbeat_ms", "1000")];
    let Some(app) = App::own(&limits) else { return };
    let (tenant, other) = (Tenant::new(&app), Tenant::new(&app));
    let mut of_key: Vec<Events> = (0..3).map(|_| Events::ready(&tenant.key, CREATED)).collect();
    let refused = tenant.key.get("/v1/stream");
    refused.problem(429, "stream_limit_reached");
    assert!(!refused.header("retry-after").is_empty());
    let _of_owner: Vec<Events> = (0..2).map(|_| Events::ready(&tenant.owner.client, CREATED)).collect();
    tenant.owner.client.get("/v1/stream").problem(429, "stream_limit_reached");
    let _elsewhere = Events::ready(&other.key, CREATED);
    // Who leaves makes room, without having said anything.
    of_key.pop();
    tests::wait_for("a place", SOON, || {
        (tenant.owner.client.get("/v1/stream?maxSeconds=0").status == 200).then_some(())
    });
}
