//! Errors in the provider's own shape (channels section 1.2).

use axum::Json;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::{Problem, id};
use http::StatusCode;
use serde_json::{Value, json};

/// An error object and its HTTP status.
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    pub status: StatusCode,
    pub code: u32,
    pub subcode: Option<u32>,
    pub message: String,
    /// Text for people.
    pub details: Option<String>,
}

impl Error {
    fn new(status: StatusCode, code: u32, message: impl Into<String>) -> Self {
        Error { status, code, subcode: None, message: message.into(), details: None }
    }

    /// 400 with a text for people.
    pub fn refused(code: u32, title: &str, details: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::BAD_REQUEST, code, format!("(#{code}) {title}"));
        error.details = Some(details.into());
        error
    }

    /// 400: the request as a whole is of the wrong form.
    pub fn parameter(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, 100, format!("(#100) {message}"))
    }

    pub fn missing(name: &str) -> Self {
        Self::refused(131_008, "Required parameter is missing", format!("Parameter {name} is required."))
    }

    pub fn invalid(details: impl Into<String>) -> Self {
        Self::refused(131_009, "Parameter value is not valid", details)
    }

    pub fn no_token() -> Self {
        Self::new(StatusCode::FORBIDDEN, 200, "(#200) Provide a valid access token")
    }

    pub fn bad_token() -> Self {
        let mut error = Self::new(
            StatusCode::UNAUTHORIZED,
            190,
            "Error validating access token: the token is not valid.",
        );
        error.subcode = Some(463);
        error
    }

    pub fn bad_proof() -> Self {
        Self::parameter("Invalid appsecret_proof provided in the API argument")
    }

    pub fn throttled() -> Self {
        let mut error = Self::refused(130_429, "Rate limit hit", "The throughput of this number is used up.");
        error.status = StatusCode::TOO_MANY_REQUESTS;
        error
    }

    pub fn pair_limit() -> Self {
        Self::refused(
            131_056,
            "(Business Account, Consumer Account) pair rate limit hit",
            "Too many messages to this person in a short time.",
        )
    }

    pub fn server() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, 131_000, "(#131000) Something went wrong")
    }

    fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, 131_016, "(#131016) Service unavailable")
    }

    pub fn unknown_path(path: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, 2500, format!("Unknown path components: {path}"))
    }
}

impl From<Problem> for Error {
    /// What goes wrong inside the sandbox looks like a fault of the provider.
    fn from(problem: Problem) -> Self {
        common::log!("sandbox cannot answer", code = problem.code, cause = problem);
        match problem.status {
            StatusCode::PAYLOAD_TOO_LARGE => Self::parameter("The request is too large"),
            StatusCode::SERVICE_UNAVAILABLE => Self::unavailable(),
            _ => Self::server(),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut error = json!({
            "message": self.message, "type": "OAuthException", "code": self.code, "fbtrace_id": trace_id(),
        });
        if let Some(subcode) = self.subcode {
            set(&mut error, "error_subcode", subcode.into());
        }
        if let Some(details) = self.details {
            set(&mut error, "error_data", json!({"messaging_product": "whatsapp", "details": details}));
        }
        (self.status, Json(json!({ "error": error }))).into_response()
    }
}

/// Sets a member of a JSON object.
pub fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_string(), value);
    }
}

/// `A` and 22 URL-safe characters.
fn trace_id() -> String {
    let mut random = [0_u8; 16];
    id::fill_random(&mut random);
    format!("A{}", URL_SAFE_NO_PAD.encode(random))
}

/// Paths and methods that the provider does not know.
pub async fn not_found(request: Request) -> Error {
    let path = request.uri().path();
    Error::unknown_path(path.strip_prefix("/sandbox/whatsapp").unwrap_or(path))
}
