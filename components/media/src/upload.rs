//! `POST /v1/media/uploads`: one file, stored while it arrives.

use axum::extract::Request;
use axum::response::Response;
use common::auth::Principal;
use common::form::{Form, Part};
use common::idempotency::Unread;
use common::{Problem, Result, crypto, db};
use domain::media::bytes::{Stored, Writer};
use domain::media::kinds::{self, Refused, Type};
use domain::media::{self, NewMedia, limits, names};
use http::{StatusCode, header};

/// The form field of the file.
const FIELD: &str = "file";

/// What became of a file that arrived.
struct Arrived {
    /// Its row; absent where an answer is stored already and the bytes were only hashed.
    id: Option<String>,
    kind: Type,
    stored: Stored,
}

/// Stores the file and answers what there is.
pub async fn upload(caller: Principal, request: Request) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let key = Unread::from_request(&parts)?;
    let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let announced = text(header::CONTENT_LENGTH).and_then(|text| text.parse::<usize>().ok());
    let largest = limits::largest().await;
    if announced.is_some_and(|bytes| bytes > largest) {
        return Err(Problem::too_large(largest));
    }
    let mut form = Form::new(text(header::CONTENT_TYPE), body, largest)?;
    let keep = !key.is_answered(&caller.tenant).await?;
    let arrived = match receive(&caller, &mut form, announced, keep).await {
        Ok(arrived) => arrived,
        Err(problem) => {
            form.drain().await;
            return Err(problem);
        }
    };
    let mut kept = false;
    let answer = key
        .read(arrived.stored.sha256)
        .write(&caller.tenant, StatusCode::CREATED, |db| {
            let gone = || Problem::unavailable("an upload's row or key went while it arrived");
            let id = arrived.id.as_deref().ok_or_else(gone)?;
            let (kind, mime) = (arrived.kind.kind, &arrived.kind.mime);
            let media =
                media::stored(db, &caller.tenant, id, kind, mime, &arrived.stored)?.ok_or_else(gone)?;
            kept = true;
            Ok(media.shown())
        })
        .await;
    if let (Some(id), false) = (&arrived.id, kept && answer.is_ok()) {
        discard(&caller.tenant, id).await;
    }
    answer
}

/// Reads the form to its end. What was stored of a form that breaks a rule, or off, is deleted again.
async fn receive(
    caller: &Principal,
    form: &mut Form,
    announced: Option<usize>,
    keep: bool,
) -> Result<Arrived> {
    let mut arrived: Option<Arrived> = None;
    loop {
        let next = match form.part().await {
            Ok(Some(part)) if part.name() != Some(FIELD) => {
                let name = part.name().unwrap_or_default().chars().take(64).collect::<String>();
                Err(Problem::invalid(&name, "is no field of this form: send the file in the field file"))
            }
            Ok(Some(_)) if arrived.is_some() => {
                Err(Problem::invalid(FIELD, "must be sent once: one file a request"))
            }
            Ok(Some(part)) => file(caller, form, part, announced, keep).await.map(Some),
            Ok(None) => Ok(None),
            Err(problem) => Err(problem),
        };
        match next {
            Ok(Some(file)) => arrived = Some(file),
            Ok(None) => {
                return arrived.ok_or_else(|| Problem::invalid(FIELD, "must be there: send one file"));
            }
            Err(problem) => {
                if let Some(id) = arrived.and_then(|arrived| arrived.id) {
                    discard(&caller.tenant, &id).await;
                }
                return Err(problem);
            }
        }
    }
}

