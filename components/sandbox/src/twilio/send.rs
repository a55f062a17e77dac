//! `/2010-04-01/Accounts/{sid}/…` (channels section 6.1).

use super::callback::{self, About};
use super::error::Error;
use super::inbound::e164;
use super::resource::{self, API, New};
use crate::credentials::{self, EXPIRED, OPEN, parameter};
use crate::delivery;
use crate::ids;
use crate::provider::Provider::Twilio;
use crate::recipients::{self, Behaviour, Refusal};
use crate::store::accounts::{self, Settings};
use crate::store::callbacks;
use crate::store::people;
use crate::store::sends::{self, Send};
use crate::target::{self, Sign, Target};
use axum::Json as Answer;
use axum::extract::Path;
use common::input::Raw;
use common::time::Timestamp;
use common::{Problem, db};
use http::{HeaderMap, StatusCode, Uri};
use serde_json::{Value, json};
use std::time::Duration;

const BODY_CHARS: usize = 1600;
const MEDIA: usize = 10;
const PAGE: usize = 50;
const PAGE_MAX: usize = 1000;
/// Callbacks later than this are left to the tick.
const SOON: Duration = Duration::from_secs(60);

pub const DESCRIPTION: &str = "\
Twilio's Messages resource, for development: the adapter's base URL is `/sandbox/twilio`. HTTP Basic: the user is the \
account SID or an API key, the password begins with `sandbox-` (`expired-…` and all others answer 20003). \
An account that calls with its SID shows its auth token with that; one that calls with API keys only has the auth token \
`sandbox-` with its SID behind it (`sandbox-AC…`), or the one that the mode `authToken` of the SID sets, which calls \
with the SID must then bring. The form is checked as the provider does: `To` in E.164, `From` or \
`MessagingServiceSid`, `Body` of at most 1600 characters, up to ten `MediaUrl`.

The answer is 201 with `queued`, or with `accepted` and `\"num_segments\": \"0\"` for a service. Then the \
`StatusCallback` is called, signed with the auth token over its URL as it was given: (`queued` for a service,) `sent`, \
`delivered`, each tried once. What begins with `public_url` is delivered inside. Callbacks repeat some fields under \
older names and hold fields that appear without notice, one of them empty. Somebody who wrote STOP is refused with \
21610 until they write START. A message with `SendAt` waits, and can be cancelled. Messages can be read and listed.

The last four digits of the recipient may ask for something else:

| ends with | what happens |
|---|---|
| 0001 | accepted, never any callback |
| 0002 | sent, never delivered |
| 0026 | sent, then `undelivered` with 30005 |
| 0056 | refused twice with 429 and 20429, then accepted |
| 0429 | refused three times with 429 and 20429, then accepted |
| 0500 | refused twice with 500, then accepted |
| 0190 | refused with 401 and 20003 |
| 0610 | refused with 21610: opted out |
| 0999 | accepted, but answered after 15 seconds; the callbacks come at once |

All others are sent and delivered.";

pub const CREATED: &str = r#"{
  "account_sid": "AC00000000000000000000000000000001", "sid": "SM00000000000000000000000000000042",
  "body": "Your parcel leaves today.", "status": "queued", "num_segments": "1", "to": "+12025550147"
}"#;

/// Checks the caller. The auth token is noted: it signs the account's callbacks.
pub(super) async fn authorize(headers: &HeaderMap, sid: &str) -> Result<(), Error> {
    let (user, password) = credentials::basic(headers).ok_or_else(Error::unauthorized)?;
    let is_open = password.starts_with(OPEN) && !password.starts_with(EXPIRED);
    if user != sid {
        // An API key has a secret of its own, and tells nothing of the auth token.
        return if is_open && user.starts_with("SK") { Ok(()) } else { Err(Error::unauthorized()) };
    }
    let (set, known) =
        db::read(|db| Ok((accounts::settings(db, Twilio, sid)?.auth_token, accounts::auth_token(db, sid)?)))
            .await?;
    if !set.as_ref().map_or(is_open, |set| credentials::same(set, &password)) {
        return Err(Error::unauthorized());
    }
    if known != password {
        db::write(|db| accounts::set_auth_token(db, sid, &password)).await?;
    }
    Ok(())
}

