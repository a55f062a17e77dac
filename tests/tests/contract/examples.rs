//! Every documented example is executed: the documented body at a real path must give the documented
//! success, valid under its schema. Ids of the documentation are replaced by those of a prepared tenant.

use crate::world::World;
use crate::{cases, tables};
use common::auth::Access;
use common::routes::Operation;
use http::Method;
use tests::{App, Client, unique};

/// What an example needs beyond its ids.
fn prepare(operation: &Operation, world: &World, app: &App) {
    if matches!(operation.id, "sendConversationMessage" | "sendReaction") {
        world.open_window(app);
    }
    if operation.id == "unarchiveContact" {
        world
            .tenant
            .key
            .send(Method::POST, &format!("/v1/contacts/{}/archive", world.contact), None)
            .expect(204);
    }
}

fn client(operation: &Operation, world: &World, app: &App) -> Option<Client> {
    match operation.access {
        Access::Tenant { .. } if cases::is_for_people(operation) => Some(world.tenant.owner.client.clone()),
        Access::Tenant { .. } => Some(world.tenant.key.clone()),
        Access::Platform => Some(app.platform()),
        Access::Internal => app.internal(),
        Access::Public => Some(app.client()),
        Access::Signed => panic!("{}: name the test that signs with example_elsewhere", operation.id),
    }
}

fn path(operation: &Operation, world: &World) -> String {
    if !operation.docs.example_path.is_empty() {
        let mut path = operation.path.to_string();
        for (name, value) in &operation.docs.example_path {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        assert!(!path.contains('{'), "{}: example_path names not every parameter: {path}", operation.id);
        return path;
    }
    match operation.access {
        Access::Tenant { .. } | Access::Platform => cases::path(operation, world),
        _ => {
            assert!(!operation.path.contains('{'), "{}: add example_path", operation.id);
            operation.path.to_string()
        }
    }
}

#[test]
fn every_documented_example_works() {
    let app = App::shared();
    let mut faults = Vec::new();
    for operation in tables::operations() {
        if operation.docs.example_elsewhere.is_some() {
            continue;
        }
        let world = World::new(app);
        prepare(operation, &world, app);
        let Some(client) = client(operation, &world, app) else { continue };
        let mut body = operation.docs.body.as_ref().map(|body| world.adapt(&body.example));
        if operation.path == "/platform/api/v1/users" || operation.path.starts_with("/platform/api/v1/users/")
        {
            // People are known by their address on the whole server.
            if let Some(email) = body.as_mut().and_then(|body| body.get_mut("email")) {
                *email = format!("{}@example.com", unique::word()).into();
            }
        }
        if body.is_none() && operation.method == Method::POST {
            body = Some(serde_json::json!({}));
        }
        let answer = client.send(operation.method.clone(), &path(operation, &world), body.clone());
        if !operation.docs.answers.iter().any(|documented| documented.status == answer.status) {
            faults.push(format!("{}: {} answered {answer}", operation.id, body.unwrap_or_default()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
