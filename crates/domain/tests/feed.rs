//! The triggers of migration 0009, statement by statement: what each change leaves in the feed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use rusqlite::Connection;

fn database() -> Connection {
    let db = Connection::open_in_memory().unwrap();
    for (name, file) in common::migrations::FILES {
        for statement in common::migrations::statements(file) {
            db.execute(&statement, []).unwrap_or_else(|error| panic!("{name}: {error}: {statement}"));
        }
    }
    db.execute_batch(
        "INSERT INTO tenants (id, name, created_at, updated_at) VALUES ('tn_1', 'A', 1, 1), ('tn_2', 'B', 1, 1);
         INSERT INTO users (id, name, email, created_at, updated_at) VALUES ('usr_1', 'Olga', 'o@example.com', 1, 1);
         INSERT INTO memberships (tenant_id, user_id, role, created_at, updated_at) VALUES ('tn_1', 'usr_1', 'agent', 1, 1);
         INSERT INTO teams (id, tenant_id, name, created_at, updated_at) VALUES ('team_1', 'tn_1', 'T', 1, 1);
         INSERT INTO inboxes (id, tenant_id, channel, external_id, name, created_by, created_at, updated_at)
           VALUES ('ibx_1', 'tn_1', 'whatsapp', '1', 'I', 'usr_1', 1, 1);
         INSERT INTO contacts (id, tenant_id, created_at, updated_at) VALUES ('con_1', 'tn_1', 1, 1);
         INSERT INTO identities (id, tenant_id, contact_seq, channel, address, created_at)
           VALUES ('idn_1', 'tn_1', 1, 'whatsapp', '48123456789', 1);
         DELETE FROM updates;",
    )
    .unwrap();
    db
}

/// Kind, conversation, message and person of a row.
type Left = (String, Option<i64>, Option<i64>, Option<String>);

/// What a change leaves.
fn left_by(db: &Connection, change: &str) -> Vec<Left> {
    let newest: i64 =
        db.query_row("SELECT coalesce(max(seq), 0) FROM updates", [], |row| row.get(0)).unwrap();
    db.execute_batch(change).unwrap_or_else(|error| panic!("{error}: {change}"));
    let mut rows = db
        .prepare("SELECT kind, identity_seq, message_seq, person_id FROM updates WHERE seq > ? ORDER BY seq")
        .unwrap();
    let rows = rows.query_map([newest], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)));
    rows.unwrap().map(Result::unwrap).collect()
}

fn kinds(db: &Connection, change: &str) -> Vec<String> {
    left_by(db, change).into_iter().map(|(kind, ..)| kind).collect()
}

const SESSION: &str =
    "INSERT INTO sessions (id, tenant_id, number, identity_seq, inbox_seq, team_id, opened_at)
    VALUES ('ses_1', 'tn_1', 1, 1, 1, 'team_1', 1)";
const MESSAGE: &str = "INSERT INTO accept_message
      (seq, id, tenant_id, identity_seq, session_seq, inbox_seq, sender_type, sender_id, content, status, preview, job,
       lane, now)
    VALUES (1, 'msg_1', 'tn_1', 1, 1, 1, 'user', 'usr_1', '{}', 0, '', 'send_message', 'l', 5)";

/// A database with an open conversation.
fn begun() -> Connection {
    let db = database();
    db.execute_batch(&format!("{SESSION}; {MESSAGE}")).unwrap();
    db
}

#[test]
fn a_conversation_and_its_messages_leave_one_row_a_change() {
    let db = database();
    assert_eq!(left_by(&db, SESSION), [("conversation.started".into(), Some(1), None, None)]);
    assert_eq!(left_by(&db, MESSAGE), [("message.created".into(), Some(1), Some(1), None)]);
    let updated = [("message.updated".to_string(), Some(1), Some(1), None)];
    for change in [
        "UPDATE messages SET status = 1",
        "UPDATE messages SET content = '{\"a\":1}', edited_at = 7",
        "UPDATE messages SET deleted_at = 8",
        "UPDATE messages SET metadata = '{}'",
        "INSERT INTO reactions (id, tenant_id, message_seq, sender_type, sender_id, emoji, created_at)
           VALUES ('rct_1', 'tn_1', 1, 'customer', 'con_1', 'a', 1)",
        "UPDATE reactions SET emoji = 'b'",
        "DELETE FROM reactions",
    ] {
        assert_eq!(left_by(&db, change), updated, "{change}");
    }
    assert_eq!(
        left_by(&db, "UPDATE sessions SET closed_at = 9"),
        [("conversation.closed".into(), Some(1), None, None)]
    );
}

