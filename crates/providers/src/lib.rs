//! Channel providers: what goes over the wire to them and comes back, and nothing else.
//!
//! Each provider has a module that builds a request, reads its answer, and checks and reads a callback.
//! All of it is pure: no clock, no network, no database, so every case is a unit test. The types here
//! mean the same for all providers, so that whoever sends and receives knows no provider's names.
//!
//! Reading is lenient (channels, general rule 2): unknown fields, kinds and values are kept or passed
//! over, never an error. Ids are opaque texts even where they look like numbers.

mod failure;
pub mod gateway;
pub mod graph;
mod hmac;
mod hosts;
pub mod instagram;
mod json;
pub mod messenger;
mod ordered;
pub mod twilio;
mod upload;
pub mod whatsapp;

pub use upload::{File, Upload};

use serde_json::Value;
use std::time::Duration;

/// A message on its way out: to whom, as what, and what it says.
#[derive(Clone, Debug)]
pub struct Envelope<'a> {
    /// The person as the provider names them: digits or a user id, PSID, IGSID, digits for SMS.
    pub to: &'a str,
    /// Our message id; comes back in statuses and echoes where the provider can carry it.
    pub reference: &'a str,
    /// The provider's id of the message that is quoted.
    pub reply_to: Option<&'a str>,
    /// Messenger and Instagram, outside 24 hours: an answer by a person, allowed for seven days.
    pub human_agent: bool,
    pub content: &'a Outgoing,
}

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
    Media(Media),
    /// An emoji on a message; `None` takes it off.
    Reaction {
        /// The provider's id of the message.
        message_id: String,
        emoji: Option<String>,
    },
    Interactive(Interactive),
    Location {
        latitude: f64,
        longitude: f64,
        name: Option<String>,
        address: Option<String>,
    },
    /// Address cards in WhatsApp's form (channels section 2.1).
    Contacts(Vec<Value>),
}

/// A file to send.
#[derive(Clone, Debug, PartialEq)]
pub struct Media {
    pub kind: MediaKind,
    pub source: MediaSource,
    pub caption: Option<String>,
    pub filename: Option<String>,
    /// A sticker (WhatsApp), not a picture.
    pub sticker: bool,
    /// A voice note, not a sound file.
    pub voice: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    Image,
    Video,
    Audio,
    Document,
}

/// Where the provider takes a file from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaSource {
    /// The provider's id, from an upload.
    Id(String),
    /// A URL that the provider fetches.
    Link(String),
}

/// A question with answers to tap on.
#[derive(Clone, Debug, PartialEq)]
pub struct Interactive {
    pub header: Option<String>,
    pub body: String,
    pub footer: Option<String>,
    pub choices: Choices,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Choices {
    /// WhatsApp's reply buttons, Messenger's quick replies.
    Buttons(Vec<Choice>),
    /// A list behind a button.
    List { button: String, sections: Vec<Section> },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    pub title: Option<String>,
    pub rows: Vec<Choice>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// Comes back when it is tapped.
    pub id: String,
    pub title: String,
    /// Rows of a list only.
    pub description: Option<String>,
}

/// What a provider made of a send request.
#[derive(Clone, Debug, PartialEq)]
pub enum SendResult {
    /// Taken over.
    Accepted {
        /// The provider's id of the message.
        provider_id: String,
        /// The recipient as the provider writes it; may differ from what was asked for.
        recipient_id: Option<String>,
        /// How far it is by the answer alone: `None` is pending, `sent` comes by callback (WhatsApp, Twilio);
        /// Messenger and Instagram have sent it (channels section 8.1).
        state: Option<State>,
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
    /// The provider's code, with its subcode after a `/`; `http_503` and the like where there is none.
    pub code: String,
    /// The provider's words, shortened: for operators and the log, not for the API.
    pub provider_text: String,
    pub class: RetryClass,
    /// What a user of ours may read: what happened and what to do.
    pub public_reason: &'static str,
    /// Not before this long from now, where the provider or its rules name a time.
    pub retry_after: Option<Duration>,
    /// What throttling is about, with [`RetryClass::Throttled`]: only this person, or the whole sender.
    pub pair_only: bool,
    /// Most tries in all for this failure, the first one included, where its table row says fewer than usual.
    pub tries_max: Option<i64>,
}

impl Failure {
    /// Whether it says that the person does not want to be written to: to be stored with the contact.
    pub fn is_opt_out(&self) -> bool {
        matches!(self.code.as_str(), whatsapp::OPTED_OUT | twilio::OPTED_OUT)
    }
}

/// What to do about a failure (channels, head and section 8.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryClass {
    /// Temporary: try again with growing gaps.
    Retry,
    /// Too fast: slow this sender (or this pair) down, then try again.
    Throttled,
    /// This request will never work.
    Never,
    /// The account cannot send: stop its queue and tell an operator. The reason is one of the inbox reasons of
    /// contract section 6.
    Alert(AlertReason),
    /// Not this way: a template, or another channel.
    OtherWay,
}

/// Why an inbox is degraded (contract section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertReason {
    TokenExpired,
    PermissionMissing,
    ChannelDisconnected,
    NumberNotRegistered,
    PaymentIssue,
    AccountRestricted,
}

