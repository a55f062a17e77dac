//! When a delivery that keeps failing is tried again, and when it is given up.

use super::attempts::{HOUR, MINUTE, Watched, next_after};
use serde_json::json;
use tests::{Receiver, Reply};

const SCHEDULE: &[f64] = &[
    5.0,
    5.0 * MINUTE,
    30.0 * MINUTE,
    2.0 * HOUR,
    5.0 * HOUR,
    10.0 * HOUR,
    14.0 * HOUR,
    20.0 * HOUR,
    24.0 * HOUR,
];
/// With its jitter of a fifth.
const LATEST: f64 = 1.2;

#[test]
fn gaps_grow_and_the_tenth_attempt_is_the_last() {
    let receiver = Receiver::answering(|_, _| Reply::status(500));
    let watched = Watched::at(&receiver.url);
    watched.happen();
    for (at, gap) in SCHEDULE.iter().enumerate() {
        let attempt = watched.outcome(at + 1);
        assert_eq!(
            (&attempt["status"], &attempt["attemptNumber"]),
            (&json!("failed"), &json!(at + 1)),
            "{attempt}"
        );
        watched.assert_next_after(&attempt, *gap);
        watched.pass(gap * LATEST + 1.0);
    }
    let last = watched.outcome(SCHEDULE.len() + 1);
    assert_eq!((&last["status"], &last["attemptNumber"]), (&json!("failed"), &json!(10)), "{last}");
    assert!(last.get("nextAttemptAt").is_none(), "{last}");
    let deliveries = receiver.deliveries();
    assert_eq!(deliveries.len(), SCHEDULE.len() + 1);
    for delivery in &deliveries {
        assert_eq!((delivery.id(), &delivery.body), (deliveries[0].id(), &deliveries[0].body));
        delivery.verify(&watched.secret).unwrap();
    }
}

#[test]
fn no_attempt_comes_before_its_time() {
    let receiver = Receiver::answering(|_, _| Reply::status(500));
    let watched = Watched::at(&receiver.url);
    watched.first_outcome();
    watched.pass(SCHEDULE[0] * LATEST + 1.0);
    watched.outcome(2);
    // The second gap is four minutes at least.
    watched.pass(SCHEDULE[1] * 0.8 - 5.0);
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(receiver.deliveries().len(), 2);
}

#[test]
fn gaps_are_scattered() {
    let receiver = Receiver::answering(|_, _| Reply::status(500));
    let watched = Watched::at(&receiver.url);
    let gaps: Vec<f64> = (1..=8)
        .map(|number| {
            watched.happen();
            next_after(&watched.outcome(number))
        })
        .collect();
    let (least, most) = gaps.iter().fold((f64::MAX, f64::MIN), |(a, b), gap| (a.min(*gap), b.max(*gap)));
    assert!(most - least > 0.2, "{gaps:?}");
}
