//! `/channels`: callbacks of the providers. Each is checked on its raw bytes, stored, answered with 200,
//! and then worked off by a job: a provider waits a quarter of a second at most, and repeats what it got
//! no 200 for.

use axum::extract::RawQuery;
use axum::response::{IntoResponse, Response};
use common::input::Raw;
use common::routes::{Operation, Routes};
use common::{Problem, Result, db, settings};
use domain::callbacks;
use http::{HeaderMap, StatusCode};
use providers::whatsapp;

common::serve!(crate::routes);

/// WhatsApp's callbacks can be up to 3 MB (channels section 1.5), in bytes.
const CALLBACK_BYTES: usize = 4 * 1024 * 1024;

/// The operations of this component.
pub fn routes() -> Routes {
    Routes::new("Channel callbacks")
        .add(
            Operation::get("/channels/whatsapp", "verifyWhatsAppCallback")
                .signed()
                .summary("Answer WhatsApp's handshake")
                .describe(
                    "WhatsApp sends `hub.mode=subscribe`, `hub.verify_token` and `hub.challenge` when the callback \
                     URL is set. With the right token (variable `whatsapp_verify_token`) the challenge comes back.",
                )
                .answers_raw(200, "text/plain", "The challenge, as it came.")
                .problem(403, "auth_signature_invalid", "The verify token is wrong.")
                .example_elsewhere("the handshake test of the channels"),
            handshake,
        )
        .add(
            Operation::post("/channels/whatsapp", "receiveWhatsAppCallback")
                .signed()
                .body_limit(CALLBACK_BYTES)
                .summary("Receive WhatsApp's callbacks")
                .describe(
                    "Messages of customers and statuses of ours, signed with the app secret (variable \
                     `whatsapp_app_secret`; during a rotation `whatsapp_app_secret_previous` counts too). What is \
                     not understood is kept and answered with 200.",
                )
                .header("X-Hub-Signature-256", "`sha256=` and the hex HMAC-SHA256 of the raw body.")
                .answers_empty(200, "Stored.")
                .problem(413, "request_too_large", "The body is larger than 4 MiB.")
                .example_elsewhere("the path test"),
            receive,
        )
}

async fn handshake(RawQuery(query): RawQuery) -> Result<Response> {
    let token = settings::get("whatsapp_verify_token").await.unwrap_or_default();
    whatsapp::handshake(query.as_deref().unwrap_or_default(), &[&token])
        .map(IntoResponse::into_response)
        .ok_or_else(|| Problem::forbidden("auth_signature_invalid", "The verify token is wrong."))
}

async fn receive(headers: HeaderMap, Raw(body): Raw) -> Result<StatusCode> {
    let current = settings::get("whatsapp_app_secret").await.unwrap_or_default();
    let previous = settings::get("whatsapp_app_secret_previous").await.unwrap_or_default();
    let signature = headers.get("x-hub-signature-256").and_then(|value| value.to_str().ok());
    if !whatsapp::verify_signature(&[&current, &previous], signature, &body) {
        let mut problem = Problem::unauthorized("The header X-Hub-Signature-256 does not fit the body.");
        problem.code = "auth_signature_invalid".into();
        return Err(problem);
    }
    db::write(|db| callbacks::store(db, "whatsapp", &body)).await?;
    Ok(StatusCode::OK)
}
