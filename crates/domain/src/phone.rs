//! Phone numbers: `+` and digits (E.164) towards people, digits alone in conversations and at WhatsApp.

/// E.164 allows at most 15 digits; the shortest numbers in use have 7 with their country code.
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// The digits of a number in E.164, with or without its `+`. Spaces, dashes, dots and brackets that
/// people put between digits are dropped. `None` for anything else.
pub fn digits(text: &str) -> Option<String> {
    let text = text.trim();
    let rest = text.strip_prefix('+').unwrap_or(text);
    let mut digits = String::with_capacity(rest.len());
    for c in rest.chars() {
        match c {
            '0'..='9' => digits.push(c),
            ' ' | '-' | '.' | '(' | ')' | '\u{a0}' => {}
            _ => return None,
        }
    }
    (DIGITS.contains(&digits.len()) && !digits.starts_with('0')).then_some(digits)
}

/// Like [`digits`], for fields that ask for E.164: the `+` is required.
pub fn e164_digits(text: &str) -> Option<String> {
    text.trim().starts_with('+').then(|| digits(text)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_people_write_and_nothing_else() {
        assert_eq!(digits("+48 123 456 789").as_deref(), Some("48123456789"));
        assert_eq!(digits("48123456789").as_deref(), Some("48123456789"));
        assert_eq!(digits("+1 (202) 555-0147").as_deref(), Some("12025550147"));
        for wrong in ["", "+", "12", "+0123456789", "+48 12 x", "1234567890123456", "mail@example.com"] {
            assert_eq!(digits(wrong), None, "{wrong}");
        }
        assert_eq!(e164_digits("48123456789"), None);
    }
}
