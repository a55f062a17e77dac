//! Downloads: ranges, entity tags, headers, and who may.

use super::store;
use http::Method;
use std::io::Read;
use tests::client::text;
use tests::media::{PDF, PNG, try_upload, upload};
use tests::{Answer, App, Client, Tenant};

/// A PNG of several parts whose bytes differ by place.
fn picture(size: usize) -> Vec<u8> {
    let tail = (PNG.len()..size).map(|at| (at / 251 % 251) as u8 ^ (at % 256) as u8);
    PNG.iter().copied().chain(tail).collect()
}

fn get(client: &Client, path: &str, range: &str) -> Answer {
    client.with("range", range).get(path)
}

#[test]
fn a_range_is_answered_alone() {
    let tenant = Tenant::new(App::shared());
    let bytes = picture(2_300_000);
    let path = format!("/media/{}/uploads/{}", tenant.id, upload(&tenant.key, "a.png", "image/png", &bytes));
    let last = bytes.len() - 1;
    for (range, first, end) in [
        ("bytes=0-0", 0, 0),
        ("bytes=0-499", 0, 499),
        ("bytes=999990-1000010", 999_990, 1_000_010),
        ("bytes=1000000-1999999", 1_000_000, 1_999_999),
        ("bytes=1999999-2000000", 1_999_999, 2_000_000),
        ("bytes=2299999-", last, last),
        ("bytes=100-99999999", 100, last),
        ("bytes=-1", last, last),
        ("bytes=-1500000", 800_000, last),
        ("bytes=-99999999", 0, last),
    ] {
        let part = get(&tenant.key, &path, range);
        assert_eq!(part.status, 206, "{range}");
        assert!(part.body == bytes[first..=end], "{range}");
        assert_eq!(part.header("content-range"), format!("bytes {first}-{end}/{}", bytes.len()));
        assert_eq!(part.header("content-length"), (end - first + 1).to_string());
    }
    for range in ["bytes=2300000-", "bytes=9999999-99999999", "bytes=-0"] {
        let refused = get(&tenant.key, &path, range);
        refused.problem(416, "range_not_satisfiable");
        assert_eq!(refused.header("content-range"), "bytes */2300000");
    }
    for range in ["bytes=5-4", "lines=1-2", "bytes=0-1,5-6"] {
        let whole = get(&tenant.key, &path, range);
        assert!(whole.status == 200 && whole.body == bytes, "{range}");
    }
}

#[test]
fn who_has_the_file_need_not_fetch_it_again() {
    let tenant = Tenant::new(App::shared());
    let path =
        format!("/media/{}/uploads/{}", tenant.id, upload(&tenant.key, "a.pdf", "application/pdf", PDF));
    let whole = tenant.key.get(&path);
    let etag = whole.header("etag").to_string();
    assert_eq!(etag, format!("\"{}\"", hex::encode(<sha2::Sha256 as sha2::Digest>::digest(PDF))));
    for tags in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".into()] {
        let known = tenant.key.with("if-none-match", &tags).get(&path);
        assert_eq!((known.status, known.body.len(), known.header("etag")), (304, 0, etag.as_str()), "{tags}");
    }
    assert_eq!(tenant.key.with("if-none-match", "\"x\"").get(&path).status, 200);
    let ranged = tenant.key.with("range", "bytes=0-3");
    assert_eq!(ranged.with("if-range", &etag).get(&path).status, 206);
    assert_eq!(ranged.with("if-range", "\"x\"").get(&path).status, 200);
}

#[test]
fn headers_say_how_to_show_it_and_nothing_more_is_guessed() {
    let tenant = Tenant::new(App::shared());
    for (filename, kind, bytes, disposition) in [
        ("pixel.png", "image/png", PNG, "inline; filename=\"pixel.png\"; filename*=UTF-8''pixel.png"),
        (
            "Zażółć 1%.pdf",
            "application/pdf",
            PDF,
            "inline; filename=\"Za____ 1_.pdf\"; filename*=UTF-8''Za%C5%BC%C3%B3%C5%82%C4%87%201%25.pdf",
        ),
        ("a.csv", "text/csv", b"a,b\n", "attachment; filename=\"a.csv\"; filename*=UTF-8''a.csv"),
    ] {
        let file = try_upload(&tenant.key, filename, kind, bytes).expect(201);
        let answer = tenant.key.get(&text(&file, "url"));
        assert_eq!(answer.header("content-disposition"), disposition);
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(answer.header("cache-control").starts_with("private"));
        assert_eq!(answer.header("accept-ranges"), "bytes");
        let head = tenant.key.send(Method::HEAD, &text(&file, "url"), None);
        assert_eq!((head.status, head.body.len()), (200, 0));
        for name in ["content-length", "content-type", "etag", "content-disposition"] {
            assert_eq!(head.header(name), answer.header(name), "{name}");
        }
    }
}

#[test]
fn another_tenants_file_is_as_absent_as_none() {
    let (tenant, other) = (Tenant::new(App::shared()), Tenant::new(App::shared()));
    let id = upload(&tenant.key, "a.png", "image/png", PNG);
    for path in [
        format!("/media/{}/uploads/{id}", tenant.id),
        format!("/media/{}/uploads/{id}", other.id),
        format!("/media/{}/uploads/mda_01HV8Z6K9D2R4S7T8P5N3Q1M0A", other.id),
        format!("/v1/media/{id}"),
    ] {
        other.key.get(&path).problem(404, "media_not_found");
    }
    other.key.delete(&format!("/v1/media/{id}")).problem(404, "media_not_found");
    App::shared()
        .client()
        .get(&format!("/media/{}/uploads/{id}", tenant.id))
        .problem(401, "auth_token_invalid");
    tenant.agent().client.get(&format!("/v1/media/{id}")).expect(200);
}

#[test]
fn sixteen_at_once_get_the_whole_file_each() {
    let tenant = Tenant::new(App::shared());
    let bytes = picture(5_200_000);
    let path = format!("/media/{}/uploads/{}", tenant.id, upload(&tenant.key, "a.png", "image/png", &bytes));
    std::thread::scope(|scope| {
        for reader in 0..16 {
            let (path, bytes, tenant) = (&path, &bytes, &tenant);
            scope.spawn(move || {
                let mut stream = tenant.key.open("GET", path, &[]);
                let (mut answer, mut piece) = (Vec::new(), vec![0; 300_000]);
                loop {
                    match stream.read(&mut piece).unwrap() {
                        0 => break,
                        read => answer.extend_from_slice(&piece[..read]),
                    }
                    // Half of them are slow.
                    std::thread::sleep(std::time::Duration::from_millis(reader % 2 * 20));
                }
                let end = answer.len() - bytes.len();
                assert!(answer.starts_with(b"HTTP/1.1 200") && answer[end..] == bytes[..], "reader {reader}");
            });
        }
    });
}

#[test]
fn a_file_that_breaks_off_does_not_end_as_if_it_were_whole() {
    let Some(app) = App::own(&[]) else { return };
    let tenant = Tenant::new(&app);
    let id = upload(&tenant.key, "a.png", "image/png", &picture(3_500_000));
    store::lose_part(&app, &id, 2);
    let mut stream = tenant.key.open("GET", &format!("/media/{}/uploads/{id}", tenant.id), &[]);
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer);
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..100]));
    assert!(answer.len() < 2_100_000, "{ended:?} after {} bytes", answer.len());
    tenant.key.get(&format!("/v1/media/{id}")).expect(200);
}
