//! How the text of a file is written in bytes: told while it arrives, since a byte near the end can show that a file
//! is no UTF-8.

use encoding_rs::{Decoder, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// Bytes that are looked at for the pattern of UTF-16.
const HEAD_BYTES: usize = 4096;

/// An encoding in which the place of a letter in the text tells its place in the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    Utf16Le,
    Utf16Be,
    /// Whatever is none of the others: every byte is a letter.
    Windows1252,
}

impl Encoding {
    const ALL: [(Encoding, &str); 4] = [
        (Encoding::Utf8, "utf-8"),
        (Encoding::Utf16Le, "utf-16le"),
        (Encoding::Utf16Be, "utf-16be"),
        (Encoding::Windows1252, "windows-1252"),
    ];

    pub fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find(|(encoding, _)| *encoding == self).map_or("utf-8", |(_, name)| name)
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, name)| *name == text).map(|(encoding, _)| encoding)
    }

    /// Reads its bytes piece by piece.
    pub fn decoder(self) -> Decoder {
        let encoding = match self {
            Encoding::Utf8 => UTF_8,
            Encoding::Utf16Le => UTF_16LE,
            Encoding::Utf16Be => UTF_16BE,
            Encoding::Windows1252 => WINDOWS_1252,
        };
        encoding.new_decoder_without_bom_handling()
    }

    /// How many bytes a decoded text had.
    pub fn bytes_of(self, text: &str) -> u64 {
        let bytes = match self {
            Encoding::Utf8 => text.len(),
            Encoding::Utf16Le | Encoding::Utf16Be => text.encode_utf16().count().saturating_mul(2),
            Encoding::Windows1252 => text.chars().count(),
        };
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

/// Looks at a file while it arrives.
#[derive(Debug)]
pub struct Sniffer {
    head: Vec<u8>,
    is_utf8: bool,
    /// The beginning of a letter whose end has not come yet.
    open: Vec<u8>,
    has_nul: bool,
}

impl Default for Sniffer {
    fn default() -> Self {
        Sniffer { head: Vec::new(), is_utf8: true, open: Vec::new(), has_nul: false }
    }
}

impl Sniffer {
    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let room = HEAD_BYTES.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(bytes.get(..room).unwrap_or_default());
        self.has_nul |= bytes.contains(&0);
        if !self.is_utf8 {
            return;
        }
        let joined;
        let bytes = if self.open.is_empty() {
            bytes
        } else {
            joined = [self.open.as_slice(), bytes].concat();
            joined.as_slice()
        };
        match std::str::from_utf8(bytes) {
            Ok(_) => self.open.clear(),
            Err(error) if error.error_len().is_none() => {
                self.open = bytes.get(error.valid_up_to()..).unwrap_or_default().to_vec();
            }
            Err(_) => self.is_utf8 = false,
        }
    }

    /// The encoding and how many bytes its mark at the beginning has; `None` where it is no text.
    pub fn finish(self) -> Option<(Encoding, u64)> {
        match self.head.as_slice() {
            [0xef, 0xbb, 0xbf, ..] if self.is_utf8 => return Some((Encoding::Utf8, 3)),
            [0xff, 0xfe, ..] => return Some((Encoding::Utf16Le, 2)),
            [0xfe, 0xff, ..] => return Some((Encoding::Utf16Be, 2)),
            _ => {}
        }
        if self.has_nul {
            return utf16_without_mark(&self.head).map(|encoding| (encoding, 0));
        }
        let is_utf8 = self.is_utf8 && self.open.is_empty();
        Some((if is_utf8 { Encoding::Utf8 } else { Encoding::Windows1252 }, 0))
    }
}

/// Mostly Latin text in UTF-16 has a zero in every other byte, and nowhere else.
fn utf16_without_mark(head: &[u8]) -> Option<Encoding> {
    let zeros = |odd: usize| head.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let many = head.len().checked_div(4).unwrap_or_default().max(1);
    match (even, odd) {
        (0, odd) if odd >= many => Some(Encoding::Utf16Le),
        (even, 0) if even >= many => Some(Encoding::Utf16Be),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sniff(pieces: &[&[u8]]) -> Option<(Encoding, u64)> {
        let mut sniffer = Sniffer::default();
        for piece in pieces {
            sniffer.push(piece);
        }
        sniffer.finish()
    }

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn tells_the_encodings() {
        assert_eq!(sniff(&[b"name\nAnna"]), Some((Encoding::Utf8, 0)));
        assert_eq!(sniff(&[b"\xef\xbb", b"\xbfname"]), Some((Encoding::Utf8, 3)));
        let (first, second) = "name\nŻółć".as_bytes().split_at(6);
        assert_eq!(sniff(&[first, second]), Some((Encoding::Utf8, 0)), "a letter in two pieces");
        assert_eq!(sniff(&[b"name\nM\xfcller"]), Some((Encoding::Windows1252, 0)));
        assert_eq!(sniff(&[b"name\nM\xc3"]), Some((Encoding::Windows1252, 0)), "a letter without its end");
        assert_eq!(sniff(&[&utf16("name\nŻ", u16::to_le_bytes)]), Some((Encoding::Utf16Le, 0)));
        assert_eq!(sniff(&[&utf16("name\nŻ", u16::to_be_bytes)]), Some((Encoding::Utf16Be, 0)));
        assert_eq!(sniff(&[&utf16("\u{feff}名", u16::to_le_bytes)]), Some((Encoding::Utf16Le, 2)));
        assert_eq!(sniff(&[&utf16("\u{feff}名", u16::to_be_bytes)]), Some((Encoding::Utf16Be, 2)));
        assert_eq!(sniff(&[b"PNG\x00\x00\x01\x02\x00"]), None);
    }

    #[test]
    fn the_place_in_the_text_tells_the_place_in_the_bytes() {
        for (encoding, bytes) in [
            (Encoding::Utf8, "aŻ🧵\n".as_bytes().to_vec()),
            (Encoding::Utf16Le, utf16("aŻ🧵\n", u16::to_le_bytes)),
            (Encoding::Utf16Be, utf16("aŻ🧵\n", u16::to_be_bytes)),
            (Encoding::Windows1252, b"a\xfc\x80\x81\x00".to_vec()),
            (Encoding::Utf16Le, vec![0x61, 0x00, 0x00, 0xd8, 0x62, 0x00]), // half a pair
        ] {
            let mut text = String::with_capacity(100);
            let _ = encoding.decoder().decode_to_string(&bytes, &mut text, true);
            assert_eq!(encoding.bytes_of(&text), u64::try_from(bytes.len()).unwrap(), "{text:?}");
            assert_eq!(Encoding::parse(encoding.as_str()), Some(encoding));
        }
    }
}
