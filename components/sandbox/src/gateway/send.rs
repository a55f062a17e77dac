//! `POST /sandbox/sms-gateway/send`.

use crate::credentials::{self, EXPIRED, OPEN, parameter};
use crate::delivery;
use crate::ids;
use crate::json::{Node, node};
use crate::provider::Provider::Gateway;
use crate::recipients::{self, Behaviour, Refusal};
use crate::steps::{self, Failures};
use crate::store::sends::{self, Send};
use crate::store::{accounts, people};
use crate::target::{self, Sign, Target};
use crate::twilio::{inbound::e164, segments};
use axum::Json as Answer;
use axum::response::{IntoResponse, Response};
use common::input::Raw;
use common::time::Timestamp;
use common::{Problem, db};
use http::{HeaderMap, StatusCode, Uri, header};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub const DESCRIPTION: &str = "\
A gateway for the generic adapter: `client_ref`, `to`, `from`, `text`, `encoding` (`auto`, `gsm7`, `ucs2`), `validity_s`, \
`callback_url`, as JSON, as a form or in the query. The credential is a secret that begins with `sandbox-`: as a bearer, \
as HTTP Basic's password, as the header `X-Api-Key` or as the parameter `api_key`. Answers `provider_id`, `state` and \
`segments`; errors are `{\"error\": …, \"message\": …}`.

Reports go to `callback_url` as JSON, each tried once: `ACCEPTD` after 50 ms, `DELIVRD` after 150 ms. The mode \
`signature` of the account (`from`) signs them. The last four digits of the recipient may ask for something else: 0001 \
no report, 0002 `ACCEPTD` only, 0026 `UNDELIV`, 0056 and 0429 refused with 429, 0500 with 500, 0190 with 401, 0610 with \
400 `opted_out`, 0999 answered after 15 seconds.";

pub const MESSAGE: &str = r#"{"client_ref": "msg_01HZX0000000000000000301", "to": "+12025550147", "from": "EXAMPLE",
  "text": "Your code is 4471", "encoding": "auto", "validity_s": 600,
  "callback_url": "https://hooks.example.test/sms/dlr/k9"}"#;

pub const ACCEPTED: &str = r#"{"provider_id": "gw-000042", "state": "ENROUTE", "segments": 1}"#;

const FAILURES: Failures = Failures { undeliverable: (45, ""), opted_out: (1, ""), window: (1, "") };

/// An error in a form of its own.
#[derive(Debug)]
pub struct Error(StatusCode, &'static str, String);

fn error(status: StatusCode, code: &'static str, message: &str) -> Error {
    Error(status, code, message.to_string())
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        common::log!("sandbox cannot answer", code = problem.code, cause = problem);
        error(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong")
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = (self.0, Answer(json!({"error": self.1, "message": self.2}))).into_response();
        if self.0 == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, 1.into());
        }
        response
    }
}

fn authorize(headers: &HeaderMap, query: &str) -> Result<(), Error> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_string);
    let bearer = text("authorization").and_then(|value| value.strip_prefix("Bearer ").map(str::to_string));
    let given = bearer
        .or_else(|| credentials::basic(headers).map(|(_, password)| password))
        .or_else(|| text("x-api-key"))
        .or_else(|| parameter(query, "api_key"));
    match given {
        Some(secret) if secret.starts_with(OPEN) && !secret.starts_with(EXPIRED) => Ok(()),
        _ => Err(unauthorized()),
    }
}

fn unauthorized() -> Error {
    error(StatusCode::UNAUTHORIZED, "unauthorized", "The credential is missing or wrong.")
}

/// The fields, however they came.
pub fn fields(body: &[u8], query: &str) -> BTreeMap<String, String> {
    let mut fields: BTreeMap<String, String> =
        form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(members)) => fields.extend(members.into_iter().map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_string);
            (name, text)
        })),
        _ => fields.extend(form_urlencoded::parse(body).into_owned()),
    }
    fields.remove("api_key");
    fields
}

