//! Uploads: what is taken, what is refused, and that nothing is left of what was refused.

use super::store;
use serde_json::json;
use std::io::{Read, Write};
use std::time::Duration;
use tests::client::text;
use tests::media::{self, JPEG, MP4, OGG, PDF, PNG, try_upload};
use tests::{App, Tenant, unique, wait_for};

const SECONDS: Duration = Duration::from_secs(10);

#[test]
fn every_kind_of_file_is_stored_and_comes_back() {
    let tenant = Tenant::new(App::shared());
    for (filename, declared, bytes, media_type, mime) in [
        ("pixel.png", "image/png", PNG, "image", "image/png"),
        ("photo.jpg", "", JPEG, "image", "image/jpeg"),
        ("invoice-4827.pdf", "application/pdf", PDF, "document", "application/pdf"),
        ("film.mp4", "application/octet-stream", MP4, "video", "video/mp4"),
        ("note.ogg", "audio/ogg; codecs=opus", OGG, "audio", "audio/ogg"),
        ("list.csv", "text/csv", b"name,city\nAnna,Warsaw\n", "document", "text/csv"),
        ("notes.txt", "text/plain", "Zażółć gęślą jaźń\n".as_bytes(), "document", "text/plain"),
    ] {
        let file = try_upload(&tenant.key, filename, declared, bytes).expect(201);
        let id = text(&file, "mediaId");
        assert_eq!(
            (&file["mediaType"], &file["mimeType"], &file["filename"], &file["fileSize"]),
            (&json!(media_type), &json!(mime), &json!(filename), &json!(bytes.len())),
        );
        assert_eq!(file["url"], format!("/media/{}/uploads/{id}", tenant.id));
        let back = tenant.key.get(&text(&file, "url"));
        assert_eq!((back.status, back.body.as_slice()), (200, bytes), "{filename}");
        assert_eq!(back.header("content-type").split(';').next(), Some(mime));
        assert_eq!(back.header("content-length"), bytes.len().to_string());
        assert_eq!(tenant.key.get(&format!("/v1/media/{id}")).expect(200), file);
    }
}

#[test]
fn a_file_must_be_what_it_says() {
    let tenant = Tenant::new(App::shared());
    for (filename, declared, bytes, found) in [
        ("a.jpg", "image/jpeg", PNG, "image/png"),
        ("a.pdf", "application/pdf", b"hello".as_slice(), "text/plain"),
        ("a.txt", "text/plain", PDF, "application/pdf"),
        ("a.png", "image/png", b"<svg onload='alert(1)'/>", "image/svg+xml"),
    ] {
        let refused = try_upload(&tenant.key, filename, declared, bytes);
        assert_eq!(refused.wrong_fields(422), ["file"]);
        let message = text(&refused.json()["errors"][0], "message");
        assert!(message.contains(declared) && message.contains(found), "{message}");
    }
}

