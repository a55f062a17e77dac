//! An empty database takes sixteen first requests at once.

use serde_json::json;
use tests::{App, unique};

#[test]
fn sixteen_first_requests_at_an_empty_database() {
    let Some(app) = App::own(&[]) else { return };
    let platform = app.platform();
    let mut ids: Vec<i64> = std::thread::scope(|scope| {
        let posts: Vec<_> = (0..16)
            .map(|number| {
                let platform = &platform;
                scope.spawn(move || {
                    if number % 4 == 0 {
                        platform.get("/v1/contacts").problem(401, "auth_token_invalid");
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
