//! What a search asks the index and the text of contacts (migration 0016).
//!
//! The index gives candidates: contacts whose text holds all trigrams of the query, whatever their case. A pattern
//! over the text decides. A query of one or two characters has no trigram: those that begin with it are taken from
//! the index's own list, unless they are so many that walking the contacts is as good.

use common::db::Db;
use common::params;
use common::{Problem, Result};
use std::collections::BTreeSet;

/// Characters of a trigram.
const GRAM: usize = 3;
/// Most trigrams that the index is asked for: more do not narrow it down.
const GRAMS_MAX: usize = 16;
/// So many trigrams are asked for even if they are common.
const ENOUGH: usize = 3;
/// Rows that tell how common a trigram is: its latest.
const LATEST: i64 = 64;
/// A trigram that one in so many of the latest contacts has is common.
const COMMON: i64 = 8;
/// Most trigrams that a short query may begin to be looked up by them.
const BEGINNINGS_MAX: u32 = 64;
/// Most tags whose name may hold the text.
const TAGS_MAX: u32 = 1000;

/// A search as SQL asks it.
#[derive(Debug)]
pub(super) struct Search {
    /// For `GLOB` over the text.
    pub pattern: String,
    /// For `MATCH` over the index; `None`: the index cannot narrow it down.
    pub matching: Option<String>,
    /// The tenant's tags whose name holds the text.
    pub tag_ids: Vec<String>,
    /// The numbers of the tenant's first and last possible row in the index.
    pub rows: (i64, i64),
}

/// Prepares a search for `text`, which is not empty.
pub(super) fn prepare(db: &Db<'_>, tenant: &str, text: &str) -> Result<Search> {
    let pattern = pattern(text);
    let found = db.row::<(i64, i64, String)>(
        "SELECT t.seq << 36, ((t.seq + 1) << 36) - 1,
                (SELECT json_group_array(id) FROM (
                   SELECT g.id FROM tags g WHERE g.tenant_id = t.id AND g.deleted_at IS NULL AND g.name GLOB ? LIMIT ?))
           FROM tenants t WHERE t.id = ?",
        params![pattern, TAGS_MAX, tenant],
    )?;
    let (first, last, tag_ids) = found.unwrap_or((0, 0, "[]".into()));
    let tag_ids = serde_json::from_str(&tag_ids).map_err(unreadable)?;
    let rows = (first, last);
    let matching = match grams(text) {
        grams if grams.is_empty() => beginnings(db, text)?,
        grams => Some(join(&rare(db, rows, grams)?, " AND ")),
    };
    Ok(Search { pattern, matching, tag_ids, rows })
}

/// The trigrams that are worth asking for. The index passes over all rows that the common ones of a number have, such
/// as `+48`, to find the few of the others.
fn rare(db: &Db<'_>, rows: (i64, i64), grams: Vec<String>) -> Result<Vec<String>> {
    if grams.len() <= ENOUGH {
        return Ok(grams);
    }
    let quoted: Vec<String> = grams.iter().map(|gram| quote(gram)).collect();
    let quoted = serde_json::to_string(&quoted).map_err(unreadable)?;
    let found = db.rows::<(i64, i64)>(
        "SELECT (SELECT CASE WHEN count(*) < ?4 THEN ?2 ELSE min(number) END
                   FROM (SELECT rowid AS number FROM contact_search_index
                          WHERE contact_search_index MATCH g.value AND rowid BETWEEN ?2 AND ?3
                          ORDER BY rowid DESC LIMIT ?4)),
                (SELECT coalesce(min(seq), ?2)
                   FROM (SELECT seq FROM contact_search WHERE seq BETWEEN ?2 AND ?3 ORDER BY seq DESC LIMIT ?5))
           FROM json_each(?1) g ORDER BY g.key",
        params![quoted, rows.0, rows.1, LATEST, LATEST.saturating_mul(COMMON)],
    )?;
    let horizon = found.first().map_or(rows.0, |(_, horizon)| *horizon);
    Ok(worth_asking(grams.into_iter().zip(found.into_iter().map(|(start, _)| start)).collect(), horizon))
}

/// The trigrams that are not common; where all are, the rarest. With each comes where its latest rows begin: those of
/// a common one are behind the horizon.
fn worth_asking(mut grams: Vec<(String, i64)>, horizon: i64) -> Vec<String> {
    if grams.iter().any(|(_, start)| *start < horizon) {
        grams.retain(|(_, start)| *start < horizon);
    } else {
        grams.sort_by_key(|(_, start)| *start);
        grams.truncate(ENOUGH);
    }
    grams.into_iter().map(|(gram, _)| gram).collect()
}

/// The first different trigrams of a text.
fn grams(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let all: BTreeSet<String> = letters.windows(GRAM).take(GRAMS_MAX).map(String::from_iter).collect();
    all.into_iter().collect()
}

