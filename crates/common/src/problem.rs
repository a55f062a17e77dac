//! Errors: problem documents after RFC 9457 with the extensions of contract section 3.
//!
//! A [`Problem`] is made by a small named constructor, travels up as an error, and becomes a
//! response in one place. What operators must know and callers must not is its `cause`: it goes to
//! the log with the trace id and never into the document.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;

pub type Result<T, E = Problem> = std::result::Result<T, E>;

/// Where problem types are documented; the last part is the code.
const TYPE_BASE: &str = "https://docs.flownally.com/problems/";

/// One field that breaks a rule.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldViolation {
    /// Dotted path into the body, or the name of a parameter.
    #[schema(example = "content.text.body")]
    pub field: String,
    /// What is wrong and what to do, for people.
    #[schema(example = "must not be empty")]
    pub message: String,
}

/// Whether an actor may send into a conversation now (contract section 3).
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// `OPEN` or `CLOSED`.
    #[schema(example = "CLOSED")]
    pub state: &'static str,
    /// `AGENT` or `BOT`.
    #[schema(example = "AGENT")]
    pub for_actor: &'static str,
    /// When an open window closes; absent where it does not close by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<crate::time::Timestamp>,
    /// Why the actor cannot send: `messagingWindowClosed`, `inboxRequired` or `unsupportedChannel`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_code: Option<&'static str>,
}

/// An error on its way to the caller.
#[derive(Clone, Debug)]
pub struct Problem {
    pub status: StatusCode,
    /// Stable and machine-readable.
    pub code: String,
    /// What happened this time, naming the resource and the value, and what to do.
    pub detail: String,
    pub errors: Vec<FieldViolation>,
    pub messaging_window: Option<Window>,
    /// Seconds for `Retry-After`.
    pub retry_after: Option<u64>,
    /// For the log only.
    pub cause: Option<String>,
}

/// The document itself, as it goes over the wire.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProblemDetails<'a> {
    /// URI of the problem type.
    #[serde(rename = "type")]
    #[schema(example = "https://docs.flownally.com/problems/contact_not_found")]
    pub kind: String,
    /// Short text of the status.
    #[schema(example = "Not Found")]
    pub title: &'a str,
    #[schema(example = 404)]
    pub status: u16,
    /// What happened this time and what to do.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub detail: &'a str,
    /// The path of the request.
    pub instance: &'a str,
    /// Stable machine-readable reason.
    #[schema(example = "contact_not_found")]
    pub code: &'a str,
    /// W3C trace context of the request; name it to support.
    pub trace_id: &'a str,
    /// Fields that break a rule.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub errors: &'a [FieldViolation],
    /// Why a send was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messaging_window: Option<&'a Window>,
}

impl Problem {
    pub fn new(status: StatusCode, code: impl Into<String>, detail: impl Into<String>) -> Self {
        Problem {
            status,
            code: code.into(),
            detail: detail.into(),
            errors: Vec::new(),
            messaging_window: None,
            retry_after: None,
            cause: None,
        }
    }

