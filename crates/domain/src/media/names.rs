//! Names of files, as somebody else gave them.

/// Longest name, in characters.
const FILENAME_CHARS: usize = 200;

/// The last part of a name, as something that people can read and no file system stumbles over.
pub fn harmless(given: &str) -> String {
    // Browsers write these three so (HTML's multipart/form-data encoding).
    let given = given.replace("%22", "\"").replace("%0D", "").replace("%0A", "");
    let name = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let clean: String = name.chars().filter(|c| !hidden(*c)).collect();
    let clean = clean.trim_matches(|c: char| c.is_whitespace() || c == '.');
    if clean.chars().count() <= FILENAME_CHARS {
        return clean.to_string();
    }
    // The extension says what it is: it stays.
    let (stem, extension) =
        clean.rsplit_once('.').filter(|(_, end)| end.chars().count() <= 16).unwrap_or((clean, ""));
    let room = FILENAME_CHARS.saturating_sub(extension.chars().count()).saturating_sub(1);
    let stem: String = stem.chars().take(room).collect();
    if extension.is_empty() { stem } else { format!("{stem}.{extension}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_what_is_not_theirs() {
        assert_eq!(harmless("invoice-4827.pdf"), "invoice-4827.pdf");
        assert_eq!(harmless("../../etc/passwd"), "passwd");
        assert_eq!(harmless("C:\\Users\\Anna\\Zażółć gęślą.png"), "Zażółć gęślą.png");
        assert_eq!(harmless("a\u{202e}gnp.exe\r\n\0"), "agnp.exe");
        assert_eq!(harmless(" ..hidden.. "), "hidden");
        assert_eq!(harmless("say %22hi%22.txt"), "say \"hi\".txt");
        assert_eq!(harmless("/"), "");
        let long = harmless(&format!("{}.pdf", "x".repeat(500)));
        assert_eq!((long.len(), long.ends_with("x.pdf")), (200, true));
        assert_eq!(harmless(&"ä".repeat(500)).chars().count(), 199);
    }
}
