//! Tokens of an outside identity provider, signed by an independent library.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tests::{App, Tenant};

const ED25519: &[u8] = include_bytes!("../../../fixtures/identity-ed25519.pem");
const ED25519_PUBLIC: &str = include_str!("../../../fixtures/identity-ed25519.pub.pem");
const RSA: &[u8] = include_bytes!("../../../fixtures/identity-rsa.pem");
const RSA_PUBLIC: &str = include_str!("../../../fixtures/identity-rsa.pub.pem");
const ISSUER: &str = "https://identity.example.com";
const AUDIENCE: &str = "flownally";

fn app(public_key: &str) -> Option<App> {
    App::own(&[("jwt_public_key", public_key), ("jwt_issuer", ISSUER), ("jwt_audience", AUDIENCE)])
}

fn seconds(from_now: i64) -> i64 {
    jiff::Timestamp::now().as_second() + from_now
}

fn claims(tenant: &Tenant) -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "iat": seconds(-5), "exp": seconds(300), "sub": "somebody-at-the-provider",
        "email": tenant.owner.email, "email_verified": true, "tenantId": tenant.id,
    })
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

fn status(app: &App, token: &str) -> u16 {
    app.client().bearer(token).get("/v1/contacts").status
}

#[test]
fn ed25519_tokens_of_the_provider_are_taken_and_forged_ones_are_not() {
    let Some(app) = app(ED25519_PUBLIC) else { return };
    let tenant = Tenant::new(&app);
    let key = EncodingKey::from_ed_pem(ED25519).unwrap();
    let sign = |claims: &Value| encode(&Header::new(Algorithm::EdDSA), claims, &key).unwrap();
    let good = claims(&tenant);
    assert_eq!(status(&app, &sign(&good)), 200);
    assert_eq!(status(&app, &sign(&with(good.clone(), "sub", json!(tenant.owner.id)))), 200);
    for (name, value) in [
        ("iss", json!("https://elsewhere.example.com")),
        ("aud", json!("another-app")),
        ("exp", json!(seconds(-120))),
        ("exp", Value::Null),
        ("email_verified", json!(false)),
        ("email", json!("nobody@example.com")),
        ("tenantId", json!("tn_00000000000000000000000000")),
    ] {
        let token = sign(&with(good.clone(), name, value.clone()));
        assert_eq!(status(&app, &token), 401, "{name}: {value}");
    }
    // A narrowed token: reading contacts is not among its scopes.
    let narrow = sign(&with(good.clone(), "scope", json!("tag:list inbox:list")));
    assert_eq!(status(&app, &narrow), 403);

    // Signed with the public key as if it were a shared secret: the classic confusion of algorithms.
    let confused = EncodingKey::from_secret(ED25519_PUBLIC.as_bytes());
    let forged = encode(&Header::new(Algorithm::HS256), &good, &confused).unwrap();
    assert_eq!(status(&app, &forged), 401);
    let other = EncodingKey::from_rsa_pem(RSA).unwrap();
    let foreign = encode(&Header::new(Algorithm::RS256), &good, &other).unwrap();
    assert_eq!(status(&app, &foreign), 401);
    let unsigned = "eyJhbGciOiJub25lIn0.e30.";
    assert_eq!(status(&app, unsigned), 401);
}

#[test]
fn rs256_tokens_of_the_provider_are_taken() {
    let Some(app) = app(RSA_PUBLIC) else { return };
    let tenant = Tenant::new(&app);
    let key = EncodingKey::from_rsa_pem(RSA).unwrap();
    let token = encode(&Header::new(Algorithm::RS256), &claims(&tenant), &key).unwrap();
    assert_eq!(status(&app, &token), 200);
    let cut = token.get(..token.len() - 8).unwrap();
    assert_eq!(status(&app, &format!("{cut}AAAAAAAA")), 401);
}