impl AlertReason {
    pub const fn as_str(self) -> &'static str {
        match self {
            AlertReason::TokenExpired => "token_expired",
            AlertReason::PermissionMissing => "permission_missing",
            AlertReason::ChannelDisconnected => "channel_disconnected",
            AlertReason::NumberNotRegistered => "number_not_registered",
            AlertReason::PaymentIssue => "payment_issue",
            AlertReason::AccountRestricted => "account_restricted",
        }
    }
}

/// How far a message has come, by a provider's report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Sent,
    Delivered,
    Read,
    Failed,
    /// A state that we do not know or that changes nothing, as the provider writes it.
    Other(String),
}

/// A customer as a provider names them. At least one of the ids is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// The address: WhatsApp and SMS the phone number as digits without `+`; Messenger the PSID; Instagram the IGSID.
    pub address: Option<String>,
    /// WhatsApp: the business-scoped user id (channels section 3.1).
    pub user_id: Option<String>,
    /// What they call themselves.
    pub name: Option<String>,
    pub username: Option<String>,
}

/// One thing that a callback tells. A callback may hold up to a thousand.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A customer wrote.
    Message(Inbound),
    /// We wrote, from somewhere else or through the API: Messenger's and Instagram's echoes.
    Echo {
        /// `to` is who it went to.
        message: Inbound,
        /// Our own id, where the provider gives it back.
        reference: Option<String>,
    },
    /// A customer changed a message.
    Edit { account: String, message_id: String, content: InboundContent, at_ms: Option<i64> },
    /// A customer took a message back: its content must go.
    Delete { account: String, message_id: String, at_ms: Option<i64> },
    /// A customer put an emoji on a message of either side, or took it off.
    Reaction {
        account: String,
        sender: Person,
        /// The provider's id of the message it is on.
        message_id: String,
        /// `None` takes it off.
        emoji: Option<String>,
        at_ms: Option<i64>,
    },
    /// A message of ours moved on. The same may come several times, and late ones after later ones.
    Status {
        account: String,
        /// The provider's id of our message.
        id: String,
        /// Our own id, which the send request gave along.
        reference: Option<String>,
        state: State,
        at_ms: Option<i64>,
        /// With [`State::Failed`].
        failure: Option<Failure>,
    },
    /// All that we sent to a person up to a time was delivered or read (Messenger).
    Watermark { account: String, person: String, state: State, up_to_ms: i64, at_ms: Option<i64> },
    /// A message of ours and those before it in the thread were seen (Instagram).
    SeenUpTo { account: String, person: String, message_id: String, at_ms: Option<i64> },
    /// A person is known by other ids from now on (WhatsApp's system messages).
    PersonChanged { account: String, old: Person, new: Person },
    /// A person does not want (`opted_in: false`), or wants again, to be written to.
    Consent { account: String, person: Person, opted_in: bool, at_ms: Option<i64> },
    /// Something is wrong with an account or a number, apart from any message (WhatsApp's `value.errors`).
    Fault { account: String, failure: Failure },
    /// A template was approved, rejected, paused and so on.
    TemplateStatus { account: String, name: String, language: String, event: String, reason: Option<String> },
    /// Anything else: kept for people to look at, never an error.
    Other { kind: String, account: Option<String>, raw: Value },
}

