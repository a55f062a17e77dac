//! Dates as values of custom fields: kept as `YYYY-MM-DD`.

use common::time::{is_date, is_date_time};

/// The day that a text names without doubt, as `YYYY-MM-DD`: a date with dashes, slashes or dots that begins with the
/// year, one with dots that begins with the day (dots are never American), or a date with a time, whose day is taken
/// as it is written. `03/04/2026` is in doubt, and no day.
pub fn day(text: &str) -> Option<String> {
    let text = text.trim();
    if is_date(text) {
        return Some(text.to_string());
    }
    let head = text.get(..10).filter(|head| is_date(head));
    if let Some(head) = head {
        return is_date_time(text).then(|| head.to_string());
    }
    for separator in ['/', '.'] {
        let parts: Vec<&str> = text.split(separator).collect();
        if let [first, middle, last] = parts[..] {
            let day = match (first.len(), last.len(), separator) {
                (4, 1..=2, _) => format!("{first}-{middle:0>2}-{last:0>2}"),
                (1..=2, 4, '.') => format!("{last}-{middle:0>2}-{first:0>2}"),
                _ => return None,
            };
            return is_date(&day).then_some(day);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_named_without_doubt_or_not_at_all() {
        for (text, expected) in [
            ("2026-04-30", "2026-04-30"),
            (" 2026-04-30 ", "2026-04-30"),
            ("2026-04-30T23:30:00-05:00", "2026-04-30"),
            ("2026-04-30 10:00:00", "2026-04-30"),
            ("2026/4/3", "2026-04-03"),
            ("2026.04.30", "2026-04-30"),
            ("30.4.2026", "2026-04-30"),
        ] {
            assert_eq!(day(text).as_deref(), Some(expected), "{text}");
        }
        for wrong in
            ["", "soon", "03/04/2026", "2026-02-30", "31.4.2026", "2026-04-30 or so", "4.2026", "żó.żó.2026"]
        {
            assert_eq!(day(wrong), None, "{wrong}");
        }
    }
}