/// A form's fields.
struct Form(Vec<(String, String)>);

impl Form {
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }

    /// As an object; repeated fields are lists.
    fn json(&self) -> Value {
        let mut members = serde_json::Map::new();
        for (name, _) in &self.0 {
            let values = self.all(name);
            let value = match values.as_slice() {
                [one] => json!(one),
                all => json!(all),
            };
            members.insert(name.clone(), value);
        }
        Value::Object(members)
    }
}

/// What a send request asks for, checked.
struct Checked {
    to: String,
    from: Option<String>,
    service: Option<String>,
    scheduled: Option<Timestamp>,
    callback: Option<String>,
}

fn check(form: &Form) -> Result<Checked, Error> {
    let to = form.get("To").ok_or_else(|| Error::refused(21_604, "A 'To' phone number is required."))?;
    let number = e164(to).filter(|number| number == to);
    let to = number.ok_or_else(|| Error::refused(21_211, format!("Invalid 'To' Phone Number: {to}")))?;
    let (from, service) = (form.get("From"), form.get("MessagingServiceSid"));
    if from.is_none() && service.is_none() {
        return Err(Error::refused(21_603, "A 'From' phone number is required."));
    }
    if let Some(from) = from
        && !is_sender(from)
    {
        return Err(Error::refused(21_212, format!("Invalid 'From' Phone Number: {from}")));
    }
    if let Some(service) = service
        && !(service.len() == 34 && service.starts_with("MG"))
    {
        return Err(Error::refused(21_701, "The Messaging Service does not exist"));
    }
    let media = form.all("MediaUrl");
    let body = form.get("Body");
    if body.is_none() && media.is_empty() && form.get("ContentSid").is_none() {
        return Err(Error::refused(21_602, "Message body is required."));
    }
    if body.is_some_and(|body| body.chars().count() > BODY_CHARS) {
        return Err(Error::refused(21_617, "The concatenated message body exceeds the 1600 character limit"));
    }
    if media.len() > MEDIA {
        return Err(Error::refused(21_623, "Number of media files exceeds allowed limit"));
    }
    let is_url = |url: &str| url.starts_with("http://") || url.starts_with("https://");
    if !media.iter().all(|url| is_url(url)) {
        return Err(Error::refused(21_620, "Invalid media URL(s)"));
    }
    let callback = form.get("StatusCallback");
    if callback.is_some_and(|url| !is_url(url)) {
        return Err(Error::refused(21_609, "Invalid 'StatusCallback' URL"));
    }
    let scheduled = match form.get("SendAt") {
        None => None,
        Some(_) if service.is_none() || form.get("ScheduleType") != Some("fixed") => {
            return Err(Error::refused(35_118, "SendAt needs a MessagingServiceSid and ScheduleType=fixed"));
        }
        Some(at) => {
            Some(Timestamp::parse(at).ok_or_else(|| Error::refused(35_114, "SendAt is no ISO 8601 time"))?)
        }
    };
    let owned = |text: Option<&str>| text.map(str::to_string);
    Ok(Checked { to, from: owned(from), service: owned(service), scheduled, callback: owned(callback) })
}

/// E.164, a short code, or up to eleven letters and digits with a letter among them.
fn is_sender(from: &str) -> bool {
    let short = (3..=8).contains(&from.len()) && from.bytes().all(|byte| byte.is_ascii_digit());
    let name = (1..=11).contains(&from.len())
        && from.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b' ')
        && from.bytes().any(|byte| byte.is_ascii_alphabetic());
    short || name || e164(from).is_some_and(|number| number == from)
}

