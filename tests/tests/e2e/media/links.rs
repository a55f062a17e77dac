//! Signed links: good for one file until they expire.

use serde_json::json;
use std::time::Duration;
use tests::client::text;
use tests::media::{PNG, upload};
use tests::{App, Tenant, wait_for};

#[test]
fn a_link_needs_no_token_until_it_expires() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let id = upload(&tenant.key, "a.png", "image/png", PNG);
    let make = |seconds: i64| {
        tenant.key.post(&format!("/v1/media/{id}/links"), json!({"expiresInSeconds": seconds})).expect(201)
    };
    let link = make(60);
    let path = text(&link, "path");
    assert!(text(&link, "url").ends_with(&path) && text(&link, "url").starts_with("http"));
    let answer = app.client().get(&path);
    assert_eq!((answer.status, answer.body.as_slice()), (200, PNG));
    assert_eq!(app.client().with("range", "bytes=1-3").get(&path).body, b"PNG");
    let short = text(&make(1), "path");
    wait_for("the end of a link", Duration::from_secs(5), || {
        (app.client().get(&short).status == 403).then_some(())
    });
    app.client().get(&short).problem(403, "media_link_expired");
    // A token does not heal it: who has one needs no link.
    tenant.key.get(&short).problem(403, "media_link_expired");
}

#[test]
fn a_changed_link_is_refused() {
    let app = App::shared();
    let (tenant, other) = (Tenant::new(app), Tenant::new(app));
    let id = upload(&tenant.key, "a.png", "image/png", PNG);
    let second = upload(&tenant.key, "b.png", "image/png", PNG);
    let path = text(&tenant.key.post(&format!("/v1/media/{id}/links"), json!({})).expect(201), "path");
    let (_, signature) = path.split_once("&signature=").unwrap();
    let expires: i64 = path.split(['=', '&']).nth(1).unwrap().parse().unwrap();
    for changed in [
        path.replace(&id, &second),
        path.replace(&tenant.id, &other.id),
        path.replace(&expires.to_string(), &(expires + 1).to_string()),
        path.replace(signature, &signature.chars().rev().collect::<String>()),
        path.replace(signature, ""),
        path.replace(signature, "x"),
        format!("/media/{}/uploads/{id}?signature={signature}", tenant.id),
    ] {
        app.client().get(&changed).problem(403, "media_link_invalid");
    }
    assert_eq!(app.client().get(&path.replace("expires=", "expires=x")).wrong_fields(400), ["expires"]);
    app.client()
        .get(&format!("/media/{}/uploads/{id}?expires={expires}", tenant.id))
        .problem(401, "auth_token_invalid");
}

#[test]
fn a_link_outlives_the_rotation_of_its_key_and_not_its_end() {
    let Some(mut app) = App::own(&[]) else { return };
    let tenant = Tenant::new(&app);
    let id = upload(&tenant.key, "a.png", "image/png", PNG);
    let path = text(&tenant.key.post(&format!("/v1/media/{id}/links"), json!({})).expect(201), "path");
    let client = app.client().apart();
    let (new, old) = ("bmV3IGVuY3J5cHRpb24ga2V5IHdpdGggMzIgYnl0ZXM=", tests::app::ENCRYPTION_KEY);
    for (previous, status) in [(old, 200), ("", 403)] {
        app.process().kill();
        app.process().set_variables(&[("encryption_key", new), ("encryption_key_previous", previous)]);
        app.process().start_again();
        assert_eq!(client.get(&path).status, status, "{previous:?}");
    }
}

#[test]
fn links_of_a_deleted_account_are_good_no_more() {
    let app = App::shared();
    let tenant = Tenant::new(app);
    let id = upload(&tenant.key, "a.png", "image/png", PNG);
    let path = text(&tenant.key.post(&format!("/v1/media/{id}/links"), json!({})).expect(201), "path");
    assert_eq!(app.client().get(&path).status, 200);
    app.platform().delete(&format!("/platform/api/v1/accounts/{}", tenant.account)).expect(200);
    app.client().get(&path).problem(404, "media_not_found");
}

#[test]
fn links_last_a_week_at_most() {
    let tenant = Tenant::new(App::shared());
    let id = upload(&tenant.key, "a.png", "image/png", PNG);
    let path = format!("/v1/media/{id}/links");
    for seconds in [json!(0), json!(604_801)] {
        let refused = tenant.key.post(&path, json!({"expiresInSeconds": seconds}));
        assert_eq!(refused.wrong_fields(422), ["expiresInSeconds"]);
    }
    tenant.key.post(&path, json!({"expiresInSeconds": 604_800})).expect(201);
}
