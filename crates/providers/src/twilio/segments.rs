//! How many parts a text takes (channels section 6.5).

/// The basic characters of GSM 03.38, each one unit.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// Those behind the escape, each two units.
const EXTENDED: &str = "^{}\\[]~|€\u{c}";

/// How a text is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Gsm7,
    Ucs2,
}

/// How many parts a text takes, as an estimate: trust the provider's `num_segments`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    pub encoding: Encoding,
    pub count: usize,
}

/// Estimates the parts of a text. An empty one takes one.
pub fn segments(text: &str) -> Segments {
    let gsm: Option<Vec<usize>> = text.chars().map(gsm_units).collect();
    match gsm {
        Some(units) => Segments { encoding: Encoding::Gsm7, count: count(&units, 160, 153) },
        None => {
            let units: Vec<usize> = text.chars().map(char::len_utf16).collect();
            Segments { encoding: Encoding::Ucs2, count: count(&units, 70, 67) }
        }
    }
}

fn gsm_units(c: char) -> Option<usize> {
    if BASIC.contains(c) { Some(1) } else { EXTENDED.contains(c).then_some(2) }
}

/// Fills parts one after another; a character is not split.
fn count(units: &[usize], single: usize, part: usize) -> usize {
    if units.iter().sum::<usize>() <= single {
        return 1;
    }
    let (mut parts, mut used) = (1_usize, 0_usize);
    for units in units {
        used = used.saturating_add(*units);
        if used > part {
            parts = parts.saturating_add(1);
            used = *units;
        }
    }
    parts
}
