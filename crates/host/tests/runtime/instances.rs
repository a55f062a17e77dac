//! How long instances live and how many requests they take.
use crate::client;
use crate::support::{PROBE, Server, together};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

fn instance(answer: &str) -> String {
    answer.split(' ').next().unwrap().to_string()
}

#[test]
fn an_instance_answers_many_requests_and_then_goes() {
    let server = Server::start(PROBE, &["--max-instance-reuse-count", "3"]);
    let answers: Vec<String> = (0..7).map(|_| server.ask("/instance", "")).collect();
    let seen: Vec<&str> = answers.iter().map(|answer| answer.split(' ').nth(1).unwrap()).collect();
    assert_eq!(seen, ["1", "2", "3", "1", "2", "3", "1"]);
    let instances: HashSet<String> = answers.iter().map(|answer| instance(answer)).collect();
    assert_eq!(instances.len(), 3);
}

#[test]
fn an_idle_instance_goes() {
    let server = Server::start(PROBE, &["--idle-instance-timeout", "200"]);
    let first = instance(&server.ask("/instance", ""));
    assert_eq!(instance(&server.ask("/instance", "")), first);
    std::thread::sleep(Duration::from_millis(700));
    assert_ne!(instance(&server.ask("/instance", "")), first);
}

/// How many requests each instance had at once, for `count` requests that wait side by side.
fn at_once(server: &Server, count: usize) -> HashMap<String, usize> {
    let mut most: HashMap<String, usize> = HashMap::new();
    for answer in together(count, |_| server.ask("/wait", "600")) {
        let (instance, now) = answer.split_once(' ').unwrap();
        let entry = most.entry(instance.to_string()).or_default();
        *entry = (*entry).max(now.parse().unwrap());
    }
    most
}

#[test]
fn an_instance_takes_sixteen_requests_at_once() {
    let most = at_once(&Server::start(PROBE, &[]), 60);
    assert!(most.values().all(|now| *now <= 16), "{most:?}");
    assert!(most.values().any(|now| *now > 3), "{most:?}");
}

#[test]
fn an_instance_takes_as_many_requests_at_once_as_it_is_told() {
    let server = Server::start(PROBE, &["--max-instance-concurrent-reuse-count", "3"]);
    // Never more. That there are as many depends on how fast they come: it may take a second try.
    let full = (0..10).any(|_| {
        let most = at_once(&server, 20);
        assert!(most.values().all(|now| *now <= 3), "{most:?}");
        most.values().any(|now| *now == 3)
    });
    assert!(full, "no instance had three requests at once");
}

#[test]
fn an_instance_takes_one_request_at_once_if_told_so() {
    let most = at_once(&Server::start(PROBE, &["--max-instance-concurrent-reuse-count", "1"]), 8);
    assert_eq!(most.len(), 8, "{most:?}");
    assert_eq!(most.values().max(), Some(&1), "{most:?}");
}

#[test]
fn a_trap_is_500_and_the_next_request_is_served() {
    let server = Server::start(PROBE, &[]);
    let before = instance(&server.ask("/instance", ""));
    assert_eq!(server.get("/trap").status, 500);
    let after = server.ask("/instance", "");
    assert_ne!(instance(&after), before);
    assert!(after.ends_with(" 1"), "a new instance: {after}");
    server.wait_for_error("[probe] /trap failed");
}

#[test]
fn a_trap_takes_the_neighbours_of_its_instance_along() {
    let server = Server::start(PROBE, &[]);
    let address = server.address.clone();
    let neighbour =
        std::thread::spawn(move || client::send(&address, "POST", "/wait", "", "3000").unwrap().status);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(server.get("/trap").status, 500);
    assert_eq!(neighbour.join().unwrap(), 500);
}

#[test]
fn work_after_the_response_goes_on() {
    let server = Server::start(PROBE, &["--idle-instance-timeout", "50"]);
    assert_eq!(server.ask("/after", "done"), "accepted");
    assert_eq!(server.ask("/get", "after"), "None");
    crate::support::eventually(
        || server.ask("/get", "after") == "Some(\"done\")",
        || "it was lost".to_string(),
    );
}

#[test]
fn what_a_guest_prints_has_its_name() {
    let server = Server::start(PROBE, &[]);
    assert_eq!(server.ask("/print", "one\ntwo"), "printed");
    server.wait_for_error("[probe] one\n[probe] two\n");
}

const WASI_2: &str = r#"
    [[trigger.http]]
    route = "/..."
    component = "old"
    [component.old]
    source = "host_probe_p2.wasm"
    sqlite_databases = ["default"]
    key_value_stores = ["default"]
    variables = { name = "old" }
"#;

#[test]
fn a_wasi_2_component_gets_a_new_instance_for_each_request_and_the_old_interfaces() {
    let server = Server::start(WASI_2, &[]);
    for _ in 0..3 {
        assert_eq!(
            server.get("/").body,
            "old | seen 1 | Some(\"value\") true true false | \
             [Value::Integer(42), Value::Text(\"text\"), Value::Null]"
        );
    }
    let answers = together(20, |_| server.get("/").status);
    assert_eq!(answers, [200; 20]);
}
