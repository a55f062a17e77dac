//! SMS through any other gateway (channels section 7). The URL holds a secret, since many cannot sign; what the
//! inbox's settings ask for beyond that, a header or an HMAC, is checked too.

use crate::{SMS_BYTES, refused};
use axum::extract::{Path, RawQuery};
use common::crypto::{self, Sealer};
use common::input::Raw;
use common::routes::{Operation, Routes};
use common::{Problem, Result, db};
use domain::callbacks::{self, Purpose, Received};
use domain::inboxes::{self, Credentials};
use http::{HeaderMap, StatusCode};
use providers::gateway::{self, Settings};

pub(crate) fn routes(routes: Routes) -> Routes {
    let inbound_text = "The gateway calls this URL, below the variable `public_url`, for each text message that comes in. \
        Which fields mean what is said by the inbox's settings; JSON, a form and a query string are read.";
    let report_text =
        "Delivery reports of messages that were sent. Every message is sent with this URL as its callback.";
    routes
        .add(
            operation(Operation::post("/channels/sms/{inboxId}/{secret}", "receiveSms"))
                .summary("Receive a text message from a gateway")
                .describe(inbound_text),
            inbound,
        )
        .add(
            operation(Operation::get("/channels/sms/{inboxId}/{secret}", "receiveSmsByGet"))
                .summary("Receive a text message from a gateway, by GET")
                .describe(inbound_text),
            inbound,
        )
        .add(
            operation(Operation::post("/channels/sms/{inboxId}/{secret}/report", "receiveSmsReport"))
                .summary("Receive a delivery report from a gateway")
                .describe(report_text),
            report,
        )
        .add(
            operation(Operation::get("/channels/sms/{inboxId}/{secret}/report", "receiveSmsReportByGet"))
                .summary("Receive a delivery report from a gateway, by GET")
                .describe(report_text),
            report,
        )
}

fn operation(operation: Operation) -> Operation {
    operation
        .signed()
        .body_limit(SMS_BYTES)
        .path_param("inboxId", "The SMS inbox.")
        .path_param("secret", "The unguessable part of the URL, which the inbox shows.")
        .answers_empty(200, "Stored.")
        .example_elsewhere("the gateway tests of the channels")
}

async fn inbound(
    Path(path): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<StatusCode> {
    store(path, Purpose::Inbound, query.as_deref(), &headers, &body).await
}

async fn report(
    Path(path): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<StatusCode> {
    store(path, Purpose::Status, query.as_deref(), &headers, &body).await
}

async fn store(
    (inbox, secret): (String, String),
    purpose: Purpose,
    query: Option<&str>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<StatusCode> {
    let wrong = || refused("The URL or the signature is wrong.");
    let connection = db::read(|db| inboxes::connection_by_id(db, &inbox)).await?.ok_or_else(wrong)?;
    let credentials = connection.credentials(&Sealer::from_settings().await?)?;
    let Credentials::Gateway { settings, callback_secret } = credentials else { return Err(wrong()) };
    // Hashing first makes the comparison's time independent of the lengths too.
    let given = crypto::sha256(secret.as_bytes());
    if !crypto::equal(&given, &crypto::sha256(callback_secret.as_bytes())) {
        return Err(wrong());
    }
    // serde's words could quote a secret.
    let settings: Settings = serde_json::from_value(settings)
        .map_err(|_| Problem::internal(format!("the gateway settings of {inbox} cannot be read")))?;
    if !gateway::verify_signature(&settings, headers, body) {
        return Err(wrong());
    }
    let received = Received {
        channel: "gateway",
        body,
        inbox_id: Some(&connection.address.id),
        purpose,
        query,
        content_type: headers.get("content-type").and_then(|value| value.to_str().ok()),
    };
    db::write(|db| callbacks::store(db, &received)).await?;
    Ok(StatusCode::OK)
}
