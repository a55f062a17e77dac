//! Who may call what: every operation of every table, by its declared access. An operation that is new
//! to the tables fails these tests until it has a case in `cases.rs`, or, when everybody may call it, an
//! entry in [`PUBLIC`].

use crate::world::World;
use crate::{cases, tables};
use common::auth::{Access, Role, denied};
use common::routes::Operation;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::OnceLock;
use tests::client::text;
use tests::{Answer, App, Client, unique, wait_for};

/// Operations that ask for no credential, and why.
const PUBLIC: &[(&str, &str)] = &[
    ("createSession", "it is how people get a credential"),
    ("acceptInvitation", "the link's token is the credential, and a known person's password"),
    ("getOpenApi", "the description of the API is no secret"),
    ("getDocs", "the documentation is no secret"),
    ("getHealth", "probes have no credential"),
    (
        "streamClientUpdates",
        "a live-chat customer has no credential but the pubsub_token, which it checks itself",
    ),
    ("getReadiness", "probes have no credential"),
    ("get-details-of-a-inbox", "an inbox's identifier is public"),
    ("create-a-contact", "customers of live chat have no account"),
    ("get-details-of-a-contact", "a customer's source_id is the credential, as in Chatwoot's Client API"),
    ("update-a-contact", "a customer's source_id is the credential, as in Chatwoot's Client API"),
    ("create-a-conversation", "a customer's source_id is the credential, as in Chatwoot's Client API"),
    (
        "list-all-contact-conversations",
        "a customer's source_id is the credential, as in Chatwoot's Client API",
    ),
    ("get-single-conversation", "a customer's source_id is the credential, as in Chatwoot's Client API"),
    ("resolve-conversation", "a customer's source_id is the credential, as in Chatwoot's Client API"),
    ("toggle-typing-status", "a customer's source_id is the credential, as in Chatwoot's Client API"),
    ("update-last-seen", "a customer's source_id is the credential, as in Chatwoot's Client API"),
    ("create-a-message", "a customer's source_id is the credential, as in Chatwoot's Client API"),
    (
        "list-all-converation-messages",
        "a customer's source_id is the credential, as in Chatwoot's Client API",
    ),
    ("update-a-message", "a customer's source_id is the credential, as in Chatwoot's Client API"),
    ("sandboxWhatsappSend", "checks the provider's access token itself and answers the provider's errors"),
    ("sandboxWhatsappUpload", "checks the provider's access token itself and answers the provider's errors"),
    ("sandboxWhatsappNode", "checks the provider's access token itself and answers the provider's errors"),
    (
        "sandboxWhatsappDeleteMedia",
        "checks the provider's access token itself and answers the provider's errors",
    ),
    (
        "sandboxWhatsappTemplates",
        "checks the provider's access token itself and answers the provider's errors",
    ),
    (
        "sandboxWhatsappPhoneNumbers",
        "checks the provider's access token itself and answers the provider's errors",
    ),
    (
        "sandboxWhatsappSubscribe",
        "checks the provider's access token itself and answers the provider's errors",
    ),
    (
        "sandboxWhatsappSubscriptions",
        "checks the provider's access token itself and answers the provider's errors",
    ),
    ("sandboxFile", "the URL is a secret that expires; WhatsApp's asks for the provider's token besides"),
    ("sandboxInbound", "local only: absent unless the variable sandbox is on"),
    ("sandboxWhatsappCustomerMessage", "local only: absent unless the variable sandbox is on"),
    ("sandboxWhatsappSends", "local only: absent unless the variable sandbox is on"),
    ("sandboxSends", "local only: absent unless the variable sandbox is on"),
    ("sandboxModes", "local only: absent unless the variable sandbox is on"),
    ("sandboxRawCallback", "local only: absent unless the variable sandbox is on"),
    ("sandboxMessengerSend", "checks the provider's credentials itself and answers the provider's errors"),
    (
        "sandboxMessengerAttachment",
        "checks the provider's credentials itself and answers the provider's errors",
    ),
    ("sandboxMessengerNode", "checks the provider's credentials itself and answers the provider's errors"),
    (
        "sandboxMessengerSubscribe",
        "checks the provider's credentials itself and answers the provider's errors",
    ),
    ("sandboxInstagramSend", "checks the provider's credentials itself and answers the provider's errors"),
    (
        "sandboxInstagramAttachment",
        "checks the provider's credentials itself and answers the provider's errors",
    ),
    ("sandboxInstagramNode", "checks the provider's credentials itself and answers the provider's errors"),
    (
        "sandboxInstagramSubscribe",
        "checks the provider's credentials itself and answers the provider's errors",
    ),
    ("sandboxTwilioSend", "checks the provider's credentials itself and answers the provider's errors"),
    ("sandboxTwilioMessages", "checks the provider's credentials itself and answers the provider's errors"),
    ("sandboxTwilioMessage", "checks the provider's credentials itself and answers the provider's errors"),
    ("sandboxTwilioCancel", "checks the provider's credentials itself and answers the provider's errors"),
    ("sandboxTwilioAccount", "checks the provider's credentials itself and answers the provider's errors"),
    ("sandboxTwilioMedia", "checks the provider's credentials itself and answers the provider's errors"),
    ("sandboxGatewaySend", "checks the provider's credentials itself and answers the provider's errors"),
    ("sandboxFaults", "local only: absent unless the variable sandbox is on"),
    ("sandboxCalls", "local only: absent unless the variable sandbox is on"),
    ("sandboxAttempts", "local only: absent unless the variable sandbox is on"),
    ("sandboxReset", "local only: absent unless the variable sandbox is on"),
    ("sandboxHandshake", "local only: absent unless the variable sandbox is on"),
    ("sandboxWhatsappReview", "local only: absent unless the variable sandbox is on"),
    ("sandboxClock", "local only: absent unless the variable sandbox is on"),
];

