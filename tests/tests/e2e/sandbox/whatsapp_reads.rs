//! The read side of the WhatsApp sandbox.

use super::{code, number, provider};
use serde_json::{Value, json};
use tests::App;

/// All pages of a list.
fn pages(app: &App, path: &str) -> Vec<Vec<Value>> {
    let (mut pages, mut next) = (Vec::new(), Some(path.to_string()));
    while let Some(path) = next {
        let page = provider(app).get(&path).expect(200);
        pages.push(page["data"].as_array().unwrap().clone());
        next = page["paging"]["next"].as_str().map(|url| url[url.find("/sandbox/").unwrap()..].to_string());
        assert!(pages.len() < 20, "the pages never end");
    }
    pages
}

#[test]
fn templates_and_numbers_come_in_pages() {
    let app = App::shared();
    let templates = pages(app, "/sandbox/whatsapp/v25.0/290011223344556/message_templates");
    assert!(templates.len() >= 3);
    let names: Vec<&str> =
        templates.iter().flatten().map(|template| template["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"order_ready") && names.contains(&"visit_reminder"));
    let paused =
        pages(app, "/sandbox/whatsapp/v25.0/1/message_templates?status=PAUSED&fields=name&name=summer");
    assert_eq!(paused, [[json!({"name": "summer_sale", "id": "880011000000003"})]]);
    let numbers =
        pages(app, "/sandbox/whatsapp/v25.0/290011223344556/phone_numbers?limit=2&fields=id,status");
    assert_eq!(numbers.len(), 4);
    assert_eq!(numbers[0][0], json!({"id": "310987654321001", "status": "CONNECTED"}));
    assert_eq!(code(&provider(app).get("/sandbox/whatsapp/v25.0/1/phone_numbers?after=x")), 100);
    assert_eq!(code(&app.client().get("/sandbox/whatsapp/v25.0/1/phone_numbers")), 200);
}

#[test]
fn a_number_has_a_status_that_decides_whether_it_can_send() {
    let app = App::shared();
    let (client, number) = (provider(app), number());
    let status = || client.get(&format!("/sandbox/whatsapp/v25.0/{number}?fields=status")).expect(200);
    assert_eq!(status()["status"], "CONNECTED");
    let modes = format!("/sandbox/controls/whatsapp/{number}/modes");
    app.client().post(&modes, json!({"numberStatus": "BANNED"})).expect(200);
    assert_eq!(status()["status"], "BANNED");
    let message = json!({"messaging_product": "whatsapp", "to": "12025550147", "type": "template",
        "template": {"name": "order_ready", "language": {"code": "en"}}});
    assert_eq!(code(&client.post(&format!("/sandbox/whatsapp/v25.0/{number}/messages"), message)), 131_045);
}
