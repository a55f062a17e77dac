//! Errors as Twilio writes them (channels section 6.1).

use axum::Json;
use axum::response::{IntoResponse, Response};
use common::Problem;
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

/// An error.
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    pub status: StatusCode,
    pub code: u32,
    pub message: String,
}

impl Error {
    pub fn new(status: StatusCode, code: u32, message: impl Into<String>) -> Self {
        Error { status, code, message: message.into() }
    }

    /// 400.
    pub fn refused(code: u32, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, 20_003, "Authenticate")
    }

    pub fn not_found(path: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, 20_404, format!("The requested resource {path} was not found"))
    }

    pub fn throttled() -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, 20_429, "Too Many Requests")
    }

    pub fn server() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, 20_500, "Internal Server Error")
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        common::log!("sandbox cannot answer", code = problem.code, cause = problem);
        Self::server()
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let body = json!({
            "code": self.code, "message": self.message,
            "more_info": format!("https://www.twilio.com/docs/errors/{}", self.code), "status": self.status.as_u16(),
        });
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"Twilio API\""));
        }
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
