//! The bytes of a file: `media/<id>/<n>` in the key-value store, `n` from 0, every part but the last of
//! [`PART_BYTES`]. Neither writing nor reading holds more than a part in memory.

use super::Media;
use common::crypto::Hasher;
use common::kv::{self, PART_BYTES};
use common::{Problem, Result};
use std::ops::Range;

/// Bytes that are in the store.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stored {
    pub size: i64,
    pub sha256: [u8; 32],
    pub parts: u32,
}

fn key(id: &str, part: u32) -> String {
    format!("media/{id}/{part}")
}

/// Writes the bytes of a file as they come.
#[derive(Debug)]
pub struct Writer {
    id: String,
    part: Vec<u8>,
    parts: u32,
    size: i64,
    hasher: Hasher,
}

impl Writer {
    /// For a file whose row is there.
    pub fn new(id: &str) -> Self {
        Writer { id: id.to_string(), part: Vec::new(), parts: 0, size: 0, hasher: Hasher::default() }
    }

    /// How many bytes came so far.
    pub fn size(&self) -> i64 {
        self.size
    }

    /// Takes the next bytes, any number of them.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.hasher.update(bytes);
        self.size = self.size.saturating_add(i64::try_from(bytes.len()).unwrap_or(i64::MAX));
        while !bytes.is_empty() {
            let room = PART_BYTES.saturating_sub(self.part.len()).min(bytes.len());
            let (now, later) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
            self.part.extend_from_slice(now);
            bytes = later;
            if self.part.len() == PART_BYTES {
                self.flush().await?;
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        kv::set(&key(&self.id, self.parts), &self.part).await?;
        self.parts = self.parts.saturating_add(1);
        self.part.clear();
        Ok(())
    }

    /// Writes what is left, and answers what there is.
    pub async fn finish(mut self) -> Result<Stored> {
        if !self.part.is_empty() {
            self.flush().await?;
        }
        Ok(Stored { size: self.size, sha256: self.hasher.finish(), parts: self.parts })
    }
}

/// Reads a stored file, or a piece of it, part by part.
#[derive(Debug)]
pub struct Reader {
    id: String,
    /// What is still to be read.
    left: Range<u64>,
}

impl Reader {
    /// All of it.
    pub fn new(media: &Media) -> Self {
        Reader::range(media, 0..media.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default())
    }

    /// The bytes of a range that lies within the file.
    pub fn range(media: &Media, range: Range<u64>) -> Self {
        Reader::of(&media.id, range)
    }

    /// The bytes of a range of what was written under an id.
    pub fn of(id: &str, range: Range<u64>) -> Self {
        Reader { id: id.to_string(), left: range }
    }

    /// How many bytes are to come.
    pub fn left(&self) -> u64 {
        self.left.end.saturating_sub(self.left.start)
    }

    /// The next piece, at most [`PART_BYTES`]; `None` after the last. A part that is not there is an error: the
    /// file was deleted meanwhile.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        if self.left() == 0 {
            return Ok(None);
        }
        let part_bytes = u64::try_from(PART_BYTES).unwrap_or(u64::MAX);
        let number = self.left.start.checked_div(part_bytes).and_then(|n| u32::try_from(n).ok());
        let skip = self.left.start.checked_rem(part_bytes).and_then(|n| usize::try_from(n).ok());
        let (Some(number), Some(skip)) = (number, skip) else {
            return Err(Problem::internal(format!(
                "no part of {} has the byte {}",
                self.id, self.left.start
            )));
        };
        let missing = || Problem::internal(format!("part {number} of {} is missing or short", self.id));
        let mut part = kv::get(&key(&self.id, number)).await?.ok_or_else(missing)?;
        if skip >= part.len() {
            return Err(missing());
        }
        if skip > 0 {
            part.drain(..skip);
        }
        part.truncate(usize::try_from(self.left()).unwrap_or(usize::MAX));
        self.left.start = self.left.start.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
        Ok(Some(part))
    }
}

/// Deletes whatever bytes there are of a file. Parts go from the last to the first: broken off, it can be done
/// again, since parts are counted from the first.
pub async fn delete(id: &str) -> Result<()> {
    let mut parts = 0_u32;
    while kv::exists(&key(id, parts)).await? {
        parts = parts.saturating_add(1);
    }
    for part in (0..parts).rev() {
        kv::delete(&key(id, part)).await?;
    }
    Ok(())
}