impl Event {
    /// Which of our addresses it is about, where it says so.
    pub fn account(&self) -> Option<&str> {
        match self {
            Event::Message(message) | Event::Echo { message, .. } => Some(&message.account),
            Event::Edit { account, .. }
            | Event::Delete { account, .. }
            | Event::Reaction { account, .. }
            | Event::Status { account, .. }
            | Event::Watermark { account, .. }
            | Event::SeenUpTo { account, .. }
            | Event::PersonChanged { account, .. }
            | Event::Consent { account, .. }
            | Event::Fault { account, .. }
            | Event::TemplateStatus { account, .. } => Some(account),
            Event::Other { account, .. } => account.as_deref(),
        }
    }
}

/// A message as a callback tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Inbound {
    /// Which of our addresses it came to: phone number id, Page, Instagram account, SMS sender.
    pub account: String,
    /// The customer; of an echo, whom it went to.
    pub person: Person,
    /// Unique; the same message may come several times.
    pub id: String,
    /// Milliseconds since 1970; `None` where it is missing or unreadable.
    pub at_ms: Option<i64>,
    pub content: InboundContent,
    /// The provider's id of the message that is quoted.
    pub reply_to: Option<String>,
    /// Where they came from: an advertisement, a post, a link, a story that is answered. As the provider writes it.
    pub referral: Option<Value>,
}

/// What a customer sent.
#[derive(Clone, Debug, PartialEq)]
pub enum InboundContent {
    Text {
        body: String,
    },
    /// One or more files; `caption` belongs to the first.
    Media {
        files: Vec<InboundMedia>,
        caption: Option<String>,
    },
    Location {
        latitude: f64,
        longitude: f64,
        name: Option<String>,
        address: Option<String>,
    },
    /// Address cards in WhatsApp's form.
    Contacts(Vec<Value>),
    /// A tap on a button, a row or a quick reply.
    Reply {
        /// What we gave along with the choice.
        id: String,
        title: String,
        description: Option<String>,
    },
    /// A kind that has no form of its own here, or a known kind in an unknown shape.
    Other {
        /// The provider's name of the kind.
        kind: String,
        /// The provider's whole message.
        raw: Value,
    },
}

/// A file that a customer sent: where to fetch it.
#[derive(Clone, Debug, PartialEq)]
pub struct InboundMedia {
    pub kind: MediaKind,
    /// The provider's id, to ask for a URL with (WhatsApp).
    pub id: Option<String>,
    /// Expires soon: fetch at once.
    pub url: Option<String>,
    pub mime: Option<String>,
    pub filename: Option<String>,
    pub sticker: bool,
    pub voice: bool,
}

/// A callback body that cannot be read at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackError(pub String);

impl std::fmt::Display for CallbackError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the callback cannot be read: {}", self.0)
    }
}

impl std::error::Error for CallbackError {}

/// A request that cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildError {
    /// A setting of the sender cannot stand in a request; names the setting, never its value.
    Setting(&'static str),
    /// The channel cannot carry this content; names the kind.
    Unsupported(&'static str),
}

impl std::fmt::Display for BuildError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BuildError::Setting(name) => write!(f, "the sender's {name} cannot be used in a request"),
            BuildError::Unsupported(kind) => write!(f, "the channel cannot carry {kind}"),
        }
    }
}

impl std::error::Error for BuildError {}
