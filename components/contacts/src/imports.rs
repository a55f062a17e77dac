//! `/v1/contacts/import` and `/v1/contacts/imports`: contacts from a CSV file.

use axum::Json as Answer;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use common::auth::{Principal, Role};
use common::entry::Streamed;
use common::form::{Form, Part};
use common::idempotency::Unread;
use common::input::Id;
use common::routes::{Operation, Routes};
use common::{Problem, Result, crypto, db};
use domain::imports::encoding::{Encoding, Sniffer};
use domain::imports::{self, ContactImport, ContactImportError, ContactImportStatus};
use domain::media;
use domain::media::bytes::Writer;
use futures::StreamExt;
use http::{HeaderValue, StatusCode, header};
use std::future::ready;

/// The form field of the file.
const FIELD: &str = "file";
/// Largest file, in bytes.
const FILE_BYTES: usize = 50 * 1024 * 1024;
/// What a form may add to its file, in bytes: boundaries and headers.
const FORM_BYTES: usize = 64 * 1024;
/// Errors that are read at a time for the list of all.
const ERRORS_PAGE: u32 = 1000;

/// The operations on imports.
pub fn routes() -> Routes {
    Routes::new("Contacts")
        .add(
            Operation::post("/v1/contacts/import", "importContacts")
                .tenant(&["contact:create"], Role::ALL)
                .summary("Upload a CSV file and start a background import")
                .describe(
                    "One file in the field `file` of a form, at most 50 MiB and 500000 rows. UTF-8, UTF-16 and \
                     Windows-1252 are told apart, and comma, semicolon and tab as separators; quoted fields may hold \
                     any of them, and line breaks. The first row names the columns: `name`, `phone` (E.164; kept as \
                     `cf_phone` too where that has no value), `email` (which is `cf_email`), `tags` (names joined by \
                     `;`, made when they are missing), and custom fields by id, name or camelCase key; case does not \
                     matter. Unknown columns are left out and noted as errors without a row. A row whose `phone` a \
                     contact has updates that contact; one without a phone, the contact with that e-mail address in \
                     whatever case; one with neither, the contact that an equal row became before. Empty cells \
                     change nothing, so the same file twice changes nothing. A row with an error is not taken over at \
                     all. Contacts emit their events. Imports of a tenant run one after the other.",
                )
                .takes_file("A CSV file with a header row.")
                .answers::<ContactImport>(
                    202,
                    "Accepted.",
                    r#"{"importId": "import_01HV8Z92S0R7M4E5P6Q8T1A2B3"}"#,
                )
                .problem(408, "request_timeout", "No byte of the body came for 30 seconds.")
                .example_elsewhere("e2e contacts::imports::rows_become_contacts")
                .body_limit(FILE_BYTES.saturating_add(FORM_BYTES)),
            start,
        )
        .add(
            Operation::get("/v1/contacts/imports/{id}", "getImportStatus")
                .tenant(&["contact:list"], Role::ALL)
                .summary("Read progress and row errors of an import")
                .describe(
                    "`successCount` and `failedCount` grow while rows are worked off. `errors` has the first 100; all \
                     of them are at `errors.csv`. Kept for 30 days after the end.",
                )
                .path_param("id", "The import, `import_…`.")
                .answers::<ContactImportStatus>(200, "How far it is.", STATUS)
                .problem(404, "import_not_found", NO_IMPORT),
            status,
        )
        .add(
            Operation::get("/v1/contacts/imports/{id}/errors.csv", "downloadImportErrors")
                .tenant(&["contact:list"], Role::ALL)
                .summary("Download all row errors of an import")
                .describe(
                    "A CSV file in UTF-8 with the columns `row`, `column` and `message`, in the order of the rows. \
                     `row` is empty for what concerns the whole file, `column` for what concerns a whole row.",
                )
                .path_param("id", "The import, `import_…`.")
                .answers_raw(200, "text/csv", "The errors.")
                .problem(404, "import_not_found", NO_IMPORT),
            errors,
        )
}

const NO_IMPORT: &str = "There is no such import in this tenant.";
const STATUS: &str = r#"{
  "importId": "import_01HV8Z92S0R7M4E5P6Q8T1A2B3", "status": "completed", "totalRows": 1200, "successCount": 1194,
  "failedCount": 6, "errors": [{"row": 17, "column": "phone", "message": "must be a valid E.164 phone number"}]
}"#;

/// A file that arrived.
struct Arrived {
    /// Its import; absent where an answer is stored already and the bytes were only hashed.
    id: Option<String>,
    size: i64,
    sha256: [u8; 32],
    written: (Encoding, u64),
}

