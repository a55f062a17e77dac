//! What a file is: told by its first bytes (crate `infer`), compared with what its sender says.
//!
//! Bytes decide between the kinds that have a signature; the sender's word decides where one signature stands for
//! several types (zip and OLE containers, Ogg, MP4) and between texts. What a browser or a machine would run is
//! refused from callers; from customers it is kept, and served as an attachment.

use crate::content::MediaType;

/// How many bytes of a file are looked at.
pub const HEAD_BYTES: usize = 16 * 1024;

/// Bytes of no known kind.
const UNKNOWN: &str = "application/octet-stream";
const TEXT: &str = "text/plain";
const HTML: &str = "text/html";
const SVG: &str = "image/svg+xml";
const ZIP: &str = "application/zip";
const OLE: &str = "application/x-ole-storage";

/// A file's kind and media type, without parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Type {
    pub kind: MediaType,
    pub mime: String,
}

/// Why a file is not taken from a caller.
#[derive(Clone, Debug, PartialEq)]
pub enum Refused {
    /// It is not what its sender says.
    Mismatch { declared: String, found: String },
    /// Browsers or machines would run it.
    Active(String),
    /// A picture, film or sound of a kind that nobody could show.
    Unsupported(String),
}

/// Whether a head has it.
type Signature = fn(&[u8]) -> bool;

/// A kind with a signature.
struct Known {
    mime: &'static str,
    is: Signature,
    /// Other names of it.
    aliases: &'static [&'static str],
    /// Types of their own with the same signature: the sender's word decides.
    forms: &'static [&'static str],
}

const fn known(mime: &'static str, is: Signature) -> Known {
    Known { mime, is, aliases: &[], forms: &[] }
}

impl Known {
    const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    const fn forms(mut self, forms: &'static [&'static str]) -> Self {
        self.forms = forms;
        self
    }

    fn names(&self, mime: &str) -> bool {
        self.mime == mime || self.aliases.contains(&mime) || self.forms.contains(&mime)
    }
}

