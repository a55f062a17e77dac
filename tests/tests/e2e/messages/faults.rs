//! A provider that fails in every way, on the wire: what becomes of messages, their order, and their inbox.

use crate::messages::fleet::{LEASE, Line, OUTCOME_WAIT, SOON, accepted, reference, refused};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;
use tests::client::text;
use tests::provider::Told;
use tests::tenant::template_to;
use tests::{unique, wait_for, whatsapp};

/// It may have been sent: said so, and asked of the provider once.
fn ends_unknown(line: &Line) {
    let path = line.send(&unique::phone());
    let failed = line.wait_status(&path, "failed");
    assert!(text(&failed, "failureReason").starts_with("It may have been sent"), "{failed}");
    std::thread::sleep(LEASE);
    assert_eq!(line.asked().len(), 1, "never sent again");
}

#[test]
fn fifty_sends_with_one_key_are_one_message() {
    let Some(line) = Line::new(|_, _| accepted()) else { return };
    let client = line.tenant.key.once(&unique::word());
    let request = template_to(&line.inbox, &unique::phone());
    let answers: Vec<_> = std::thread::scope(|scope| {
        let calls: Vec<_> =
            (0..50).map(|_| scope.spawn(|| client.post("/v1/messages", request.clone()))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    let ids: BTreeSet<String> =
        answers.iter().map(|answer| text(&answer.expect(202)["message"], "id")).collect();
    assert_eq!(ids.len(), 1);
    let path = format!("/v1/messages/{}", ids.first().unwrap());
    line.wait_accepted(&path);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(line.asked().len(), 1);
}

#[test]
fn a_provider_that_never_answers_is_not_asked_again() {
    let Some(line) = Line::new(|_, _| accepted().after(Duration::from_secs(30))) else { return };
    ends_unknown(&line);
}

#[test]
fn an_answer_that_never_ends_is_no_answer() {
    let Some(line) = Line::new(|_, _| accepted().endless()) else { return };
    ends_unknown(&line);
}

#[test]
fn a_success_of_garbage_is_no_success() {
    let Some(line) = Line::new(|_, _| Told::text(200, "<html>\u{0}ok</html>")) else { return };
    ends_unknown(&line);
}

#[test]
fn a_lost_answer_is_learnt_from_a_status() {
    let Some(line) = Line::new(|_, _| accepted().after(Duration::from_secs(30))) else { return };
    let path = line.send(&unique::phone());
    wait_for("the request", SOON, || (!line.asked().is_empty()).then_some(()));
    let wamid = format!("wamid.{}", unique::word());
    let message = path.rsplit('/').next().unwrap();
    line.callback(json!({"statuses": [{
        "id": wamid, "status": "delivered", "timestamp": whatsapp::now().to_string(), "recipient_id": "1",
        "biz_opaque_callback_data": message}]}));
    let delivered = line.wait_status(&path, "delivered");
    assert_eq!(text(&delivered, "channelMessageId"), wamid);
    std::thread::sleep(LEASE + OUTCOME_WAIT);
    assert_eq!(line.message(&path)["deliveryStatus"], "delivered");
    assert_eq!(line.asked().len(), 1);
}

#[test]
fn server_errors_are_tried_again_and_hold_back_what_is_behind() {
    let Some(line) = Line::new(|_, number| match number {
        0 => refused(500, 131_000),
        1 => Told::text(503, "<html>busy</html>"),
        _ => accepted(),
    }) else {
        return;
    };
    let phone = unique::phone();
    let paths = [line.send(&phone), line.send(&phone)];
    for path in &paths {
        line.wait_accepted(path);
    }
    let references: Vec<String> = line.asked().iter().map(reference).collect();
    let [first, second] = paths.map(|path| path.rsplit('/').next().unwrap().to_string());
    assert_eq!(references, [first.clone(), first.clone(), first, second]);
}

#[test]
fn six_tries_are_enough() {
    // No base URL answers here: the connection is refused, and the request has not left.
    let Some(line) = Line::new(|_, _| refused(500, 2).with("retry-after", "1")) else { return };
    let path = line.send(&unique::phone());
    let failed = line.wait_status(&path, "failed");
    assert!(!text(&failed, "failureReason").contains('2'), "public words: {failed}");
    assert_eq!(line.asked().len(), 6);
}

#[test]
fn a_throttled_sender_pauses_as_a_whole_and_keeps_each_conversations_order() {
    let pause = Duration::from_secs(5);
    let Some(line) = Line::new(move |_, number| match number {
        0 => refused(429, 130_429).with("retry-after", &pause.as_secs().to_string()),
        _ => accepted(),
    }) else {
        return;
    };
    let first_phone = unique::phone();
    let mut paths = vec![line.send(&first_phone)];
    wait_for("the refusal", SOON, || (!line.asked().is_empty()).then_some(()));
    // The worker has read it by now, also on a busy machine.
    std::thread::sleep(Duration::from_secs(1));
    let phones = [first_phone, unique::phone(), unique::phone()];
    for round in 0..3 {
        for (at, phone) in phones.iter().enumerate() {
            if (round, at) != (0, 0) {
                paths.push(line.send(phone));
            }
        }
    }
    for path in &paths {
        line.wait_accepted(path);
    }
    let asked = line.asked();
    assert_eq!(asked.len(), 1 + paths.len(), "nobody pushed meanwhile");
    for (number, asked_later) in asked.iter().enumerate().skip(1) {
        let gap = asked_later.at.duration_since(asked[0].at);
        assert!(gap >= pause - Duration::from_millis(100), "request {number} came after {gap:?}");
    }
    for phone in &phones {
        let to = phone.trim_start_matches('+');
        let sent: Vec<String> =
            asked.iter().skip(1).filter(|asked| asked.json()["to"] == to).map(reference).collect();
        let accepted: Vec<String> = paths
            .iter()
            .map(|path| path.rsplit('/').next().unwrap().to_string())
            .filter(|id| sent.contains(id))
            .collect();
        assert_eq!(sent, accepted);
        assert_eq!(sent.len(), 3);
    }
}

#[test]
fn a_pair_limit_holds_up_that_person_only() {
    let slow = unique::phone();
    let to = slow.trim_start_matches('+').to_string();
    let mut refusals = 0;
    let Some(line) = Line::new(move |asked, _| {
        if asked.json()["to"] == to.as_str() && refusals < 2 {
            refusals += 1;
            return refused(400, 131_056);
        }
        accepted()
    }) else {
        return;
    };
    let held = line.send(&slow);
    wait_for("the refusal", SOON, || (!line.asked().is_empty()).then_some(()));
    let other = line.send(&unique::phone());
    line.wait_accepted(&other);
    assert!(line.message(&held).get("channelMessageId").is_none(), "still waiting");
    line.wait_accepted(&held);
    let times: Vec<_> = line
        .asked()
        .iter()
        .filter(|asked| asked.json()["to"] == slow.trim_start_matches('+'))
        .map(|asked| asked.at)
        .collect();
    assert!(times[1] - times[0] >= Duration::from_millis(900), "1 s");
    assert!(times[2] - times[1] >= Duration::from_millis(3900), "4 s");
}

#[test]
fn a_token_error_pauses_one_account_only_and_it_recovers() {
    let refuse = |_: &tests::provider::Asked, _| refused(401, 190);
    let (Some(broken), Some(fine)) = (Line::new(refuse), Line::new(|_, _| accepted())) else { return };
    let phones: Vec<String> = (0..5).map(|_| unique::phone()).collect();
    let first: Vec<String> = phones.iter().map(|phone| broken.send(phone)).collect();
    let status = |line: &Line| line.tenant.key.get("/v1/inboxes").expect(200)["inboxes"][0]["status"].clone();
    wait_for("the mark", SOON, || (status(&broken)["state"] == "degraded").then_some(()));
    assert_eq!(status(&broken)["reasons"], json!(["token_expired"]));
    let later: Vec<String> = phones.iter().map(|phone| broken.send(phone)).collect();
    let path = fine.send(&unique::phone());
    fine.wait_accepted(&path);
    assert_eq!(status(&fine)["state"], "active");

    // Those that were under way when the first refusal came, and then one try every second and a half.
    std::thread::sleep(Duration::from_secs(4));
    let tries = broken.asked().len();
    assert!(tries <= 5 + 4, "{tries} tries");
    for path in first.iter().chain(&later) {
        assert_eq!(broken.message(path)["deliveryStatus"], "pending");
    }

    broken.answers(|_, _| accepted());
    for path in first.iter().chain(&later) {
        broken.wait_accepted(path);
    }
    wait_for("the mark to go", SOON, || (status(&broken)["state"] == "active").then_some(()));
    assert_eq!(broken.asked().len() - tries, 10, "each once, after the account was accepted");
}

#[test]
fn a_failure_after_acceptance_says_why() {
    let Some(line) = Line::new(|_, _| accepted()) else { return };
    let path = line.send(&unique::phone());
    let wamid = text(&line.wait_accepted(&path), "channelMessageId");
    line.callback(json!({"statuses": [{
        "id": wamid, "status": "failed", "timestamp": whatsapp::now().to_string(), "recipient_id": "1",
        "errors": [{"code": 131_047, "title": "Re-engagement message", "message": "Re-engagement message",
                    "error_data": {"details": "More than 24 hours have passed"}}]}]}));
    let failed = line.wait_status(&path, "failed");
    let reason = text(&failed, "failureReason");
    assert!(reason.contains("template") && !reason.contains("131047"), "{reason}");
}

#[test]
fn an_error_of_our_own_after_a_send_sends_nothing_twice() {
    // The provider holds its answer back while another process takes the database for longer than a worker
    // waits for it: the message is sent, and the worker cannot note it.
    let hold = Duration::from_millis(1500);
    let Some(line) = Line::new(move |_, _| accepted().after(hold)) else { return };
    let path = line.send(&unique::phone());
    wait_for("the request", SOON, || (!line.asked().is_empty()).then_some(()));
    let database = line.app.process.as_ref().unwrap().database();
    let mut connection = rusqlite::Connection::open(database).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    let lock = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Exclusive).unwrap();
    std::thread::sleep(hold + Duration::from_secs(12));
    drop(lock);
    let failed = line.wait_status(&path, "failed");
    assert!(text(&failed, "failureReason").starts_with("It may have been sent"), "{failed}");
    std::thread::sleep(LEASE);
    assert_eq!(line.asked().len(), 1, "never sent again");
}
