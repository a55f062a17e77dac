//! Messenger: every fixture, out and in.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use http::HeaderMap;
use providers::messenger::{self, read_callback};
use providers::{
    AlertReason, BuildError, Choice, Choices, Envelope, Event, Inbound, InboundContent, Interactive, Media,
    MediaKind, MediaSource, Outgoing, RetryClass, Section, SendResult, State, graph,
};
use serde_json::{Value, json};
use support::{compact, envelope, stored};

const PAGE: &str = "108800551234567";
const PERSON: &str = "7301550100420001";
const OURS: &str = "m_FixOut0000000000000000000000000001";

fn sender() -> graph::Sender {
    graph::Sender {
        base_url: "https://graph.facebook.com".into(),
        api_version: "v25.0".into(),
        node: PAGE.into(),
        access_token: "FIXTURE-PAGE-TOKEN".into(),
        app_secret: Some("fixture-app-secret".into()),
    }
}

fn text(body: &str) -> Outgoing {
    Outgoing::Text { body: body.into(), preview_url: false }
}

fn file(kind: MediaKind, source: MediaSource) -> Media {
    Media { kind, source, caption: None, filename: None, sticker: false, voice: false }
}

fn link(url: &str) -> MediaSource {
    MediaSource::Link(url.into())
}

fn build(content: &Outgoing) -> Value {
    let body = support::body(messenger::send_request(&sender(), &envelope(PERSON, content)));
    serde_json::from_str(&body).unwrap()
}

#[test]
fn a_text_by_a_person_is_the_fixture() {
    let content = text("Sorry for the wait, I checked with the workshop.");
    let envelope = Envelope {
        reference: "msg_01HZX0000000000000000101",
        human_agent: true,
        ..envelope(PERSON, &content)
    };
    let request = messenger::send_request(&sender(), &envelope).unwrap();
    assert_eq!(
        request.uri().to_string(),
        format!(
            "https://graph.facebook.com/v25.0/{PAGE}/messages?appsecret_proof=0b3405545fa2d6d178325bee1376362ec55368e802a0148244bc07cb81da98b2"
        )
    );
    assert_eq!(request.headers()["authorization"], "Bearer FIXTURE-PAGE-TOKEN");
    assert_eq!(support::body(Ok(request)), compact("messenger/out-text-human-agent"));
}

#[test]
fn questions_and_files_are_the_fixtures() {
    let choice = |id: &str, title: &str| Choice { id: id.into(), title: title.into(), description: None };
    let interactive = Interactive {
        header: None,
        body: "Which slot suits you?".into(),
        footer: None,
        choices: Choices::Buttons(vec![choice("slot:am", "Morning"), choice("slot:pm", "Afternoon")]),
    };
    let body =
        |content: &Outgoing| support::body(messenger::send_request(&sender(), &envelope(PERSON, content)));
    assert_eq!(body(&Outgoing::Interactive(interactive.clone())), compact("messenger/out-quick-replies"));
    let image = file(MediaKind::Image, link("https://cdn.example.test/p/blue.jpg"));
    assert_eq!(body(&Outgoing::Media(image)), compact("messenger/out-image-url"));
    let headed =
        Interactive { header: Some("Delivery".into()), footer: Some("Until 18:00".into()), ..interactive };
    assert_eq!(
        build(&Outgoing::Interactive(headed))["message"]["text"],
        "Delivery\n\nWhich slot suits you?\n\nUntil 18:00"
    );
}

#[test]
fn answers_quote_and_keep_our_id() {
    let content = text("a");
    let envelope = Envelope { reference: "msg_1", reply_to: Some("m_1"), ..envelope(PERSON, &content) };
    let body = support::body(messenger::send_request(&sender(), &envelope));
    assert_eq!(
        body,
        format!(
            r#"{{"recipient":{{"id":"{PERSON}"}},"messaging_type":"RESPONSE","message":{{"text":"a","metadata":"msg_1"}},"reply_to":{{"mid":"m_1"}}}}"#
        )
    );
}

#[test]
fn files_of_every_kind_by_link_and_by_id() {
    for (kind, name) in [
        (MediaKind::Image, "image"),
        (MediaKind::Video, "video"),
        (MediaKind::Audio, "audio"),
        (MediaKind::Document, "file"),
    ] {
        let attachment =
            &build(&Outgoing::Media(file(kind, MediaSource::Id("77".into()))))["message"]["attachment"];
        assert_eq!(*attachment, json!({"type": name, "payload": {"attachment_id": "77"}}));
    }
}