const KNOWN: &[Known] = &[
    known("image/jpeg", infer::image::is_jpeg).aliases(&["image/jpg", "image/pjpeg"]),
    known("image/png", infer::image::is_png).aliases(&["image/x-png"]).forms(&["image/apng"]),
    known("image/gif", infer::image::is_gif),
    known("image/webp", infer::image::is_webp),
    known("image/avif", infer::image::is_avif),
    known("image/heic", infer::image::is_heif).forms(&[
        "image/heif",
        "image/heic-sequence",
        "image/heif-sequence",
    ]),
    known("image/tiff", infer::image::is_tiff),
    known("image/bmp", is_bmp).aliases(&["image/x-ms-bmp", "image/x-bmp"]),
    known("audio/mp4", |head| brand(head).is_some_and(|brand| matches!(brand, b"M4A " | b"M4B ")))
        .aliases(&["audio/m4a", "audio/x-m4a", "audio/mp4a-latm", "audio/aac"])
        .forms(&["video/mp4"]),
    known("video/3gpp", |head| brand(head).is_some_and(|brand| brand.starts_with(b"3g"))).forms(&[
        "video/3gpp2",
        "audio/3gpp",
        "audio/3gpp2",
        "video/mp4",
        "audio/mp4",
    ]),
    known("video/quicktime", infer::video::is_mov).forms(&["video/mp4"]),
    known("video/mp4", |head| brand(head).is_some()).aliases(&["application/mp4"]).forms(&[
        "audio/mp4",
        "audio/m4a",
        "audio/x-m4a",
        "video/x-m4v",
        "video/quicktime",
        "video/3gpp",
        "audio/3gpp",
    ]),
    known("video/x-matroska", infer::video::is_mkv).forms(&["audio/x-matroska", "video/webm", "audio/webm"]),
    known("video/webm", infer::video::is_webm).forms(&["audio/webm", "video/x-matroska", "audio/x-matroska"]),
    known("video/x-msvideo", infer::video::is_avi).aliases(&["video/avi", "video/msvideo"]),
    known("video/x-ms-wmv", infer::video::is_wmv).forms(&["video/x-ms-asf", "audio/x-ms-wma"]),
    known("video/mpeg", infer::video::is_mpeg).forms(&["video/mp2p"]),
    known("audio/mpeg", is_mpeg_audio).aliases(&["audio/mp3", "audio/x-mp3", "audio/mpeg3", "audio/x-mpeg"]),
    known("audio/ogg", infer::audio::is_ogg)
        .aliases(&["application/ogg"])
        .forms(&["audio/opus", "video/ogg"]),
    known("audio/flac", infer::audio::is_flac).aliases(&["audio/x-flac"]),
    known("audio/wav", infer::audio::is_wav).aliases(&["audio/x-wav", "audio/wave", "audio/vnd.wave"]),
    known("audio/amr", infer::audio::is_amr).aliases(&["audio/amr-nb"]),
    known("audio/aac", infer::audio::is_aac).aliases(&["audio/x-aac", "audio/aacp", "audio/x-hx-aac-adts"]),
    known("audio/aiff", infer::audio::is_aiff).aliases(&["audio/x-aiff"]),
    known("application/pdf", infer::archive::is_pdf).aliases(&["application/x-pdf"]),
    known("application/rtf", infer::archive::is_rtf).aliases(&["text/rtf"]),
    known("application/vnd.openxmlformats-officedocument.wordprocessingml.document", infer::doc::is_docx)
        .forms(&[
            "application/vnd.openxmlformats-officedocument.wordprocessingml.template",
            "application/vnd.ms-word.document.macroenabled.12",
        ]),
    known("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", infer::doc::is_xlsx).forms(&[
        "application/vnd.openxmlformats-officedocument.spreadsheetml.template",
        "application/vnd.ms-excel.sheet.macroenabled.12",
    ]),
    known("application/vnd.openxmlformats-officedocument.presentationml.presentation", infer::doc::is_pptx)
        .forms(&[
            "application/vnd.openxmlformats-officedocument.presentationml.slideshow",
            "application/vnd.ms-powerpoint.presentation.macroenabled.12",
        ]),
    known("application/vnd.oasis.opendocument.text", infer::odf::is_odt),
    known("application/vnd.oasis.opendocument.spreadsheet", infer::odf::is_ods),
    known("application/vnd.oasis.opendocument.presentation", infer::odf::is_odp),
    known("application/epub+zip", infer::book::is_epub),
    known(ZIP, infer::archive::is_zip).aliases(&["application/x-zip-compressed", "application/x-zip"]),
    // Without its feature `std`, which needs the whole file, infer takes every OLE container for this.
    known(OLE, infer::doc::is_doc).forms(&[
        "application/msword",
        "application/vnd.ms-excel",
        "application/vnd.ms-powerpoint",
        "application/vnd.ms-outlook",
        "application/vnd.visio",
    ]),
    known("application/gzip", infer::archive::is_gz).aliases(&["application/x-gzip"]),
    known("application/x-7z-compressed", infer::archive::is_7z),
    known("application/vnd.rar", infer::archive::is_rar)
        .aliases(&["application/x-rar-compressed", "application/x-rar"]),
];

/// Kinds that machines run, by their signature.
const PROGRAMS: &[(&str, Signature)] = &[
    ("application/vnd.microsoft.portable-executable", infer::app::is_exe),
    ("application/x-executable", infer::app::is_elf),
    ("application/x-mach-binary", infer::app::is_mach),
    ("application/wasm", infer::app::is_wasm),
    ("application/java-vm", infer::app::is_java),
    ("application/vnd.android.dex", infer::app::is_dex),
    ("application/x-sh", infer::text::is_shellscript),
];

/// Types that browsers or machines run, by name.
const ACTIVE: &[&str] = &[
    HTML,
    SVG,
    "application/xhtml+xml",
    "text/javascript",
    "application/javascript",
    "application/x-javascript",
    "application/ecmascript",
    "text/ecmascript",
    "text/xsl",
    "application/xslt+xml",
    "application/hta",
    "application/x-httpd-php",
    "application/x-sh",
    "application/x-csh",
    "application/x-bat",
    "application/x-msdownload",
    "application/x-msdos-program",
    "application/x-msi",
    "application/x-executable",
    "application/vnd.microsoft.portable-executable",
    "application/java-archive",
    "application/vnd.android.package-archive",
    "application/x-shockwave-flash",
    "application/wasm",
];

