//! Ids in the look of each provider (channels sections 1.6 and 9.1).

use crate::seed;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// Bytes of a message id before base64: usual, and the longest there are.
const USUAL_BYTES: usize = 42;
const LONG_BYTES: usize = 90;

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0_u8; N];
    seed::fill(&mut bytes);
    bytes
}

/// `wamid.` and base64 of the person and random bytes. One in eight is as long as they get, 126 characters: a
/// column or a rule that is too narrow shows at once.
pub fn wamid(person: &str) -> String {
    let random = random::<LONG_BYTES>();
    let length = if random.first().is_some_and(|byte| byte % 8 == 0) { LONG_BYTES } else { USUAL_BYTES };
    let mut bytes = vec![0x1d, 0x18, 0x0b];
    bytes.extend(person.bytes().take(16));
    bytes.extend([0x15, 0x02, 0x00, 0x11, 0x18]);
    bytes.extend(random);
    bytes.truncate(length);
    format!("wamid.{}", STANDARD.encode(bytes))
}

/// Messenger: `m_` and URL-safe text.
pub fn messenger_mid() -> String {
    format!("m_{}", URL_SAFE_NO_PAD.encode(random::<48>()))
}

/// Instagram: opaque and long.
pub fn instagram_mid() -> String {
    let mut bytes = b"ig_".to_vec();
    bytes.extend(random::<87>());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Twilio: `SM`, `MM` or, for a file, `ME`, and 32 digits.
pub fn sid(prefix: &str) -> String {
    format!("{prefix}{}", hex::encode(random::<16>()))
}

/// The generic gateway's.
pub fn gateway() -> String {
    format!("gw-{}", hex::encode(random::<8>()))
}

/// 15 digits, without a zero in front: media, attachments.
pub fn digits() -> String {
    let number = u64::from_le_bytes(random::<8>()) % 900_000_000_000_000;
    number.saturating_add(100_000_000_000_000).to_string()
}

/// WhatsApp: a file's id. The look of the first digits tells it from a phone number's.
pub fn whatsapp_media() -> String {
    format!("7400{}", digits().get(4..).unwrap_or_default())
}

/// Meta: of a call that was refused.
pub fn trace() -> String {
    format!("A{}", URL_SAFE_NO_PAD.encode(random::<16>()))
}

/// What nobody guesses, for a URL.
pub fn url_key() -> String {
    URL_SAFE_NO_PAD.encode(random::<24>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_are_unique_and_some_are_long() {
        let ids: HashSet<String> = (0..1000).map(|_| wamid("12025550147")).collect();
        assert_eq!(ids.len(), 1000);
        let lengths: HashSet<usize> = ids.iter().map(String::len).collect();
        assert_eq!(lengths, HashSet::from([62, 126]));
        assert!(ids.iter().all(|id| id.starts_with("wamid.HRgL")));
        assert_eq!(digits().len(), 15);
        assert_eq!(sid("SM").len(), 34);
        assert_eq!(messenger_mid().len(), 66);
    }
}