/// Sends a message.
pub async fn send(
    Path(account_sid): Path<String>,
    headers: HeaderMap,
    body: Result<Raw, Problem>,
) -> Result<(StatusCode, Answer<Value>), Error> {
    authorize(&headers, &account_sid).await?;
    let Raw(body) = body?;
    let form = Form(form_urlencoded::parse(&body).into_owned().collect());
    let checked = check(&form)?;
    let behaviour = recipients::behaviour(&checked.to);
    match behaviour {
        Behaviour::TokenError => return Err(Error::unauthorized()),
        Behaviour::OptedOut => return Err(opted_out()),
        _ => {}
    }
    let now = Timestamp::now();
    let media = form.all("MediaUrl").len();
    let sid = ids::sid(if media > 0 { "MM" } else { "SM" });
    let new = New {
        account_sid: &account_sid,
        sid: &sid,
        to: &checked.to,
        from: checked.from.as_deref(),
        service: checked.service.as_deref(),
        body: form.get("Body").unwrap_or_default(),
        media,
        scheduled: checked.scheduled.is_some(),
    };
    let resource = resource::new(&new, now);
    let account = checked.service.clone().or(checked.from.clone()).unwrap_or_default();
    let send = Send {
        id: sid.clone(),
        account: account.clone(),
        recipient: checked.to.clone(),
        kind: if media > 0 { "media".into() } else { "text".into() },
        body: form.json().to_string(),
        reference: checked.callback.clone(),
        received_at: now,
        resource: Some(resource.to_string()),
    };
    let target = receiver(&account_sid, &account, checked.callback.as_deref()).await?;
    let mut moments =
        db::write(|db| accept(db, &checked, behaviour, &send, &account_sid, target.as_ref())).await??;
    moments.retain(|moment| *moment <= now.after(SOON));
    delivery::follow(moments, now, behaviour).await?;
    Ok((StatusCode::CREATED, Answer(resource)))
}

fn opted_out() -> Error {
    Error::refused(21_610, "Attempt to send to unsubscribed recipient")
}

/// Where the status goes.
async fn receiver(account_sid: &str, account: &str, callback: Option<&str>) -> Result<Option<Target>, Error> {
    let Some(url) = callback else { return Ok(None) };
    let token = db::read(|db| accounts::auth_token(db, account_sid)).await?;
    Ok(Some(Target {
        provider: Twilio,
        account: account.to_string(),
        url: target::reachable(url).await,
        sign: Sign::Twilio { token, url: url.to_string() },
    }))
}

fn accept(
    db: &db::Db<'_>,
    checked: &Checked,
    behaviour: Behaviour,
    send: &Send,
    account_sid: &str,
    target: Option<&Target>,
) -> common::Result<Result<Vec<Timestamp>, Error>> {
    let known = people::find(db, Twilio, &send.account, &send.recipient)?.unwrap_or_default();
    if known.opted_out {
        return Ok(Err(opted_out()));
    }
    if let Behaviour::RefusedFirst { times, refusal } = behaviour
        && people::refuses(db, Twilio, &send.account, &send.recipient, known.refusals, times)?
    {
        return Ok(Err(match refusal {
            Refusal::Server => Error::server(),
            Refusal::PairLimit | Refusal::Throttled => Error::throttled(),
        }));
    }
    sends::add(db, Twilio, send)?;
    let Some(target) = target else { return Ok(Ok(Vec::new())) };
    let settings = accounts::settings(db, Twilio, &send.account)?;
    let about = About {
        account_sid,
        sid: &send.id,
        from: checked.from.as_deref(),
        to: &send.recipient,
        service: checked.service.as_deref(),
    };
    let from = checked.scheduled.unwrap_or(send.received_at);
    let mut callbacks = Vec::new();
    for (state, after, error) in states(behaviour, checked.service.is_some(), &settings) {
        let at = from.after(after);
        let mut callback = target.planned(callback::form(&callback::status(&about, state, error, at)), at);
        callback.message = Some(send.id.clone());
        callback.state = Some(error.map_or_else(|| state.to_string(), |code| format!("{state}:{code}")));
        callbacks.push(callback);
    }
    delivery::schedule(db, callbacks, &settings).map(Ok)
}

