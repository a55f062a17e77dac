//! The settings of a gateway. Everything has a default but the URL: then the canonical shape of channels section 7 is
//! sent as JSON.

use crate::{AlertReason, RetryClass};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How to speak with a gateway. Holds secrets: stored sealed, never shown.
#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// Where messages are sent to: an https URL, in which `{to}`, `{from}` and `{client_ref}` may stand.
    pub url: String,
    #[serde(default)]
    pub method: Method,
    #[serde(default)]
    pub encoding: Encoding,
    #[serde(default)]
    pub auth: Auth,
    /// How numbers are written.
    #[serde(default)]
    pub numbers: Numbers,
    #[serde(default)]
    pub fields: SendFields,
    /// Fields that are always sent along, such as a product name.
    #[serde(default)]
    pub constants: BTreeMap<String, serde_json::Value>,
    /// How long the gateway may try, in seconds.
    #[serde(default = "validity")]
    pub validity_seconds: u32,
    #[serde(default)]
    pub answer: Answer,
    #[serde(default)]
    pub report: ReportFields,
    #[serde(default)]
    pub inbound: InboundFields,
    /// What states mean, beside the standard names.
    #[serde(default)]
    pub states: BTreeMap<String, ReportState>,
    /// What error codes mean.
    #[serde(default)]
    pub errors: BTreeMap<String, ErrorRule>,
    /// What callbacks must have beside the secret in their path.
    #[serde(default)]
    pub callback_auth: CallbackAuth,
    /// Most messages a second; absent is no limit.
    #[serde(default)]
    pub tps: Option<u32>,
}

const fn validity() -> u32 {
    600
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the secrets, of which the URL may hold one: this may reach a log.
        f.debug_struct("Settings").field("method", &self.method).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    #[default]
    Post,
    Put,
    Get,
}

/// Where the fields of a message go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Encoding {
    #[default]
    Json,
    Form,
    /// Into the URL.
    Query,
}

/// How we prove who we are.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
pub enum Auth {
    #[default]
    None,
    Basic {
        user: String,
        password: String,
    },
    Bearer {
        token: String,
    },
    Header {
        name: String,
        value: String,
    },
    /// A key in the URL.
    Query {
        name: String,
        value: String,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Numbers {
    /// `+12025550147`
    #[default]
    E164,
    /// `12025550147`
    Digits,
}

/// What the gateway calls the fields of a message; an empty name leaves a field out. With JSON a name may be a pointer
/// into nested objects and lists: `/messages/0/text`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct SendFields {
    pub client_ref: String,
    pub to: String,
    pub from: String,
    pub text: String,
    pub encoding: String,
    pub validity_seconds: String,
    pub callback_url: String,
}

/// How to read the answer. Paths are JSON pointers (`/messages/0/id`) or dotted (`messages.0.id`); `.` is the whole
/// body, also where it is no JSON.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Answer {
    /// First and last HTTP status of a success.
    pub success: (u16, u16),
    /// Where a success must have one of `success_values`.
    pub success_path: Option<String>,
    pub success_values: Vec<serde_json::Value>,
    pub id: String,
    pub state: Option<String>,
    pub error_code: Option<String>,
    pub error_text: Option<String>,
}

/// Where a delivery report has what.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct ReportFields {
    /// Where the list is, in a callback that holds several.
    pub list: Option<String>,
    pub provider_id: String,
    pub client_ref: String,
    pub state: String,
    pub error: String,
    pub done_at: String,
}

/// Where an inbound message has what.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct InboundFields {
    /// Where the list is, in a callback that holds several.
    pub list: Option<String>,
    pub provider_id: String,
    pub from: String,
    pub to: String,
    pub text: String,
    pub received_at: String,
    pub media: String,
}

/// What a state of a report means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ReportState {
    /// Nothing new.
    Pending,
    Sent,
    Delivered,
    Read,
    Failed,
    /// Failed for lack of time: may be sent again.
    Expired,
}

/// What an error code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ErrorRule {
    Retry,
    Throttled,
    Never,
    /// The account cannot send.
    Alert,
    /// The credentials are wrong.
    Token,
}

impl ErrorRule {
    pub const fn class(self) -> RetryClass {
        match self {
            ErrorRule::Retry => RetryClass::Retry,
            ErrorRule::Throttled => RetryClass::Throttled,
            ErrorRule::Never => RetryClass::Never,
            ErrorRule::Alert => RetryClass::Alert(AlertReason::AccountRestricted),
            ErrorRule::Token => RetryClass::Alert(AlertReason::TokenExpired),
        }
    }
}

/// How reports and inbound messages prove where they come from, beside the secret in their path.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
pub enum CallbackAuth {
    /// The path alone.
    #[default]
    Path,
    /// A header with this very value.
    Header { name: String, value: String },
    /// An HMAC over the raw body in a header.
    Hmac {
        name: String,
        secret: String,
        #[serde(default)]
        algorithm: Algorithm,
        #[serde(default)]
        format: Format,
        /// What stands before it in the header, such as `sha256=`.
        #[serde(default)]
        prefix: String,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    Sha1,
    #[default]
    Sha256,
    Sha512,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    #[default]
    Hex,
    Base64,
}

impl Default for SendFields {
    fn default() -> Self {
        SendFields {
            client_ref: "client_ref".into(),
            to: "to".into(),
            from: "from".into(),
            text: "text".into(),
            encoding: "encoding".into(),
            validity_seconds: "validity_s".into(),
            callback_url: "callback_url".into(),
        }
    }
}

impl Default for Answer {
    fn default() -> Self {
        Answer {
            success: (200, 299),
            success_path: None,
            success_values: Vec::new(),
            id: "provider_id".into(),
            state: Some("state".into()),
            error_code: Some("error".into()),
            error_text: Some("message".into()),
        }
    }
}

impl Default for ReportFields {
    fn default() -> Self {
        ReportFields {
            list: None,
            provider_id: "provider_id".into(),
            client_ref: "client_ref".into(),
            state: "state".into(),
            error: "error".into(),
            done_at: "done_at".into(),
        }
    }
}

impl Default for InboundFields {
    fn default() -> Self {
        InboundFields {
            list: None,
            provider_id: "provider_id".into(),
            from: "from".into(),
            to: "to".into(),
            text: "text".into(),
            received_at: "received_at".into(),
            media: "media".into(),
        }
    }
}
