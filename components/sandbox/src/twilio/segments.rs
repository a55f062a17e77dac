//! How many parts a text is sent in (channels section 6.5).

const GSM: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// They take two places.
const GSM_EXTENDED: &str = "^{}\\[]~|€\u{c}";

/// The number of parts; an empty text is one.
pub fn count(text: &str) -> usize {
    let places: Option<Vec<usize>> = text
        .chars()
        .map(|c| match (GSM.contains(c), GSM_EXTENDED.contains(c)) {
            (true, _) => Some(1),
            (_, true) => Some(2),
            _ => None,
        })
        .collect();
    match places {
        Some(places) => parts(&places, 160, 153),
        // UTF-16 code units; a pair is not split.
        None => parts(&text.chars().map(char::len_utf16).collect::<Vec<_>>(), 70, 67),
    }
}

fn parts(places: &[usize], single: usize, each: usize) -> usize {
    if places.iter().sum::<usize>() <= single {
        return 1;
    }
    let (mut parts, mut used) = (1_usize, 0_usize);
    for place in places {
        if used.saturating_add(*place) > each {
            (parts, used) = (parts.saturating_add(1), 0);
        }
        used = used.saturating_add(*place);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn parts_are_counted_as_the_contract_says() {
        assert_eq!(count(""), 1);
        assert_eq!(count(&"a".repeat(160)), 1);
        assert_eq!(count(&"a".repeat(161)), 2);
        assert_eq!(count(&"a".repeat(306)), 2);
        assert_eq!(count(&"a".repeat(307)), 3);
        assert_eq!(count(&"€".repeat(80)), 1);
        assert_eq!(count(&"€".repeat(81)), 2);
        // 152 places, then one that takes two and may not be split: 153 would not hold it.
        assert_eq!(count(&format!("{}€{}", "a".repeat(152), "a".repeat(151))), 2);
        assert_eq!(count(&format!("{}€{}", "a".repeat(152), "a".repeat(152))), 3);
        assert_eq!(count(&"ł".repeat(70)), 1);
        assert_eq!(count(&"ł".repeat(71)), 2);
        assert_eq!(count(&"🙂".repeat(35)), 1);
        assert_eq!(count(&"🙂".repeat(36)), 2);
        // 66 units, then a pair that may not be split.
        assert_eq!(count(&format!("{}🙂{}", "a".repeat(66), "a".repeat(66))), 3);
    }
}
