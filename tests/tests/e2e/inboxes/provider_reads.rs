//! Templates of an inbox and numbers of a business account, as WhatsApp lists them.

use serde_json::{Value, json};
use std::time::Duration;
use tests::client::text;
use tests::{App, Provider, Tenant, Told, unique};

/// A server whose WhatsApp is `provider`.
fn app(provider: &Provider) -> Option<App> {
    App::own(&[("whatsapp_base_url", &provider.url), ("whatsapp_api_version", "v25.0")])
}

fn inbox(tenant: &Tenant, more: Value) -> String {
    let mut whatsapp = json!({"resourceIds": ["290011223344556"], "phoneNumberIds": [unique::digits()]});
    whatsapp.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    text(&tenant.key.post("/v1/inboxes", json!({"whatsapp": whatsapp})).expect(200)["inboxes"][0], "id")
}

fn template(name: &str, status: &str) -> Value {
    json!({"id": format!("8{name}"), "name": name, "language": "en_GB", "status": status, "category": "UTILITY",
           "parameter_format": "POSITIONAL", "components": [{"type": "BODY", "text": "Hi {{1}}"}]})
}

/// As the provider writes pages: a cursor also on the last one, `next` only where there is more.
fn page(items: &[Value], next: Option<&str>) -> Value {
    let mut paging = json!({"cursors": {"before": "QUE", "after": next.unwrap_or("TEFTVA")}});
    if let Some(next) = next {
        let url =
            format!("https://graph.facebook.com/v25.0/290011223344556/x?after={next}&access_token=hidden");
        paging["next"] = json!(url);
    }
    json!({"data": items, "paging": paging})
}

#[test]
fn all_pages_of_templates_are_listed_and_kept_for_a_minute() {
    let provider = Provider::answering(|asked, _| {
        let items = |names: &[(&str, &str)]| -> Vec<Value> {
            names.iter().map(|(name, status)| template(name, status)).collect()
        };
        let page = if asked.path.contains("after=Tm93") {
            page(&items(&[("three", "REJECTED"), ("four", "PENDING")]), None)
        } else {
            page(&items(&[("one", "APPROVED"), ("two", "PAUSED")]), Some("Tm93"))
        };
        Told::json(200, &page)
    });
    let Some(app) = app(&provider) else { return };
    let tenant = Tenant::new(&app);
    let id = inbox(&tenant, json!({"accessToken": "EAA-own-token"}));
    let path = format!("/v1/inboxes/{id}/whatsapp/templates");
    let listed = tenant.agent().client.get(&path).expect(200);
    assert_eq!(
        listed,
        json!({"templates": [
            {"id": "8one", "name": "one", "language": "en_GB", "status": "APPROVED", "category": "UTILITY",
             "components": [{"type": "BODY", "text": "Hi {{1}}"}]},
            {"id": "8four", "name": "four", "language": "en_GB", "status": "PENDING", "category": "UTILITY",
             "components": [{"type": "BODY", "text": "Hi {{1}}"}]},
        ]})
    );
    assert_eq!(tenant.key.get(&path).expect(200), listed);
    let asked = provider.asked();
    assert_eq!(asked.len(), 2, "the second answer was kept: {asked:?}");
    for request in &asked {
        assert!(request.path.starts_with("/v25.0/290011223344556/message_templates?"), "{request:?}");
        assert_eq!(request.header("authorization"), "Bearer EAA-own-token", "the inbox's own token");
    }
    Tenant::new(&app).key.get(&path).problem(404, "inbox_not_found");
}

#[test]
fn only_whatsapp_has_templates() {
    let tenant = Tenant::new(App::shared());
    let made = tenant.key.post("/v1/inboxes", json!({"text": {"name": "Chat"}})).expect(200);
    let path = format!("/v1/inboxes/{}/whatsapp/templates", text(&made["inboxes"][0], "id"));
    tenant.key.get(&path).problem(422, "unsupportedChannel");
    tenant.key.get("/v1/inboxes/ibx_nothing/whatsapp/templates").problem(404, "inbox_not_found");
}

#[test]
fn what_the_provider_refuses_is_told_without_its_words() {
    let provider = Provider::answering(|asked, _| {
        let error = |status, code: i64| {
            let error = json!({"message": "internal words of the provider", "code": code, "fbtrace_id": "A"});
            Told::json(status, &json!({"error": error}))
        };
        match asked.path.split('/').nth(2).unwrap_or_default() {
            "190" => error(401, 190),
            "429" => error(400, 130_429).with("retry-after", "17"),
            "500" => Told::text(500, "oops"),
            "200" => Told::text(200, "<html>no JSON</html>"),
            "100" => error(400, 100),
            "404" => Told::json(200, &page(&[], None)),
            _ => Told::json(200, &page(&[], None)).after(Duration::from_secs(30)),
        }
    });
    let Some(app) = app(&provider) else { return };
    let tenant = Tenant::new(&app);
    let get = |waba: &str| tenant.key.get(&format!("/v1/whatsapp/{waba}/phone-numbers"));
    for (waba, status, code) in [
        ("190", 502, "provider_refused"),
        ("429", 503, "provider_unavailable"),
        ("500", 503, "provider_unavailable"),
        ("200", 503, "provider_unavailable"),
        ("100", 404, "whatsapp_account_not_found"),
        ("7", 503, "provider_unavailable"),
    ] {
        let answer = get(waba);
        assert!(!answer.to_string().contains("internal words"), "{answer}");
        answer.problem(status, code);
        if waba == "429" {
            assert_eq!(answer.header("retry-after"), "17");
        }
    }
    assert_eq!(get("404").expect(200), json!({"phoneNumbers": []}));
    get("not-a-number").problem(404, "whatsapp_account_not_found");
}

