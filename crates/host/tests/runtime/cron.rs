//! Cron triggers.
use crate::support::{Folder, Server, command, eventually};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Takes the cron component's requests and answers after a while. Gives its address and the
/// timestamps that came.
fn target(status: u16, after: Duration) -> (String, Arc<Mutex<Vec<u64>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let stamps = Arc::new(Mutex::new(Vec::new()));
    let seen = stamps.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (seen, mut stream) = (seen.clone(), stream.unwrap());
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while let Some(Ok(line)) = lines.next() {
                    if let Some(rest) = line.strip_prefix("GET /") {
                        seen.lock().unwrap().push(rest.split(' ').next().unwrap().parse().unwrap());
                    }
                    if line.is_empty() {
                        std::thread::sleep(after);
                        let _ = write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
                    }
                }
            });
        }
    });
    (address, stamps)
}

fn manifest(target: &str) -> String {
    format!(
        r#"
        [variables]
        target = {{ default = "{target}" }}
        [[trigger.cron]]
        component = "clock"
        cron_expression = "* * * * * *"
        [component.clock]
        source = "host_probe_cron.wasm"
        allowed_outbound_hosts = ["http://{{{{ target }}}}"]
        variables = {{ target = "{{{{ target }}}}" }}
        "#
    )
}

#[test]
fn a_component_runs_when_it_is_due() {
    let (address, stamps) = target(200, Duration::ZERO);
    let server = Server::start(&manifest(&address), &[]);
    eventually(|| stamps.lock().unwrap().len() >= 3, || format!("no runs: {}", server.errors()));
    let stamps = stamps.lock().unwrap().clone();
    assert!(stamps.windows(2).all(|pair| pair[1] == pair[0] + 1), "{stamps:?}");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!(stamps.iter().all(|stamp| now.abs_diff(*stamp) <= 10), "{stamps:?} at {now}");
    server.terminate();
    assert_eq!(server.wait().0, Some(0));
}

#[test]
fn a_run_that_is_due_during_another_is_skipped() {
    let (address, stamps) = target(200, Duration::from_millis(1500));
    let _server = Server::start(&manifest(&address), &[]);
    eventually(|| stamps.lock().unwrap().len() >= 3, || "no runs".to_string());
    let stamps = stamps.lock().unwrap().clone();
    assert!(stamps.windows(2).all(|pair| pair[1] >= pair[0] + 2), "{stamps:?}");
}

#[test]
fn a_run_that_fails_is_told_and_the_next_one_comes() {
    let (address, stamps) = target(503, Duration::ZERO);
    let server = Server::start(&manifest(&address), &[]);
    server.wait_for_error("[clock] the cron run failed: the answer was 503");
    eventually(|| stamps.lock().unwrap().len() >= 2, || "only one run".to_string());
}

#[test]
fn a_malformed_expression_stops_the_start() {
    for expression in ["* * * * *", "nonsense", "61 * * * * *"] {
        let folder = Folder::new();
        let manifest = manifest("127.0.0.1:1").replace("* * * * * *", expression);
        assert_eq!(command(&folder, &manifest, &[]).status().unwrap().code(), Some(1));
        let errors = std::fs::read_to_string(folder.path().join("errors")).unwrap();
        assert!(errors.contains(expression) && errors.contains("`clock`"), "{errors}");
    }
}
