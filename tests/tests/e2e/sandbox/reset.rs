//! Forgetting an account, and repeating a run from a seed.

use super::{play, post_form, provider};
use serde_json::{Value, json};
use std::time::Duration;
use tests::client::text;
use tests::{App, Client, unique, wait_for};

const SETTLED: Duration = Duration::from_secs(20);

fn reset(app: &App, provider: &str, body: Value) {
    app.client().post(&format!("/sandbox/controls/{provider}/reset"), body).expect(200);
}

fn template(to: &str) -> Value {
    json!({"messaging_product": "whatsapp", "to": to, "type": "template",
           "template": {"name": "order_ready", "language": {"code": "en"}}})
}

/// Sends one message from an account: the status.
fn send(client: &Client, provider: &str, account: &str) -> u16 {
    let to = unique::phone();
    match provider {
        "whatsapp" => {
            client.post(&format!("/sandbox/whatsapp/v25.0/{account}/messages"), template(&to)).status
        }
        "twilio" => {
            let path = "/sandbox/twilio/2010-04-01/Accounts/AC00000000000000000000000000000009/Messages.json";
            // Basic AC00000000000000000000000000000009:sandbox-x
            let pair = "QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwOTpzYW5kYm94LXg=";
            let client = client.with("authorization", &format!("Basic {pair}"));
            post_form(&client, path, &[("To", &to), ("From", account), ("Body", "Hi")]).status
        }
        _ => {
            let body = json!({"to": to, "from": account, "text": "Hi"});
            client.post("/sandbox/sms-gateway/send", body).status
        }
    }
}

#[test]
fn one_account_is_forgotten_with_its_calls_and_faults() {
    let app = App::shared();
    let client = provider(app);
    for name in ["whatsapp", "twilio", "sms-gateway"] {
        let account = || match name {
            "twilio" => unique::phone(),
            _ => unique::digits(),
        };
        let (one, other) = (account(), account());
        let fault = |account: &str| {
            let fault = json!({"account": account, "fault": {"kind": "status", "status": 418, "body": "{}"}});
            app.client().post(&format!("/sandbox/controls/{name}/faults"), fault).expect(200);
        };
        let calls = |account: &str| {
            let account = account.replace('+', "%2B");
            let path = format!("/sandbox/controls/{name}/calls?account={account}");
            app.client().get(&path).expect(200)["calls"].as_array().unwrap().len()
        };
        for account in [&one, &other] {
            assert!([200, 201].contains(&send(&client, name, account)), "{name}");
            fault(account);
            assert_eq!(calls(account), 1, "{name}");
        }
        reset(app, name, json!({"account": one}));
        assert_eq!((calls(&one), calls(&other)), (0, 1), "{name}");
        assert!([200, 201].contains(&send(&client, name, &one)), "{name}: its fault is forgotten");
        assert_eq!(send(&client, name, &other), 418, "{name}: the other's is not");
        assert_eq!((calls(&one), calls(&other)), (1, 2), "{name}");
    }
}

#[test]
fn a_fault_that_names_the_account_in_its_path_is_forgotten_too() {
    let app = App::shared();
    let (client, account) = (provider(app), unique::digits());
    let fault = json!({"path": format!("/{account}/messages"), "fault": {"kind": "unavailable"}});
    app.client().post("/sandbox/controls/whatsapp/faults", fault).expect(200);
    reset(app, "whatsapp", json!({"account": account}));
    assert_eq!(send(&client, "whatsapp", &account), 200);
}

/// Everything by chance in a run of one account: ids of messages and files, of errors, and a URL.
fn run(app: &App, account: &str) -> Vec<String> {
    let client = provider(app);
    let base = format!("/sandbox/whatsapp/v25.0/{account}/messages");
    let mut ids = Vec::new();
    for _ in 0..3 {
        let sent = client.post(&base, template("+48601231234")).expect(200);
        ids.push(text(&sent["messages"][0], "id"));
    }
    let refused = client.post(&base, json!({}));
    ids.push(text(&refused.json()["error"], "fbtrace_id"));
    let photo = json!({"account": account, "from": "+48601231234", "media": {"kind": "image", "withUrl": true},
                       "timestamp": "2026-09-22T13:21:40Z"});
    let played = play(app, "whatsapp", photo);
    ids.push(text(&played, "body"));
    ids
}

#[test]
fn a_run_is_repeated_from_its_seed() {
    let app = App::shared();
    let (account, other) = (unique::digits(), unique::digits());
    let seeded = |seed: i64| {
        reset(app, "whatsapp", json!({"account": account, "seed": seed}));
        // Others meanwhile change nothing.
        let noise = run(app, &other);
        let ids = run(app, &account);
        assert!(ids.iter().all(|id| !noise.contains(id)), "{ids:?}");
        ids
    };
    let first = seeded(7);
    let mut different = first.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), first.len(), "within a run all differ: {first:?}");
    assert_eq!(seeded(7), first);
    let second = seeded(8);
    assert!(second.iter().all(|id| !first.contains(id)), "another seed: {second:?}");
    // Without a seed it is chance again.
    reset(app, "whatsapp", json!({"account": account}));
    let chance = run(app, &account);
    reset(app, "whatsapp", json!({"account": account}));
    assert!(run(app, &account).iter().all(|id| !chance.contains(id)));
}

#[test]
fn statuses_of_a_seeded_run_name_its_messages() {
    let app = App::shared();
    let account = unique::digits();
    reset(app, "whatsapp", json!({"account": account, "seed": 7}));
    let first = run(app, &account);
    let attempts = format!("/sandbox/controls/whatsapp/{account}/attempts?limit=100");
    wait_for("the statuses of three messages and the photo", SETTLED, || {
        let all = app.client().get(&attempts).expect(200)["attempts"].as_array().unwrap().clone();
        // As Meta writes a slash.
        let told = |id: &String| {
            let id = id.replace('/', "\\/");
            all.iter().filter(|attempt| text(attempt, "body").contains(&id)).count()
        };
        first[..3].iter().all(|id| told(id) == 3).then_some(())
    });
}
