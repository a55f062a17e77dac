//! Asking the scheduler over service chaining: it alone may reach the outside. Its problems are passed on.

use crate::outbound::{self, Deadlines};
use crate::{Problem, Result, settings};
use http::request::Builder;
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};

const SCHEDULER: &str = "http://scheduler.spin.internal";

/// What is read of a problem document.
#[derive(Deserialize)]
struct Document {
    code: String,
    #[serde(default)]
    detail: String,
}

/// Reads one of the scheduler's `/internal/...` paths, like [`ask`].
pub async fn read(path: &str, deadlines: Deadlines) -> Result<Vec<u8>> {
    send(http::Request::get(format!("{SCHEDULER}{path}")), Vec::new(), path, deadlines).await
}

/// Posts JSON to one of the scheduler's `/internal/...` paths and gives the body of its answer. A problem that it
/// answers becomes the caller's: status, code, detail and `Retry-After`.
pub async fn ask(path: &str, body: &impl Serialize, deadlines: Deadlines) -> Result<Vec<u8>> {
    let body = serde_json::to_vec(body).map_err(|error| Problem::internal(error.to_string()))?;
    let request =
        http::Request::post(format!("{SCHEDULER}{path}")).header(header::CONTENT_TYPE, "application/json");
    send(request, body, path, deadlines).await
}

async fn send(request: Builder, body: Vec<u8>, path: &str, deadlines: Deadlines) -> Result<Vec<u8>> {
    let token = settings::required("tick_token").await?;
    let request = request
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .body(body)
        .map_err(|error| Problem::internal(error.to_string()))?;
    let answer = outbound::send(request, deadlines)
        .await
        .map_err(|error| Problem::unavailable(format!("the scheduler at {path}: {error}")))?;
    if answer.status().is_success() {
        return Ok(answer.into_body());
    }
    Err(problem(answer.status(), answer.headers(), answer.body(), path))
}

fn problem(status: StatusCode, headers: &http::HeaderMap, body: &[u8], path: &str) -> Problem {
    // What the two of us disagree about is our own fault, not the caller's.
    let ours = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST);
    let Some(document) = serde_json::from_slice::<Document>(body).ok().filter(|_| !ours) else {
        return Problem::internal(format!("the scheduler answered {status} at {path}"));
    };
    let mut problem = Problem::new(status, document.code, document.detail);
    problem.retry_after = headers
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|seconds| seconds.parse().ok());
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_passed_on_but_for_our_own() {
        let mut headers = http::HeaderMap::new();
        headers.insert(header::RETRY_AFTER, 7.into());
        let body = br#"{"code":"provider_unavailable","detail":"Wait.","status":503}"#;
        let passed = problem(StatusCode::SERVICE_UNAVAILABLE, &headers, body, "/x");
        assert_eq!((passed.status.as_u16(), passed.code.as_str()), (503, "provider_unavailable"));
        assert_eq!((passed.detail.as_str(), passed.retry_after), ("Wait.", Some(7)));
        let own = problem(StatusCode::UNAUTHORIZED, &headers, body, "/x");
        assert_eq!(own.status.as_u16(), 500);
        assert_eq!(problem(StatusCode::BAD_GATEWAY, &headers, b"<html>", "/x").status.as_u16(), 500);
    }
}
