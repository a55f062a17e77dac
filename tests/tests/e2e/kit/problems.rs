//! Errors are problem documents, whatever goes wrong; and what all answers carry.

use http::Method;
use serde_json::json;
use tests::client::{Framing, post_large};
use tests::{Answer, App, Tenant};

const CONTACTS: &str = "/v1/contacts";

fn post_raw(tenant: &Tenant, kind: Option<&str>, body: &[u8]) -> Answer {
    tenant.key.raw(&Method::POST, CONTACTS, kind, body).unwrap()
}

#[test]
fn unknown_paths_are_not_found() {
    let client = App::shared().client();
    for path in ["/v1/nothing", "/v1/contacts/a/b/c", "/v2/contacts", "/nothing", "/"] {
        let answer = client.get(path);
        assert_eq!(answer.status, 404, "{answer}");
        if path.starts_with("/v1/contacts") {
            answer.problem(404, "route_not_found");
        }
    }
}

#[test]
fn a_wrong_method_names_the_right_ones() {
    let tenant = Tenant::new(App::shared());
    let refused = tenant.key.delete(CONTACTS);
    refused.problem(405, "method_not_allowed");
    let allowed: Vec<&str> = refused.header("allow").split(',').map(str::trim).collect();
    assert!(allowed.contains(&"GET") && allowed.contains(&"POST"), "{allowed:?}");
    assert!(!allowed.contains(&"DELETE"), "{allowed:?}");
}

#[test]
fn what_cannot_be_read_is_malformed() {
    let tenant = Tenant::new(App::shared());
    for body in ["{", "{\"name\":}", "nope", "{} {}", "\u{feff}{}", "{\"name\":\"\\ud800\"}"] {
        let answer = post_raw(&tenant, Some("application/json"), body.as_bytes());
        answer.problem(400, "request_malformed");
    }
    post_raw(&tenant, Some("application/json"), b"{\"name\":\"\xff\"}").problem(400, "request_malformed");
    let deep = format!("{{\"name\":{}{}}}", "[".repeat(40), "]".repeat(40));
    post_raw(&tenant, Some("application/json"), deep.as_bytes()).problem(400, "request_malformed");
}

#[test]
fn a_body_of_another_kind_is_refused() {
    let tenant = Tenant::new(App::shared());
    for kind in
        [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonx")]
    {
        post_raw(&tenant, kind, b"{}").problem(415, "request_media_type_unsupported");
    }
    for kind in ["application/json; charset=utf-8", "Application/JSON", "application/vnd.api+json"] {
        post_raw(&tenant, Some(kind), b"{}").expect(201);
    }
}

#[test]
fn a_large_body_is_refused_also_when_it_does_not_say_its_length() {
    let tenant = Tenant::new(App::shared());
    let body = format!("{{\"name\":\"{}\"}}", "x".repeat(2 * 1024 * 1024));
    for framing in [Framing::Length, Framing::Chunks] {
        assert_eq!(post_large(&tenant.key, CONTACTS, body.as_bytes(), framing), 413, "{framing:?}");
    }
}

#[test]
fn a_problem_says_where_and_under_which_trace() {
    let tenant = Tenant::new(App::shared());
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let client = tenant.key.with("traceparent", trace).with("x-request-id", "my-request-7");
    let answer = client.get("/v1/contacts/con_01HV8Y5R5RFMS0TFK6PKF9H2S8");
    assert_eq!(answer.header("x-request-id"), "my-request-7");
    insta::assert_json_snapshot!(answer.problem(404, "contact_not_found"), @r#"
    {
      "code": "contact_not_found",
      "detail": "There is no contact with the id con_01HV8Y5R5RFMS0TFK6PKF9H2S8.",
      "instance": "/v1/contacts/con_01HV8Y5R5RFMS0TFK6PKF9H2S8",
      "status": 404,
      "title": "Not Found",
      "traceId": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
      "type": "https://docs.flownally.com/problems/contact_not_found"
    }
    "#);
    let client = tenant.key.with("traceparent", "00-nonsense-01");
    let problem = client.get("/v1/contacts/x").problem(404, "contact_not_found");
    assert_eq!(problem["traceId"].as_str().map(str::len), Some(55));
}

#[test]
fn every_answer_carries_a_request_id() {
    let tenant = Tenant::new(App::shared());
    let given = tenant.key.get(CONTACTS);
    assert_eq!(given.header("x-request-id").len(), 26);
    assert_eq!(given.header("content-type"), "application/json");
    let long = tenant.key.with("x-request-id", &"x".repeat(200)).get(CONTACTS);
    assert_eq!(long.header("x-request-id").len(), 26, "a made one instead of a silly one");
}

#[test]
fn one_request_names_all_its_faults() {
    let tenant = Tenant::new(App::shared());
    let problem = tenant
        .key
        .post(CONTACTS, json!({"name": "", "phone": "x"}))
        .problem(422, "request_validation_failed");
    insta::assert_json_snapshot!(problem["errors"], @r#"
    [
      {
        "field": "name",
        "message": "must not be empty"
      },
      {
        "field": "phone",
        "message": "must be a phone number in E.164, such as +48123456789"
      }
    ]
    "#);
}

#[test]
fn the_server_says_how_it_is() {
    let client = App::shared().client();
    for path in ["/healthz", "/readyz"] {
        assert_eq!(client.get(path).status, 200);
    }
    let ready = client.get("/readyz").expect(200);
    assert_eq!(ready["status"], "ready");
    assert!(["on", "missing"].contains(&ready["webhookGuard"].as_str().unwrap()), "{ready}");
    let document = client.get("/openapi.json").expect(200);
    let committed = tests::document::document();
    assert!(
        &document == committed,
        "the served document is not the committed one: build the components again"
    );
    let page = client.get("/docs");
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").starts_with("text/html"));
}
