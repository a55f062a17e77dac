//! Twilio: every fixture, out and in, the signature vectors.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use http::HeaderMap;
use providers::twilio::{self, From, Sender, read_callback, verify_signature};
use providers::{
    AlertReason, BuildError, Event, Inbound, InboundContent, Media, MediaKind, MediaSource, Outgoing,
    RetryClass, SendResult, State,
};
use serde_json::json;
use support::{envelope, form, form_body, stored};

const ACCOUNT: &str = "AC00000000000000000000000000000001";
const TOKEN: &str = "fixture-auth-token";

fn sender() -> Sender {
    Sender {
        base_url: "https://api.twilio.com/".into(),
        account_sid: ACCOUNT.into(),
        user: ACCOUNT.into(),
        secret: TOKEN.into(),
        from: From::parse("MG00000000000000000000000000000007"),
        status_callback: Some("https://hooks.example.test/sms/status?acct=7".into()),
    }
}

fn text(body: &str) -> Outgoing {
    Outgoing::Text { body: body.into(), preview_url: true }
}

fn mms(caption: Option<&str>, source: MediaSource) -> Outgoing {
    let caption = caption.map(str::to_string);
    Outgoing::Media(Media {
        kind: MediaKind::Image,
        source,
        caption,
        filename: None,
        sticker: false,
        voice: false,
    })
}

#[test]
fn a_send_is_the_fixture() {
    let content = text("Your parcel leaves today.");
    let request = twilio::send_request(&sender(), &envelope("12025550147", &content)).unwrap();
    assert_eq!(request.method(), "POST");
    assert_eq!(
        request.uri().to_string(),
        format!("https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Messages.json")
    );
    assert_eq!(request.headers()["content-type"], "application/x-www-form-urlencoded");
    // base64 of AC…:fixture-auth-token
    assert_eq!(
        request.headers()["authorization"],
        "Basic QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMTpmaXh0dXJlLWF1dGgtdG9rZW4="
    );
    assert_eq!(
        support::body(Ok(request)),
        "To=%2B12025550147&MessagingServiceSid=MG00000000000000000000000000000007&Body=Your+parcel+leaves+today.\
         &StatusCallback=https%3A%2F%2Fhooks.example.test%2Fsms%2Fstatus%3Facct%3D7"
    );
    let request = twilio::send_request(&sender(), &envelope("12025550147", &content)).unwrap();
    let mut sent: Vec<_> = form_urlencoded::parse(request.body()).into_owned().collect();
    let mut expected = form("twilio/out-sms.form");
    sent.sort();
    expected.sort();
    assert_eq!(sent, expected);
}

#[test]
fn numbers_send_and_files_go_by_link() {
    let number = Sender { from: From::parse("+12025550100"), status_callback: None, ..sender() };
    let link = || MediaSource::Link("https://a.test/p.jpg".into());
    let body = |content: &Outgoing| support::body(twilio::send_request(&number, &envelope("+1", content)));
    assert_eq!(
        body(&mms(Some("look"), link())),
        "To=%2B1&From=%2B12025550100&Body=look&MediaUrl=https%3A%2F%2Fa.test%2Fp.jpg"
    );
    assert_eq!(body(&mms(None, link())), "To=%2B1&From=%2B12025550100&MediaUrl=https%3A%2F%2Fa.test%2Fp.jpg");
    assert_eq!(From::parse("EXAMPLE"), From::Number("EXAMPLE".into()));
    assert_eq!(From::parse("MGmail"), From::Number("MGmail".into()));
}

/// Whether it can be sent.
fn check(content: &Outgoing) -> Result<(), BuildError> {
    twilio::send_request(&sender(), &envelope("1", content)).map(drop)
}

