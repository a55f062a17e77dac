//! How large files may be, uploaded or from live chat: by kind, from variables.

use crate::content::MediaType;
use common::settings;

const MIB: usize = 1024 * 1024;
/// What a form may add to its files, in bytes: boundaries, headers and texts.
pub const FORM_BYTES: usize = 64 * 1024;
/// Largest body where the variables set no other limits, in bytes.
pub const LARGEST: usize = 64 * MIB + FORM_BYTES;

const KINDS: [MediaType; 4] = [MediaType::Image, MediaType::Audio, MediaType::Video, MediaType::Document];

/// Largest file of a kind, in bytes.
pub async fn of(kind: MediaType) -> usize {
    let (variable, default) = match kind {
        MediaType::Image => ("media_image_bytes", 16),
        MediaType::Audio => ("media_audio_bytes", 16),
        MediaType::Video => ("media_video_bytes", 64),
        MediaType::Document => ("media_document_bytes", 64),
    };
    let set = settings::get(variable).await.and_then(|text| text.trim().parse().ok());
    set.unwrap_or_else(|| MIB.saturating_mul(default))
}

/// Largest form of all, in bytes: one file of the largest kind.
pub async fn largest() -> usize {
    let mut largest = 0_usize;
    for kind in KINDS {
        largest = largest.max(of(kind).await);
    }
    largest.saturating_add(FORM_BYTES)
}

/// Whether a file of `size` bytes and `more` is too large.
pub fn exceeds(size: i64, more: usize, limit: usize) -> bool {
    usize::try_from(size).unwrap_or(usize::MAX).saturating_add(more) > limit
}
