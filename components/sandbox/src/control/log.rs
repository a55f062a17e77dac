//! What came in and what was called back; calls that are to go wrong; forgetting everything.

use super::accounts::LimitQuery;
use crate::provider::Provider;
use crate::record::{Fault, KINDS};
use crate::store::{log, seeds};
use axum::Json as Answer;
use axum::extract::Path;
use common::input::{Json, Query};
use common::problem::Violations;
use common::time::Timestamp;
use common::{Problem, Result, db};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const TIMES_MAX: u32 = 1000;
const CALLS_MAX: u32 = 1000;

pub const CALLS_DESCRIPTION: &str = "\
Every call to a provider's paths, refused ones too, newest first: raw body, headers without credentials, and the status \
of the answer. Bodies of uploads are not kept. Kept for a day. Local only.";

pub const CALLS: &str = r#"{"calls": [{
  "at": "2026-04-30T10:36:00.000Z", "method": "POST", "path": "/sandbox/whatsapp/v25.0/310987654321001/messages",
  "headers": {"content-type": "application/json"}, "body": "{\"messaging_product\":\"whatsapp\"}", "status": 400
}]}"#;

pub const ATTEMPTS_DESCRIPTION: &str = "\
Every try to deliver a callback for an account, newest first, with what was sent and how it was answered. Kept for a \
day. Local only.";

pub const ATTEMPTS: &str = r#"{"attempts": [{
  "at": "2026-04-30T10:36:00.000Z", "url": "http://127.0.0.1:3000/channels/whatsapp",
  "headers": {"x-hub-signature-256": "sha256=00"}, "body": "{}", "status": 200
}]}"#;

pub const RESET_DESCRIPTION: &str = "\
Forgets what there is of the account: people, windows, sends, waiting callbacks, files, modes, its calls and tries of \
callbacks, and the faults that name it as `account` or in their `path`; without an account all of that of the whole \
provider, faults of any account and reviews too.

From then on `seed` is where random choices come from, so that a run can be repeated: after a reset with the same seed, \
the same requests of the account in the same order get the same ids of messages, files and errors, and the same URLs. \
Other accounts are not drawn into it; without an account the seed is that of all which have none of their own. Without a \
seed choices are random again. Nothing else is left to chance: the mode `shuffle` always turns the order round. Local only.";

pub const FAULTS_DESCRIPTION: &str = "\
Makes calls to come go wrong: the next `times` of `account` that match `path` (a part of it) and `recipient` (a part of \
the body), each where absent any. `account` is the number, Page or account of a Meta channel, the sender, service or \
account SID at Twilio, the sender at the gateway. Faults are used in the order they were given. A connection cannot be closed before an answer from \
inside a component: `slow` (accepted, and answered when nobody waits any more) and `lateRefusal` stand in for that. \
Local only.";

pub const FAULT: &str = r#"{"times": 2, "account": "310987654321009", "path": "/messages", "fault": {"kind": "throttled", "retryAfter": 1}}"#;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub struct CallsQuery {
    /// Only calls of this number, Page, sender or service.
    pub account: Option<String>,
    /// A part of the path, such as the account.
    pub path: Option<String>,
    /// Most calls to list: 1 to 1,000, 50 where absent.
    pub limit: Option<u32>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SandboxCalls)]
pub struct Calls {
    pub calls: Vec<Call>,
}

/// A call to a provider's path.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SandboxCall)]
pub struct Call {
    pub at: Timestamp,
    pub method: String,
    /// With its query.
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    /// Of the answer.
    pub status: u16,
}

