//! `GET /v1/contacts`: search, filters, order. Paging itself is in `kit/paging.rs`.

use serde_json::{Value, json};
use tests::client::text;
use tests::{App, Tenant};

/// The names on the first page of a query.
fn names(tenant: &Tenant, query: &str) -> Vec<String> {
    let page = tenant.key.get(&format!("/v1/contacts?{query}")).expect(200);
    page["contacts"].as_array().unwrap().iter().map(|contact| text(contact, "name")).collect()
}

fn with_contacts(contacts: &[Value]) -> Tenant {
    let tenant = Tenant::new(App::shared());
    tenant.fields(&["Stage", "City"]);
    for contact in contacts {
        tenant.key.post("/v1/contacts", contact.clone()).expect(201);
    }
    tenant
}

#[test]
fn an_empty_list_is_a_list() {
    let tenant = Tenant::new(App::shared());
    assert_eq!(tenant.key.get("/v1/contacts").expect(200), json!({"contacts": []}));
}

#[test]
fn newest_come_first_unless_ordered_otherwise() {
    let tenant =
        with_contacts(&[json!({"name": "beta"}), json!({"name": "Alpha"}), json!({"name": "gamma"})]);
    assert_eq!(names(&tenant, ""), ["gamma", "Alpha", "beta"]);
    assert_eq!(names(&tenant, "orderDirection=asc"), ["beta", "Alpha", "gamma"]);
    assert_eq!(names(&tenant, "orderBy=name&orderDirection=asc"), ["Alpha", "beta", "gamma"]);
    assert_eq!(names(&tenant, "orderBy=name"), ["gamma", "beta", "Alpha"]);
    let beta = tenant.key.get("/v1/contacts?search=beta").expect(200)["contacts"][0].clone();
    tenant.key.patch(&format!("/v1/contacts/{}", text(&beta, "id")), json!({"name": "beta 2"})).expect(200);
    assert_eq!(names(&tenant, "orderBy=updatedAt"), ["beta 2", "gamma", "Alpha"]);
}

#[test]
fn search_looks_at_names_phones_and_mail_fields() {
    let tenant = with_contacts(&[
        json!({"name": "Anna Kowalska", "phone": "+48123456789"}),
        json!({"name": "Bob", "customFields": {"cf_email": "bob@Example.com"}}),
        json!({"name": "50% off_now"}),
    ]);
    assert_eq!(names(&tenant, "search=kowal"), ["Anna Kowalska"]);
    assert_eq!(names(&tenant, "search=KOWAL"), ["Anna Kowalska"]);
    assert_eq!(names(&tenant, "search=%2B4812345"), ["Anna Kowalska"]);
    assert_eq!(names(&tenant, "search=BOB@example"), ["Bob"]);
    assert_eq!(names(&tenant, "search=%25"), ["50% off_now"], "wildcards are letters");
    assert_eq!(names(&tenant, "search=_"), ["50% off_now"]);
    assert_eq!(names(&tenant, "search=nobody"), Vec::<String>::new());
}

#[test]
fn search_ignores_case_in_all_scripts_and_takes_one_letter() {
    let tenant = with_contacts(&[
        json!({"name": "Żaneta Ćma"}),
        json!({"name": "ЮЛИЯ", "customFields": {"cf_email": "julia@example.com"}}),
        json!({"name": "王伟"}),
        json!({"name": "a\"b*c?d[e"}),
    ]);
    let found = |search: &str| {
        let search: String = form_urlencoded::byte_serialize(search.as_bytes()).collect();
        names(&tenant, &format!("search={search}"))
    };
    for (search, name) in [
        ("żaneta ćMA", "Żaneta Ćma"),
        ("ćm", "Żaneta Ćma"),
        ("Ć", "Żaneta Ćma"),
        ("юли", "ЮЛИЯ"),
        ("Я", "ЮЛИЯ"),
        ("JULIA@", "ЮЛИЯ"),
        ("王伟", "王伟"),
        ("伟", "王伟"),
        ("\"B*C?D[E", "a\"b*c?d[e"),
        ("*c", "a\"b*c?d[e"),
        ("[", "a\"b*c?d[e"),
    ] {
        assert_eq!(found(search), [name], "{search}");
    }
    for search in ["zaneta", "b?c", "żaneta  ćma", "李", "\"\"", "' OR 1=1"] {
        assert_eq!(found(search), Vec::<String>::new(), "{search}");
    }
    assert_eq!(tenant.key.get("/v1/contacts?search=a%00b").wrong_fields(400), ["search"]);
}

