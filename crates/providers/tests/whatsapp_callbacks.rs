//! Callbacks of WhatsApp: signature vectors, the handshake, and every fixture to its events.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use providers::graph::{handshake, verify_signature};
use providers::whatsapp::read_callback;
use providers::{
    AlertReason, Event, Inbound, InboundContent, InboundMedia, MediaKind, Person, RetryClass, State,
};
use serde_json::{Value, json};
use support::package;

const SECRET: &str = "fixture-app-secret";

fn fixture(name: &str) -> Vec<Event> {
    let path = format!("{}/tests/fixtures/whatsapp/{name}.json", package());
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
    let [Event::Message(Inbound { account, person, id, at_ms, content, reply_to, .. })] = events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!(account, "310987654321001");
    assert_eq!(person.address.as_deref(), Some("12025550147"));
    assert_eq!(person.user_id.as_deref(), Some("US.7K2Q9D4M1X8Z55"));
    assert_eq!(person.name.as_deref(), Some("Mira Okafor"));
    assert_eq!(id, "wamid.RklYLUlOLVRFWFQtMQ==");
    assert_eq!(*at_ms, Some(1_790_000_001_000));
    assert_eq!(*content, InboundContent::Text { body: "Hello, is the blue one in stock? café 🙂".into() });
    assert_eq!(*reply_to, None);
}

#[test]
fn a_person_without_a_phone_number_is_known_by_the_user_id() {
    let events = fixture("in-username-referral");
    let [Event::Message(Inbound { person, .. })] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(person.address, None);
    assert_eq!(person.user_id.as_deref(), Some("US.9ZP4T7R2C6V188"));
    assert_eq!(person.name.as_deref(), Some("Jo Lind"));
}

/// The contents of a fixture that has messages only.
fn contents(name: &str) -> Vec<InboundContent> {
    fixture(name)
        .into_iter()
        .map(|event| match event {
            Event::Message(Inbound { content, .. }) => content,
            other => panic!("{other:?}"),
        })
        .collect()
}

fn file(kind: MediaKind, id: &str, mime: &str) -> InboundMedia {
    let (id, mime) = (Some(id.to_string()), Some(mime.to_string()));
    InboundMedia { kind, id, url: None, mime, filename: None, sticker: false, voice: false }
}

#[test]
fn files_arrive_with_what_is_needed_to_fetch_them() {
    let image = InboundMedia {
        url: Some(
            "https://media.example.test/whatsapp_business/attachments/?mid=740022110099887".to_string(),
        ),
        ..file(MediaKind::Image, "740022110099887", "image/jpeg")
    };
    let caption = Some("the dent".to_string());
    assert_eq!(contents("in-image"), [InboundContent::Media { files: vec![image], caption }]);

    let document = InboundMedia {
        filename: Some("form.pdf".to_string()),
        ..file(MediaKind::Document, "740022110099901", "application/pdf")
    };
    let voice =
        InboundMedia { voice: true, ..file(MediaKind::Audio, "740022110099902", "audio/ogg; codecs=opus") };
    let video = file(MediaKind::Video, "740022110099903", "video/mp4");
    let sticker = InboundMedia { sticker: true, ..file(MediaKind::Image, "740022110099904", "image/webp") };
    let plain = |file| InboundContent::Media { files: vec![file], caption: None };
    assert_eq!(
        contents("in-media-batch"),
        [
            InboundContent::Media { files: vec![document], caption: Some("signed".into()) },
            plain(voice),
            plain(video),
            plain(sticker)
        ]
    );
}

#[test]
fn locations_and_cards_arrive() {
    let contents = contents("in-location-contacts");
    let [location, InboundContent::Contacts(cards)] = contents.as_slice() else { panic!("{contents:?}") };
    let expected = InboundContent::Location {
        latitude: 51.5007,
        longitude: -0.1246,
        name: Some("North counter".into()),
        address: Some("1 Invented Way, Testford".into()),
    };
    assert_eq!(*location, expected);
    assert_eq!(cards[0]["name"]["formatted_name"], "Ilse Brandt");
}