#[test]
fn what_browsers_or_machines_would_run_is_refused() {
    let tenant = Tenant::new(App::shared());
    for (filename, declared, bytes) in [
        ("a.html", "text/html", b"<p>hello".as_slice()),
        ("a.txt", "", b"<!DOCTYPE html><script>alert(1)</script>"),
        ("a.svg", "image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("a.js", "text/plain", b"alert(1)"),
        ("a.png", "image/png", b"MZ\x90\0\x03\0\0\0"),
        ("a", "", &[b"\x7fELF\x02\x01\x01\0".as_slice(), &[0; 56]].concat()),
    ] {
        let refused = try_upload(&tenant.key, filename, declared, bytes);
        assert_eq!(refused.wrong_fields(422), ["file"], "{filename}");
    }
}

#[test]
fn a_form_has_exactly_one_file() {
    let tenant = Tenant::new(App::shared());
    let part = |field: &str, bytes: &[u8]| {
        [media::form_head(field, "a.png", "image/png").as_bytes(), bytes, b"\r\n"].concat()
    };
    let end = format!("--{}--\r\n", media::BOUNDARY).into_bytes();
    let send = |parts: &[&[u8]]| media::send_form(&tenant.key, &parts.concat());
    let file = part("file", PNG);
    assert_eq!(send(&[&end]).wrong_fields(422), ["file"]);
    assert_eq!(send(&[&file, &file, &end]).wrong_fields(422), ["file"]);
    assert_eq!(send(&[&part("file", b""), &end]).wrong_fields(422), ["file"]);
    assert_eq!(send(&[&part("picture", PNG), &end]).wrong_fields(422), ["picture"]);
    assert_eq!(send(&[&file, &part("note", b"x"), &end]).wrong_fields(422), ["note"]);
    send(&[&file]).problem(400, "request_malformed");
    send(&[b"nonsense"]).problem(400, "request_malformed");
    send(&[&file, &end]).expect(201);
    for kind in [None, Some("application/json"), Some("multipart/form-data"), Some("image/png")] {
        let refused = tenant.key.raw(&http::Method::POST, "/v1/media/uploads", kind, PNG).unwrap();
        refused.problem(415, "request_media_type_unsupported");
    }
}

#[test]
fn names_are_made_harmless() {
    let tenant = Tenant::new(App::shared());
    for (given, shown) in [("../../etc/passwd.png", "passwd.png"), ("C:\\a\\Zażółć.png", "Zażółć.png")]
    {
        let file = try_upload(&tenant.key, given, "image/png", PNG).expect(201);
        assert_eq!(file["filename"], shown);
    }
}

#[test]
fn the_same_key_ten_times_at_once_is_one_file() {
    let Some(app) = App::own(&[]) else { return };
    let tenant = Tenant::new(&app);
    let once = tenant.key.once(&unique::word());
    let bytes = [PNG, &vec![7; 2_500_000]].concat();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let sends: Vec<_> =
            (0..10).map(|_| scope.spawn(|| try_upload(&once, "a.png", "image/png", &bytes))).collect();
        sends.into_iter().map(|send| send.join().unwrap()).collect()
    });
    let mut ids: Vec<String> = answers.iter().map(|answer| text(&answer.expect(201), "mediaId")).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.header("idempotent-replay").is_empty()).count(), 1);
    assert_eq!((store::rows(&app), store::parts(&app)), (1, 3));
    // Later too, and of another file it is refused, whatever its size.
    let later = try_upload(&once, "a.png", "image/png", &bytes);
    assert_eq!(
        (text(&later.expect(201), "mediaId"), later.header("idempotent-replay")),
        (ids[0].clone(), "true")
    );
    for other in [PNG, &[PNG, &vec![8; 2_500_000]].concat()] {
        try_upload(&once, "a.png", "image/png", other).problem(422, "idempotency_key_reused");
    }
    assert_eq!((store::rows(&app), store::parts(&app)), (1, 3));
    assert_eq!(tenant.key.get(&text(&later.json(), "url")).body, bytes);
}

#[test]
fn a_refused_upload_leaves_its_key_free() {
    let tenant = Tenant::new(App::shared());
    let once = tenant.key.once(&unique::word());
    try_upload(&once, "a.png", "image/png", PDF).problem(422, "request_validation_failed");
    try_upload(&once, "a.pdf", "application/pdf", PDF).expect(201);
}

