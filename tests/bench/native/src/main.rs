//! The native twin: axum and rusqlite answering three of our requests from the same database file,
//! with the same statements and the same checks. What a component loses against it is the price of
//! the sandbox.
//!
//! `native load DATABASE COUNT` fills the database of a freshly made tenant with contacts;
//! `native serve DATABASE ADDRESS` serves it.

mod contacts;
mod database;
mod load;
mod messages;
mod server;

use std::process::ExitCode;

const USAGE: &str = "Usage: native load DATABASE COUNT | native serve DATABASE ADDRESS";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["load", database, count] => load::run(database, count),
        ["serve", database, address] => server::run(database, address),
        _ => Err(USAGE.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("native: {error}");
            ExitCode::FAILURE
        }
    }
}
