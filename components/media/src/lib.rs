//! `/v1/media` and `/media`: files, up and down (contract section 5).

mod download;
mod range;
mod records;
mod upload;

use common::auth::Role;
use common::routes::{Operation, Routes};
use domain::media::MediaFile;

common::serve!(crate::routes);

/// The operations of this component.
pub fn routes() -> Routes {
    Routes::new("Media")
        .add(
            Operation::post("/v1/media/uploads", "createMediaUpload")
                .tenant(&["message:create"], Role::ALL)
                .summary("Upload a file")
                .describe(
                    "Stores an image, document, video or audio and answers the `mediaId` to use as \
                     `content.media.mediaId`. Send exactly one file, in the field `file` of a form. Images and audio \
                     may have 16 MiB, documents and videos 64 MiB, where this server sets no other limits. What a \
                     file is is told by its first bytes and must agree with the `Content-Type` of its part; a part \
                     without one, or with `application/octet-stream`, is taken for what it is. What browsers or \
                     machines would run (HTML, SVG, scripts, programs) is refused. An upload that is cut off leaves \
                     nothing. Repeat it with the same `Idempotency-Key`: an equal file replays the first answer.",
                )
                .takes_file("One image, document, video or audio.")
                .answers::<MediaFile>(201, "The stored file.", FILE)
                .problem(408, "request_timeout", "No byte of the body came for 30 seconds.")
                .example_elsewhere("e2e media::upload::every_kind_of_file_is_stored_and_comes_back"),
            upload::upload,
        )
        .add(
            Operation::get("/v1/media/{id}", "getMedia")
                .tenant(&["conversation:read"], Role::ALL)
                .summary("Read what is known of a file")
                .describe(
                    "Files that callers uploaded, and files that customers sent; the latter are `pending` while they \
                     are fetched from the provider. Agents see a customer's file when they see its conversation.",
                )
                .path_param("id", "The file, `mda_…`.")
                .answers::<MediaFile>(200, "The file.", FILE)
                .problem(404, "media_not_found", "There is no such file in this tenant."),
            records::read,
        )
        .add(
            Operation::delete("/v1/media/{id}", "deleteMedia")
                .tenant(&["message:create"], Role::ALL)
                .summary("Delete a file")
                .describe(
                    "Deletes the bytes and everything known of them. Messages that showed the file stay and point to \
                     nothing. A file that a message still to be sent names is kept. Files that customers sent are \
                     deleted by owners and admins only.",
                )
                .path_param("id", "The file, `mda_…`.")
                .answers_empty(204, "Deleted.")
                .problem(404, "media_not_found", "There is no such file in this tenant.")
                .problem(409, "media_in_use", "A message that is still to be sent names the file."),
            records::delete,
        )
        .add(
            Operation::post("/v1/media/{id}/links", "createMediaLink")
                .tenant(&["conversation:read"], Role::ALL)
                .summary("Make a link that needs no token")
                .describe(
                    "A signed link to the file that anybody who has it can read until it expires: for a browser, or \
                     to pass on. It cannot be taken back before, except by deleting the file.",
                )
                .path_param("id", "The file, `mda_…`.")
                .body::<records::CreateMediaLinkRequest>(r#"{"expiresInSeconds":3600}"#)
                .answers::<records::MediaLink>(201, "The link.", LINK)
                .problem(404, "media_not_found", "There is no such file in this tenant."),
            records::link,
        )
        .add(
            Operation::get("/media/{tenant}/uploads/{id}", "downloadMedia")
                .tenant(&["conversation:read"], Role::ALL)
                .summary("Download a file")
                .describe(
                    "The bytes of a file, for a token of its tenant or by a signed link (`expires` and `signature` in \
                     the query, no token). One `Range` of bytes is answered with 206, several with the whole file. \
                     The `ETag` is the SHA-256 of the bytes; `If-None-Match` and `If-Range` are heeded. What \
                     browsers show by themselves is sent inline, all else as an attachment. HEAD works too.",
                )
                .path_param("tenant", "The tenant, `tn_…`.")
                .path_param("id", "The file, `mda_…`.")
                .query::<download::LinkParameters>()
                .header("Range", "One range of bytes, such as `bytes=0-1023` or `bytes=-500`.")
                .header("If-None-Match", "An `ETag` that the caller has: the answer is 304 while it is current.")
                .header("If-Range", "An `ETag`: the range is answered while it is current, else the whole file.")
                .answers_raw(200, "*/*", "The bytes, with the file's own Content-Type.")
                .answers_raw(206, "*/*", "The bytes of the range; `Content-Range` says which they are.")
                .answers_empty(304, "The caller has it.")
                .problem(403, "media_link_invalid", "The signature is not one of ours.")
                .problem(403, "media_link_expired", "The link was good once.")
                .problem(404, "media_not_found", "There is no such file in this tenant.")
                .problem(409, "media_pending", "The file is still being fetched from the provider.")
                .problem(416, "range_not_satisfiable", "The range begins behind the end of the file."),
            download::download,
        )
}

const FILE: &str = r#"{
  "mediaId": "mda_01HV8Z6K9D2R4S7T8P5N3Q1M0A", "mediaType": "document", "mimeType": "application/pdf",
  "filename": "invoice-4827.pdf", "fileSize": 184201,
  "url": "/media/tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K/uploads/mda_01HV8Z6K9D2R4S7T8P5N3Q1M0A",
  "state": "stored", "createdAt": "2026-04-30T10:36:00.000Z", "createdBy": "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S"
}"#;

const LINK: &str = r#"{
  "url": "https://edge.example.com/media/tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K/uploads/mda_01HV8Z6K9D2R4S7T8P5N3Q1M0A?expires=1777545360&signature=Zk1nq0b9mC3vN0nX9Q0o8yW2y5j1m3f7H6t4R8s2u1A",
  "path": "/media/tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K/uploads/mda_01HV8Z6K9D2R4S7T8P5N3Q1M0A?expires=1777545360&signature=Zk1nq0b9mC3vN0nX9Q0o8yW2y5j1m3f7H6t4R8s2u1A",
  "expiresAt": "2026-04-30T10:36:00.000Z"
}"#;
