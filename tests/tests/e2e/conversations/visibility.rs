//! What agents see (contract section 2): conversations of their teams, those assigned to them, those without a team.
//! What is out of sight is as absent as what never was, in every operation.

use super::{Customer, ids};
use http::Method;
use serde_json::{Value, json};
use tests::client::text;
use tests::{Answer, App, Client, Inbox, Tenant};

/// Two teams with an inbox and an agent each, and an inbox without a team.
struct Scene {
    tenant: Tenant,
    red: Client,
    red_id: String,
    red_inbox: Inbox,
    open_inbox: Inbox,
    blue: Client,
}

impl Scene {
    fn new(app: &App) -> Self {
        let tenant = Tenant::new(app);
        let (red_inbox, open_inbox) = (tenant.inbox(), tenant.inbox());
        let (red_team, blue_team) = (tenant.team("Red"), tenant.team("Blue"));
        tenant
            .key
            .put(&format!("/v1/inboxes/{}/team", red_inbox.id), json!({"teamId": red_team}))
            .expect(200);
        let (red, blue) = (tenant.person("agent"), tenant.person("agent"));
        tenant.join(&red_team, &red);
        tenant.join(&blue_team, &blue);
        Scene { red: red.client, red_id: red.id, blue: blue.client, red_inbox, open_inbox, tenant }
    }
}

/// Every operation on a conversation and on its messages.
fn operations(customer: &Customer, message: &str, user: &str) -> Vec<(Method, String, Option<Value>)> {
    let content = json!({"type": "text", "text": {"body": "Hi"}});
    let recipient = json!({"type": "conversation", "conversationId": customer.conversation});
    vec![
        (Method::GET, customer.path(""), None),
        (Method::GET, customer.path("/messages"), None),
        (Method::GET, customer.path("/messages?afterSeq=0"), None),
        (Method::GET, format!("/v1/messages/{message}"), None),
        (Method::PATCH, format!("/v1/messages/{message}"), Some(json!({"content": content}))),
        (Method::DELETE, format!("/v1/messages/{message}"), None),
        (Method::POST, format!("/v1/messages/{message}/reactions"), Some(json!({"emoji": "👍"}))),
        (Method::POST, customer.path("/messages"), Some(json!({"content": content}))),
        (Method::POST, "/v1/messages".into(), Some(json!({"recipient": recipient, "content": content}))),
        (Method::POST, customer.path("/read"), Some(json!({"lastMessageId": message}))),
        (Method::POST, customer.path("/reassign"), Some(json!({"userId": user}))),
        (Method::POST, customer.path("/close"), Some(json!({}))),
    ]
}

/// Operations that a hidden message answers 404 to, and one in sight by its state.
fn changes(customer: &Customer, message: &str) -> Vec<(Method, String, Option<Value>)> {
    vec![
        (Method::GET, customer.path("/messages?afterSeq=0"), None),
        (Method::POST, format!("/v1/messages/{message}/reactions"), Some(json!({"emoji": "👍"}))),
        (Method::PATCH, format!("/v1/messages/{message}"), Some(json!({"metadata": {"a": "b"}}))),
        (Method::DELETE, format!("/v1/messages/{message}"), None),
    ]
}

/// The document without what differs between two requests.
fn comparable(answer: &Answer, known: &[&str]) -> String {
    let mut body = answer.json();
    body["traceId"] = Value::Null;
    known.iter().fold(body.to_string(), |text, id| text.replace(id, "ID"))
}

#[test]
fn agents_of_other_teams_find_nothing() {
    let app = App::shared();
    let scene = Scene::new(app);
    let customer = Customer::writes(app, &scene.tenant, &scene.red_inbox, "Hello");
    let message = customer.message(&scene.tenant, "Hello");
    assert_eq!(ids(&scene.blue, ""), Vec::<String>::new());
    assert_eq!(ids(&scene.blue, "unread=true"), Vec::<String>::new());
    let inbox = format!("inboxId={}", scene.red_inbox.id);
    assert_eq!(ids(&scene.blue, &inbox), Vec::<String>::new());
    let contact = text(&customer.details(&scene.tenant.key), "contactId");
    assert_eq!(ids(&scene.blue, &format!("contactId={contact}")), Vec::<String>::new());

    let nobody = Customer { phone: String::new(), conversation: "cnv_7ZZZZZZZZZZZZZZZZZZZZZZZZZ".into() };
    let no_message = "msg_7ZZZZZZZZZZZZZZZZZZZZZZZZZ";
    let absent =
        operations(&nobody, no_message, &scene.red_id).into_iter().chain(changes(&nobody, no_message));
    let hidden =
        operations(&customer, &message, &scene.red_id).into_iter().chain(changes(&customer, &message));
    for ((method, path, body), (_, absent, absent_body)) in hidden.zip(absent) {
        let hidden = scene.blue.send(method.clone(), &path, body);
        assert_eq!(hidden.status, 404, "{hidden}");
        let never = scene.blue.send(method, &absent, absent_body);
        let known =
            [&*customer.conversation, &*message, &*nobody.conversation, "msg_7ZZZZZZZZZZZZZZZZZZZZZZZZZ"];
        assert_eq!(comparable(&hidden, &known), comparable(&never, &known));
    }
    // Nothing of that had an effect.
    let details = customer.details(&scene.tenant.key);
    assert_eq!((&details["status"], details.get("assignedUserId")), (&json!("open"), None));
    assert_eq!(customer.messages(&scene.tenant.key).len(), 1);

    // Nor are there other ways to it: by the address, by the contact, by metadata.
    let content = json!({"type": "text", "text": {"body": "Hi"}});
    let request = json!({"recipient": {"type": "contact", "contactId": contact}, "content": content, "metadata": {"a": "b"}});
    scene.blue.post("/v1/messages", request.clone()).problem(403, "auth_authz_message_create_denied");
    scene.red.post("/v1/messages", request).expect(202);
    let found = |client: &Client| client.get("/v1/messages?metadata[a]=b").expect(200)["messages"].clone();
    assert_eq!(found(&scene.red).as_array().unwrap().len(), 1);
    assert_eq!(found(&scene.blue), json!([]));
}

