//! WhatsApp's requests and answers: every outbound fixture byte for byte, the limits, media and lists.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use http::HeaderMap;
use providers::whatsapp::{self, Sender};
use providers::{
    AlertReason, BuildError, Choice, Choices, Envelope, Failure, File, Interactive, Media, MediaKind,
    MediaSource, Outgoing, RetryClass, Section, SendResult,
};
use serde_json::Value;
use support::{compact, envelope, json, stored};

const TO: &str = "12025550147";

fn sender() -> Sender {
    Sender {
        base_url: "https://graph.facebook.com".into(),
        api_version: "v25.0".into(),
        node: "310987654321001".into(),
        access_token: "FIXTURE-PAGE-TOKEN".into(),
        app_secret: None,
    }
}

fn build(content: &Outgoing) -> String {
    support::body(whatsapp::send_request(&sender(), &envelope(TO, content)))
}

fn media(kind: MediaKind, source: MediaSource) -> Media {
    Media { kind, source, caption: None, filename: None, sticker: false, voice: false }
}

fn id(id: &str) -> MediaSource {
    MediaSource::Id(id.into())
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer}")).into()
}

fn choice(value: &Value) -> Choice {
    Choice {
        id: text(value, "/id"),
        title: text(value, "/title"),
        description: value["description"].as_str().map(str::to_string),
    }
}

#[test]
fn files_are_the_fixtures() {
    let image = Media {
        caption: Some("Left side, as asked".into()),
        ..media(MediaKind::Image, id("740022110099887"))
    };
    assert_eq!(build(&Outgoing::Media(image)), compact("whatsapp/out-image-id"));
    let link = MediaSource::Link("https://cdn.example.test/d/quote-77.pdf".into());
    let document = Media {
        caption: Some("Quote 77".into()),
        filename: Some("quote-77.pdf".into()),
        ..media(MediaKind::Document, link)
    };
    assert_eq!(build(&Outgoing::Media(document)), compact("whatsapp/out-document-link"));
}

#[test]
fn every_kind_of_file_has_its_member() {
    let of = |media: Media| -> Value { serde_json::from_str(&build(&Outgoing::Media(media))).unwrap() };
    let sticker = of(Media { sticker: true, ..media(MediaKind::Image, id("5")) });
    assert_eq!((text(&sticker, "/type"), text(&sticker, "/sticker/id")), ("sticker".into(), "5".into()));
    let voice = of(Media { voice: true, filename: Some("a.ogg".into()), ..media(MediaKind::Audio, id("5")) });
    assert_eq!(voice["audio"], serde_json::json!({"id": "5", "voice": true}), "only documents have names");
    let video = of(Media { caption: Some("c".into()), ..media(MediaKind::Video, id("5")) });
    assert_eq!(video["video"], serde_json::json!({"id": "5", "caption": "c"}));
}

