//! Fixtures are indented for people; on the wire they are compact.

/// Removes the white space between tokens of JSON; the members keep their order, escapes stay as they are.
pub fn compact(indented: &str) -> String {
    let (mut out, mut in_text, mut escaped) = (String::new(), false, false);
    for c in indented.chars() {
        if in_text || !c.is_ascii_whitespace() {
            out.push(c);
        }
        match c {
            _ if escaped => escaped = false,
            '\\' if in_text => escaped = true,
            '"' => in_text = !in_text,
            _ => {}
        }
    }
    out
}
