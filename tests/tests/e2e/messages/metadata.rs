//! `GET /v1/messages?metadata[key]=value`, and `afterSeq` of a history.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tests::client::text;
use tests::tenant::template_to;
use tests::{App, Inbox, Tenant, unique, wait_for};

fn send(tenant: &Tenant, inbox: &Inbox, phone: &str, metadata: Value) -> Value {
    let mut request = template_to(inbox, phone);
    request["metadata"] = metadata;
    tenant.key.post("/v1/messages", request).expect(202)
}

fn ids(page: &Value) -> Vec<String> {
    page["messages"].as_array().unwrap().iter().map(|message| text(message, "id")).collect()
}

#[test]
fn messages_are_found_by_their_metadata_across_conversations() {
    let (tenant, other) = (Tenant::new(App::shared()), Tenant::new(App::shared()));
    let (inbox, theirs) = (tenant.inbox(), other.inbox());
    let phone = unique::phone();
    let order = json!({"order": "A-1 & co", "shop": "north"});
    let first = send(&tenant, &inbox, &phone, order.clone());
    let second = send(&tenant, &inbox, &unique::phone(), json!({"order": "A-1 & co"}));
    send(&tenant, &inbox, &phone, json!({"order": "A-1"}));
    send(&other, &theirs, &phone, order);
    let find = |query: &str| ids(&tenant.key.get(&format!("/v1/messages?{query}")).expect(200));
    let (first, second) = (text(&first["message"], "id"), text(&second["message"], "id"));
    assert_eq!(find("metadata[order]=A-1%20%26%20co"), [second.clone(), first.clone()]);
    assert_eq!(find("metadata%5Border%5D=A-1+%26+co&metadata[shop]=north"), [first]);
    assert_eq!(find("metadata[order]=a-1%20%26%20co"), [""; 0], "exactly");
    let page = tenant.key.get("/v1/messages?metadata[order]=A-1+%26+co&pageSize=1").expect(200);
    let token = text(&page, "nextPageToken");
    assert_eq!(ids(&page), [second]);
    let next = tenant.key.get(&format!("/v1/messages?metadata[order]=A-1+%26+co&pageToken={token}"));
    assert_eq!(ids(&next.expect(200)).len(), 1);
    let foreign = tenant.key.get(&format!("/v1/messages?metadata[shop]=north&pageToken={token}"));
    assert_eq!(foreign.wrong_fields(400), ["pageToken"]);
    for query in ["", "metadata=x", "metadata[a]=1&metadata[a]=2", "pageSize=5"] {
        assert_eq!(
            tenant.key.get(&format!("/v1/messages?{query}")).wrong_fields(400),
            ["metadata"],
            "{query}"
        );
    }
}

#[test]
fn a_history_shows_those_with_the_metadata_only() {
    let tenant = Tenant::new(App::shared());
    let inbox = tenant.inbox();
    let phone = unique::phone();
    let wanted = send(&tenant, &inbox, &phone, json!({"order": "1"}));
    send(&tenant, &inbox, &phone, json!({"order": "2"}));
    let path = format!("/v1/conversations/{}/messages", text(&wanted["conversation"], "id"));
    let found = tenant.key.get(&format!("{path}?metadata[order]=1")).expect(200);
    assert_eq!(ids(&found), [text(&wanted["message"], "id")]);
    let found = tenant.key.get(&format!("{path}?metadata[order]=1&afterSeq=0")).expect(200);
    assert_eq!(ids(&found), [text(&wanted["message"], "id")]);
}

#[test]
fn catching_up_skips_nothing_while_messages_come_in() {
    const WRITERS: usize = 8;
    const EACH: usize = 10;
    let app = App::shared();
    let tenant = Tenant::new(app);
    let inbox = tenant.inbox();
    let phone = unique::phone_ending("0001");
    let first = tenant.send_template(&inbox, &phone);
    let path = format!("/v1/conversations/{}/messages", text(&first["conversation"], "id"));
    let start = first["message"]["seq"].as_i64().unwrap();
    let mut seen = Vec::new();
    let sent: BTreeSet<String> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                scope.spawn(|| -> Vec<String> {
                    let send = || text(&tenant.send_template(&inbox, &phone)["message"], "id");
                    (0..EACH).map(|_| send()).collect()
                })
            })
            .collect();
        let mut last = start;
        wait_for("all messages", Duration::from_secs(60), || {
            let page = tenant.key.get(&format!("{path}?afterSeq={last}&pageSize=7")).expect(200);
            let messages = page["messages"].as_array().unwrap();
            assert!(messages.len() <= 7);
            assert_eq!(page["hasMore"] == json!(true), messages.len() == 7 && page["hasMore"] == json!(true));
            for message in messages {
                let seq = message["seq"].as_i64().unwrap();
                assert!(seq > last, "ascending");
                last = seq;
                seen.push(text(message, "id"));
            }
            (seen.len() == WRITERS * EACH).then_some(())
        });
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), sent);
    assert_eq!(tenant.key.get(&format!("{path}?afterSeq=1&pageToken=x")).wrong_fields(400), ["afterSeq"]);
    assert_eq!(tenant.key.get(&format!("{path}?afterSeq=x")).wrong_fields(400), ["afterSeq"]);
}
