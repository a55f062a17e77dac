//! The bare loop: signs and sends what the platform sent, with nothing else to do.

use super::{micros, side_by_side};
use crate::client::{Connection, Failed};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// As long as the platform's.
const SECRET: [u8; 32] = [7; 32];

/// Sends `count` deliveries of the receiver's sample, `in_flight` at a time, each on a connection of its own that is
/// kept alive.
pub fn run(receiver: &str, count: &str, in_flight: &str) -> Result<(), Box<dyn Error>> {
    let (count, in_flight): (u64, usize) = (count.parse()?, in_flight.parse()?);
    super::run(async {
        let (_, sample) = Connection::open(receiver).await?.send("GET", "/sample", &[], "").await?;
        let next = Arc::new(AtomicU64::new(0));
        side_by_side(in_flight, || {
            let (receiver, sample, next) = (receiver.to_string(), sample.clone(), next.clone());
            async move {
                let mut connection = Connection::open(&receiver).await?;
                while next.fetch_add(1, Ordering::Relaxed) < count {
                    let id = format!("evt_{}", ulid::Ulid::generate());
                    let seconds = (micros() / 1_000_000).to_string();
                    let signature = signature(&id, &seconds, &sample)?;
                    let headers = [
                        ("webhook-id", id.as_str()),
                        ("webhook-timestamp", &seconds),
                        ("webhook-signature", &signature),
                    ];
                    let (status, _) = connection.send("POST", "/hooks", &headers, sample.clone()).await?;
                    if status != 204 {
                        return Err(format!("the receiver answered {status}").into());
                    }
                }
                Ok(())
            }
        })
        .await
    })
}

fn signature(id: &str, seconds: &str, body: &[u8]) -> Result<String, Failed> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&SECRET)?;
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}