/// The states that are called back, each with its time and error.
fn states(
    behaviour: Behaviour,
    service: bool,
    settings: &Settings,
) -> Vec<(&'static str, Duration, Option<u32>)> {
    let millis = |given: Option<u32>, usual: u32| Duration::from_millis(given.unwrap_or(usual).into());
    let (sent, end) = (millis(settings.sent_after_ms, 50), millis(settings.delivered_after_ms, 150));
    let mut states = match behaviour {
        Behaviour::Silent => return Vec::new(),
        Behaviour::SentOnly => vec![("sent", sent, None)],
        Behaviour::Undeliverable => vec![("sent", sent, None), ("undelivered", end, Some(30_005))],
        _ => vec![("sent", sent, None), ("delivered", end, None)],
    };
    if service {
        states.insert(0, ("queued", sent.checked_div(2).unwrap_or_default(), None));
    }
    states.retain(|(state, _, _)| !settings.drop_states.iter().any(|dropped| dropped == state));
    if settings.shuffle {
        let names: Vec<_> = states.iter().rev().map(|(state, _, error)| (*state, *error)).collect();
        for (one, (state, error)) in states.iter_mut().zip(names) {
            (one.0, one.2) = (state, error);
        }
    }
    if settings.callback_before_response {
        states.iter_mut().for_each(|one| one.1 = Duration::ZERO);
    }
    states
}

/// The message that a path such as `SM….json` names.
async fn found(account_sid: &str, name: &str) -> Result<(Send, Value), Error> {
    let path = format!("/{API}/Accounts/{account_sid}/Messages/{name}");
    let id = name.strip_suffix(".json").unwrap_or(name);
    let send = db::read(|db| sends::find(db, Twilio, id)).await?;
    let send = send.ok_or_else(|| Error::not_found(&path))?;
    let resource: Option<Value> = send.resource.as_ref().and_then(|text| serde_json::from_str(text).ok());
    match resource {
        Some(resource) if resource.get("account_sid").and_then(Value::as_str) == Some(account_sid) => {
            Ok((send, resource))
        }
        _ => Err(Error::not_found(&path)),
    }
}

