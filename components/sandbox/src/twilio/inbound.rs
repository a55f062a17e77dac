//! What people send by SMS (channels section 6.3).

use super::callback::{self, About};
use super::media;
use super::resource::API;
use crate::ids;
use crate::inbound::{self, Attached, Built, Event, Inbound};
use crate::json::Node;
use crate::provider::Provider::Twilio;
use crate::store::accounts;
use crate::store::people::{self, Known};
use crate::target::{self, Sign, Target};
use crate::twilio::segments;
use crate::whatsapp::person::Person;
use common::db::{self, Db};
use common::time::Timestamp;
use common::{Problem, Result, settings};

pub const KINDS: &[&str] = &["text", "media", "status", "raw"];

/// The account where none is named.
const ACCOUNT_SID: &str = "AC00000000000000000000000000000001";

const STOP: &[&str] = &["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"];
const START: &[&str] = &["START", "YES", "UNSTOP"];
const HELP: &[&str] = &["HELP", "INFO"];

/// What the provider does with a keyword: `STOP`, `START` or `HELP`.
fn opt_out_type(text: &str) -> Option<&'static str> {
    let word = text.trim().to_ascii_uppercase();
    let among = |words: &[&str]| words.contains(&word.as_str());
    match (among(STOP), among(START), among(HELP)) {
        (true, _, _) => Some("STOP"),
        (_, true, _) => Some("START"),
        (_, _, true) => Some("HELP"),
        _ => None,
    }
}

/// A number with its `+`.
pub fn e164(text: &str) -> Option<String> {
    Person::phone(text)?.phone.map(|digits| format!("+{digits}"))
}

/// Where the callback goes.
pub async fn receiver(body: &Inbound) -> Result<Target> {
    let url = match (&body.url, &body.inbox_id) {
        (Some(url), _) => url.clone(),
        (None, Some(inbox)) => {
            let public = settings::required("public_url").await?;
            let status = if body.event.status.is_some() { "/status" } else { "" };
            format!("{}/channels/twilio/{inbox}{status}", public.trim_end_matches('/'))
        }
        (None, None) => {
            return Err(Problem::invalid("inboxId", "name the inbox, or the url of its callbacks"));
        }
    };
    let sid = body.account_sid.as_deref().unwrap_or(ACCOUNT_SID);
    let token = match &body.auth_token {
        Some(token) => token.clone(),
        None => db::read(|db| accounts::auth_token(db, sid)).await?,
    };
    Ok(Target {
        provider: Twilio,
        account: body.account.clone(),
        url: target::reachable(&url).await,
        sign: Sign::Twilio { token, url },
    })
}