#[test]
fn reactions_are_the_fixture_and_are_taken_off_with_an_empty_emoji() {
    let expected = json("whatsapp/out-reaction");
    let message_id = text(&expected, "/reaction/message_id");
    let put = Outgoing::Reaction { message_id: message_id.clone(), emoji: Some("👍".into()) };
    assert_eq!(build(&put), compact("whatsapp/out-reaction"));
    let off = build(&Outgoing::Reaction { message_id, emoji: None });
    assert!(off.ends_with(r#","emoji":""}}"#), "{off}");
}

#[test]
fn locations_and_cards_are_the_fixtures() {
    let location = Outgoing::Location {
        latitude: 51.5007,
        longitude: -0.1246,
        name: Some("North counter".into()),
        address: Some("1 Invented Way, Testford".into()),
    };
    assert_eq!(build(&location), compact("whatsapp/out-location"));
    let cards = json("whatsapp/out-contacts")["contacts"].as_array().unwrap().clone();
    assert_eq!(build(&Outgoing::Contacts(cards)), compact("whatsapp/out-contacts"));
}

#[test]
fn questions_are_the_fixtures() {
    let expected = json("whatsapp/out-interactive-buttons");
    let interactive = &expected["interactive"];
    let buttons = interactive["action"]["buttons"].as_array().unwrap();
    let content = Outgoing::Interactive(Interactive {
        header: Some(text(interactive, "/header/text")),
        body: text(interactive, "/body/text"),
        footer: Some(text(interactive, "/footer/text")),
        choices: Choices::Buttons(buttons.iter().map(|button| choice(&button["reply"])).collect()),
    });
    assert_eq!(build(&content), compact("whatsapp/out-interactive-buttons"));

    let expected = json("whatsapp/out-interactive-list");
    let interactive = &expected["interactive"];
    let section = |section: &Value| Section {
        title: Some(text(section, "/title")),
        rows: section["rows"].as_array().unwrap().iter().map(choice).collect(),
    };
    let sections = interactive["action"]["sections"].as_array().unwrap();
    let content = Outgoing::Interactive(Interactive {
        header: Some(text(interactive, "/header/text")),
        body: text(interactive, "/body/text"),
        footer: None,
        choices: Choices::List {
            button: text(interactive, "/action/button"),
            sections: sections.iter().map(section).collect(),
        },
    });
    assert_eq!(build(&content), compact("whatsapp/out-interactive-list"));
}

#[test]
fn texts_and_templates_are_the_fixtures_byte_for_byte() {
    let expected = json("whatsapp/out-text-reply");
    let content = Outgoing::Text { body: text(&expected, "/text/body"), preview_url: true };
    let (reference, reply_to) =
        (text(&expected, "/biz_opaque_callback_data"), text(&expected, "/context/message_id"));
    let reply = Envelope { reference: &reference, reply_to: Some(&reply_to), ..envelope(TO, &content) };
    let request = whatsapp::send_request(&sender(), &reply).unwrap();
    assert_eq!(request.method(), "POST");
    assert_eq!(request.uri(), "https://graph.facebook.com/v25.0/310987654321001/messages");
    assert_eq!(request.headers()["authorization"], "Bearer FIXTURE-PAGE-TOKEN");
    assert_eq!(request.headers()["content-type"], "application/json");
    assert_eq!(support::body(Ok(request)), compact("whatsapp/out-text-reply"));

    for (name, to) in [("whatsapp/out-template", TO), ("whatsapp/out-template-named", "US.7K2Q9D4M1X8Z55")] {
        let expected = json(name);
        let content = Outgoing::Template {
            name: text(&expected, "/template/name"),
            language: text(&expected, "/template/language/code"),
            components: expected["template"]["components"].as_array().unwrap().clone(),
        };
        let reference = expected["biz_opaque_callback_data"].as_str().unwrap_or_default();
        let template = Envelope { reference, ..envelope(to, &content) };
        assert_eq!(support::body(whatsapp::send_request(&sender(), &template)), compact(name));
    }
    let bare = Outgoing::Template { name: "a".into(), language: "en".into(), components: vec![] };
    assert!(build(&bare).contains(r#""template":{"name":"a","language":{"code":"en"}}"#));
}

#[test]
fn the_proof_is_the_vector_of_the_contract() {
    let sender = Sender { app_secret: Some("fixture-app-secret".into()), ..sender() };
    let content = Outgoing::Text { body: "a".into(), preview_url: false };
    let request = whatsapp::send_request(&sender, &envelope(TO, &content)).unwrap();
    assert_eq!(
        request.uri().query(),
        Some("appsecret_proof=0b3405545fa2d6d178325bee1376362ec55368e802a0148244bc07cb81da98b2")
    );
}

#[test]
fn settings_cannot_leave_their_place() {
    let content = Outgoing::Text { body: "a".into(), preview_url: false };
    let build = |sender: Sender| match whatsapp::send_request(&sender, &envelope(TO, &content)) {
        Err(BuildError::Setting(name)) => name,
        other => panic!("{other:?}"),
    };
    assert_eq!(build(Sender { node: "1/../../2".into(), ..sender() }), "id");
    assert_eq!(build(Sender { node: "..".into(), ..sender() }), "id");
    assert_eq!(build(Sender { node: String::new(), ..sender() }), "id");
    assert_eq!(build(Sender { api_version: "v1?x=".into(), ..sender() }), "API version");
    assert_eq!(build(Sender { access_token: "a\r\nX-Evil: 1".into(), ..sender() }), "access token");
    assert_eq!(build(Sender { base_url: "http://a b".into(), ..sender() }), "base URL");
    assert!(!format!("{:?}", sender()).contains("FIXTURE-PAGE-TOKEN"));
}

#[test]
fn reads_acceptance() {
    let headers = HeaderMap::new();
    let result = whatsapp::read_answer(200, &headers, &stored("whatsapp/res-send-accepted"));
    let (provider_id, recipient_id) = ("wamid.RklYLU9VVC0x".to_string(), Some("12025550147".to_string()));
    assert_eq!(result, SendResult::Accepted { provider_id, recipient_id, state: None });
    let by_user = br#"{"contacts":[{"input":"US.A","user_id":"US.A"}],"messages":[{"id":"wamid.A"}]}"#;
    let SendResult::Accepted { recipient_id, .. } = whatsapp::read_answer(200, &headers, by_user) else {
        panic!()
    };
    assert_eq!(recipient_id.as_deref(), Some("US.A"));
}

#[test]
fn a_success_without_an_id_is_unclear_and_never_sent_again() {
    for body in ["", "<html>", "{}", r#"{"messages":[]}"#, r#"{"messages":[{"id":""}]}"#, "[1]"] {
        let result = whatsapp::read_answer(200, &HeaderMap::new(), body.as_bytes());
        assert!(matches!(result, SendResult::Unclear { .. }), "{body}");
    }
}

fn refused(status: u16, headers: &HeaderMap, body: &[u8]) -> Failure {
    match whatsapp::read_answer(status, headers, body) {
        SendResult::Refused(failure) => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn reads_refusals() {
    let none = HeaderMap::new();
    let failure = refused(400, &none, &stored("whatsapp/res-error-rate-limit"));
    assert_eq!((failure.code.as_str(), failure.class), ("130429", RetryClass::Throttled));
    assert!(failure.provider_text.contains("throughput of this number"));
    let failure = refused(401, &none, &stored("whatsapp/res-error-token"));
    let expired = RetryClass::Alert(AlertReason::TokenExpired);
    assert_eq!((failure.code.as_str(), failure.class), ("190", expired));
    let failure = refused(503, &none, b"<html>busy</html>");
    assert_eq!((failure.code.as_str(), failure.class), ("http_503", RetryClass::Retry));
    assert_eq!(refused(400, &none, b"<html>").class, RetryClass::Retry);
    assert_eq!(refused(400, &none, b"{}").class, RetryClass::Never);
    assert_eq!(refused(429, &none, b"{}").class, RetryClass::Throttled);
}

#[test]
fn takes_over_the_time_to_wait() {
    let wait = |name: &'static str, value: &str, body: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        refused(429, &headers, body.as_bytes()).retry_after.map(|duration| duration.as_secs())
    };
    let throttled = r#"{"error":{"code":130429,"message":"x"}}"#;
    assert_eq!(wait("retry-after", "7", throttled), Some(7));
    assert_eq!(wait("retry-after", "0", throttled), None);
    assert_eq!(wait("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT", throttled), None);
    assert_eq!(wait("retry-after", "99999999", throttled), Some(86_400));
    let usage = r#"{"1":[{"type":"messages","estimated_time_to_regain_access":2},{"estimated_time_to_regain_access":5}]}"#;
    assert_eq!(wait("x-business-use-case-usage", usage, throttled), Some(300));
    assert_eq!(wait("x-business-use-case-usage", "nonsense", throttled), None);
    assert_eq!(wait("retry-after", "7", r#"{"error":{"code":100}}"#), None, "never means never");
    let maintenance = r#"{"error":{"code":131057}}"#;
    assert_eq!(wait("retry-after", "7", maintenance), Some(20), "maintenance takes longer");
}

#[test]
fn read_marks_are_the_fixture() {
    let expected = json("whatsapp/out-read-typing");
    let id = text(&expected, "/message_id");
    let request = whatsapp::mark_read(&sender(), &id, true).unwrap();
    assert_eq!(request.uri().path(), "/v25.0/310987654321001/messages");
    assert_eq!(support::body(Ok(request)), compact("whatsapp/out-read-typing"));
    let silent = support::body(whatsapp::mark_read(&sender(), &id, false));
    assert!(!silent.contains("typing"), "{silent}");
    let answer = |status, body: &str| whatsapp::read_mark_answer(status, &HeaderMap::new(), body.as_bytes());
    assert_eq!(answer(200, r#"{"success":true}"#), Ok(()));
    assert_eq!(answer(400, r#"{"error":{"code":131009}}"#).unwrap_err().class, RetryClass::Never);
}

fn interactive(choices: Choices) -> Outgoing {
    Outgoing::Interactive(Interactive { header: None, body: "b".into(), footer: None, choices })
}

fn many(count: usize, id: &str, title: &str) -> Vec<Choice> {
    let one = Choice { id: id.into(), title: title.into(), description: None };
    vec![one; count]
}

/// Whether it can be sent.
fn check(content: &Outgoing) -> Result<(), BuildError> {
    whatsapp::send_request(&sender(), &envelope(TO, content)).map(drop)
}

#[test]
fn what_is_beyond_a_limit_cannot_be_built() {
    let (title20, title24) = ("é".repeat(20), "é".repeat(24));
    let list = |button: &str, sections: Vec<(Option<&str>, Vec<Choice>)>| {
        let sections =
            sections.into_iter().map(|(title, rows)| Section { title: title.map(str::to_string), rows });
        interactive(Choices::List { button: button.into(), sections: sections.collect() })
    };
    let long = |kind: MediaKind, caption: usize| {
        Outgoing::Media(Media { caption: Some("é".repeat(caption)), ..media(kind, id("1")) })
    };
    let fits = [
        Outgoing::Text { body: "é".repeat(4096), preview_url: false },
        long(MediaKind::Image, 1024),
        interactive(Choices::Buttons(many(3, &"i".repeat(256), &title20))),
        list(&title20, vec![(None, many(10, &"i".repeat(200), &title24))]),
        list("b", vec![(Some(&title24), many(5, "i", "t")), (Some("t"), many(5, "i", "t"))]),
    ];
    for content in &fits {
        check(content).unwrap_or_else(|error| panic!("{error}: {content:?}"));
    }
    let described = |chars: usize| {
        let description = Some("é".repeat(chars));
        list("b", vec![(None, vec![Choice { id: "i".into(), title: "t".into(), description }])])
    };
    check(&described(72)).unwrap();
    let beyond = [
        Outgoing::Text { body: "é".repeat(4097), preview_url: false },
        long(MediaKind::Image, 1025),
        long(MediaKind::Audio, 1),
        Outgoing::Media(Media {
            sticker: true,
            caption: Some("c".into()),
            ..media(MediaKind::Image, id("1"))
        }),
        Outgoing::Contacts(vec![]),
        interactive(Choices::Buttons(many(4, "i", "t"))),
        interactive(Choices::Buttons(vec![])),
        interactive(Choices::Buttons(many(1, "i", &"t".repeat(21)))),
        interactive(Choices::Buttons(many(1, &"i".repeat(257), "t"))),
        list(&"b".repeat(21), vec![(None, many(1, "i", "t"))]),
        list("b", vec![(None, many(11, "i", "t"))]),
        list("b", vec![(Some("s"), many(6, "i", "t")), (Some("s"), many(5, "i", "t"))]),
        list("b", vec![(Some("s"), many(1, "i", "t")), (None, many(1, "i", "t"))]),
        list("b", vec![(Some(&"s".repeat(25)), many(1, "i", "t"))]),
        list("b", vec![(None, vec![])]),
        list("b", vec![]),
        list("b", vec![(None, many(1, &"i".repeat(201), "t"))]),
        list("b", vec![(None, many(1, "i", &"t".repeat(25)))]),
        described(73),
    ];
    for content in &beyond {
        assert!(matches!(check(content), Err(BuildError::Unsupported(_))), "{content:?}");
    }
    for (header, body, footer) in [(61, 1, 1), (1, 1025, 1), (1, 1, 61)] {
        let content = Outgoing::Interactive(Interactive {
            header: Some("é".repeat(header)),
            body: "é".repeat(body),
            footer: Some("é".repeat(footer)),
            choices: Choices::Buttons(many(1, "i", "t")),
        });
        assert!(check(&content).is_err(), "{header} {body} {footer}");
    }
}

#[test]
fn an_upload_is_a_form_with_the_file() {
    let bytes = b"\x89PNG\r\n--not the boundary\r\n".to_vec();
    let file = File { mime: "image/png", filename: "l\"eft\r\n.png", size: bytes.len() as u64 };
    let request = whatsapp::upload_media(&sender(), file).unwrap().with(&bytes);
    assert_eq!(request.uri().path(), "/v25.0/310987654321001/media");
    assert_eq!(request.headers()["authorization"], "Bearer FIXTURE-PAGE-TOKEN");
    assert_eq!(request.headers()["content-length"].to_str().unwrap(), request.body().len().to_string());
    let boundary = request.headers()["content-type"].to_str().unwrap();
    let boundary = boundary.strip_prefix("multipart/form-data; boundary=").unwrap();
    // A parser that shares no code with the writer.
    let stream = futures::stream::iter([Ok::<_, std::io::Error>(request.body().clone())]);
    let mut form = multer::Multipart::new(stream, boundary);
    let mut fields = Vec::new();
    futures::executor::block_on(async {
        while let Some(field) = form.next_field().await.unwrap() {
            let about = format!("{:?} {:?} {:?}", field.name(), field.file_name(), field.content_type());
            fields.push((about, field.bytes().await.unwrap().to_vec()));
        }
    });
    let [product, kind, file] = fields.as_slice() else { panic!("{fields:?}") };
    assert_eq!(product, &("Some(\"messaging_product\") None None".into(), b"whatsapp".to_vec()));
    assert_eq!(kind, &("Some(\"type\") None None".into(), b"image/png".to_vec()));
    assert_eq!(file.0, "Some(\"file\") Some(\"l%22eft%0D%0A.png\") Some(\"image/png\")");
    assert_eq!(file.1, bytes);
    let evil = File { mime: "image/png\r\nX: 1", filename: "a", size: 1 };
    assert!(whatsapp::upload_media(&sender(), evil).is_err());
}

#[test]
fn reads_where_a_file_is() {
    let none = HeaderMap::new();
    assert_eq!(whatsapp::read_upload(200, &none, br#"{"id":"740022110099887"}"#).unwrap(), "740022110099887");
    assert_eq!(whatsapp::read_upload(200, &none, b"{}").unwrap_err().class, RetryClass::Retry);
    let request = whatsapp::media_info(&sender(), "740022110099887").unwrap();
    assert_eq!(
        request.uri().to_string(),
        "https://graph.facebook.com/v25.0/740022110099887?phone_number_id=310987654321001"
    );
    assert!(whatsapp::media_info(&sender(), "1/../2").is_err());
    let info = whatsapp::read_media_info(200, &none, &stored("whatsapp/res-media-info")).unwrap();
    assert_eq!((info.mime.as_deref(), info.size), (Some("image/jpeg"), Some(48_213)));
    assert!(info.url.starts_with("https://media.example.test/whatsapp_business/attachments/"));
    let text_size = whatsapp::read_media_info(200, &none, br#"{"url":"https://a","file_size":"7"}"#).unwrap();
    assert_eq!(text_size.size, Some(7));
}

#[test]
fn the_token_goes_only_to_allowed_hosts() {
    let allowed = ["media.example.test", "http://sandbox.spin.internal"];
    let download = |url: &str| whatsapp::media_download(&sender(), url, &allowed);
    for url in ["https://media.example.test/a?b=c", "http://sandbox.spin.internal/sandbox/media/1"] {
        let request = download(url).unwrap();
        assert_eq!(request.headers()["authorization"], "Bearer FIXTURE-PAGE-TOKEN", "{url}");
        assert_eq!(request.uri().to_string(), url);
    }
    for url in [
        "http://media.example.test/a",
        "https://media.example.test:8443/a",
        "https://media.example.test.evil.test/a",
        "https://evil.test/media.example.test",
        "https://user@media.example.test/a",
        "https://evil.test#@media.example.test",
        "https://sandbox.spin.internal/a",
        "/a",
        "",
    ] {
        assert_eq!(download(url).unwrap_err(), BuildError::Setting("address of the file"), "{url}");
    }
}

#[test]
fn reads_pages_to_the_last_one() {
    let none = HeaderMap::new();
    let request = whatsapp::templates_page(&sender(), "290011223344556", Some("a b&c")).unwrap();
    assert_eq!(request.uri().path(), "/v25.0/290011223344556/message_templates");
    assert!(request.uri().query().unwrap().ends_with("&limit=100&after=a+b%26c"));
    let page = whatsapp::read_templates_page(200, &none, &stored("whatsapp/res-templates-page")).unwrap();
    assert_eq!(page.after.as_deref(), Some("RklYLUFGVEVS"));
    let short: Vec<_> = page
        .items
        .iter()
        .map(|t| (t.name.as_str(), t.language.as_str(), t.status.as_str(), t.named))
        .collect();
    assert_eq!(
        short,
        [("parcel_update_v2", "en_GB", "APPROVED", false), ("visit_reminder", "de", "PAUSED", true)]
    );
    assert_eq!(page.items[0].components.len(), 3);

    let page = whatsapp::read_phone_numbers_page(200, &none, &stored("whatsapp/res-phone-numbers")).unwrap();
    assert_eq!(page.after, None, "a cursor without a next page is none");
    let [number] = page.items.as_slice() else { panic!() };
    assert_eq!((number.id.as_str(), number.display.as_str()), ("310987654321001", "+1 202-555-0100"));
    assert_eq!((number.quality.as_deref(), number.throughput.as_deref()), (Some("GREEN"), Some("STANDARD")));
    assert_eq!(number.status, None, "was not asked for in this answer");

    let failure = whatsapp::read_templates_page(400, &none, br#"{"error":{"code":80007}}"#).unwrap_err();
    assert_eq!(failure.class, RetryClass::Throttled);
}