/// What a file's name says, where neither bytes nor sender do.
const EXTENSIONS: &[(&str, &str)] = &[
    ("csv", "text/csv"),
    ("txt", TEXT),
    ("md", "text/markdown"),
    ("ics", "text/calendar"),
    ("vcf", "text/vcard"),
    ("json", "application/json"),
    ("xml", "application/xml"),
    ("doc", "application/msword"),
    ("xls", "application/vnd.ms-excel"),
    ("ppt", "application/vnd.ms-powerpoint"),
    ("msg", "application/vnd.ms-outlook"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("ods", "application/vnd.oasis.opendocument.spreadsheet"),
    ("odp", "application/vnd.oasis.opendocument.presentation"),
    ("html", HTML),
    ("htm", HTML),
    ("xhtml", "application/xhtml+xml"),
    ("svg", SVG),
    ("js", "text/javascript"),
    ("mjs", "text/javascript"),
    ("php", "application/x-httpd-php"),
    ("hta", "application/hta"),
    ("sh", "application/x-sh"),
    ("bat", "application/x-bat"),
    ("cmd", "application/x-bat"),
    ("ps1", "application/x-bat"),
    ("vbs", "application/x-bat"),
    ("exe", "application/vnd.microsoft.portable-executable"),
    ("msi", "application/x-msi"),
    ("jar", "application/java-archive"),
    ("apk", "application/vnd.android.package-archive"),
];

/// Types that browsers show by themselves without running anything: served inline, all others as attachments.
pub fn is_shown_inline(mime: &str) -> bool {
    const INLINE: &[&str] = &[
        "image/jpeg",
        "image/png",
        "image/apng",
        "image/gif",
        "image/webp",
        "image/avif",
        "image/heic",
        "image/bmp",
        "application/pdf",
        TEXT,
    ];
    INLINE.contains(&mime) || mime.starts_with("audio/") || mime.starts_with("video/")
}

/// The type of a file that a caller sends.
pub fn judge(declared: Option<&str>, filename: Option<&str>, head: &[u8]) -> Result<Type, Refused> {
    let named = filename.and_then(by_extension);
    let declared = declared.map(essence).filter(|mime| is_telling(mime));
    let declared = declared.as_deref();
    if let Some(active) = declared.or(named).filter(|mime| ACTIVE.contains(mime)) {
        return Err(Refused::Active(active.into()));
    }
    if let Some((program, _)) = PROGRAMS.iter().find(|(_, is)| is(head)) {
        return Err(Refused::Active((*program).into()));
    }
    if let Some(kind) = KNOWN.iter().find(|known| (known.is)(head)) {
        return signed(kind, declared, named);
    }
    let mismatch = |declared: &str, found: &str| {
        Err(Refused::Mismatch { declared: declared.into(), found: found.into() })
    };
    if is_text(head) {
        if let Some(active) = active_text(head) {
            return match declared {
                Some(declared) => mismatch(declared, active),
                None => Err(Refused::Active(active.into())),
            };
        }
        if let Some(active) = named.filter(|mime| ACTIVE.contains(mime)) {
            return Err(Refused::Active(active.into()));
        }
        return match declared {
            // Windows calls it by the program that opens it.
            Some("application/vnd.ms-excel") if named == Some("text/csv") => Ok(of("text/csv")),
            Some("application/csv" | "text/comma-separated-values" | "text/x-csv") => Ok(of("text/csv")),
            Some(declared) if is_text_type(declared) => Ok(of(declared)),
            Some(declared) => mismatch(declared, TEXT),
            None => Ok(of(named.filter(|mime| is_text_type(mime)).unwrap_or(TEXT))),
        };
    }
    match declared {
        None => Ok(of(UNKNOWN)),
        Some(declared) if KNOWN.iter().any(|known| known.names(declared)) || is_text_type(declared) => {
            mismatch(declared, UNKNOWN)
        }
        Some(declared) if is_sight_or_sound(declared) => Err(Refused::Unsupported(declared.into())),
        Some(declared) => Ok(of(declared)),
    }
}

/// The type of a file that a customer sent: nothing is refused, the bytes win over the provider's word.
pub fn recognise(declared: Option<&str>, filename: Option<&str>, head: &[u8]) -> Type {
    match judge(declared, filename, head) {
        Ok(kind) => kind,
        Err(Refused::Mismatch { found, .. }) if !ACTIVE.contains(&found.as_str()) => of(&found),
        Err(Refused::Unsupported(declared)) => of(&declared),
        // Whatever it calls itself, it is a document, and never shown inline.
        Err(Refused::Active(mime) | Refused::Mismatch { found: mime, .. }) => {
            Type { kind: MediaType::Document, mime }
        }
    }
}

/// The type of bytes with this signature.
fn signed(known: &Known, declared: Option<&str>, named: Option<&str>) -> Result<Type, Refused> {
    let container = known.mime == ZIP || known.mime == OLE;
    match declared {
        Some(declared) if known.forms.contains(&declared) => Ok(of(declared)),
        Some(declared) if known.names(declared) => {
            // The sender knows no more than we do: its name may.
            let named = named.filter(|_| container).filter(|named| fits(known, named));
            Ok(of(named.unwrap_or(known.mime)))
        }
        Some(declared) if fits(known, declared) => Ok(of(declared)),
        Some(declared) => Err(Refused::Mismatch { declared: declared.into(), found: known.mime.into() }),
        None => Ok(of(named.filter(|named| container && fits(known, named)).unwrap_or(known.mime))),
    }
}

/// Whether a container may hold this type: its parts come in any order, so the head does not always tell.
fn fits(known: &Known, mime: &str) -> bool {
    let zipped = |mime: &str| {
        mime.ends_with("+zip")
            || mime.starts_with("application/vnd.openxmlformats-officedocument.")
            || mime.starts_with("application/vnd.oasis.opendocument.")
            || mime.ends_with(".macroenabled.12")
            || mime.starts_with("application/vnd.apple.")
            || mime.starts_with("application/x-iwork-")
    };
    known.forms.contains(&mime) || (known.mime == ZIP && zipped(mime))
}

/// The first characters of an ISO media file's brand.
fn brand(head: &[u8]) -> Option<&[u8]> {
    (head.get(4..8)? == b"ftyp").then(|| head.get(8..12)).flatten()
}

/// infer asks for the letters `BM` only, which begin many a text.
fn is_bmp(head: &[u8]) -> bool {
    infer::image::is_bmp(head) && head.get(6..10) == Some(&[0; 4])
}

/// An ID3 tag, or a frame of MPEG audio layer II or III; infer knows one kind of frame only.
fn is_mpeg_audio(head: &[u8]) -> bool {
    let frame = || {
        let Some([0xff, flags, ..]) = head.get(..4) else { return false };
        flags & 0xe0 == 0xe0 && flags & 0x18 != 0x08 && matches!(flags & 0x06, 0x02 | 0x04)
    };
    infer::audio::is_mp3(head) || frame()
}

/// UTF-8, perhaps cut in a character, without control characters; or UTF-16 that says so.
fn is_text(head: &[u8]) -> bool {
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        return true;
    }
    let whole = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            let valid = head.get(..error.valid_up_to()).unwrap_or_default();
            std::str::from_utf8(valid).unwrap_or_default()
        }
        Err(_) => return is_latin(head),
    };
    !whole.chars().any(is_control)
}

