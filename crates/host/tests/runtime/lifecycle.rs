//! Starting, stopping, starting again.
use crate::client;
use crate::support::{Folder, PROBE, Server, command, guests};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn data_is_there_after_a_restart() {
    let server = Server::start(PROBE, &[]);
    server.ask("/set", "kept=yes");
    let script = "open c default\nsql c PRAGMA journal_mode=WAL\nsql c CREATE TABLE t (x)\nsql c INSERT INTO t VALUES (7)";
    server.ask("/sql", script);
    server.terminate();
    let (code, folder) = server.wait();
    assert_eq!(code, Some(0));
    assert!(folder.path().join("data/sqlite_db.db").exists());
    assert!(folder.path().join("data/sqlite_key_value.db").exists());
    let server = Server::start_in(folder, PROBE, &[]);
    assert_eq!(server.ask("/get", "kept"), "Some(\"yes\")");
    assert_eq!(server.ask("/sql", "open c default\nsql c SELECT x FROM t"), "opened\nx: 7");
}

#[test]
fn a_killed_server_loses_nothing_that_was_committed() {
    let mut server = Server::start(PROBE, &[]);
    let script = "open c default\nsql c PRAGMA journal_mode=WAL\nsql c PRAGMA synchronous=NORMAL\n\
                  sql c CREATE TABLE t (x)\nsql c INSERT INTO t VALUES (7)";
    server.ask("/sql", script);
    server.kill();
    let (_, folder) = server.wait();
    let server = Server::start_in(folder, PROBE, &[]);
    assert_eq!(server.ask("/sql", "open c default\nsql c SELECT x FROM t"), "opened\nx: 7");
}

#[test]
fn other_labels_have_files_of_their_own() {
    let manifest =
        PROBE.replace("sqlite_databases = [\"default\"]", "sqlite_databases = [\"default\", \"second\"]");
    let server = Server::start(&manifest, &[]);
    server.ask("/sql", "open c second\nsql c CREATE TABLE t (x)");
    assert!(server.data().join("sqlite_second.db").exists());
    assert_eq!(
        server.ask("/sql", "open c default\nsql c SELECT count(*) FROM sqlite_schema"),
        "opened\ncount(*): 0"
    );
}

#[test]
fn a_request_in_flight_is_finished_when_the_server_stops() {
    let server = Server::start(PROBE, &[]);
    let address = server.address.clone();
    let request =
        std::thread::spawn(move || client::send(&address, "POST", "/wait", "", "1000").unwrap().status);
    std::thread::sleep(Duration::from_millis(300));
    let idle = TcpStream::connect(&server.address).unwrap();
    server.terminate();
    std::thread::sleep(Duration::from_millis(200));
    assert!(TcpStream::connect(&server.address).is_err(), "nobody gets in any more");
    assert_eq!(request.join().unwrap(), 200);
    drop(idle);
    assert_eq!(server.wait().0, Some(0));
}

#[test]
fn work_after_the_response_is_finished_when_the_server_stops() {
    let server = Server::start(PROBE, &[]);
    server.ask("/after", "done");
    server.terminate();
    let (code, folder) = server.wait();
    assert_eq!(code, Some(0));
    let server = Server::start_in(folder, PROBE, &[]);
    assert_eq!(server.ask("/get", "after"), "Some(\"done\")");
}

#[test]
fn an_idle_server_stops_at_once() {
    let server = Server::start(PROBE, &["--idle-instance-timeout", "60000"]);
    server.ask("/", "");
    let start = Instant::now();
    server.terminate();
    assert_eq!(server.wait().0, Some(0));
    assert!(start.elapsed() < Duration::from_millis(800), "{:?}", start.elapsed());
}

fn compiled(cache: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(cache) else { return 0 };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .map(|path| {
            if path.is_dir() {
                compiled(&path)
            } else {
                usize::from(path.metadata().unwrap().len() > 100_000)
            }
        })
        .sum()
}

#[test]
fn the_second_start_does_not_compile() {
    let folder = Folder::new();
    let cache = folder.path().join("own-cache");
    let start = |folder| {
        let begin = Instant::now();
        // The last one counts.
        let server = Server::start_in(folder, PROBE, &["--cache", cache.to_str().unwrap()]);
        let took = begin.elapsed();
        server.ask("/", "");
        server.terminate();
        (took, server.wait().1)
    };
    let (first, folder) = start(folder);
    assert_eq!(compiled(&cache), 1);
    let (second, _folder) = start(folder);
    assert_eq!(compiled(&cache), 1);
    assert!(second < first, "{second:?} after {first:?}");
}

#[test]
fn components_are_found_beside_the_manifest() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("out")).unwrap();
    std::fs::copy(guests().join("host_probe_p3.wasm"), folder.path().join("out/mine.wasm")).unwrap();
    let manifest =
        format!("spin_manifest_version = 2\n{}", PROBE.replace("host_probe_p3.wasm", "out/mine.wasm"));
    let manifest = folder.write("other.toml", &manifest);
    let mut command = Command::new(env!("CARGO_BIN_EXE_flownally-host"));
    command.args(["--listen", "127.0.0.1:0", "--from"]).arg(manifest).current_dir(std::env::temp_dir());
    command.arg("--data").arg(folder.path().join("data")).stdout(std::process::Stdio::piped());
    std::fs::write(folder.path().join("errors"), "").unwrap();
    let server = Server::spawn(folder, &mut command);
    assert_eq!(server.get("/x").body, "hello from /x");
    assert!(server.data().join("cache").exists());
}

fn error_of(manifest: &str, arguments: &[&str]) -> String {
    let folder = Folder::new();
    let status = command(&folder, manifest, arguments).status().unwrap();
    assert!(!status.success());
    std::fs::read_to_string(folder.path().join("errors")).unwrap()
}

#[test]
fn mistakes_are_told() {
    let server = Server::start(PROBE, &[]);
    for (error, expected) in [
        (
            error_of(&PROBE.replace("host_probe_p3", "missing"), &[]),
            "build the components with scripts/build",
        ),
        (error_of("this is no TOML", &[]), "in the manifest"),
        (
            error_of(&PROBE.replace("component = \"probe\"", "component = \"other\""), &[]),
            "[component.other]",
        ),
        (error_of(&PROBE.replace("http://localhost:*", "localhost"), &[]), "has no scheme"),
        (error_of(PROBE, &["--listen", &server.address]), "cannot listen on"),
        (error_of(PROBE, &["--statements", "sometimes"]), "must be `queued` or `blocking`"),
        (error_of(PROBE, &["--from", "/nowhere/spin.toml"]), "cannot read the manifest"),
        (error_of(&PROBE.replace("host_probe_p3", "host_probe_cron"), &[]), "no HTTP handler"),
    ] {
        assert!(error.contains(expected), "{expected} in {error}");
    }
}
