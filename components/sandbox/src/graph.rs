//! Errors in the provider's own shape (channels section 1.2).

use crate::ids;
use axum::Json;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use common::Problem;
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
    /// With a status, without a text for people.
    pub fn new(status: StatusCode, code: u32, message: impl Into<String>) -> Self {
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

    /// Messenger and Instagram: too many calls for the Page.
    pub fn page_throttled() -> Self {
        let mut error = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            613,
            "(#613) Calls to this api have exceeded the rate limit.",
        );
        error.subcode = Some(2_534_040);
        error
    }

    /// With a subcode, which Messenger and Instagram decide on.
    pub fn with_subcode(code: u32, subcode: Option<u32>, message: &str) -> Self {
        let mut error = Self::new(StatusCode::BAD_REQUEST, code, format!("(#{code}) {message}"));
        error.subcode = subcode;
        error
    }

    /// What has no such id, or is none of the caller's.
    pub fn unknown_object(id: &str) -> Self {
        let message = format!(
            "Unsupported get request. Object with ID '{id}' does not exist, cannot be loaded due to missing permissions, or does not support this operation."
        );
        let mut error = Self::new(StatusCode::BAD_REQUEST, 100, message);
        error.subcode = Some(33);
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
            "message": self.message, "type": "OAuthException", "code": self.code, "fbtrace_id": ids::trace(),
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

fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_string(), value);
    }
}

/// Paths and methods that the provider does not know.
pub async fn not_found(request: Request) -> Error {
    let path = request.uri().path();
    let rest = path.strip_prefix("/sandbox/").and_then(|rest| rest.split_once('/'));
    Error::unknown_path(&format!("/{}", rest.map_or(path, |(_, rest)| rest)))
}

/// `v25.0`. A path with another version is none that the provider knows.
///
/// # Errors
/// 2500 with any other text.
pub fn check_version(version: &str, path: &str) -> Result<(), Error> {
    let number = |text: &str| (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let parts = version.strip_prefix('v').and_then(|rest| rest.split_once('.'));
    if parts.is_some_and(|(a, b)| number(a) && number(b)) { Ok(()) } else { Err(Error::unknown_path(path)) }
}

/// The JSON of a request's body.
///
/// # Errors
/// 100 with anything else.
pub fn json(body: &[u8]) -> Result<Value, Error> {
    serde_json::from_slice(body).map_err(|_| Error::parameter("The request body is no valid JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_look_as_the_providers() {
        assert!(check_version("v25.0", "/").is_ok());
        for text in ["25.0", "v25", "v25.0.1", "vx.0", "v.", "", "v25.0000"] {
            assert!(check_version(text, "/").is_err(), "{text}");
        }
    }
}
