//! Uploads, media infos and deletions (channels section 2.6).

use super::numbers;
use crate::credentials::{self, parameter};
use crate::files;
use crate::graph::{Error, check_version};
use crate::ids;
use crate::provider::Provider::Whatsapp;
use crate::store::media::{self, Media};
use axum::Json as Answer;
use axum::body::Body;
use axum::extract::{Path, Request};
use common::time::Timestamp;
use common::{Result, db};
use http::{HeaderMap, Uri, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub const UPLOAD_DESCRIPTION: &str = "\
As the provider's: `multipart/form-data` with `messaging_product` = `whatsapp` and `file` with a content type of its \
own (or a field `type`). Types and sizes are checked: images 5 MB (jpeg, png), video and audio 16 MB, documents 100 MB, \
stickers 100 or 500 KB (webp). The id is known for 30 days, by the clock that `POST /sandbox/clock` moves.";

pub const NODE_DESCRIPTION: &str = "\
The Graph API's read of one object. A media id answers the media info with a URL that works for five minutes and needs \
the token; with the parameter `phone_number_id` the file must belong to that number. Media ids begin with 7400. Any \
other id is a phone number: ask for `fields=status,…`, sending needs `CONNECTED`.";

const MB: i64 = 1_000_000;

/// Largest size of a type, in bytes; `None` where WhatsApp does not take it.
fn limit(mime: &str) -> Option<i64> {
    match mime {
        "image/jpeg" | "image/png" => Some(5 * MB),
        "image/webp" => Some(500_000),
        "video/mp4" | "video/3gpp" => Some(16 * MB),
        "audio/aac" | "audio/amr" | "audio/mpeg" | "audio/mp4" | "audio/ogg" => Some(16 * MB),
        "text/plain"
        | "application/pdf"
        | "application/msword"
        | "application/vnd.ms-excel"
        | "application/vnd.ms-powerpoint" => Some(100 * MB),
        other if other.starts_with("application/vnd.openxmlformats-officedocument.") => Some(100 * MB),
        _ => None,
    }
}

/// Whether a file of this type may be sent as this kind.
pub fn fits(kind: &str, mime: &str) -> bool {
    match kind {
        "image" => matches!(mime, "image/jpeg" | "image/png"),
        "sticker" => mime == "image/webp",
        "document" => limit(mime).is_some(),
        kind => mime.split('/').next() == Some(kind),
    }
}

fn unusable(details: String) -> Error {
    Error::refused(131_053, "Media upload error", details)
}

/// Takes a file.
pub async fn upload(
    Path((version, number)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
    request: Request,
) -> Result<Answer<Value>, Error> {
    check_version(&version, &format!("/{version}/{number}/media"))?;
    credentials::meta(Whatsapp, &headers, uri.query().unwrap_or_default()).await?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let boundary = multer::parse_boundary(kind)
        .map_err(|_| Error::parameter("The request must be multipart/form-data with a boundary"))?;
    let id = ids::whatsapp_media();
    let stored = take(&id, request.into_body(), boundary).await;
    match stored {
        Ok(upload) => keep(id, number, upload).await,
        Err(error) => {
            // Parts that belong to no file.
            db::write(|db| media::remove(db, Whatsapp, &id)).await?;
            Err(error)
        }
    }
}

#[derive(Default)]
struct Upload {
    product: Option<String>,
    mime: Option<String>,
    kind: Option<String>,
    size: i64,
    sha256: String,
}

/// Reads the form; the file's bytes go into parts as they come.
async fn take(id: &str, body: Body, boundary: String) -> Result<Upload, Error> {
    let broken = |error: multer::Error| Error::parameter(&format!("The form cannot be read: {error}"));
    let mut form = multer::Multipart::new(body.into_data_stream(), boundary);
    let mut upload = Upload::default();
    while let Some(mut field) = form.next_field().await.map_err(broken)? {
        match field.name().unwrap_or_default() {
            "messaging_product" => upload.product = Some(field.text().await.map_err(broken)?),
            "type" => upload.kind = Some(field.text().await.map_err(broken)?),
            "file" => {
                upload.mime = field.content_type().map(|mime| mime.essence_str().to_string());
                let (mut part, mut n, mut hash) = (Vec::new(), 0_u32, Sha256::new());
                while let Some(chunk) = field.chunk().await.map_err(broken)? {
                    hash.update(&chunk);
                    upload.size = upload.size.saturating_add(i64::try_from(chunk.len()).unwrap_or(i64::MAX));
                    if upload.size > 100 * MB {
                        return Err(unusable("The file is larger than 100 MB.".into()));
                    }
                    part.extend_from_slice(&chunk);
                    while part.len() >= files::PART_BYTES {
                        let rest = part.split_off(files::PART_BYTES);
                        db::write(|db| media::add_part(db, id, n, &part)).await?;
                        (part, n) = (rest, n.saturating_add(1));
                    }
                }
                if !part.is_empty() {
                    db::write(|db| media::add_part(db, id, n, &part)).await?;
                }
                upload.sha256 = hex::encode(hash.finalize());
            }
            _ => {}
        }
    }
    Ok(upload)
}

/// Checks an upload and makes its id known.
async fn keep(id: String, account: String, upload: Upload) -> Result<Answer<Value>, Error> {
    let checked = check(&upload);
    let mime = match checked {
        Ok(mime) => mime,
        Err(error) => {
            db::write(|db| media::remove(db, Whatsapp, &id)).await?;
            return Err(error);
        }
    };
    let now = Timestamp::now();
    let file = Media {
        id,
        account,
        mime,
        size: upload.size,
        sha256: upload.sha256,
        expires_at: now.after(files::KEEP_UPLOADED),
        url_key: ids::url_key(),
        url_expires_at: now.after(files::WHATSAPP_URL),
    };
    db::write(|db| media::add(db, Whatsapp, &file)).await?;
    Ok(Answer(json!({"id": file.id})))
}

fn check(upload: &Upload) -> Result<String, Error> {
    if upload.product.as_deref() != Some("whatsapp") {
        return Err(Error::parameter("The parameter messaging_product is required."));
    }
    if upload.sha256.is_empty() {
        return Err(Error::parameter("The parameter file is required."));
    }
    // A part without a type of its own counts as the field `type` says.
    let own = upload.mime.as_deref().filter(|mime| *mime != "application/octet-stream");
    let mime = own.or(upload.kind.as_deref()).unwrap_or("application/octet-stream");
    let mime = mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let most = limit(&mime).ok_or_else(|| {
        unusable(format!("Unsupported file type {mime}: send an image, video, audio, document or sticker."))
    })?;
    if upload.size > most || upload.size == 0 {
        return Err(unusable(format!(
            "A file of type {mime} must have 1 to {most} bytes, not {}.",
            upload.size
        )));
    }
    Ok(mime)
}

/// A media info, or a phone number.
pub async fn node(
    Path((version, id)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Answer<Value>, Error> {
    check_version(&version, &format!("/{version}/{id}"))?;
    let query = uri.query().unwrap_or_default();
    credentials::meta(Whatsapp, &headers, query).await?;
    let now = Timestamp::now();
    let key = ids::url_key();
    let asked_of = parameter(query, "phone_number_id");
    let found = db::write(|db| {
        let found = media::find(db, Whatsapp, &id, now)?;
        if found.is_some() {
            media::set_url(db, &id, &key, now.after(files::WHATSAPP_URL))?;
        }
        Ok(found)
    })
    .await?;
    match found {
        Some(file) if asked_of.as_ref().is_none_or(|number| *number == file.account) => Ok(Answer(json!({
            "messaging_product": "whatsapp", "url": files::url(&files::origin_of(&headers), Whatsapp, &key),
            "mime_type": file.mime, "sha256": file.sha256, "file_size": file.size, "id": file.id,
        }))),
        None if !id.starts_with("7400") && asked_of.is_none() => numbers::one(&id, query).await,
        _ => Err(Error::unknown_object(&id)),
    }
}

/// Forgets a file.
pub async fn delete(
    Path((version, id)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Answer<Value>, Error> {
    check_version(&version, &format!("/{version}/{id}"))?;
    credentials::meta(Whatsapp, &headers, uri.query().unwrap_or_default()).await?;
    if db::write(|db| media::remove(db, Whatsapp, &id)).await? {
        Ok(Answer(json!({"success": true})))
    } else {
        Err(Error::unknown_object(&id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(mime: Option<&str>, kind: Option<&str>, size: i64) -> Result<String, u32> {
        let upload = Upload {
            product: Some("whatsapp".into()),
            mime: mime.map(str::to_string),
            kind: kind.map(str::to_string),
            size,
            sha256: "00".into(),
        };
        check(&upload).map_err(|error| error.code)
    }

    #[test]
    fn types_and_sizes_are_the_providers() {
        assert_eq!(upload(Some("image/png"), None, 5_000_000), Ok("image/png".into()));
        assert_eq!(upload(Some("image/png"), None, 5_000_001), Err(131_053));
        assert_eq!(upload(Some("image/gif"), None, 10), Err(131_053));
        assert_eq!(
            upload(Some("application/octet-stream"), Some("audio/ogg; codecs=opus"), 10),
            Ok("audio/ogg".into())
        );
        assert_eq!(upload(None, None, 10), Err(131_053));
        assert_eq!(check(&Upload::default()).unwrap_err().code, 100);
        assert!(fits("image", "image/jpeg") && !fits("image", "image/webp") && !fits("video", "image/png"));
        assert!(fits("document", "application/pdf") && fits("sticker", "image/webp"));
    }
}
