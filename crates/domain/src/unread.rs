//! Unread counts: what customers wrote that somebody has not read (contract section 10).
//!
//! A conversation counts its customers' messages in the order of their arrival, and remembers how many there were
//! when its latest session opened. Who reads leaves a marker: so many have I read; it only grows. Unread is what
//! lies beyond both, while the session is open; a closed conversation has nothing unread. So counting never looks
//! at messages, and a message that arrives while others are read is never lost: the marker does not reach it.

use crate::visibility;
use common::auth::Principal;
use common::db::Db;
use common::{Result, params};
use serde::Serialize;
use utoipa::ToSchema;

/// Unread messages of a conversation, from `identities i`; `?{reader}` is to be bound to the caller's id.
pub fn unread(reader: u32) -> String {
    format!(
        "CASE i.is_open WHEN 1 THEN max(0, i.inbound_count - max(i.inbound_before, coalesce(
           (SELECT r.read_count FROM read_markers r WHERE r.reader_id = ?{reader} AND r.identity_seq = i.seq), 0)))
         ELSE 0 END"
    )
}

/// The badge of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UnreadSummaryResponse)]
pub struct UnreadSummary {
    /// Unread messages in the open conversations that are assigned to the caller, or to nobody and in sight.
    #[schema(example = 3)]
    pub unread_count: i64,
    /// Grows with every change that may concern anybody's count in the tenant.
    #[schema(example = 42)]
    pub version: i64,
}

/// The caller's total with its version, both of one moment. Software has no badge: 403 for API keys.
pub fn summary(db: &Db<'_>, caller: &Principal) -> Result<UnreadSummary> {
    let user = caller.person("user:read_self")?;
    let found =
        db.row::<(i64, i64)>(&summary_sql(), params![caller.tenant, user, visibility::viewer(caller)])?;
    let (unread_count, version) = found.unwrap_or_default();
    Ok(UnreadSummary { unread_count, version })
}

