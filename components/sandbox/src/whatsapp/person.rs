//! A customer's address on WhatsApp: a phone number, a business-scoped user id, or both (channels section 3.1).

/// Fewest and most digits of a phone number with its country code (E.164).
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;
/// Most characters after the country of a business-scoped user id.
const USER_ID_CHARS: usize = 128;

/// At least one of the two is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Person {
    /// Digits.
    pub phone: Option<String>,
    /// `US.7K2Q9D4M1X8Z55`
    pub user_id: Option<String>,
}

impl Person {
    /// What the person is known by: the number where there is one.
    pub fn key(&self) -> &str {
        self.phone.as_deref().or(self.user_id.as_deref()).unwrap_or_default()
    }

    /// Reads a phone number: digits with country code, `+`, spaces and punctuation allowed.
    pub fn phone(text: &str) -> Option<Self> {
        let rest = text.trim().strip_prefix('+').unwrap_or(text.trim());
        if !rest.chars().all(|c| c.is_ascii_digit() || matches!(c, ' ' | '-' | '.' | '(' | ')')) {
            return None;
        }
        let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
        let fits = PHONE_DIGITS.contains(&digits.len()) && !digits.starts_with('0');
        fits.then_some(Person { phone: Some(digits), user_id: None })
    }

    /// Reads a business-scoped user id: a country, a dot, letters and digits; parent ids have one dot more.
    pub fn user_id(text: &str) -> Option<Self> {
        let (country, rest) = text.split_once('.')?;
        let fits = country.len() == 2
            && country.bytes().all(|b| b.is_ascii_uppercase())
            && (1..=USER_ID_CHARS).contains(&rest.len())
            && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
        fits.then(|| Person { phone: None, user_id: Some(text.to_string()) })
    }

    /// Reads either.
    pub fn parse(text: &str) -> Option<Self> {
        Self::phone(text).or_else(|| Self::user_id(text))
    }
}
