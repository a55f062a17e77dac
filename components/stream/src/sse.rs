//! The wire: Server-Sent Events as the HTML standard defines them, and their ids.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::crypto;
use std::fmt::Write as _;

/// Event ids of one tenant's feed: opaque outside, and good for nothing in another's.
#[derive(Clone, Copy, Debug)]
pub struct Ids([u8; 6]);

impl Ids {
    pub fn of(tenant: &str) -> Self {
        let mut short = [0_u8; 6];
        let hash = crypto::sha256(format!("updates of {tenant}").as_bytes());
        for (to, from) in short.iter_mut().zip(hash) {
            *to = from;
        }
        Ids(short)
    }

    /// The id of what was told up to a row.
    pub fn encode(self, seq: i64) -> String {
        let mut bytes = self.0.to_vec();
        bytes.extend(seq.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// `None` for what is not an id of this tenant's.
    pub fn decode(self, id: &str) -> Option<i64> {
        let bytes = URL_SAFE_NO_PAD.decode(id).ok()?;
        let (tenant, seq) = bytes.split_first_chunk::<6>()?;
        (*tenant == self.0).then_some(i64::from_be_bytes(seq.try_into().ok()?))
    }
}

/// Appends an event; `data` is one line.
pub fn event(out: &mut String, id: &str, name: &str, data: &str) {
    // Writing to a String cannot fail.
    let _ = write!(out, "id: {id}\nevent: {name}\ndata: {data}\n\n");
}

/// Appends a sign of life. It carries the id: a client that heard of nothing for long resumes from here.
pub fn heartbeat(out: &mut String, id: &str) {
    let _ = write!(out, ": heartbeat\nid: {id}\n\n");
}

/// Appends how long a client should wait before it connects again.
pub fn retry(out: &mut String, milliseconds: u32) {
    let _ = writeln!(out, "retry: {milliseconds}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_good_for_their_tenant_only() {
        let (own, other) = (Ids::of("tn_1"), Ids::of("tn_2"));
        let id = own.encode(7);
        assert_eq!(own.decode(&id), Some(7));
        assert_eq!(other.decode(&id), None);
        for wrong in ["", "7", "!", &id[1..], &format!("{id}AA")] {
            assert_eq!(own.decode(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn events_are_as_the_standard_wants_them() {
        let mut out = String::new();
        retry(&mut out, 1000);
        event(&mut out, "a", "ready", "{}");
        heartbeat(&mut out, "b");
        assert_eq!(out, "retry: 1000\nid: a\nevent: ready\ndata: {}\n\n: heartbeat\nid: b\n\n");
    }
}