/// Lists calls.
pub async fn calls(Path(provider): Path<String>, Query(query): Query<CallsQuery>) -> Result<Answer<Calls>> {
    let provider = Provider::of_path(&provider)?;
    let limit = query.limit.unwrap_or(50);
    if !(1..=CALLS_MAX).contains(&limit) {
        return Err(Problem::parameter("limit", format!("must be between 1 and {CALLS_MAX}")));
    }
    let path = query.path.unwrap_or_default();
    let account = query.account.as_deref();
    let found = db::read(|db| log::calls(db, provider, account, &path, limit)).await?;
    let calls = found
        .into_iter()
        .map(|call| Call {
            at: call.at,
            method: call.method,
            path: call.path,
            headers: serde_json::from_str(&call.headers).unwrap_or_default(),
            body: String::from_utf8_lossy(&call.body).into_owned(),
            status: call.status,
        })
        .collect();
    Ok(Answer(Calls { calls }))
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SandboxAttempts)]
pub struct Attempts {
    pub attempts: Vec<Attempt>,
}

/// A try to deliver a callback.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SandboxAttempt)]
pub struct Attempt {
    pub at: Timestamp,
    pub url: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    /// Of the answer; `null` where there was none.
    pub status: Option<u16>,
    /// Why there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Lists tries to deliver callbacks.
pub async fn attempts(
    Path((provider, account)): Path<(String, String)>,
    Query(query): Query<LimitQuery>,
) -> Result<Answer<Attempts>> {
    let provider = Provider::of_path(&provider)?;
    let limit = query.checked()?;
    let found = db::read(|db| log::attempts(db, provider, &account, limit)).await?;
    let attempts = found
        .into_iter()
        .map(|attempt| Attempt {
            at: attempt.at,
            url: attempt.url,
            headers: serde_json::from_str(&attempt.headers).unwrap_or_default(),
            body: attempt.body,
            status: attempt.status,
            error: attempt.error,
        })
        .collect();
    Ok(Answer(Attempts { attempts }))
}

/// Calls to come that go wrong.
#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[schema(as = SandboxFault)]
pub struct Faults {
    /// How many calls: 1 to 1000, 1 where absent.
    pub times: Option<u32>,
    /// Whose calls; anybody's where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// A part of the path; any where absent.
    pub path: Option<String>,
    /// A part of the body, such as the recipient; any where absent.
    pub recipient: Option<String>,
    pub fault: Fault,
}

/// Makes calls to come go wrong.
pub async fn faults(Path(provider): Path<String>, Json(body): Json<Faults>) -> Result<Answer<Faults>> {
    let provider = Provider::of_path(&provider)?;
    let times = body.times.unwrap_or(1);
    let mut violations = Violations::new();
    violations.check((1..=TIMES_MAX).contains(&times), "times", "must be between 1 and 1000");
    violations.check(
        KINDS.contains(&body.fault.kind.as_str()),
        "fault.kind",
        "must be throttled, serverError, unavailable, garbage, empty, status, slow, lateRefusal or endless",
    );
    if let Some(status) = body.fault.status {
        violations.check((200..600).contains(&status), "fault.status", "must be between 200 and 599");
    }
    violations.finish()?;
    let fault = crate::store::json(&body.fault)?;
    let which = log::Which {
        account: body.account.as_deref(),
        path: body.path.as_deref(),
        recipient: body.recipient.as_deref(),
    };
    db::write(|db| log::add_fault(db, provider, &which, times, &fault)).await?;
    Ok(Answer(body))
}

/// What to forget.
#[derive(Debug, Default, Deserialize, Serialize, utoipa::ToSchema)]
#[schema(as = SandboxReset)]
pub struct Reset {
    /// Only what belongs to this account; everything of the provider where absent.
    pub account: Option<String>,
    /// Where random choices come from afterwards; the machine where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
}

/// Forgets people, sends, callbacks, files, modes, calls and faults; sets the seed.
pub async fn reset(Path(provider): Path<String>, Json(body): Json<Reset>) -> Result<Answer<Reset>> {
    let provider = Provider::of_path(&provider)?;
    let account = body.account.as_deref().filter(|account| !account.is_empty());
    db::write(|db| {
        log::reset(db, provider, account)?;
        body.seed.map_or(Ok(()), |seed| seeds::set(db, provider, account, seed))
    })
    .await?;
    Ok(Answer(body))
}
