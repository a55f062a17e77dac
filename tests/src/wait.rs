//! Waiting for what happens by itself.

use std::time::{Duration, Instant};

/// How often to look, at first; later looks are further apart.
const FIRST_STEP: Duration = Duration::from_millis(5);
const LONGEST_STEP: Duration = Duration::from_millis(100);

/// Looks until `look` finds something; panics with `what` after `deadline`.
pub fn wait_for<T>(what: &str, deadline: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    let mut step = FIRST_STEP;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < deadline, "waited {deadline:?} for {what}");
        std::thread::sleep(step);
        step = (step * 2).min(LONGEST_STEP);
    }
}
