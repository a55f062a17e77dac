//! What comes in: JSON bodies, query strings, ids in paths. Everything is checked before a handler
//! sees it, and what is wrong is said field by field.

use crate::auth::operation;
use crate::idempotency::Once;
use crate::{Problem, Result, limits};
use axum::extract::{FromRequest, FromRequestParts, Request};
use bytes::Bytes;
use http::header;
use http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

/// A JSON body that the operation needs.
#[derive(Debug)]
pub struct Json<T>(pub T);

/// A POST with a JSON body: the body, and what its `Idempotency-Key` asks for.
#[derive(Debug)]
pub struct Post<T> {
    pub body: T,
    pub once: Once,
}

/// The bytes of a body as they arrived, within the operation's limit.
#[derive(Debug)]
pub struct Raw(pub Bytes);

/// The body of operations that take none: anything sent is ignored, within the limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nothing;

impl<'de> serde::Deserialize<'de> for Nothing {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Nothing)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        let (parts, body) = read(request).await?;
        Ok(Json(json(&parts, &body)?))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Post<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        let (parts, body) = read(request).await?;
        let once = Once::from_request(&parts, &body)?;
        Ok(Post { body: json(&parts, &body)?, once })
    }
}

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        read(request).await.map(|(_, body)| Raw(body))
    }
}

/// Reads the whole body, refusing it as soon as it is known to be too large.
async fn read(request: Request) -> Result<(Parts, Bytes)> {
    let (parts, body) = request.into_parts();
    let limit = operation(&parts)?.body_limit;
    let announced =
        parts.headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > limit) {
        return Err(Problem::too_large(limit));
    }
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok((parts, body.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => Err(Problem::too_large(limit)),
        Err(error) => Err(Problem::malformed(format!("The body could not be read: {error}."))),
    }
}

fn json<T: DeserializeOwned>(parts: &Parts, body: &[u8]) -> Result<T> {
    if operation(parts)?.chatwoot {
        return crate::chatwoot::input::body(parts, body);
    }
    // No body at all is a missing body for types that need one, and fine for those that do not.
    let body = if body.is_empty() { b"null".as_slice() } else { body };
    if body != b"null" && !is_json(parts) {
        return Err(Problem::unsupported_media_type("application/json"));
    }
    parse(body)
}

/// Reads JSON: 400 where it is no JSON, 422 naming the field where it is of another shape.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    check_depth(body)?;
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        if error.is_data() {
            let field = if path == "." { "body" } else { &path };
            Problem::invalid(field, plain(&error.to_string()))
        } else {
            Problem::malformed(format!("The body is no JSON: {error}."))
        }
    })?;
    reader.end().map_err(|error| Problem::malformed(format!("The body is no JSON: {error}.")))?;
    Ok(value)
}

/// serde's words without the position, which the field's path replaces.
fn plain(text: &str) -> String {
    let text = text.split(" at line ").next().unwrap_or(text);
    text.replace("invalid type: null, expected struct", "is missing: expected")
}

fn is_json(parts: &Parts) -> bool {
    let Some(value) = parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()) else {
        return false;
    };
    let kind = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// Refuses nesting deeper than the limit before a parser recurses into it.
fn check_depth(body: &[u8]) -> Result<()> {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in body {
        match (in_text, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (true, b'"') => in_text = false,
            (true, _) => {}
            (false, b'"') => in_text = true,
            (false, b'{' | b'[') => {
                depth = depth.saturating_add(1);
                if depth > limits::JSON_DEPTH {
                    return Err(Problem::malformed(format!(
                        "The body is nested deeper than {} levels.",
                        limits::JSON_DEPTH
                    )));
                }
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            (false, _) => {}
        }
    }
    Ok(())
}

/// Query parameters; a wrong one is a 400 that names it.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        query(parts.uri.query().unwrap_or_default()).map(Query)
    }
}

/// Reads a query string.
pub fn query<T: DeserializeOwned>(text: &str) -> Result<T> {
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text.as_bytes()));
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        let path = error.path().to_string();
        let message = plain(&error.into_inner().to_string());
        if path == "." {
            Problem::malformed(format!("The query cannot be read: {message}."))
        } else {
            Problem::parameter(&path, message)
        }
    })
}

/// The values of an array in a query, which stand with commas between them.
pub fn values(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|value| !value.is_empty())
}

/// The value of the query's parameter `name`, which must be `true` or `false`.
pub fn boolean(name: &str, text: &str) -> Result<bool> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Problem::parameter(name, "must be true or false")),
    }
}

/// The id in a path such as `/v1/contacts/{id}`.
#[derive(Debug)]
pub struct Id(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        axum::extract::Path::<String>::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(id)| Id(id))
            .map_err(|_| Problem::malformed("The path is not valid UTF-8."))
    }
}

/// For PATCH bodies: a field that is absent stays as it is, `null` clears it.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Patch<T> {
    #[default]
    Keep,
    Clear,
    Set(T),
}

impl<'de, T: serde::Deserialize<'de>> serde::Deserialize<'de> for Patch<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<T>::deserialize(deserializer)?.map_or(Patch::Clear, Patch::Set))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Outer {
        #[allow(dead_code)]
        inner: Inner,
    }

    #[derive(Debug, serde::Deserialize)]
    struct Inner {
        #[allow(dead_code)]
        names: Vec<String>,
    }

    #[test]
    fn names_the_field_of_another_shape() {
        let problem = parse::<Outer>(br#"{"inner":{"names":["a",5]}}"#).unwrap_err();
        assert_eq!(problem.status, 422);
        assert_eq!(problem.errors[0].field, "inner.names[1]");
        assert_eq!(problem.errors[0].message, "invalid type: integer `5`, expected a string");
    }

    #[test]
    fn what_is_no_json_is_malformed() {
        for body in ["{", "{\"inner\":", "nope", "{} {}", "\u{0}"] {
            assert_eq!(
                parse::<Outer>(body.as_bytes()).unwrap_err().status,
                if body == "{} {}" { 422 } else { 400 },
                "{body}"
            );
        }
        assert_eq!(parse::<serde_json::Value>(b"{} {}").unwrap_err().status, 400);
        assert_eq!(parse::<Outer>(b"\xff\xfe").unwrap_err().status, 400);
    }

    #[test]
    fn deep_nesting_is_refused_before_it_is_parsed() {
        let deep = "[".repeat(40) + &"]".repeat(40);
        assert_eq!(parse::<serde_json::Value>(deep.as_bytes()).unwrap_err().status, 400);
        let text = format!("\"{}\"", "[".repeat(100));
        assert!(parse::<serde_json::Value>(text.as_bytes()).is_ok());
    }

    #[test]
    fn a_wrong_parameter_is_named() {
        #[derive(Debug, serde::Deserialize)]
        struct Page {
            #[serde(rename = "pageSize")]
            page_size: Option<u32>,
        }
        assert_eq!(query::<Page>("pageSize=7").unwrap().page_size, Some(7));
        let problem = query::<Page>("pageSize=x").unwrap_err();
        assert_eq!((problem.status.as_u16(), problem.errors[0].field.as_str()), (400, "pageSize"));
    }
}
