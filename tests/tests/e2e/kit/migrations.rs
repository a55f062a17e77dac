//! An empty database takes sixteen first requests at once, however the runtime drives SQLite.

use serde_json::json;
use tests::{App, unique};

fn sixteen_first_requests(app: &App) {
    let platform = app.platform();
    let mut ids: Vec<i64> = std::thread::scope(|scope| {
        let posts: Vec<_> = (0..16)
            .map(|number| {
                let platform = &platform;
                scope.spawn(move || {
                    if number % 4 == 0 {
                        // Another component, with a pool of its own.
                        let unknown = platform.bearer("fln_live_unknown");
                        unknown.get("/v1/contacts").problem(401, "auth_token_invalid");
                    }
                    let made = platform
                        .post("/platform/api/v1/accounts", json!({"name": unique::word()}))
                        .expect(200);
                    made["id"].as_i64().unwrap()
                })
            })
            .collect();
        posts.into_iter().map(|post| post.join().unwrap()).collect()
    });
    ids.sort_unstable();
    assert_eq!(ids, (1..=16).collect::<Vec<i64>>());
}

#[test]
fn sixteen_first_requests_at_an_empty_database() {
    let Some(app) = App::own(&[]) else { return };
    sixteen_first_requests(&app);
}

#[test]
fn sixteen_first_requests_at_an_empty_database_as_on_spin() {
    let Some(app) = App::own_blocking() else { return };
    sixteen_first_requests(&app);
}