#[test]
fn search_follows_changes() {
    let tenant = Tenant::new(App::shared());
    let (id, phone) = tenant.contact("Anna Kowalska");
    let path = format!("/v1/contacts/{id}");
    let digits = phone.trim_start_matches('+');
    assert_eq!(names(&tenant, &format!("search={digits}")), ["Anna Kowalska"]);
    tenant.key.patch(&path, json!({"name": "Anna Nowak"})).expect(200);
    assert_eq!(names(&tenant, "search=kowalska"), Vec::<String>::new());
    assert_eq!(names(&tenant, "search=nowak"), ["Anna Nowak"]);
    tenant.key.delete(&path).expect(204);
    assert_eq!(names(&tenant, "search=nowak"), Vec::<String>::new());
    assert_eq!(names(&tenant, &format!("search={digits}")), Vec::<String>::new());
}

#[test]
fn filters_combine() {
    let tenant = with_contacts(&[
        json!({"name": "a", "phone": "+48123456781", "customFields": {"stage": "lead", "city": "Krakow"}}),
        json!({"name": "b", "customFields": {"stage": "lead"}}),
        json!({"name": "c", "customFields": {"stage": "customer", "city": "Krakow"}}),
    ]);
    assert_eq!(names(&tenant, "customFields%5Bstage%5D=lead"), ["b", "a"]);
    assert_eq!(names(&tenant, "customFields%5Bstage%5D=lead&customFields%5Bcf_city%5D=Krakow"), ["a"]);
    assert_eq!(names(&tenant, "customFields=%7B%22city%22%3A%22Krakow%22%7D"), ["c", "a"]);
    assert_eq!(names(&tenant, "channels=whatsapp"), ["a"]);
    assert_eq!(names(&tenant, "channels=messenger,whatsapp&search=a"), ["a"]);
    assert_eq!(names(&tenant, "channels=messenger"), Vec::<String>::new());
    assert_eq!(names(&tenant, "archived=true"), Vec::<String>::new());
    assert_eq!(names(&tenant, "archived=false"), ["c", "b", "a"]);
    assert_eq!(names(&tenant, "tagIds=tag_1&tagIds=tag_2"), Vec::<String>::new());
}

#[test]
fn created_after_includes_and_created_before_excludes() {
    let tenant = with_contacts(&[json!({"name": "a"}), json!({"name": "b"})]);
    let page = tenant.key.get("/v1/contacts").expect(200);
    let b = text(&page["contacts"][0], "createdAt");
    assert!(names(&tenant, &format!("createdAfter={b}")).contains(&"b".to_string()));
    assert!(!names(&tenant, &format!("createdBefore={b}")).contains(&"b".to_string()));
    assert_eq!(names(&tenant, "createdAfter=2099-01-01T00:00:00%2B02:00"), Vec::<String>::new());
    assert_eq!(names(&tenant, "createdBefore=2099-01-01T00:00:00Z").len(), 2);
}

#[test]
fn unknown_values_are_named() {
    let tenant = Tenant::new(App::shared());
    for (query, field) in [
        ("orderBy=size", "orderBy"),
        ("orderDirection=up", "orderDirection"),
        ("channels=fax", "channels"),
        ("archived=perhaps", "archived"),
        ("createdAfter=yesterday", "createdAfter"),
        ("createdBefore=2026-01-01", "createdBefore"),
        ("pageSize=0", "pageSize"),
        ("pageSize=-1", "pageSize"),
        ("pageSize=many", "pageSize"),
        ("pageToken=abc", "pageToken"),
        ("customFields%5Bcf_shoe%5D=44", "customFields[cf_shoe]"),
        ("customFields=%7B%22cf_shoe%22%3A%2244%22%7D", "customFields[cf_shoe]"),
    ] {
        assert_eq!(tenant.key.get(&format!("/v1/contacts?{query}")).wrong_fields(400), [field], "{query}");
    }
}

#[test]
fn a_tenant_sees_its_own_only() {
    let tenant = with_contacts(&[json!({"name": "mine", "phone": "+48123456789"})]);
    let other = Tenant::new(App::shared());
    for query in ["", "search=mine", "channels=whatsapp", "orderBy=name"] {
        assert_eq!(names(&other, query), Vec::<String>::new());
        assert_eq!(names(&tenant, query), ["mine"]);
    }
}
