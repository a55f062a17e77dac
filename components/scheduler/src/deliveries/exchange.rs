//! One exchange with a receiver: a signed POST and what came back.

use crate::run;
use common::outbound::{self, Deadlines, Download};
use common::time::Timestamp;
use domain::webhooks::address::Guard;
use domain::webhooks::keys::Signer;
use domain::webhooks::queue::{Attempt, Verdict};
use domain::webhooks::schedule::{self, Failure};
use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use serde_json::{Map, Value};
use std::time::Duration;

/// How long the whole exchange may take; never more than half a lease.
const TOTAL: Duration = Duration::from_secs(15);
const CONNECT: Duration = Duration::from_secs(5);
/// How much of an answer is read; the rest is abandoned.
const ANSWER_BYTES: usize = 64 * 1024;
/// How much of it is kept, in bytes.
const KEPT_BYTES: usize = 20_000;
/// Headers of an answer that are kept, and characters of each.
const HEADERS_KEPT: usize = 64;
const HEADER_CHARS: usize = 1024;
const USER_AGENT: &str = "Flownally-Edge-Webhooks/1";

/// What goes out.
pub struct Letter<'a> {
    pub url: &'a str,
    /// `webhook-id`.
    pub event: &'a str,
    pub body: &'a str,
    /// The number of the attempt, from 1.
    pub number: i64,
    pub signer: &'a Signer,
    pub guard: &'a Guard,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    /// As far as it came.
    body: Vec<u8>,
    /// Why it is not whole.
    trouble: Option<Trouble>,
}

/// Why there is no answer.
struct Trouble {
    text: String,
    timed_out: bool,
}

impl Trouble {
    fn new(text: impl Into<String>) -> Self {
        Trouble { text: text.into(), timed_out: false }
    }
}

/// Makes an attempt. It always ends within the deadline.
pub async fn attempt(letter: &Letter<'_>) -> Attempt {
    let at = Timestamp::now();
    let headers = headers(letter, at);
    let answer = post(letter, headers.clone()).await;
    let duration_ms = Timestamp::now().millis().saturating_sub(at.millis());
    let mut attempt = Attempt {
        url: letter.url.to_string(),
        request_headers: json(&headers),
        response_headers: None,
        response_status: None,
        response_body: None,
        error: None,
        at,
        duration_ms,
        verdict: Verdict::Succeeded,
    };
    let failure = match &answer {
        Ok(answer) => {
            attempt.response_status = Some(answer.status);
            attempt.response_headers = Some(json(&answer.headers));
            attempt.response_body = Some(text(&answer.body));
            match &answer.trouble {
                None if (200..300).contains(&answer.status) => return attempt,
                Some(trouble) if (200..300).contains(&answer.status) => {
                    attempt.error = Some(trouble.text.clone())
                }
                _ => attempt.error = Some(words(answer)),
            }
            let timed_out = answer.trouble.as_ref().is_some_and(|trouble| trouble.timed_out);
            Failure {
                patient: answer.status == 429 || timed_out,
                retry_after: retry_after(&answer.headers, at),
            }
        }
        Err(trouble) => {
            attempt.error = Some(trouble.text.clone());
            Failure { patient: trouble.timed_out, retry_after: None }
        }
    };
    attempt.verdict = match &answer {
        Ok(answer) if answer.status == 410 => Verdict::Gone,
        Ok(answer) if wants_no_more(&answer.headers) => Verdict::Declined,
        _ => match schedule::wait(letter.number, failure, random()) {
            Some(wait) => Verdict::Retry(Timestamp::now().after(wait)),
            None => Verdict::Failed,
        },
    };
    attempt
}

fn random() -> u64 {
    let mut bytes = [0_u8; 8];
    common::id::fill_random(&mut bytes);
    u64::from_le_bytes(bytes)
}

fn headers(letter: &Letter<'_>, at: Timestamp) -> HeaderMap {
    let signature = letter.signer.sign(letter.event, at.seconds(), letter.body.as_bytes());
    let all = [
        (header::CONTENT_TYPE, "application/json".to_string()),
        (header::USER_AGENT, USER_AGENT.to_string()),
        // Bodies of answers are for people to read: not packed.
        (header::ACCEPT_ENCODING, "identity".to_string()),
        (HeaderName::from_static("webhook-id"), letter.event.to_string()),
        (HeaderName::from_static("webhook-timestamp"), at.seconds().to_string()),
        (HeaderName::from_static("webhook-signature"), signature),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::try_from(value).ok()?))).collect()
}

async fn post(letter: &Letter<'_>, headers: HeaderMap) -> Result<Answer, Trouble> {
    let url = letter.guard.url(letter.url).map_err(|why| Trouble::new(format!("the URL {why}")))?;
    let total = TOTAL.min(run::half_lease().await);
    let mut request = Request::post(url.as_str())
        .body(letter.body.as_bytes().to_vec())
        .map_err(|error| Trouble::new(format!("the URL cannot be called: {error}")))?;
    *request.headers_mut() = headers;
    let deadlines = Deadlines { connect: total.min(CONNECT), first_byte: total, total };
    let end = Timestamp::now().after(total);
    let mut download =
        outbound::download(request, deadlines).await.map_err(|error| plain(&error.to_string()))?;
    let mut body = Vec::new();
    let trouble = read(&mut download, &mut body, end).await.err();
    Ok(Answer { status: download.status, headers: download.headers, body, trouble })
}

