//! Numbers with a behaviour of their own: the last four characters decide (channels section 9.4).

use crate::graph::Error;
use crate::provider::Provider;

/// What happens to a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Behaviour {
    /// Sent, delivered, read.
    Ordinary,
    /// Accepted, and never heard of again.
    Silent,
    SentOnly,
    /// Read at first, then sent; never delivered.
    ReadFirst,
    /// Accepted, then failed: not on WhatsApp. Messenger and Instagram refuse it.
    Undeliverable,
    /// The person wants no messages.
    OptedOut,
    /// The window counts as closed, whatever the person wrote.
    WindowClosed,
    /// Refused some times, then accepted; the count begins anew after that.
    RefusedFirst {
        times: i64,
        refusal: Refusal,
    },
    TokenError,
    /// Accepted, but the answer comes when nobody waits for it any more; the states come at once.
    LateAnswer,
}

/// How a message is refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Refusal {
    PairLimit,
    Throttled,
    Server,
}

impl Refusal {
    /// The refusal in the words of a Meta channel.
    pub fn of(self, provider: Provider) -> Error {
        match (self, provider) {
            (Refusal::Server, _) => Error::server(),
            (Refusal::PairLimit, Provider::Whatsapp) => Error::pair_limit(),
            (Refusal::Throttled, Provider::Whatsapp) => Error::throttled(),
            (Refusal::PairLimit | Refusal::Throttled, _) => Error::page_throttled(),
        }
    }
}

/// Looks a recipient up: digits, or a business-scoped user id.
pub fn behaviour(person: &str) -> Behaviour {
    let start = person.len().saturating_sub(4);
    match person.get(start..).unwrap_or_default() {
        "0001" => Behaviour::Silent,
        "0002" => Behaviour::SentOnly,
        "0003" => Behaviour::ReadFirst,
        "0026" => Behaviour::Undeliverable,
        "0610" => Behaviour::OptedOut,
        "0047" => Behaviour::WindowClosed,
        "0056" => Behaviour::RefusedFirst { times: 2, refusal: Refusal::PairLimit },
        "0429" => Behaviour::RefusedFirst { times: 3, refusal: Refusal::Throttled },
        "0500" => Behaviour::RefusedFirst { times: 2, refusal: Refusal::Server },
        "0190" => Behaviour::TokenError,
        "0999" => Behaviour::LateAnswer,
        _ => Behaviour::Ordinary,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_four_digits_decide() {
        assert_eq!(behaviour("12025550001"), Behaviour::Silent);
        assert_eq!(behaviour("12025550002"), Behaviour::SentOnly);
        assert_eq!(behaviour("12025550003"), Behaviour::ReadFirst);
        assert_eq!(behaviour("12025550026"), Behaviour::Undeliverable);
        assert_eq!(behaviour("12025550047"), Behaviour::WindowClosed);
        assert_eq!(behaviour("12025550610"), Behaviour::OptedOut);
        assert_eq!(behaviour("12025550190"), Behaviour::TokenError);
        assert_eq!(behaviour("12025550999"), Behaviour::LateAnswer);
        assert_eq!(behaviour("12025550147"), Behaviour::Ordinary);
        assert_eq!(behaviour("US.A0001"), Behaviour::Silent);
        assert_eq!(behaviour("1"), Behaviour::Ordinary);
        assert_eq!(behaviour("ééé"), Behaviour::Ordinary);
        let refusals = |person: &str| match behaviour(person) {
            Behaviour::RefusedFirst { times, refusal } => {
                let error = refusal.of(Provider::Whatsapp);
                (times, error.status.as_u16(), error.code)
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(refusals("12025550056"), (2, 400, 131_056));
        assert_eq!(refusals("12025550429"), (3, 429, 130_429));
        assert_eq!(refusals("12025550500"), (2, 500, 131_000));
    }
}
