//! `POST /v1/contacts/import` and what becomes of its rows.

use serde_json::{Value, json};
use std::io::Read;
use std::time::Duration;
use tests::client::text;
use tests::{App, Receiver, Tenant, imports, media, unique};

/// All contacts on the first page, oldest first.
fn contacts(tenant: &Tenant) -> Vec<Value> {
    let page = tenant.key.get("/v1/contacts?orderDirection=asc&pageSize=100").expect(200);
    page["contacts"].as_array().unwrap().clone()
}

fn phone(contact: &Value) -> &Value {
    &contact["identities"][0]["metadata"]["phoneNumber"]
}

/// Total, successes, failures.
fn counts(status: &Value) -> [i64; 3] {
    ["totalRows", "successCount", "failedCount"].map(|name| status[name].as_i64().unwrap())
}

#[test]
fn rows_become_contacts() {
    let tenant = Tenant::new(App::shared());
    let vip = tenant.tag("VIP");
    tenant.field("Lifecycle stage", "text");
    tenant.field("Since", "date");
    tenant.field("Shoe", "text");
    let file = "Name,phone,email,tags,lifecyclestage,SINCE,cf_shoe\r\n\
        Anna Kowalska,+48 123 456 789,anna@example.com,vip;Lead,lead,30.4.2026,38\r\n\
        \"Nowak, Jan \"\"Janek\"\"\nKrakow\",,jan@example.com,,,,\r\n\
        🧑‍🚀 שלום,,,,,2026-01-02T10:00:00Z,\r\n";
    let status = imports::run(&tenant.key, file.as_bytes());
    assert_eq!((&status["status"], counts(&status)), (&json!("completed"), [3, 3, 0]), "{status}");
    assert_eq!(status["errors"], json!([]));
    let made = contacts(&tenant);
    assert_eq!(made.len(), 3);
    assert_eq!((&made[0]["name"], phone(&made[0])), (&json!("Anna Kowalska"), &json!("+48123456789")));
    let fields = json!({
        "cf_email": "anna@example.com", "cf_lifecycle_stage": "lead", "cf_since": "2026-04-30", "cf_shoe": "38",
        "cf_phone": "+48123456789",
    });
    assert_eq!(made[0]["customFields"], fields);
    assert_eq!(made[1]["name"], "Nowak, Jan \"Janek\"\nKrakow");
    assert_eq!(made[1]["identities"], json!([]));
    assert_eq!(made[2]["name"], "🧑‍🚀 שלום");
    assert_eq!(made[2]["customFields"], json!({"cf_since": "2026-01-02"}));
    let tags = tenant.key.get("/v1/tags").expect(200);
    assert_eq!((&tags["tags"][0]["id"], &tags["tags"][0]["labeledCount"]), (&json!(vip), &json!(1)));
    assert_eq!((&tags["tags"][1]["name"], &tags["tags"][1]["labeledCount"]), (&json!("Lead"), &json!(1)));
    assert_eq!(made[0]["tagIds"].as_array().unwrap().len(), 2);
}

#[test]
fn the_same_file_twice_changes_nothing() {
    let tenant = Tenant::new(App::shared());
    tenant.field("Stage", "text");
    let file = "name,phone,email,tags,stage\n\
        Anna,+48123456789,,VIP,lead\n\
        Jan,,Jan@Example.com,VIP,\n\
        Ola,,,Lead,customer\n\
        Ola,,,Lead,lead\n";
    imports::run(&tenant.key, file.as_bytes());
    let (before, tags) = (contacts(&tenant), tenant.key.get("/v1/tags").expect(200));
    assert_eq!(before.len(), 4);
    let status = imports::run(&tenant.key, file.as_bytes());
    assert_eq!((counts(&status), &status["errors"]), ([4, 4, 0], &json!([])));
    assert_eq!(contacts(&tenant), before);
    assert_eq!(tenant.key.get("/v1/tags").expect(200), tags);
}

#[test]
fn known_numbers_and_addresses_update_their_contacts() {
    let tenant = Tenant::new(App::shared());
    tenant.fields(&["Stage", "City"]);
    let field = json!({"stage": "lead", "city": "Krakow", "cf_email": "anna@example.com"});
    let anna = json!({"name": "Anna", "phone": "+5511987654321", "customFields": field});
    let anna = tenant.key.post("/v1/contacts", anna).expect(201);
    let jan = json!({"name": "Jan", "customFields": {"cf_email": "jan@example.com"}});
    tenant.key.post("/v1/contacts", jan).expect(201);
    // The number without its 9, as some write it; two rows for one new number; an address in capitals.
    let file = "name,phone,email,stage,city\n\
        Anna Nowak,+551187654321,,customer,\n\
        ,,JAN@example.com,lead,\n\
        New,+48600100200,,,\n\
        ,+48600100200,new@example.com,,Gdansk\n\
        Newer,,new@example.com,,\n";
    let status = imports::run(&tenant.key, file.as_bytes());
    assert_eq!(counts(&status), [5, 5, 0], "{status}");
    let made = contacts(&tenant);
    assert_eq!(made.len(), 3, "{made:?}");
    let fields = json!({"cf_email": "anna@example.com", "cf_stage": "customer", "cf_city": "Krakow",
        "cf_phone": "+5511987654321"});
    assert_eq!((&made[0]["name"], &made[0]["customFields"]), (&json!("Anna Nowak"), &fields));
    assert_eq!(made[0]["identities"], anna["identities"], "the address stays as it was");
    assert!(text(&made[0], "updatedAt") > text(&anna, "updatedAt"));
    assert_eq!(made[1]["customFields"], json!({"cf_email": "JAN@example.com", "cf_stage": "lead"}));
    assert_eq!(made[1]["name"], "Jan");
    assert_eq!((&made[2]["name"], phone(&made[2])), (&json!("Newer"), &json!("+48600100200")));
    let fields = json!({"cf_email": "new@example.com", "cf_city": "Gdansk", "cf_phone": "+48600100200"});
    assert_eq!(made[2]["customFields"], fields);
}

