//! `/v1/inboxes`: connecting and listing.

mod change;
mod connect;
mod provider_reads;
mod team;

use serde_json::{Value, json};
use tests::client::text;
use tests::{App, Tenant, unique};

fn whatsapp(numbers: &[&str]) -> Value {
    json!({"whatsapp": {"resourceIds": ["123456789012345"], "phoneNumberIds": numbers}})
}

#[test]
fn a_number_is_connected_and_listed() {
    let tenant = Tenant::new(App::shared());
    assert_eq!(tenant.key.get("/v1/inboxes").expect(200), json!({"inboxes": []}));
    let number = unique::digits();
    let made = tenant.key.post("/v1/inboxes", whatsapp(&[&number])).expect(200);
    insta::assert_json_snapshot!(made, {
        ".inboxes[].id" => "[id]", ".inboxes[].tenantId" => "[tenant]", ".inboxes[].createdBy" => "[key]",
        ".inboxes[].createdAt" => "[time]", ".inboxes[].updatedAt" => "[time]",
        ".inboxes[].externalId" => "[number]", ".inboxes[].config.phoneNumberId" => "[number]",
        ".inboxes[].name" => "[name]",
    }, @r#"
    {
      "inboxes": [
        {
          "channel": "whatsapp",
          "config": {
            "phoneNumberId": "[number]"
          },
          "createdAt": "[time]",
          "createdBy": "[key]",
          "externalId": "[number]",
          "id": "[id]",
          "name": "[name]",
          "status": {
            "reasons": [],
            "state": "active"
          },
          "tenantId": "[tenant]",
          "updatedAt": "[time]"
        }
      ]
    }
    "#);
    let inbox = &made["inboxes"][0];
    assert_eq!(inbox["externalId"], json!(number));
    assert_eq!(inbox["config"]["phoneNumberId"], json!(number));
    assert_eq!(inbox["createdBy"], json!(tenant.service_account));
    assert_eq!(inbox["tenantId"], json!(tenant.id));
    assert_eq!(tenant.key.get("/v1/inboxes").expect(200), made);
}

#[test]
fn several_numbers_become_several_inboxes_or_none() {
    let tenant = Tenant::new(App::shared());
    let (one, two, three) = (unique::digits(), unique::digits(), unique::digits());
    let made = tenant.key.post("/v1/inboxes", whatsapp(&[&one, &two])).expect(200);
    assert_eq!(made["inboxes"].as_array().unwrap().len(), 2);
    let taken = tenant.key.post("/v1/inboxes", whatsapp(&[&three, &two]));
    taken.problem(409, "inbox_already_connected");
    assert_eq!(tenant.key.get("/v1/inboxes").expect(200), made, "the third was not connected");
    tenant.key.post("/v1/inboxes", whatsapp(&[&three])).expect(200);
}

#[test]
fn a_number_belongs_to_one_tenant() {
    let (tenant, other) = (Tenant::new(App::shared()), Tenant::new(App::shared()));
    let inbox = tenant.inbox();
    let refused = other.key.post("/v1/inboxes", whatsapp(&[&inbox.phone_number_id]));
    let refused = refused.problem(409, "inbox_already_connected").to_string();
    assert!(
        !refused.contains(&tenant.id) && !refused.contains(&inbox.id),
        "tells nothing of the owner: {refused}"
    );
    assert_eq!(other.key.get("/v1/inboxes").expect(200), json!({"inboxes": []}));
}

#[test]
fn wrong_requests_name_their_fields() {
    let tenant = Tenant::new(App::shared());
    let wrong = |body: Value| tenant.key.post("/v1/inboxes", body).wrong_fields(422);
    assert_eq!(wrong(json!({})), ["body"]);
    assert_eq!(wrong(whatsapp(&[])), ["whatsapp.phoneNumberIds"]);
    assert_eq!(wrong(whatsapp(&["12 34"])), ["whatsapp.phoneNumberIds[0]"]);
    assert_eq!(wrong(whatsapp(&["1", "1"])), ["whatsapp.phoneNumberIds[1]"]);
    let nowhere = json!({"whatsapp": {"resourceIds": [], "phoneNumberIds": ["1"]}});
    assert_eq!(wrong(nowhere), ["whatsapp.resourceIds"]);
    assert_eq!(tenant.key.get("/v1/inboxes").expect(200), json!({"inboxes": []}));
}

#[test]
fn people_connect_too() {
    let tenant = Tenant::new(App::shared());
    let made = tenant.owner.client.post("/v1/inboxes", whatsapp(&[&unique::digits()])).expect(200);
    assert_eq!(text(&made["inboxes"][0], "createdBy"), tenant.owner.id);
    assert_eq!(tenant.agent().client.get("/v1/inboxes").expect(200), made, "agents see them");
}
