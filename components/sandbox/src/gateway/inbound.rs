//! What people send by SMS through the generic gateway.

use super::send::{report, seconds};
use crate::ids;
use crate::inbound::{self, Attached, Built, Event, Inbound};
use crate::json::{Node, node};
use crate::provider::Provider::Gateway;
use crate::store::accounts;
use crate::store::people::Known;
use crate::target::{self, Sign, Target};
use crate::twilio::inbound::e164;
use common::time::Timestamp;
use common::{Problem, Result, db, settings};

pub const KINDS: &[&str] = &["text", "media", "status", "raw"];

/// Where the callback goes.
pub async fn receiver(body: &Inbound) -> Result<Target> {
    let url = match (&body.url, &body.inbox_id, &body.secret) {
        (Some(url), _, _) => url.clone(),
        (None, Some(inbox), Some(secret)) => {
            let public = settings::required("public_url").await?;
            let report = if body.event.status.is_some() { "/report" } else { "" };
            format!("{}/channels/sms/{inbox}/{secret}{report}", public.trim_end_matches('/'))
        }
        _ => return Err(Problem::invalid("url", "give the url, or inboxId and secret")),
    };
    let settings = db::read(|db| accounts::settings(db, Gateway, &body.account)).await?;
    Ok(Target {
        provider: Gateway,
        account: body.account.clone(),
        url: target::reachable(&url).await,
        sign: Sign::Gateway(settings.signature),
    })
}

/// Builds the body. One callback tells of one thing.
pub fn build(
    body: &Inbound,
    events: &[Event],
    attached: &[Attached],
    now: Timestamp,
) -> Result<(Known, Built)> {
    let ([event], [file]) = (events, attached) else {
        return Err(Problem::invalid("events", "a callback of the gateway tells of one thing"));
    };
    let from = e164(&body.from)
        .ok_or_else(|| Problem::invalid("from", "must be a phone number with country code"))?;
    let at = event.timestamp.unwrap_or(now);
    let known = inbound::known(&from, body);
    let mut built = Built { body: String::new(), received: Vec::new(), ids: Vec::new(), opened_at: Some(at) };
    if let Some(status) = &event.status {
        let code = status.code.map(|code| format!("{code:03}"));
        built.body = report(&status.message_id, status.reference.as_deref(), &from, &status.state, code, at);
        return Ok((known, built));
    }
    if let Some(raw) = &event.raw {
        built.body = raw.plain();
        return Ok((known, built));
    }
    let id = event.id.clone().unwrap_or_else(ids::gateway);
    let media: Vec<Node> =
        file.url.iter().map(|url| node!({"url": url, "mime_type": file.mime.as_ref()})).collect();
    let caption = event.media.as_ref().and_then(|media| media.caption.as_ref());
    let text = event.text.as_ref().or(caption).cloned().unwrap_or_default();
    built.body = node!({
        "provider_id": &id, "from": from, "to": &body.account, "text": text, "received_at": seconds(at), "media": media,
    })
    .plain();
    built.received.push(id.clone());
    built.ids.push(id);
    Ok((known, built))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_the_fixture() {
        let request = r#"{"account": "EXAMPLE", "from": "+12025550147", "timestamp": "2026-09-22T13:21:40Z",
            "status": {"messageId": "gw-000042", "state": "UNDELIV", "reference": "msg_01HZX0000000000000000301", "code": 45}}"#;
        let body: Inbound = serde_json::from_str(request).unwrap();
        let built = build(&body, &[body.event.clone()], &[Attached::default()], Timestamp(1)).unwrap().1;
        let fixture: Node = serde_json::from_str(include_str!(
            "../../../../crates/providers/tests/fixtures/sms-generic/in-dlr.json"
        ))
        .unwrap();
        assert_eq!(built.body, fixture.plain());
    }
}