#[test]
fn endless_pages_end() {
    let provider = Provider::answering(|_, number| {
        Told::json(200, &page(&[template("x", "APPROVED")], Some(&format!("c{number}"))))
    });
    let Some(app) = app(&provider) else { return };
    let tenant = Tenant::new(&app);
    let path = format!("/v1/inboxes/{}/whatsapp/templates", inbox(&tenant, json!({})));
    let listed = tenant.key.get(&path).expect(200);
    assert_eq!(listed["templates"].as_array().unwrap().len(), 60);
    assert_eq!(provider.asked().len(), 60);
}

#[test]
fn numbers_of_an_account_say_whether_they_can_send() {
    let provider = Provider::answering(|asked, _| {
        if asked.path.contains("after=Mg") {
            let number =
                json!({"id": "3", "display_phone_number": "+1 202-555-0102", "platform_type": "ON_PREMISE"});
            return Told::json(200, &page(&[number], None));
        }
        let connected = json!({
            "verified_name": "Example Shop", "code_verification_status": "VERIFIED",
            "display_phone_number": "+1 202-555-0100", "quality_rating": "GREEN", "platform_type": "CLOUD_API",
            "throughput": {"level": "STANDARD"}, "id": "310987654321001"});
        let offline = json!({"id": "2", "display_phone_number": "+1 202-555-0101", "platform_type": "CLOUD_API",
                             "verified_name": "Old", "status": "DISCONNECTED", "quality_rating": "RED"});
        Told::json(200, &page(&[connected, offline], Some("Mg")))
    });
    let Some(app) = app(&provider) else { return };
    let tenant = Tenant::new(&app);
    let path = "/v1/whatsapp/290011223344556/phone-numbers";
    let listed = tenant.key.get(path).expect(200);
    assert_eq!(
        listed["phoneNumbers"][0],
        json!({"id": "310987654321001", "displayPhoneNumber": "+1 202-555-0100", "verifiedName": "Example Shop",
               "qualityRating": "GREEN", "codeVerificationStatus": "VERIFIED", "isRegistered": true})
    );
    let registered: Vec<&Value> =
        listed["phoneNumbers"].as_array().unwrap().iter().map(|number| &number["isRegistered"]).collect();
    assert_eq!(registered, [&json!(true), &json!(false), &json!(false)]);
    let token = provider.asked()[0].header("authorization").to_string();
    assert_eq!(token, "Bearer whatsapp-access-token-of-the-tests", "the deployment's");
    inbox(&tenant, json!({"accessToken": "EAA-own-token"}));
    tenant.key.get(path).expect(200);
    let token = provider.asked().last().unwrap().header("authorization").to_string();
    assert_eq!(token, "Bearer EAA-own-token", "that of the account's inbox");
    tenant.agent().client.get(path).problem(403, "auth_authz_inbox_create_denied");
}

#[test]
fn the_deployments_token_tells_nothing_of_anothers_account() {
    let provider = Provider::answering(|_, _| Told::json(200, &page(&[], None)));
    let Some(app) = app(&provider) else { return };
    let (tenant, other) = (Tenant::new(&app), Tenant::new(&app));
    let path = "/v1/whatsapp/290011223344556/phone-numbers";
    tenant.key.get(path).expect(200);
    let id = inbox(&other, json!({"accessToken": "EAA-of-the-other"}));
    other.key.get(path).expect(200);
    let asked = provider.asked().len();
    tenant.key.get(path).problem(404, "whatsapp_account_not_found");
    assert_eq!(provider.asked().len(), asked, "nobody was asked");
    // Who has connected it as well sees it with a token of their own, and all again once it is nobody's.
    let own = inbox(&tenant, json!({"accessToken": "EAA-own-token"}));
    tenant.key.get(path).expect(200);
    assert_eq!(provider.asked().last().unwrap().header("authorization"), "Bearer EAA-own-token");
    tenant.key.delete(&format!("/v1/inboxes/{own}")).expect(204);
    tenant.key.get(path).problem(404, "whatsapp_account_not_found");
    other.key.delete(&format!("/v1/inboxes/{id}")).expect(204);
    tenant.key.get(path).expect(200);
}

#[test]
fn tokens_open_after_a_rotation_of_the_encryption_key() {
    let provider = Provider::answering(|_, _| Told::json(200, &page(&[], None)));
    let Some(mut app) = app(&provider) else { return };
    let tenant = Tenant::new(&app);
    let id = inbox(&tenant, json!({"accessToken": "EAA-before"}));
    // The key of the tests becomes the previous one.
    let old = tests::app::ENCRYPTION_KEY;
    let new = "bmV3IGVuY3J5cHRpb24ga2V5IG9mIHRoZSB0ZXN0cyE=";
    app.process().kill();
    app.process().set_variables(&[("encryption_key", new), ("encryption_key_previous", old)]);
    app.process().start_again();
    tenant.key.get(&format!("/v1/inboxes/{id}/whatsapp/templates")).expect(200);
    assert_eq!(provider.asked().last().unwrap().header("authorization"), "Bearer EAA-before");
    // Renewed, it no longer needs the old key.
    let renewed = json!({"credentials": {"accessToken": "EAA-after"}});
    tenant.key.patch(&format!("/v1/inboxes/{id}"), renewed).expect(200);
    app.process().kill();
    app.process().set_variables(&[("encryption_key", new), ("encryption_key_previous", "")]);
    app.process().start_again();
    tenant.key.get("/v1/whatsapp/290011223344556/phone-numbers").expect(200);
    assert_eq!(provider.asked().last().unwrap().header("authorization"), "Bearer EAA-after");
}
