//! Connecting again: everything once, in order, or an event that says that this is not possible.

use super::{CREATED, QUIET, SOON, send};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tests::client::text;
use tests::{App, Events, Tenant, unique};

const MESSAGES: usize = 200;

/// Reads on and off while messages are written: gives the ids in the order of their events.
fn hear_all(tenant: &Tenant, pauses: bool) -> (Vec<String>, Vec<String>) {
    let (inbox, phone) = (tenant.inbox(), unique::phone());
    let mut events = Events::ready(&tenant.key, CREATED);
    let is_written = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let written: Vec<String> = (0..MESSAGES).map(|_| send(tenant, &inbox, &phone)).collect();
            is_written.store(true, Ordering::Relaxed);
            written
        });
        let (mut heard, mut last, mut connections) = (Vec::new(), events.last_id.clone().unwrap(), 1);
        let began = Instant::now();
        while heard.len() < MESSAGES {
            assert!(began.elapsed() < Duration::from_secs(120), "heard {} of {MESSAGES}", heard.len());
            // A few events of each connection; sometimes it breaks while some are under way.
            for _ in 0..(connections * 7 % 23) {
                let Some(event) = events.next(Duration::from_millis(300)) else { break };
                if event.kind == "message.created" {
                    heard.push(text(&event.json()["message"], "id"));
                }
                last = event.id.unwrap_or(last);
            }
            drop(events);
            if pauses {
                std::thread::sleep(Duration::from_millis(connections * 31 % 90));
            }
            events = Events::open(&tenant.key.with("last-event-id", &last), CREATED);
            connections += 1;
            let ready = events.next(SOON).expect("a first event");
            assert_eq!((ready.kind.as_str(), &ready.json()["resumed"]), ("ready", &json!(true)));
        }
        let written = writer.join().unwrap();
        assert!(is_written.load(Ordering::Relaxed) && connections > 5);
        assert!(events.drain(QUIET).is_empty(), "more events than messages");
        (written, heard)
    })
}

#[test]
fn connecting_again_while_messages_are_written_gives_each_once_and_in_order() {
    let tenant = Tenant::new(App::shared());
    let (written, heard) = hear_all(&tenant, true);
    assert_eq!(heard, written);
}

#[test]
fn it_does_so_too_where_statements_run_as_on_spin() {
    let Some(app) = App::own_blocking() else { return };
    let tenant = Tenant::new(&app);
    let other = Tenant::new(&app);
    let (inbox, phone) = (other.inbox(), unique::phone());
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Another workspace writes into the same feed.
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                send(&other, &inbox, &phone);
            }
        });
        let (written, heard) = hear_all(&tenant, false);
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(heard, written);
    });
}

#[test]
fn everything_up_to_now_can_be_fetched_at_once() {
    let tenant = Tenant::new(App::shared());
    let (inbox, phone) = (tenant.inbox(), unique::phone());
    let last = Events::ready(&tenant.key, CREATED).last_id.clone().unwrap();
    let written: Vec<String> = (0..3).map(|_| send(&tenant, &inbox, &phone)).collect();
    let path = format!("{CREATED}&maxSeconds=0&lastEventId={last}");
    let heard: Vec<String> = Events::open(&tenant.key, &path)
        .wait_for_end(SOON)
        .iter()
        .filter(|event| event.kind == "message.created")
        .map(|event| text(&event.json()["message"], "id"))
        .collect();
    assert_eq!(heard, written);
}

#[test]
fn an_id_that_cannot_be_resumed_from_says_so() {
    let app = App::shared();
    let (tenant, other) = (Tenant::new(app), Tenant::new(app));
    let foreign = Events::ready(&other.key, CREATED).last_id.clone().unwrap();
    for id in ["nonsense", "AAAA", &foreign, "%20", &"x".repeat(2000)] {
        let mut events = Events::open(&tenant.key, &format!("{CREATED}&lastEventId={id}"));
        let ready = events.next(SOON).expect("a first event");
        assert_eq!((ready.kind.as_str(), &ready.json()["resumed"]), ("ready", &json!(false)), "{id}");
        let reset = events.next(SOON).expect("a second event");
        assert_eq!((reset.kind.as_str(), reset.json()), ("reset", json!({"reason": "expired"})), "{id}");
    }
}

#[test]
fn an_id_older_than_the_feed_says_so() {
    let Some(app) = App::own(&[("tick_authority", "127.0.0.1:9")]) else { return };
    let tenant = Tenant::new(&app);
    let (inbox, phone) = (tenant.inbox(), unique::phone());
    let old = Events::ready(&tenant.key, CREATED).last_id.clone().unwrap();
    let wanted = send(&tenant, &inbox, &phone);
    // A day passes: what is there is a day old.
    let file = app.process.as_ref().unwrap().data.join("sqlite_db.db");
    let db = rusqlite::Connection::open(file).unwrap();
    db.busy_timeout(Duration::from_secs(10)).unwrap();
    let resumed = |id: &str| {
        let mut events = Events::open(&tenant.key.with("last-event-id", id), CREATED);
        let first = events.next(SOON).unwrap().json()["resumed"].clone();
        (first, events.next(SOON).unwrap())
    };
    let (before, created) = resumed(&old);
    assert_eq!((before, &created.json()["message"]["id"]), (json!(true), &json!(wanted)));
    db.execute("UPDATE updates SET at = at - 90000000", []).unwrap();
    app.internal().unwrap().post("/internal/tick", json!({})).expect(200);
    let left: i64 = db.query_row("SELECT count(*) FROM updates", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 1, "the newest row stays");
    let (after, reset) = resumed(&old);
    assert_eq!((after, reset.kind.as_str()), (json!(false), "reset"));
    // Its own id is good from here on.
    let next = send(&tenant, &inbox, &phone);
    let (again, created) = resumed(&reset.id.unwrap());
    assert_eq!((again, &created.json()["message"]["id"]), (json!(true), &json!(next)));
}
