//! Key-value stores and variables.
use crate::support::{Folder, PROBE, Server, command};

#[test]
fn key_value_pairs_can_be_written_read_and_listed() {
    let server = Server::start(PROBE, &[]);
    assert_eq!(server.ask("/get", "a"), "None");
    assert_eq!(server.ask("/set", "a=1"), "Ok(())");
    assert_eq!(server.ask("/set", "a=2"), "Ok(())");
    assert_eq!(server.ask("/set", "b=3"), "Ok(())");
    assert_eq!(server.ask("/get", "a"), "Some(\"2\")");
    assert_eq!(server.ask("/keys", "default"), "a,b");
    assert_eq!(server.ask("/keys", "other"), "Error::AccessDenied");
}

const VARIABLES: &str = r#"
    [variables]
    host = { default = "default.example" }
    token = { required = true, secret = true }
    [[trigger.http]]
    route = "/..."
    component = "probe"
    [component.probe]
    source = "host_probe_p3.wasm"
    [component.probe.variables]
    url = "https://{{ host }}/x"
    token = "{{ token }}"
"#;

fn start(environment: &[(&str, &str)]) -> Server {
    let folder = Folder::new();
    let mut command = command(&folder, VARIABLES, &[]);
    command.envs(environment.iter().copied());
    Server::spawn(folder, &mut command)
}

#[test]
fn variables_come_from_the_environment_or_their_default() {
    let server = start(&[("SPIN_VARIABLE_TOKEN", "s3cret")]);
    assert_eq!(server.ask("/variable", "url"), "Ok(\"https://default.example/x\")");
    assert_eq!(server.ask("/variable", "token"), "Ok(\"s3cret\")");
    let server = start(&[("SPIN_VARIABLE_TOKEN", "x"), ("SPIN_VARIABLE_HOST", "other.example")]);
    assert_eq!(server.ask("/variable", "url"), "Ok(\"https://other.example/x\")");
}

#[test]
fn a_component_sees_only_its_own_variables() {
    let server = start(&[("SPIN_VARIABLE_TOKEN", "s3cret")]);
    let answer = server.ask("/variable", "host");
    assert!(answer.starts_with("Err(Error::Undefined("), "{answer}");
    let answer = server.ask("/variable", "NOT a name");
    assert!(answer.starts_with("Err(Error::InvalidName("), "{answer}");
    assert!(!server.errors().contains("s3cret"));
}

#[test]
fn a_required_variable_without_a_value_stops_the_start() {
    let folder = Folder::new();
    let status = command(&folder, VARIABLES, &[]).status().unwrap();
    assert_eq!(status.code(), Some(1));
    let errors = std::fs::read_to_string(folder.path().join("errors")).unwrap();
    assert!(errors.contains("SPIN_VARIABLE_TOKEN"), "{errors}");
}