#[test]
fn what_changes_nothing_leaves_nothing() {
    let db = begun();
    for change in [
        "UPDATE messages SET status = 0, content = '{}', deleted_at = NULL",
        "UPDATE messages SET channel_message_id = 'wamid.1', sent_at = 6, updated_at = 6",
        "UPDATE sessions SET team_id = 'team_1'",
        "UPDATE identities SET last_message_text = 'x'",
        "UPDATE api_keys SET last_used_at = 7",
    ] {
        assert_eq!(kinds(&db, change), Vec::<String>::new(), "{change}");
    }
}

#[test]
fn a_reassignment_says_how_it_was_before() {
    let db = begun();
    let moved = left_by(&db, "UPDATE sessions SET assignee_id = 'usr_1', team_id = 'team_2'");
    assert_eq!(moved, [("conversation.updated".into(), Some(1), None, None)]);
    let was: (Option<String>, Option<String>) = db
        .query_row("SELECT was_team_id, was_assignee_id FROM updates ORDER BY seq DESC LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!(was, (Some("team_1".into()), None));
    // The next session may belong to others.
    db.execute_batch("UPDATE sessions SET closed_at = 9").unwrap();
    let next = "INSERT INTO sessions (id, tenant_id, number, identity_seq, inbox_seq, team_id, opened_at)
        VALUES ('ses_2', 'tn_1', 2, 1, 1, 'team_3', 10)";
    let mut kinds = kinds(&db, next);
    kinds.sort();
    assert_eq!(kinds, ["conversation.started", "conversation.updated"]);
}

#[test]
fn reading_concerns_the_reader_only() {
    let db = begun();
    let read = "INSERT INTO read_markers (reader_id, identity_seq, tenant_id, read_count, updated_at)
        VALUES ('usr_1', 1, 'tn_1', 1, 1)";
    let told = [("unread".to_string(), Some(1), None, Some("usr_1".to_string()))];
    assert_eq!(left_by(&db, read), told);
    assert_eq!(left_by(&db, "UPDATE read_markers SET read_count = 2"), told);
    assert_eq!(kinds(&db, "UPDATE read_markers SET updated_at = 3"), Vec::<String>::new());
}

#[test]
fn a_change_of_rights_concerns_one_person() {
    let db = database();
    let told = [("scope".to_string(), None, None, Some("usr_1".to_string()))];
    for change in [
        "INSERT INTO team_members (team_id, user_id, created_at) VALUES ('team_1', 'usr_1', 1)",
        // The team goes first: its members follow.
        "DELETE FROM teams",
        "UPDATE memberships SET role = 'admin'",
        "UPDATE users SET sessions_since = 2",
        "DELETE FROM memberships",
    ] {
        assert_eq!(left_by(&db, change), told, "{change}");
    }
    let key = "INSERT INTO service_accounts (id, tenant_id, name, role, created_at, updated_at)
          VALUES ('svc_1', 'tn_1', 'S', 'admin', 1, 1);
        INSERT INTO api_keys (id, tenant_id, service_account_id, name, prefix, secret_hash, created_at)
          VALUES ('key_1', 'tn_1', 'svc_1', 'K', 'p', x'00', 1)";
    assert_eq!(kinds(&db, key), Vec::<String>::new());
    let revoked = left_by(&db, "UPDATE api_keys SET revoked_at = 5");
    assert_eq!(revoked, [("scope".into(), None, None, Some("svc_1".into()))]);
}

#[test]
fn old_rows_go_and_numbers_do_not_come_back() {
    let db = begun();
    let count = |db: &Connection| {
        db.query_row("SELECT count(*) FROM updates", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let forget = |before: i64| {
        let mut statement = db.prepare(domain::updates::FORGET).unwrap();
        statement.query_map([before, 100], |_| Ok(())).unwrap().count()
    };
    db.execute_batch("UPDATE updates SET at = 1000; UPDATE messages SET status = 1").unwrap();
    let newest: i64 = db.query_row("SELECT max(seq) FROM updates", [], |row| row.get(0)).unwrap();
    assert_eq!(forget(1000), 0);
    assert_eq!(forget(2000), 2, "the two old ones");
    assert_eq!(forget(i64::MAX), 0, "the newest stays, however old");
    assert_eq!(count(&db), 1);
    db.execute_batch("UPDATE messages SET status = 2").unwrap();
    let next: i64 = db.query_row("SELECT max(seq) FROM updates", [], |row| row.get(0)).unwrap();
    assert_eq!(next, newest + 1);
}
