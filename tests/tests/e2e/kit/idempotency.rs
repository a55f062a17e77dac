//! `Idempotency-Key`: one effect, one answer.

use serde_json::json;
use tests::client::text;
use tests::tenant::template_to;
use tests::{App, Tenant, unique, whatsapp};

const CONTACTS: &str = "/v1/contacts";

fn count(tenant: &Tenant) -> usize {
    tenant.key.get(CONTACTS).expect(200)["contacts"].as_array().unwrap().len()
}

#[test]
fn a_repeat_replays_the_answer() {
    let tenant = Tenant::new(App::shared());
    let once = tenant.key.once(&unique::word());
    let first = once.post(CONTACTS, json!({"name": "Anna"}));
    assert_eq!(first.header("idempotent-replay"), "");
    let second = once.post(CONTACTS, json!({"name": "Anna"}));
    assert_eq!(second.header("idempotent-replay"), "true");
    assert_eq!((first.expect(201), count(&tenant)), (second.expect(201), 1));
    assert_eq!(first.body, second.body, "byte for byte");
    assert_eq!(second.header("content-type"), "application/json");
}

#[test]
fn another_body_is_refused() {
    let tenant = Tenant::new(App::shared());
    let once = tenant.key.once(&unique::word());
    once.post(CONTACTS, json!({"name": "Anna"})).expect(201);
    once.post(CONTACTS, json!({"name": "Bob"})).problem(422, "idempotency_key_reused");
    assert_eq!(count(&tenant), 1);
}

#[test]
fn keys_are_of_one_tenant_and_one_operation() {
    let (tenant, other) = (Tenant::new(App::shared()), Tenant::new(App::shared()));
    let key = unique::word();
    let made = tenant.key.once(&key).post(CONTACTS, json!({})).expect(201);
    let theirs = other.key.once(&key).post(CONTACTS, json!({})).expect(201);
    assert_ne!(made["id"], theirs["id"]);
    tenant.owner.client.once(&key).post("/v1/service-accounts", json!({"name": "x"})).expect(200);
}

#[test]
fn sixteen_at_once_have_one_effect() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let once = tenant.key.once(&unique::word());
    let request = template_to(&inbox, &unique::phone());
    let answers: Vec<_> = std::thread::scope(|scope| {
        let posts: Vec<_> =
            (0..16).map(|_| scope.spawn(|| once.post("/v1/messages", request.clone()))).collect();
        posts.into_iter().map(|post| post.join().unwrap()).collect()
    });
    let mut ids: Vec<String> = Vec::new();
    for answer in &answers {
        match answer.status {
            202 => ids.push(text(&answer.expect(202)["message"], "id")),
            _ => drop(answer.problem(409, "idempotency_key_in_flight")),
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_eq!(
        answers.iter().filter(|a| a.status == 202 && a.header("idempotent-replay").is_empty()).count(),
        1
    );
    tests::wait_for("the send", std::time::Duration::from_secs(5), || {
        (whatsapp::sends(&app.client(), &inbox).len() == 1).then_some(())
    });
}

#[test]
fn a_refused_request_leaves_its_key_free() {
    let tenant = Tenant::new(App::shared());
    let once = tenant.key.once(&unique::word());
    once.post(CONTACTS, json!({"name": ""})).problem(422, "request_validation_failed");
    once.post(CONTACTS, json!({"name": "Anna"})).expect(201);
}

#[test]
fn an_answer_with_a_secret_is_replayed_too() {
    let tenant = Tenant::new(App::shared());
    let once = tenant.owner.client.once(&unique::word());
    let path = format!("/v1/service-accounts/{}/api-keys", tenant.service_account);
    let first = once.post(&path, json!({"name": "x"}));
    let second = once.post(&path, json!({"name": "x"}));
    assert_eq!(first.expect(200), second.expect(200));
    assert_eq!(second.header("idempotent-replay"), "true");
}

#[test]
fn a_silly_key_is_refused() {
    let tenant = Tenant::new(App::shared());
    for key in ["", "has space", &"x".repeat(256)] {
        let refused = tenant.key.once(key).post(CONTACTS, json!({}));
        assert_eq!(refused.wrong_fields(400), ["Idempotency-Key"], "{key:?}");
    }
    tenant.key.once(&"x".repeat(255)).post(CONTACTS, json!({})).expect(201);
}
