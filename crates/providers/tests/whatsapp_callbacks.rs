//! Callbacks of WhatsApp: signature vectors, the handshake, and every fixture to its events.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use providers::whatsapp::{Event, handshake, read_callback, verify_signature};
use providers::{InboundContent, RetryClass, State};
use serde_json::{Value, json};

const SECRET: &str = "fixture-app-secret";

fn fixture(name: &str) -> Vec<Event> {
    let path = format!("{}/tests/fixtures/whatsapp/{name}.json", env!("CARGO_MANIFEST_DIR"));
    read_callback(&std::fs::read(path).unwrap()).unwrap()
}

fn header(hex: &str) -> String {
    format!("sha256={hex}")
}

#[test]
fn the_vectors_of_the_contract_verify() {
    let vectors: [(&[u8], &str); 2] = [
        (
            br#"{"object":"page","entry":[]}"#,
            "272e312bd4b544c76823dd751325f22f47833073b9e4564fb01eb252f56de8c1",
        ),
        (
            br#"{"t":"caf\u00e9 \ud83d\ude00 a\/b"}"#,
            "47bb83ed5f97d68e7de70aebf7ed12474c09f02476a6caec85c8217b39c80096",
        ),
    ];
    for (raw, hex) in vectors {
        assert!(verify_signature(&[SECRET], Some(&header(hex)), raw));
        assert!(verify_signature(&["next-secret", SECRET], Some(&header(hex)), raw), "during a rotation");
        assert!(!verify_signature(&["next-secret"], Some(&header(hex)), raw));
        // An implementation of HMAC that shares no code with ours.
        assert_eq!(hex::encode(hmac_sha256::HMAC::mac(raw, SECRET)), hex);
    }
}

#[test]
fn what_was_parsed_and_written_again_is_rejected() {
    let hex = "47bb83ed5f97d68e7de70aebf7ed12474c09f02476a6caec85c8217b39c80096";
    assert!(!verify_signature(&[SECRET], Some(&header(hex)), "{\"t\":\"café 😀 a/b\"}".as_bytes()));
}

#[test]
fn wrong_or_missing_signatures_are_rejected() {
    let (raw, hex) = (b"{}".as_slice(), hex::encode(hmac_sha256::HMAC::mac(b"{}", SECRET)));
    let ok = |secrets: &[&str], header: Option<&str>| verify_signature(secrets, header, raw);
    assert!(ok(&[SECRET], Some(&header(&hex))));
    assert!(!ok(&[SECRET], None));
    for wrong in
        ["", "sha256=", &hex, "sha1=abcd", "sha256=zz", &header(&hex[..62]), &format!("sha256={hex}00")]
    {
        assert!(!ok(&[SECRET], Some(wrong)), "{wrong}");
    }
    assert!(!ok(&[], Some(&header(&hex))));
    let of_nothing = hex::encode(hmac_sha256::HMAC::mac(b"{}", ""));
    assert!(!ok(&[""], Some(&header(&of_nothing))), "an unset secret must not let everybody in");
}

#[test]
fn the_handshake_gives_the_challenge_back_unchanged() {
    let query = "hub.mode=subscribe&hub.verify_token=my%20token&hub.challenge=11%2F58%2B2";
    assert_eq!(handshake(query, &["my token"]).as_deref(), Some("11/58+2"));
    assert_eq!(handshake(query, &["other", "my token"]).as_deref(), Some("11/58+2"));
    assert_eq!(handshake(query, &["my token "]), None);
    assert_eq!(handshake(query, &[]), None);
    for query in [
        "hub.mode=unsubscribe&hub.verify_token=t&hub.challenge=1",
        "hub.verify_token=t&hub.challenge=1",
        "hub.mode=subscribe&hub.challenge=1",
        "hub.mode=subscribe&hub.verify_token=t",
        "",
    ] {
        assert_eq!(handshake(query, &["t"]), None, "{query}");
    }
    assert_eq!(handshake("hub.mode=subscribe&hub.verify_token=&hub.challenge=1", &[""]), None);
}

