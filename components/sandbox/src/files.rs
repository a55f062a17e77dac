//! Bytes of files: stored in parts, served in parts.

use crate::graph;
use crate::ids;
use crate::provider::Provider;
use crate::store::media::{self, Media};
use axum::body::Body;
use axum::extract::{Path, Request};
use axum::response::{IntoResponse, Response};
use common::entry::Streamed;
use common::time::Timestamp;
use common::{Problem, Result, crypto, db, settings};
use http::{HeaderMap, StatusCode, header};
use std::time::Duration;

/// Bytes of a part.
pub const PART_BYTES: usize = 1_000_000;
/// A WhatsApp URL lives this long (channels section 2.6); other providers' attachment URLs live a day.
pub const WHATSAPP_URL: Duration = Duration::from_secs(5 * 60);
pub const OTHER_URL: Duration = Duration::from_secs(24 * 60 * 60);
/// What a Twilio file's URL redirects to.
pub const TWILIO_URL: Duration = Duration::from_secs(5 * 60);
/// Files of customers; files that the business uploaded.
pub const KEEP_INBOUND: Duration = Duration::from_secs(7 * 24 * 60 * 60);
pub const KEEP_UPLOADED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

pub const DESCRIPTION: &str = "\
The bytes of a file. A WhatsApp URL needs the same Bearer token as the Graph calls and works for five minutes from the \
media info (the provider serves it from another host; here it is another path); afterwards it answers 404. What a Twilio \
`MediaUrl` redirects to works for five minutes and must be asked without a credential: one that comes along is refused \
with 400, as the provider's storage does. Attachment URLs of the other providers need no credential and work for a day.";

/// What the storage behind Twilio says to a request with a credential.
const ONE_MECHANISM: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>InvalidArgument</Code>\
<Message>Only one auth mechanism allowed</Message><ArgumentName>Authorization</ArgumentName></Error>";

/// Where files are served for whoever receives callbacks.
pub async fn origin_for_receivers() -> Option<String> {
    let callbacks = settings::get("sandbox_callback_url").await?;
    let inside = callbacks.starts_with("http://") && callbacks.contains(".spin.internal/");
    if inside { Some("http://sandbox.spin.internal".into()) } else { settings::get("public_url").await }
}

/// Where the caller reached the sandbox. Calls from component to component name no host.
pub fn origin_of(headers: &HeaderMap) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match text("host") {
        Some(host) => format!("{}://{host}", text("x-forwarded-proto").unwrap_or("http")),
        None => "http://sandbox.spin.internal".into(),
    }
}

/// The URL of a file.
pub fn url(origin: &str, provider: Provider, url_key: &str) -> String {
    format!("{origin}/sandbox/files/{}/{url_key}", provider.as_str())
}

/// Stores a file that a customer sends.
pub async fn store(provider: Provider, account: &str, mime: &str, bytes: &[u8]) -> Result<Media> {
    let now = Timestamp::now();
    let media = Media {
        id: match provider {
            Provider::Whatsapp => ids::whatsapp_media(),
            Provider::Twilio => ids::sid("ME"),
            _ => ids::digits(),
        },
        account: account.to_string(),
        mime: mime.to_string(),
        size: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
        sha256: hex::encode(crypto::sha256(bytes)),
        expires_at: now.after(KEEP_INBOUND),
        url_key: ids::url_key(),
        url_expires_at: now.after(match provider {
            Provider::Whatsapp => WHATSAPP_URL,
            Provider::Twilio => TWILIO_URL,
            _ => OTHER_URL,
        }),
    };
    db::write(|db| {
        for (n, part) in (0_u32..).zip(bytes.chunks(PART_BYTES)) {
            media::add_part(db, &media.id, n, part)?;
        }
        media::add(db, provider, &media)
    })
    .await?;
    Ok(media)
}

/// Serves a file by its URL.
pub async fn serve(
    Path((provider, key)): Path<(String, String)>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response> {
    let provider = Provider::of_path(&provider)?;
    if provider == Provider::Whatsapp
        && let Err(error) =
            crate::credentials::meta(provider, &headers, request.uri().query().unwrap_or_default()).await
    {
        let error = graph::Error { status: StatusCode::UNAUTHORIZED, ..error };
        return Ok(error.into_response());
    }
    if provider == Provider::Twilio && headers.contains_key(header::AUTHORIZATION) {
        let kind = [(header::CONTENT_TYPE, "application/xml")];
        return Ok((StatusCode::BAD_REQUEST, kind, ONE_MECHANISM).into_response());
    }
    let now = Timestamp::now();
    match db::read(|db| media::by_url(db, provider, &key, now)).await? {
        Some(media) => Ok(body(media)),
        None => Err(Problem::route_not_found()),
    }
}

/// A file's bytes, part by part.
fn body(media: Media) -> Response {
    let id = media.id.clone();
    let parts = futures::stream::unfold((id, 0_u32), |(id, n)| async move {
        match db::read(|db| media::part(db, &id, n)).await {
            Ok(Some(bytes)) => Some((Ok(bytes::Bytes::from(bytes)), (id, n.saturating_add(1)))),
            Ok(None) => None,
            Err(problem) => Some((Err(std::io::Error::other(problem.code)), (id, u32::MAX))),
        }
    });
    let mut response = Response::new(Body::from_stream(parts));
    let headers = response.headers_mut();
    if let Ok(mime) = media.mime.parse() {
        headers.insert(header::CONTENT_TYPE, mime);
    }
    headers.insert(header::CONTENT_LENGTH, media.size.into());
    response.extensions_mut().insert(Streamed);
    response
}
