//! Where webhooks may not go: spellings of inner addresses, the networks that a tenant is allowed, and the runtime's
//! own block of private networks.

use serde_json::{Value, json};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tests::client::text;
use tests::{Answer, App, Tenant, wait_for};

/// The second attempt comes about five seconds after the first.
const RETRIED: Duration = Duration::from_secs(15);

fn allow(app: &App, tenant: &Tenant, networks: Value) -> Answer {
    let path = format!("/platform/api/v1/accounts/{}", tenant.account);
    app.platform().patch(&path, json!({"custom_attributes": {"webhook_allowed_networks": networks}}))
}

fn set_url(tenant: &Tenant, url: &str) -> Answer {
    tenant.key.patch("/v1/webhooks", json!({"url": url}))
}

/// A port of this machine, and how many connections it has seen. It speaks no TLS: nothing is ever delivered.
fn door() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let seen = count.clone();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            drop(connection);
            seen.fetch_add(1, Ordering::SeqCst);
        }
    });
    (port, count)
}

/// Why attempts failed, the first one first, once there are so many.
fn wait_for_errors(tenant: &Tenant, count: usize) -> Vec<String> {
    wait_for("an attempt that failed", RETRIED, || {
        let page = tenant.key.get("/v1/webhooks/attempts?status=failed").expect(200);
        let failed = page["attempts"].as_array().unwrap();
        let errors = failed.iter().rev().map(|attempt| text(attempt, "error")).collect::<Vec<_>>();
        Some(errors).filter(|all| all.len() >= count)
    })
}

#[test]
fn urls_that_lead_inside_are_refused() {
    let tenant = Tenant::new(App::shared());
    set_url(&tenant, "https://example.com/hook").expect(200);
    for url in [
        "https://167772161/",
        "https://0xa9fea9fe/latest/meta-data/",
        "https://0251.0376.0251.0376/",
        "https://10.1/",
        "https://169.254.169.254./",
        "https://１０．０．０．１/",
        "https://%31%30.0.0.1/",
        "https://[::]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::10.0.0.1]/",
        "https://[2002:a00:1::]/",
        "https://[2606:4700::5efe:10.0.0.1]/",
        "https://[fd00:ec2::254]/",
        "https://metadata.google.internal./",
        "https://printer.ｌｏｃａｌ/",
        "https://api.localhost/",
        "https://intranet/",
        "https://a@10.0.0.1/",
        "https://example.com:0/",
    ] {
        assert_eq!(set_url(&tenant, url).wrong_fields(422), ["url"], "{url}");
    }
    let kept = tenant.key.get("/v1/webhooks").expect(200);
    assert_eq!(kept["url"], "https://example.com/hook");
    set_url(&tenant, "https://żółw.example.com:8443/haki").expect(200);
}

#[test]
fn this_machine_is_for_local_use_only() {
    let Some(mut app) = App::own(&[("sandbox", "off")]) else { return };
    let tenant = Tenant::new(&app);
    let spellings = [
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://[::1]/",
        "https://localhost./",
    ];
    for url in spellings.iter().chain(&["http://127.0.0.1:9/", "http://localhost/"]) {
        assert_eq!(set_url(&tenant, url).wrong_fields(422), ["url"], "{url}");
    }
    app.process().kill();
    app.process().set_variables(&[("webhooks_local", "on")]);
    app.process().start_again();
    for url in spellings.iter().chain(&["http://127.0.0.1:9/", "http://localhost/"]) {
        set_url(&tenant, url).expect(200);
    }
    assert_eq!(set_url(&tenant, "http://10.0.0.1/").wrong_fields(422), ["url"]);
}

