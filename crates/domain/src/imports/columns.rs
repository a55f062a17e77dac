//! What the columns of a file are, by its first row, and what a row says (contract section 7).

use crate::contacts::NAME_CHARS;
use crate::fields::values::{Field, Fields};
use crate::{phone, tags};
use csv::StringRecord;
use std::collections::{BTreeMap, BTreeSet};

/// Between the names of tags in one cell.
const TAG_SEPARATOR: char = ';';
/// Most tags in one cell.
const TAGS_MAX: usize = 50;
/// What may separate fields, the likeliest first.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

/// Something that is wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowError {
    /// Data rows from 1; 0: of the whole file.
    pub row: i64,
    pub column: Option<String>,
    pub message: String,
}

impl RowError {
    pub fn new(row: i64, column: Option<&str>, message: impl Into<String>) -> Self {
        RowError { row, column: column.map(str::to_string), message: message.into() }
    }
}

/// What a column holds.
#[derive(Clone, Debug)]
enum Target {
    Name,
    Phone,
    Tags,
    Field(Field),
    Ignored,
}

/// The columns of a file.
#[derive(Debug)]
pub struct Columns {
    headers: Vec<String>,
    targets: Vec<Target>,
}

/// What a row says of a contact. Empty cells say nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    pub number: i64,
    pub name: Option<String>,
    /// Digits of a number in E.164.
    pub phone: Option<String>,
    /// By the field's id.
    pub fields: BTreeMap<String, String>,
    /// Names by what they are compared by.
    pub tags: BTreeMap<String, String>,
}

/// The separator of a file by its first line: a line `sep=;`, as Excel writes it, or whichever is there most often
/// outside of quotes. The second is how much of the text was not part of the table.
pub fn separator(line: &str) -> (u8, bool) {
    if let Some(&[separator]) = line.strip_prefix("sep=").map(str::as_bytes) {
        return (separator, true);
    }
    let mut quoted = false;
    let mut counts = [0_usize; 3];
    for byte in line.bytes() {
        quoted ^= byte == b'"';
        for (count, separator) in counts.iter_mut().zip(SEPARATORS) {
            *count = count.saturating_add(usize::from(!quoted && byte == separator));
        }
    }
    let most = counts.iter().copied().max().unwrap_or_default();
    let found = SEPARATORS.into_iter().zip(counts).find(|(_, count)| *count == most);
    (found.map_or(b',', |(separator, _)| separator), false)
}

impl Columns {
    /// The columns by their headers, and what is wrong with those that hold nothing.
    pub fn new(headers: &[String], fields: &Fields) -> (Self, Vec<RowError>) {
        let (mut targets, mut errors, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
        for header in headers {
            let target = target(header.trim(), fields).and_then(|(key, target)| {
                if seen.insert(key) {
                    Ok(target)
                } else {
                    Err("is there twice: only the first is read".into())
                }
            });
            targets.push(target.unwrap_or_else(|message| {
                errors.push(RowError::new(0, Some(header), message));
                Target::Ignored
            }));
        }
        (Columns { headers: headers.to_vec(), targets }, errors)
    }

    /// Whether any column holds something.
    pub fn are_of_use(&self) -> bool {
        self.targets.iter().any(|target| !matches!(target, Target::Ignored))
    }

    /// What a row says, or everything that is wrong with it.
    pub fn read(&self, number: i64, record: &StringRecord) -> Result<Row, Vec<RowError>> {
        let mut row = Row { number, ..Row::default() };
        let mut errors = Vec::new();
        if record.len() > self.headers.len() {
            errors.push(RowError::new(number, None, "has more fields than the first row has columns"));
        }
        for ((header, target), cell) in self.headers.iter().zip(&self.targets).zip(record) {
            let cell = cell.trim();
            if cell.is_empty() {
                continue;
            }
            if let Err(message) = put(&mut row, target, cell) {
                errors.push(RowError::new(number, Some(header), message));
            }
        }
        if errors.is_empty() && row == (Row { number, ..Row::default() }) {
            errors.push(RowError::new(number, None, "says nothing: every cell of a known column is empty"));
        }
        if errors.is_empty() { Ok(row) } else { Err(errors) }
    }
}

fn put(row: &mut Row, target: &Target, cell: &str) -> Result<(), String> {
    match target {
        Target::Ignored => {}
        Target::Name if cell.chars().count() > NAME_CHARS => {
            return Err(format!("must be at most {NAME_CHARS} characters"));
        }
        Target::Name => row.name = Some(cell.to_string()),
        Target::Phone => {
            row.phone = Some(phone::e164_digits(cell).ok_or("must be a valid E.164 phone number")?);
        }
        Target::Tags => row.tags = tag_names(cell)?,
        Target::Field(field) => {
            let value = field.tidy(cell);
            if let Some(message) = field.refuses(&value) {
                return Err(message);
            }
            row.fields.insert(field.id.clone(), value);
        }
    }
    Ok(())
}

fn tag_names(cell: &str) -> Result<BTreeMap<String, String>, String> {
    let names = cell.split(TAG_SEPARATOR).map(str::trim).filter(|name| !name.is_empty());
    let names: BTreeMap<String, String> =
        names.map(|name| (tags::name_key(name), name.to_string())).collect();
    if names.len() > TAGS_MAX {
        return Err(format!("must name at most {TAGS_MAX} tags"));
    }
    if names.values().any(|name| name.chars().count() > tags::NAME_CHARS) {
        return Err(format!("must name tags of at most {} characters", tags::NAME_CHARS));
    }
    Ok(names)
}

/// What a header names, and what no other header may name as well: one of four fixed words, or a custom field by its
/// id, its name or its camelCase key. Case does not matter.
fn target(header: &str, fields: &Fields) -> Result<(String, Target), String> {
    let lower = header.to_lowercase();
    let fixed = match lower.as_str() {
        "" => return Err("has no name: it was left out".into()),
        "name" => Some(Target::Name),
        "phone" => Some(Target::Phone),
        "tags" => Some(Target::Tags),
        _ => None,
    };
    if let Some(target) = fixed {
        return Ok((lower, target));
    }
    let wanted = if lower == "email" { "cf_email" } else { lower.as_str() };
    let found = |field: Field| Ok((field.id.clone(), Target::Field(field)));
    if let Some(field) = fields.iter().find(|field| field.id.to_lowercase() == wanted) {
        return found(field.clone());
    }
    let named: Vec<&Field> = fields
        .iter()
        .filter(|field| field.name.to_lowercase() == wanted || field.alias.to_lowercase() == wanted)
        .collect();
    match named[..] {
        [] => Err("is no known column: it was left out".into()),
        [field] => found(field.clone()),
        _ => Err("is the name of several custom fields, and was left out: use the id of one".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_separator_is_what_is_there_most_often() {
        assert_eq!(separator("name,phone"), (b',', false));
        assert_eq!(separator("name;phone;\"a,b,c,d\""), (b';', false));
        assert_eq!(separator("name\tphone"), (b'\t', false));
        assert_eq!(separator("name"), (b',', false));
        assert_eq!(separator("sep=;"), (b';', true));
        assert_eq!(separator(""), (b',', false));
    }
}
