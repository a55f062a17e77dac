//! The largest files: the server holds a few parts of them, never the whole.

use super::store;
use http::Method;
use std::io::{Read, Write};
use std::time::{Duration, Instant};
use tests::client::text;
use tests::{App, Tenant, media, wait_for};

const SIZE: usize = 63 * 1024 * 1024;
/// What the server may take more while a file passes through it, in KiB: parts of a megabyte in the component, in
/// the runtime and in the store, and buffers of the connection.
const MEMORY_KIB: u64 = 16 * 1024;

/// Byte `at` of the document.
fn byte(at: usize) -> u8 {
    media::PDF.get(at).copied().unwrap_or((at / 509 % 251) as u8 ^ (at % 256) as u8)
}

fn document() -> Vec<u8> {
    (0..SIZE).map(byte).collect()
}

fn upload(tenant: &Tenant, bytes: &[u8]) -> String {
    let (head, tail) = (media::form_head("file", "large.pdf", "application/pdf"), media::form_tail());
    let length = (head.len() + bytes.len() + tail.len()).to_string();
    let headers = [("content-type", media::form_type()), ("content-length", length)];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut stream = tenant.key.open("POST", "/v1/media/uploads", &headers);
    for piece in [head.as_bytes(), bytes, tail.as_bytes()] {
        stream.write_all(piece).unwrap();
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let file: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(file["fileSize"], bytes.len());
    text(&file, "url")
}

fn rate(started: Instant) -> f64 {
    SIZE as f64 / 1e6 / started.elapsed().as_secs_f64()
}

#[test]
fn a_large_document_passes_through_in_pieces() {
    let Some(mut app) = App::own(&[]) else { return };
    let tenant = Tenant::new(&app);
    let bytes = document();
    // The first of each kind loads code and opens stores.
    let small = media::upload(&tenant.key, "a.pdf", "application/pdf", media::PDF);
    tenant.key.get(&format!("/media/{}/uploads/{small}", tenant.id));
    let peak = |app: &mut App, what: &str, work: &mut dyn FnMut()| {
        app.process().forget_peak();
        let before = app.process().memory_peak();
        work();
        let more = app.process().memory_peak().saturating_sub(before);
        eprintln!("{what}: {more} KiB more");
        assert!(more < MEMORY_KIB, "{what} took {more} KiB");
    };
    let mut url = String::new();
    peak(&mut app, "the upload", &mut || {
        let started = Instant::now();
        url = upload(&tenant, &bytes);
        eprintln!("up: {:.0} MB/s", rate(started));
    });
    peak(&mut app, "the download", &mut || {
        let started = Instant::now();
        let mut stream = tenant.key.open("GET", &url, &[]);
        let mut answer = Vec::with_capacity(SIZE + 4096);
        stream.read_to_end(&mut answer).unwrap();
        eprintln!("down: {:.0} MB/s", rate(started));
        assert!(answer[answer.len() - SIZE..] == bytes[..]);
    });
    peak(&mut app, "the ranges", &mut || {
        let step = 7_340_033;
        for start in (0..SIZE).step_by(step) {
            let end = (start + step).min(SIZE);
            let range = format!("bytes={start}-{}", end - 1);
            let part = tenant.key.with("range", &range).raw(&Method::GET, &url, None, b"").unwrap();
            assert!(part.status == 206 && part.body == bytes[start..end], "{range}");
        }
    });
}

#[test]
fn who_leaves_is_not_read_for() {
    let Some(mut app) = App::own(&[]) else { return };
    let tenant = Tenant::new(&app);
    let url = upload(&tenant, &document());
    let before = app.process().bytes_read();
    for _ in 0..5 {
        let mut stream = tenant.key.open("GET", &url, &[]);
        stream.read_exact(&mut [0; 100_000]).unwrap();
    }
    std::thread::sleep(Duration::from_secs(2));
    let read = app.process().bytes_read() - before;
    assert!(read < 5 * 16_000_000, "read {read} bytes for clients that had left");
    // The instances serve on.
    assert_eq!(tenant.key.with("range", "bytes=0-9").get(&url).body, media::PDF[..10]);
}

#[test]
fn a_deleted_documents_bytes_go() {
    let Some(app) = App::own(&[]) else { return };
    let tenant = Tenant::new(&app);
    let url = upload(&tenant, &document());
    assert_eq!(store::parts(&app), 67);
    let id = url.rsplit('/').next().unwrap();
    tenant.key.delete(&format!("/v1/media/{id}")).expect(204);
    wait_for("the sweep", Duration::from_secs(10), || (store::parts(&app) == 0).then_some(()));
    tenant.key.get(&url).problem(404, "media_not_found");
}