/// Sends a message.
pub async fn send(uri: Uri, headers: HeaderMap, body: Result<Raw, Problem>) -> Result<Answer<Value>, Error> {
    let query = uri.query().unwrap_or_default();
    authorize(&headers, query)?;
    let Raw(body) = body?;
    let fields = fields(&body, query);
    let get = |name: &str| fields.get(name).filter(|text| !text.is_empty());
    let invalid = |message: &str| error(StatusCode::BAD_REQUEST, "invalid_request", message);
    let to = get("to").and_then(|to| e164(to)).ok_or_else(|| invalid("to must be a phone number"))?;
    let from = get("from").ok_or_else(|| invalid("from is required"))?;
    let text = get("text").ok_or_else(|| invalid("text is required"))?;
    if !matches!(get("encoding").map(String::as_str), None | Some("auto" | "gsm7" | "ucs2")) {
        return Err(invalid("encoding must be auto, gsm7 or ucs2"));
    }
    let behaviour = recipients::behaviour(&to);
    match behaviour {
        Behaviour::TokenError => return Err(unauthorized()),
        Behaviour::OptedOut => {
            return Err(error(StatusCode::BAD_REQUEST, "opted_out", "The recipient has opted out."));
        }
        _ => {}
    }
    let now = Timestamp::now();
    let send = Send {
        id: ids::gateway(),
        account: from.clone(),
        recipient: to,
        kind: "text".into(),
        body: serde_json::to_string(&fields).unwrap_or_default(),
        reference: get("client_ref").cloned(),
        received_at: now,
        resource: None,
    };
    let url = match get("callback_url") {
        Some(url) => Some(target::reachable(url).await),
        None => None,
    };
    let moments = db::write(|db| accept(db, behaviour, &send, url)).await??;
    delivery::follow(moments, now, behaviour).await?;
    Ok(Answer(json!({"provider_id": send.id, "state": "ENROUTE", "segments": segments::count(text)})))
}

fn accept(
    db: &db::Db<'_>,
    behaviour: Behaviour,
    send: &Send,
    url: Option<String>,
) -> common::Result<Result<Vec<Timestamp>, Error>> {
    let known = people::find(db, Gateway, &send.account, &send.recipient)?.unwrap_or_default();
    if let Behaviour::RefusedFirst { times, refusal } = behaviour
        && people::refuses(db, Gateway, &send.account, &send.recipient, known.refusals, times)?
    {
        return Ok(Err(match refusal {
            Refusal::Server => error(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong"),
            _ => error(StatusCode::TOO_MANY_REQUESTS, "throttled", "Too many messages."),
        }));
    }
    sends::add(db, Gateway, send)?;
    let settings = accounts::settings(db, Gateway, &send.account)?;
    let Some(url) = url else { return Ok(Ok(Vec::new())) };
    let target = Target {
        provider: Gateway,
        account: send.account.clone(),
        url,
        sign: Sign::Gateway(settings.signature.clone()),
    };
    let mut callbacks = Vec::new();
    for step in steps::plan(behaviour, false, FAILURES, &settings) {
        let state = match step.state {
            "sent" => "ACCEPTD",
            "delivered" => "DELIVRD",
            "failed" => "UNDELIV",
            // There is no receipt of reading.
            _ => continue,
        };
        let at = send.received_at.after(step.after);
        let code = step.error.map(|(code, _)| format!("{code:03}"));
        let reference = send.reference.as_deref();
        callbacks.push(target.planned(report(&send.id, reference, &send.recipient, state, code, at), at));
    }
    delivery::schedule(db, callbacks, &settings).map(Ok)
}

/// A delivery report.
pub fn report(
    id: &str,
    reference: Option<&str>,
    to: &str,
    state: &str,
    error: Option<String>,
    at: Timestamp,
) -> String {
    node!({
        "provider_id": id, "client_ref": reference, "to": to, "state": state, "error": error,
        "done_at": Node::Text(seconds(at)),
    })
    .plain()
}

/// RFC 3339 in whole seconds.
pub fn seconds(at: Timestamp) -> String {
    Timestamp::from_seconds(at.seconds()).rfc3339().replace(".000Z", "Z")
}