#[test]
fn a_network_is_allowed_by_the_platform_and_taken_back() {
    let app = App::shared();
    let (tenant, other) = (Tenant::new(app), Tenant::new(app));
    let inner = "https://10.1.2.3/hook";
    assert_eq!(set_url(&tenant, inner).wrong_fields(422), ["url"]);
    let networks = json!(["10.1.0.0/16", "fd00:1234::/32"]);
    let account = allow(app, &tenant, networks.clone()).expect(200);
    assert_eq!(account["custom_attributes"]["webhook_allowed_networks"], networks);
    for url in [inner, "https://167838211/", "https://[fd00:1234::1]/"] {
        set_url(&tenant, url).expect(200);
    }
    assert_eq!(set_url(&tenant, "https://10.2.0.1/").wrong_fields(422), ["url"]);
    assert_eq!(set_url(&other, inner).wrong_fields(422), ["url"]);
    // Another attribute leaves it alone.
    let path = format!("/platform/api/v1/accounts/{}", tenant.account);
    app.platform().patch(&path, json!({"custom_attributes": {"seats": 5}})).expect(200);
    set_url(&tenant, inner).expect(200);

    allow(app, &tenant, Value::Null).expect(200);
    assert_eq!(set_url(&tenant, inner).wrong_fields(422), ["url"]);
    let log = tenant.key.get("/v1/audit-log?action=webhook_networks.updated").expect(200);
    let entries = log["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 2, "{log}");
    assert_eq!(entries[0]["details"], json!({"from": networks, "to": null}));
    assert_eq!(entries[1]["details"], json!({"from": null, "to": networks}));
    assert_eq!(
        (&entries[1]["actor"]["type"], &entries[1]["subject"]),
        (&json!("platform"), &json!(tenant.id))
    );
}

#[test]
fn networks_are_checked() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    for (wrong, at) in [
        (json!("10.0.0.0/8"), ""),
        (json!(vec!["10.0.0.0/8"; 21]), ""),
        (json!(["10.0.0.0/8", "0.0.0.0/0"]), "[1]"),
        (json!(["10.0.0.0/7"]), "[0]"),
        (json!(["fc00::/7"]), "[0]"),
        (json!(["10.0.0.1"]), "[0]"),
        (json!(["10.0.0.1/8"]), "[0]"),
        (json!([5]), "[0]"),
    ] {
        let refused = allow(app, &tenant, wrong).expect(422);
        assert_eq!(refused["attributes"], json!([format!("custom_attributes.webhook_allowed_networks{at}")]));
    }
    let account = json!({"name": "Acme", "custom_attributes": {"webhook_allowed_networks": ["::/0"]}});
    app.platform().post("/platform/api/v1/accounts", account).expect(422);
}

#[test]
fn what_is_not_allowed_any_more_is_not_contacted() {
    let Some(app) = App::own(&[("sandbox", "off")]) else { return };
    let tenant = Tenant::new(&app);
    let (port, connections) = door();
    let url = format!("https://127.0.0.1:{port}/hook");
    allow(&app, &tenant, json!(["127.0.0.0/8"])).expect(200);
    let request = json!({"enabled": true, "url": url, "eventTypes": ["contact.created"]});
    tenant.key.patch("/v1/webhooks", request).expect(200);
    tenant.key.post("/v1/contacts", json!({})).expect(201);
    let first = wait_for_errors(&tenant, 1);
    assert_eq!(connections.load(Ordering::SeqCst), 1, "{first:?}");

    allow(&app, &tenant, json!([])).expect(200);
    let both = wait_for_errors(&tenant, 2);
    assert!(both[1].contains("must not point to a private or local address"), "{both:?}");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[test]
fn readiness_says_when_the_guard_is_missing() {
    let Some(mut app) = App::own(&[("sandbox", "off")]) else { return };
    let ready = app.client().get("/readyz").expect(200);
    assert_eq!((&ready["status"], &ready["webhookGuard"]), (&json!("ready"), &json!("missing")));
    assert!(ready["warnings"][0].as_str().unwrap().contains("--runtime-config-file"), "{ready}");
    for (variable, value) in [("webhooks_local", "on"), ("sandbox", "on")] {
        app.process().kill();
        app.process().set_variables(&[(variable, value)]);
        app.process().start_again();
        let ready = app.client().get("/readyz").expect(200);
        let expected = json!({"status": "ready", "webhookGuard": "missing", "webhooksLocal": variable});
        assert_eq!(ready, expected);
    }
}

#[test]
fn the_guard_keeps_deliveries_off_private_networks() {
    let Some(app) = App::own_guarded(&[("sandbox", "off")]) else { return };
    let ready = app.client().get("/readyz").expect(200);
    assert_eq!(ready, json!({"status": "ready", "webhookGuard": "on"}));
    let tenant = Tenant::new(&app);
    let (port, connections) = door();
    // Past the application's own check, as a public name would be that resolves to here.
    allow(&app, &tenant, json!(["127.0.0.0/8"])).expect(200);
    let url = format!("https://127.0.0.1:{port}/hook");
    let request = json!({"enabled": true, "url": url, "eventTypes": ["contact.created"]});
    tenant.key.patch("/v1/webhooks", request).expect(200);
    tenant.key.post("/v1/contacts", json!({})).expect(201);
    wait_for_errors(&tenant, 1);
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}