/// Spreadsheets still write CSV in the character sets of Windows: no control characters, and mostly ASCII.
fn is_latin(head: &[u8]) -> bool {
    let high = head.iter().filter(|byte| **byte >= 0x80).count();
    high.saturating_mul(4) < head.len()
        && !head.iter().any(|byte| is_control(char::from(*byte)) && *byte < 0x80)
}

fn is_control(character: char) -> bool {
    (character < ' ' && !matches!(character, '\t' | '\n' | '\r' | '\u{c}' | '\u{1b}'))
        || character == '\u{7f}'
}

/// What a browser would run of a text.
fn active_text(head: &[u8]) -> Option<&'static str> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let start: String =
        String::from_utf8_lossy(head.get(..4096).unwrap_or(head)).trim_start().to_ascii_lowercase();
    let is_markup = start.starts_with('<');
    if is_markup && (start.starts_with("<svg") || start.contains("<svg ") || start.contains("<!doctype svg"))
    {
        Some(SVG)
    } else if infer::text::is_html(head)
        || (is_markup && (start.contains("<html") || start.contains("<script")))
    {
        Some(HTML)
    } else {
        None
    }
}

fn is_text_type(mime: &str) -> bool {
    mime.starts_with("text/")
        || mime.ends_with("+json")
        || mime.ends_with("+xml")
        || [
            "application/json",
            "application/x-ndjson",
            "application/xml",
            "application/yaml",
            "application/x-yaml",
            "application/sql",
        ]
        .contains(&mime)
}

fn is_sight_or_sound(mime: &str) -> bool {
    ["image/", "video/", "audio/"].iter().any(|kind| mime.starts_with(kind))
}

