//! What follows from how a receiver behaves: outcome, words, and when the next attempt comes.

use super::attempts::{HOUR, MINUTE, Watched};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;
use tests::{App, Conduct, Delivery, RawReceiver, Receiver, Reply};

/// The first gap of the schedule.
const FIRST_GAP: f64 = 5.0;
/// 429 and time-outs wait at least this long.
const PATIENCE: f64 = MINUTE;
const RETRY_AFTER_MOST: f64 = 10.0 * HOUR;
/// The deadline of the whole exchange.
const DEADLINE_MS: i64 = 15_000;
/// What is kept of an answer.
const KEPT: usize = 20 * 1000;
/// Read of an answer at most, with what the buffers of two sockets hold besides.
const TAKEN: u64 = 64 * 1024 + 8 * 1024 * 1024;

/// The outcome of one event at a receiver that always answers so.
fn outcome(reply: &Reply) -> (Watched, Receiver, Value) {
    let reply = reply.clone();
    let receiver = Receiver::answering(move |_, _| reply.clone());
    let watched = Watched::at(&receiver.url);
    let attempt = watched.first_outcome();
    (watched, receiver, attempt)
}

/// The outcome of one event at a receiver that no server is.
fn outcome_at(receiver: &RawReceiver) -> (Watched, Value) {
    let watched = Watched::at(&receiver.url);
    let attempt = watched.first_outcome();
    (watched, attempt)
}

#[track_caller]
fn assert_failed_with(attempt: &Value, status: u16) {
    assert_eq!(
        (&attempt["status"], &attempt["responseStatus"]),
        (&json!("failed"), &json!(status)),
        "{attempt}"
    );
    let error = attempt["error"].as_str().unwrap_or_default();
    assert!(error.contains(&status.to_string()), "{attempt}");
}

/// There was no answer, and the error says why.
#[track_caller]
fn assert_failed_without_answer(attempt: &Value) {
    assert_eq!(attempt["status"], "failed", "{attempt}");
    assert!(attempt.get("responseStatus").is_none(), "{attempt}");
    assert!(attempt["error"].as_str().is_some_and(|error| error.len() > 10), "{attempt}");
}

#[test]
fn every_2xx_accepts() {
    for status in [200, 201, 202, 204, 299] {
        let (watched, receiver, attempt) = outcome(&Reply::status(status));
        assert_eq!((&attempt["status"], &attempt["responseStatus"]), (&json!("succeeded"), &json!(status)));
        assert!(attempt.get("error").is_none() && attempt.get("nextAttemptAt").is_none(), "{attempt}");
        assert_eq!((watched.attempts().len(), receiver.deliveries().len()), (1, 1));
    }
}

#[test]
fn a_redirect_of_any_kind_is_a_failure_and_not_followed() {
    let elsewhere = Receiver::start();
    for status in [300, 301, 302, 303, 307, 308] {
        let (watched, _, attempt) = outcome(&Reply::status(status).with("location", elsewhere.url.clone()));
        assert_failed_with(&attempt, status);
        watched.assert_next_after(&attempt, FIRST_GAP);
    }
    assert!(elsewhere.deliveries().is_empty());
}

#[test]
fn a_refusal_is_tried_again_after_the_first_gap() {
    for status in [400, 401, 404, 409, 422, 500, 502, 503] {
        let (watched, _, attempt) = outcome(&Reply::status(status));
        assert_failed_with(&attempt, status);
        watched.assert_next_after(&attempt, FIRST_GAP);
    }
}

#[test]
fn gone_disables_at_once() {
    let (watched, receiver, attempt) = outcome(&Reply::status(410));
    assert_failed_with(&attempt, 410);
    assert!(attempt.get("nextAttemptAt").is_none(), "{attempt}");
    let settings = watched.tenant.key.get("/v1/webhooks").expect(200);
    assert_eq!(
        (&settings["enabled"], &settings["disabledReason"]),
        (&json!(false), &json!("gone")),
        "{settings}"
    );
    assert!(settings["disabledAt"].is_string(), "{settings}");
    let log = watched.tenant.key.get("/v1/audit-log?pageSize=100").expect(200);
    assert!(log.to_string().contains("gone"), "{log}");
    watched.happen();
    watched.pass(2.0 * MINUTE);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(receiver.deliveries().len(), 1, "nothing goes to who is gone");
}

#[test]
fn too_many_requests_waits_a_minute() {
    let (watched, _, attempt) = outcome(&Reply::status(429));
    assert_failed_with(&attempt, 429);
    watched.assert_next_between(&attempt, PATIENCE, PATIENCE * 1.5);
}

#[test]
fn retry_after_delays_by_seconds() {
    for (status, seconds) in [(429, 120), (503, 900), (500, 3600)] {
        let (watched, _, attempt) = outcome(&Reply::status(status).with("retry-after", seconds.to_string()));
        assert_failed_with(&attempt, status);
        watched.assert_next_between(&attempt, f64::from(seconds), f64::from(seconds));
    }
}

