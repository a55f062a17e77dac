//! `GET /media/{tenant}/uploads/{id}`: the bytes, for a token or by a signed link.

use crate::range::{self, Asked};
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use common::auth::Principal;
use common::entry::Streamed;
use common::time::Timestamp;
use common::{Problem, Result, db, input};
use domain::media::bytes::Reader;
use domain::media::links::{Links, Refused};
use domain::media::{self, Media, State, kinds};
use domain::visibility::viewer;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use std::ops::Range;
use utoipa::IntoParams;

/// Characters that RFC 8187 lets stand for themselves.
const ATTRIBUTE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The parts of a signed link.
#[derive(Debug, Deserialize, IntoParams)]
pub struct LinkParameters {
    /// Of a signed link: when it ends, in seconds since 1970.
    expires: Option<i64>,
    /// Of a signed link: 43 characters.
    signature: Option<String>,
}

/// Answers the whole file, a range of it, or that the caller has it.
pub async fn download(request: Request) -> Result<Response> {
    let (mut parts, _) = request.into_parts();
    let media = authorized(&mut parts).await?;
    match media.state {
        State::Stored => {}
        State::Pending => {
            return Err(Problem::conflict(
                "media_pending",
                format!("{} is still being fetched from the provider. Try again in a moment.", media.id),
            )
            .with_retry_after(1));
        }
        State::Failed => return Err(Problem::not_found("media", &media.id)),
    }
    answer(&media, &parts.headers)
}

/// The file, if the caller may read it: by the link's signature, or by a token of its tenant.
async fn authorized(parts: &mut Parts) -> Result<Media> {
    let Path((tenant, id)) = Path::<(String, String)>::from_request_parts(parts, &())
        .await
        .map_err(|_| Problem::malformed("The path is not valid UTF-8."))?;
    let link: LinkParameters = input::query(parts.uri.query().unwrap_or_default())?;
    let Some(signature) = link.signature else {
        let caller = Principal::from_request_parts(parts, &()).await?;
        if caller.tenant != tenant {
            return Err(Problem::not_found("media", &id));
        }
        return db::read(|db| media::find_visible(db, &tenant, &id, viewer(&caller))).await;
    };
    let links = Links::from_settings().await?;
    match links.check(&tenant, &id, link.expires.unwrap_or_default(), &signature, Timestamp::now()) {
        Ok(()) => db::read(|db| media::find_linked(db, &tenant, &id)).await,
        Err(Refused::Expired) => {
            Err(Problem::forbidden("media_link_expired", "This link was good once. Ask for a new one."))
        }
        Err(Refused::Forged) => Err(Problem::forbidden(
            "media_link_invalid",
            "This link was not made by this server, or it was changed on its way.",
        )),
    }
}

fn answer(media: &Media, asked: &HeaderMap) -> Result<Response> {
    let size = media.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
    let etag = format!("\"{}\"", hex::encode(media.sha256.as_deref().unwrap_or_default()));
    let text = |name: HeaderName| asked.get(name).and_then(|value| value.to_str().ok());
    if text(header::IF_NONE_MATCH).is_some_and(|tags| matches(tags, &etag)) {
        return with_headers(StatusCode::NOT_MODIFIED, media, &etag, None, Body::empty());
    }
    // Another version than the caller's other parts are of: it gets the whole.
    let current = text(header::IF_RANGE).is_none_or(|tag| tag.trim() == etag);
    let range = text(header::RANGE).filter(|_| current);
    match range::read(range, size) {
        Asked::Whole => {
            let (status, body) = (StatusCode::OK, stream(media, 0..size));
            with_headers(status, media, &etag, Some((size, None)), body)
        }
        Asked::Part(range) => {
            let of = format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1));
            let length = range.end.saturating_sub(range.start);
            let (status, body) = (StatusCode::PARTIAL_CONTENT, stream(media, range));
            with_headers(status, media, &etag, Some((length, Some(of))), body)
        }
        Asked::Unsatisfiable => {
            let problem = Problem::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "range_not_satisfiable",
                format!("The file has {size} bytes; the range lies behind them."),
            );
            let mut response = problem.into_response();
            response.headers_mut().insert(header::CONTENT_RANGE, value(&format!("bytes */{size}"))?);
            Ok(response)
        }
    }
}

/// Whether a list of entity tags names this one; weak ones count (RFC 9110 section 13.1.2).
fn matches(tags: &str, etag: &str) -> bool {
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// Reads part by part: never more than one is in memory, and nobody reads when the caller has left.
fn stream(media: &Media, range: Range<u64>) -> Body {
    let reader = Reader::range(media, range);
    Body::from_stream(futures::stream::try_unfold(reader, |mut reader| async move {
        Ok::<_, Problem>(reader.next().await?.map(|part| (Bytes::from(part), reader)))
    }))
}

/// `content` is the body's length and, of a range, its `Content-Range`.
fn with_headers(
    status: StatusCode,
    media: &Media,
    etag: &str,
    content: Option<(u64, Option<String>)>,
    body: Body,
) -> Result<Response> {
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::ETAG, value(etag)?);
    // Kept by the caller alone, and asked for again each time: a deleted file is gone.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if let Some((length, range)) = content {
        headers.insert(header::CONTENT_TYPE, value(&content_type(&media.mime))?);
        headers.insert(header::CONTENT_LENGTH, length.into());
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(header::CONTENT_DISPOSITION, value(&disposition(media))?);
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(range) = range {
            headers.insert(header::CONTENT_RANGE, value(&range)?);
        }
        response.extensions_mut().insert(Streamed);
    }
    Ok(response)
}

/// Without a character set browsers guess one, and mostly guess wrong.
fn content_type(mime: &str) -> String {
    if mime == "text/plain" { format!("{mime}; charset=utf-8") } else { mime.to_string() }
}

/// How browsers show the file and what they call it (RFC 6266): the plain name for old ones, the encoded one for all.
fn disposition(media: &Media) -> String {
    let kind = if kinds::is_shown_inline(&media.mime) { "inline" } else { "attachment" };
    let Some(name) = &media.filename else { return kind.to_string() };
    let plain: String = name
        .chars()
        .map(|c| if (c.is_ascii_graphic() || c == ' ') && !matches!(c, '"' | '\\' | '%') { c } else { '_' })
        .collect();
    let encoded = utf8_percent_encode(name, ATTRIBUTE);
    format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

fn value(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(|_| Problem::internal(format!("{text:?} is no header value")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_match_weakly_and_in_lists() {
        assert!(matches("\"a\"", "\"a\"") && matches("W/\"a\"", "\"a\"") && matches("\"b\", \"a\"", "\"a\""));
        assert!(matches("*", "\"a\"") && !matches("\"b\"", "\"a\"") && !matches("a", "\"a\""));
    }
}