/// A media type without its parameters, in lower case.
fn essence(mime: &str) -> String {
    mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether a declared type says anything, and is one.
fn is_telling(mime: &str) -> bool {
    let token = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
    };
    ![UNKNOWN, "binary/octet-stream", "application/x-binary", "application/unknown"].contains(&mime)
        && mime.len() <= 127
        && mime.split_once('/').is_some_and(|(kind, name)| token(kind) && token(name))
}

fn by_extension(filename: &str) -> Option<&'static str> {
    let (_, extension) = filename.rsplit_once('.')?;
    let extension = extension.to_ascii_lowercase();
    EXTENSIONS.iter().find(|(known, _)| *known == extension).map(|(_, mime)| *mime)
}

fn of(mime: &str) -> Type {
    let kind = match mime.split('/').next() {
        Some("image") => MediaType::Image,
        Some("video") => MediaType::Video,
        Some("audio") => MediaType::Audio,
        _ => MediaType::Document,
    };
    Type { kind, mime: mime.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF\0";
    const PDF: &[u8] = b"%PDF-1.7\n%\xe2\xe3";
    const ZIPPED: &[u8] = b"PK\x03\x04\x14\0\0\0\x08\0abcdefghijklmnopqrstuvwxyz";
    const OLD_OFFICE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0\0\0";
    const MP4: &[u8] = b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2";
    const BYTES: &[u8] = b"\x01\x02\x03\x00\xfe\x80";

    fn mime(declared: &str, filename: &str, head: &[u8]) -> String {
        let declared = (!declared.is_empty()).then_some(declared);
        match judge(declared, Some(filename), head) {
            Ok(judged) => judged.mime,
            Err(Refused::Mismatch { declared, found }) => format!("{declared} != {found}"),
            Err(Refused::Active(mime)) => format!("active {mime}"),
            Err(Refused::Unsupported(mime)) => format!("unsupported {mime}"),
        }
    }

    #[test]
    fn signatures_decide() {
        assert_eq!(mime("image/png", "a.png", PNG), "image/png");
        assert_eq!(mime("", "", PNG), "image/png");
        assert_eq!(mime("application/octet-stream", "x.bin", JPEG), "image/jpeg");
        assert_eq!(mime("image/jpg", "a.jpg", JPEG), "image/jpeg");
        assert_eq!(mime("IMAGE/JPEG; q=1", "a.jpg", JPEG), "image/jpeg");
        assert_eq!(mime("image/jpeg", "a.jpg", PNG), "image/jpeg != image/png");
        assert_eq!(mime("application/pdf", "a.pdf", b"hello"), "application/pdf != text/plain");
        assert_eq!(mime("application/pdf", "a.pdf", BYTES), "application/pdf != application/octet-stream");
        assert_eq!(mime("text/plain", "a.txt", PDF), "text/plain != application/pdf");
        assert_eq!(mime("application/pdf", "a.pdf", PDF), "application/pdf");
    }

    #[test]
    fn where_one_signature_stands_for_several_types_the_sender_decides() {
        assert_eq!(mime("audio/opus", "a.opus", b"OggS\0\x02"), "audio/opus");
        assert_eq!(mime("audio/ogg; codecs=opus", "a.ogg", b"OggS\0\x02"), "audio/ogg");
        assert_eq!(mime("audio/mp4", "a.m4a", MP4), "audio/mp4");
        assert_eq!(mime("video/mp4", "a.mp4", MP4), "video/mp4");
        assert_eq!(mime("", "a.3gp", b"\0\0\0\x18ftyp3gp4\0\0\x02\0"), "video/3gpp");
        assert_eq!(mime("audio/mpeg", "a.mp3", b"\xff\xfb\x90\x64"), "audio/mpeg");
        assert_eq!(mime("audio/mpeg", "a.mp3", b"\xff\xf3\x90\x64"), "audio/mpeg");
        assert_eq!(mime("audio/aac", "a.aac", b"\xff\xf1\x50\x80"), "audio/aac");
        let xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
        assert_eq!(mime(xlsx, "a.xlsx", ZIPPED), xlsx);
        assert_eq!(mime("", "a.xlsx", ZIPPED), xlsx);
        assert_eq!(mime("application/zip", "a.xlsx", ZIPPED), xlsx);
        assert_eq!(mime("", "a.zip", ZIPPED), "application/zip");
        assert_eq!(mime("application/msword", "a.doc", OLD_OFFICE), "application/msword");
        assert_eq!(mime("", "a.xls", OLD_OFFICE), "application/vnd.ms-excel");
        assert_eq!(mime("image/png", "a.png", ZIPPED), "image/png != application/zip");
    }

    #[test]
    fn texts_have_no_signature() {
        assert_eq!(mime("text/csv", "a.csv", b"name;city\nAnna;Krak\xc3"), "text/csv");
        assert_eq!(mime("application/vnd.ms-excel", "a.csv", b"name;city\n"), "text/csv");
        assert_eq!(mime("text/csv", "a.csv", b"name;city\nAnna;Krak\xf3w;0123456789"), "text/csv");
        assert_eq!(mime("", "a.csv", b"BMW,1\n"), "text/csv");
        assert_eq!(mime("", "notes", b"hello"), "text/plain");
        assert_eq!(mime("application/json", "a.json", b"{}"), "application/json");
        assert_eq!(mime("text/plain", "a.txt", b"\xff\xfeh\0i\0"), "text/plain");
        assert_eq!(mime("image/png", "a.png", b"hello"), "image/png != text/plain");
        assert_eq!(mime("text/plain", "a.txt", BYTES), "text/plain != application/octet-stream");
    }

    #[test]
    fn what_would_run_is_refused() {
        assert_eq!(mime("image/svg+xml", "a.svg", b"<svg onload='x'/>"), "active image/svg+xml");
        assert_eq!(mime("", "a", b"<?xml version='1.0'?><svg xmlns='x'/>"), "active image/svg+xml");
        assert_eq!(mime("image/png", "a.png", b"<svg/>"), "image/png != image/svg+xml");
        assert_eq!(mime("text/html", "a.html", b"hello"), "active text/html");
        assert_eq!(mime("", "a.txt", b"\n <!DOCTYPE html><p>"), "active text/html");
        assert_eq!(mime("text/plain", "a.txt", b"<html><script>"), "text/plain != text/html");
        assert_eq!(mime("text/plain", "a.js", b"alert(1)"), "active text/javascript");
        assert_eq!(
            mime("image/png", "a.png", b"MZ\x90\0"),
            "active application/vnd.microsoft.portable-executable"
        );
        assert_eq!(mime("", "a", b"#!/bin/sh\n"), "active application/x-sh");
        assert_eq!(mime("", "a.apk", ZIPPED), "active application/vnd.android.package-archive");
    }

    #[test]
    fn other_bytes_are_documents_and_never_pictures() {
        assert_eq!(mime("", "a.bin", BYTES), "application/octet-stream");
        assert_eq!(mime("application/x-own", "a.own", BYTES), "application/x-own");
        assert_eq!(mime("nonsense", "a.own", BYTES), "application/octet-stream");
        assert_eq!(mime("image/x-own", "a.own", BYTES), "unsupported image/x-own");
        assert_eq!(judge(None, None, BYTES).unwrap().kind, MediaType::Document);
        assert_eq!(judge(None, None, MP4).unwrap().kind, MediaType::Video);
    }

    #[test]
    fn customers_may_send_anything() {
        let seen = |declared: &str, head: &[u8]| {
            let found = recognise(Some(declared), None, head);
            (found.kind, found.mime)
        };
        assert_eq!(seen("image/jpeg", PNG), (MediaType::Image, "image/png".into()));
        assert_eq!(seen("image/svg+xml", b"<svg/>"), (MediaType::Document, "image/svg+xml".into()));
        assert_eq!(seen("image/png", b"<svg/>"), (MediaType::Document, "image/svg+xml".into()));
        assert_eq!(seen("audio/x-own", BYTES), (MediaType::Audio, "audio/x-own".into()));
        assert!(!is_shown_inline("image/svg+xml") && !is_shown_inline("text/html"));
        assert!(is_shown_inline("image/png") && is_shown_inline("audio/ogg"));
    }

    #[test]
    fn no_head_panics() {
        for length in 0..64 {
            for start in
                [PNG, JPEG, PDF, ZIPPED, OLD_OFFICE, MP4, b"PK\x03\x04", b"\xff", b"\xca\xfe\xba\xbe"]
            {
                let mut head: Vec<u8> = start.iter().copied().chain(std::iter::repeat_n(0xff, 64)).collect();
                head.truncate(length);
                let _ = judge(None, None, &head);
            }
        }
    }
}