/// Builds the form. One callback tells of one message.
pub fn build(body: &Inbound, events: &[Event], attached: &[Attached]) -> Result<(Known, Built)> {
    let ([event], [file]) = (events, attached) else {
        return Err(Problem::invalid("events", "a callback of an SMS tells of one thing"));
    };
    let from = e164(&body.from)
        .ok_or_else(|| Problem::invalid("from", "must be a phone number with country code"))?;
    let sid = body.account_sid.clone().unwrap_or_else(|| ACCOUNT_SID.into());
    let known = inbound::known(&from, body);
    let at = event.timestamp.unwrap_or_else(Timestamp::now);
    let mut built = Built { body: String::new(), received: Vec::new(), ids: Vec::new(), opened_at: Some(at) };
    if let Some(status) = &event.status {
        let about = About {
            account_sid: &sid,
            sid: &status.message_id,
            from: Some(&body.account),
            to: &from,
            service: body.messaging_service_sid.as_deref(),
        };
        built.body = callback::form(&callback::status(&about, &status.state, status.code, at));
        return Ok((known, built));
    }
    let has_media = event.media.is_some();
    let id = event.id.clone().unwrap_or_else(|| ids::sid(if has_media { "MM" } else { "SM" }));
    built.ids.push(id.clone());
    built.received.push(id.clone());
    let caption = event.media.as_ref().and_then(|media| media.caption.clone());
    let text = event.text.clone().or(caption).unwrap_or_default();
    let mut fields: Vec<(&str, String)> = Vec::new();
    let keyword = opt_out_type(&text);
    if keyword.is_none() {
        for name in ["FromCity", "FromZip", "ToCity", "ToZip"] {
            fields.push((name, String::new()));
        }
        for (name, value) in
            [("FromState", "DC"), ("FromCountry", "US"), ("ToState", "DC"), ("ToCountry", "US")]
        {
            fields.push((name, value.to_string()));
        }
    }
    for name in ["MessageSid", "SmsMessageSid", "SmsSid"] {
        fields.push((name, id.clone()));
    }
    fields.extend([
        ("SmsStatus", "received".to_string()),
        ("AccountSid", sid.clone()),
        ("From", from),
        ("To", body.account.clone()),
        ("NumSegments", segments::count(&text).to_string()),
        ("Body", text),
        ("NumMedia", usize::from(has_media).to_string()),
        ("ApiVersion", API.to_string()),
    ]);
    if let Some(service) = &body.messaging_service_sid {
        fields.push(("MessagingServiceSid", service.clone()));
    }
    if let Some(keyword) = keyword {
        fields.push(("OptOutType", keyword.to_string()));
    }
    if has_media {
        let base = file.mime.as_deref().unwrap_or_default().split(';').next().unwrap_or_default().to_string();
        fields.push(("MediaContentType0", base));
        let of_sandbox = || media::url(&file.origin, &sid, &id, file.id.as_deref().unwrap_or_default());
        fields.push(("MediaUrl0", file.url.clone().unwrap_or_else(of_sandbox)));
    }
    let mut fields: Vec<(String, String)> =
        fields.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
    if let Some(Node::Object(members)) = &event.raw {
        for (name, value) in members {
            fields.retain(|(known, _)| known != name);
            fields.push((name.clone(), value.as_str().map_or_else(|| value.plain(), str::to_string)));
        }
    }
    built.body = callback::form(&fields);
    Ok((known, built))
}

/// STOP keeps the person from getting messages, of the number and of its service; START lets them again.
pub fn note_opt_out(db: &Db<'_>, body: &Inbound, events: &[Event]) -> Result<()> {
    let keyword = events.first().and_then(|event| event.text.as_deref()).and_then(opt_out_type);
    let (Some(from), Some(keyword @ ("STOP" | "START"))) = (e164(&body.from), keyword) else { return Ok(()) };
    for account in [Some(&body.account), body.messaging_service_sid.as_ref()].into_iter().flatten() {
        people::set_opted_out(db, Twilio, account, &from, keyword == "STOP")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn built(request: &str) -> BTreeMap<String, String> {
        let body: Inbound = serde_json::from_str(request).unwrap();
        let file = Attached {
            url: body.event.media.as_ref().and_then(|media| media.url.clone()),
            mime: body.event.media.as_ref().and_then(|media| media.mime_type.clone()),
            ..Attached::default()
        };
        let form = build(&body, &[body.event.clone()], &[file]).unwrap().1.body;
        form_urlencoded::parse(form.as_bytes()).into_owned().collect()
    }

    #[test]
    fn messages_are_the_fixtures() {
        let common = r#""account": "+12025550100", "from": "+12025550147", "accountSid": "AC00000000000000000000000000000001",
            "messagingServiceSid": "MG00000000000000000000000000000007""#;
        let mms = built(&format!(
            r#"{{{common}, "id": "MM00000000000000000000000000000051", "media": {{"kind": "image", "caption": "see photo", "mimeType": "image/jpeg",
              "url": "https://api.twilio.com/2010-04-01/Accounts/AC00000000000000000000000000000001/Messages/MM00000000000000000000000000000051/Media/ME00000000000000000000000000000061"}}}}"#
        ));
        let fixture = |text: &str| serde_json::from_str::<BTreeMap<String, String>>(text).unwrap();
        assert_eq!(
            mms,
            fixture(include_str!("../../../../crates/providers/tests/fixtures/twilio/in-mms.form.json"))
        );
        let stop =
            built(&format!(r#"{{{common}, "id": "SM00000000000000000000000000000052", "text": "STOP"}}"#));
        assert_eq!(
            stop,
            fixture(include_str!("../../../../crates/providers/tests/fixtures/twilio/in-stop.form.json"))
        );
        assert_eq!(opt_out_type(" stop "), Some("STOP"));
        assert_eq!(opt_out_type("please stop"), None);
    }
}