#[test]
fn retry_after_delays_until_a_date() {
    let at = Timestamp::now() + Duration::from_secs(3600);
    let date = at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let (watched, _, attempt) = outcome(&Reply::status(503).with("retry-after", date));
    // The date was made some seconds before the answer.
    watched.assert_next_between(&attempt, HOUR - 30.0, HOUR);
}

#[test]
fn retry_after_never_hastens() {
    let past = "Wed, 21 Oct 2015 07:28:00 GMT";
    for (status, value, at_least) in
        [(503, "0", FIRST_GAP), (503, "1", FIRST_GAP), (503, past, FIRST_GAP), (429, "2", PATIENCE)]
    {
        let (watched, _, attempt) = outcome(&Reply::status(status).with("retry-after", value));
        watched.assert_next_between(&attempt, at_least * 0.8, at_least * 1.5);
    }
}

#[test]
fn retry_after_delays_ten_hours_at_most() {
    let far = "Fri, 01 Jan 2100 00:00:00 GMT";
    for value in ["36001", "99999999999999999999", far] {
        let (watched, _, attempt) = outcome(&Reply::status(429).with("retry-after", value));
        watched.assert_next_between(&attempt, RETRY_AFTER_MOST, RETRY_AFTER_MOST);
    }
}

#[test]
fn what_is_no_time_in_retry_after_changes_nothing() {
    for value in ["soon", "-5", "1.5", "", "Fri, 99 Foo 2100", "12 34"] {
        let (watched, _, attempt) = outcome(&Reply::status(500).with("retry-after", value));
        watched.assert_next_after(&attempt, FIRST_GAP);
    }
}

#[test]
fn a_receiver_may_end_a_message() {
    let (watched, receiver, attempt) = outcome(&Reply::status(500).with("webhook-delivery", "abort-message"));
    assert_failed_with(&attempt, 500);
    assert!(attempt.get("nextAttemptAt").is_none(), "{attempt}");
    assert_eq!(watched.attempts().len(), 1);
    // Only that message: the endpoint goes on.
    assert_eq!(watched.tenant.key.get("/v1/webhooks").expect(200)["enabled"], true);
    watched.happen();
    tests::wait_for("the next event", super::SOON, || (receiver.deliveries().len() == 2).then_some(()));
}

#[test]
fn other_words_in_that_header_end_nothing() {
    let (watched, _, attempt) = outcome(&Reply::status(500).with("webhook-delivery", "carry-on"));
    watched.assert_next_after(&attempt, FIRST_GAP);
}

#[test]
fn a_connection_that_breaks_is_tried_again() {
    for conduct in [Conduct::Close, Conduct::Reset, Conduct::ResetMidway, Conduct::garbage()] {
        let receiver = RawReceiver::always(conduct.clone());
        let (watched, attempt) = outcome_at(&receiver);
        if matches!(conduct, Conduct::ResetMidway) {
            assert_eq!((&attempt["status"], &attempt["responseStatus"]), (&json!("failed"), &json!(200)));
            assert!(attempt["error"].as_str().unwrap().starts_with("the answer broke off"), "{attempt}");
        } else {
            assert_failed_without_answer(&attempt);
        }
        watched.assert_next_after(&attempt, FIRST_GAP);
        assert_eq!(receiver.deliveries().len(), 1, "{conduct:?}");
    }
}

#[test]
fn where_nobody_listens_is_tried_again() {
    let watched = Watched::at(&RawReceiver::nobody());
    let attempt = watched.first_outcome();
    assert_failed_without_answer(&attempt);
    watched.assert_next_after(&attempt, FIRST_GAP);
}

#[test]
fn nothing_is_told_to_a_certificate_that_nobody_vouches_for() {
    let receiver = RawReceiver::self_signed();
    let (watched, attempt) = outcome_at(&receiver);
    assert_failed_without_answer(&attempt);
    watched.assert_next_after(&attempt, FIRST_GAP);
    assert!(receiver.connections() > 0 && receiver.deliveries().is_empty());
}

#[test]
fn where_tls_is_not_spoken_nothing_is_told() {
    let receiver = RawReceiver::without_tls();
    let (watched, attempt) = outcome_at(&receiver);
    assert_failed_without_answer(&attempt);
    watched.assert_next_after(&attempt, FIRST_GAP);
    assert!(receiver.deliveries().is_empty());
}

#[test]
fn who_is_too_slow_is_left_after_fifteen_seconds_and_tried_after_a_minute() {
    // Side by side: each takes the whole deadline.
    std::thread::scope(|scope| {
        let slow = [
            (Conduct::Silence, "did not answer within 15 seconds"),
            (Conduct::SlowHead, "did not answer within 15 seconds"),
            (Conduct::SlowBody(600), "did not finish its answer"),
        ];
        for (conduct, words) in slow {
            scope.spawn(move || {
                let receiver = RawReceiver::always(conduct.clone());
                let (watched, attempt) = outcome_at(&receiver);
                assert_eq!(attempt["status"], "failed", "{conduct:?}: {attempt}");
                let took = attempt["durationMs"].as_i64().unwrap();
                assert!((DEADLINE_MS - 500..DEADLINE_MS + 2500).contains(&took), "{conduct:?}: {attempt}");
                assert!(attempt["error"].as_str().unwrap().contains(words), "{conduct:?}: {attempt}");
                watched.assert_next_between(&attempt, PATIENCE, PATIENCE * 1.5);
                tests::wait_for("the end of the connection", super::SOON, || {
                    (receiver.open() == 0).then_some(())
                });
            });
        }
    });
}