#[test]
fn agents_see_their_team_what_is_assigned_and_what_has_no_team() {
    let app = App::shared();
    let scene = Scene::new(app);
    let tenant = &scene.tenant;
    let routed = Customer::writes(app, tenant, &scene.red_inbox, "Hello");
    let open = Customer::writes(app, tenant, &scene.open_inbox, "Hello");
    assert_eq!(ids(&scene.red, ""), [&*open.conversation, &*routed.conversation]);
    assert_eq!(ids(&scene.blue, ""), [&*open.conversation]);
    // Owners, admins and keys of theirs see all; software with the role agent is in no team.
    for client in [&tenant.owner.client, &tenant.admin().client, &tenant.key] {
        assert_eq!(ids(client, "").len(), 2);
    }
    let software = tenant.key_as("agent");
    assert_eq!(ids(&software, ""), [&*open.conversation]);
    software.get(&routed.path("")).problem(404, "conversation_not_found");
    open.details(&software);
}

#[test]
fn an_assignment_opens_a_conversation_of_another_team() {
    let app = App::shared();
    let scene = Scene::new(app);
    let tenant = &scene.tenant;
    let customer = Customer::writes(app, tenant, &scene.red_inbox, "Hello");
    let message = customer.message(tenant, "Hello");
    let guest = tenant.person("agent");
    guest.client.get(&customer.path("")).problem(404, "conversation_not_found");
    customer.assign(&scene.red, &guest.id);
    assert_eq!(ids(&guest.client, ""), [&*customer.conversation]);
    assert_eq!(ids(&guest.client, "assignedUserId=me&status=open&unread=true"), [&*customer.conversation]);
    assert_eq!(super::badge(&guest.client).0, 1);
    for (method, path, body) in operations(&customer, &message, &scene.red_id) {
        // A customer's message is nobody's to change.
        if matches!(method, Method::PATCH | Method::DELETE) {
            assert_eq!(guest.client.send(method, &path, body).status, 409);
            continue;
        }
        let answer = guest.client.send(method, &path, body);
        assert!(answer.status < 300, "{answer}");
        if path.ends_with("/reassign") {
            // Handed on, it is out of sight at once.
            guest.client.get(&customer.path("")).problem(404, "conversation_not_found");
            customer.assign(&scene.red, &guest.id);
        }
    }
    // Closed, it stays in sight of whom it was assigned to; the next session is the team's alone.
    assert_eq!(ids(&guest.client, "status=closed"), [&*customer.conversation]);
    customer.writes_again(app, tenant, &scene.red_inbox, "Once more");
    guest.client.get(&customer.path("")).problem(404, "conversation_not_found");
    customer.details(&scene.red);
}

#[test]
fn a_team_in_use_is_not_deleted() {
    let app = App::shared();
    let scene = Scene::new(app);
    let tenant = &scene.tenant;
    let customer = Customer::writes(app, tenant, &scene.red_inbox, "Hello");
    let team = text(&customer.details(&scene.red), "teamId");
    let path = format!("/v1/teams/{team}");
    tenant.key.delete(&path).problem(409, "team_in_use");
    tenant.key.delete(&format!("/v1/inboxes/{}/team", scene.red_inbox.id)).expect(200);
    tenant.key.delete(&path).problem(409, "team_in_use");
    customer.close(&scene.red);
    tenant.key.delete(&path).expect(204);
    // Its history does not come into everybody's sight by that.
    scene.blue.get(&customer.path("")).problem(404, "conversation_not_found");
    assert!(customer.details(&tenant.key).get("teamId").is_none());
}
