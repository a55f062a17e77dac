//! Files of the WhatsApp sandbox: upload, info, download, deletion.

use super::{code, delivered, number, play, provider};
use http::Method;
use serde_json::{Value, json};
use tests::client::text;
use tests::{Answer, App, Client, unique};

/// Uploads bytes under a type.
fn upload(client: &Client, number: &str, mime: &str, bytes: &[u8]) -> Answer {
    let boundary = "------boundary";
    let mut body = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"messaging_product\"\r\n\r\nwhatsapp\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\nContent-Type: {mime}\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(bytes);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    let kind = format!("multipart/form-data; boundary={boundary}");
    client.raw(&Method::POST, &format!("/sandbox/whatsapp/v25.0/{number}/media"), Some(&kind), &body).unwrap()
}

/// The path of a URL of this server.
fn path_of(url: &str) -> String {
    let at = url.find("/sandbox/files/").unwrap_or_else(|| panic!("no file: {url}"));
    url[at..].to_string()
}

#[test]
fn an_upload_can_be_looked_up_downloaded_and_deleted() {
    let app = App::shared();
    let (client, number) = (provider(app), number());
    // Larger than a part.
    let bytes: Vec<u8> = (0..2_500_000_u32).map(|n| (n % 251) as u8).collect();
    let id = text(&upload(&client, &number, "image/png", &bytes).expect(200), "id");
    assert!(id.bytes().all(|byte| byte.is_ascii_digit()));
    let info = client.get(&format!("/sandbox/whatsapp/v25.0/{id}?phone_number_id={number}")).expect(200);
    assert_eq!(info["mime_type"], "image/png");
    assert_eq!(info["file_size"], bytes.len());
    let path = path_of(&text(&info, "url"));
    assert_eq!(app.client().get(&path).status, 401, "the download needs the token");
    let file = client.get(&path);
    assert_eq!((file.status, file.header("content-type")), (200, "image/png"));
    assert_eq!(file.body, bytes);
    let elsewhere = client.get(&format!("/sandbox/whatsapp/v25.0/{id}?phone_number_id=1"));
    assert_eq!(code(&elsewhere), 100);
    assert_eq!(client.delete(&format!("/sandbox/whatsapp/v25.0/{id}")).expect(200), json!({"success": true}));
    assert_eq!(code(&client.get(&format!("/sandbox/whatsapp/v25.0/{id}"))), 100);
    assert_eq!(client.get(&path).status, 404);
}

#[test]
fn what_whatsapp_cannot_use_is_refused() {
    let app = App::shared();
    let (client, number) = (provider(app), number());
    assert_eq!(code(&upload(&client, &number, "image/gif", b"GIF89a")), 131_053);
    assert_eq!(code(&upload(&client, &number, "image/png", &vec![0; 5_000_001])), 131_053);
    assert_eq!(code(&upload(&app.client(), &number, "image/png", b"x")), 200, "no token");
    let path = format!("/sandbox/whatsapp/v25.0/{number}/media");
    assert_eq!(code(&client.post(&path, json!({}))), 100);
}

#[test]
fn a_message_carries_only_files_that_are_known_and_fit() {
    let app = App::shared();
    let (client, number, to) = (provider(app), number(), unique::phone());
    play(app, "whatsapp", json!({"account": number, "from": to, "text": "hi"}));
    let send = |kind: &str, id: &str| {
        let path = format!("/sandbox/whatsapp/v25.0/{number}/messages");
        let mut message = json!({"messaging_product": "whatsapp", "to": to, "type": kind});
        message[kind] = json!({"id": id});
        client.post(&path, message)
    };
    assert_eq!(code(&send("image", "740000000000001")), 131_009);
    let id = text(&upload(&client, &number, "image/png", b"\x89PNG").expect(200), "id");
    send("image", &id).expect(200);
    assert_eq!(send("video", &id).status, 200, "the kind shows later");
}

#[test]
fn a_customers_file_can_be_downloaded() {
    let app = App::shared();
    let number = number();
    let data = json!({"kind": "document", "data": "aGVsbG8=", "mimeType": "text/plain", "filename": "a.txt"});
    let request = json!({"account": number, "from": unique::phone(), "media": data});
    let body = delivered(&play(app, "whatsapp", request));
    let document: &Value = &body["entry"][0]["changes"][0]["value"]["messages"][0]["document"];
    assert_eq!(document["sha256"], "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=");
    let info = provider(app).get(&format!("/sandbox/whatsapp/v25.0/{}", text(document, "id"))).expect(200);
    assert_eq!(provider(app).get(&path_of(&text(&info, "url"))).body, b"hello");
}
