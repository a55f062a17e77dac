//! Runs a script of SQL, one step on each line: `<how> <connection> <statement>`. The answer has one
//! line for each step.
//!
//! - `open c label`: opens a connection named c. `drop c` closes it.
//! - `sync c sql`: the synchronous function. `sql c sql`: the asynchronous one, all rows.
//! - `start c sql`: asynchronous, and says what came before the rows: the columns or an error.
//! - `keep c sql`: asynchronous, keeps the rows unread until the script ends.
//! - `rowid c`, `changes c`: the counters, read both ways.
//! - `wait ms`: waits.
//!
//! A step that takes longer than two seconds is given up with `too late`.
use futures::FutureExt as _;
use spin_sdk::sqlite::wit::sqlite::{Connection, Error, QueryResult, RowResult, Value};
use std::collections::HashMap;
use std::time::Duration;

const LIMIT: Duration = Duration::from_millis(2000);

pub async fn run(script: &str) -> String {
    let mut connections = HashMap::new();
    let mut kept = Vec::new();
    let mut answers = Vec::new();
    for line in script.lines() {
        let step = step(line, &mut connections, &mut kept);
        answers.push(futures::select_biased! {
            answer = step.boxed_local().fuse() => answer,
            () = spin_sdk::time::sleep(LIMIT).boxed_local().fuse() => "too late".to_string(),
        });
    }
    answers.join("\n")
}

async fn step(
    line: &str,
    connections: &mut HashMap<String, Connection>,
    kept: &mut Vec<Box<dyn std::any::Any>>,
) -> String {
    let mut words = line.splitn(3, ' ');
    let (how, name, rest) =
        (words.next().unwrap_or(""), words.next().unwrap_or(""), words.next().unwrap_or(""));
    match how {
        "open" => match Connection::open(rest) {
            Ok(connection) => {
                connections.insert(name.to_string(), connection);
                return "opened".to_string();
            }
            Err(error) => return format!("{error:?}"),
        },
        "drop" => {
            connections.remove(name);
            return "dropped".to_string();
        }
        "wait" => {
            spin_sdk::time::sleep(Duration::from_millis(name.parse().unwrap_or(0))).await;
            return "waited".to_string();
        }
        _ => {}
    }
    let Some(connection) = connections.get(name) else {
        return format!("no connection {name}");
    };
    match how {
        "sync" => text(connection.execute(rest, &[])),
        "sql" => match connection.execute_async(rest.to_string(), vec![]).await {
            Ok((columns, rows, end)) => {
                let rows = rows.collect().await;
                text(end.await.map(|()| QueryResult { columns, rows }))
            }
            Err(error) => format!("{error:?}"),
        },
        "start" => match connection.execute_async(rest.to_string(), vec![]).await {
            Ok((columns, _, _)) => format!("started {}", columns.join(",")),
            Err(error) => format!("{error:?}"),
        },
        "keep" => match connection.execute_async(rest.to_string(), vec![]).await {
            Ok(unread) => {
                kept.push(Box::new(unread));
                "kept".to_string()
            }
            Err(error) => format!("{error:?}"),
        },
        "rowid" => {
            format!("{} {}", connection.last_insert_rowid(), connection.last_insert_rowid_async().await)
        }
        "changes" => format!("{} {}", connection.changes(), connection.changes_async().await),
        _ => format!("no step {how}"),
    }
}

/// `columns: row; row` or the error.
fn text(result: Result<QueryResult, Error>) -> String {
    match result {
        Ok(found) => {
            let rows: Vec<String> = found.rows.iter().map(row).collect();
            format!("{}: {}", found.columns.join(","), rows.join("; "))
        }
        Err(error) => format!("{error:?}"),
    }
}

fn row(row: &RowResult) -> String {
    let values = row.values.iter().map(|value| match value {
        Value::Integer(value) => value.to_string(),
        Value::Real(value) => format!("{value:?}"),
        Value::Text(value) => value.clone(),
        Value::Blob(value) => format!("{value:?}"),
        Value::Null => "null".to_string(),
    });
    values.collect::<Vec<_>>().join(",")
}