/// Operations whose callers sign, and the test that tries wrong signatures.
const SIGNED: &[(&str, &str)] = &[
    ("verifyWhatsAppCallback", "e2e channels::the_handshake_echoes_the_challenge_of_who_knows_the_token"),
    ("receiveWhatsAppCallback", "e2e channels::what_is_not_signed_right_is_refused_and_not_stored"),
    ("verifyMessengerCallback", "e2e channels::messenger::handshake_and_signature"),
    ("receiveMessengerCallback", "e2e channels::messenger::handshake_and_signature"),
    ("verifyInstagramCallback", "e2e channels::instagram::either_of_two_secrets_signs"),
    ("receiveInstagramCallback", "e2e channels::instagram::either_of_two_secrets_signs"),
    ("receiveTwilioMessage", "e2e channels::sms::what_twilio_did_not_sign_is_refused"),
    ("receiveTwilioStatus", "e2e channels::sms::what_twilio_did_not_sign_is_refused"),
    ("receiveTwilioMessageByGet", "e2e channels::sms::what_twilio_asks_for_by_get_is_signed_too"),
    ("receiveTwilioStatusByGet", "e2e channels::sms::what_twilio_asks_for_by_get_is_signed_too"),
    ("receiveSms", "e2e channels::sms::a_gateway_must_know_its_url"),
    ("receiveSmsByGet", "e2e channels::sms::a_gateway_must_know_its_url"),
    ("receiveSmsReport", "e2e channels::sms::a_gateway_must_know_its_url"),
    ("receiveSmsReportByGet", "e2e channels::sms::a_gateway_must_know_its_url"),
];

/// Operations whose path names a thing of a provider, or of the caller's, which belongs to no tenant here.
const IDS_OF_PROVIDERS: &[(&str, &str)] = &[
    (
        "listWabaPhoneNumbers",
        "e2e inboxes::provider_reads::the_deployments_token_tells_nothing_of_anothers_account",
    ),
    ("upsertContactByExternalId", "the id is the caller's own: each tenant has its own contact of it"),
];

struct Callers {
    world: World,
    foreign: World,
    revoked: Client,
    expired: Client,
    /// Two keys that have no scope in common.
    scoped: [(Client, &'static [&'static str]); 2],
}

fn callers() -> &'static Callers {
    static CALLERS: OnceLock<Callers> = OnceLock::new();
    CALLERS.get_or_init(|| {
        let app = App::shared();
        let (world, foreign) = (World::new(app), World::new(app));
        let tenant = &world.tenant;
        let (_, expired) =
            tenant.new_key(serde_json::json!({"name": "expired", "expiresAt": unique::time_in(1000)}));
        wait_for("the end of a key", std::time::Duration::from_secs(5), || {
            (expired.get("/v1/contacts").status == 401).then_some(())
        });
        let one: &[&str] = &["event:list"];
        let other: &[&str] = &["tag:list"];
        let scoped = [(tenant.key_with(one), one), (tenant.key_with(other), other)];
        Callers { revoked: tenant.revoked_key(), expired, scoped, world, foreign }
    })
}