#[test]
fn taps_arrive_with_what_we_gave_along() {
    let reply = |id: &str, title: &str, description: Option<&str>| InboundContent::Reply {
        id: id.into(),
        title: title.into(),
        description: description.map(str::to_string),
    };
    assert_eq!(contents("in-template-button"), [reply("parcel:981:ok", "Thanks", None)]);
    assert_eq!(
        contents("in-interactive-reply"),
        [
            reply("slot:am", "Morning", None),
            reply("t:track", "Track a parcel", Some("Needs the order number"))
        ]
    );
    let events = fixture("in-template-button");
    let [Event::Message(Inbound { reply_to, .. })] = events.as_slice() else { panic!() };
    assert_eq!(reply_to.as_deref(), Some("wamid.RklYLU9VVC0x"));
    let form = json!({"from": "1", "id": "m", "type": "interactive", "interactive":
        {"type": "nfm_reply", "nfm_reply": {"name": "flow", "body": "Sent", "response_json": "{\"a\":1}"}}});
    assert_eq!(content_of(form), reply("flow", "Sent", Some(r#"{"a":1}"#)));
}

#[test]
fn reactions_come_and_go() {
    let emojis: Vec<(Option<String>, i64)> = fixture("in-reaction")
        .into_iter()
        .map(|event| match event {
            Event::Reaction { account, sender, message_id, emoji, at_ms } => {
                assert_eq!(
                    (account.as_str(), message_id.as_str()),
                    ("310987654321001", "wamid.RklYLU9VVC0x")
                );
                assert_eq!(sender.address.as_deref(), Some("12025550147"));
                (emoji, at_ms.unwrap())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(emojis, [(Some("❤️".into()), 1_790_000_061_000), (None, 1_790_000_065_000)]);
    let empty =
        json!({"from": "1", "id": "m", "type": "reaction", "reaction": {"message_id": "w", "emoji": ""}});
    assert!(matches!(message(empty), Event::Reaction { emoji: None, .. }));
}

#[test]
fn edits_and_deletions_name_the_first_message() {
    let (account, message_id) = ("310987654321001".to_string(), "wamid.RklYLUlOLVRFWFQtMQ==".to_string());
    let edit = Event::Edit {
        account: account.clone(),
        message_id: message_id.clone(),
        content: InboundContent::Text { body: "Hello, is the green one in stock?".into() },
        at_ms: Some(1_790_000_091_000),
    };
    let delete = Event::Delete { account, message_id, at_ms: Some(1_790_000_095_000) };
    assert_eq!(fixture("in-edit-revoke"), [edit, delete]);
}

#[test]
fn what_has_no_form_keeps_the_whole_message() {
    let contents = contents("in-unsupported");
    let [InboundContent::Other { kind, raw }] = contents.as_slice() else { panic!("{contents:?}") };
    assert_eq!(kind, "poll_creation", "what it is, where WhatsApp says it");
    assert_eq!(raw["errors"][0]["code"], 131_051);
    for (kind, message) in [
        ("order", json!({"type": "order", "order": {"catalog_id": "1", "product_items": []}})),
        ("hologram", json!({"type": "hologram", "hologram": {}})),
        ("image", json!({"type": "image", "image": {"mime_type": "image/png"}})),
        ("interactive", json!({"type": "interactive"})),
        ("unsupported", json!({"type": "unsupported", "errors": [{"code": 131_051}]})),
        ("unknown", json!({})),
    ] {
        let mut message = message;
        message["from"] = "1".into();
        message["id"] = "m".into();
        assert_eq!(content_of(message.clone()), InboundContent::Other { kind: kind.into(), raw: message });
    }
}

#[test]
fn a_person_may_change_their_number() {
    let changed =
        |system: Value| message(json!({"from": "11", "id": "m", "type": "system", "system": system}));
    let person = |address: &str, user_id: Option<&str>| Person {
        address: Some(address.into()),
        user_id: user_id.map(str::to_string),
        ..Person::default()
    };
    assert_eq!(
        changed(json!({"type": "user_changed_number", "wa_id": "22", "user_id": "US.B", "body": "x"})),
        Event::PersonChanged {
            account: "1".into(),
            old: person("11", None),
            new: person("22", Some("US.B"))
        }
    );
    let only_id = json!({"type": "user_changed_user_id", "user_id": "US.B", "previous_user_id": "US.A"});
    let Event::PersonChanged { old, new, .. } = changed(only_id) else { panic!() };
    assert_eq!((old.user_id.as_deref(), new.user_id.as_deref()), (Some("US.A"), Some("US.B")));
    assert!(matches!(changed(json!({"type": "customer_identity_changed"})), Event::Other { .. }));
    assert!(matches!(changed(json!({"type": "user_changed_number"})), Event::Other { .. }));
}

fn field(name: &str, mut value: Value) -> Vec<Event> {
    value["metadata"] = json!({"phone_number_id": "1"});
    let body = json!({"object": "whatsapp_business_account",
                      "entry": [{"id": "waba", "changes": [{"field": name, "value": value}]}]});
    read_callback(body.to_string().as_bytes()).unwrap()
}

#[test]
fn preferences_and_opt_outs_are_consent() {
    let preference = |value: &str| {
        field(
            "user_preferences",
            json!({"contacts": [{"wa_id": "11", "user_id": "US.A", "profile": {"name": "A"}}],
                   "user_preferences": [{"wa_id": "11", "category": "marketing_messages", "value": value, "timestamp": 5}]}),
        )
    };
    for (value, expected) in [("stop", false), ("resume", true)] {
        let events = preference(value);
        let [Event::Consent { account, person, opted_in, at_ms: Some(5000) }] = events.as_slice() else {
            panic!("{events:?}")
        };
        assert_eq!((account.as_str(), person.user_id.as_deref()), ("1", Some("US.A")));
        assert_eq!(*opted_in, expected);
    }
    assert!(matches!(&preference("maybe")[..], [Event::Other { .. }]));
    let events = change(json!({"metadata": {"phone_number_id": "1"}, "statuses":
        [{"id": "m", "status": "failed", "recipient_id": "11", "errors": [{"code": 131_050}]}]}));
    assert!(
        matches!(
            &events[..],
            [Event::Consent { opted_in: false, .. }, Event::Status { state: State::Failed, .. }]
        ),
        "{events:?}"
    );
}

#[test]
fn what_was_sent_from_the_phone_is_an_echo() {
    let events = field(
        "smb_message_echoes",
        json!({"message_echoes": [{"from": "15550001", "to": "11", "id": "w", "timestamp": "5", "type": "text", "text": {"body": "x"}}]}),
    );
    let [Event::Echo { message, reference: None }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(message.person.address.as_deref(), Some("11"), "whom it went to");
    assert_eq!(message.content, InboundContent::Text { body: "x".into() });
}

#[test]
fn faults_of_the_account_stand_alone() {
    let events =
        change(json!({"metadata": {"phone_number_id": "1"}, "errors": [{"code": 131_042, "title": "x"}]}));
    let [Event::Fault { account, failure }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((account.as_str(), failure.class), ("1", RetryClass::Alert(AlertReason::PaymentIssue)));
    let beside = change(json!({"metadata": {"phone_number_id": "1"},
        "messages": [{"from": "1", "id": "m", "type": "interactive"}], "errors": [{"code": 131_051}]}));
    assert!(
        matches!(
            &beside[..],
            [Event::Message(Inbound { content: InboundContent::Other { .. }, .. }), Event::Other { .. }]
        ),
        "{beside:?}"
    );
}

/// The event of one message.
fn message(message: Value) -> Event {
    let events = change(json!({"metadata": {"phone_number_id": "1"}, "messages": [message]}));
    let [event] = <[Event; 1]>::try_from(events).unwrap();
    event
}

fn content_of(value: Value) -> InboundContent {
    match message(value) {
        Event::Message(Inbound { content, .. }) => content,
        other => panic!("{other:?}"),
    }
}

#[test]
fn statuses_come_in_any_order() {
    let states: Vec<(State, i64)> = fixture("in-status-lifecycle")
        .into_iter()
        .map(|event| match event {
            Event::Status { id, reference, state, at_ms, failure, .. } => {
                assert_eq!(id, "wamid.RklYLU9VVC0x");
                assert_eq!(reference.as_deref(), Some("msg_01HZX0000000000000000001"));
                assert_eq!(failure, None);
                (state, at_ms.unwrap())
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
fn a_template_is_judged() {
    let expected = Event::TemplateStatus {
        account: "290011223344556".into(),
        name: "autumn_offer".into(),
        language: "en_GB".into(),
        event: "REJECTED".into(),
        reason: Some("INVALID_FORMAT".into()),
    };
    assert_eq!(fixture("in-template-status"), [expected]);
    let events = field(
        "message_template_status_update",
        json!({"message_template_name": "a", "message_template_language": "pt-BR", "event": "APPROVED", "reason": "NONE"}),
    );
    assert!(
        matches!(&events[..], [Event::TemplateStatus { language, reason: None, .. }] if language == "pt_BR"),
        "{events:?}"
    );
}

#[test]
fn other_fields_are_kept() {
    let events = field("phone_number_quality_update", json!({"event": "DOWNGRADE"}));
    let [Event::Other { kind, account: Some(_), raw }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(kind, "phone_number_quality_update");
    assert_eq!(raw["event"], "DOWNGRADE");
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
        Event::Message(Inbound { person: first, at_ms: Some(5000), .. }),
        Event::Message(Inbound { person: second, at_ms: None, .. }),
        Event::Status { state: State::Read, .. },
        Event::Status { state: State::Other(other), .. },
    ] = events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!(first.name.as_deref(), Some("B"));
    assert_eq!((second.address.as_deref(), second.name.as_deref()), (Some("33"), None));
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
        json!({"errors": ["text", {}]}),
        json!({"messages": [{"from": "1", "id": "m", "type": "reaction", "reaction": {}}]}),
        json!({"messages": [{"from": "1", "id": "m", "type": "edit", "edit": {"original_message_id": "w"}}]}),
        json!({"messages": [{"from": "1", "id": "m", "type": "revoke"}]}),
        json!({"messages": [{"from": "1", "id": "m", "type": "system"}]}),
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
    assert!(matches!(&events[..], [Event::Message(Inbound { content: InboundContent::Other { .. }, .. })]));
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