/// The index's trigrams that begin with a short text: one is looked up after the other, each the first that is
/// behind the one before.
fn beginnings(db: &Db<'_>, text: &str) -> Result<Option<String>> {
    let begin: String = text.chars().map(fold).collect();
    let end = format!("{begin}{}", char::MAX);
    let found = db.rows::<(String,)>(
        "WITH RECURSIVE grams (gram) AS (
           SELECT (SELECT term FROM contact_search_terms WHERE term >= ?1 AND term <= ?2 LIMIT 1)
           UNION ALL
           SELECT (SELECT term FROM contact_search_terms WHERE term >= gram || char(1) AND term <= ?2 LIMIT 1)
             FROM grams WHERE gram IS NOT NULL LIMIT ?3)
         SELECT gram FROM grams WHERE gram IS NOT NULL",
        params![begin, end, BEGINNINGS_MAX.saturating_add(1)],
    )?;
    let grams: Vec<String> = found.into_iter().map(|(gram,)| gram).collect();
    if grams.len() > usize::try_from(BEGINNINGS_MAX).unwrap_or_default() {
        return Ok(None);
    }
    // Nothing begins with it: then only a tag's name can hold it.
    let nothing = vec!["\u{1}\u{1}\u{1}".to_string()];
    Ok(Some(join(if grams.is_empty() { &nothing } else { &grams }, " OR ")))
}

/// Trigrams as an expression of FTS5.
fn join(grams: &[String], between: &str) -> String {
    let quoted: Vec<String> = grams.iter().map(|gram| quote(gram)).collect();
    quoted.join(between)
}

fn quote(gram: &str) -> String {
    format!("\"{}\"", gram.replace('"', "\"\""))
}

fn unreadable(error: serde_json::Error) -> Problem {
    Problem::internal(error.to_string())
}

/// A text as a pattern of `GLOB`: anywhere, in any case of any script, with no letter that means something else.
fn pattern(text: &str) -> String {
    let mut pattern = String::from("*");
    for letter in text.chars() {
        let forms = forms(letter);
        match forms.as_slice() {
            [only] if !matches!(only, '*' | '?' | '[') => pattern.push(*only),
            forms => {
                pattern.push('[');
                pattern.extend(forms);
                pattern.push(']');
            }
        }
    }
    pattern.push('*');
    pattern
}

/// The letters that are one letter but for their case.
fn forms(letter: char) -> Vec<char> {
    let mut forms = vec![letter];
    let others = if fold(letter) == 'σ' {
        vec!['σ', 'ς', 'Σ']
    } else {
        vec![single(letter.to_lowercase(), letter), single(letter.to_uppercase(), letter)]
    };
    for other in others {
        if !forms.contains(&other) && fold(other) == fold(letter) {
            forms.push(other);
        }
    }
    forms
}

/// A letter in lower case, as the index folds it.
fn fold(letter: char) -> char {
    match single(letter.to_lowercase(), letter) {
        'ς' => 'σ',
        folded => folded,
    }
}

/// The one letter of an iterator; the letter itself where case changes its length.
fn single(mut letters: impl Iterator<Item = char>, letter: char) -> char {
    match (letters.next(), letters.next()) {
        (Some(only), None) => only,
        _ => letter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    fn is_found(text: &str, search: &str) -> bool {
        let db = Connection::open_in_memory().unwrap();
        db.query_row("SELECT ? GLOB ?", [text, &pattern(search)], |row| row.get(0)).unwrap()
    }

    #[test]
    fn case_does_not_matter_in_any_script() {
        for (text, search) in [
            ("Anna Kowalska", "NA KOW"),
            ("Żaneta Ćma", "żaneta ćma"),
            ("ЮЛИЯ", "юлия"),
            ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
            ("Straße", "STRAßE"),
            ("王伟", "伟"),
            ("e\u{301}te\u{301}", "E\u{301}T"),
        ] {
            assert!(is_found(text, search), "{search} in {text}");
        }
        assert!(!is_found("Zaneta", "Żaneta"));
    }

    #[test]
    fn wildcards_are_letters() {
        for text in ["50% off", "a*b", "a?b", "a[b]c", "a]b", "a^b", "a-b", "_"] {
            assert!(is_found(text, text), "{text}");
            assert!(is_found(&format!("x{text}y"), text), "{text}");
        }
        for (text, search) in [("ab", "a*b"), ("axb", "a?b"), ("ab", "a[b]"), ("ax", "[^b]"), ("x", "_")] {
            assert!(!is_found(text, search), "{search} in {text}");
        }
    }

    #[test]
    fn trigrams_are_quoted_for_the_index() {
        assert!(grams("ab").is_empty());
        assert_eq!(join(&grams("abc"), " AND "), "\"abc\"");
        assert_eq!(join(&grams("a\"bc"), " AND "), "\"\"\"bc\" AND \"a\"\"b\"");
        assert_eq!(grams(&"abcdefghij".repeat(20)).len(), 10);
    }

    #[test]
    fn common_trigrams_are_not_asked_for() {
        let kept =
            |starts: [i64; 4]| worth_asking(grams("+48771").into_iter().zip(starts).collect(), 500).join(" ");
        assert_eq!(grams("+48771"), ["+48", "487", "771", "877"]);
        assert_eq!(kept([900, 500, 499, 0]), "771 877");
        assert_eq!(kept([0, 0, 0, 0]), "+48 487 771 877");
        assert_eq!(kept([995, 600, 700, 800]), "487 771 877", "where all are common, the rarest");
    }
}
