//! SMS through Twilio (channels sections 6.2 to 6.4). The URL names the inbox, whose auth token signs.

use crate::{SMS_BYTES, refused};
use axum::extract::{Path, RawQuery};
use axum::response::{IntoResponse, Response};
use common::crypto::Sealer;
use common::input::Raw;
use common::routes::{Operation, Routes};
use common::{Result, db, settings};
use domain::callbacks::{self, Purpose, Received};
use domain::inboxes::{self, Credentials};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use providers::twilio;

/// No automatic reply.
const NO_REPLY: &str = "<Response></Response>";

pub(crate) fn routes(routes: Routes) -> Routes {
    let message_text = "Set this URL, below the variable `public_url`, as the number's or the messaging service's \
        callback for messages that come in. Twilio signs with the account's auth token, which the inbox keeps. The \
        answer is TwiML without a reply. By POST the parameters are a form, by GET they are the query, which the \
        signature covers as a part of the URL; set at Twilio which of the two it uses.";
    let status_text = "Every message is sent with this URL as its status callback, with our message id in the query: \
        `?message=msg_…`. By GET the other parameters follow it there.";
    let message = |operation: Operation| {
        signed(operation).describe(message_text).answers_raw(200, "text/xml", "Stored.")
    };
    let progress =
        |operation: Operation| signed(operation).describe(status_text).answers_empty(200, "Stored.");
    routes
        .add(
            message(Operation::post("/channels/twilio/{inboxId}", "receiveTwilioMessage"))
                .summary("Receive a text message from Twilio"),
            inbound,
        )
        .add(
            message(Operation::get("/channels/twilio/{inboxId}", "receiveTwilioMessageByGet"))
                .summary("Receive a text message from Twilio, by GET"),
            inbound,
        )
        .add(
            progress(Operation::post("/channels/twilio/{inboxId}/status", "receiveTwilioStatus"))
                .summary("Receive a message's status from Twilio"),
            status,
        )
        .add(
            progress(Operation::get("/channels/twilio/{inboxId}/status", "receiveTwilioStatusByGet"))
                .summary("Receive a message's status from Twilio, by GET"),
            status,
        )
}

fn signed(operation: Operation) -> Operation {
    operation
        .signed()
        .body_limit(SMS_BYTES)
        .path_param("inboxId", "The SMS inbox.")
        .header("X-Twilio-Signature", "Base64 of the HMAC-SHA1 of URL and parameters.")
        .example_elsewhere("the Twilio tests of the channels")
}

async fn inbound(
    Path(inbox): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Response> {
    let request = Request { path: format!("/channels/twilio/{inbox}"), inbox, query, headers };
    request.store(Purpose::Inbound, &body).await?;
    let kind = HeaderValue::from_static("text/xml");
    Ok(([(header::CONTENT_TYPE, kind)], NO_REPLY).into_response())
}

async fn status(
    Path(inbox): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<StatusCode> {
    let request = Request { path: format!("/channels/twilio/{inbox}/status"), inbox, query, headers };
    request.store(Purpose::Status, &body).await?;
    Ok(StatusCode::OK)
}

struct Request {
    inbox: String,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
}

impl Request {
    async fn store(&self, purpose: Purpose, body: &[u8]) -> Result<()> {
        let header = |name: &str| self.headers.get(name).and_then(|value| value.to_str().ok());
        let wrong = || refused("The header X-Twilio-Signature does not fit URL and parameters.");
        let connection =
            db::read(|db| inboxes::connection_by_id(db, &self.inbox)).await?.ok_or_else(wrong)?;
        let credentials = connection.credentials(&Sealer::from_settings().await?)?;
        let Credentials::Twilio { auth_token, .. } = credentials else { return Err(wrong()) };
        // As Twilio was given it: what the request says of its host is a proxy's.
        let base = settings::get("public_url").await.unwrap_or_default();
        let query = self.query.as_deref().map(|query| format!("?{query}")).unwrap_or_default();
        let url = format!("{}{}{query}", base.trim_end_matches('/'), self.path);
        if !twilio::verify_signature(&[&auth_token], header("x-twilio-signature"), &url, body) {
            return Err(wrong());
        }
        let received = Received {
            channel: "twilio",
            body,
            inbox_id: Some(&connection.address.id),
            purpose,
            query: self.query.as_deref(),
            content_type: header("content-type"),
        };
        db::write(|db| callbacks::store(db, &received)).await
    }
}