/// Stores one file: its row as soon as its kind is known, then its bytes as they come.
async fn file(
    caller: &Principal,
    form: &Form,
    mut part: Part,
    announced: Option<usize>,
    keep: bool,
) -> Result<Arrived> {
    let declared = part.content_type().map(|mime| mime.essence_str().to_string());
    let filename = part.file_name().map(names::harmless);
    let mut head = Vec::new();
    while head.len() < kinds::HEAD_BYTES {
        let Some(bytes) = form.bytes(&mut part).await? else { break };
        head.extend_from_slice(&bytes);
    }
    if head.is_empty() {
        return Err(Problem::invalid(FIELD, "must not be empty"));
    }
    let start = head.get(..kinds::HEAD_BYTES).unwrap_or(&head);
    let kind = kinds::judge(declared.as_deref(), filename.as_deref(), start).map_err(refusal)?;
    let limit = limits::of(kind.kind).await;
    if announced.is_some_and(|bytes| bytes.saturating_sub(limits::FORM_BYTES) > limit) {
        return Err(too_large(&kind, limit));
    }
    if !keep {
        let stored = hash(form, part, head, &kind, limit).await?;
        return Ok(Arrived { id: None, kind, stored });
    }
    let new = NewMedia {
        kind: kind.kind,
        mime: &kind.mime,
        filename: filename.as_deref().filter(|name| !name.is_empty()),
        source: None,
        inbox_seq: None,
        identity_seq: None,
        created_by: caller.actor.id(),
    };
    let id = db::write(|db| media::create(db, &caller.tenant, &new)).await?;
    match store(form, part, head, &id, &kind, limit).await {
        Ok(stored) => Ok(Arrived { id: Some(id), kind, stored }),
        Err(problem) => {
            discard(&caller.tenant, &id).await;
            Err(problem)
        }
    }
}

async fn store(
    form: &Form,
    mut part: Part,
    head: Vec<u8>,
    id: &str,
    kind: &Type,
    limit: usize,
) -> Result<Stored> {
    let mut writer = Writer::new(id);
    writer.write(&head).await?;
    drop(head);
    while let Some(bytes) = form.bytes(&mut part).await? {
        if limits::exceeds(writer.size(), bytes.len(), limit) {
            return Err(too_large(kind, limit));
        }
        writer.write(&bytes).await?;
    }
    if limits::exceeds(writer.size(), 0, limit) {
        return Err(too_large(kind, limit));
    }
    writer.finish().await
}

/// Reads a file whose answer is known, to compare it with the one that was stored.
async fn hash(form: &Form, mut part: Part, head: Vec<u8>, kind: &Type, limit: usize) -> Result<Stored> {
    let mut hasher = crypto::Hasher::default();
    hasher.update(&head);
    let mut size = i64::try_from(head.len()).unwrap_or(i64::MAX);
    while let Some(bytes) = form.bytes(&mut part).await? {
        if limits::exceeds(size, bytes.len(), limit) {
            return Err(too_large(kind, limit));
        }
        size = size.saturating_add(i64::try_from(bytes.len()).unwrap_or(i64::MAX));
        hasher.update(&bytes);
    }
    Ok(Stored { size, sha256: hasher.finish(), parts: 0 })
}

/// Deletes a file that is not to be. What cannot be deleted now, the scheduler's housekeeping deletes.
async fn discard(tenant: &str, id: &str) {
    let gone = async {
        db::write(|db| media::remove(db, tenant, id)).await?;
        media::sweep_one(id).await
    };
    if let Err(problem) = gone.await {
        common::log!("broken-off upload not deleted yet", media = id, problem = problem);
    }
}

fn too_large(kind: &Type, limit: usize) -> Problem {
    let mut problem = Problem::too_large(limit);
    problem.detail = format!("A file of the type {} may have at most {limit} bytes.", kind.kind.as_str());
    problem
}

fn refusal(refused: Refused) -> Problem {
    let message = match refused {
        Refused::Mismatch { declared, found } => {
            format!("is declared as {declared}, but its bytes are {found}")
        }
        Refused::Active(mime) => format!("is {mime}, which browsers or machines would run: it is not taken"),
        Refused::Unsupported(mime) => format!("is declared as {mime}, which is no kind that can be shown"),
    };
    Problem::invalid(FIELD, message)
}
