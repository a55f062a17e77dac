//! Which files WhatsApp takes (channels section 2.6): told at once, since its own refusal comes much later.

use crate::content::{MediaContent, MediaType};
use common::problem::Violations;

const MB: i64 = 1024 * 1024;
const DOCUMENT_MAX: i64 = 100 * MB;
/// An animated sticker; others are smaller still.
const STICKER_MAX: i64 = 500 * 1024;

/// The types of a kind of file, and how large it may be.
const fn limits(kind: MediaType) -> (&'static [&'static str], i64) {
    match kind {
        MediaType::Image => (&["image/jpeg", "image/png"], 5 * MB),
        MediaType::Video => (&["video/mp4", "video/3gpp"], 16 * MB),
        MediaType::Audio => (&["audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"], 16 * MB),
        MediaType::Document => (&[], DOCUMENT_MAX),
    }
}

pub(super) fn check_whatsapp_file(
    violations: &mut Violations,
    media: &MediaContent,
    kind: MediaType,
    mime: &str,
    size: Option<i64>,
) {
    let (types, max) = if media.sticker { (&["image/webp"][..], STICKER_MAX) } else { limits(kind) };
    let field = "content.media.mediaId";
    let plain = mime.split(';').next().unwrap_or_default().trim();
    if !types.is_empty() && !types.contains(&plain) {
        violations.add(field, format!("is {plain}, and WhatsApp takes {} for this", types.join(", ")));
    }
    if size.is_some_and(|size| size > max) {
        violations.add(field, format!("is larger than the {max} bytes that WhatsApp takes"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatsapp_takes_these_files() {
        let refused = |kind, mime: &str, size: i64, sticker: bool| {
            let mut violations = Violations::new();
            let media = MediaContent { sticker, ..MediaContent::default() };
            check_whatsapp_file(&mut violations, &media, kind, mime, Some(size));
            violations.finish().map_or_else(|problem| problem.errors.len(), |()| 0)
        };
        assert_eq!(refused(MediaType::Image, "image/png", 5 * MB, false), 0);
        assert_eq!(refused(MediaType::Image, "image/png", 5 * MB + 1, false), 1);
        assert_eq!(refused(MediaType::Image, "image/webp", 1, false), 1);
        assert_eq!(refused(MediaType::Image, "image/webp", 1, true), 0);
        assert_eq!(refused(MediaType::Image, "image/webp", STICKER_MAX + 1, true), 1);
        assert_eq!(refused(MediaType::Audio, "audio/ogg; codecs=opus", 1, false), 0);
        assert_eq!(refused(MediaType::Document, "application/zip", 1, false), 0);
    }
}
