//! Random choices that can be repeated: a request of an account with a seed draws from it instead of the machine.
//!
//! What is drawn depends on the seed, the account, the number of the request since the seed was set, and the number of
//! the draw in it: the same requests in the same order get the same ids, whatever other accounts do meanwhile.

use crate::provider::Provider;
use crate::store::seeds;
use common::{Result, crypto, db, id};
use std::cell::Cell;
use std::future::Future;
use std::pin::pin;

/// Random bytes of one request.
#[derive(Debug)]
struct Source {
    key: [u8; 32],
    drawn: u64,
}

thread_local! {
    /// Of the request that is being polled.
    static CURRENT: Cell<Option<Source>> = const { Cell::new(None) };
}

impl Source {
    fn new(provider: Provider, account: &str, seed: i64, request: i64) -> Self {
        let text = format!("{seed}\n{}\n{account}\n{request}", provider.as_str());
        Source { key: crypto::sha256(text.as_bytes()), drawn: 0 }
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for block in bytes.chunks_mut(32) {
            let made = crypto::hmac_sha256(&self.key, &[&self.drawn.to_le_bytes()]);
            self.drawn = self.drawn.saturating_add(1);
            for (byte, random) in block.iter_mut().zip(made) {
                *byte = random;
            }
        }
    }
}

/// Fills with random bytes: of the request's seed, where it has one.
pub fn fill(bytes: &mut [u8]) {
    match CURRENT.take() {
        Some(mut source) => {
            source.fill(bytes);
            CURRENT.set(Some(source));
        }
        None => id::fill_random(bytes),
    }
}

/// Runs a request of an account, with the account's seed where there is one.
pub async fn run<T>(
    provider: Provider,
    account: Option<&str>,
    request: impl Future<Output = T>,
) -> Result<T> {
    let account = account.unwrap_or_default();
    let mut source = None;
    if db::read(|db| seeds::any(db, provider)).await? {
        let drawn = db::write(|db| seeds::next(db, provider, account)).await?;
        source = drawn.map(|(seed, request)| Source::new(provider, account, seed, request));
    }
    let mut request = pin!(request);
    Ok(std::future::poll_fn(|context| {
        // Several requests take turns in this thread: each has its own for as long as it is polled.
        CURRENT.set(source.take());
        let polled = request.as_mut().poll(context);
        source = CURRENT.take();
        polled
    })
    .await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_draws_give_the_same_bytes_and_others_others() {
        let draw = |provider, account: &str, seed, request| {
            let mut source = Source::new(provider, account, seed, request);
            let (mut first, mut second) = ([0_u8; 48], [0_u8; 8]);
            source.fill(&mut first);
            source.fill(&mut second);
            (first, second)
        };
        let one = draw(Provider::Whatsapp, "1", 7, 1);
        assert_eq!(draw(Provider::Whatsapp, "1", 7, 1), one);
        assert_ne!(one.0[..8], one.1);
        assert_ne!(one.0[..16], one.0[32..]);
        for other in [
            draw(Provider::Twilio, "1", 7, 1),
            draw(Provider::Whatsapp, "2", 7, 1),
            draw(Provider::Whatsapp, "1", 8, 1),
            draw(Provider::Whatsapp, "1", 7, 2),
        ] {
            assert_ne!(other, one);
        }
    }
}