#[test]
fn what_sms_cannot_carry_is_not_built() {
    assert_eq!(check(&text(&"é".repeat(1600))), Ok(()));
    for content in [
        text(&"é".repeat(1601)),
        mms(None, MediaSource::Id("1".into())),
        mms(Some(&"é".repeat(1601)), MediaSource::Link("https://a".into())),
        Outgoing::Template { name: "a".into(), language: "en".into(), components: vec![] },
        Outgoing::Reaction { message_id: "a".into(), emoji: None },
        Outgoing::Location { latitude: 1.0, longitude: 1.0, name: None, address: None },
        Outgoing::Contacts(vec![json!({})]),
    ] {
        assert!(matches!(check(&content), Err(BuildError::Unsupported(_))), "{content:?}");
    }
}

#[test]
fn settings_cannot_leave_their_place() {
    let content = text("a");
    let build = |sender: Sender| twilio::send_request(&sender, &envelope("1", &content)).unwrap_err();
    assert_eq!(
        build(Sender { account_sid: "AC/../x".into(), ..sender() }),
        BuildError::Setting("account SID")
    );
    assert_eq!(build(Sender { account_sid: String::new(), ..sender() }), BuildError::Setting("account SID"));
    assert_eq!(build(Sender { base_url: "http://a b".into(), ..sender() }), BuildError::Setting("base URL"));
    assert!(!format!("{:?}", sender()).contains(TOKEN));
}

fn answer(status: u16, body: &[u8]) -> SendResult {
    twilio::read_answer(status, &HeaderMap::new(), body)
}

