//! Keyset paging: a page token says after which row to go on, and for which list.
//!
//! A token is bound to its operation, tenant, filters and order: used with others it is refused (400)
//! instead of skipping or repeating rows. It is never an offset.

use crate::{Problem, Result, crypto, limits};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What a list's token is good for.
#[derive(Clone, Copy, Debug)]
pub struct Binding([u8; 8]);

impl Binding {
    /// `parts` name the operation, the tenant and everything that changes which rows come and in what order.
    pub fn new(parts: &[&str]) -> Self {
        // Lengths keep ("ab", "c") and ("a", "bc") apart.
        let text: String = parts.iter().map(|part| format!("{}:{part};", part.len())).collect();
        let mut short = [0_u8; 8];
        for (to, from) in short.iter_mut().zip(crypto::sha256(text.as_bytes())) {
            *to = from;
        }
        Binding(short)
    }
}

/// The last row of a page: the sort key, then the row's number that makes it unique.
#[derive(Clone, Debug, PartialEq)]
pub struct Position {
    pub key: Key,
    pub seq: i64,
}

/// What a list is sorted by.
#[derive(Clone, Debug, PartialEq)]
pub enum Key {
    Number(i64),
    Text(String),
}

impl crate::db::ToValue for Key {
    fn to_value(&self) -> crate::db::Value {
        match self {
            Key::Number(number) => number.to_value(),
            Key::Text(text) => text.to_value(),
        }
    }
}

/// Which page a caller asks for.
#[derive(Clone, Debug)]
pub struct Page {
    /// Rows on the page.
    pub size: u32,
    /// The row to go on after; `None` for the first page.
    pub after: Option<Position>,
    binding: Binding,
}

impl Page {
    /// Reads `pageSize` and `pageToken` (contract section 4): below 1 is an error, above the maximum clamped.
    pub fn new(size: Option<u32>, token: Option<&str>, binding: Binding) -> Result<Self> {
        let size = size.unwrap_or(limits::PAGE_SIZE_DEFAULT);
        if size == 0 {
            return Err(Problem::parameter("pageSize", "must be at least 1"));
        }
        let after =
            token.filter(|token| !token.is_empty()).map(|token| decode(token, binding)).transpose()?;
        Ok(Page { size: size.min(limits::PAGE_SIZE_MAX), after, binding })
    }

    /// How many rows to ask the database for: one more than the page, to know whether another follows.
    pub fn limit(&self) -> i64 {
        i64::from(self.size).saturating_add(1)
    }

    /// Cuts the rows to the page and makes the token of the next one, if there is one.
    pub fn cut<T>(&self, rows: &mut Vec<T>, position: impl Fn(&T) -> Position) -> Option<String> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        if rows.len() <= size {
            return None;
        }
        rows.truncate(size);
        rows.last().map(|last| encode(position(last), self.binding))
    }
}

fn encode(position: Position, binding: Binding) -> String {
    let mut bytes = binding.0.to_vec();
    bytes.extend(position.seq.to_be_bytes());
    match position.key {
        Key::Number(number) => {
            bytes.push(NUMBER);
            bytes.extend(number.to_be_bytes());
        }
        Key::Text(text) => {
            bytes.push(TEXT);
            bytes.extend(text.as_bytes());
        }
    }
    URL_SAFE_NO_PAD.encode(bytes)
}

const NUMBER: u8 = 0;
const TEXT: u8 = 1;

fn decode(token: &str, binding: Binding) -> Result<Position> {
    if token.len() <= limits::PAGE_TOKEN_CHARS
        && let Ok(bytes) = URL_SAFE_NO_PAD.decode(token)
        && let Some(position) = read(&bytes, binding)
    {
        return Ok(position);
    }
    Err(Problem::parameter("pageToken", "is not a token of this list: use nextPageToken of the same query"))
}

fn read(bytes: &[u8], binding: Binding) -> Option<Position> {
    let (bound, rest) = bytes.split_first_chunk::<8>()?;
    let (seq, rest) = rest.split_first_chunk::<8>()?;
    let (kind, rest) = rest.split_first()?;
    let key = match *kind {
        NUMBER => Key::Number(i64::from_be_bytes(rest.try_into().ok()?)),
        TEXT => Key::Text(std::str::from_utf8(rest).ok()?.to_string()),
        _ => return None,
    };
    (*bound == binding.0).then_some(Position { key, seq: i64::from_be_bytes(*seq) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_on_in_its_own_list_only() {
        let own = Binding::new(&["getContacts", "tn_1", ""]);
        let page = Page::new(Some(2), None, own).unwrap();
        assert_eq!(page.limit(), 3);
        let mut rows = vec![30, 20, 10];
        let token = page.cut(&mut rows, |n| Position { key: Key::Number(*n), seq: 7 }).unwrap();
        assert_eq!(rows, [30, 20]);
        let next = Page::new(Some(2), Some(&token), own).unwrap();
        assert_eq!(next.after, Some(Position { key: Key::Number(20), seq: 7 }));
        let other = Binding::new(&["getContacts", "tn_2", ""]);
        for token in [token.as_str(), "x", "AAAA", &token[1..], &"A".repeat(6000)] {
            assert_eq!(Page::new(None, Some(token), other).unwrap_err().status, 400);
        }
    }

    #[test]
    fn sizes_are_clamped_or_refused() {
        let binding = Binding::new(&[]);
        assert_eq!(Page::new(None, None, binding).unwrap().size, 50);
        assert_eq!(Page::new(Some(1000), None, binding).unwrap().size, 100);
        assert_eq!(Page::new(Some(0), None, binding).unwrap_err().status, 400);
        let mut rows = vec![1, 2];
        assert_eq!(
            Page::new(Some(2), None, binding)
                .unwrap()
                .cut(&mut rows, |_| Position { key: Key::Text(String::new()), seq: 0 }),
            None
        );
    }
}
