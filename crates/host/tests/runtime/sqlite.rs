//! What guests may expect of SQLite, and the traps that Spin sets them. Both ways of running
//! statements must behave alike unless a test says otherwise.
use crate::support::{PROBE, Server, together};

const MODES: [&str; 2] = ["queued", "blocking"];

fn start(mode: &str) -> Server {
    Server::start(PROBE, &["--statements", mode])
}

/// Runs a script on a new server and compares the answers line by line; `*` in an expected line
/// stands for anything.
fn check(mode: &str, steps: &[(&str, &str)]) {
    let server = start(mode);
    check_on(&server, mode, steps);
}

fn check_on(server: &Server, mode: &str, steps: &[(&str, &str)]) {
    let script: Vec<&str> = steps.iter().map(|(step, _)| *step).collect();
    let answer = server.ask("/sql", &script.join("\n"));
    let answers: Vec<&str> = answer.lines().collect();
    assert_eq!(answers.len(), steps.len(), "{mode}: {answer}");
    for ((step, expected), found) in steps.iter().zip(answers) {
        let fits = match expected.split_once('*') {
            Some((start, end)) => found.starts_with(start) && found.ends_with(end),
            None => found == *expected,
        };
        assert!(fits, "{mode}: {step}: {found}, expected {expected}");
    }
}

#[test]
fn nothing_is_set_on_a_connection() {
    for mode in MODES {
        check(
            mode,
            &[
                ("open c default", "opened"),
                ("sync c PRAGMA foreign_keys", "foreign_keys: 1"),
                ("sync c PRAGMA journal_mode", "journal_mode: delete"),
                ("sync c PRAGMA busy_timeout", "timeout: 5000"),
                ("sync c PRAGMA synchronous", "synchronous: 2"),
                ("sync c PRAGMA journal_mode=WAL", "journal_mode: wal"),
                ("sync c PRAGMA synchronous=NORMAL", ": "),
                ("sync c PRAGMA busy_timeout=0", "timeout: 0"),
                ("open d default", "opened"),
                ("sync d PRAGMA journal_mode", "journal_mode: wal"),
                ("sync d PRAGMA synchronous", "synchronous: 2"),
                ("sync d PRAGMA busy_timeout", "timeout: 5000"),
            ],
        );
    }
}

#[test]
fn both_functions_give_all_kinds_of_values() {
    for mode in MODES {
        let select = "SELECT 1 AS a, 1.5, 'é', x'00ff', NULL";
        let expected = "a,1.5,'é',x'00ff',NULL: 1,1.5,é,[0, 255],null";
        check(
            mode,
            &[
                ("open c default", "opened"),
                (&format!("sync c {select}"), expected),
                (&format!("sql c {select}"), expected),
                ("sql c SELECT value FROM json_each('[1,2,3]')", "value: 1; 2; 3"),
                (
                    "sync c SELECT max(value), count(*) FROM generate_series(1, 2)",
                    "Error::Io(\"no such table: generate_series*",
                ),
                (
                    "sql c WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) SELECT i FROM n",
                    "i: 1; 2; 3;*; 2999; 3000",
                ),
            ],
        );
    }
}

#[test]
fn counters_and_returning() {
    for mode in MODES {
        check(
            mode,
            &[
                ("open c default", "opened"),
                ("rowid c", "0 0"),
                ("changes c", "0 0"),
                ("sync c CREATE TABLE t (id INTEGER PRIMARY KEY, x)", ": "),
                ("sync c INSERT INTO t (x) VALUES (1), (2), (3)", ": "),
                ("rowid c", "3 3"),
                ("changes c", "3 3"),
                ("sql c UPDATE t SET x = 0 WHERE id > 1 RETURNING id, x", "id,x: 2,0; 3,0"),
                ("changes c", "2 2"),
                ("sync c INSERT INTO t (x) VALUES (9) RETURNING id", "id: 4"),
                ("open d default", "opened"),
                ("rowid d", "0 0"),
                ("changes d", "0 0"),
            ],
        );
    }
}

#[test]
fn async_execute_tells_errors_only_with_the_result() {
    for mode in MODES {
        check(
            mode,
            &[
                ("open c default", "opened"),
                ("start c SELEC 1", "started "),
                ("sql c SELEC 1", "Error::Io(\"near \\\"SELEC\\\": syntax error*"),
                ("sync c SELEC 1", "Error::Io(\"near \\\"SELEC\\\": syntax error*"),
                ("sync c CREATE TABLE t (x UNIQUE)", ": "),
                ("sync c INSERT INTO t VALUES (1)", ": "),
                ("start c INSERT INTO t VALUES (1)", "started "),
                ("sql c INSERT INTO t VALUES (1)", "Error::Io(\"UNIQUE constraint failed: t.x\")"),
                ("sync c INSERT INTO t VALUES (1)", "Error::Io(\"UNIQUE constraint failed: t.x\")"),
                ("start c SELECT 5 AS five", "started five"),
            ],
        );
    }
}

