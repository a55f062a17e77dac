//! CSV files of contacts: sent, waited for, and looked at.

use crate::client::{Answer, Client, text};
use crate::{media, wait_for};
use http::Method;
use serde_json::Value;
use std::time::Duration;

/// Where files are sent.
pub const PATH: &str = "/v1/contacts/import";

/// Sends a form as it is, and checks the answer against the document.
pub fn send_form(client: &Client, body: &[u8]) -> Answer {
    let answer = client.raw(&Method::POST, PATH, Some(&media::form_type()), body).unwrap();
    crate::document::check(&Method::POST, PATH, &answer);
    answer
}

/// Sends a file: the answer.
pub fn try_send(client: &Client, file: &[u8]) -> Answer {
    send_form(client, &media::form("contacts.csv", "text/csv", file))
}

/// Sends a file: the import's id.
#[track_caller]
pub fn send(client: &Client, file: &[u8]) -> String {
    text(&try_send(client, file).expect(202), "importId")
}

/// How far an import is.
#[track_caller]
pub fn status(client: &Client, id: &str) -> Value {
    client.get(&format!("/v1/contacts/imports/{id}")).expect(200)
}

/// Waits for the end of an import: its last status.
pub fn wait(client: &Client, id: &str, deadline: Duration) -> Value {
    wait_for("the end of an import", deadline, || {
        let status = status(client, id);
        matches!(status["status"].as_str(), Some("completed" | "failed")).then_some(status)
    })
}

/// Sends a file and waits for its end.
#[track_caller]
pub fn run(client: &Client, file: &[u8]) -> Value {
    wait(client, &send(client, file), Duration::from_secs(30))
}
