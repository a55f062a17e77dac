//! `PUT /v1/users/{userId}/role`: the whole decision table, and the order of its checks.

use serde_json::{Value, json};
use tests::client::text;
use tests::{Answer, App, Client, Person, Tenant};

const DENIED: &str = "auth_authz_user_assign_role_denied";
const FORBIDDEN: &str = "auth_user_role_assignment_forbidden";
const SELF: &str = "auth_user_self_role_change_forbidden";
const INVALID: &str = "auth_user_invalid_role";
const ABSENT: &str = "auth_user_not_found";
const LAST: &str = "auth_user_last_owner_required";

fn put(caller: &Client, user: &str, role: impl Into<Value>) -> Answer {
    caller.put(&format!("/v1/users/{user}/role"), json!({"role": role.into()}))
}

fn role_of(tenant: &Tenant, person: &Person) -> String {
    text(&tenant.owner.client.get(&format!("/v1/users/{}", person.id)).expect(200), "role")
}

#[test]
fn owners_and_admins_change_what_they_may() {
    let tenant = Tenant::new(App::shared());
    let owner_key = tenant.key_as("owner");
    let (owner, admin) = (tenant.owner.client.clone(), tenant.admin().client.clone());
    let callers = [
        ("owner", &owner, true),
        ("owner key", &owner_key, true),
        ("admin", &admin, false),
        ("admin key", &tenant.key, false),
    ];
    for (who, caller, is_owner) in callers {
        for before in ["owner", "administrator", "agent"] {
            for to in ["owner", "admin", "agent"] {
                let target = tenant.person(if before == "administrator" { "administrator" } else { before });
                let answer = put(caller, &target.id, to);
                let case = format!("{who} makes {before} {to}: {answer}");
                let (role, expected) = match (is_owner, before, to) {
                    (true, ..) => (to, None),
                    (false, _, "owner") => (before, Some(DENIED)),
                    (false, "owner", _) => (before, Some(FORBIDDEN)),
                    (false, ..) => (to, None),
                };
                match expected {
                    None => assert_eq!(answer.expect(200)["role"], role, "{case}"),
                    Some(code) => drop(answer.problem(403, code)),
                }
                let role = if role == "administrator" { "admin" } else { role };
                assert_eq!(role_of(&tenant, &target), role, "{case}");
            }
        }
    }
    let agent = tenant.agent();
    for caller in [&agent.client, &tenant.key_as("agent")] {
        put(caller, &tenant.admin().id, "agent").problem(403, DENIED);
    }
}

#[test]
fn checks_come_in_their_order() {
    let tenant = Tenant::new(App::shared());
    let other = Tenant::new(App::shared());
    let admin = tenant.admin();
    let nobody = "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S";
    // The role before the user, the user before the authority, self before the authority.
    for wrong in [json!("boss"), json!("Owner"), json!(""), Value::Null, json!(1)] {
        let problem = put(&admin.client, nobody, wrong).problem(400, INVALID);
        assert_eq!(problem["errors"][0]["field"], "role");
    }
    let path = format!("/v1/users/{}/role", admin.id);
    admin.client.put(&path, json!({})).problem(400, INVALID);
    for id in [nobody, other.owner.id.as_str()] {
        put(&admin.client, id, "owner").problem(404, ABSENT);
    }
    put(&admin.client, &admin.id, "owner").problem(400, SELF);
    put(&tenant.owner.client, &tenant.owner.id, "agent").problem(400, SELF);
    put(&tenant.owner.client, &tenant.owner.id, "owner").problem(400, SELF);
    // The authority before the last owner.
    put(&tenant.key, &tenant.owner.id, "agent").problem(403, FORBIDDEN);
    put(&tenant.key_as("owner"), &tenant.owner.id, "agent").problem(409, LAST);
    assert_eq!(role_of(&tenant, &tenant.owner), "owner");
}

#[test]
fn only_the_scope_of_the_role_counts() {
    let tenant = Tenant::new(App::shared());
    let person = tenant.admin();
    let only = |role: &str| tenant.key_with(&[&format!("user:assign_role_{role}")]);
    put(&only("admin"), &person.id, "agent").problem(403, DENIED);
    assert_eq!(put(&only("agent"), &person.id, "agent").expect(200)["role"], "agent");
    put(&only("agent"), &person.id, "admin").problem(403, DENIED);
    assert_eq!(put(&only("admin"), &person.id, "admin").expect(200)["role"], "admin");
    // A scope does not lift what the role may.
    put(&only("owner"), &person.id, "owner").problem(403, DENIED);
}

#[test]
fn a_role_counts_from_the_next_request_on() {
    let tenant = Tenant::new(App::shared());
    let agent = tenant.agent();
    agent.client.get("/v1/webhooks").problem(403, "auth_authz_webhook_read_denied");
    put(&tenant.owner.client, &agent.id, "admin").expect(200);
    agent.client.get("/v1/webhooks").expect(200);
    put(&tenant.owner.client, &agent.id, "agent").expect(200);
    agent.client.get("/v1/webhooks").problem(403, "auth_authz_webhook_read_denied");
}

#[test]
fn a_disabled_owner_does_not_count_as_the_one_who_stays() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let second = tenant.person("owner");
    let key = tenant.key_as("owner");
    app.platform()
        .patch(&format!("/platform/api/v1/users/{}", second.number), json!({"disabled": true}))
        .expect(200);
    put(&key, &tenant.owner.id, "admin").problem(409, LAST);
    put(&key, &second.id, "admin").expect(200);
    put(&key, &tenant.owner.id, "admin").problem(409, LAST);
}

#[test]
fn of_two_owners_demoted_at_once_one_stays() {
    let app = App::shared();
    for _ in 0..4 {
        let tenant = Tenant::new(app);
        let (first, second) = (&tenant.owner, &tenant.person("owner"));
        // By a service account, which is neither of them.
        let key = tenant.key_as("owner");
        let answers = at_once((&key, &first.id), (&key, &second.id));
        let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409]);
        answers.iter().find(|answer| answer.status == 409).unwrap().problem(409, LAST);
        // By each other: who was first has withdrawn the other's authority.
        let tenant = Tenant::new(app);
        let (first, second) = (&tenant.owner, &tenant.person("owner"));
        let answers = at_once((&first.client, &second.id), (&second.client, &first.id));
        let done = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(done, 1, "{answers:?}");
        let roles = [role_of(&tenant, first), role_of(&tenant, second)];
        assert_eq!(roles.iter().filter(|role| *role == "owner").count(), 1, "{roles:?}");
    }
}

fn at_once(one: (&Client, &str), other: (&Client, &str)) -> Vec<Answer> {
    let start = std::sync::Barrier::new(2);
    let go = |(caller, user): (&Client, &str)| {
        start.wait();
        put(caller, user, "agent")
    };
    std::thread::scope(|scope| {
        let second = scope.spawn(|| go(other));
        vec![go(one), second.join().unwrap()]
    })
}
