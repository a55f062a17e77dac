//! The manners of the Chatwoot API (its notes, sections 1.1, 1.5 to 1.7), in one place.
//!
//! A component says `Routes::new(…).chatwoot()`. Its handlers and extractors stay those of v1 and fail
//! with a [`Problem`]; on the way out the problem becomes the body that Chatwoot's clients read. On the
//! way in a trailing slash and a `.json` suffix do not matter, an update takes PATCH and PUT, and
//! bodies are read by [`input::body`].

pub mod input;

use crate::{Problem, Result};
use axum::extract::{FromRequestParts, Path, Request};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{StatusCode, Uri};
use serde::Serialize;

pub use input::{Attributes, Features, Number};

/// Marks a response whose problem is to be told in Chatwoot's words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect;

/// What went wrong. Clients read `message` where there is one, else `error`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ChatwootError {
    /// The HTTP status; only on 404 and 500.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 404)]
    pub status: Option<u16>,
    /// What went wrong, for people.
    #[schema(example = "Email has already been taken")]
    pub error: String,
    /// The same; only on 422.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The fields that break a rule; only on 422.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = json!(["email"]))]
    pub attributes: Option<Vec<String>>,
}

impl ChatwootError {
    fn text(error: impl Into<String>) -> Self {
        ChatwootError { status: None, error: error.into(), message: None, attributes: None }
    }

    fn framework(status: StatusCode) -> Self {
        let error = status.canonical_reason().unwrap_or("Error");
        ChatwootError { status: Some(status.as_u16()), ..Self::text(error) }
    }
}

/// Status and body for a problem (notes 1.5). `path` decides between two kinds of 404.
pub(crate) fn error(problem: &Problem, path: &str) -> (StatusCode, ChatwootError) {
    match problem.status {
        StatusCode::UNAUTHORIZED => (StatusCode::UNAUTHORIZED, ChatwootError::text("Invalid access_token")),
        // What a role may not do is a 401 there, with the reason.
        StatusCode::FORBIDDEN => (StatusCode::UNAUTHORIZED, ChatwootError::text(&problem.detail)),
        // Application routes say it in words, Platform and Client routes as their framework does.
        StatusCode::NOT_FOUND if path.starts_with("/api/") => {
            (StatusCode::NOT_FOUND, ChatwootError::text("Resource could not be found"))
        }
        StatusCode::NOT_FOUND | StatusCode::INTERNAL_SERVER_ERROR => {
            (problem.status, ChatwootError::framework(problem.status))
        }
        StatusCode::UNPROCESSABLE_ENTITY => (problem.status, unprocessable(problem)),
        status => (status, ChatwootError::text(&problem.detail)),
    }
}

/// A superset of what typed and untyped clients look for.
fn unprocessable(problem: &Problem) -> ChatwootError {
    let said: Vec<String> =
        problem.errors.iter().map(|e| format!("{} {}", sentence_case(&e.field), e.message)).collect();
    let text = if said.is_empty() { problem.detail.clone() } else { said.join(", ") };
    let attributes = problem.errors.iter().map(|e| e.field.clone()).collect();
    ChatwootError { message: Some(text.clone()), attributes: Some(attributes), ..ChatwootError::text(text) }
}

/// `support_email` → `Support email`.
fn sentence_case(field: &str) -> String {
    let words = field.replace('_', " ");
    let mut chars = words.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// The same request without trailing slashes and without `.json` at the end of its path.
pub(crate) fn normalise(mut request: Request) -> Request {
    let path = request.uri().path();
    let short = path.trim_end_matches('/');
    let short = short.strip_suffix(".json").unwrap_or(short);
    if short.len() == path.len() || short.is_empty() {
        return request;
    }
    let wanted = match request.uri().query() {
        Some(query) => format!("{short}?{query}"),
        None => short.to_string(),
    };
    let mut parts = request.uri().clone().into_parts();
    if let Ok(path) = PathAndQuery::try_from(wanted) {
        parts.path_and_query = Some(path);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}

/// The number in a path such as `/platform/api/v1/users/{id}`. Anything else names nothing: 404.
#[derive(Clone, Copy, Debug)]
pub struct Seq(pub i64);

impl<S: Send + Sync> FromRequestParts<S> for Seq {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let found = Path::<i64>::from_request_parts(parts, state).await;
        found.map(|Path(seq)| Seq(seq)).map_err(|_| Problem::not_found("resource", parts.uri.path()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(problem: Problem, path: &str) -> (u16, String) {
        let (status, body) = error(&problem, path);
        (status.as_u16(), serde_json::to_string(&body).unwrap())
    }

    #[test]
    fn problems_in_chatwoots_words() {
        let platform = "/platform/api/v1/users/5";
        assert_eq!(
            told(Problem::unauthorized("x"), platform),
            (401, r#"{"error":"Invalid access_token"}"#.into())
        );
        assert_eq!(told(Problem::forbidden("x", "Agents may not."), platform).0, 401);
        assert_eq!(
            told(Problem::not_found("user", "5"), platform),
            (404, r#"{"status":404,"error":"Not Found"}"#.into())
        );
        assert_eq!(
            told(Problem::not_found("inbox", "5"), "/api/v1/accounts/1/inboxes/5"),
            (404, r#"{"error":"Resource could not be found"}"#.into())
        );
        let two = Problem::invalid("support_email", "is invalid").with_error("name", "can't be blank");
        assert_eq!(
            told(two, platform),
            (
                422,
                r#"{"error":"Support email is invalid, Name can't be blank","message":"Support email is invalid, Name can't be blank","attributes":["support_email","name"]}"#.into()
            )
        );
        assert_eq!(
            told(Problem::internal("a secret cause"), platform),
            (500, r#"{"status":500,"error":"Internal Server Error"}"#.into())
        );
    }

    #[test]
    fn trailing_slashes_and_json_do_not_matter() {
        let to = |uri: &str| {
            let request = Request::builder().uri(uri).body(axum::body::Body::empty()).unwrap();
            normalise(request).uri().to_string()
        };
        assert_eq!(to("/platform/api/v1/users/"), "/platform/api/v1/users");
        assert_eq!(to("/platform/api/v1/users/5.json?a=b/"), "/platform/api/v1/users/5?a=b/");
        assert_eq!(to("/platform/api/v1/users.json/"), "/platform/api/v1/users");
        assert_eq!(to("http://h:1/platform/api/v1/users//?x"), "http://h:1/platform/api/v1/users?x");
        assert_eq!(to("/platform/api/v1/users/5"), "/platform/api/v1/users/5");
        assert_eq!(to("/"), "/");
    }
}
