//! Requests that components send.
use crate::support::{PROBE, Server, package};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A server that answers every request with `request N on connection M`, or with what `answer` makes
/// of these numbers. Gives its address.
fn target(answer: impl Fn(&mut TcpStream, usize, usize) -> bool + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (answer, requests) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
    std::thread::spawn(move || {
        for (connection, stream) in listener.incoming().enumerate() {
            let (answer, requests, mut stream) = (answer.clone(), requests.clone(), stream.unwrap());
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while let Some(Ok(line)) = lines.next() {
                    if line.is_empty()
                        && !answer(&mut stream, requests.fetch_add(1, Ordering::Relaxed), connection)
                    {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn respond(stream: &mut TcpStream, body: &str) {
    let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
}

fn plain() -> String {
    target(|stream, request, connection| {
        respond(stream, &format!("request {request} on connection {connection}"));
        true
    })
}

/// The connections on which ten requests in a row came.
fn connections(fetch: impl Fn() -> String) -> Vec<String> {
    let on = |answer: String| answer.rsplit(' ').next().unwrap().to_string();
    (0..10).map(|_| on(fetch())).collect()
}

#[test]
fn connections_are_kept_and_used_again() {
    let (server, target) = (Server::start(PROBE, &[]), plain());
    let connections = connections(|| server.ask("/fetch", &format!("http://{target}/x")));
    // It takes a moment until one is free again: now and then a new one is made.
    assert!(connections.windows(2).any(|pair| pair[0] == pair[1]), "{connections:?}");
}

#[test]
fn a_kept_connection_that_was_closed_is_replaced() {
    // Claims to keep the connection and closes it all the same.
    let target = target(|stream, request, connection| {
        respond(stream, &format!("request {request} on connection {connection}"));
        false
    });
    let server = Server::start(PROBE, &[]);
    for request in 0..20 {
        let answer = server.ask("/fetch", &format!("http://{target}/x"));
        assert_eq!(answer, format!("200 request {request} on connection {request}"));
    }
}

#[test]
fn only_listed_hosts_are_reached() {
    let target = plain();
    let listed = PROBE.replace("http://127.0.0.1:*", "http://127.0.0.1:1");
    let server = Server::start(&listed, &[]);
    let answer = server.ask("/fetch", &format!("http://{target}/x"));
    assert_eq!(answer, "error: ErrorCode::HttpRequestDenied");
    server.wait_for_error(&format!("[probe] a request to http://{target} was refused"));
    let answer = server.ask("/fetch", "https://127.0.0.1:1/");
    assert_eq!(answer, "error: ErrorCode::HttpRequestDenied");
}

#[test]
fn the_list_may_hold_variables() {
    let target = plain();
    let manifest = PROBE.replace("\"http://127.0.0.1:*\"", "\"http://{{ target }}\"");
    let manifest = format!("[variables]\ntarget = {{ default = \"{target}\" }}\n{manifest}");
    let server = Server::start(&manifest, &[]);
    assert_eq!(server.ask("/fetch", &format!("http://{target}/x")), "200 request 0 on connection 0");
}

#[test]
fn a_name_that_leads_to_a_blocked_network_is_refused() {
    let target = plain();
    let port = target.rsplit(':').next().unwrap();
    let server = Server::start(PROBE, &[]);
    assert!(server.ask("/fetch", &format!("http://localhost:{port}/")).starts_with("200 request 0"));
    let server = Server::start(PROBE, &["--block-networks", "private"]);
    for host in ["localhost", "127.0.0.1"] {
        let answer = server.ask("/fetch", &format!("http://{host}:{port}/"));
        assert_eq!(answer, "error: ErrorCode::DestinationIpProhibited", "{host}");
    }
    let file = package().join("../../runtime-config.toml");
    let server = Server::start(PROBE, &["--runtime-config-file", file.to_str().unwrap()]);
    let answer = server.ask("/fetch", &format!("http://localhost:{port}/"));
    assert_eq!(answer, "error: ErrorCode::DestinationIpProhibited");
    let server = Server::start(PROBE, &["--block-networks", "10.0.0.0/8,::1"]);
    assert!(server.ask("/fetch", &format!("http://localhost:{port}/")).starts_with("200 request 1"));
}

#[test]
fn failures_have_their_codes() {
    let server = Server::start(PROBE, &[]);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let answer = server.ask("/fetch", &format!("http://{free}/"));
    assert_eq!(answer, "error: ErrorCode::ConnectionRefused");
    let silent = target(|_, _, _| false);
    let answer = server.ask("/fetch", &format!("http://{silent}/"));
    assert_eq!(answer, "error: ErrorCode::HttpResponseIncomplete");
    let half = target(|stream, _, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
        false
    });
    let answer = server.ask("/fetch", &format!("http://{half}/"));
    assert!(answer.starts_with("200 body error"), "{answer}");
    let hangs = target(|_, _, _| true);
    assert_eq!(server.ask("/fetch", &format!("http://{hangs}/ 300")), "too late");
}

#[test]
fn a_guest_sets_its_own_limits() {
    let server = Server::start(PROBE, &[]);
    let slow = target(|stream, request, _| {
        std::thread::sleep(Duration::from_millis(400));
        respond(stream, &request.to_string());
        true
    });
    let answer = server.ask("/fetch", &format!("http://{slow}/ 5000 100 5000"));
    assert_eq!(answer, "error: ErrorCode::ConnectionReadTimeout");
    // The connection that was given up is not used again.
    let answer = server.ask("/fetch", &format!("http://{slow}/ 5000 1000 5000"));
    assert_eq!(answer, "200 1");
    let drips = target(|stream, _, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n");
        for pause in [150, 150, 700] {
            std::thread::sleep(Duration::from_millis(pause));
            let _ = stream.write_all(b"xx");
        }
        true
    });
    let answer = server.ask("/fetch", &format!("http://{drips}/ 5000 5000 400"));
    assert_eq!(answer, "200 body error: ErrorCode::ConnectionReadTimeout");
    assert_eq!(server.ask("/fetch", &format!("http://{drips}/ 5000 5000 2000")), "200 xxxxxx");
}

#[test]
fn a_wasi_2_component_goes_the_same_way() {
    let target = plain();
    let manifest = r#"
        [[trigger.http]]
        route = "/..."
        component = "old"
        [component.old]
        source = "host_probe_p2.wasm"
        allowed_outbound_hosts = ["http://127.0.0.1:*", "http://new.spin.internal"]
        [[trigger.http]]
        route = { private = true }
        component = "new"
        [component.new]
        source = "host_probe_p3.wasm"
        variables = { name = "new" }
    "#;
    let server = Server::start(manifest, &[]);
    let connections = connections(|| server.get(&format!("/fetch?http://{target}/x")).body);
    assert!(connections.windows(2).any(|pair| pair[0] == pair[1]), "{connections:?}");
    assert_eq!(server.get("/fetch?http://new.spin.internal/name").body, "200 new");
    let answer = server.get("/fetch?http://localhost:1/x").body;
    assert_eq!(answer, "error: ErrorCode::HttpRequestDenied");
}

const CHAIN: &str = r#"
    [[trigger.http]]
    route = "/front/..."
    component = "front"
    [component.front]
    source = "host_probe_p3.wasm"
    allowed_outbound_hosts = ["http://back.spin.internal", "http://missing.spin.internal", "http://self"]
    [[trigger.http]]
    route = { private = true }
    component = "back"
    [component.back]
    source = "host_probe_p3.wasm"
    variables = { name = "back" }
    [[trigger.http]]
    route = "/closed/..."
    component = "closed"
    [component.closed]
    source = "host_probe_p3.wasm"
"#;

#[test]
fn components_call_each_other() {
    let server = Server::start(CHAIN, &["--block-networks", "private"]);
    assert_eq!(server.ask("/front/fetch", "http://back.spin.internal/name"), "200 back");
    let answer = server.ask("/front/fetch", "http://back.spin.internal/deep/request?x=1");
    for line in [
        "200 GET http://back.spin.internal/deep/request?x=1",
        "spin-path-info: /deep/request",
        "spin-component-route: ",
        "spin-matched-route: /...",
        "spin-client-addr: 0.0.0.0:0",
    ] {
        assert!(answer.lines().any(|found| found == line), "{line} in {answer}");
    }
    let answer = server.ask("/front/fetch", "http://closed.spin.internal/name");
    assert_eq!(answer, "error: ErrorCode::HttpRequestDenied");
    let answer = server.ask("/front/fetch", "http://missing.spin.internal/name");
    assert_eq!(answer, "error: ErrorCode::DestinationNotFound");
    let answer = server.ask("/closed/fetch", "http://back.spin.internal/name");
    assert_eq!(answer, "error: ErrorCode::HttpRequestDenied");
}

#[test]
fn a_trap_in_a_called_component_is_an_error_for_the_caller_only() {
    let server = Server::start(CHAIN, &[]);
    let answer = server.ask("/front/fetch", "http://back.spin.internal/trap");
    assert!(answer.starts_with("error: ErrorCode::InternalError("), "{answer}");
    assert_eq!(server.ask("/front/fetch", "http://back.spin.internal/name"), "200 back");
}

#[test]
fn a_component_calls_the_applications_own_routes() {
    let server = Server::start(CHAIN, &["--block-networks", "private"]);
    assert_eq!(server.ask("/front/fetch", "http://self.alt/closed/x"), "200 hello from /closed/x");
    let answer = server.ask("/closed/fetch", "http://self.alt/closed/x");
    assert_eq!(answer, "error: ErrorCode::HttpRequestDenied");
}