/// ?1 tenant, ?2 person, ?3 viewer. What is assigned to somebody they see in any case.
fn summary_sql() -> String {
    let (unread, visible) = (unread(2), visibility::visible(3));
    let sum = |whose: &str| {
        format!(
            "(SELECT coalesce(sum({unread}), 0) FROM identities i INDEXED BY conversations_unread
               WHERE i.tenant_id = ?1 AND i.is_open = 1 AND i.inbound_count > i.inbound_before AND {whose})"
        )
    };
    format!(
        "SELECT {} + {}, coalesce((SELECT v.version FROM unread_versions v WHERE v.tenant_id = ?1), 0)",
        sum("i.assignee_id = ?2"),
        sum(&format!("i.assignee_id IS NULL AND {visible}"))
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::{Connection, params};

    /// A tenant with one conversation and two people.
    fn conversation() -> Connection {
        let db = crate::tests::schema();
        db.execute_batch(
            "INSERT INTO tenants (id, name, created_at, updated_at) VALUES ('tn_1', 'x', 0, 0);
             INSERT INTO users (id, name, email, created_at, updated_at) VALUES ('usr_1', 'x', 'x', 0, 0), ('usr_2', 'y', 'y', 0, 0);
             INSERT INTO memberships (tenant_id, user_id, role, created_at, updated_at)
               VALUES ('tn_1', 'usr_1', 'owner', 0, 0), ('tn_1', 'usr_2', 'agent', 0, 0);
             INSERT INTO inboxes (id, tenant_id, channel, external_id, name, created_by, created_at, updated_at)
               VALUES ('ibx_1', 'tn_1', 'whatsapp', '1', 'x', 'usr_1', 0, 0);
             INSERT INTO contacts (id, tenant_id, created_at, updated_at) VALUES ('con_1', 'tn_1', 0, 0);
             INSERT INTO identities (id, tenant_id, contact_seq, channel, address, created_at, started_at, last_message_at)
               VALUES ('idn_1', 'tn_1', 1, 'whatsapp', '48', 0, 0, 0);",
        )
        .unwrap();
        db
    }

    fn opens(db: &Connection) {
        db.execute(
            "INSERT INTO sessions (id, tenant_id, number, identity_seq, inbox_seq, opened_at)
             SELECT 'ses_' || count(*), 'tn_1', count(*) + 1, 1, 1, 0 FROM sessions",
            [],
        )
        .unwrap();
    }

    fn writes(db: &Connection) {
        db.execute(
            "INSERT INTO messages (id, tenant_id, identity_seq, session_seq, inbox_seq, direction, sender_type, sender_id,
                                   content, status, created_at, updated_at)
             SELECT 'msg_' || (SELECT count(*) FROM messages), 'tn_1', 1, max(seq), 1, 'in', 'customer', 'con_1', '{}', 2, 0, 0
               FROM sessions",
            [],
        )
        .unwrap();
    }

    fn reads(db: &Connection, user: &str, count: i64) {
        db.execute(
            "INSERT INTO read_markers VALUES (?, 1, 'tn_1', ?, 0)
                 ON CONFLICT DO UPDATE SET read_count = excluded.read_count WHERE excluded.read_count > read_count",
            params![user, count],
        )
        .unwrap();
    }

    /// Total and version, for a viewer as of [`visibility::viewer`].
    fn total(db: &Connection, user: &str, viewer: Option<&str>) -> (i64, i64) {
        let values = params!["tn_1", user, viewer];
        db.query_row(&summary_sql(), values, |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    }

    #[test]
    fn a_total_is_what_arrived_since_the_session_opened_or_was_read() {
        let db = conversation();
        opens(&db);
        writes(&db);
        writes(&db);
        writes(&db);
        assert_eq!(total(&db, "usr_1", None).0, 3);
        reads(&db, "usr_1", 2);
        reads(&db, "usr_1", 1);
        assert_eq!((total(&db, "usr_1", None).0, total(&db, "usr_2", Some("usr_2")).0), (1, 3));
        db.execute("UPDATE sessions SET closed_at = 1", []).unwrap();
        assert_eq!((total(&db, "usr_1", None).0, total(&db, "usr_2", Some("usr_2")).0), (0, 0));
        opens(&db);
        assert_eq!(total(&db, "usr_1", None).0, 0, "what was left unread does not come back");
        writes(&db);
        assert_eq!((total(&db, "usr_1", None).0, total(&db, "usr_2", Some("usr_2")).0), (1, 1));
        db.execute("UPDATE sessions SET assignee_id = 'usr_2' WHERE closed_at IS NULL", []).unwrap();
        assert_eq!((total(&db, "usr_1", None).0, total(&db, "usr_2", Some("usr_2")).0), (0, 1));
        // Who leaves the tenant leaves it to all; a deleted contact waits for nobody.
        db.execute("DELETE FROM memberships WHERE user_id = 'usr_2'", []).unwrap();
        assert_eq!(total(&db, "usr_1", None).0, 1);
        db.execute("UPDATE contacts SET deleted_at = 1", []).unwrap();
        assert_eq!(total(&db, "usr_1", None).0, 0);
    }

    #[test]
    fn the_version_grows_with_every_change() {
        let db = conversation();
        let steps: [&dyn Fn(); 9] = [
            &|| opens(&db),
            &|| writes(&db),
            &|| reads(&db, "usr_1", 1),
            &|| reads(&db, "usr_1", 2),
            &|| assert!(db.execute("UPDATE sessions SET assignee_id = 'usr_1'", []).unwrap() > 0),
            &|| assert!(db.execute("UPDATE sessions SET closed_at = 1", []).unwrap() > 0),
            &|| {
                db.execute_batch("INSERT INTO teams VALUES (1, 'team_1', 'tn_1', 'x', NULL, 0, 0); INSERT INTO team_members VALUES ('team_1', 'usr_1', 0)").unwrap()
            },
            &|| assert!(db.execute("DELETE FROM team_members", []).unwrap() > 0),
            &|| {
                assert!(
                    db.execute("UPDATE memberships SET role = 'admin' WHERE user_id = 'usr_2'", []).unwrap()
                        > 0
                )
            },
        ];
        let mut version = total(&db, "usr_1", None).1;
        for (at, step) in steps.iter().enumerate() {
            step();
            let now = total(&db, "usr_1", None).1;
            assert!(now > version, "step {at}: {now} is not above {version}");
            version = now;
        }
        // What changes nothing leaves it.
        reads(&db, "usr_1", 1);
        assert_eq!(total(&db, "usr_1", None).1, version);
    }
}
