//! `GET /v1/contacts/{id}/export`: everything about one person, streamed.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use common::auth::{Principal, Role};
use common::entry::Streamed;
use common::input::Id;
use common::routes::Operation;
use common::{Problem, Result, db};
use domain::contacts::export;
use http::{HeaderValue, header};

pub fn operation() -> Operation {
    Operation::get("/v1/contacts/{id}/export", "exportContact")
        .tenant(&["contact:read"], Role::ADMINS)
        .summary("Export everything about a contact")
        .describe(
            "One JSON document with all that is kept about a person, for privacy law: `contact`, `email`, \
             `phoneNumber`, `customAttributes`, `tags`, `mergedContacts`, `conversations` with their sessions, and \
             `messages` conversation by conversation, each in the order of arrival; files are named by their address. It is \
             streamed, so a long history takes no memory.",
        )
        .path_param("id", "The contact, `con_…`.")
        .answers_raw(200, "application/json", "The document.")
        .problem(404, "contact_not_found", "There is no such contact in this tenant.")
}

pub async fn export(caller: Principal, Id(id): Id) -> Result<Response> {
    let begun = db::read(|db| export::begin(db, &caller.tenant, &id)).await?;
    let body = Body::from_stream(futures::stream::try_unfold(begun, |export| async move {
        let next = db::read(|db| export.next(db)).await?;
        Ok::<_, Problem>(next.map(|(text, rest)| (Bytes::from(text), rest)))
    }));
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static("attachment; filename=\"contact.json\""),
    );
    response.extensions_mut().insert(Streamed);
    Ok(response)
}