/// Sends the head of a form and as many bytes of a picture as said, announces `announced`, and goes on by hand.
fn begin(tenant: &Tenant, announced: Option<usize>, head: &[u8], size: usize) -> std::net::TcpStream {
    let kind = media::form_type();
    let length = announced.map(|bytes| bytes.to_string());
    let framing = match &length {
        Some(length) => ("content-length", length.as_str()),
        None => ("transfer-encoding", "chunked"),
    };
    let headers = [("content-type", kind.as_str()), framing];
    let mut stream = tenant.key.open("POST", "/v1/media/uploads", &headers);
    let mut send = |bytes: &[u8]| {
        if length.is_some() {
            stream.write_all(bytes).is_ok()
        } else {
            stream.write_all(&[format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()).is_ok()
        }
    };
    send(head);
    let mut left = size;
    while left > 0 && send(&vec![7; left.min(60_000)]) {
        left = left.saturating_sub(60_000);
    }
    stream
}

fn status(stream: &mut std::net::TcpStream) -> u16 {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or_else(|| panic!("no answer: {answer:?}"))
}

#[test]
fn what_is_too_large_is_refused_and_deleted_again() {
    let Some(app) = App::own(&[("media_document_bytes", "8000000")]) else { return };
    let tenant = Tenant::new(&app);
    let head = |kind: &str, start: &[u8]| [media::form_head("file", "a", kind).as_bytes(), start].concat();
    let image = head("image/png", PNG);
    let limit = 16 * 1024 * 1024;
    // Known from its length, known from its kind and length, and known only when it came.
    for (announced, size) in [
        (Some(80_000_000), 100_000),
        (Some(limit + 100_000), limit + 100_000 - image.len()),
        (Some(limit + 5000), limit + 5000 - image.len()),
        (None, limit + 1),
    ] {
        assert_eq!(status(&mut begin(&tenant, announced, &image, size)), 413, "{announced:?} {size}");
    }
    let document = head("application/pdf", PDF);
    assert_eq!(
        status(&mut begin(&tenant, None, &document, 8_000_001 - PDF.len())),
        413,
        "the limit of the variable"
    );
    wait_for("the clean-up", SECONDS, || (store::rows(&app) == 0 && store::parts(&app) == 0).then_some(()));
    let fits = [PNG, &vec![7; limit - PNG.len()]].concat();
    assert_eq!(try_upload(&tenant.key, "a.png", "image/png", &fits).expect(201)["fileSize"], limit);
}

#[test]
fn an_upload_that_is_cut_off_leaves_nothing() {
    let Some(app) = App::own(&[]) else { return };
    let tenant = Tenant::new(&app);
    let head = [media::form_head("file", "a.png", "image/png").as_bytes(), PNG].concat();
    for announced in [Some(9_000_000), None] {
        let stream = begin(&tenant, announced, &head, 4_200_000);
        wait_for("the first parts", SECONDS, || (store::parts(&app) >= 4).then_some(()));
        assert_eq!(store::rows(&app), 1);
        drop(stream);
        wait_for("the clean-up", SECONDS, || {
            (store::rows(&app) == 0 && store::parts(&app) == 0).then_some(())
        });
    }
}

#[test]
fn a_killed_servers_uploads_are_cleaned_up_after_an_hour() {
    let Some(mut app) = App::own(&[]) else { return };
    let tenant = Tenant::new(&app);
    let kept = media::upload(&tenant.key, "a.png", "image/png", PNG);
    let head = [media::form_head("file", "a.png", "image/png").as_bytes(), PNG].concat();
    let stream = begin(&tenant, Some(9_000_000), &head, 2_200_000);
    wait_for("the first parts", SECONDS, || (store::parts(&app) >= 3).then_some(()));
    app.process().kill();
    drop(stream);
    assert_eq!((store::rows(&app), store::parts(&app)), (2, 3));
    store::change(&app, "UPDATE media SET created_at = created_at - 3601000");
    app.process().start_again();
    wait_for("the housekeeping", SECONDS, || {
        (store::rows(&app) == 1 && store::parts(&app) == 1).then_some(())
    });
    assert_eq!(tenant.key.get(&format!("/media/{}/uploads/{kept}", tenant.id)).body, PNG);
}

#[test]
fn headers_without_end_are_refused() {
    let tenant = Tenant::new(App::shared());
    let head = format!("--{}\r\nContent-Disposition: form-data; name=\"", media::BOUNDARY);
    let answered = status(&mut begin(&tenant, Some(20_000_000), head.as_bytes(), 20_000_000 - head.len()));
    assert_eq!(answered, 400);
}