    /// 400: the request cannot be read at all.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "request_malformed", detail)
    }

    /// 400 naming one parameter of the query or the path.
    pub fn parameter(name: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::malformed(format!("The parameter {name} {message}.")).with_error(name, message)
    }

    /// 401: no credential, or one that is not valid now.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "auth_token_invalid", detail)
    }

    /// 403: a valid credential that may not do this.
    pub fn forbidden(code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }

    /// 404 for a thing that is absent or another tenant's: the same document for both.
    pub fn not_found(resource: &str, id: &str) -> Self {
        let code = format!("{}_not_found", resource.replace(' ', "_"));
        let shown: String = id.chars().take(64).collect();
        Self::new(StatusCode::NOT_FOUND, code, format!("There is no {resource} with the id {shown}."))
    }

    /// 404: nothing is at this path.
    pub fn route_not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "route_not_found",
            "There is nothing at this path. The API is described at /openapi.json.",
        )
    }

    /// 409: the current state forbids it.
    pub fn conflict(code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 412: the thing is not the version that the request is for.
    pub fn precondition_failed(code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, code, detail)
    }

    /// 413: larger than the route allows.
    pub fn too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "request_too_large",
            format!("The body is larger than the {limit} bytes this operation takes."),
        )
    }

    /// 415: a body of another media type.
    pub fn unsupported_media_type(expected: &str) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "request_media_type_unsupported",
            format!("Send the body with Content-Type: {expected}."),
        )
    }

    /// 422 with one field.
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::invalid_fields(vec![FieldViolation { field: field.into(), message: message.into() }])
    }

    /// 422 with several fields.
    pub fn invalid_fields(errors: Vec<FieldViolation>) -> Self {
        let named: Vec<String> =
            errors.iter().take(3).map(|e| format!("{} {}", e.field, e.message)).collect();
        let mut problem = Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "request_validation_failed",
            format!("The request breaks a rule: {}.", named.join("; ")),
        );
        problem.errors = errors;
        problem
    }

    /// 429 with the seconds to wait.
    pub fn rate_limited(detail: impl Into<String>, seconds: u64) -> Self {
        let mut problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail);
        problem.retry_after = Some(seconds);
        problem
    }

    /// 500: ours. The cause goes to the log only.
    pub fn internal(cause: impl Into<String>) -> Self {
        let mut problem = Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_error",
            "Something went wrong on our side. Try again, and name the traceId when it stays.",
        );
        problem.cause = Some(cause.into());
        problem
    }

    /// 503 with the seconds to wait.
    pub fn unavailable(cause: impl Into<String>) -> Self {
        let mut problem = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "service_unavailable",
            "The service cannot take this request now. Nothing was changed; try again.",
        );
        problem.retry_after = Some(1);
        problem.cause = Some(cause.into());
        problem
    }

    #[must_use]
    pub fn with_error(mut self, field: &str, message: impl Into<String>) -> Self {
        self.errors.push(FieldViolation { field: field.into(), message: message.into() });
        self
    }

    #[must_use]
    pub fn with_code(mut self, code: &str) -> Self {
        self.code = code.into();
        self
    }

    #[must_use]
    pub fn with_detail(mut self, detail: &str) -> Self {
        self.detail = detail.into();
        self
    }

    #[must_use]
    pub fn with_retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    #[must_use]
    pub fn with_window(mut self, window: Window) -> Self {
        self.messaging_window = Some(window);
        self
    }

    /// The JSON document for a request of this path and trace.
    pub fn document(&self, instance: &str, trace_id: &str) -> Vec<u8> {
        let details = ProblemDetails {
            kind: format!("{TYPE_BASE}{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            instance,
            code: &self.code,
            trace_id,
            errors: &self.errors,
            messaging_window: self.messaging_window.as_ref(),
        };
        serde_json::to_vec(&details).unwrap_or_default()
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code, self.cause.as_deref().unwrap_or(&self.detail))
    }
}

impl std::error::Error for Problem {}

/// The document needs the request's path and trace: the entry writes it from this extension.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Collects the rules that a request breaks, so that a caller learns of all at once.
#[derive(Debug, Default)]
pub struct Violations(Vec<FieldViolation>);

impl Violations {
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes a violation.
    pub fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(FieldViolation { field: field.into(), message: message.into() });
    }

    /// Notes a violation unless the rule holds.
    pub fn check(&mut self, holds: bool, field: &str, message: &str) {
        if !holds {
            self.add(field, message);
        }
    }

    /// A text between 1 and `max` characters that is not only white space.
    pub fn text(&mut self, field: &str, value: &str, max: usize) {
        if value.trim().is_empty() {
            self.add(field, "must not be empty");
        } else if value.chars().count() > max {
            self.add(field, format!("must be at most {max} characters"));
        }
    }

    /// Whether nothing was noted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// 422 with everything noted, or nothing.
    pub fn finish(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Problem::invalid_fields(self.0)) }
    }
}