#[test]
fn addresses_of_any_case_are_one_contacts_also_in_rows_far_apart() {
    let tenant = Tenant::new(App::shared());
    let known = json!({"name": "Jan", "customFields": {"cf_email": "Jan@Example.com"}});
    tenant.key.post("/v1/contacts", known).expect(201);
    // More rows between them than are worked off at once.
    let between: String = (0..600).map(|number| format!("Other {number},{}\n", unique::phone())).collect();
    let file = format!(
        "name,phone,email\nAnna,,ANNA@Example.com\nJan N,,jan@example.com\n{between}Anna N,,anna@example.COM\n"
    );
    let status = imports::run(&tenant.key, file.as_bytes());
    assert_eq!(counts(&status), [603, 603, 0], "{status}");
    let named = |name: &str| {
        let found = tenant.key.get(&format!("/v1/contacts?search={name}%40example.com")).expect(200);
        let found = found["contacts"].as_array().unwrap().clone();
        assert_eq!(found.len(), 1, "{found:?}");
        (found[0]["name"].clone(), found[0]["customFields"]["cf_email"].clone())
    };
    assert_eq!(named("anna"), (json!("Anna N"), json!("anna@example.COM")), "as it was sent last");
    assert_eq!(named("jan"), (json!("Jan N"), json!("jan@example.com")));
}

#[test]
fn wrong_rows_are_named_and_left_out() {
    let tenant = Tenant::new(App::shared());
    tenant.field("Since", "date");
    let file = "name,phone,email,since,shoe,name,\n\
        Anna,+48123456789,anna@example.com,2026-04-30,44,x,y\n\
        Bad phone,12345,,,,,\n\
        Bad twice,123,nobody,soon,,,\n\
        ,,,,44,,\n\
        Too,,,,,,,many\n\
        Short\n";
    let id = imports::send(&tenant.key, file.as_bytes());
    let status = imports::wait(&tenant.key, &id, Duration::from_secs(30));
    assert_eq!((&status["status"], counts(&status)), (&json!("completed"), [6, 2, 4]), "{status}");
    let errors: Vec<(Value, Value)> = status["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["row"].clone(), error["column"].clone()))
        .collect();
    let expected = [
        (json!(null), json!("shoe")),
        (json!(null), json!("name")),
        (json!(null), json!("")),
        (json!(2), json!("phone")),
        (json!(3), json!("phone")),
        (json!(3), json!("email")),
        (json!(3), json!("since")),
        (json!(4), json!(null)),
        (json!(5), json!(null)),
    ];
    assert_eq!(errors, expected, "{status}");
    assert_eq!(status["errors"][3]["message"], "must be a valid E.164 phone number");
    let names: Vec<Value> = contacts(&tenant).iter().map(|contact| contact["name"].clone()).collect();
    assert_eq!(names, ["Anna", "Short"]);
    let csv = tenant.key.get(&format!("/v1/contacts/imports/{id}/errors.csv"));
    assert_eq!((csv.status, csv.header("content-type")), (200, "text/csv; charset=utf-8"));
    let csv = String::from_utf8(csv.body).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 10, "{csv}");
    assert_eq!(lines[0], "row,column,message");
    assert_eq!(lines[1], ",\"shoe\",\"is no known column: it was left out\"");
    assert_eq!(lines[4], "2,\"phone\",\"must be a valid E.164 phone number\"");
}

#[test]
fn a_status_shows_a_hundred_errors_and_the_file_all() {
    let tenant = Tenant::new(App::shared());
    let rows: String = (0..1_200).map(|number| format!("Anna {number},12\n")).collect();
    let id = imports::send(&tenant.key, format!("name,phone\n{rows}").as_bytes());
    let status = imports::wait(&tenant.key, &id, Duration::from_secs(30));
    assert_eq!(counts(&status), [1_200, 0, 1_200]);
    assert_eq!(status["errors"].as_array().unwrap().len(), 100);
    let csv = tenant.key.get(&format!("/v1/contacts/imports/{id}/errors.csv"));
    let csv = String::from_utf8(csv.body).unwrap();
    assert_eq!(csv.lines().count(), 1_201);
    assert!(csv.ends_with("1200,\"phone\",\"must be a valid E.164 phone number\"\r\n"));
}