/// Reads a body until it ends, is long enough, or takes too long.
async fn read(download: &mut Download, body: &mut Vec<u8>, end: Timestamp) -> Result<(), Trouble> {
    while body.len() < ANSWER_BYTES {
        let left = end.millis().saturating_sub(Timestamp::now().millis());
        let left = Duration::from_millis(u64::try_from(left).unwrap_or_default());
        match outbound::before(left, download.next()).await {
            Some(Ok(Some(piece))) => body.extend_from_slice(&piece),
            Some(Ok(None)) => break,
            Some(Err(error)) => {
                return Err(Trouble::new(format!(
                    "the answer broke off: {}",
                    plain(&error.to_string()).text
                )));
            }
            None => {
                let text = "the receiver did not finish its answer within 15 seconds".into();
                return Err(Trouble { text, timed_out: true });
            }
        }
    }
    Ok(())
}

/// The runtime's error in words for the people of a receiver.
fn plain(error: &str) -> Trouble {
    const WORDS: &[(&str, &str)] = &[
        ("DestinationIpProhibited", "the host's address is in a network that is not allowed"),
        ("HttpRequestDenied", "this host is not allowed"),
        ("DnsTimeout", "the host name could not be looked up in time"),
        ("DnsError", "the host name was not found"),
        ("DestinationNotFound", "the host name was not found"),
        ("ConnectionRefused", "the connection was refused"),
        ("ConnectionTimeout", "no connection could be made within 5 seconds"),
        ("DestinationUnavailable", "the host cannot be reached"),
        ("DestinationIpUnroutable", "the host cannot be reached"),
        ("TlsCertificateError", "the TLS certificate is not valid for this host"),
        (
            "TlsProtocolError",
            "no TLS connection could be made: is the certificate valid, and is the port one for https?",
        ),
        ("TlsAlertReceived", "the receiver refused the TLS connection"),
        ("ConnectionReadTimeout", "the receiver did not answer within 15 seconds"),
        ("ConnectionWriteTimeout", "the receiver did not take the request in time"),
        ("HttpResponseTimeout", "the receiver did not answer within 15 seconds"),
        ("no answer within", "the receiver did not answer within 15 seconds"),
        ("no more bytes within", "the receiver did not finish its answer within 15 seconds"),
        ("ConnectionTerminated", "the receiver closed the connection without an answer"),
        ("HttpResponseIncomplete", "the receiver closed the connection before its answer was complete"),
        ("HttpProtocolError", "the receiver did not answer in HTTP"),
        ("HttpResponseHeader", "the headers of the answer are too large"),
    ];
    // Connecting counts too: a host that is too busy to accept needs patience.
    let timed_out = ["Timeout", "within"].iter().any(|part| error.contains(part)) && !error.contains("Dns");
    let text = WORDS.iter().find(|(part, _)| error.contains(part)).map(|(_, words)| *words);
    Trouble { text: text.unwrap_or("the receiver could not be reached").to_string(), timed_out }
}

fn words(answer: &Answer) -> String {
    match answer.status {
        300..=399 => format!("the receiver answered {}: redirections are not followed", answer.status),
        410 => "the receiver answered 410: it wants no more, and the endpoint was switched off".into(),
        status if wants_no_more(&answer.headers) => {
            format!("the receiver answered {status} and asked not to repeat this event")
        }
        status => format!("the receiver answered {status}"),
    }
}

/// `webhook-delivery: abort-message`.
fn wants_no_more(headers: &HeaderMap) -> bool {
    headers
        .get("webhook-delivery")
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.trim().eq_ignore_ascii_case("abort-message"))
}

fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    schedule::retry_after(headers.get(header::RETRY_AFTER)?.to_str().ok()?, now)
}

/// Headers as a JSON object; those of one name are joined.
fn json(headers: &HeaderMap) -> String {
    let mut all = Map::new();
    for (name, value) in headers.iter().take(HEADERS_KEPT) {
        let value: String = String::from_utf8_lossy(value.as_bytes()).chars().take(HEADER_CHARS).collect();
        match all.get_mut(name.as_str()) {
            Some(Value::String(before)) => {
                before.push_str(", ");
                before.push_str(&value);
            }
            _ => {
                all.insert(name.to_string(), value.into());
            }
        }
    }
    Value::Object(all).to_string()
}

/// The first bytes as text; what is no UTF-8 is replaced.
fn text(body: &[u8]) -> String {
    let kept = body.get(..KEPT_BYTES).unwrap_or(body);
    String::from_utf8_lossy(kept).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_in_plain_words() {
        for (error, words, timed_out) in [
            ("ErrorCode::ConnectionRefused", "the connection was refused", false),
            ("ConnectionTimeout", "no connection could be made within 5 seconds", true),
            ("no answer within 15000 ms", "the receiver did not answer within 15 seconds", true),
            ("TlsCertificateError", "the TLS certificate is not valid for this host", false),
            ("InternalError(None)", "the receiver could not be reached", false),
        ] {
            let trouble = plain(error);
            assert_eq!((trouble.text.as_str(), trouble.timed_out), (words, timed_out), "{error}");
        }
    }

    #[test]
    fn answers_are_kept_as_text_of_bounded_size() {
        assert_eq!(text(b"ok"), "ok");
        assert_eq!(text(&[0xff, b'a']), "\u{fffd}a");
        assert_eq!(text(&[b'x'; 70_000]).len(), 20_000);
    }
}
