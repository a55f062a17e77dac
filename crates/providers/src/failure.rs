//! Making failures, for all providers.

use crate::{Failure, RetryClass};
use http::HeaderMap;
use std::time::Duration;

/// Longest text of a provider that is kept, in characters.
const PROVIDER_TEXT_CHARS: usize = 500;
/// Longest wait that is taken over from a provider's headers.
pub const WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// One row of an error table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// First and last code.
    pub codes: (u32, u32),
    pub class: RetryClass,
    pub reason: &'static str,
    /// Most tries in all, where the table says "few", "once" and the like.
    pub tries_max: Option<i64>,
    /// Not before this long.
    pub wait: Option<Duration>,
}

impl Row {
    pub const fn new(first: u32, last: u32, class: RetryClass, reason: &'static str) -> Self {
        Row { codes: (first, last), class, reason, tries_max: None, wait: None }
    }

    pub const fn tries(self, most: i64) -> Self {
        Row { tries_max: Some(most), ..self }
    }

    pub const fn after_secs(self, seconds: u64) -> Self {
        Row { wait: Some(Duration::from_secs(seconds)), ..self }
    }

    pub fn find(table: &'static [Row], code: u32) -> Option<&'static Row> {
        table.iter().find(|row| (row.codes.0..=row.codes.1).contains(&code))
    }

    pub fn failure(&self, code: String, provider_text: &str) -> Failure {
        Failure {
            code,
            provider_text: shorten(provider_text),
            class: self.class,
            public_reason: self.reason,
            retry_after: self.wait,
            pair_only: false,
            tries_max: self.tries_max,
        }
    }
}

/// A failure of which only a class is known.
pub fn unknown(code: String, provider_text: &str, class: RetryClass, public_reason: &'static str) -> Failure {
    Failure {
        code,
        provider_text: shorten(provider_text),
        class,
        public_reason,
        retry_after: None,
        pair_only: false,
        tries_max: None,
    }
}

/// Where no known code decides: a body that is not the provider's, or a 5xx, is temporary; 429 is throttling.
pub const fn class_of_status(status: u16, is_providers: bool) -> RetryClass {
    match status {
        429 => RetryClass::Throttled,
        400..500 if is_providers => RetryClass::Never,
        _ => RetryClass::Retry,
    }
}

/// `Retry-After` in seconds.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get("retry-after")?.to_str().ok()?.trim().parse::<u64>().ok()?;
    (seconds > 0).then(|| Duration::from_secs(seconds).min(WAIT_MAX))
}

/// The failure, not to be tried again before `wait` where it may be tried again at all.
pub fn waiting(mut failure: Failure, wait: Option<Duration>) -> Failure {
    if matches!(failure.class, RetryClass::Retry | RetryClass::Throttled) {
        failure.retry_after = failure.retry_after.max(wait);
    }
    failure
}

pub fn shorten(text: &str) -> String {
    text.chars().take(PROVIDER_TEXT_CHARS).collect()
}