#[test]
fn files_that_are_no_table_fail_with_a_reason() {
    let tenant = Tenant::new(App::shared());
    for (file, reason) in [
        ("\n\n", "The file is empty."),
        ("shoe,hat\n44,58\n", "The first row names no column that is known."),
    ] {
        let status = imports::run(&tenant.key, file.as_bytes());
        assert_eq!(status["status"], "failed", "{status}");
        assert!(status["errors"].to_string().contains(reason), "{status}");
    }
    let endless = format!("name\n\"{}", "x".repeat(6 * 1024 * 1024));
    let status = imports::run(&tenant.key, endless.as_bytes());
    assert_eq!(status["status"], "failed", "{status}");
    assert!(status["errors"].to_string().contains("quote"), "{status}");
    assert_eq!(contacts(&tenant), Vec::<Value>::new());
    let status = imports::run(&tenant.key, b"name,phone\n");
    assert_eq!(
        (&status["status"], counts(&status)),
        (&json!("completed"), [0, 0, 0]),
        "a table without rows"
    );
}

#[test]
fn a_form_has_one_text_file() {
    let tenant = Tenant::new(App::shared());
    let part = |field: &str, bytes: &[u8]| {
        [media::form_head(field, "contacts.csv", "text/csv").as_bytes(), bytes, b"\r\n"].concat()
    };
    let end = format!("--{}--\r\n", media::BOUNDARY).into_bytes();
    let send = |parts: &[&[u8]]| imports::send_form(&tenant.key, &parts.concat());
    let file = part("file", b"name\nAnna\n");
    assert_eq!(send(&[&end]).wrong_fields(422), ["file"]);
    assert_eq!(send(&[&file, &file, &end]).wrong_fields(422), ["file"]);
    assert_eq!(send(&[&part("file", b""), &end]).wrong_fields(422), ["file"]);
    assert_eq!(send(&[&part("table", b"name\n"), &end]).wrong_fields(422), ["table"]);
    assert_eq!(send(&[&part("file", b"PK\x03\x04\0\0\x01workbook"), &end]).wrong_fields(422), ["file"]);
    send(&[&file]).problem(400, "request_malformed");
    let json = tenant.key.raw(&http::Method::POST, imports::PATH, Some("application/json"), b"{}").unwrap();
    json.problem(415, "request_media_type_unsupported");
    // A server that says no at the head of a request does not wait for its body.
    let head = [("content-type", media::form_type()), ("content-length", "53000000".to_string())];
    let head = head.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut answer = String::new();
    tenant.key.open("POST", imports::PATH, &head).read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert_eq!(contacts(&tenant), Vec::<Value>::new());
}

#[test]
fn a_key_starts_one_import() {
    let tenant = Tenant::new(App::shared());
    let once = tenant.key.once(&unique::word());
    let first = imports::try_send(&once, b"name\nAnna\n").expect(202);
    let again = imports::try_send(&once, b"name\nAnna\n");
    assert_eq!((again.expect(202), again.header("idempotent-replay")), (first, "true"));
    imports::try_send(&once, b"name\nOla\n").problem(422, "idempotency_key_reused");
}

#[test]
fn what_is_not_there_is_not_found() {
    let (tenant, other) = (Tenant::new(App::shared()), Tenant::new(App::shared()));
    let foreign = imports::send(&other.key, b"name\nAnna\n");
    for id in [foreign.as_str(), "import_01HV8Z92S0R7M4E5P6Q8T1A2B3", "nonsense"] {
        tenant.key.get(&format!("/v1/contacts/imports/{id}")).problem(404, "import_not_found");
        tenant.key.get(&format!("/v1/contacts/imports/{id}/errors.csv")).problem(404, "import_not_found");
    }
}

#[test]
fn the_webhook_hears_of_each_contact_that_changed() {
    let tenant = Tenant::new(App::shared());
    let receiver = Receiver::start();
    tenant.deliver_to(&receiver, &["contact.created", "contact.updated"]);
    imports::run(&tenant.key, b"name,phone\nAnna,+48123456789\nJan,+48123456780\n");
    imports::run(&tenant.key, b"name,phone\nAnna Nowak,+48123456789\nJan,+48123456780\n");
    let told = receiver.wait_for("contact.updated", Duration::from_secs(5));
    assert_eq!(told.event["data"]["contact"]["name"], "Anna Nowak");
    std::thread::sleep(Duration::from_millis(300));
    let mut kinds: Vec<String> = receiver.deliveries().iter().map(|told| told.kind().to_string()).collect();
    kinds.sort();
    assert_eq!(kinds, ["contact.created", "contact.created", "contact.updated"]);
}

#[test]
fn a_first_row_without_end_is_refused() {
    let tenant = Tenant::new(App::shared());
    let mut file = vec![b','; 3_000_000];
    file.extend(b"\nx\n");
    let status = imports::run(&tenant.key, &file);
    assert_eq!(status["status"], "failed", "{status}");
    assert_eq!(status["errors"][0]["message"], "The first row has more than 500 columns.");
}