async fn start(caller: Principal, request: Request) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let key = Unread::from_request(&parts)?;
    let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let announced = text(header::CONTENT_LENGTH).and_then(|text| text.parse::<usize>().ok());
    let largest = FILE_BYTES.saturating_add(FORM_BYTES);
    if announced.is_some_and(|bytes| bytes > largest) {
        return Err(Problem::too_large(largest));
    }
    let mut form = Form::new(text(header::CONTENT_TYPE), body, largest)?;
    let keep = !key.is_answered(&caller.tenant).await?;
    let arrived = match receive(&caller, &mut form, keep).await {
        Ok(arrived) => arrived,
        Err(problem) => {
            form.drain().await;
            return Err(problem);
        }
    };
    let mut kept = false;
    let answer = key
        .read(arrived.sha256)
        .write(&caller.tenant, StatusCode::ACCEPTED, |db| {
            let gone =
                || Problem::unavailable("the answer under an import's key went while its file arrived");
            let id = arrived.id.as_deref().ok_or_else(gone)?;
            let import = imports::arrived(db, &caller.tenant, id, arrived.size, arrived.written)?;
            kept = true;
            Ok(import)
        })
        .await;
    if let (Some(id), false) = (&arrived.id, kept && answer.is_ok()) {
        discard(&caller, id).await;
    }
    answer
}

/// Reads the form to its end. What was stored of a form that breaks a rule, or off, is deleted again.
async fn receive(caller: &Principal, form: &mut Form, keep: bool) -> Result<Arrived> {
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
            Ok(Some(part)) => file(caller, form, part, keep).await.map(Some),
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
                    discard(caller, &id).await;
                }
                return Err(problem);
            }
        }
    }
}

/// Stores one file as it comes, its row first; one whose answer is known is only read, to be compared.
async fn file(caller: &Principal, form: &Form, part: Part, keep: bool) -> Result<Arrived> {
    if !keep {
        return read(form, part, None).await;
    }
    let id = db::write(|db| imports::begin(db, caller)).await?;
    match read(form, part, Some(&id)).await {
        Ok(arrived) => Ok(arrived),
        Err(problem) => {
            discard(caller, &id).await;
            Err(problem)
        }
    }
}

async fn read(form: &Form, mut part: Part, id: Option<&str>) -> Result<Arrived> {
    let mut writer = id.map(Writer::new);
    let (mut hasher, mut sniffer, mut size) = (crypto::Hasher::default(), Sniffer::default(), 0_usize);
    while let Some(bytes) = form.bytes(&mut part).await? {
        size = size.saturating_add(bytes.len());
        if size > FILE_BYTES {
            return Err(Problem::too_large(FILE_BYTES));
        }
        hasher.update(&bytes);
        sniffer.push(&bytes);
        if let Some(writer) = &mut writer {
            writer.write(&bytes).await?;
        }
    }
    if let Some(writer) = writer {
        writer.finish().await?;
    }
    let written = sniffer.finish().filter(|_| size > 0);
    let written = written.ok_or_else(|| {
        let message = if size == 0 { "must not be empty" } else { "is no text: save the table as CSV" };
        Problem::invalid(FIELD, message)
    })?;
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    Ok(Arrived { id: id.map(str::to_string), size, sha256: hasher.finish(), written })
}

/// Deletes a file that is not to be. What cannot be deleted now, the scheduler's housekeeping deletes.
async fn discard(caller: &Principal, id: &str) {
    let gone = async {
        db::write(|db| imports::give_up(db, &caller.tenant, id)).await?;
        media::sweep_one(id).await
    };
    if let Err(problem) = gone.await {
        common::log!("broken-off import not deleted yet", import = id, problem = problem);
    }
}

async fn status(caller: Principal, Id(id): Id) -> Result<Answer<ContactImportStatus>> {
    db::read(|db| imports::status(db, &caller.tenant, &id)).await.map(Answer)
}

/// `GET /v1/contacts/imports/{id}/errors.csv`: page by page, however many there are.
async fn errors(caller: Principal, Id(id): Id) -> Result<Response> {
    let import = db::read(|db| imports::find(db, &caller.tenant, &id)).await?;
    let head = ready(Ok::<_, Problem>(Bytes::from_static(b"row,column,message\r\n")));
    let pages = futures::stream::try_unfold((0, -1), move |after| async move {
        let page = db::read(|db| imports::errors(db, import.seq, after, ERRORS_PAGE)).await?;
        let lines: String = page.iter().map(line).collect();
        Ok(page.last().map(|last| (Bytes::from(lines), last.place)))
    });
    let mut response = Body::from_stream(futures::stream::once(head).chain(pages)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    let name = HeaderValue::from_static("attachment; filename=\"import-errors.csv\"");
    headers.insert(header::CONTENT_DISPOSITION, name);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    response.extensions_mut().insert(Streamed);
    Ok(response)
}

fn line(error: &ContactImportError) -> String {
    let row = error.row.map(|row| row.to_string()).unwrap_or_default();
    format!("{row},{},{}\r\n", cell(error.column.as_deref().unwrap_or_default()), cell(&error.message))
}

/// A text as a cell, quoted. What a spreadsheet would take for a formula gets an apostrophe before it: column names
/// come from whoever made the file.
fn cell(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_no_formulas() {
        assert_eq!(cell("a \"b\", c"), "\"a \"\"b\"\", c\"");
        assert_eq!(cell("=cmd()"), "\"'=cmd()\"");
    }
}
