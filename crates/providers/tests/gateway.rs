//! The generic SMS gateway: the canonical fixtures, and what settings change.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use http::{HeaderMap, HeaderName, HeaderValue};
use providers::gateway::{self, Sender, Settings, read_inbound, read_report, verify_signature};
use providers::{
    AlertReason, BuildError, Envelope, Event, Inbound, InboundContent, MediaKind, Outgoing, RetryClass,
    SendResult, State,
};
use serde_json::{Value, json};
use support::{compact, envelope, stored};

const REFERENCE: &str = "msg_01HZX0000000000000000301";

fn settings(more: Value) -> Settings {
    let mut all = json!({"url": "https://gw.example.test/send"});
    for (name, value) in more.as_object().unwrap() {
        all[name] = value.clone();
    }
    serde_json::from_value(all).unwrap()
}

fn sender(more: Value) -> Sender {
    let callback_url = Some("https://hooks.example.test/sms/dlr/k9".to_string());
    Sender { settings: settings(more), from: "EXAMPLE".into(), callback_url }
}

fn text(body: &str) -> Outgoing {
    Outgoing::Text { body: body.into(), preview_url: false }
}

fn build(more: Value) -> http::Request<Vec<u8>> {
    let content = text("Your code is 4471");
    let envelope = Envelope { reference: REFERENCE, ..envelope("12025550147", &content) };
    gateway::send_request(&sender(more), &envelope).unwrap()
}

#[test]
fn the_defaults_are_the_canonical_send() {
    let request = build(json!({}));
    assert_eq!(
        (request.method().as_str(), request.uri().to_string().as_str()),
        ("POST", "https://gw.example.test/send")
    );
    assert_eq!(request.headers()["content-type"], "application/json");
    assert_eq!(support::body(Ok(request)), compact("sms-generic/out-send"));
}

#[test]
fn the_defaults_read_the_canonical_report() {
    let events = read_report(&settings(json!({})), "EXAMPLE", "", &stored("sms-generic/in-dlr")).unwrap();
    let [Event::Status { account, id, reference, state: State::Failed, at_ms, failure: Some(failure) }] =
        events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!(
        (account.as_str(), id.as_str(), reference.as_deref()),
        ("EXAMPLE", "gw-000042", Some(REFERENCE))
    );
    assert_eq!(*at_ms, Some(1_790_083_300_000));
    assert_eq!(
        (failure.code.as_str(), failure.provider_text.as_str(), failure.class),
        ("045", "UNDELIV", RetryClass::Never)
    );
}

