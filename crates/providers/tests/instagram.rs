//! Instagram: every fixture, out and in, and what differs from Messenger.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use http::HeaderMap;
use providers::instagram::{self, read_callback};
use providers::{
    BuildError, Envelope, Event, Inbound, InboundContent, Media, MediaKind, MediaSource, Outgoing,
    RetryClass, SendResult, State, graph,
};
use serde_json::{Value, json};
use support::{compact, envelope, stored};

const ACCOUNT: &str = "17841400550012345";
const PERSON: &str = "9005512345678001";

fn sender() -> graph::Sender {
    graph::Sender {
        base_url: "https://graph.instagram.com".into(),
        api_version: "v25.0".into(),
        node: ACCOUNT.into(),
        access_token: "FIXTURE-IG-TOKEN".into(),
        app_secret: None,
    }
}

fn text(body: &str) -> Outgoing {
    Outgoing::Text { body: body.into(), preview_url: false }
}

#[test]
fn sends_are_the_fixtures() {
    let content = text("Yes, the green one is back tomorrow.");
    let reply = Envelope { reference: "msg_1", reply_to: Some("mid"), ..envelope(PERSON, &content) };
    let request = instagram::send_request(&sender(), &reply).unwrap();
    assert_eq!(request.uri().to_string(), format!("https://graph.instagram.com/v25.0/{ACCOUNT}/messages"));
    assert_eq!(request.headers()["authorization"], "Bearer FIXTURE-IG-TOKEN");
    // Neither our id nor a quote: Instagram gives back the one and takes not the other.
    assert_eq!(support::body(Ok(request)), compact("instagram/out-text"));

    let source = MediaSource::Link("https://cdn.example.test/p/green.png".into());
    let image = Outgoing::Media(Media {
        kind: MediaKind::Image,
        source,
        caption: None,
        filename: None,
        sticker: false,
        voice: false,
    });
    let late = Envelope { human_agent: true, ..envelope(PERSON, &image) };
    assert_eq!(support::body(instagram::send_request(&sender(), &late)), compact("instagram/out-image"));
}