#[test]
fn unread_rows_block_the_next_statement_of_their_connection() {
    for mode in MODES {
        check(
            mode,
            &[
                ("open c default", "opened"),
                ("keep c SELECT 1", "kept"),
                ("sql c SELECT 2", "too late"),
                ("open d default", "opened"),
                ("sql d SELECT 3", "3: 3"),
                ("keep d CREATE TABLE t (x)", "kept"),
                ("sql d SELECT 4", "4: 4"),
            ],
        );
    }
}

#[test]
fn dropped_rows_block_nothing() {
    for mode in MODES {
        check(
            mode,
            &[
                ("open c default", "opened"),
                (
                    "start c WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) SELECT i FROM n",
                    "started i",
                ),
                ("sql c SELECT 2", "2: 2"),
            ],
        );
    }
}

#[test]
fn text_behind_the_first_statement_is_ignored() {
    for mode in MODES {
        check(
            mode,
            &[
                ("open c default", "opened"),
                ("sync c CREATE TABLE t (x); CREATE TABLE u (x)", ": "),
                ("sql c SELECT 1 AS one; SELECT 2", "one: 1"),
                ("sync c SELECT 1 AS one; this is no SQL", "one: 1"),
                ("sync c SELECT 1 AS one; -- only a comment", "one: 1"),
                ("sync c SELECT name FROM sqlite_schema", "name: t"),
                ("sync c this is no SQL; SELECT 1", "Error::Io(\"near \\\"this\\\": syntax error*"),
            ],
        );
    }
}

#[test]
fn an_open_transaction_is_rolled_back_when_its_connection_is_dropped() {
    for mode in MODES {
        check(
            mode,
            &[
                ("open c default", "opened"),
                ("sync c CREATE TABLE t (x)", ": "),
                ("sync c BEGIN IMMEDIATE", ": "),
                ("sync c INSERT INTO t VALUES (1)", ": "),
                ("drop c", "dropped"),
                ("open d default", "opened"),
                ("sql d SELECT count(*) FROM t", "count(*): 0"),
                ("sql d BEGIN IMMEDIATE", ": "),
                ("sql d COMMIT", ": "),
            ],
        );
    }
}

#[test]
fn an_open_transaction_ends_with_its_instance() {
    for mode in MODES {
        let server = Server::start(PROBE, &["--statements", mode, "--max-instance-reuse-count", "1"]);
        server.ask("/sql", "open c default\nsync c CREATE TABLE t (x)");
        server.ask("/sql", "open c default\nsync c BEGIN IMMEDIATE\nsync c INSERT INTO t VALUES (1)");
        check_on(
            &server,
            mode,
            &[
                ("open c default", "opened"),
                ("sql c BEGIN IMMEDIATE", ": "),
                ("sql c SELECT count(*) FROM t", "count(*): 0"),
                ("sql c COMMIT", ": "),
            ],
        );
    }
}

#[test]
fn a_second_writer_is_told_that_the_database_is_locked() {
    check(
        "blocking",
        &[
            ("open c default", "opened"),
            ("sync c PRAGMA journal_mode=WAL", "journal_mode: wal"),
            ("open d default", "opened"),
            ("sync d PRAGMA busy_timeout=0", "timeout: 0"),
            ("sync c BEGIN IMMEDIATE", ": "),
            ("sync d BEGIN IMMEDIATE", "Error::Io(\"database is locked\")"),
            ("sql d BEGIN IMMEDIATE", "Error::Io(\"database is locked\")"),
            ("sync d SELECT 1", "1: 1"),
            ("sync c COMMIT", ": "),
            ("sync d BEGIN IMMEDIATE", ": "),
        ],
    );
    // In a queue: the synchronous function would stop the instance whose transaction it waits for,
    // so it does not wait; the asynchronous one waits longer than the script's patience.
    check(
        "queued",
        &[
            ("open c default", "opened"),
            ("sync c PRAGMA journal_mode=WAL", "journal_mode: wal"),
            ("open d default", "opened"),
            ("sync d PRAGMA busy_timeout=0", "timeout: 0"),
            ("sync c BEGIN IMMEDIATE", ": "),
            ("sync d BEGIN IMMEDIATE", "Error::Io(\"database is locked\")"),
            ("sync d SELECT 1", "1: 1"),
            ("sync c COMMIT", ": "),
            ("sync d BEGIN IMMEDIATE", ": "),
            ("sql c BEGIN IMMEDIATE", "too late"),
        ],
    );
}

#[test]
fn a_busy_database_is_waited_for() {
    // c gives the lock up while d waits in another instance: after a second, within d's patience.
    for mode in MODES {
        let server =
            Server::start(PROBE, &["--statements", mode, "--max-instance-concurrent-reuse-count", "1"]);
        server.ask("/sql", "open c default\nsync c PRAGMA journal_mode=WAL");
        let answers = together(2, |index| match index {
            0 => server.ask("/sql", "open c default\nsync c BEGIN IMMEDIATE\nwait 1000\nsync c COMMIT"),
            _ => {
                std::thread::sleep(std::time::Duration::from_millis(300));
                server.ask("/sql", "open d default\nsync d BEGIN IMMEDIATE\nsync d COMMIT")
            }
        });
        assert_eq!(answers, ["opened\n: \nwaited\n: ", "opened\n: \n: "], "{mode}");
    }
}

