//! What an erasure reads: each message once, however many there are.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use domain::contacts::lifecycle::TO_ERASE;
use rusqlite::Connection;

#[test]
fn a_step_goes_on_behind_the_last_one_by_the_index() {
    let db = Connection::open_in_memory().unwrap();
    for (name, file) in common::migrations::FILES {
        for statement in common::migrations::statements(file) {
            db.execute(&statement, []).unwrap_or_else(|error| panic!("{name}: {error}: {statement}"));
        }
    }
    let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {TO_ERASE}")).unwrap();
    let steps =
        plan.query_map(["con_1", "tn_1", "{}", "7", "8", "200"], |row| row.get::<_, String>(3)).unwrap();
    let steps: Vec<String> = steps.map(Result::unwrap).collect();
    let of_messages = "SEARCH m USING INDEX messages_by_arrival (identity_seq=? AND seq>?)";
    assert!(steps.iter().any(|step| step == of_messages), "{steps:#?}");
    assert!(steps.iter().all(|step| !step.contains("TEMP B-TREE")), "{steps:#?}");
}
