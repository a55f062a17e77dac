//! Agreement with the published contract: what it has, we have under the same method, path, id, scopes and
//! roles; what we have beyond it is on a list with a reason.

use crate::tables;
use common::auth::Access;
use serde_json::Value;
use std::collections::BTreeMap;

/// Operations under `/v1` that the contract does not have, and why we do.
const ADDITIONS: &[(&str, &str)] = &[
    ("updateContactTagsInBulk", "who tags a thousand contacts should not need a thousand requests"),
    ("downloadImportErrors", "a status shows the first errors only, and who mends a file needs all of them"),
    (
        "upsertContactByExternalId",
        "integrators know a person by their own system's id and write without looking first",
    ),
    ("setIdentityConsent", "whoever agreed or objected on paper, by phone or in a form must be obeyed too"),
    ("mergeContacts", "one person who writes on two channels is two contacts until somebody says so"),
    ("undoContactMerge", "who merges the wrong people must be able to part them again"),
    ("exportContact", "privacy law gives people a copy of what is kept about them"),
    ("updateMessage", "a scheduled message must be open to changes until it goes out"),
    ("cancelMessage", "who schedules a message must be able to take it back"),
    ("listMessages", "integrators know a message by their own reference, which they gave along as metadata"),
    ("getInbox", "integrators who connect an inbox ask for its state and for its callback URL"),
    ("updateInbox", "tokens expire and must be renewed without losing the inbox's conversations"),
    ("getMedia", "files that customers send come later than their messages: their state must be readable"),
    ("deleteMedia", "who uploads a file by mistake must be able to take it back"),
    ("createMediaLink", "a browser that shows a file has no token to send"),
    ("streamUpdates", "the contract names socket events and not the socket"),
    ("listWebhookEndpointSigningKeys", "each endpoint's receiver needs a secret of its own"),
    ("rotateWebhookEndpointSigningKey", "each endpoint's receiver needs a secret of its own"),
    ("verifyWebhookEndpoint", "each endpoint needs its test"),
    ("getWebhookAttempt", "who looks for the reason of a failure needs what was sent and what came back"),
    ("resendWebhookAttempt", "who has mended a receiver should not wait for the next try"),
    ("listWebhookEvents", "a receiver that was away must be able to heal itself"),
    ("recoverWebhookEvents", "what a receiver missed for days is brought back at once"),
    ("getWebhookRecovery", "a recovery is long work and shows how far it is"),
    ("listWebhookEndpoints", "a tenant has more than one system that listens"),
    ("createWebhookEndpoint", "a tenant has more than one system that listens"),
    ("getWebhookEndpoint", "a tenant has more than one system that listens"),
    ("updateWebhookEndpoint", "a tenant has more than one system that listens"),
    ("deleteWebhookEndpoint", "a tenant has more than one system that listens"),
    ("getWebhookStats", "whether a receiver keeps up must be seen before it fails"),
    ("createSession", "the contract says that people have an app session and not how they get one"),
    ("acceptInvitation", "who is invited must be able to come in"),
    ("listInvitations", "who invites must see which links are open"),
    ("createInvitation", "the contract has people and no way to become one"),
    ("revokeInvitation", "a link that went to the wrong person must be taken back"),
    ("listAuditLog", "owners must see who gave whom which rights, and who changed what secrets open"),
];

/// The contract's operations by method and path.
fn published() -> BTreeMap<(String, String), Value> {
    let text = include_str!("../../contract/flownally-operations.json");
    let operations: Vec<Value> = serde_json::from_str(text).unwrap();
    let key = |operation: &Value| {
        let text = |member: &str| operation[member].as_str().unwrap().to_string();
        (text("method"), format!("/v1{}", text("path")))
    };
    operations.into_iter().map(|operation| (key(&operation), operation)).collect()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn operations_agree_with_the_published_contract() {
    let published = published();
    assert_eq!(published.len(), 101);
    let mut faults = Vec::new();
    let mut additions = Vec::new();
    for operation in tables::operations() {
        if !operation.path.starts_with("/v1/") {
            continue;
        }
        let Some(expected) = published.get(&(operation.method.to_string(), operation.path.to_string()))
        else {
            additions.push(operation.id);
            continue;
        };
        let mut compare = |what: &str, ours: String, theirs: String| {
            if ours != theirs {
                faults.push(format!(
                    "{} {}: {what} is {ours}, published {theirs}",
                    operation.method, operation.path
                ));
            }
        };
        compare(
            "operationId",
            operation.id.to_string(),
            expected["operationId"].as_str().unwrap().to_string(),
        );
        let Access::Tenant { scopes, roles } = operation.access else {
            faults.push(format!("{}: is not for tenants", operation.id));
            continue;
        };
        compare("scopes", format!("{scopes:?}"), format!("{:?}", texts(&expected["scopes"])));
        let roles: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
        compare("roles", format!("{roles:?}"), format!("{:?}", texts(&expected["roles"])));
        let statuses: Vec<u16> = operation.docs.answers.iter().map(|answer| answer.status).collect();
        for status in
            expected["responses"].as_object().unwrap().keys().filter_map(|status| status.parse::<u16>().ok())
        {
            if status < 300 && !statuses.contains(&status) {
                faults.push(format!("{}: does not answer the published {status}", operation.id));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let listed: Vec<&str> = ADDITIONS.iter().map(|(id, _)| *id).collect();
    assert_eq!(additions, listed, "operations under /v1 beyond the contract need an entry in ADDITIONS");
}
