//! Files that come with a customer's message, in a form: `attachments[]` (Chatwoot notes 5.12). They are stored
//! while they arrive, and deleted again when the message is not taken.

use crate::conversations::who;
use crate::path::OfConversation;
use axum::extract::Request;
use common::form::Form;
use common::{Problem, Result, db};
use domain::content::MediaContent;
use domain::livechat::threads;
use domain::livechat::writing::{self, CONTENT_CHARS, ECHO_CHARS, MessageRequest, Uploader};
use domain::media::bytes::{Stored, Writer};
use domain::media::kinds::{self, Type};
use domain::media::{self, NewMedia, limits, names};
use http::header;
use multer::Field;

/// Most files of a message (Chatwoot notes 1.10).
const FILES_MAX: usize = 15;
/// Largest text of a form, in bytes: the longest text there is, four bytes a character.
const TEXT_BYTES: usize = 4 * CONTENT_CHARS;

/// A file that is stored and not yet in a message.
#[derive(Debug)]
pub struct Arrived {
    tenant: String,
    id: String,
    pub content: MediaContent,
}

/// Whether files may come along.
pub fn is_multipart(request: &Request) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data"))
}

/// Reads the form: what is written, and the files, stored.
pub async fn receive(at: &OfConversation, request: Request) -> Result<(MessageRequest, Vec<Arrived>)> {
    let uploader = db::read(|db| {
        let (chat, visitor) = who(db, &at.inbox, &at.contact)?;
        let session = threads::find(db, &chat, &visitor, at.conversation)?;
        writing::uploader(db, &chat, &visitor, &session)
    })
    .await?;
    let (parts, body) = request.into_parts();
    let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let announced = text(header::CONTENT_LENGTH).and_then(|text| text.parse::<usize>().ok());
    let largest = limits::largest().await;
    if announced.is_some_and(|bytes| bytes > largest) {
        return Err(Problem::too_large(largest));
    }
    let mut form = Form::new(text(header::CONTENT_TYPE), body, largest)?;
    let mut message = MessageRequest::default();
    let mut files = Vec::new();
    match read(&mut form, &uploader, &mut message, &mut files).await {
        Ok(()) => Ok((message, files)),
        Err(problem) => {
            discard(&files).await;
            form.drain().await;
            Err(problem)
        }
    }
}

async fn read(
    form: &mut Form,
    uploader: &Uploader,
    message: &mut MessageRequest,
    files: &mut Vec<Arrived>,
) -> Result<()> {
    while let Some(part) = form.part().await? {
        let name = part.name().unwrap_or_default().to_string();
        match name.as_str() {
            "content" => message.content = Some(words(form, part, "content", TEXT_BYTES).await?),
            "echo_id" => message.echo_id = Some(words(form, part, "echo_id", 4 * ECHO_CHARS).await?),
            _ if name.starts_with("attachments") && part.file_name().is_some() => {
                if files.len() >= FILES_MAX {
                    return Err(Problem::invalid("attachments", "are too many (maximum is 15)"));
                }
                files.extend(file(form, part, uploader).await?);
            }
            // Unknown fields are ignored, as everywhere in this API.
            _ => {}
        }
    }
    Ok(())
}

/// A text field.
async fn words(form: &Form, mut part: Field<'static>, field: &str, limit: usize) -> Result<String> {
    let mut bytes = Vec::new();
    while let Some(more) = form.bytes(&mut part).await? {
        bytes.extend_from_slice(&more);
        if bytes.len() > limit {
            return Err(Problem::invalid(field, "is too long"));
        }
    }
    String::from_utf8(bytes).map_err(|_| Problem::invalid(field, "is not UTF-8"))
}

/// Stores one file; an empty one is none.
async fn file(form: &Form, mut part: Field<'static>, uploader: &Uploader) -> Result<Option<Arrived>> {
    let declared = part.content_type().map(|mime| mime.essence_str().to_string());
    let filename: Option<String> =
        part.file_name().map(names::harmless).filter(|name: &String| !name.is_empty());
    let mut head = Vec::new();
    while head.len() < kinds::HEAD_BYTES {
        let Some(bytes) = form.bytes(&mut part).await? else { break };
        head.extend_from_slice(&bytes);
    }
    if head.is_empty() {
        return Ok(None);
    }
    let start = head.get(..kinds::HEAD_BYTES).unwrap_or(&head);
    let kind = kinds::recognise(declared.as_deref(), filename.as_deref(), start);
    let new = NewMedia {
        kind: kind.kind,
        mime: &kind.mime,
        filename: filename.as_deref(),
        source: None,
        inbox_seq: Some(uploader.inbox_seq),
        identity_seq: Some(uploader.identity_seq),
        created_by: &uploader.contact,
    };
    let tenant = uploader.tenant.as_str();
    let id = db::write(|db| media::create(db, tenant, &new)).await?;
    let mut arrived =
        Arrived { tenant: tenant.to_string(), id: id.clone(), content: MediaContent::default() };
    let kept = match store(form, part, &head, &id, &kind).await {
        Ok(stored) => db::write(|db| media::stored(db, tenant, &id, kind.kind, &kind.mime, &stored)).await,
        Err(problem) => Err(problem),
    };
    match kept {
        Ok(Some(media)) => {
            media.describe(&mut arrived.content);
            Ok(Some(arrived))
        }
        Ok(None) => {
            media::bytes::delete(&id).await?;
            Err(Problem::unavailable("a file's row went while it arrived"))
        }
        Err(problem) => {
            discard(&[arrived]).await;
            Err(problem)
        }
    }
}

async fn store(form: &Form, mut part: Field<'static>, head: &[u8], id: &str, kind: &Type) -> Result<Stored> {
    let limit = limits::of(kind.kind).await;
    let mut writer = Writer::new(id);
    writer.write(head).await?;
    while let Some(bytes) = form.bytes(&mut part).await? {
        if limits::exceeds(writer.size(), bytes.len(), limit) {
            return Err(Problem::too_large(limit));
        }
        writer.write(&bytes).await?;
    }
    if limits::exceeds(writer.size(), 0, limit) {
        return Err(Problem::too_large(limit));
    }
    writer.finish().await
}

/// Deletes files that no message holds. What cannot be deleted now is swept by the scheduler.
pub async fn discard(files: &[Arrived]) {
    for file in files {
        let removed = db::write(|db| media::remove(db, &file.tenant, &file.id)).await;
        let swept = match removed {
            Ok(_) => media::sweep_one(&file.id).await,
            Err(problem) => Err(problem),
        };
        if let Err(problem) = swept {
            common::log!("a file without a message was not deleted", media = file.id, problem = problem);
        }
    }
}