#[test]
fn reactions_are_sender_actions() {
    let put = Outgoing::Reaction { message_id: "m_1".into(), emoji: Some("😊".into()) };
    let off = Outgoing::Reaction { message_id: "m_1".into(), emoji: None };
    assert_eq!(
        build(&put),
        json!({"recipient": {"id": PERSON}, "sender_action": "react", "payload": {"message_id": "m_1", "reaction": "😊"}})
    );
    assert_eq!(
        build(&off),
        json!({"recipient": {"id": PERSON}, "sender_action": "unreact", "payload": {"message_id": "m_1"}})
    );
    let answer = |status, body: &[u8]| messenger::read_action_answer(status, &HeaderMap::new(), body);
    assert_eq!(answer(200, br#"{"recipient_id":"7301550100420001"}"#), Ok(()));
    assert_eq!(answer(400, br#"{"error":{"code":9000001}}"#).unwrap_err().class, RetryClass::Never);
}

/// Whether it can be sent.
fn check(content: &Outgoing) -> Result<(), BuildError> {
    messenger::send_request(&sender(), &envelope(PERSON, content)).map(drop)
}

#[test]
fn what_messenger_cannot_carry_is_not_built() {
    let buttons = |count: usize, title: usize, id: usize| {
        let choice = Choice { id: "i".repeat(id), title: "é".repeat(title), description: None };
        Outgoing::Interactive(Interactive {
            header: None,
            body: "b".into(),
            footer: None,
            choices: Choices::Buttons(vec![choice; count]),
        })
    };
    let location = Outgoing::Location { latitude: 1.0, longitude: 1.0, name: None, address: None };
    let sections = vec![Section { title: None, rows: vec![] }];
    let list = Choices::List { button: "b".into(), sections };
    let captioned = Media { caption: Some("c".into()), ..file(MediaKind::Image, link("https://a")) };
    for content in [
        text(&"é".repeat(2000)),
        Outgoing::Template { name: "a".into(), language: "en".into(), components: vec![] },
        location,
        Outgoing::Contacts(vec![json!({})]),
        Outgoing::Interactive(Interactive { header: None, body: "b".into(), footer: None, choices: list }),
        Outgoing::Media(captioned),
        buttons(0, 1, 1),
        buttons(14, 1, 1),
        buttons(1, 21, 1),
        buttons(1, 1, 1001),
    ] {
        assert!(matches!(check(&content), Err(BuildError::Unsupported(_))), "{content:?}");
    }
    for content in [text(&"é".repeat(1999)), buttons(13, 20, 1000)] {
        assert_eq!(check(&content), Ok(()));
    }
}

#[test]
fn reads_answers() {
    let answer = |status, body: &[u8]| messenger::read_answer(status, &HeaderMap::new(), body);
    let sent = SendResult::Accepted {
        provider_id: OURS.into(),
        recipient_id: Some(PERSON.into()),
        state: Some(State::Sent),
    };
    assert_eq!(answer(200, &stored("messenger/res-send-ok")), sent);
    let SendResult::Refused(failure) = answer(400, &stored("messenger/res-error-window")) else { panic!() };
    assert_eq!((failure.code.as_str(), failure.class), ("10/2018278", RetryClass::OtherWay));
    assert!(failure.provider_text.contains("reply window"));
    for body in ["", "<html>", "{}", r#"{"recipient_id":"1"}"#, r#"{"message_id":""}"#] {
        assert!(matches!(answer(200, body.as_bytes()), SendResult::Unclear { .. }), "{body}");
    }
    let SendResult::Refused(failure) = answer(503, b"<html>") else { panic!() };
    assert_eq!((failure.code.as_str(), failure.class), ("http_503", RetryClass::Retry));
    let SendResult::Refused(failure) = answer(401, br#"{"error":{"code":190,"error_subcode":463}}"#) else {
        panic!()
    };
    assert_eq!(failure.class, RetryClass::Alert(AlertReason::TokenExpired));
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", "9".parse().unwrap());
    let SendResult::Refused(failure) = messenger::read_answer(400, &headers, br#"{"error":{"code":613}}"#)
    else {
        panic!()
    };
    assert_eq!((failure.class, failure.retry_after.unwrap().as_secs()), (RetryClass::Throttled, 9));
}

fn fixture(name: &str) -> Vec<Event> {
    read_callback(&stored(&format!("messenger/{name}"))).unwrap()
}

#[test]
fn texts_and_pictures_arrive() {
    let events = fixture("in-message");
    let [Event::Message(words), Event::Message(picture)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((words.account.as_str(), words.person.address.as_deref()), (PAGE, Some(PERSON)));
    assert_eq!(words.id, "m_FixIn000000000000000000000000001");
    assert_eq!(words.at_ms, Some(1_790_000_200_111), "milliseconds");
    assert_eq!(words.content, InboundContent::Text { body: "Do you deliver on Sunday?".into() });
    assert_eq!(words.reply_to.as_deref(), Some(OURS));
    let InboundContent::Media { files, caption: None } = &picture.content else { panic!("{picture:?}") };
    assert_eq!(files[0].url.as_deref(), Some("https://cdn.example.test/in/1.jpg"));
    assert_eq!((files[0].kind, files[0].sticker), (MediaKind::Image, false));
}

#[test]
fn an_echo_names_whom_it_went_to_and_our_id() {
    let events = fixture("in-echo");
    let [Event::Echo { message, reference }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((message.account.as_str(), message.person.address.as_deref()), (PAGE, Some(PERSON)));
    assert_eq!((message.id.as_str(), reference.as_deref()), (OURS, Some("msg_01HZX0000000000000000101")));
}

#[test]
fn deliveries_and_reads_arrive() {
    let (account, person) = (PAGE.to_string(), PERSON.to_string());
    let delivered = Event::Status {
        account: account.clone(),
        id: OURS.into(),
        reference: None,
        state: State::Delivered,
        at_ms: Some(1_790_000_211_000),
        failure: None,
    };
    let up_to = |state, up_to_ms, at_ms| Event::Watermark {
        account: account.clone(),
        person: person.clone(),
        state,
        up_to_ms,
        at_ms: Some(at_ms),
    };
    assert_eq!(
        fixture("in-delivery-read"),
        [
            delivered,
            up_to(State::Delivered, 1_790_000_210_900, 1_790_000_211_000),
            up_to(State::Read, 1_790_000_214_000, 1_790_000_215_000)
        ]
    );
}

#[test]
fn postbacks_are_taps_and_bring_the_referral() {
    let events = fixture("in-postback");
    let [Event::Message(Inbound { id, content, referral: Some(referral), .. })] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(id, "m_FixIn000000000000000000000000003");
    let (id, title) = ("start".to_string(), "Get started".to_string());
    assert_eq!(*content, InboundContent::Reply { id, title, description: None });
    assert_eq!(referral["ref"], "poster-7");
}

#[test]
fn reactions_come_and_go() {
    let events = fixture("in-reaction");
    let [Event::Reaction { account, sender, message_id, emoji, at_ms }] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!((account.as_str(), sender.address.as_deref()), (PAGE, Some(PERSON)));
    assert_eq!((message_id.as_str(), emoji.as_deref()), (OURS, Some("❤️")));
    assert_eq!(*at_ms, Some(1_790_000_230_000));
    let off = one(json!({"reaction": {"action": "unreact", "mid": "m_1"}}));
    assert!(matches!(off, Event::Reaction { emoji: None, .. }), "{off:?}");
    let named = one(json!({"reaction": {"action": "react", "reaction": "wow", "mid": "m_1"}}));
    assert!(matches!(&named, Event::Reaction { emoji: Some(emoji), .. } if emoji == "😮"), "{named:?}");
}

fn events(mut item: Value, list: &str) -> Vec<Event> {
    item["sender"] = json!({"id": "1"});
    item["recipient"] = json!({"id": PAGE});
    item["timestamp"] = json!(1_790_000_000_000_i64);
    let body = json!({"object": "page", "entry": [{"id": PAGE, list: [item]}]});
    read_callback(body.to_string().as_bytes()).unwrap()
}

fn one(item: Value) -> Event {
    let [event] = <[Event; 1]>::try_from(events(item, "messaging")).unwrap();
    event
}

fn content(mut message: Value) -> InboundContent {
    message["mid"] = "m_1".into();
    match one(json!({"message": message})) {
        Event::Message(inbound) => inbound.content,
        other => panic!("{other:?}"),
    }
}

#[test]
fn attachments_of_every_kind() {
    let attachment =
        |kind: &str, payload: Value| content(json!({"attachments": [{"type": kind, "payload": payload}]}));
    let kind_of = |kind: &str, payload: Value| match attachment(kind, payload) {
        InboundContent::Media { files, .. } => (files[0].kind, files[0].sticker),
        other => panic!("{other:?}"),
    };
    let url = json!({"url": "https://cdn.test/1"});
    assert_eq!(kind_of("image", url.clone()), (MediaKind::Image, false));
    assert_eq!(
        kind_of("image", json!({"url": "https://cdn.test/1", "sticker_id": 5})),
        (MediaKind::Image, true)
    );
    assert_eq!(kind_of("sticker", url.clone()), (MediaKind::Image, true));
    assert_eq!(kind_of("video", url.clone()), (MediaKind::Video, false));
    assert_eq!(kind_of("audio", url.clone()), (MediaKind::Audio, false));
    assert_eq!(kind_of("file", url.clone()), (MediaKind::Document, false));
    assert_eq!(kind_of("reel", url.clone()), (MediaKind::Video, false));
    for (kind, payload) in [
        ("template", json!({"generic": {}})),
        ("post", url.clone()),
        ("appointment_booking", json!({})),
        ("hologram", url.clone()),
        ("image", json!({})),
    ] {
        let content = attachment(kind, payload);
        assert!(
            matches!(&content, InboundContent::Other { kind: found, raw } if found == kind && raw["mid"] == "m_1")
        );
    }
    let bare = content(json!({"attachments": [{"type": "fallback"}], "text": "https://a.test"}));
    assert_eq!(bare, InboundContent::Text { body: "https://a.test".into() });
    let place = attachment("location", json!({"coordinates": {"lat": 51.5, "long": -0.5}}));
    assert!(matches!(place, InboundContent::Location { latitude: 51.5, longitude: -0.5, .. }));
    let two = content(
        json!({"text": "both", "attachments": [{"type": "image", "payload": url}, {"type": "file", "payload": {"url": "https://cdn.test/a.pdf", "title": "a.pdf"}}]}),
    );
    let InboundContent::Media { files, caption } = two else { panic!() };
    assert_eq!(
        (files.len(), caption.as_deref(), files[1].filename.as_deref()),
        (2, Some("both"), Some("a.pdf"))
    );
    let tap = content(json!({"text": "Morning", "quick_reply": {"payload": "slot:am"}}));
    let (id, title) = ("slot:am".to_string(), "Morning".to_string());
    assert_eq!(tap, InboundContent::Reply { id, title, description: None });
    assert!(matches!(content(json!({})), InboundContent::Other { kind, .. } if kind == "unknown"));
}

#[test]
fn edits_deliveries_without_ids_and_threads_of_others() {
    let edit = one(json!({"message_edit": {"mid": "m_1", "text": "new", "num_edit": 1}}));
    let Event::Edit { message_id, content, .. } = edit else { panic!() };
    assert_eq!((message_id.as_str(), content), ("m_1", InboundContent::Text { body: "new".into() }));
    let delivery = events(json!({"delivery": {"watermark": 1_790_000_000_500_i64}}), "messaging");
    assert!(matches!(
        &delivery[..],
        [Event::Watermark { state: State::Delivered, up_to_ms: 1_790_000_000_500, .. }]
    ));
    let standby = events(json!({"message": {"mid": "m_1", "text": "x"}}), "standby");
    assert!(matches!(&standby[..], [Event::Message(_)]), "read for the history");
    let no_mid = one(json!({"postback": {"title": "Start", "payload": "s"}}));
    assert!(matches!(no_mid, Event::Message(Inbound { id, .. }) if id == "postback:1:1790000000000"));
}

#[test]
fn what_is_not_understood_is_kept_and_never_an_error() {
    for name in [
        "optin",
        "referral",
        "pass_thread_control",
        "take_thread_control",
        "policy_enforcement",
        "account_linking",
    ] {
        let event = one(json!({name: {"ref": "x"}}));
        assert!(
            matches!(&event, Event::Other { kind, account: Some(account), .. } if kind == name && account == PAGE)
        );
    }
    for item in [
        json!({}),
        json!({"message": {}}),
        json!({"message": "text"}),
        json!({"reaction": {"action": "react", "mid": "m"}}),
        json!({"reaction": {"action": "dance", "mid": "m", "emoji": "x"}}),
        json!({"read": {}}),
        json!({"postback": {"mid": "m"}}),
        json!({"new_kind": {}}),
    ] {
        assert!(matches!(one(item.clone()), Event::Other { .. }), "{item}");
    }
    for body in [
        "null",
        "{}",
        r#"{"object":"page","entry":[]}"#,
        r#"{"object":"page","entry":[{"messaging":[5,null,{}]}]}"#,
        r#"{"object":"page","entry":[{"id":"1","changes":[{"field":"feed","value":{"item":"post"}}]}]}"#,
    ] {
        let events = read_callback(body.as_bytes()).unwrap();
        assert!(
            !events.is_empty() && events.iter().all(|event| matches!(event, Event::Other { .. })),
            "{body}"
        );
    }
    for body in [b"".as_slice(), b"{", b"\xff"] {
        assert!(read_callback(body).is_err());
    }
}