#[test]
fn who_is_slow_but_in_time_accepts() {
    let receiver = RawReceiver::always(Conduct::SlowBody(3));
    let (watched, attempt) = outcome_at(&receiver);
    assert_eq!(
        (&attempt["status"], &attempt["responseStatus"]),
        (&json!("succeeded"), &json!(200)),
        "{attempt}"
    );
    assert!(attempt["durationMs"].as_i64().unwrap() >= 3000, "{attempt}");
    assert_eq!(watched.details(&attempt)["responseBody"], "xxx");
}

#[test]
fn an_endless_answer_is_left_after_its_beginning() {
    let receiver = RawReceiver::always(Conduct::Endless);
    let (watched, attempt) = outcome_at(&receiver);
    assert_eq!(
        (&attempt["status"], &attempt["responseStatus"]),
        (&json!("succeeded"), &json!(200)),
        "{attempt}"
    );
    assert!(attempt["durationMs"].as_i64().unwrap() < 5000, "{attempt}");
    tests::wait_for("the end of the connection", super::SOON, || (receiver.open() == 0).then_some(()));
    assert!(receiver.written() < TAKEN, "{} bytes went out", receiver.written());
    let kept = watched.details(&attempt)["responseBody"].as_str().unwrap().to_string();
    assert!(
        (KEPT..=20 * 1024).contains(&kept.len()) && kept.bytes().all(|byte| byte == b'x'),
        "{}",
        kept.len()
    );
}

#[test]
fn a_gzip_bomb_does_not_go_off() {
    let Some(app) = App::own(&[]) else { return };
    let receiver = RawReceiver::always(Conduct::GzipBomb);
    let watched = Watched::of(&app, &receiver.url);
    let process = app.process.as_ref().unwrap();
    process.forget_peak();
    let before = process.memory_peak();
    let attempt = watched.first_outcome();
    assert_eq!(
        (&attempt["status"], &attempt["responseStatus"]),
        (&json!("succeeded"), &json!(200)),
        "{attempt}"
    );
    let grown = process.memory_peak().saturating_sub(before);
    assert!(grown < 64 * 1024, "{grown} KiB more memory");
    assert!(watched.details(&attempt)["responseBody"].as_str().is_none_or(|body| body.len() <= 4 * KEPT));
}

#[test]
fn four_deliveries_are_in_flight_at_once_at_most() {
    let receiver = RawReceiver::always(Conduct::SlowBody(1));
    let watched = Watched::at(&receiver.url);
    for _ in 0..12 {
        watched.happen();
    }
    tests::wait_for("all deliveries", Duration::from_secs(30), || {
        (receiver.deliveries().len() == 12).then_some(())
    });
    assert!((2..=4).contains(&receiver.most_open()), "{} at once", receiver.most_open());
}

#[test]
fn attempts_say_what_was_asked_and_answered() {
    let reply = Reply::status(503).with("x-reason", "maintenance").body("back at noon, 王伟");
    let (watched, receiver, attempt) = outcome(&reply);
    let details = watched.details(&attempt);
    let delivery: Delivery = receiver.deliveries().remove(0);
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature", "content-type"] {
        assert_eq!(details["requestHeaders"][name], delivery.header(name), "{details}");
    }
    assert_eq!(details["responseHeaders"]["x-reason"], "maintenance", "{details}");
    assert_eq!(details["responseBody"], "back at noon, 王伟", "{details}");
    assert_eq!(details["eventId"], delivery.id());
}

#[test]
fn what_a_broken_answer_says_in_its_head_is_heard() {
    let broken = |status: u16, header: &str| {
        let head = format!("HTTP/1.1 {status} Status\r\n{header}\r\ncontent-length: 100\r\n\r\nhalf");
        let receiver = RawReceiver::always(Conduct::Bytes(head.into_bytes()));
        let (watched, attempt) = outcome_at(&receiver);
        assert_failed_with(&attempt, status);
        (watched, attempt)
    };
    let (watched, gone) = broken(410, "x: y");
    assert!(gone.get("nextAttemptAt").is_none(), "{gone}");
    assert_eq!(watched.tenant.key.get("/v1/webhooks").expect(200)["disabledReason"], "gone");
    let (_, ended) = broken(500, "webhook-delivery: abort-message");
    assert!(ended.get("nextAttemptAt").is_none(), "{ended}");
    let (watched, later) = broken(503, "retry-after: 120");
    watched.assert_next_between(&later, 120.0, 125.0);
}