#[test]
fn a_text_arrives_with_its_sender() {
    let events = fixture("in-text");
    let [Event::Inbound { phone_number_id, sender, id, timestamp_ms, content, reply_to }] = events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!(phone_number_id, "310987654321001");
    assert_eq!(sender.wa_id.as_deref(), Some("12025550147"));
    assert_eq!(sender.user_id.as_deref(), Some("US.7K2Q9D4M1X8Z55"));
    assert_eq!(sender.name.as_deref(), Some("Mira Okafor"));
    assert_eq!(id, "wamid.RklYLUlOLVRFWFQtMQ==");
    assert_eq!(*timestamp_ms, Some(1_790_000_001_000));
    assert_eq!(*content, InboundContent::Text { body: "Hello, is the blue one in stock? café 🙂".into() });
    assert_eq!(*reply_to, None);
}

#[test]
fn a_person_without_a_phone_number_is_known_by_the_user_id() {
    let events = fixture("in-username-referral");
    let [Event::Inbound { sender, .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(sender.wa_id, None);
    assert_eq!(sender.user_id.as_deref(), Some("US.9ZP4T7R2C6V188"));
    assert_eq!(sender.name.as_deref(), Some("Jo Lind"));
}

/// Kinds that have no form of their own yet are kept whole.
#[test]
fn other_kinds_keep_the_whole_message() {
    let kinds = |name: &str| -> Vec<String> {
        fixture(name)
            .into_iter()
            .map(|event| match event {
                Event::Inbound { content: InboundContent::Other { kind, raw }, id, .. } => {
                    assert_eq!(raw["id"], id.as_str());
                    assert!(raw.get(&kind).is_some(), "{kind} has its content");
                    kind
                }
                other => panic!("{other:?}"),
            })
            .collect()
    };
    assert_eq!(kinds("in-image"), ["image"]);
    assert_eq!(kinds("in-media-batch"), ["document", "audio", "video", "sticker"]);
    assert_eq!(kinds("in-location-contacts"), ["location", "contacts"]);
    assert_eq!(kinds("in-template-button"), ["button"]);
    assert_eq!(kinds("in-interactive-reply"), ["interactive", "interactive"]);
    assert_eq!(kinds("in-reaction"), ["reaction", "reaction"]);
    assert_eq!(kinds("in-unsupported"), ["unsupported"]);
    assert_eq!(kinds("in-edit-revoke"), ["edit", "revoke"]);
    let events = fixture("in-template-button");
    let [Event::Inbound { reply_to, .. }] = events.as_slice() else { panic!() };
    assert_eq!(reply_to.as_deref(), Some("wamid.RklYLU9VVC0x"));
}

#[test]
fn statuses_come_in_any_order() {
    let states: Vec<(State, i64)> = fixture("in-status-lifecycle")
        .into_iter()
        .map(|event| match event {
            Event::Status { id, reference, state, timestamp_ms, recipient_id, failure, .. } => {
                assert_eq!(id, "wamid.RklYLU9VVC0x");
                assert_eq!(reference.as_deref(), Some("msg_01HZX0000000000000000001"));
                assert_eq!(recipient_id.as_deref(), Some("12025550147"));
                assert_eq!(failure, None);
                (state, timestamp_ms.unwrap())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        states,
        [
            (State::Read, 1_790_000_109_000),
            (State::Sent, 1_790_000_101_000),
            (State::Delivered, 1_790_000_104_000)
        ]
    );
    let legacy = fixture("in-status-sent-legacy");
    assert!(matches!(&legacy[..], [Event::Status { state: State::Sent, reference: None, .. }]));
}

#[test]
fn a_failed_status_tells_why() {
    let events = fixture("in-status-failed");
    let [Event::Status { state: State::Failed, failure: Some(failure), .. }] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(failure.code, "131047");
    assert_eq!(failure.class, RetryClass::OtherWay);
    assert!(failure.provider_text.contains("the reply window for this person is closed"));
    assert!(failure.public_reason.contains("Send a template"));
}

#[test]
fn other_fields_are_kept() {
    let events = fixture("in-template-status");
    let [Event::Other { kind, phone_number_id: None, raw }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(kind, "message_template_status_update");
    assert_eq!(raw["event"], "REJECTED");
}

fn change(value: Value) -> Vec<Event> {
    let body = json!({"object": "whatsapp_business_account",
                      "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]});
    read_callback(body.to_string().as_bytes()).unwrap()
}

#[test]
fn messages_and_statuses_of_several_people_may_share_a_change() {
    let events = change(json!({
        "metadata": {"phone_number_id": "1"},
        "contacts": [{"profile": {"name": "A"}, "wa_id": "11"}, {"profile": {"name": "B"}, "wa_id": "22"}],
        "messages": [{"from": "22", "id": "m1", "timestamp": 5, "type": "text", "text": {"body": "x"}},
                     {"from": "33", "id": "m2", "timestamp": "x", "type": "text", "text": {"body": "y"}}],
        "statuses": [{"id": "m0", "status": "played", "timestamp": "7"},
                     {"id": "m0", "status": "warming_up", "timestamp": "8"}],
    }));
    let [
        Event::Inbound { sender: first, timestamp_ms: Some(5000), .. },
        Event::Inbound { sender: second, timestamp_ms: None, .. },
        Event::Status { state: State::Read, .. },
        Event::Status { state: State::Other(other), .. },
    ] = events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!(first.name.as_deref(), Some("B"));
    assert_eq!((second.wa_id.as_deref(), second.name.as_deref()), (Some("33"), None));
    assert_eq!(other, "warming_up");
}

#[test]
fn what_is_not_understood_is_kept_and_never_an_error() {
    let with_number = |mut value: Value| {
        value["metadata"] = json!({"phone_number_id": "1"});
        change(value)
    };
    for value in [
        json!({}),
        json!({"messages": "text"}),
        json!({"messages": [null, 5, {}, {"id": "m"}, {"from": "1"}]}),
        json!({"messages": [{"from": "1", "id": "m", "group_id": "g", "type": "text", "text": {"body": "x"}}]}),
        json!({"statuses": [{"status": "sent"}, {"id": "m"}, {"id": "m", "status": 5}]}),
        json!({"statuses": [{"id": "m", "status": "read", "recipient_type": "group"}]}),
        json!({"errors": [{"code": 131_042}]}),
    ] {
        let events = with_number(value.clone());
        assert!(!events.is_empty(), "{value}");
        assert!(events.iter().all(|event| matches!(event, Event::Other { .. })), "{value}: {events:?}");
    }
    for body in
        ["null", "5", "[]", "{}", r#"{"object":"page","entry":{}}"#, r#"{"entry":[{"changes":[{}]}]}"#]
    {
        let events = read_callback(body.as_bytes()).unwrap();
        assert!(matches!(&events[..], [Event::Other { .. }]), "{body}: {events:?}");
    }
    // A text message without its text is of an unknown shape.
    let events = with_number(json!({"messages": [{"from": "1", "id": "m", "type": "text"}]}));
    assert!(matches!(&events[..], [Event::Inbound { content: InboundContent::Other { .. }, .. }]));
    let events = with_number(json!({"statuses": [{"id": "m", "status": "failed"}]}));
    let [Event::Status { failure: Some(failure), .. }] = events.as_slice() else { panic!() };
    assert_eq!((failure.code.as_str(), failure.class), ("unknown", RetryClass::Never));
}

#[test]
fn only_what_is_no_json_is_an_error() {
    for body in [b"".as_slice(), b"{", b"\xff", b"{} {}", "[".repeat(5000).as_bytes()] {
        assert!(read_callback(body).is_err());
    }
}
