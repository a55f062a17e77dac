//! Which component answers, and what it is told about the request.
use crate::client;
use crate::support::Server;

const ROUTES: &[(&str, &str)] = &[
    ("rest", "/..."),
    ("one", "/a"),
    ("one-rest", "/a/..."),
    ("parameter", "/a/:x"),
    ("text", "/a/b"),
    ("text-rest", "/a/b/..."),
    ("deep", "/a/:user_id/c"),
];

fn manifest() -> String {
    let mut manifest = String::new();
    for (name, route) in ROUTES {
        manifest.push_str(&format!(
            "[[trigger.http]]\nroute = \"{route}\"\ncomponent = \"{name}\"\n\
             [component.{name}]\nsource = \"host_probe_p3.wasm\"\nvariables = {{ name = \"{name}\" }}\n"
        ));
    }
    manifest
}

#[test]
fn routes_have_spins_precedence() {
    // The guest looks at the last segment only, so the paths say `name` where the route is open.
    let server = Server::start(&manifest(), &[]);
    for (path, component) in [
        ("/name", "rest"),
        ("/x/y/name", "rest"),
        ("/a/name", "parameter"),
        ("/a/b/name", "text-rest"),
        ("/a/q/r/name", "one-rest"),
    ] {
        assert_eq!(server.ask(path, ""), component, "{path}");
    }
    // The guest greets with the path it was asked for.
    for (path, route) in [
        ("/", "/..."),
        ("/a", "/a"),
        ("/a/", "/a"),
        ("/a/b", "/a/b"),
        ("/a/7/c", "/a/:user_id/c"),
        ("/a/b/request", "/a/b/..."),
        ("/a/request", "/a/:x"),
    ] {
        let answer = server.ask(path, "");
        if path.ends_with("request") {
            assert!(answer.contains(&format!("spin-matched-route: {route}\n")), "{path}: {answer}");
        } else {
            assert_eq!(answer, format!("hello from {path}"));
        }
    }
}

#[test]
fn no_route_is_404_and_private_is_no_route() {
    let server = Server::start(
        r#"
        [[trigger.http]]
        route = "/open"
        component = "open"
        [component.open]
        source = "host_probe_p3.wasm"
        [[trigger.http]]
        route = { private = true }
        component = "secret"
        [component.secret]
        source = "host_probe_p3.wasm"
        "#,
        &[],
    );
    assert_eq!(server.get("/open").status, 200);
    for path in ["/", "/open/x", "/secret", "/openx"] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
    assert_eq!(server.get("/.well-known/spin/health").body, "OK");
}

#[test]
fn a_component_is_told_how_the_request_came() {
    let server = Server::start(
        r#"
        [[trigger.http]]
        route = "/users/:id/..."
        component = "users"
        [component.users]
        source = "host_probe_p3.wasm"
        "#,
        &[],
    );
    let forged = "spin-client-addr: 6.6.6.6:6\r\nspin-path-match-admin: yes\r\nx-own: kept\r\n";
    let answer = client::send(&server.address, "PUT", "/users/7/x/request?q=1", forged, "").unwrap().body;
    let address = &server.address;
    for line in [
        &format!("PUT http://{address}/users/7/x/request?q=1"),
        &format!("spin-full-url: http://{address}/users/7/x/request?q=1"),
        "spin-path-info: /x/request",
        "spin-matched-route: /users/:id/...",
        "spin-raw-component-route: /users/:id/...",
        "spin-component-route: /users/:id",
        "spin-base-path: /",
        "spin-path-match-id: 7",
        "x-own: kept",
    ] {
        assert!(answer.lines().any(|found| found == line), "{line} in {answer}");
    }
    assert!(answer.contains("spin-client-addr: 127.0.0.1:"), "{answer}");
    assert!(!answer.contains("6.6.6.6") && !answer.contains("admin"), "{answer}");
}
