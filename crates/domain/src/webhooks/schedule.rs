//! When a failed delivery is tried again.

use common::time::Timestamp;
use std::time::Duration;

/// Waits before the second and each further attempt, in seconds.
pub const WAITS: &[u64] = &[5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// Waits differ by so many percent in both directions, so that what failed together does not come back together.
const JITTER_PERCENT: u64 = 20;
/// The shortest wait after a 429 and after a time-out, in seconds.
const PATIENCE: u64 = 60;
/// The longest wait that a receiver can ask for, in seconds.
const RETRY_AFTER_MAX: u64 = 36_000;

/// What the receiver said, as far as it matters for the next try.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Failure {
    /// 429, or no answer in time.
    pub patient: bool,
    /// `Retry-After`.
    pub retry_after: Option<Duration>,
}

/// How long to wait after the failed attempt of this number, from 1; `None` after the last. `random` is any number.
pub fn wait(number: i64, failure: Failure, random: u64) -> Option<Duration> {
    let at = usize::try_from(number.saturating_sub(1)).ok()?;
    let millis = WAITS.get(at)?.saturating_mul(1000);
    let spread = millis.saturating_mul(JITTER_PERCENT) / 100;
    let jitter = random.checked_rem(spread.saturating_mul(2).saturating_add(1)).unwrap_or_default();
    let own = Duration::from_millis(millis.saturating_sub(spread).saturating_add(jitter));
    let least = Duration::from_secs(if failure.patient { PATIENCE } else { 0 });
    let asked = failure.retry_after.unwrap_or_default().min(Duration::from_secs(RETRY_AFTER_MAX));
    Some(own.max(least).max(asked))
}

/// Reads `Retry-After`: seconds or an HTTP date (RFC 9110 section 10.2.3); `None` for anything else.
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let at = Timestamp::parse_http_date(value)?;
    let millis = at.millis().saturating_sub(now.millis());
    Some(Duration::from_millis(u64::try_from(millis).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_keeps_within_a_fifth_of_the_schedule() {
        for (at, seconds) in WAITS.iter().enumerate() {
            let number = i64::try_from(at).unwrap() + 1;
            let all: Vec<f64> = (0..500_u64)
                .map(|n| {
                    wait(number, Failure::default(), n.wrapping_mul(7_919_777_777)).unwrap().as_secs_f64()
                })
                .collect();
            let (low, high) =
                (all.iter().copied().fold(f64::MAX, f64::min), all.iter().copied().fold(0.0, f64::max));
            #[allow(clippy::cast_precision_loss)]
            let seconds = *seconds as f64;
            assert!(low >= seconds * 0.8 && low < seconds * 0.85, "{seconds}: {low}");
            assert!(high <= seconds * 1.2 && high > seconds * 1.15, "{seconds}: {high}");
        }
        assert_eq!(wait(10, Failure::default(), 0), None);
    }

    #[test]
    fn a_receiver_may_delay_and_never_hurry() {
        let of = |number, patient, seconds: Option<u64>| {
            let failure = Failure { patient, retry_after: seconds.map(Duration::from_secs) };
            wait(number, failure, 0).unwrap().as_secs()
        };
        assert_eq!(of(1, false, None), 4);
        assert_eq!(of(1, true, None), 60);
        assert_eq!(of(1, false, Some(90)), 90);
        assert_eq!(of(1, false, Some(1)), 4);
        assert_eq!(of(3, false, Some(90)), 1440);
        assert_eq!(of(1, true, Some(1_000_000)), 36_000);
        assert_eq!(of(9, true, Some(1_000_000)), 69_120);
    }

    #[test]
    fn reads_seconds_and_dates() {
        let now = Timestamp::parse("2026-11-21T10:00:00Z").unwrap();
        let read = |text| retry_after(text, now).map(|wait| wait.as_secs());
        assert_eq!(read("120"), Some(120));
        assert_eq!(read(" 7 "), Some(7));
        assert_eq!(read("99999999999999999999"), Some(u64::MAX));
        assert_eq!(read("Sat, 21 Nov 2026 10:01:30 GMT"), Some(90));
        assert_eq!(read("Sat, 21 Nov 2026 09:00:00 GMT"), Some(0));
        for bad in ["", "soon", "-5", "1.5", "2026-11-21"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
