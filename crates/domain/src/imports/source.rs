//! The rows of a stored file, read piece by piece from any row on.

use super::encoding::Encoding;
use crate::media::bytes::Reader;
use common::kv::PART_BYTES;
use common::{Problem, Result};
use csv::{ReaderBuilder, StringRecord};
use encoding_rs::Decoder;

/// The longest row, in bytes of UTF-8: a quote that is never closed would make the whole file one row.
const ROW_BYTES: usize = 4 * 1024 * 1024;

/// A file from some row on.
pub struct Source {
    reader: Reader,
    encoding: Encoding,
    decoder: Decoder,
    separator: u8,
    /// Decoded, and from `begin` on not yet given out.
    text: String,
    begin: usize,
    /// Where in the file `begin` is, in bytes.
    position: u64,
    /// Everything is in `text`.
    ended: bool,
}

/// Why rows cannot be read.
#[derive(Debug)]
pub enum Trouble {
    /// A row does not end.
    EndlessRow,
    Ours(Problem),
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Trouble::Ours(problem)
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("position", &self.position).finish_non_exhaustive()
    }
}

impl Source {
    /// The file with this id and size, from this byte on, where a row begins.
    pub fn new(id: &str, size: u64, encoding: Encoding, separator: u8, position: u64) -> Self {
        Source {
            reader: Reader::of(id, position..size),
            encoding,
            decoder: encoding.decoder(),
            separator,
            text: String::new(),
            begin: 0,
            position,
            ended: false,
        }
    }

    /// Where in the file the next row begins, in bytes.
    pub fn position(&self) -> u64 {
        self.position
    }

    fn open(&self) -> &str {
        self.text.get(self.begin..).unwrap_or_default()
    }

    /// Reads the next piece of the file.
    async fn more(&mut self) -> Result<(), Trouble> {
        self.text.drain(..self.begin);
        self.begin = 0;
        if self.text.len() > ROW_BYTES {
            return Err(Trouble::EndlessRow);
        }
        let piece = self.reader.next().await?;
        self.ended = self.reader.left() == 0;
        let piece = piece.unwrap_or_default();
        let room = self.decoder.max_utf8_buffer_length(piece.len());
        self.text.reserve(room.unwrap_or(PART_BYTES.saturating_mul(3)));
        let _ = self.decoder.decode_to_string(&piece, &mut self.text, self.ended);
        Ok(())
    }

    /// The first line, as it stands, for a look at how the file is written.
    pub async fn first_line(&mut self) -> Result<String, Trouble> {
        while !self.ended && !self.open().contains(['\n', '\r']) {
            self.more().await?;
        }
        Ok(self.open().split(['\n', '\r']).next().unwrap_or_default().to_string())
    }

    /// From now on fields are separated so.
    pub fn set_separator(&mut self, separator: u8) {
        self.separator = separator;
    }

    /// Skips so much of the text.
    pub fn skip(&mut self, bytes: usize) {
        let skipped = self.open().get(..bytes).unwrap_or_default();
        let (in_file, in_text) = (self.encoding.bytes_of(skipped), skipped.len());
        self.position = self.position.saturating_add(in_file);
        self.begin = self.begin.saturating_add(in_text);
    }

    /// The next rows, at most `limit`; none at the end of the file.
    pub async fn rows(&mut self, limit: usize) -> Result<Vec<StringRecord>, Trouble> {
        loop {
            let (rows, taken) = self.complete(limit)?;
            if rows.is_empty() && !self.ended {
                self.more().await?;
                continue;
            }
            self.skip(taken);
            return Ok(rows);
        }
    }

    /// The rows that are wholly in the text, and how much of it they take. The last one counts only at the end of
    /// the file: it might go on.
    fn complete(&self, limit: usize) -> Result<(Vec<StringRecord>, usize), Trouble> {
        let text = self.open();
        let mut reader = ReaderBuilder::new()
            .delimiter(self.separator)
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes());
        let (mut rows, mut taken) = (Vec::new(), 0_usize);
        let mut row = StringRecord::new();
        while rows.len() < limit {
            let found = reader
                .read_record(&mut row)
                .map_err(|error| Problem::internal(format!("decoded text is no CSV: {error}")))?;
            let end = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
            if end >= text.len() && !self.ended {
                break;
            }
            taken = end;
            if !found {
                break;
            }
            rows.push(std::mem::take(&mut row));
        }
        Ok((rows, taken))
    }
}
