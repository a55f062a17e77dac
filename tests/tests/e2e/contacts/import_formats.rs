//! How files of contacts are written: encodings, separators, quotes.

use serde_json::Value;
use tests::{App, Tenant, imports};

/// The contacts' names after an import of this file, oldest first.
fn names(file: &[u8]) -> Vec<String> {
    let tenant = Tenant::new(App::shared());
    let status = imports::run(&tenant.key, file);
    assert_eq!(
        (&status["status"], &status["errors"]),
        (&"completed".into(), &Value::Array(Vec::new())),
        "{status}"
    );
    let page = tenant.key.get("/v1/contacts?orderDirection=asc").expect(200);
    let contacts = page["contacts"].as_array().unwrap().iter();
    contacts.map(|contact| contact["name"].as_str().unwrap().to_string()).collect()
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

#[test]
fn encodings_are_told_apart() {
    let table = "name,phone\nMüller,+48123456789\nŻółć 🧵,+48123456780\n";
    let expected = ["Müller", "Żółć 🧵"];
    let marked = format!("\u{feff}{table}");
    assert_eq!(names(table.as_bytes()), expected);
    assert_eq!(names(marked.as_bytes()), expected, "UTF-8 with its mark");
    assert_eq!(names(&utf16(&marked, u16::to_le_bytes)), expected);
    assert_eq!(names(&utf16(&marked, u16::to_be_bytes)), expected);
    assert_eq!(names(&utf16(table, u16::to_le_bytes)), expected, "without a mark");
    assert_eq!(names(b"name\nM\xfcller\n\x80 \x8cuvre\n"), ["Müller", "€ Œuvre"], "Windows-1252");
}

#[test]
fn separators_are_found() {
    for separator in [",", ";", "\t"] {
        let file = format!("name{separator}phone\n\"A{separator}B\"{separator}+48123456789\nC{separator}\n");
        assert_eq!(names(file.as_bytes()), [format!("A{separator}B").trim(), "C"], "{separator:?}");
    }
    assert_eq!(names(b"sep=;\r\nname;phone\r\nAnna;+48123456789\r\n"), ["Anna"]);
    assert_eq!(names(b"sep=|\nname|phone\nAnna|+48123456789\n"), ["Anna"]);
}

#[test]
fn quotes_hold_anything() {
    let file =
        "name,phone\r\n\"a \"\"b\"\", c\",+48123456789\r\n\"two\r\nlines\",\r\n\r\n\" spaces \",\r\nlast,";
    assert_eq!(names(file.as_bytes()), ["a \"b\", c", "two\r\nlines", "spaces", "last"]);
    assert_eq!(names(b"name\rold\rMac\r"), ["old", "Mac"]);
}
