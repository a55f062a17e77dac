//! Names and numbers that no other test, run or process uses.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Counts the things made by this process.
fn next() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// 15 digits: microseconds since 1970 without their highest digits, then a counter.
pub fn digits() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    let process = std::process::id() % 100;
    format!("{:010}{process:02}{:03}", now % 10_000_000_000, next() % 1000)
}

/// A word for names and keys.
pub fn word() -> String {
    format!("t{}", digits())
}

/// A mobile number in E.164, unique among thousand calls. Its last four digits are none of the
/// sandbox's magic recipients.
pub fn phone() -> String {
    phone_ending("1234")
}

/// A mobile number with these last four digits.
pub fn phone_ending(last_four: &str) -> String {
    format!("+4860{:03}{last_four}", next() % 1000)
}

/// The time in so many milliseconds, in RFC 3339.
pub fn time_in(milliseconds: i64) -> String {
    let then = jiff::Timestamp::now() + jiff::SignedDuration::from_millis(milliseconds);
    format!("{then:.3}")
}
