//! The sandbox answers as the provider does, and only while it is on.

use serde_json::json;
use tests::{App, Tenant};

#[test]
fn the_provider_has_errors_of_its_own_form() {
    let app = App::shared();
    let inbox = Tenant::new(app).inbox();
    let path = format!("/sandbox/whatsapp/v24.0/{}/messages", inbox.phone_number_id);
    let refused = app.client().bearer("wrong").post(&path, json!({"messaging_product": "whatsapp"}));
    let refused = refused.expect(401);
    assert_eq!(refused["error"]["code"], json!(190));
    assert!(refused["error"]["fbtrace_id"].is_string());
}

#[test]
fn it_is_absent_unless_it_is_on() {
    let Some(app) = App::own(&[("sandbox", "off")]) else { return };
    for path in ["/sandbox/whatsapp/1/sends", "/sandbox/whatsapp/1/nothing"] {
        app.client().get(path).problem(404, "route_not_found");
    }
    let send = json!({"messaging_product": "whatsapp"});
    app.client().post("/sandbox/whatsapp/v24.0/1/messages", send).problem(404, "route_not_found");
}