#[test]
fn forms_and_queries_have_the_gateways_names() {
    let names = json!({"clientRef": "id", "to": "dst", "from": "src", "text": "msg", "encoding": "", "validitySeconds": "ttl", "callbackUrl": ""});
    let request = build(
        json!({"encoding": "form", "fields": names, "numbers": "digits", "constants": {"route": "gold", "flash": 0}}),
    );
    assert_eq!(request.headers()["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(
        support::body(Ok(request)),
        format!(
            "id={REFERENCE}&dst=12025550147&src=EXAMPLE&msg=Your+code+is+4471&ttl=600&flash=0&route=gold"
        )
    );
    let request = build(json!({"method": "GET", "encoding": "query", "fields": names, "validitySeconds": 60,
        "url": "https://gw.example.test/{client_ref}/send?v=1", "auth": {"type": "query", "name": "key", "value": "s&c"}}));
    assert_eq!(
        request.uri().to_string(),
        format!(
            "https://gw.example.test/{REFERENCE}/send?v=1&id={REFERENCE}&dst=%2B12025550147&src=EXAMPLE&msg=Your+code+is+4471&ttl=60&key=s%26c"
        )
    );
    assert!(request.body().is_empty() && !request.headers().contains_key("content-type"));
}

#[test]
fn json_may_be_nested_and_the_url_may_name_the_number() {
    let names = json!({"clientRef": "/messages/0/id", "to": "/messages/0/destinations/0/to", "from": "sender",
        "text": "/messages/0/text", "encoding": "", "validitySeconds": "", "callbackUrl": ""});
    let request = build(json!({"fields": names, "url": "https://gw.example.test/to/{to}/{from}"}));
    assert_eq!(request.uri().path(), "/to/%2B12025550147/EXAMPLE");
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    assert_eq!(
        body,
        json!({"sender": "EXAMPLE", "messages": [{"id": REFERENCE, "text": "Your code is 4471", "destinations": [{"to": "+12025550147"}]}]})
    );
}

#[test]
fn credentials_go_where_the_gateway_wants_them() {
    let header = |auth: Value, name: &str| build(json!({"auth": auth})).headers()[name].clone();
    let basic = header(json!({"type": "basic", "user": "u", "password": "p"}), "authorization");
    assert_eq!((basic.to_str().unwrap(), basic.is_sensitive()), ("Basic dTpw", true));
    assert_eq!(header(json!({"type": "bearer", "token": "t"}), "authorization"), "Bearer t");
    assert_eq!(header(json!({"type": "header", "name": "X-Key", "value": "k"}), "x-key"), "k");
    let all =
        sender(json!({"auth": {"type": "bearer", "token": "sekret"}, "url": "https://gw.test/?key=sekret",
        "callbackAuth": {"type": "header", "name": "x", "value": "sekret"}}));
    assert!(!format!("{all:?}").contains("sekret"));
    let content = text("a");
    let broken = sender(json!({"auth": {"type": "bearer", "token": "a\r\nX: 1"}}));
    assert_eq!(
        gateway::send_request(&broken, &envelope("1", &content)).unwrap_err(),
        BuildError::Setting("secret")
    );
}

/// Whether it can be sent.
fn check(content: &Outgoing) -> Result<(), BuildError> {
    gateway::send_request(&sender(json!({})), &envelope("1", content)).map(drop)
}

#[test]
fn only_texts_are_carried() {
    assert_eq!(check(&text(&"é".repeat(1530))), Ok(()));
    assert!(check(&text(&"é".repeat(1531))).is_err());
    assert!(check(&Outgoing::Contacts(vec![])).is_err());
}

fn answer(more: Value, status: u16, body: &str) -> SendResult {
    gateway::read_answer(&sender(more), status, &HeaderMap::new(), body.as_bytes())
}

fn accepted(id: &str, state: Option<State>) -> SendResult {
    SendResult::Accepted { provider_id: id.into(), recipient_id: None, state }
}

#[test]
fn reads_answers() {
    assert_eq!(answer(json!({}), 200, r#"{"provider_id":"gw-1","state":"ENROUTE"}"#), accepted("gw-1", None));
    assert_eq!(
        answer(json!({}), 202, r#"{"provider_id":7,"state":"ACCEPTD"}"#),
        accepted("7", Some(State::Sent))
    );
    let SendResult::Refused(failure) = answer(json!({}), 200, r#"{"provider_id":"gw-1","state":"REJECTD"}"#)
    else {
        panic!()
    };
    assert_eq!(failure.class, RetryClass::Never);
    for body in ["", "<html>", "{}", r#"{"provider_id":""}"#, "[]"] {
        assert!(matches!(answer(json!({}), 200, body), SendResult::Unclear { .. }), "{body}");
    }
    let class = |status, body: &str| match answer(
        json!({"errors": {"17": "throttled", "9": "alert", "8": "token", "5": "retry"}}),
        status,
        body,
    ) {
        SendResult::Refused(failure) => (failure.class, failure.code),
        other => panic!("{other:?}"),
    };
    assert_eq!(class(400, r#"{"error":"17"}"#), (RetryClass::Throttled, "17".into()));
    assert_eq!(class(400, r#"{"error":9}"#).0, RetryClass::Alert(AlertReason::AccountRestricted));
    assert_eq!(class(400, r#"{"error":8}"#).0, RetryClass::Alert(AlertReason::TokenExpired));
    assert_eq!(class(400, r#"{"error":5}"#).0, RetryClass::Retry);
    assert_eq!(class(400, r#"{"error":99}"#), (RetryClass::Never, "99".into()));
    assert_eq!(class(401, "").0, RetryClass::Alert(AlertReason::TokenExpired));
    assert_eq!(class(429, "{}").0, RetryClass::Throttled);
    assert_eq!(class(502, "<html>"), (RetryClass::Retry, "http_502".into()));
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", "4".parse().unwrap());
    let SendResult::Refused(failure) = gateway::read_answer(&sender(json!({})), 429, &headers, b"{}") else {
        panic!()
    };
    assert_eq!(failure.retry_after.unwrap().as_secs(), 4);
}

#[test]
fn success_may_be_in_the_body() {
    let rules = json!({"answer": {"successPath": "messages.0.status", "successValues": ["0", 0], "id": "messages.0.message-id",
        "errorCode": "messages.0.status", "errorText": "messages.0.error-text"}, "errors": {"1": "throttled"}});
    let read = |body: Value| answer(rules.clone(), 200, &body.to_string());
    assert_eq!(read(json!({"messages": [{"status": "0", "message-id": "A1"}]})), accepted("A1", None));
    assert_eq!(read(json!({"messages": [{"status": 0, "message-id": "A1"}]})), accepted("A1", None));
    let SendResult::Refused(failure) = read(json!({"messages": [{"status": "1", "error-text": "slow"}]}))
    else {
        panic!()
    };
    assert_eq!((failure.class, failure.provider_text.as_str()), (RetryClass::Throttled, "slow"));
    let SendResult::Refused(failure) = read(json!({"messages": [{"status": "6"}]})) else { panic!() };
    assert_eq!((failure.class, failure.code.as_str()), (RetryClass::Never, "6"));
    assert!(matches!(answer(rules.clone(), 200, "garbage"), SendResult::Unclear { .. }));
    let plain = json!({"answer": {"id": "."}});
    assert_eq!(answer(plain, 200, "  8f3a\r\n"), accepted("8f3a", None));
}

#[test]
fn states_have_the_standard_names_and_those_of_the_settings() {
    let state = |more: Value, report: Value| {
        let events = read_report(&settings(more), "a", "", report.to_string().as_bytes()).unwrap();
        let [Event::Status { state, failure, .. }] = events.as_slice() else { panic!("{events:?}") };
        (state.clone(), failure.as_ref().map(|failure| failure.class))
    };
    let named = |name: &str| state(json!({}), json!({"provider_id": "1", "state": name}));
    let kept = |name: &str| (State::Other(name.into()), None);
    let failed = |class| (State::Failed, Some(class));
    for (name, expected) in [
        ("SCHEDULED", kept("SCHEDULED")),
        ("ENROUTE", kept("ENROUTE")),
        ("ACCEPTD", (State::Sent, None)),
        ("DELIVRD", (State::Delivered, None)),
        ("delivrd", (State::Delivered, None)),
        ("EXPIRED", failed(RetryClass::Retry)),
        ("UNDELIV", failed(RetryClass::Never)),
        ("REJECTD", failed(RetryClass::Never)),
        ("DELETED", failed(RetryClass::Never)),
        ("SKIPPED", failed(RetryClass::Never)),
        ("UNKNOWN", kept("UNKNOWN")),
        ("NEWWORD", kept("NEWWORD")),
    ] {
        assert_eq!(named(name), expected, "{name}");
    }
    let own = json!({"states": {"4": "delivered", "Gone": "failed", "UNKNOWN": "expired", "seen": "read", "wait": "pending"},
        "errors": {"45": "throttled"}});
    let mapped = |report: Value| state(own.clone(), report);
    assert_eq!(mapped(json!({"client_ref": "m", "state": 4})).0, State::Delivered);
    assert_eq!(mapped(json!({"client_ref": "m", "state": "seen"})).0, State::Read);
    assert_eq!(mapped(json!({"client_ref": "m", "state": "wait"})).0, State::Other("wait".into()));
    assert_eq!(
        mapped(json!({"client_ref": "m", "state": "GONE", "error": 45})),
        failed(RetryClass::Throttled)
    );
    assert_eq!(mapped(json!({"client_ref": "m", "state": "UNKNOWN"})), failed(RetryClass::Retry));
}

#[test]
fn reports_come_as_json_form_query_and_lists() {
    let read = |more: Value, query: &str, body: &str| {
        let events = read_report(&settings(more), "a", query, body.as_bytes()).unwrap();
        let short = |event: &Event| match event {
            Event::Status { id, reference, state, at_ms, .. } => {
                format!("{id} {} {state:?} {at_ms:?}", reference.clone().unwrap_or_default())
            }
            other => panic!("{other:?}"),
        };
        events.iter().map(short).collect::<Vec<_>>()
    };
    let expected = ["1 m Delivered Some(1790000000000)"];
    assert_eq!(read(json!({}), "", "provider_id=1&client_ref=m&state=DELIVRD&done_at=1790000000"), expected);
    assert_eq!(
        read(json!({}), "provider_id=1&client_ref=m&state=DELIVRD&done_at=1790000000000", ""),
        expected
    );
    assert_eq!(
        read(
            json!({}),
            "client_ref=m",
            r#"{"provider_id":1,"state":"DELIVRD","done_at":"2026-09-21T14:13:20Z"}"#
        ),
        expected
    );
    let own = json!({"report": {"list": "results", "providerId": "messageId", "clientRef": "callbackData", "state": "status.groupName", "doneAt": "doneAt"},
        "states": {"DELIVERED": "delivered"}});
    assert_eq!(
        read(
            own,
            "",
            r#"{"results":[{"messageId":"a","status":{"groupName":"DELIVERED"}},{"messageId":"b","status":{"groupName":"PENDING"}}]}"#
        ),
        ["a  Delivered None", "b  Other(\"PENDING\") None"]
    );
    for body in ["", "{}", "[]", "[5]", r#"{"state":"DELIVRD"}"#, r#"{"provider_id":"1"}"#, "\u{0}"] {
        assert!(read_report(&settings(json!({})), "a", "", body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn messages_arrive() {
    let read = |body: &str| {
        let events = read_inbound(&settings(json!({})), "EXAMPLE", "", body.as_bytes()).unwrap();
        let [Event::Message(inbound)] = <[Event; 1]>::try_from(events).unwrap() else { panic!() };
        inbound
    };
    let Inbound { account, person, id, at_ms, content, .. } = read(
        r#"{"provider_id":"in-1","from":"+12025550147","to":"EXAMPLE","text":"Hi","received_at":"2026-09-21T14:13:20Z"}"#,
    );
    assert_eq!(
        (account.as_str(), person.address.as_deref(), id.as_str()),
        ("EXAMPLE", Some("12025550147"), "in-1")
    );
    assert_eq!((at_ms, content), (Some(1_790_000_000_000), InboundContent::Text { body: "Hi".into() }));
    let with_files = read(
        r#"{"provider_id":"in-2","from":"1","text":"x","media":["https://a.test/1",{"url":"https://a.test/2","type":"image/png"}]}"#,
    );
    let InboundContent::Media { files, caption } = with_files.content else { panic!() };
    assert_eq!((files.len(), files[1].kind, caption.as_deref()), (2, MediaKind::Image, Some("x")));
    let (first, again, other) = (
        read("from=1&text=Hi&received_at=1790000000"),
        read("from=1&text=Hi&received_at=1790000000"),
        read("from=1&text=Hi&received_at=1790000001"),
    );
    assert_eq!(first.id, again.id, "a repeated callback is one message");
    assert_ne!(first.id, other.id);
    assert!(read_inbound(&settings(json!({})), "a", "", b"text=Hi").is_err());
}

#[test]
fn callbacks_prove_where_they_come_from() {
    let raw = br#"{"provider_id":"1"}"#;
    let verify = |auth: Value, name: &'static str, value: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        verify_signature(&settings(json!({"callbackAuth": auth})), &headers, raw)
    };
    assert!(verify_signature(&settings(json!({})), &HeaderMap::new(), raw), "the path alone");
    let token = json!({"type": "header", "name": "X-Token", "value": "t0ken"});
    assert!(verify(token.clone(), "x-token", "t0ken"));
    assert!(!verify(token.clone(), "x-token", "t0kem") && !verify(token.clone(), "x-other", "t0ken"));
    assert!(!verify(json!({"type": "header", "name": "X-Token", "value": ""}), "x-token", ""));
    let hmac = |algorithm: &str, format: &str, prefix: &str| json!({"type": "hmac", "name": "X-Signature", "secret": "s3cret", "algorithm": algorithm, "format": format, "prefix": prefix});
    // openssl dgst -sha… -hmac s3cret over the same bytes.
    let sha1 = hmac_sha1_compact::HMAC::mac(raw, b"s3cret");
    let sha256 = hmac_sha256::HMAC::mac(raw, b"s3cret");
    let base64 = |bytes: &[u8]| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
    assert!(verify(hmac("sha1", "hex", ""), "x-signature", &hex::encode(sha1)));
    assert!(verify(
        hmac("sha256", "hex", "sha256="),
        "x-signature",
        &format!("sha256={}", hex::encode(sha256))
    ));
    assert!(verify(hmac("sha256", "base64", ""), "x-signature", &base64(&sha256)));
    assert!(verify(hmac("sha256", "base64", ""), "x-signature", base64(&sha256).trim_end_matches('=')));
    assert!(verify(hmac("sha512", "hex", ""), "x-signature", SHA512));
    assert!(
        !verify(hmac("sha256", "hex", "sha256="), "x-signature", &hex::encode(sha256)),
        "the prefix is missing"
    );
    assert!(!verify(hmac("sha256", "hex", ""), "x-signature", &hex::encode(sha1)));
    assert!(!verify(hmac("sha256", "hex", ""), "x-signature", "zz"));
    let empty = json!({"type": "hmac", "name": "x-signature", "secret": ""});
    assert!(!verify(empty, "x-signature", &hex::encode(hmac_sha256::HMAC::mac(raw, b""))));
}

/// `printf '{"provider_id":"1"}' | openssl dgst -sha512 -hmac s3cret`
const SHA512: &str = "c0f4dd9bdb157b8505af534ba99d005f997b3769f50acd1a3aed807f64c279f5943523c7319771c71cc3ce13b1923c50371527774c943625b4dbad395fccb964";

#[test]
fn faults_in_settings_are_named() {
    assert_eq!(settings(json!({})).validate(), [], "the defaults are right");
    let in_path = json!({"url": "https://a.test/{from}/send?to={to}"});
    assert_eq!(settings(in_path).validate(), [], "placeholders may stand behind the host");
    let fields = |more: Value| -> Vec<String> {
        settings(more).validate().into_iter().map(|(field, _)| field).collect()
    };
    for (more, field) in [
        (json!({"url": "ftp://a"}), "url"),
        (json!({"url": "https://user:pass@a.test/"}), "url"),
        (json!({"url": "https://{from}.test/"}), "url"),
        (json!({"url": "https://a.test.{to}/send"}), "url"),
        (json!({"url": "https:{client_ref}/"}), "url"),
        (json!({"method": "GET"}), "encoding"),
        (json!({"fields": {"to": ""}}), "fields.to"),
        (json!({"fields": {"text": ""}}), "fields.text"),
        (json!({"encoding": "form", "fields": {"text": "/a/b"}}), "fields.text"),
        (json!({"fields": {"text": "/a//b"}}), "fields.text"),
        (json!({"constants": {"": 1}}), "constants"),
        (json!({"validitySeconds": 0}), "validitySeconds"),
        (json!({"tps": 0}), "tps"),
        (json!({"answer": {"success": [300, 200]}}), "answer.success"),
        (json!({"answer": {"successPath": "a"}}), "answer.successValues"),
        (json!({"answer": {"id": ""}}), "answer.id"),
        (json!({"report": {"state": "a..b"}}), "report.state"),
        (json!({"inbound": {"from": ""}}), "inbound.from"),
        (json!({"auth": {"type": "bearer", "token": ""}}), "auth.token"),
        (json!({"auth": {"type": "header", "name": "Host", "value": "x"}}), "auth.name"),
        (json!({"auth": {"type": "header", "name": "a b", "value": "x"}}), "auth.name"),
        (json!({"auth": {"type": "basic", "user": "", "password": ""}}), "auth.user"),
        (json!({"auth": {"type": "query", "name": "k", "value": ""}}), "auth.value"),
        (json!({"callbackAuth": {"type": "header", "name": "x", "value": ""}}), "callbackAuth.value"),
        (json!({"callbackAuth": {"type": "hmac", "name": "x", "secret": ""}}), "callbackAuth.secret"),
    ] {
        assert_eq!(fields(more.clone()), [field], "{more}");
    }
    for wrong in [
        json!({"encoding": "xml"}),
        json!({"auth": {"type": "magic"}}),
        json!({"auth": {"type": "bearer", "token": "t", "extra": 1}}),
        json!({"nonsense": 1}),
        json!({"states": {"a": "flying"}}),
    ] {
        let mut all = json!({"url": "https://a.test"});
        all.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        assert!(serde_json::from_value::<Settings>(all).is_err(), "{wrong}");
    }
    assert!(serde_json::from_value::<Settings>(json!({})).is_err(), "the URL must be there");
    let kept = serde_json::to_value(settings(json!({"auth": {"type": "bearer", "token": "t"}}))).unwrap();
    assert_eq!(serde_json::from_value::<Settings>(kept).unwrap().validate(), []);
}
