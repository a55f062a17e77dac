//! Many writers at once, with SQLite driven as Spin drives it: every request gets its own answer, none a
//! 5xx, and what must be one is one.

use serde_json::json;
use std::collections::BTreeSet;
use tests::client::text;
use tests::tenant::template_to;
use tests::{App, Tenant, unique};

const CALLERS: usize = 32;
const REQUESTS: usize = 10;

#[test]
fn many_writers_at_once_are_all_served() {
    let Some(app) = App::own_blocking() else { return };
    let tenant = Tenant::new(&app);
    let inbox = tenant.inbox();
    let ids: BTreeSet<String> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let (tenant, inbox) = (&tenant, &inbox);
                scope.spawn(move || {
                    let phone = format!("+48{}1234", 200_000 + caller);
                    let send = || tenant.key.post("/v1/messages", template_to(inbox, &phone)).expect(202);
                    (0..REQUESTS).map(|_| text(&send()["message"], "id")).collect::<Vec<_>>()
                })
            })
            .collect();
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
    });
    assert_eq!(ids.len(), CALLERS * REQUESTS);
    let contacts = tenant.key.get("/v1/contacts?pageSize=100").expect(200);
    assert_eq!(contacts["contacts"].as_array().unwrap().len(), CALLERS);
}

#[test]
fn one_key_at_once_has_one_effect() {
    let Some(app) = App::own_blocking() else { return };
    let tenant = Tenant::new(&app);
    let once = tenant.key.once(&unique::word());
    let answers: Vec<_> = std::thread::scope(|scope| {
        let posts: Vec<_> =
            (0..16).map(|_| scope.spawn(|| once.post("/v1/contacts", json!({"name": "Anna"})))).collect();
        posts.into_iter().map(|post| post.join().unwrap()).collect()
    });
    let ids: BTreeSet<String> = answers.iter().map(|answer| text(&answer.expect(201), "id")).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(tenant.key.get("/v1/contacts").expect(200)["contacts"].as_array().unwrap().len(), 1);
}