fn of_tenants() -> Vec<(&'static Operation, &'static [&'static str], &'static [Role])> {
    tables::operations()
        .into_iter()
        .filter_map(|operation| match operation.access {
            Access::Tenant { scopes, roles } => Some((operation, scopes, roles)),
            _ => None,
        })
        .collect()
}

/// Calls an operation at this path, with its documented example as the body.
fn call(client: &Client, operation: &Operation, world: &World, path: &str) -> Answer {
    let body = operation.docs.body.as_ref().map(|body| world.adapt(&body.example));
    client.send(operation.method.clone(), path, body)
}

#[test]
fn every_operation_has_a_case() {
    let operations = tables::operations();
    let callers = callers();
    let mut listed: BTreeSet<&str> = PUBLIC.iter().chain(SIGNED).map(|(id, _)| *id).collect();
    for operation in &operations {
        match operation.access {
            Access::Tenant { .. } | Access::Platform => drop(cases::path(operation, &callers.world)),
            Access::Internal => {}
            Access::Public | Access::Signed => {
                assert!(
                    listed.remove(operation.id),
                    "{} asks for no credential: say why in PUBLIC or SIGNED",
                    operation.id
                );
            }
        }
    }
    assert!(listed.is_empty(), "not public or signed (any more): {listed:?}");
    assert_eq!(cases::left_over(&operations), Vec::<&str>::new(), "cases of operations that do not exist");
}

#[test]
fn tenant_operations_need_a_credential_that_is_valid_now() {
    let callers = callers();
    let anonymous = App::shared().client();
    let unknown_key = format!("fln_live_{}", "x".repeat(43));
    let foreign_scheme = anonymous.with("authorization", "Basic YTpi");
    let platform = App::shared().platform();
    for (operation, ..) in of_tenants() {
        let path = cases::path(operation, &callers.world);
        for (client, what) in [
            (&anonymous, "no credential"),
            (&anonymous.bearer("nonsense"), "nonsense"),
            (&anonymous.bearer(&unknown_key), "an unknown key"),
            (&anonymous.bearer("eyJhbGciOiJub25lIn0.e30."), "an unsigned token"),
            (&foreign_scheme, "another scheme"),
            (&platform, "the platform token"),
            (&callers.revoked, "a revoked key"),
            (&callers.expired, "an expired key"),
        ] {
            let answer = call(client, operation, &callers.world, &path);
            assert_eq!(answer.status, 401, "{} with {what}: {answer}", operation.id);
            answer.problem(401, "auth_token_invalid");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
    }
}

#[test]
fn tenant_operations_need_their_scopes() {
    let callers = callers();
    for (operation, scopes, _) in of_tenants() {
        let path = cases::path(operation, &callers.world);
        let (client, _) =
            callers.scoped.iter().find(|(_, own)| scopes.iter().all(|scope| !own.contains(scope))).unwrap();
        let answer = call(client, operation, &callers.world, &path);
        answer.problem(403, &denied(scopes[0]));
    }
}

#[test]
fn tenant_operations_refuse_other_roles_and_let_theirs_pass() {
    let callers = callers();
    let tenant = &callers.world.tenant;
    // A world to break: what is allowed has effects.
    let other = World::new(App::shared());
    for (operation, _, roles) in of_tenants() {
        for role in Role::ALL {
            let world = if roles.contains(role) { &other } else { &callers.world };
            let person = match role {
                Role::Owner => &world.tenant.owner.client,
                Role::Admin => &world.tenant.admin().client,
                Role::Agent => &world.tenant.agent().client,
            };
            let answer = call(person, operation, world, &cases::path(operation, world));
            let passed = answer.status != 401 && answer.status != 403;
            assert_eq!(passed, roles.contains(role), "{} as {}: {answer}", operation.id, role.as_str());
        }
    }
    // Keys act with their service account's role.
    let agent = tenant.key_as("agent");
    for (operation, _, roles) in of_tenants() {
        if !roles.contains(&Role::Agent) {
            let answer = call(&agent, operation, &callers.world, &cases::path(operation, &callers.world));
            assert_eq!(answer.status, 403, "{}: {answer}", operation.id);
        }
    }
}

#[test]
fn things_of_another_tenant_are_as_absent_as_those_that_never_were() {
    let callers = callers();
    for (operation, ..) in of_tenants() {
        if !operation.path.contains('{') || IDS_OF_PROVIDERS.iter().any(|(id, _)| *id == operation.id) {
            continue;
        }
        let foreign = cases::path(operation, &callers.foreign);
        let missing = without_ids(&foreign);
        let key = &callers.world.tenant.key;
        let of_foreign = call(key, operation, &callers.world, &foreign);
        let of_missing = call(key, operation, &callers.world, &missing);
        assert_eq!(of_foreign.status, 404, "{}: {of_foreign}", operation.id);
        assert_eq!(comparable(&of_foreign, &foreign), comparable(&of_missing, &missing), "{}", operation.id);
    }
    let foreign = &callers.foreign;
    for (operation, ..) in
        of_tenants().into_iter().filter(|(operation, ..)| operation.method == http::Method::GET)
    {
        let tenant = &foreign.tenant;
        let caller = if cases::is_for_people(operation) { &tenant.owner.client } else { &tenant.key };
        // Not all answers are JSON: live updates are a stream of events.
        let answer = call(caller, operation, foreign, &cases::path(operation, foreign));
        assert_eq!(answer.status, 200, "{}: {answer}", operation.id);
    }
    let path = format!("/v1/service-accounts/{}/api-keys", foreign.service_account);
    let keys = foreign.tenant.key.get(&path).expect(200);
    assert!(keys["apiKeys"][0].get("revokedAt").is_none(), "revoked by another tenant: {keys}");
    let contact = foreign.tenant.key.get(&format!("/v1/contacts/{}", foreign.contact)).expect(200);
    assert_eq!(contact["name"], "Anna Kowalska", "changed by another tenant");
}

/// The same path with ids that nothing has.
fn without_ids(path: &str) -> String {
    let part = |part: &str| match part.split_once('_') {
        Some((prefix, ulid)) if ulid.len() == 26 => format!("{prefix}_{}", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"),
        _ => part.to_string(),
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// An answer's headers and body without what differs by nature: the trace, the time, and the id asked for.
fn comparable(answer: &Answer, path: &str) -> (u16, Vec<String>, String) {
    let mut body = answer.json();
    body["traceId"] = Value::Null;
    let mut text = body.to_string();
    for id in path.split('/').filter(|part| part.len() > 26) {
        text = text.replace(id, "ID");
    }
    let mut headers: Vec<String> = answer.headers.keys().map(|name| name.as_str().to_string()).collect();
    headers.sort();
    (answer.status, headers, text)
}

#[test]
fn platform_operations_need_the_platform_token() {
    let callers = callers();
    let app = App::shared();
    let anonymous = app.client();
    for operation in tables::operations().into_iter().filter(|operation| operation.access == Access::Platform)
    {
        let path = cases::path(operation, &callers.world);
        for (client, what) in [
            (&anonymous, "no credential"),
            (&anonymous.with("api_access_token", ""), "an empty token"),
            (&anonymous.with("api_access_token", "wrong"), "a wrong token"),
            (&anonymous.bearer(&app.platform_token), "the token as a bearer"),
            (&callers.world.tenant.key, "a tenant's key"),
            (&callers.world.tenant.owner.client, "an owner's token"),
        ] {
            let answer = call(client, operation, &callers.world, &path);
            assert_eq!(answer.status, 401, "{} with {what}: {answer}", operation.id);
            assert!(!text(&answer.json(), "error").is_empty());
        }
    }
    callers.world.tenant.key.get("/v1/contacts").expect(200);
}

#[test]
fn internal_operations_need_the_tick_token() {
    let callers = callers();
    let app = App::shared();
    let anonymous = app.client();
    for operation in tables::operations().into_iter().filter(|operation| operation.access == Access::Internal)
    {
        for (client, what) in [
            (&anonymous, "no credential"),
            (&anonymous.bearer("wrong"), "a wrong token"),
            (&anonymous.bearer(&app.platform_token), "the platform token"),
            (&callers.world.tenant.key, "a tenant's key"),
            (&callers.world.tenant.owner.client, "an owner's token"),
        ] {
            let answer = call(client, operation, &callers.world, operation.path);
            assert_eq!(answer.status, 401, "{} with {what}: {answer}", operation.id);
        }
        if let Some(internal) = app.internal() {
            assert!(
                call(&internal, operation, &callers.world, operation.path).status < 300,
                "{}",
                operation.id
            );
        }
    }
}
