//! The messaging window: who may write freely into a conversation, and until when (channels sections 2.5 and 4.2).

use common::problem::Window;
use common::time::Timestamp;
use std::time::Duration;

/// Free-form messages are allowed this long after the customer's latest message (channels section 2.5).
pub const WINDOW: Duration = Duration::from_secs(24 * 60 * 60);
/// People may answer this long on Messenger and Instagram, with a tag that says so (channels section 4.2).
pub const HUMAN_AGENT_WINDOW: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Who writes: providers let people answer longer than machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A person, or software in the name of one: everybody who sends through the API.
    Agent,
    /// A chatbot or a journey.
    Bot,
}

impl Actor {
    /// As the contract writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Actor::Agent => "AGENT",
            Actor::Bot => "BOT",
        }
    }
}

/// Whether this actor may write freely now. `last_inbound_at` is the time of the customer's latest message to
/// the inbox that would send; `session_open` says whether the conversation has an open session, which is all
/// that live chat asks for.
///
/// Templates on WhatsApp pass in any case: that is the sender's rule, not the window's (contract section 5).
pub fn window(
    channel: &str,
    actor: Actor,
    last_inbound_at: Option<Timestamp>,
    session_open: bool,
    now: Timestamp,
) -> Window {
    let after_inbound = |length| last_inbound_at.map(|at| at.after(length)).filter(|end| *end > now);
    let (open, expires_at) = match (channel, actor) {
        ("sms", _) => (true, None),
        ("text", _) => (session_open, None),
        ("messenger" | "instagram", Actor::Agent) => {
            let end = after_inbound(HUMAN_AGENT_WINDOW);
            (end.is_some(), end)
        }
        _ => {
            let end = after_inbound(WINDOW);
            (end.is_some(), end)
        }
    };
    Window {
        state: if open { "OPEN" } else { "CLOSED" },
        for_actor: actor.as_str(),
        expires_at,
        failure_code: (!open).then_some("messagingWindowClosed"),
    }
}

/// Whether a message of a person needs the tag `HUMAN_AGENT`: Messenger and Instagram, later than 24 hours
/// after the customer's latest message (channels section 4.2).
pub fn needs_human_agent_tag(channel: &str, last_inbound_at: Option<Timestamp>, now: Timestamp) -> bool {
    matches!(channel, "messenger" | "instagram") && last_inbound_at.is_none_or(|at| at.after(WINDOW) <= now)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000_000_000);
    const HOUR: Duration = Duration::from_secs(3600);

    /// The window of a customer who wrote this many hours ago.
    fn after(channel: &str, actor: Actor, hours: u32) -> Window {
        window(channel, actor, Some(NOW.before(HOUR.saturating_mul(hours))), true, NOW)
    }

    #[test]
    fn whatsapps_window_closes_24_hours_after_the_customers_message() {
        for actor in [Actor::Agent, Actor::Bot] {
            assert_eq!(window("whatsapp", actor, None, true, NOW).state, "CLOSED");
            let fresh = after("whatsapp", actor, 1);
            assert_eq!((fresh.state, fresh.for_actor, fresh.failure_code), ("OPEN", actor.as_str(), None));
            assert_eq!(fresh.expires_at, Some(NOW.after(HOUR * 23)));
            let old = after("whatsapp", actor, 24);
            assert_eq!((old.state, old.failure_code), ("CLOSED", Some("messagingWindowClosed")));
            assert_eq!(old.expires_at, None);
        }
    }

    #[test]
    fn people_may_answer_for_seven_days_on_messenger_and_instagram() {
        for channel in ["messenger", "instagram"] {
            assert_eq!(after(channel, Actor::Bot, 23).state, "OPEN");
            assert_eq!(after(channel, Actor::Bot, 24).state, "CLOSED");
            let late = after(channel, Actor::Agent, 24);
            assert_eq!((late.state, late.expires_at), ("OPEN", Some(NOW.after(HOUR * 24 * 6))));
            assert_eq!(after(channel, Actor::Agent, 7 * 24).state, "CLOSED");
            assert_eq!(window(channel, Actor::Agent, None, true, NOW).state, "CLOSED");
            let at = |hours| Some(NOW.before(HOUR.saturating_mul(hours)));
            assert!(!needs_human_agent_tag(channel, at(23), NOW));
            assert!(needs_human_agent_tag(channel, at(24), NOW));
        }
        assert!(!needs_human_agent_tag("whatsapp", Some(NOW.before(HOUR * 48)), NOW));
    }

    #[test]
    fn text_messages_are_always_free_and_live_chat_while_its_session_is_open() {
        for actor in [Actor::Agent, Actor::Bot] {
            let sms = window("sms", actor, None, false, NOW);
            assert_eq!((sms.state, sms.expires_at, sms.failure_code), ("OPEN", None, None));
            assert_eq!(window("text", actor, None, true, NOW).state, "OPEN");
            let closed = window("text", actor, Some(NOW), false, NOW);
            assert_eq!((closed.state, closed.failure_code), ("CLOSED", Some("messagingWindowClosed")));
        }
    }
}