#[test]
fn a_synchronous_writer_does_not_wait_for_its_own_instance() {
    // "other" has the lock. In the instance of "probe" an asynchronous writer waits for it; a
    // synchronous one behind that would stop the instance and with it the one it waits for.
    let other = PROBE.replace("probe]", "other]").replace("component = \"probe\"", "component = \"other\"");
    let server = Server::start(&format!("{PROBE}{}", other.replace("/...", "/other/...")), &[]);
    server.ask("/sql", "open c default\nsync c PRAGMA journal_mode=WAL");
    let answers = together(3, |index| {
        std::thread::sleep(std::time::Duration::from_millis(200 * index as u64));
        match index {
            0 => server.ask("/other/sql", "open c default\nsync c BEGIN IMMEDIATE\nwait 1200\nsync c COMMIT"),
            1 => server.ask("/sql", "open c default\nsql c BEGIN IMMEDIATE\nsql c COMMIT"),
            _ => server.ask("/sql", "open c default\nsync c BEGIN IMMEDIATE"),
        }
    });
    assert_eq!(
        answers,
        ["opened\n: \nwaited\n: ", "opened\n: \n: ", "opened\nError::Io(\"database is locked\")"]
    );
}

#[test]
fn writers_in_many_instances_take_turns() {
    let server = start("queued");
    server.ask("/sql", "open c default\nsync c PRAGMA journal_mode=WAL\nsync c CREATE TABLE t (x)");
    let script = "open c default\nsync c PRAGMA busy_timeout=0\nsync c PRAGMA synchronous=NORMAL\n\
                  sql c BEGIN IMMEDIATE\nsql c INSERT INTO t VALUES (1)\nwait 2\nsql c INSERT INTO t VALUES (2)\nsql c COMMIT";
    let answers = together(32, |_| server.ask("/sql", script));
    for answer in answers {
        assert!(!answer.contains("Error") && !answer.contains("too late"), "{answer}");
    }
    assert_eq!(server.ask("/sql", "open c default\nsql c SELECT count(*) FROM t"), "opened\ncount(*): 64");
}

#[test]
fn foreign_keys_are_on() {
    for mode in MODES {
        check(
            mode,
            &[
                ("open c default", "opened"),
                ("sync c CREATE TABLE a (id INTEGER PRIMARY KEY)", ": "),
                ("sync c CREATE TABLE b (a REFERENCES a)", ": "),
                ("sync c INSERT INTO b VALUES (1)", "Error::Io(\"FOREIGN KEY constraint failed\")"),
            ],
        );
    }
}

#[test]
fn only_labels_of_the_manifest_are_opened() {
    check("queued", &[("open c other", "Error::AccessDenied")]);
}

#[test]
fn text_that_is_not_utf_8_is_an_error() {
    for mode in MODES {
        check(
            mode,
            &[
                ("open c default", "opened"),
                ("sync c SELECT CAST(x'ff' AS TEXT)", "Error::Io(\"column 0 is TEXT that is not UTF-8\")"),
                ("sync c SELECT 1", "1: 1"),
            ],
        );
    }
}

#[test]
fn a_connection_of_an_earlier_instance_looks_new() {
    let server = Server::start(PROBE, &["--max-instance-reuse-count", "1"]);
    server.ask("/sql", "open c default\nsync c CREATE TABLE t (id INTEGER PRIMARY KEY, x)");
    // Leaves settings, counters and an open transaction behind.
    check_on(
        &server,
        "queued",
        &[
            ("open c default", "opened"),
            ("sync c PRAGMA synchronous=OFF", ": "),
            ("sync c PRAGMA foreign_keys=OFF", ": "),
            ("sync c PRAGMA busy_timeout=0", "timeout: 0"),
            ("sync c INSERT INTO t (x) VALUES (1), (2)", ": "),
            ("rowid c", "2 2"),
            ("sync c BEGIN IMMEDIATE", ": "),
            ("sync c DELETE FROM t", ": "),
        ],
    );
    // The statement that marks a connection as one of a kind.
    check_on(
        &server,
        "queued",
        &[("open c default", "opened"), ("sync c CREATE TEMP TABLE secret (x)", ": ")],
    );
    for _ in 0..3 {
        check_on(
            &server,
            "queued",
            &[
                ("open c default", "opened"),
                ("rowid c", "0 0"),
                ("changes c", "0 0"),
                ("sync c SELECT count(*) FROM t", "count(*): 2"),
                ("rowid c", "0 0"),
                ("changes c", "0 0"),
                ("sync c PRAGMA synchronous", "synchronous: 2"),
                ("sync c PRAGMA foreign_keys", "foreign_keys: 1"),
                ("sync c PRAGMA busy_timeout", "timeout: 5000"),
                ("sync c SELECT * FROM secret", "Error::Io(\"no such table: secret*"),
            ],
        );
    }
}
