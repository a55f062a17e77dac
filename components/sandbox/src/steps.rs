//! Which states a message passes and when: the recipient decides, the account's modes change it.

use crate::recipients::Behaviour;
use crate::store::accounts::Settings;
use common::time::Timestamp;
use std::time::Duration;

/// Milliseconds after the acceptance. Real customers need not read; here they do, so that a developer sees the state.
const SENT_AFTER_MS: u32 = 50;
const DELIVERED_AFTER_MS: u32 = 150;
const READ_AFTER_MS: u32 = 400;

/// One state that a message will reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    pub state: &'static str,
    pub after: Duration,
    /// Code and title, with `failed`.
    pub error: Option<(u32, &'static str)>,
}

/// What a provider does in the cases that differ: code and title of each failure.
#[derive(Clone, Copy, Debug)]
pub struct Failures {
    pub undeliverable: (u32, &'static str),
    pub opted_out: (u32, &'static str),
    pub window: (u32, &'static str),
}

/// The states of a message, earliest first. `closed`: the window does not allow it.
pub fn plan(behaviour: Behaviour, closed: bool, failures: Failures, settings: &Settings) -> Vec<Step> {
    let millis = |given: Option<u32>, usual: u32| Duration::from_millis(given.unwrap_or(usual).into());
    let sent = millis(settings.sent_after_ms, SENT_AFTER_MS);
    let delivered = millis(settings.delivered_after_ms, DELIVERED_AFTER_MS);
    let read = millis(settings.read_after_ms, READ_AFTER_MS);
    let step = |state, after| Step { state, after, error: None };
    let failed = |error| vec![Step { state: "failed", after: sent, error: Some(error) }];
    let mut steps = match behaviour {
        Behaviour::Undeliverable => failed(failures.undeliverable),
        Behaviour::OptedOut => failed(failures.opted_out),
        Behaviour::Silent | Behaviour::TokenError => Vec::new(),
        _ if closed => failed(failures.window),
        Behaviour::SentOnly => vec![step("sent", sent)],
        Behaviour::ReadFirst => vec![step("read", sent), step("sent", delivered)],
        Behaviour::Ordinary
        | Behaviour::WindowClosed
        | Behaviour::RefusedFirst { .. }
        | Behaviour::LateAnswer => {
            vec![step("sent", sent), step("delivered", delivered), step("read", read)]
        }
    };
    steps.retain(|step| !settings.drop_states.iter().any(|dropped| dropped == step.state));
    if settings.shuffle {
        let states: Vec<_> = steps.iter().rev().map(|step| (step.state, step.error)).collect();
        for (step, (state, error)) in steps.iter_mut().zip(states) {
            (step.state, step.error) = (state, error);
        }
    }
    if settings.callback_before_response {
        for step in &mut steps {
            step.after = Duration::ZERO;
        }
    }
    steps
}

/// The bodies of the callbacks that tell of events, with the time each is due: one an event, in the mode `merge` one
/// for all when the last is due.
pub fn bodies<T>(
    events: impl Iterator<Item = (Timestamp, T)>,
    settings: &Settings,
) -> Vec<(Timestamp, Vec<T>)> {
    let mut bodies: Vec<(Timestamp, Vec<T>)> = Vec::new();
    for (at, event) in events {
        match bodies.last_mut() {
            Some((due, events)) if settings.merge => {
                *due = at.max(*due);
                events.push(event);
            }
            _ => bodies.push((at, vec![event])),
        }
    }
    bodies
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::recipients::behaviour;

    pub const FAILURES: Failures =
        Failures { undeliverable: (131_026, "a"), opted_out: (131_050, "b"), window: (131_047, "c") };

    fn states(person: &str, closed: bool, settings: &Settings) -> Vec<(&'static str, u64)> {
        let steps = plan(behaviour(person), closed, FAILURES, settings);
        steps.iter().map(|step| (step.state, step.after.as_millis() as u64)).collect()
    }

    #[test]
    fn recipients_decide_the_states() {
        let plain = |person| states(person, false, &Settings::default());
        let all = [("sent", 50), ("delivered", 150), ("read", 400)];
        assert_eq!(plain("12025550147"), all);
        assert_eq!(plain("12025550429"), all);
        assert_eq!(plain("12025550999"), all);
        assert_eq!(plain("12025550001"), []);
        assert_eq!(plain("12025550002"), [("sent", 50)]);
        assert_eq!(plain("12025550003"), [("read", 50), ("sent", 150)]);
        assert_eq!(plain("12025550026"), [("failed", 50)]);
        assert_eq!(plain("12025550610"), [("failed", 50)]);
        let code = |person, closed| {
            plan(behaviour(person), closed, FAILURES, &Settings::default())[0].error.unwrap().0
        };
        assert_eq!(code("12025550026", true), 131_026);
        assert_eq!(code("12025550610", false), 131_050);
        assert_eq!(code("12025550147", true), 131_047);
    }

    #[test]
    fn modes_change_number_order_and_time() {
        let of = |settings| states("12025550147", false, &settings);
        let plain = Settings::default;
        assert_eq!(
            of(Settings { shuffle: true, ..plain() }),
            [("read", 50), ("delivered", 150), ("sent", 400)]
        );
        assert_eq!(
            of(Settings { callback_before_response: true, ..plain() }),
            [("sent", 0), ("delivered", 0), ("read", 0)]
        );
        assert_eq!(
            of(Settings { drop_states: vec!["delivered".into()], ..plain() }),
            [("sent", 50), ("read", 400)]
        );
        assert_eq!(of(Settings { read_after_ms: Some(9), ..plain() })[2], ("read", 9));
    }
}
