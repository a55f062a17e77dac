//! Streams that share an instance, clients that leave or do not read, a server that stops.

use super::{CREATED, QUIET, SOON, send};
use std::collections::BTreeSet;
use std::io::Read;
use std::time::{Duration, Instant};
use tests::client::text;
use tests::sse::connect;
use tests::{App, Events, Tenant, unique};

/// More than two instances hold, so that some share one.
const STREAMS: usize = 40;

/// Every stream hears of every message, whoever of its instance looks at the feed; also when those who looked
/// have left. It needs wake-ups between the requests of an instance.
fn streams_of_an_instance_serve_each_other(app: &App) {
    let tenant = Tenant::new(app);
    let (inbox, phone) = (tenant.inbox(), unique::phone());
    let mut streams: Vec<Events> = (0..STREAMS).map(|_| Events::ready(&tenant.key, CREATED)).collect();
    while streams.len() > 4 {
        let wanted = send(&tenant, &inbox, &phone);
        for (number, events) in streams.iter_mut().enumerate() {
            let told = events.wait_for("message.created", SOON);
            assert_eq!(text(&told.json()["message"], "id"), wanted, "stream {number}");
        }
        // The oldest streams look first: take them away.
        let leaving = streams.len() / 3;
        streams.drain(..leaving);
    }
    for mut events in streams {
        assert!(events.drain(QUIET).is_empty(), "told twice");
    }
}

#[test]
fn streams_serve_each_other() {
    streams_of_an_instance_serve_each_other(App::shared());
}

#[test]
fn they_do_so_too_where_statements_run_as_on_spin() {
    let Some(app) = App::own_blocking() else { return };
    streams_of_an_instance_serve_each_other(&app);
}

#[test]
fn whoever_looks_may_leave_in_silence() {
    let Some(app) = App::own(&[("stream_heartbeat_ms", "400")]) else { return };
    let tenant = Tenant::new(&app);
    let mut streams: Vec<Events> = (0..10).map(|_| Events::ready(&tenant.key, CREATED)).collect();
    while streams.len() > 2 {
        // In turn the oldest and the youngest: one of them looks for all.
        let leaving = if streams.len().is_multiple_of(2) { 0 } else { streams.len() - 1 };
        drop(streams.remove(leaving));
        std::thread::sleep(Duration::from_millis(900));
        for events in &mut streams {
            while events.next(Duration::ZERO).is_some() {}
        }
        for (number, events) in streams.iter_mut().enumerate() {
            let what = format!("a heartbeat of stream {number} of those left");
            events.wait_until(&what, Duration::from_secs(3), |event| event.kind == ":");
        }
    }
    send(&tenant, &tenant.inbox(), &unique::phone());
    for events in &mut streams {
        events.wait_for("message.created", SOON);
    }
}

#[test]
fn clients_that_leave_free_their_places() {
    /// A tenth of this many at a time.
    const CYCLES: usize = 500;
    let Some(mut app) = App::own(&[("stream_max_per_user", "120"), ("stream_heartbeat_ms", "1000")]) else {
        return;
    };
    let tenant = Tenant::new(&app);
    let cycle = || {
        let streams: Vec<Events> = (0..CYCLES / 10).map(|_| Events::ready(&tenant.key, CREATED)).collect();
        drop(streams);
    };
    // Each refusal would fail the test: places must come back while others are taken.
    let refill = || {
        tests::wait_for("the places", SOON, || {
            let file = app.process.as_ref().unwrap().data.join("sqlite_db.db");
            let db = rusqlite::Connection::open(file).unwrap();
            db.query_row("SELECT count(*) FROM streams", [], |row| row.get::<_, i64>(0))
                .is_ok_and(|left| left == 0)
                .then_some(())
        });
    };
    cycle();
    refill();
    let before = app.process.as_ref().unwrap().memory();
    for _ in 1..10 {
        cycle();
        refill();
    }
    let after = app.process.as_ref().unwrap().memory();
    assert!(after < before + (64 << 20), "{} MB grew to {} MB", before >> 20, after >> 20);
    assert!(!app.process().log().contains("failed"), "{}", app.process().log());
}

#[test]
fn who_reads_late_misses_nothing() {
    let tenant = Tenant::new(App::shared());
    let (inbox, phone) = (tenant.inbox(), unique::phone());
    // More than the sockets' buffers and what the server keeps for a client hold together.
    let (status, head, reader) = connect(&tenant.key, "/v1/stream");
    assert_eq!(status, 200);
    let long = "x".repeat(900);
    let mut written = Vec::new();
    for number in 0..60 {
        let mut request = tests::tenant::template_to(&inbox, &phone);
        request["content"]["template"]["name"] = format!("t{number}_{}", &long[..400]).into();
        written.push(text(&tenant.key.post("/v1/messages", request).expect(202)["message"], "id"));
    }
    let mut events = Events::read(head, reader);
    let mut heard = Vec::new();
    while heard.len() < written.len() {
        heard.push(text(&events.wait_for("message.created", SOON).json()["message"], "id"));
    }
    assert_eq!(heard, written);
}

#[test]
fn who_takes_nothing_is_cut_off() {
    let Some(app) = App::own(&[("stream_stall_ms", "1500"), ("stream_heartbeat_ms", "100000")]) else {
        return;
    };
    let tenant = Tenant::new(&app);
    let (inbox, phone) = (tenant.inbox(), unique::phone());
    let (status, _, mut reader) = connect(&tenant.key, "/v1/stream");
    assert_eq!(status, 200);
    let mut reading = Events::ready(&tenant.key, CREATED);
    // Until the buffers of both ends are full, and then some.
    let mut request = tests::tenant::template_to(&inbox, &phone);
    request["content"]["template"]["components"] =
        serde_json::json!([{"type": "body", "parameters": [{"type": "text", "text": "x".repeat(900)}]}]);
    let began = Instant::now();
    let is_cut = || {
        let db = rusqlite::Connection::open(app.process.as_ref().unwrap().data.join("sqlite_db.db")).unwrap();
        let left = db.query_row("SELECT count(*) FROM streams", [], |row| row.get::<_, i64>(0));
        left.is_ok_and(|left| left == 1)
    };
    let mut sent = BTreeSet::new();
    while !is_cut() {
        assert!(began.elapsed() < Duration::from_secs(120), "still there after {} messages", sent.len());
        std::thread::scope(|scope| {
            let senders: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| tenant.key.post("/v1/messages", request.clone()).expect(202)))
                .collect();
            sent.extend(senders.into_iter().map(|sender| text(&sender.join().unwrap()["message"], "id")));
        });
    }
    // What was under way comes, then the end; whoever reads is not disturbed.
    reader.get_ref().set_read_timeout(Some(SOON)).unwrap();
    let mut rest = Vec::new();
    let _ = reader.read_to_end(&mut rest);
    assert!(!rest.ends_with(b"0\r\n\r\n") || rest.len() > 1000);
    while !sent.is_empty() {
        sent.remove(&text(&reading.wait_for("message.created", SOON).json()["message"], "id"));
    }
}

#[test]
fn a_server_with_open_streams_stops_promptly() {
    let Some(mut app) = App::own(&[]) else { return };
    let tenant = Tenant::new(&app);
    let mut streams: Vec<Events> = (0..20).map(|_| Events::ready(&tenant.key, "/v1/stream")).collect();
    let took = app.process().stop();
    assert!(took < Duration::from_secs(6), "it took {took:?}");
    for events in &mut streams {
        events.wait_for_end(SOON);
    }
}