#[test]
fn through_a_linked_page_only_the_address_differs() {
    let page = graph::Sender {
        base_url: "https://graph.facebook.com".into(),
        node: "108800551234567".into(),
        ..sender()
    };
    let content = text("a");
    let request = instagram::send_request(&page, &envelope(PERSON, &content)).unwrap();
    assert_eq!(request.uri().to_string(), "https://graph.facebook.com/v25.0/108800551234567/messages");
    assert_eq!(
        support::body(Ok(request)),
        format!(r#"{{"recipient":{{"id":"{PERSON}"}},"message":{{"text":"a"}}}}"#)
    );
}

/// Whether it can be sent.
fn check(content: &Outgoing) -> Result<(), BuildError> {
    instagram::send_request(&sender(), &envelope(PERSON, content)).map(drop)
}

#[test]
fn texts_are_counted_in_bytes() {
    assert_eq!(check(&text(&"é".repeat(500))), Ok(()));
    assert_eq!(
        check(&text(&format!("{}a", "é".repeat(500)))),
        Err(BuildError::Unsupported("a text of more than 1000 bytes"))
    );
    let template = Outgoing::Template { name: "a".into(), language: "en".into(), components: vec![] };
    assert!(check(&template).is_err());
}

#[test]
fn reads_answers() {
    let answer = |status, body: &[u8]| instagram::read_answer(status, &HeaderMap::new(), body);
    let sent = SendResult::Accepted {
        provider_id: "aWdf".into(),
        recipient_id: Some(PERSON.into()),
        state: Some(State::Sent),
    };
    assert_eq!(answer(200, format!(r#"{{"recipient_id":"{PERSON}","message_id":"aWdf"}}"#).as_bytes()), sent);
    let SendResult::Refused(failure) = answer(400, br#"{"error":{"code":10,"error_subcode":2534022}}"#)
    else {
        panic!()
    };
    assert_eq!(failure.class, RetryClass::OtherWay);
}

fn fixture(name: &str) -> Vec<Event> {
    read_callback(&stored(&format!("instagram/{name}"))).unwrap()
}

#[test]
fn an_answer_to_a_story_names_it() {
    let events = fixture("in-story-reply");
    let [
        Event::Message(Inbound {
            account,
            person,
            id,
            content,
            reply_to: None,
            referral: Some(story),
            at_ms,
        }),
    ] = events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!((account.as_str(), person.address.as_deref()), (ACCOUNT, Some(PERSON)));
    assert_eq!((id.as_str(), *at_ms), ("aWdfRklYX0lOXzE", Some(1_790_000_300_100)));
    assert_eq!(*content, InboundContent::Text { body: "love this!".into() });
    assert_eq!(story["story"]["id"], "18000000000000007");
}

#[test]
fn an_echo_names_whom_it_went_to() {
    let events = fixture("in-echo");
    let [Event::Echo { message, reference: None }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((message.account.as_str(), message.person.address.as_deref()), (ACCOUNT, Some(PERSON)));
    assert_eq!(message.id, "aWdfRklYX09VVF8x");
}

#[test]
fn seen_reaction_and_unsend() {
    let events = fixture("in-seen-reaction-delete");
    let [
        Event::SeenUpTo { account, person, message_id: seen, at_ms: Some(1_790_000_302_100) },
        Event::Reaction { message_id: on, emoji: Some(emoji), sender, .. },
        Event::Delete { message_id: gone, at_ms: Some(1_790_000_304_100), .. },
    ] = events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!((account.as_str(), person.as_str()), (ACCOUNT, PERSON));
    assert_eq!(
        (seen.as_str(), on.as_str(), gone.as_str()),
        ("aWdfRklYX09VVF8x", "aWdfRklYX09VVF8x", "aWdfRklYX0lOXzE")
    );
    assert_eq!((emoji.as_str(), sender.address.as_deref()), ("❤️", Some(PERSON)));
}

fn events(entry: Value) -> Vec<Event> {
    let mut entry = entry;
    entry["id"] = ACCOUNT.into();
    read_callback(json!({"object": "instagram", "entry": [entry]}).to_string().as_bytes()).unwrap()
}

fn item(mut item: Value) -> Value {
    item["sender"] = json!({"id": PERSON});
    item["recipient"] = json!({"id": ACCOUNT});
    item["timestamp"] = json!("1790000300");
    item
}

#[test]
fn test_events_of_the_dashboard_have_another_shape() {
    let value = item(json!({"message": {"mid": "m", "text": "x"}}));
    for entry in [
        json!({"changes": [{"field": "messages", "value": value}]}),
        json!({"field": "messages", "value": value}),
    ] {
        let events = events(entry);
        let [Event::Message(Inbound { at_ms, .. })] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(*at_ms, Some(1_790_000_300_000), "their times are seconds");
    }
    let comment = events(json!({"changes": [{"field": "comments", "value": {"text": "nice"}}]}));
    assert!(matches!(&comment[..], [Event::Other { kind, .. }] if kind == "comments"));
}

#[test]
fn messages_of_every_kind() {
    let one = |message: Value| {
        let [event] =
            <[Event; 1]>::try_from(events(json!({"messaging": [item(json!({"message": message}))]})))
                .unwrap();
        event
    };
    let content = |message: Value| match one(message) {
        Event::Message(inbound) => inbound.content,
        other => panic!("{other:?}"),
    };
    let file = |kind: &str| {
        content(
            json!({"mid": "m", "attachments": [{"type": kind, "payload": {"url": "https://cdn.test/1"}}]}),
        )
    };
    for (kind, expected) in [
        ("image", MediaKind::Image),
        ("video", MediaKind::Video),
        ("audio", MediaKind::Audio),
        ("file", MediaKind::Document),
        ("story_mention", MediaKind::Image),
        ("ig_reel", MediaKind::Video),
    ] {
        let content = file(kind);
        assert!(
            matches!(&content, InboundContent::Media { files, .. } if files[0].kind == expected),
            "{content:?}"
        );
    }
    for kind in ["share", "ig_post"] {
        assert!(matches!(file(kind), InboundContent::Other { kind: found, .. } if found == kind));
    }
    let unsupported = content(json!({"mid": "m", "is_unsupported": true}));
    assert!(matches!(unsupported, InboundContent::Other { kind, .. } if kind == "unsupported"));
    let to_self = one(json!({"mid": "m", "is_self": true, "text": "x"}));
    assert!(matches!(to_self, Event::Other { .. }), "a test message to oneself");
    let edit = events(
        json!({"messaging": [item(json!({"message_edit": {"mid": "m", "text": "new", "num_edit": 1}}))]}),
    );
    assert!(matches!(&edit[..], [Event::Edit { message_id, .. }] if message_id == "m"));
    let tap = events(
        json!({"messaging": [item(json!({"postback": {"mid": "m", "title": "Start", "payload": "s"}}))]}),
    );
    assert!(matches!(&tap[..], [Event::Message(Inbound { content: InboundContent::Reply { .. }, .. })]));
    let referral = events(json!({"messaging": [item(json!({"referral": {"ref": "r"}}))]}));
    assert!(matches!(&referral[..], [Event::Other { kind, .. }] if kind == "referral"));
}
