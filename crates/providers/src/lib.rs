//! Channel providers: what goes over the wire to them and comes back, and nothing else.
//!
//! Each provider has a module that builds a request, reads its answer, and checks and reads a callback.
//! All of it is pure: no clock, no network, no database, so every case is a unit test. The types here
//! are those that mean the same for all providers; addresses and events are each provider's own.
//!
//! Reading is lenient (channels, general rule 2): unknown fields, kinds and values are kept or passed
//! over, never an error. Ids are opaque texts even where they look like numbers.

pub mod whatsapp;

use serde_json::Value;
use std::time::Duration;

/// What is sent to a customer.
#[derive(Clone, Debug, PartialEq)]
pub enum Outgoing {
    Text {
        body: String,
        /// Whether the provider shows a preview of the first link.
        preview_url: bool,
    },
    /// A pre-approved text, the only content that needs no open window.
    Template {
        name: String,
        /// Exactly as approved: `en` is not `en_GB`.
        language: String,
        /// Values of its variables, in the provider's own form (channels section 2.2).
        components: Vec<Value>,
    },
}

/// What a provider made of a send request.
#[derive(Clone, Debug, PartialEq)]
pub enum SendResult {
    /// Taken over. Whether it was sent comes by callback.
    Accepted {
        /// The provider's id of the message.
        provider_id: String,
        /// The recipient as the provider writes it; may differ from what was asked for.
        recipient_id: Option<String>,
    },
    Refused(Failure),
    /// A success without a message id: it may have been sent, so it must not be sent again by itself.
    Unclear {
        /// For the log.
        provider_text: String,
    },
}

/// Why a message was not sent or delivered.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The provider's code; `http_503` and the like where there is none.
    pub code: String,
    /// The provider's words, shortened: for operators and the log, not for the API.
    pub provider_text: String,
    pub class: RetryClass,
    /// What a user of ours may read: what happened and what to do.
    pub public_reason: &'static str,
    /// Not before this long from now, where the provider or its rules name a time.
    pub retry_after: Option<Duration>,
}

/// What to do about a failure (channels, head and section 8.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryClass {
    /// Temporary: try again with growing gaps.
    Retry,
    /// Too fast: slow this sender down, then try again.
    Throttled,
    /// This request will never work.
    Never,
    /// The account cannot send: stop its queue and tell an operator.
    Alert,
    /// Not this way: a template, or another channel.
    OtherWay,
}

/// How far a message has come, by a provider's report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Sent,
    Delivered,
    Read,
    Failed,
    /// A state that we do not know, as the provider writes it.
    Other(String),
}

/// A customer as a provider names them. At least one of the ids is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// WhatsApp: the phone number as digits without `+`.
    pub wa_id: Option<String>,
    /// WhatsApp: the business-scoped user id (channels section 3.1).
    pub user_id: Option<String>,
    /// What they call themselves.
    pub name: Option<String>,
}

/// What a customer sent.
#[derive(Clone, Debug, PartialEq)]
pub enum InboundContent {
    Text {
        body: String,
    },
    /// A kind that has no form of its own here yet, or a known kind in an unknown shape.
    Other {
        /// The provider's name of the kind.
        kind: String,
        /// The provider's whole message.
        raw: Value,
    },
}

/// A callback body that cannot be read at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackError(pub String);

impl std::fmt::Display for CallbackError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the callback is no JSON: {}", self.0)
    }
}

impl std::error::Error for CallbackError {}

/// A request that cannot be built from a sender's settings; names the setting, never its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError(pub &'static str);

impl std::fmt::Display for BuildError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the sender's {} cannot be used in a request", self.0)
    }
}

impl std::error::Error for BuildError {}
