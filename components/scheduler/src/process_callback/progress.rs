//! How far a callback was worked off: kept in its job, so that a turn goes on where the last one ended.

use super::Applied;
use serde::{Deserialize, Serialize};

/// Most notes of one callback; more say nothing more to people.
const NOTES_MAX: usize = 20;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// The first event that was not looked at.
    next: usize,
    /// Events that wait for their message.
    waiting: Vec<usize>,
    /// Those of them that this turn has not looked at again yet.
    again: Vec<usize>,
    /// How often was waited.
    pub waits: i64,
    /// What was left aside.
    notes: Vec<String>,
    /// Why the waiting events wait, by event.
    unmatched: Vec<(usize, String)>,
}

impl Progress {
    pub fn read(payload: Option<&str>) -> Self {
        payload.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What a turn has to do, in order: those that waited, then those never looked at.
    pub fn begin(&mut self, events: usize) -> Vec<usize> {
        self.again.append(&mut self.waiting);
        self.unmatched.clear();
        self.again.iter().copied().chain(self.next..events).collect()
    }

    /// Notes what became of an event.
    pub fn note(&mut self, at: usize, applied: Applied) {
        self.again.retain(|waiting| *waiting != at);
        self.next = self.next.max(at.saturating_add(1));
        match applied {
            Applied::Yes => {}
            Applied::Aside(why) if self.notes.len() < NOTES_MAX => self.notes.push(why),
            Applied::Aside(_) => {}
            Applied::Unmatched(what) => {
                self.waiting.push(at);
                if self.unmatched.len() < NOTES_MAX {
                    self.unmatched.push((at, what));
                }
            }
        }
    }

    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// What was left aside, in words.
    pub fn summary(&self) -> Option<String> {
        let all: Vec<&str> = self
            .notes
            .iter()
            .chain(self.unmatched.iter().map(|(_, what)| what))
            .map(String::as_str)
            .collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_goes_on_where_the_last_one_ended() {
        let mut first = Progress::default();
        assert_eq!(first.begin(4), [0, 1, 2, 3]);
        first.note(0, Applied::Yes);
        first.note(1, Applied::Unmatched("one".into()));
        first.note(2, Applied::Aside("odd".into()));
        // The worker was killed before it looked at the last one.
        let mut second = Progress::read(Some(&first.to_json()));
        assert_eq!(second.begin(4), [1, 3]);
        second.note(1, Applied::Unmatched("one".into()));
        let mut third = Progress::read(Some(&second.to_json()));
        assert_eq!(third.begin(4), [1, 3]);
        third.note(1, Applied::Yes);
        third.note(3, Applied::Yes);
        assert!(!third.is_waiting());
        assert_eq!(third.summary().as_deref(), Some("odd"));
    }

    #[test]
    fn a_killed_turn_forgets_none_of_those_that_waited() {
        let mut first = Progress::default();
        first.begin(3);
        for at in 0..3 {
            first.note(at, Applied::Unmatched(format!("m{at}")));
        }
        let mut second = Progress::read(Some(&first.to_json()));
        assert_eq!(second.begin(3), [0, 1, 2]);
        second.note(0, Applied::Unmatched("m0".into()));
        let mut third = Progress::read(Some(&second.to_json()));
        let mut left = third.begin(3);
        left.sort_unstable();
        assert_eq!(left, [0, 1, 2]);
        assert_eq!(Progress::read(None), Progress::default());
        assert_eq!(Progress::read(Some("nonsense")), Progress::default());
    }
}