#[test]
fn reads_answers() {
    let accepted = SendResult::Accepted {
        provider_id: "SM00000000000000000000000000000042".into(),
        recipient_id: Some("12025550147".into()),
        state: None,
    };
    assert_eq!(answer(201, &stored("twilio/res-created")), accepted);
    let SendResult::Refused(failure) = answer(400, &stored("twilio/res-error-optout")) else { panic!() };
    assert_eq!((failure.code.as_str(), failure.class), ("21610", RetryClass::Never));
    assert!(failure.is_opt_out() && failure.provider_text.contains("opted out"));
    for body in ["", "<html>", "{}", r#"{"sid":""}"#] {
        assert!(matches!(answer(201, body.as_bytes()), SendResult::Unclear { .. }), "{body}");
    }
    let class = |status, body: &str| match answer(status, body.as_bytes()) {
        SendResult::Refused(failure) => failure.class,
        other => panic!("{other:?}"),
    };
    assert_eq!(class(401, r#"{"code":20003,"status":401}"#), RetryClass::Alert(AlertReason::TokenExpired));
    assert_eq!(class(429, r#"{"code":20429,"status":429}"#), RetryClass::Throttled);
    assert_eq!(class(503, "<html>"), RetryClass::Retry);
    assert_eq!(class(400, "{}"), RetryClass::Never);
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", "3".parse().unwrap());
    let SendResult::Refused(failure) = twilio::read_answer(429, &headers, b"{}") else { panic!() };
    assert_eq!(failure.retry_after.unwrap().as_secs(), 3);
}

fn statuses(name: &str) -> Vec<Event> {
    read_callback("message=msg_1", &form_body(&format!("twilio/{name}.form"))).unwrap()
}

#[test]
fn statuses_arrive_with_our_id() {
    let events = statuses("status-delivered");
    let [Event::Status { account, id, reference, state, at_ms: None, failure: None }] = events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!((account.as_str(), id.as_str()), ("+12025550100", "SM00000000000000000000000000000042"));
    assert_eq!((reference.as_deref(), state), (Some("msg_1"), &State::Delivered));
    let events = statuses("status-undelivered");
    let [Event::Status { state: State::Failed, failure: Some(failure), .. }] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!((failure.code.as_str(), failure.class), ("30003", RetryClass::Retry));
    for (status, expected) in [
        ("queued", State::Other("queued".into())),
        ("sent", State::Sent),
        ("partially_delivered", State::Delivered),
        ("read", State::Read),
        ("failed", State::Failed),
        ("canceled", State::Failed),
        ("sublimated", State::Other("sublimated".into())),
    ] {
        let events = read_callback("", format!("MessageSid=SM1&MessageStatus={status}").as_bytes()).unwrap();
        let [Event::Status { state, reference: None, .. }] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(*state, expected);
    }
    let old = read_callback("", b"SmsSid=SM1&SmsStatus=sent").unwrap();
    assert!(matches!(&old[..], [Event::Status { state: State::Sent, .. }]), "older names");
    let opted_out =
        read_callback("", b"MessageSid=SM1&MessageStatus=failed&ErrorCode=21610&To=%2B11").unwrap();
    assert!(
        matches!(&opted_out[..], [Event::Consent { opted_in: false, .. }, Event::Status { .. }]),
        "{opted_out:?}"
    );
}

#[test]
fn messages_arrive_with_their_files() {
    let events = read_callback("", &form_body("twilio/in-mms.form")).unwrap();
    let [Event::Message(Inbound { account, person, id, content, .. })] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!((account.as_str(), person.address.as_deref()), ("+12025550100", Some("12025550147")));
    assert_eq!(id, "MM00000000000000000000000000000051");
    let InboundContent::Media { files, caption } = content else { panic!() };
    assert_eq!((files.len(), files[0].kind, caption.as_deref()), (1, MediaKind::Image, Some("see photo")));
    assert!(files[0].url.as_deref().unwrap().ends_with("/Media/ME00000000000000000000000000000061"));
    // A hook that is set to GET has everything in its URL.
    let query = String::from_utf8(form_body("twilio/in-mms.form")).unwrap();
    assert_eq!(read_callback(&query, b"").unwrap(), events);
    let several = read_callback("", b"MessageSid=MM1&From=%2B1&To=%2B2&Body=&NumMedia=2&MediaUrl0=https://a/0&MediaContentType0=video/mp4&MediaUrl1=https://a/1&MediaContentType1=application/pdf").unwrap();
    let [Event::Message(Inbound { content: InboundContent::Media { files, caption: None }, .. })] =
        several.as_slice()
    else {
        panic!("{several:?}")
    };
    assert_eq!((files[0].kind, files[1].kind), (MediaKind::Video, MediaKind::Document));
}

#[test]
fn people_stop_messages_and_start_them_again() {
    let events = read_callback("", &form_body("twilio/in-stop.form")).unwrap();
    let [Event::Message(_), Event::Consent { person, opted_in: false, .. }] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(person.address.as_deref(), Some("12025550147"));
    let wish = |fields: &str| {
        let events =
            read_callback("", format!("MessageSid=SM1&From=%2B1&To=%2B2&{fields}").as_bytes()).unwrap();
        events.into_iter().find_map(|event| match event {
            Event::Consent { opted_in, .. } => Some(opted_in),
            _ => None,
        })
    };
    assert_eq!(wish("Body=%20stop%20"), Some(false));
    assert_eq!(wish("Body=Unsubscribe"), Some(false));
    assert_eq!(wish("Body=yes"), Some(true));
    assert_eq!(wish("Body=HELP"), None);
    assert_eq!(wish("Body=please+stop"), None);
    assert_eq!(wish("Body=x&OptOutType=START"), Some(true));
    assert_eq!(wish("Body=STOP&OptOutType=HELP"), None, "Twilio's word counts");
}

#[test]
fn what_is_not_understood_is_kept() {
    assert!(read_callback("", b"").is_err());
    assert!(read_callback("message=msg_1", b"From=%2B1").is_err());
    let nobody = read_callback("", b"MessageSid=SM1&SmsStatus=received").unwrap();
    assert!(matches!(&nobody[..], [Event::Other { .. }]));
    let empty = read_callback("", b"MessageSid=SM1&From=%2B1&Body=&NumMedia=0").unwrap();
    assert!(matches!(&empty[..], [Event::Message(Inbound { content: InboundContent::Other { .. }, .. })]));
}

const URL: &str = "https://hooks.example.test/sms/in?acct=7";

fn vector() -> Vec<u8> {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("MessageSid", "SM00000000000000000000000000000042"),
            ("From", "+12025550147"),
            ("To", "+12025550100"),
            ("Body", "Hi & bye é"),
            ("NumMedia", "0"),
            ("FromZip", ""),
        ])
        .finish()
        .into_bytes()
}

#[test]
fn the_vectors_of_the_contract_verify() {
    let body = vector();
    let (plain, ported) = ("7ZbPP1fMgpPU/3kDnxRhQiTBrlM=", "WBeMWFYHYIvHOxZ0a7RXQk3mrpY=");
    for signature in [plain, ported] {
        for url in [URL, "https://hooks.example.test:443/sms/in?acct=7"] {
            assert!(verify_signature(&[TOKEN], Some(signature), url, &body), "{signature} {url}");
            assert!(verify_signature(&["next", TOKEN], Some(signature), url, &body), "during a rotation");
            assert!(!verify_signature(&["next"], Some(signature), url, &body));
        }
    }
    let json = br#"{"ok":true}"#;
    let url = "https://hooks.example.test/sms/json?bodySHA256=4062edaf750fb8074e7e83e0c9028c94e32468a8b6f1614774328ef045150f93";
    let signature = Some("NsTVNe25wOEGtvtOMy2kxEGFMPg=");
    assert!(verify_signature(&[TOKEN], signature, url, json));
    assert!(!verify_signature(&[TOKEN], signature, url, br#"{"ok":false}"#), "the hash must fit too");
    assert!(!verify_signature(&[TOKEN], signature, &url.replace("4062", "4063"), json));
}

#[test]
fn wrong_or_missing_signatures_are_rejected() {
    let body = vector();
    let good = "7ZbPP1fMgpPU/3kDnxRhQiTBrlM=";
    for (header, url, tokens) in [
        (None, URL, [TOKEN]),
        (Some(""), URL, [TOKEN]),
        (Some("7ZbPP1fMgpPU/3kDnxRhQiTBrlM"), URL, [TOKEN]),
        (Some("AAAAAAAAAAAAAAAAAAAAAAAAAAA="), URL, [TOKEN]),
        (Some(good), "https://hooks.example.test/sms/in?acct=8", [TOKEN]),
        (Some(good), "http://hooks.example.test/sms/in?acct=7", [TOKEN]),
        (Some(good), "https://hooks.example.test:8443/sms/in?acct=7&x", [TOKEN]),
        (Some(good), URL, [""]),
    ] {
        assert!(!verify_signature(&tokens, header, url, &body), "{header:?} {url}");
    }
    for more in ["&New=1", "&FromZip=1"] {
        assert!(!verify_signature(&[TOKEN], Some(good), URL, &[&body, more.as_bytes()].concat()), "{more}");
    }
    let mut turned: Vec<&[u8]> = body.split(|b| *b == b'&').collect();
    turned.reverse();
    assert!(verify_signature(&[TOKEN], Some(good), URL, &turned.join(&b'&')), "the order does not matter");
    let twice = [&body[..], b"&FromZip="].concat();
    assert!(verify_signature(&[TOKEN], Some(good), URL, &twice), "a value counts once");
}

#[test]
fn a_get_has_its_parameters_in_the_url() {
    // An implementation of HMAC-SHA1 that shares no code with ours.
    let url = "https://hooks.example.test/sms/in?From=%2B1&MessageSid=SM1";
    let mac = hmac_sha1_compact::HMAC::mac(url.as_bytes(), TOKEN.as_bytes());
    let header = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, mac);
    assert!(verify_signature(&[TOKEN], Some(&header), url, b""));
    assert!(!verify_signature(&[TOKEN], Some(&header), url, b"MessageSid=SM1"));
}

#[test]
fn credentials_go_only_to_allowed_hosts() {
    let allowed = ["api.twilio.com"];
    let url = "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1";
    let request = twilio::media_download(&sender(), url, &allowed).unwrap();
    assert!(request.headers()["authorization"].to_str().unwrap().starts_with("Basic "));
    for other in ["https://evil.test/x", "http://api.twilio.com/x", "https://api.twilio.com.evil.test/x", "x"]
    {
        assert!(twilio::media_download(&sender(), other, &allowed).is_err(), "{other}");
    }
}
