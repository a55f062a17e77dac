//! Phone numbers: `+` and digits (E.164) towards people, digits alone in conversations and at WhatsApp.

mod plan;

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

/// Like [`digits`], for fields that ask for E.164: the `+` is required, the country code must exist and the number's
/// length must be one of that country's. What providers tell is taken as it is.
pub fn e164_digits(text: &str) -> Option<String> {
    text.trim().starts_with('+').then(|| digits(text)).flatten().filter(|digits| plan::is_possible(digits))
}

/// All ways to write the number that `digits` are, themselves first. Three countries have mobile numbers in
/// two forms that ring the same telephone, and providers and people do not agree on which they use:
/// * Brazil: `55`, area, and eight digits with or without a `9` before them; mobile ones begin with 6 to 9;
/// * Argentina: `54`, with or without `9`, and ten digits;
/// * Mexico: `52`, with or without `1`, and ten digits.
///
/// Look an address up by all of them; store what the provider uses.
pub fn variants(digits: &str) -> Vec<String> {
    let mut all = vec![digits.to_string()];
    all.extend(other_form(digits));
    all
}

/// [`variants`] as a JSON array, to bind to `IN (SELECT value FROM json_each(?))`. Other addresses than
/// numbers have no other form.
pub fn variants_json(address: &str) -> String {
    serde_json::to_string(&variants(address)).unwrap_or_default()
}

/// The other form of a number that has one.
fn other_form(digits: &str) -> Option<String> {
    let (country, rest) = digits.split_at_checked(2)?;
    if !rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let is_mobile = |local: &str| local.starts_with(['6', '7', '8', '9']);
    match (country, rest.len()) {
        ("55", 11) => {
            let (area, local) = rest.split_at_checked(2)?;
            let short = local.strip_prefix('9').filter(|short| is_mobile(short))?;
            Some(format!("55{area}{short}"))
        }
        ("55", 10) => {
            let (area, local) = rest.split_at_checked(2)?;
            is_mobile(local).then(|| format!("55{area}9{local}"))
        }
        ("54", 11) => rest.strip_prefix('9').map(|short| format!("54{short}")),
        ("54", 10) => Some(format!("549{rest}")),
        ("52", 11) => rest.strip_prefix('1').map(|short| format!("52{short}")),
        ("52", 10) => Some(format!("521{rest}")),
        _ => None,
    }
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

    #[test]
    fn both_forms_of_a_number_name_each_other() {
        for (long, short) in [
            ("5511987654321", "551187654321"),
            ("5521967654321", "552167654321"),
            ("5491123456789", "541123456789"),
            ("5215512345678", "525512345678"),
        ] {
            assert_eq!(variants(long), [long, short]);
            assert_eq!(variants(short), [short, long]);
        }
    }

    #[test]
    fn other_numbers_have_one_form() {
        let single = [
            "48123456789",
            "551123456789",  // Brazil, a landline
            "5511923456789", // would be a landline without its 9
            "54112345678",   // Argentina, too short
            "5255123456789", // Mexico, no 1 before
            "1",
            "",
            "US.7K2Q9D4M1X8Z55",
            "55ABCDEFGHIJ",
        ];
        for number in single {
            assert_eq!(variants(number), [number]);
        }
        assert_eq!(variants_json("551187654321"), r#"["551187654321","5511987654321"]"#);
    }
}