/// One message as it is now.
pub async fn one(
    Path((account_sid, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Answer<Value>, Error> {
    authorize(&headers, &account_sid).await?;
    Ok(Answer(found(&account_sid, &name).await?.1))
}

/// Cancels a scheduled message.
pub async fn change(
    Path((account_sid, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Result<Raw, Problem>,
) -> Result<Answer<Value>, Error> {
    authorize(&headers, &account_sid).await?;
    let Raw(body) = body?;
    let form = Form(form_urlencoded::parse(&body).into_owned().collect());
    let (send, mut resource) = found(&account_sid, &name).await?;
    if form.get("Status") != Some("canceled") {
        return Err(Error::refused(20_001, "Only Status=canceled is known"));
    }
    if resource.get("status").and_then(Value::as_str) != Some("scheduled") {
        return Err(Error::refused(30_409, "The message is not scheduled"));
    }
    resource::apply(&mut resource, "canceled", Timestamp::now());
    db::write(|db| {
        db.run("DELETE FROM sandbox_callbacks WHERE message = ?", common::params![send.id])?;
        sends::set_resource(db, &send.id, &resource.to_string())
    })
    .await?;
    if let Some(target) = receiver(&account_sid, &send.account, send.reference.as_deref()).await? {
        let text = |name: &str| resource.get(name).and_then(Value::as_str);
        let about = About {
            account_sid: &account_sid,
            sid: &send.id,
            from: text("from"),
            to: &send.recipient,
            service: text("messaging_service_sid"),
        };
        let now = Timestamp::now();
        let planned = target.planned(callback::form(&callback::status(&about, "canceled", None, now)), now);
        db::write(|db| callbacks::schedule(db, &[planned], None)).await?;
        delivery::drive(vec![now]);
    }
    Ok(Answer(resource))
}

/// An account's messages, newest first.
pub async fn list(
    Path(account_sid): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Answer<Value>, Error> {
    authorize(&headers, &account_sid).await?;
    let query = uri.query().unwrap_or_default();
    let number =
        |name: &str, usual: usize| parameter(query, name).and_then(|text| text.parse().ok()).unwrap_or(usual);
    let (size, page) = (number("PageSize", PAGE).clamp(1, PAGE_MAX), number("Page", 0));
    let (to, from) = (parameter(query, "To"), parameter(query, "From"));
    let skip = page.saturating_mul(size);
    let rows: Vec<(String,)> = db::read(|db| {
        Ok(db.rows(
            "SELECT resource FROM sandbox_sends
              WHERE provider = 'twilio' AND resource ->> 'account_sid' = ?1
                AND (?2 IS NULL OR recipient = ?2) AND (?3 IS NULL OR resource ->> 'from' = ?3)
              ORDER BY seq DESC LIMIT ?4 OFFSET ?5",
            common::params![
                account_sid,
                to,
                from,
                i64::try_from(size.saturating_add(1)).unwrap_or(i64::MAX),
                i64::try_from(skip).unwrap_or(i64::MAX)
            ],
        )?)
    })
    .await?;
    let mut messages: Vec<Value> =
        rows.into_iter().filter_map(|(text,)| serde_json::from_str(&text).ok()).collect();
    let more = messages.len() > size;
    messages.truncate(size);
    let path = |page: usize| {
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if name != "Page" && name != "PageSize" {
                pairs.append_pair(&name, &value);
            }
        }
        pairs.append_pair("PageSize", &size.to_string()).append_pair("Page", &page.to_string());
        format!("/{API}/Accounts/{account_sid}/Messages.json?{}", pairs.finish())
    };
    let next = more.then(|| path(page.saturating_add(1)));
    Ok(Answer(json!({
        "messages": messages, "page": page, "page_size": size, "start": skip, "end": skip.saturating_add(size),
        "first_page_uri": path(0), "next_page_uri": next, "previous_page_uri": page.checked_sub(1).map(path),
        "uri": path(page),
    })))
}

/// The account itself: a good connection test.
pub async fn account(Path(name): Path<String>, headers: HeaderMap) -> Result<Answer<Value>, Error> {
    let sid = name.strip_suffix(".json").unwrap_or(&name);
    authorize(&headers, sid).await?;
    Ok(Answer(json!({
        "sid": sid, "friendly_name": "Sandbox", "status": "active", "type": "Full",
        "uri": format!("/{API}/Accounts/{sid}.json"),
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(fields: &[(&str, &str)]) -> u32 {
        let form = Form(fields.iter().map(|(a, b)| ((*a).to_string(), (*b).to_string())).collect());
        check(&form).map_or_else(|error| error.code, |_| 0)
    }

    #[test]
    fn forms_are_checked() {
        let (to, from, body) = (("To", "+12025550147"), ("From", "+12025550100"), ("Body", "hi"));
        assert_eq!(code(&[to, from, body]), 0);
        assert_eq!(code(&[to, ("From", "SHOP"), body]), 0);
        assert_eq!(code(&[to, ("MessagingServiceSid", "MG00000000000000000000000000000007"), body]), 0);
        assert_eq!(code(&[from, body]), 21_604);
        assert_eq!(code(&[("To", "12025550147"), from, body]), 21_211);
        assert_eq!(code(&[to, body]), 21_603);
        assert_eq!(code(&[to, ("From", "a name too long"), body]), 21_212);
        assert_eq!(code(&[to, from]), 21_602);
        assert_eq!(code(&[to, from, ("Body", &"é".repeat(1600))]), 0);
        assert_eq!(code(&[to, from, ("Body", &"é".repeat(1601))]), 21_617);
        assert_eq!(code(&[to, from, ("MediaUrl", "x")]), 21_620);
        let many: Vec<(&str, &str)> =
            [to, from].into_iter().chain(vec![("MediaUrl", "https://a.example"); 11]).collect();
        assert_eq!(code(&many), 21_623);
        assert_eq!(code(&[to, from, body, ("SendAt", "2026-09-22T13:20:01Z")]), 35_118);
    }

    #[test]
    fn a_service_queues_first_and_the_unreachable_are_undelivered() {
        let names = |behaviour, service| -> Vec<&str> {
            states(behaviour, service, &Settings::default()).into_iter().map(|(state, _, _)| state).collect()
        };
        assert_eq!(names(Behaviour::Ordinary, true), ["queued", "sent", "delivered"]);
        assert_eq!(names(Behaviour::Ordinary, false), ["sent", "delivered"]);
        assert_eq!(names(Behaviour::Undeliverable, false), ["sent", "undelivered"]);
        assert_eq!(names(Behaviour::Silent, true), [""; 0]);
    }
}
