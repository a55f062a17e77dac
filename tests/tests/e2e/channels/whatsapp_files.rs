//! The callback fixtures of WhatsApp that carry files, byte for byte, on a server whose provider has those files.

use crate::channels::support::{wait_for_messages, wait_until};
use serde_json::{Value, json};
use tests::callbacks::{self, fixture};
use tests::client::text;
use tests::media::{JPEG, MP4, OGG, PDF};
use tests::provider::{Asked, Told};
use tests::{App, Provider, Tenant, wait_for};

/// The number that the fixtures are about.
const NUMBER: &str = "310987654321001";
const TOKEN: &str = "media-token-of-the-fixtures";
const WEBP: &[u8] =
    b"RIFF\x22\0\0\0WEBPVP8 \x16\0\0\x000\x01\0\x9d\x01*\x01\0\x01\0\x0e\xc0\xfe%\xa4\0\x03p\0\0\0\0";

/// The files of the fixtures by their ids: type and bytes.
const FILES: &[(&str, &str, &[u8])] = &[
    ("740022110099887", "image/jpeg", JPEG),
    ("740022110099901", "application/pdf", PDF),
    ("740022110099902", "audio/ogg; codecs=opus", OGG),
    ("740022110099903", "video/mp4", MP4),
    ("740022110099904", "image/webp", WEBP),
];

/// Media information and bytes, to who has the token.
fn answer(asked: &Asked) -> Told {
    if asked.header("authorization") != format!("Bearer {TOKEN}") {
        return Told::json(401, &json!({"error": {"code": 190, "message": "token"}}));
    }
    let path = asked.path.split('?').next().unwrap_or_default();
    let (is_info, id) = match path.strip_prefix("/v25.0/") {
        Some(id) => (true, id),
        None => (false, path.trim_start_matches("/files/")),
    };
    let Some((_, mime, bytes)) = FILES.iter().find(|(known, ..)| *known == id) else {
        return Told::json(400, &json!({"error": {"code": 100, "message": "no such object"}}));
    };
    if !is_info {
        return Told { body: bytes.to_vec(), ..Told::text(200, "") };
    }
    let url = format!("http://{}/files/{id}", asked.header("host"));
    Told::json(
        200,
        &json!({"messaging_product": "whatsapp", "url": url, "mime_type": mime, "sha256": "00",
                "file_size": bytes.len().to_string(), "id": id}),
    )
}

/// A tenant with the fixtures' number, on a server of its own.
struct World {
    app: App,
    tenant: Tenant,
    provider: Provider,
}

impl World {
    fn new() -> Option<Self> {
        let provider = Provider::answering(|asked, _| answer(asked));
        let app = App::own(&[("whatsapp_base_url", &provider.url), ("whatsapp_access_token", TOKEN)])?;
        let tenant = Tenant::new(&app);
        let request = json!({"whatsapp": {"resourceIds": ["290011223344556"], "phoneNumberIds": [NUMBER]}});
        tenant.key.post("/v1/inboxes", request).expect(200);
        Some(World { app, tenant, provider })
    }

    fn deliver(&self, name: &str) {
        let secret = self.app.whatsapp_app_secret.as_deref().unwrap();
        let body = fixture(&format!("whatsapp/{name}"), &[]);
        let answer = callbacks::meta(&self.app, "/channels/whatsapp", secret, &body);
        assert_eq!(answer.status, 200, "{answer}");
    }

    /// The media content of a message, once its file is here; the file is what the provider has.
    fn file(&self, message: &Value) -> Value {
        let key = &self.tenant.key;
        let media = text(&message["content"]["media"], "sourceId");
        let done = wait_until(key, &text(message, "id"), &media, |message| {
            message["content"]["media"]["url"].is_string()
        });
        let content = done["content"]["media"].clone();
        let (_, _, bytes) = FILES.iter().find(|(id, ..)| *id == media).unwrap();
        let served = key.get(&text(&content, "url"));
        assert_eq!((served.status, served.body.as_slice()), (200, *bytes), "{content}");
        assert_eq!(content["fileSize"], bytes.len(), "{content}");
        content
    }
}

#[test]
fn an_image_comes_in_with_its_file() {
    let Some(world) = World::new() else { return };
    world.deliver("in-image");
    let message = wait_for_messages(&world.tenant.key, 1)[0].clone();
    assert_eq!(message["channelMessageId"], "wamid.RklYLUlOLUlNRy0x");
    assert_eq!(message["senderType"], "customer");
    let media = world.file(&message);
    assert_eq!(
        (&media["mediaType"], &media["mimeType"], &media["caption"]),
        (&json!("image"), &json!("image/jpeg"), &json!("the dent"))
    );
    // Asked for by its id: the URL in the callback is on a host that gets no token of ours.
    let paths: Vec<String> = world.provider.asked().into_iter().map(|asked| asked.path).collect();
    assert_eq!(paths.len(), 2, "{paths:?}");
    assert!(paths[0].starts_with("/v25.0/740022110099887"), "{paths:?}");
    // The same bytes once more: nothing new.
    world.deliver("in-image");
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(wait_for_messages(&world.tenant.key, 1).len(), 1);
    assert_eq!(world.provider.asked().len(), 2);
}

#[test]
fn a_batch_of_files_comes_in_one_by_one() {
    let Some(world) = World::new() else { return };
    world.deliver("in-media-batch");
    let all = wait_for_messages(&world.tenant.key, 4);
    let files: Vec<Value> = all.iter().map(|message| world.file(message)).collect();
    let kinds: Vec<(&str, &str)> = files
        .iter()
        .map(|file| (file["mediaType"].as_str().unwrap(), file["mimeType"].as_str().unwrap()))
        .collect();
    let expected = [
        ("document", "application/pdf"),
        ("audio", "audio/ogg"),
        ("video", "video/mp4"),
        ("image", "image/webp"),
    ];
    assert_eq!(kinds, expected);
    let [document, voice, _, sticker] = files.as_slice() else { panic!("{files:?}") };
    assert_eq!((&document["caption"], &document["filename"]), (&json!("signed"), &json!("form.pdf")));
    assert_eq!((&voice["voice"], &sticker["sticker"]), (&json!(true), &json!(true)));
    wait_for("nothing left to fetch", std::time::Duration::from_secs(5), || {
        (world.provider.asked().len() == 8).then_some(())
    });
}
