//! `GET /v1/webhooks/signing-keys` and its rotation.

use serde_json::{Value, json};
use std::time::Duration;
use tests::client::text;
use tests::{App, Receiver, Tenant};

fn keys(tenant: &Tenant) -> Vec<Value> {
    tenant.key.get("/v1/webhooks/signing-keys").expect(200)["signingKeys"].as_array().unwrap().clone()
}

#[test]
fn the_first_call_makes_a_key_and_shows_it_once() {
    let tenant = Tenant::new(App::shared());
    let first = keys(&tenant);
    assert_eq!(first.len(), 1);
    assert_eq!((&first[0]["version"], &first[0]["status"]), (&json!(1), &json!("active")));
    let plaintext = text(&first[0], "plaintextKey");
    assert!(plaintext.starts_with("whsec_") && plaintext.ends_with(&text(&first[0], "last4")));
    let mut expected = first.clone();
    expected[0].as_object_mut().unwrap().remove("plaintextKey");
    assert_eq!(keys(&tenant), expected);
}

#[test]
fn first_calls_at_once_show_one_key_once() {
    let tenant = Tenant::new(App::shared());
    let all: Vec<Vec<Value>> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..8).map(|_| scope.spawn(|| keys(&tenant))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    assert!(all.iter().all(|keys| keys.len() == 1 && keys[0]["id"] == all[0][0]["id"]), "{all:?}");
    assert_eq!(all.iter().filter(|keys| keys[0].get("plaintextKey").is_some()).count(), 1, "{all:?}");
}

#[test]
fn a_key_that_a_delivery_made_is_shown_by_the_first_list() {
    let tenant = Tenant::new(App::shared());
    let receiver = Receiver::start();
    let request = json!({"enabled": true, "url": receiver.url, "eventTypes": ["contact.created"]});
    tenant.key.patch("/v1/webhooks", request).expect(200);
    tenant.key.post("/v1/contacts", json!({})).expect(201);
    let delivery = receiver.wait_for("contact.created", Duration::from_secs(5));
    let secret = text(&keys(&tenant)[0], "plaintextKey");
    delivery.verify(&secret).unwrap();
}

#[test]
fn during_a_rotation_both_keys_sign() {
    let tenant = Tenant::new(App::shared());
    let receiver = Receiver::start();
    let old = tenant.deliver_to(&receiver, &["contact.created"]);
    let rotated = tenant.key.post("/v1/webhooks/signing-keys/rotate", json!({})).expect(200);
    let new = text(&rotated["signingKey"], "plaintextKey");
    assert_ne!(old, new);
    let listed = keys(&tenant);
    let shown: Vec<(&Value, &Value)> = listed.iter().map(|key| (&key["version"], &key["status"])).collect();
    assert_eq!(shown, [(&json!(2), &json!("active")), (&json!(1), &json!("expiring"))]);
    assert!(listed.iter().all(|key| key.get("plaintextKey").is_none()));
    assert!(listed[1].get("expiresAt").is_some() && listed[0].get("expiresAt").is_none());

    tenant.key.post("/v1/contacts", json!({})).expect(201);
    let delivery = receiver.wait_for("contact.created", Duration::from_secs(5));
    assert_eq!(delivery.header("webhook-signature").split(' ').count(), 2);
    delivery.verify(&old).unwrap();
    delivery.verify(&new).unwrap();

    let third = tenant.key.post("/v1/webhooks/signing-keys/rotate", json!({})).expect(200);
    assert_eq!(third["signingKey"]["version"], json!(3));
    let versions: Vec<Value> = keys(&tenant).iter().map(|key| key["version"].clone()).collect();
    assert_eq!(versions, [json!(3), json!(2)], "the oldest ended at once");
    tenant.key.post("/v1/contacts", json!({})).expect(201);
    let later = receiver.wait_until("the second event", Duration::from_secs(5), |d| d.id() != delivery.id());
    assert!(later.verify(&old).is_err());
    later.verify(&new).unwrap();
}

#[test]
fn rotating_first_makes_the_first_key() {
    let tenant = Tenant::new(App::shared());
    let rotated = tenant.key.post("/v1/webhooks/signing-keys/rotate", json!({})).expect(200);
    assert!(rotated["signingKey"].get("plaintextKey").is_some());
    let listed = keys(&tenant);
    assert_eq!(listed[0]["id"], rotated["signingKey"]["id"]);
    assert!(listed[0].get("plaintextKey").is_none());
}

#[test]
fn who_chooses_so_gets_a_signature_that_needs_no_shared_secret() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use ed25519_dalek::{Signature, VerifyingKey};
    let tenant = Tenant::new(App::shared());
    let receiver = Receiver::start();
    let secret = tenant.deliver_to(&receiver, &["contact.created"]);
    let public = text(&keys(&tenant)[0], "publicKey");
    tenant.key.patch("/v1/webhooks", json!({"signatureSchemes": ["v1", "v1a"]})).expect(200);
    tenant.key.post("/v1/webhooks/signing-keys/rotate", json!({})).expect(200);
    let newer = text(&keys(&tenant)[0], "publicKey");
    assert_ne!(public, newer);
    tenant.key.post("/v1/contacts", json!({})).expect(201);
    let delivery = receiver.wait_for("contact.created", Duration::from_secs(5));
    delivery.verify(&secret).unwrap();
    let signed = delivery.header("webhook-signature").to_string();
    let schemes: Vec<&str> = signed.split(' ').map(|one| one.split(',').next().unwrap()).collect();
    assert_eq!(schemes, ["v1", "v1", "v1a", "v1a"]);
    let head = format!("{}.{}.", delivery.id(), delivery.header("webhook-timestamp"));
    let content = [head.as_bytes(), &delivery.body].concat();
    let verifies = |public: &str, content: &[u8]| {
        let key = STANDARD.decode(public.strip_prefix("whpk_").unwrap()).unwrap();
        let key = VerifyingKey::from_bytes(&key.try_into().unwrap()).unwrap();
        signed.split(' ').filter_map(|one| one.strip_prefix("v1a,")).any(|one| {
            let signature = Signature::from_slice(&STANDARD.decode(one).unwrap()).unwrap();
            key.verify_strict(content, &signature).is_ok()
        })
    };
    assert!(verifies(&public, &content) && verifies(&newer, &content));
    let mut altered = content.clone();
    altered[head.len()] ^= 1;
    assert!(!verifies(&public, &altered));
}
