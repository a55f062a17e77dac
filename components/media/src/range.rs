//! `Range` of a request (RFC 9110 section 14.2), for one range of bytes. No crate fits: the known one refuses a
//! suffix that is longer than the file, which the RFC answers with the whole file.

use std::ops::Range;

/// What a request asks for of a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// No range, several, or none that we understand: the RFC lets all of them have the whole file.
    Whole,
    /// Bytes within the file, at least one.
    Part(Range<u64>),
    /// Bytes behind its end.
    Unsatisfiable,
}

/// Reads the header for a file of `size` bytes.
pub fn read(header: Option<&str>, size: u64) -> Asked {
    let spec = header
        .and_then(|text| text.trim().split_once('='))
        .filter(|(unit, _)| unit.eq_ignore_ascii_case("bytes"));
    let Some((first, last)) = spec.and_then(|(_, spec)| spec.split_once('-')) else { return Asked::Whole };
    let (first, last) = (first.trim(), last.trim());
    let range = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Some(first), None) if last.is_empty() => first..size,
        (None, Some(suffix)) if first.is_empty() => size.saturating_sub(suffix)..size,
        _ => return Asked::Whole,
    };
    if range.is_empty() { Asked::Unsatisfiable } else { Asked::Part(range) }
}

fn number(text: &str) -> Option<u64> {
    // Digits only: `parse` takes a sign as well.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_cut_to_the_file() {
        let of = |header: &str| read(Some(header), 1000);
        assert_eq!(of("bytes=0-0"), Asked::Part(0..1));
        assert_eq!(of("bytes=0-499"), Asked::Part(0..500));
        assert_eq!(of("bytes=500-5000"), Asked::Part(500..1000));
        assert_eq!(of("Bytes = 500-"), Asked::Whole, "no space may be there");
        assert_eq!(of("bytes=500-"), Asked::Part(500..1000));
        assert_eq!(of("bytes=-1"), Asked::Part(999..1000));
        assert_eq!(of("bytes=-5000"), Asked::Part(0..1000));
        assert_eq!(of("bytes=0-18446744073709551615"), Asked::Part(0..1000));
    }

    #[test]
    fn what_lies_behind_the_end_is_unsatisfiable_and_what_is_not_understood_is_ignored() {
        for header in ["bytes=1000-", "bytes=1000-2000", "bytes=-0"] {
            assert_eq!(read(Some(header), 1000), Asked::Unsatisfiable, "{header}");
        }
        assert_eq!(read(Some("bytes=-5"), 0), Asked::Unsatisfiable);
        for header in
            ["bytes=5-4", "bytes=", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=0-1,5-6", "bytes=+1-2", "x"]
        {
            assert_eq!(read(Some(header), 1000), Asked::Whole, "{header}");
        }
        assert_eq!(read(None, 1000), Asked::Whole);
    }
}
